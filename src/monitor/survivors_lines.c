// SPDX-License-Identifier: GPL-2.0-or-later
/* The lines that make objects: constructions by the frame that is to blame. See survivors.h. */
#include <errno.h>
#include <string.h>

#include "alert/python.h"
#include "base/cleanup.h"
#include "base/log.h"
#include "monitor/python.h"
#include "monitor/state.h"
#include "monitor/survivors.h"
#include "symbolize/frame.h"

/* Of a burst; the rest counts for the last of them. */
#define LINES_MAX 256

struct lines {
	struct frame list[LINES_MAX]; /* texts are borrowed from the symbolizer */
	size_t n;
};

static void on_names(void *userdata)
{
	(void)userdata; /* They are looked up when they are needed. */
}

void survivors_ask_names(struct survivors *s)
{
	const struct survivors_burst *b = &s->best;
	_cleanup_free_ uint64_t *frames = calloc(b->n * CONSTRUCTION_FRAMES + 1, sizeof(*frames));
	size_t n = 0;

	for (size_t i = 0; frames && i < b->n; i++)
		for (uint32_t k = 0; k < b->list[i].n && k < CONSTRUCTION_FRAMES; k++)
			if (!symbolizer_lookup(s->monitor->symbolizer, b->list[i].frames[k]))
				frames[n++] = b->list[i].frames[k];
	if (n && symbolizer_resolve(s->monitor->symbolizer, frames, n, on_names, NULL) < 0)
		log_debug("failed to ask for names of Python frames, ignoring");
}

/* Code of Python's own library makes objects for whoever called it. */
static bool is_library(const char *file)
{
	const char *at = strstr(file, "/python3");

	if (file[0] == '<')
		return strncmp(file, "<frozen ", 8) == 0;
	return at && strstr(at, ".py") && !strstr(at, "-packages/");
}

/* The frame of a construction that made it, for people. */
static struct frame frame_of(const struct survivors *s, const struct construction *c)
{
	struct frame first = { .kind = FRAME_PYTHON };

	for (uint32_t k = 0; k < c->n && k < CONSTRUCTION_FRAMES; k++) {
		const struct frame_list *names =
			symbolizer_lookup(s->monitor->symbolizer, c->frames[k]);
		const struct frame *f = names && names->n ? &names->frames[0] : NULL;

		if (!f || !f->function || !f->file)
			continue;
		/* A coroutine is made by its caller, when it has a frame already. */
		if (k == 0 && s->function && strcmp(f->function, s->function) == 0)
			continue;
		if (!first.function)
			first = *f;
		if (!is_library(f->file))
			return *f;
	}
	return first;
}

static bool is_same(const struct frame *a, const struct frame *b)
{
	if (a->line != b->line || !a->function != !b->function)
		return false;
	return !a->function ||
	       (strcmp(a->function, b->function) == 0 && strcmp(a->file, b->file) == 0);
}

static size_t line_of(struct lines *lines, const struct frame *f)
{
	size_t i = 0;

	while (i < lines->n && !is_same(&lines->list[i], f))
		i++;
	if (i == LINES_MAX)
		return LINES_MAX - 1;
	if (i == lines->n)
		lines->list[lines->n++] = *f;
	return i;
}

/* Those that leak if that is clear, else all that have survivors. */
static int add_lines(struct alert_python *p, const struct lines *lines,
		     const struct survival_line *found, bool is_clear)
{
	uint64_t survivors = 0;
	int r = 0;

	for (size_t i = 0; i < lines->n; i++)
		survivors += found[i].survivors;
	for (size_t i = 0; i < lines->n && r == 0; i++) {
		const struct frame *f = &lines->list[found[i].index];
		const struct alert_line line = {
			.function = (char *)f->function,
			.file = (char *)f->file,
			.line = f->line,
			.survivors = found[i].survivors,
			.sampled = found[i].sampled,
			.share = (double)found[i].survivors / (double)(survivors ?: 1),
		};

		if (found[i].survivors && (found[i].is_leaking || !is_clear))
			r = alert_python_add_line(p, &line);
	}
	return r;
}

int survivors_find_lines(struct survivors *s, const struct python_objects *now, bool is_last,
			 struct alert_python **ret)
{
	_cleanup_(alert_python_freep) struct alert_python *origin = NULL;
	_cleanup_free_ struct survival_line *found = calloc(LINES_MAX, sizeof(*found));
	_cleanup_free_ struct lines *lines = calloc(1, sizeof(*lines));
	struct survivors_burst *b = &s->best;
	bool is_clear;
	int r;

	if (!found || !lines)
		return -ENOMEM;
	for (size_t i = 0; i < b->n; i++) {
		struct frame f = frame_of(s, &b->list[i]);

		b->records[i].line = line_of(lines, &f);
	}
	is_clear = survival_count(b->records, b->n, &b->after, now, found, lines->n);
	b->gone = 0;
	for (size_t i = 0; i < lines->n; i++)
		b->gone += found[i].sampled - found[i].survivors;
	if (!is_clear && !is_last)
		return 0;
	/* (Its type is the kind's.) */
	origin = alert_python_new("?");
	if (!origin)
		return -ENOMEM;
	origin->constructions_seen = b->seen;
	r = add_lines(origin, lines, found, is_clear);
	if (r < 0)
		return r;
	*ret = TAKE_PTR(origin);
	return 1;
}
