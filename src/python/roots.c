// SPDX-License-Identifier: GPL-2.0-or-later
/* Modules and threads of the interpreters in a process. See search.h. */
#include <errno.h>
#include <stdlib.h>

#include "base/clock.h"
#include "python/search.h"

#define MAX_INTERPRETERS 64
#define MAX_THREADS	 4096
#define MAX_DEPTH	 256
#define MAX_FRAMES	 16384

#define MODULE_DICT 16

typedef int (*interpreter_fn)(struct search *s, uint64_t interpreter, void *userdata);

static int each_interpreter(struct search *s, interpreter_fn fn, void *userdata)
{
	const struct python_layout *l = s->reader.layout;
	const struct python_memory *m = s->reader.memory;
	uint64_t at;
	int r;

	if (l->runtime_interpreters == PYTHON_NONE)
		return 0;
	r = python_read_u64(m, s->interpreter->runtime + l->runtime_interpreters, &at);
	for (unsigned int i = 0; r >= 0 && at && i < MAX_INTERPRETERS; i++) {
		r = fn(s, at, userdata);
		if (r < 0)
			return r;
		r = python_read_u64(m, at + l->interpreter_next, &at);
	}
	return r;
}

/* What is in sys.modules under a str and has a dict where modules have it. */
static int take_module(const struct python_slot *slot, void *userdata)
{
	struct search *s = userdata;
	struct search_module *m = &s->modules[s->n_modules];

	if (slot->kind != PYTHON_SLOT_KEY)
		return 0;
	if (s->n_modules == SEARCH_MODULES)
		return 1;
	m->object = slot->value;
	m->name = slot->key;
	if (python_read_u64(s->reader.memory, slot->value + MODULE_DICT, &m->dict) < 0 || !m->dict)
		return 0;
	s->n_modules++;
	return 0;
}

static int read_modules_of(struct search *s, uint64_t interpreter, void *userdata)
{
	uint64_t dict;
	int r;

	(void)userdata;
	r = python_read_u64(s->reader.memory, interpreter + s->reader.layout->interpreter_modules,
			    &dict);
	/* A dict that changes while it is read costs the rest of its names. */
	if (r >= 0)
		(void)python_dict_slots_each(&s->reader, dict, take_module, s);
	return r;
}

static int by_dict(const void *a, const void *b)
{
	const struct search_module *x = a, *y = b;

	return x->dict < y->dict ? -1 : x->dict > y->dict;
}

int search_read_modules(struct search *s)
{
	int r = each_interpreter(s, read_modules_of, NULL);

	qsort(s->modules, s->n_modules, sizeof(*s->modules), by_dict);
	return r;
}

uint32_t search_module_at(const struct search *s, uint64_t address)
{
	const struct search_module key = { .dict = address };
	const struct search_module *found =
		bsearch(&key, s->modules, s->n_modules, sizeof(*s->modules), by_dict);

	if (found)
		return (uint32_t)(found - s->modules);
	for (size_t i = 0; i < s->n_modules; i++)
		if (s->modules[i].object == address)
			return (uint32_t)i;
	return GRAPH_NONE;
}

struct frames {
	search_frame_fn fn;
	void *userdata;
	unsigned int n;
};

/* The top frame of a thread. */
static int top_frame(const struct search *s, uint64_t thread, uint64_t *ret)
{
	const struct python_layout *l = s->reader.layout;
	int r;

	r = python_read_u64(s->reader.memory, thread + l->thread_frame, ret);
	if (r >= 0 && *ret && l->thread_cframe_frame != PYTHON_NONE)
		r = python_read_u64(s->reader.memory, *ret + l->thread_cframe_frame, ret);
	return r;
}

static int frames_of_interpreter(struct search *s, uint64_t interpreter, void *userdata)
{
	const struct python_layout *l = s->reader.layout;
	const struct python_memory *m = s->reader.memory;
	struct frames *f = userdata;
	uint64_t thread, frame;
	int r;

	r = python_read_u64(m, interpreter + l->interpreter_threads, &thread);
	for (unsigned int i = 0; r >= 0 && thread && i < MAX_THREADS; i++) {
		if (clock_ns(CLOCK_MONOTONIC) > s->reader.deadline_ns)
			return -ETIMEDOUT;
		r = top_frame(s, thread, &frame);
		/* Frames come and go meanwhile: a chain that breaks ends the thread alone. */
		for (unsigned int depth = 0; r >= 0 && frame && depth < MAX_DEPTH; depth++) {
			if (f->n++ == MAX_FRAMES)
				return 0;
			r = f->fn(frame, f->userdata);
			if (r < 0)
				return r;
			r = python_read_u64(m, frame + l->frame_previous, &frame);
		}
		r = python_read_u64(m, thread + l->thread_next, &thread);
	}
	return 0;
}

int search_each_frame(struct search *s, search_frame_fn fn, void *userdata)
{
	struct frames f = { fn, userdata, 0 };

	return each_interpreter(s, frames_of_interpreter, &f);
}
