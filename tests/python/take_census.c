// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * A census of a process as JSON on one line: take_census PID [DEADLINE_MS]. With it, from passes of their own,
 * the live blocks of each size class, and how many objects are listed of each kind that runs some code; and
 * how much this process's memory grew meanwhile.
 */
#include <jansson.h>
#include <string.h>
#include <sys/resource.h>

#include "base/parse.h"
#include "python/census.h"
#include "python/kind_objects.h"
#include "python/sweep.h"

#define CLASSES	   32
#define CLASS_UNIT 16

static json_t *kind_json(const struct python_kind *k)
{
	return json_pack("{s:s s:s? s:s? s:i s:b s:I s:I s:I s:I s:I}", "type", k->type, "function",
			 k->function, "file", k->file, "line", (int)k->line, "done", (int)k->done,
			 "type_address", (json_int_t)k->type_address, "code_address",
			 (json_int_t)k->code_address, "count", (json_int_t)k->count, "bytes",
			 (json_int_t)k->bytes, "cached", (json_int_t)k->cached);
}

static json_t *census_json(const struct python_census *c)
{
	json_t *kinds = json_array();

	for (size_t i = 0; i < c->n; i++)
		(void)json_array_append_new(kinds, kind_json(&c->kinds[i]));
	return json_pack("{s:o s:I s:I s:I s:I s:I s:I s:I s:I s:I s:f s:I s:I s:I}", "kinds",
			 kinds, "objects", (json_int_t)c->objects, "bytes", (json_int_t)c->bytes,
			 "raw_blocks", (json_int_t)c->raw_blocks, "raw_bytes",
			 (json_int_t)c->raw_bytes, "large_objects", (json_int_t)c->large_objects,
			 "pools", (json_int_t)c->pools, "unread_pools", (json_int_t)c->unread_pools,
			 "unread_blocks", (json_int_t)c->unread_blocks, "skipped_bytes",
			 (json_int_t)c->skipped_bytes, "error_ratio", c->error_ratio, "tasks_made",
			 (json_int_t)c->tasks_made, "cpu_ns", (json_int_t)c->cpu_ns, "wall_ns",
			 (json_int_t)c->wall_ns);
}

static int count_class(const struct python_block *b, void *userdata)
{
	uint64_t *classes = userdata;

	classes[b->bytes / CLASS_UNIT - 1]++;
	return 0;
}

static json_t *classes_json(const struct python_interpreter *i)
{
	_cleanup_(python_sweep_freep) struct python_sweep *s = NULL;
	uint64_t classes[CLASSES] = { 0 };
	const char *why = NULL;
	json_t *list = json_array();

	if (python_sweep_new(i, 0, &s, &why) < 0 ||
	    python_sweep_blocks(s, count_class, classes) < 0)
		return list;
	for (size_t j = 0; j < CLASSES; j++)
		(void)json_array_append_new(list, json_integer((json_int_t)classes[j]));
	return list;
}

/* Beside each kind of some code, how many objects python_objects_collect() finds of it. */
static int list_objects(const struct python_interpreter *i, const struct python_census *c,
			json_t *kinds, const char **ret_why)
{
	struct python_wanted wanted[PYTHON_WANTED_MAX];
	struct python_objects lists[PYTHON_WANTED_MAX];
	json_t *of[PYTHON_WANTED_MAX];
	size_t n = 0;
	int r = 0;

	for (size_t k = 0; k < c->n && n < PYTHON_WANTED_MAX; k++) {
		if (!c->kinds[k].code_address)
			continue;
		wanted[n] = (struct python_wanted){
			.type_address = c->kinds[k].type_address,
			.code_address = c->kinds[k].code_address,
			.done = c->kinds[k].done,
			.of_code = true,
		};
		of[n++] = json_array_get(kinds, k);
	}
	if (n)
		r = python_objects_collect(i, wanted, n, 65536, 0, lists, ret_why);
	for (size_t k = 0; r == 0 && k < n; k++) {
		(void)json_object_set_new(of[k], "listed", json_integer((json_int_t)lists[k].n));
		python_objects_done(&lists[k]);
	}
	return r;
}

static int take(pid_t pid, uint64_t deadline_ns, json_t **ret, const char **ret_why)
{
	struct python_census_options o = { .by_code = true, .deadline_ns = deadline_ns };
	struct rusage before, after;
	struct python_interpreter i;
	struct python_census c;
	int r;

	r = python_interpreter_find(pid, &i, ret_why);
	if (r < 0)
		return r;
	(void)getrusage(RUSAGE_SELF, &before);
	r = python_census_take(&i, &o, &c, ret_why);
	if (r < 0)
		return r;
	(void)getrusage(RUSAGE_SELF, &after);
	*ret = census_json(&c);
	r = list_objects(&i, &c, json_object_get(*ret, "kinds"), ret_why);
	python_census_done(&c);
	if (r < 0) {
		json_decref(*ret);
		return r;
	}
	(void)json_object_set_new(*ret, "grown_bytes",
				  json_integer((after.ru_maxrss - before.ru_maxrss) * 1024));
	(void)json_object_set_new(*ret, "classes", classes_json(&i));
	return 0;
}

int main(int argc, char **argv)
{
	const char *why = NULL;
	json_t *answer = NULL;
	uint64_t ms = 0;
	uint64_t pid;
	int r;

	if (argc < 2 || parse_u64_range(argv[1], 1, INT32_MAX, &pid) < 0 ||
	    (argc > 2 && parse_u64_range(argv[2], 1, 3600000, &ms) < 0)) {
		(void)fputs("Usage: take_census PID [DEADLINE_MS]\n", stderr);
		return 2;
	}
	r = take((pid_t)pid, ms * 1000000, &answer, &why);
	if (r < 0)
		answer = json_pack("{s:s s:s?}", "error", strerror(-r), "why", why);
	(void)json_dumpf(answer, stdout, JSON_COMPACT);
	(void)putchar('\n');
	json_decref(answer);
	return 0;
}
