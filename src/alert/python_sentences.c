// SPDX-License-Identifier: GPL-2.0-or-later
/* Leaking Python objects in words. See python_sentences.h. */
#include "alert/python_sentences.h"

#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>

#include "base/values.h"
#include "base/words.h"
#include "heap/ids.h"

#define LINES_TOLD 3

static int add(json_t *array, const char *format, ...) __attribute__((format(printf, 2, 3)));

static int add(json_t *array, const char *format, ...)
{
	_cleanup_free_ char *text = NULL;
	va_list args;
	int n;

	va_start(args, format);
	n = vasprintf(&text, format, args);
	va_end(args);
	if (n < 0) {
		text = NULL;
		return -ENOMEM;
	}
	return view_append(array, view_text(text));
}

static int add_type(const struct alert_python *p, json_t *array)
{
	_cleanup_free_ char *name = NULL;

	if (alert_python_name(p, &name) < 0)
		return -ENOMEM;
	return add(array, "What grows are Python objects: %s%s.", name,
		   p->function && p->done ? ", which has ended in all of them" : "");
}

/* "2.0 of type dict", "1 of type str": how many come with each object. */
static void put_companion(FILE *out, const struct alert_companion *c)
{
	if (c->per_object > 0.95 && c->per_object < 1.05)
		(void)fprintf(out, "1 of type %s", c->type);
	else
		(void)fprintf(out, "%.1f of type %s", c->per_object, c->type);
}

static int add_companions(const struct alert_python *p, json_t *array)
{
	_cleanup_free_ char *text = NULL;
	size_t size = 0;
	FILE *out;
	bool failed;

	if (!p->n_with)
		return 0;
	out = open_memstream(&text, &size);
	if (!out)
		return -ENOMEM;
	for (size_t i = 0; i < p->n_with; i++) {
		(void)fputs(i == 0 ? "" : i + 1 == p->n_with ? " and " : ", ", out);
		put_companion(out, &p->with[i]);
	}
	failed = ferror(out);
	if (fclose(out) != 0 || failed)
		return -ENOMEM;
	return add(array, "With each object come %s, %s together.", text,
		   words_bytes(p->bytes_per_object).text);
}

static int add_lines(const struct alert_python *p, json_t *array)
{
	int r = 0;

	for (size_t i = 0; i < p->n_created_at && i < LINES_TOLD && r == 0; i++) {
		const struct alert_line *l = &p->created_at[i];
		char line[16] = "";

		if (l->line)
			(void)snprintf(line, sizeof(line), ":%" PRIu32, l->line);
		r = add(array, "Of %s that were seen to be made in %s (%s%s), %s %s still there.",
			words_count((double)l->sampled).text, l->function ? l->function : "?",
			l->file ? path_base_name(l->file) : "?", line,
			words_count((double)l->survivors).text, l->survivors == 1 ? "is" : "are");
	}
	if (r == 0 && p->n_created_at && p->constructions_seen > 0)
		r = add(array, "Of all that were made meanwhile, %s were seen to be made.",
			words_share(p->constructions_seen).text);
	return r;
}

static int add_holders(const struct alert_python *p, json_t *array)
{
	int r = 0;

	for (size_t i = 0; i < p->n_held_by && i < LINES_TOLD && r == 0; i++) {
		const struct alert_holder *h = &p->held_by[i];

		r = add(array, "Held by %s%s%s%s: %u of %u that were looked for.", h->path,
			h->container ? " (" : "", h->container ? h->container : "",
			h->container ? ")" : "", h->samples, p->held_samples);
	}
	return r;
}

int python_sentences(const struct alert_python *p, json_t *array)
{
	int r = add_type(p, array);

	r = r < 0 ? r : add_lines(p, array);
	r = r < 0 ? r : add_holders(p, array);
	return r < 0 ? r : add_companions(p, array);
}
