// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Who holds the samples of a process: find_holders PID, on its input one sample a line, "OBJECT TYPE".
 *
 * Prints a line for each holder, fields apart by tabs: samples, root, container, path; before them "= SAMPLES
 * CPU_NS", and only "! ERROR" if it failed.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "python/holders.h"

static const char *const roots[] = {
	[PYTHON_ROOT_MODULE] = "module", [PYTHON_ROOT_CLASS] = "class",
	[PYTHON_ROOT_FRAME] = "frame",	 [PYTHON_ROOT_UNKNOWN] = "unknown",
	[PYTHON_ROOT_CYCLE] = "cycle",
};

static size_t read_samples(struct python_sample samples[PYTHON_SAMPLES])
{
	size_t n = 0;

	while (n < PYTHON_SAMPLES &&
	       scanf("%" SCNu64 " %" SCNu64, &samples[n].object, &samples[n].type) == 2)
		n++;
	return n;
}

int main(int argc, char **argv)
{
	struct python_sample samples[PYTHON_SAMPLES];
	struct python_interpreter interpreter;
	struct python_holders holders;
	const char *why = NULL;
	int r;

	if (argc != 2)
		return 2;
	r = python_interpreter_find((pid_t)atoi(argv[1]), &interpreter, &why);
	if (r >= 0)
		r = python_holders_find(&interpreter, samples, read_samples(samples), 0, &holders,
					&why);
	if (r < 0) {
		printf("! %s%s%s\n", strerror(-r), why ? ": " : "", why ? why : "");
		return 1;
	}
	printf("= %u %" PRIu64 "\n", holders.samples, holders.cpu_ns);
	for (size_t i = 0; i < holders.n; i++) {
		const struct python_holder *h = &holders.list[i];

		printf("%u\t%s\t%s\t%s\n", h->samples, roots[h->root], h->container, h->path);
	}
	return 0;
}
