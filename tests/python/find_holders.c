// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Who holds samples, as JSON on one line: find_holders PID DEADLINE_MS OBJECT:TYPE...
 */
#include <jansson.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

#include "base/parse.h"
#include "python/holders.h"

static const char *const roots[] = {
	[PYTHON_ROOT_MODULE] = "module", [PYTHON_ROOT_CLASS] = "class",
	[PYTHON_ROOT_FRAME] = "frame",	 [PYTHON_ROOT_UNKNOWN] = "unknown",
	[PYTHON_ROOT_CYCLE] = "cycle",
};

static json_t *holders_json(const struct python_holders *h)
{
	json_t *list = json_array();

	for (size_t i = 0; i < h->n; i++)
		(void)json_array_append_new(
			list, json_pack("{s:s s:s s:s s:i}", "path", h->list[i].path, "container",
					h->list[i].container, "root", roots[h->list[i].root],
					"samples", (int)h->list[i].samples));
	return json_pack("{s:o s:i s:I}", "holders", list, "samples", (int)h->samples, "cpu_ns",
			 (json_int_t)h->cpu_ns);
}

static int find(pid_t pid, uint64_t deadline_ns, const struct python_sample *samples, size_t n,
		json_t **ret, const char **ret_why)
{
	struct rusage before, after;
	struct python_interpreter i;
	struct python_holders h;
	int r;

	r = python_interpreter_find(pid, &i, ret_why);
	if (r < 0)
		return r;
	(void)getrusage(RUSAGE_SELF, &before);
	r = python_holders_find(&i, samples, n, deadline_ns, &h, ret_why);
	if (r < 0)
		return r;
	(void)getrusage(RUSAGE_SELF, &after);
	*ret = holders_json(&h);
	(void)json_object_set_new(*ret, "grown_bytes",
				  json_integer((after.ru_maxrss - before.ru_maxrss) * 1024));
	return 0;
}

static size_t read_samples(char **arguments, int n, struct python_sample samples[PYTHON_SAMPLES])
{
	size_t taken = 0;

	for (int i = 0; i < n && taken < PYTHON_SAMPLES; i++) {
		struct python_sample *s = &samples[taken++];
		char *end;

		s->object = strtoull(arguments[i], &end, 0);
		s->type = *end == ':' ? strtoull(end + 1, NULL, 0) : 0;
	}
	return taken;
}

int main(int argc, char **argv)
{
	struct python_sample samples[PYTHON_SAMPLES];
	const char *why = NULL;
	json_t *answer = NULL;
	uint64_t pid, ms;
	int r;

	if (argc < 4 || parse_u64_range(argv[1], 1, INT32_MAX, &pid) < 0 ||
	    parse_u64_range(argv[2], 0, 3600000, &ms) < 0) {
		(void)fputs("Usage: find_holders PID DEADLINE_MS OBJECT:TYPE...\n", stderr);
		return 2;
	}
	r = find((pid_t)pid, ms * 1000000, samples, read_samples(argv + 3, argc - 3, samples),
		 &answer, &why);
	if (r < 0)
		answer = json_pack("{s:s s:s?}", "error", strerror(-r), "why", why);
	(void)json_dumpf(answer, stdout, JSON_COMPACT);
	(void)putchar('\n');
	json_decref(answer);
	return 0;
}
