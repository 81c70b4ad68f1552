// SPDX-License-Identifier: GPL-2.0-or-later
/* Counts what a sweep finds. See census.h. */
#include "python/census.h"

#include <errno.h>
#include <string.h>

#include "base/clock.h"
#include "python/kinds.h"
#include "python/running.h"
#include "python/sweep_state.h"
#include "python/tasks.h"

#define DEADLINE_NS  (10 * NS_PER_SECOND)
#define MAX_KINDS    4096
#define OTHER_TYPES  "(other types)"
#define UNKNOWN_TYPE "(unknown type)"
#define NAME_BYTES   1024
#define CODE_READ    160 /* with co_qualname */

static const char why_other_program[] = "it has become another program meanwhile";

struct count {
	struct python_sweep *sweep;
	const struct python_census_options *options;
	struct kinds *kinds;
	struct python_census *census;
	struct python_task tasks[TASKS_AT_ONCE]; /* whose code is to be read */
	size_t n_tasks;
	uint64_t owned_blocks; /* raw ones that are tables of objects */
	uint64_t owned_bytes;
};

static void count_object(struct count *c, const struct python_type *t, uint64_t code,
			 uint64_t qualname, bool done, uint64_t bytes)
{
	struct kind *k = kinds_get(c->kinds, t, code, done);

	if (!k->count)
		k->qualname = qualname;
	k->count++;
	k->bytes += bytes;
	c->census->objects++;
	c->census->bytes += bytes;
}

static int count_tasks(struct count *c)
{
	int r = python_tasks_read(c->sweep, c->tasks, c->n_tasks);

	if (r < 0)
		return r;
	for (size_t i = 0; i < c->n_tasks; i++) {
		const struct python_task *t = &c->tasks[i];

		if (t->number > c->census->tasks_made)
			c->census->tasks_made = t->number;
		count_object(c, t->type, c->options->by_code ? t->code : 0, t->qualname,
			     c->options->by_code && t->done, t->bytes);
	}
	c->n_tasks = 0;
	return 0;
}

static int count_task(struct count *c, const struct python_block *b, const uint8_t *object,
		      uint64_t bytes)
{
	struct python_task *t = &c->tasks[c->n_tasks];

	python_task_init(c->sweep->layout, object, t);
	t->object = b->object;
	t->type = b->type;
	t->bytes = bytes;
	if (++c->n_tasks < TASKS_AT_ONCE)
		return 0;
	return count_tasks(c);
}

static void count_generator(struct count *c, const struct python_block *b, const uint8_t *object,
			    uint64_t bytes)
{
	const struct python_layout *l = c->sweep->layout;
	uint64_t qualname = 0;

	if (l->generator_qualname != PYTHON_NONE)
		qualname = word_at(object, l->generator_qualname);
	count_object(c, b->type, python_code_of_generator(l, object), qualname,
		     python_generator_has_ended(l, object), bytes);
}

static int count_block(const struct python_block *b, void *userdata)
{
	size_t at = b->object ? b->object - b->address : 0;
	uint64_t bytes = b->bytes + b->table_bytes;
	const uint8_t *object = b->data + at;
	size_t room = b->data_bytes - at;
	struct count *c = userdata;

	if (!b->type) {
		c->census->raw_blocks++;
		c->census->raw_bytes += b->bytes;
		return 0;
	}
	if (!b->refcount) {
		kinds_get(c->kinds, b->type, 0, false)->cached++;
		return 0;
	}
	c->owned_blocks += b->table_blocks;
	c->owned_bytes += b->table_pool_bytes;
	c->census->large_objects += b->is_large;
	/* Large ones show their first bytes only: a task with attributes in C may have more. */
	if (b->type->role == PYTHON_ROLE_TASK && room >= c->sweep->layout->task_bytes)
		return count_task(c, b, object, bytes);
	if (c->options->by_code && b->type->role == PYTHON_ROLE_GENERATOR &&
	    room >= PYTHON_GENERATOR_READ)
		count_generator(c, b, object, bytes);
	else if (c->options->by_code && b->type->role == PYTHON_ROLE_FRAME &&
		 room >= PYTHON_FRAME_READ)
		count_object(c, b->type,
			     python_code_of_frame(c->sweep->layout, c->sweep->memory, object), 0,
			     false, bytes);
	else
		count_object(c, b->type, 0, 0, false, bytes);
	return 0;
}

static char *text_or_null(const struct python_sweep *s, uint64_t str)
{
	char text[NAME_BYTES];

	if (!str || python_read_str(s->memory, s->layout, str, text, sizeof(text)) < 0 || !text[0])
		return NULL;
	return strdup(text);
}

/* What cannot be read of a code stays unknown: it may have ended by now. */
static void name_code(const struct python_sweep *s, const struct kind *from, struct python_kind *to)
{
	const struct python_layout *l = s->layout;
	uint8_t code[CODE_READ];

	if (!from->code || python_read(s->memory, from->code, code, sizeof(code)) < 0 ||
	    word_at(code, PY_OB_TYPE) != s->interpreter.code_type)
		return;
	to->code_address = from->code;
	to->line = (int32_t)half_at(code, l->code_firstlineno);
	to->file = text_or_null(s, word_at(code, l->code_filename));
	if (l->code_qualname != PYTHON_NONE)
		to->function = text_or_null(s, word_at(code, l->code_qualname));
	else
		to->function = text_or_null(s, from->qualname);
	if (!to->function)
		to->function = text_or_null(s, word_at(code, l->code_name));
}

static int name_kind(struct python_sweep *s, const struct kind *from, struct python_kind *to)
{
	char name[NAME_BYTES];

	*to = (struct python_kind){
		.done = from->done,
		.type_address = from->type ? from->type->address : 0,
		.count = from->count,
		.bytes = from->bytes,
		.cached = from->cached,
	};
	if (!from->type)
		to->type = strdup(OTHER_TYPES);
	else if (python_sweep_type_name(s, from->type, name, sizeof(name)) == 0)
		to->type = strdup(name);
	else
		to->type = strdup(UNKNOWN_TYPE);
	if (!to->type)
		return -ENOMEM;
	name_code(s, from, to);
	return 0;
}

static int name_kinds(struct count *c)
{
	size_t max = c->options->max_kinds ? c->options->max_kinds : MAX_KINDS;
	const struct kind *kinds;
	size_t n = kinds_sort(c->kinds, max, &kinds);

	c->census->kinds = calloc(n ? n : 1, sizeof(*c->census->kinds));
	if (!c->census->kinds)
		return -ENOMEM;
	for (size_t i = 0; i < n; i++) {
		int r = name_kind(c->sweep, &kinds[i], &c->census->kinds[i]);

		if (r == 0 && i % TASKS_AT_ONCE == 0)
			r = sweep_check_deadline(c->sweep);
		c->census->n = i + 1;
		if (r < 0)
			return r;
	}
	return 0;
}

/* Whether the memory is still that of the interpreter that was found in it. */
static bool is_same_program(const struct python_interpreter *i)
{
	uint64_t type = 0;

	return python_read_u64(&i->memory, i->type_type + PY_OB_TYPE, &type) == 0 &&
	       type == i->type_type;
}

/*
 * The share of objects that may be missing or too many: those in pools that could not be read, and as many as
 * the pools hold more or less after the pass than in it.
 */
static double error_ratio(struct python_sweep *s, const struct python_sweep_stats *stats)
{
	double all = (double)(stats->live_blocks + stats->unread_blocks);
	double ratio = python_sweep_drift(s);

	if (all > 0)
		ratio += (double)(stats->unread_blocks + stats->unread_large) / all;
	return ratio < 1 ? ratio : 1;
}

static int finish(struct count *c, const struct python_interpreter *i, const char **ret_why)
{
	struct python_census *census = c->census;
	struct python_sweep_stats stats;
	int r = count_tasks(c);

	if (r < 0)
		return r;
	python_sweep_get_stats(c->sweep, &stats);
	census->pools = stats.pools;
	census->unread_pools = stats.unread_pools;
	census->unread_blocks = stats.unread_blocks;
	census->skipped_bytes = stats.skipped_bytes;
	census->error_ratio = error_ratio(c->sweep, &stats);
	census->raw_blocks -=
		c->owned_blocks < census->raw_blocks ? c->owned_blocks : census->raw_blocks;
	census->raw_bytes -=
		c->owned_bytes < census->raw_bytes ? c->owned_bytes : census->raw_bytes;
	r = name_kinds(c);
	if (r < 0)
		return r;
	if (!is_same_program(i)) {
		*ret_why = why_other_program;
		return -ESRCH;
	}
	return 0;
}

static int take(const struct python_interpreter *i, struct count *c, const char **ret_why)
{
	uint64_t time = c->options->deadline_ns ? c->options->deadline_ns : DEADLINE_NS;
	int r;

	r = python_sweep_new(i, c->census->started_ns + time, &c->sweep, ret_why);
	if (r < 0)
		return r;
	python_sweep_want_large(c->sweep);
	r = python_sweep_blocks(c->sweep, count_block, c);
	if (r == 0)
		r = python_sweep_large(c->sweep, count_block, c);
	return r < 0 ? r : finish(c, i, ret_why);
}

int python_census_take(const struct python_interpreter *i, const struct python_census_options *o,
		       struct python_census *ret, const char **ret_why)
{
	_cleanup_free_ struct count *c = calloc(1, sizeof(*c));
	_cleanup_(kinds_freep) struct kinds *kinds = kinds_new();
	uint64_t cpu = clock_ns(CLOCK_PROCESS_CPUTIME_ID);
	struct python_census census = { .started_ns = clock_ns(CLOCK_MONOTONIC) };
	int r;

	*ret_why = NULL;
	if (!c || !kinds)
		return -ENOMEM;
	c->options = o;
	c->census = &census;
	c->kinds = kinds;
	r = take(i, c, ret_why);
	c->sweep = python_sweep_free(c->sweep);
	if (r < 0) {
		python_census_done(&census);
		return r;
	}
	census.cpu_ns = clock_ns(CLOCK_PROCESS_CPUTIME_ID) - cpu;
	census.wall_ns = clock_ns(CLOCK_MONOTONIC) - census.started_ns;
	*ret = census;
	return 0;
}

void python_census_done(struct python_census *c)
{
	for (size_t i = 0; c->kinds && i < c->n; i++) {
		free(c->kinds[i].type);
		free(c->kinds[i].function);
		free(c->kinds[i].file);
	}
	free(c->kinds);
	*c = (struct python_census){ .n = 0 };
}
