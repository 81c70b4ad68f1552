/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Who holds objects alive: the chain of referrers from a sample of them to a root, named as a person would
 * write it ("app._tasks", "Cache._instances[...].items").
 */
#ifndef SEEP_PYTHON_HOLDERS_H
#define SEEP_PYTHON_HOLDERS_H

#include <stddef.h>
#include <stdint.h>

#include "python/interpreter.h"

#define PYTHON_SAMPLES 64 /* each is a bit of a mask */
#define PYTHON_HOLDERS 8

enum python_root {
	PYTHON_ROOT_MODULE, /* a module in sys.modules */
	PYTHON_ROOT_CLASS,
	PYTHON_ROOT_FRAME,   /* a local of a frame or coroutine that runs, or the event loop */
	PYTHON_ROOT_UNKNOWN, /* C code, or further away than was looked */
	PYTHON_ROOT_CYCLE,   /* nobody but each other: garbage that was not collected */
	PYTHON_ROOTS
};

struct python_holder {
	char path[512]; /* from the root to the sample, UTF-8 */
	/*
	 * What grows: type of the last list, dict, set, deque or cache on the path that holds all of the
	 * samples ("set", "functools._lru_cache_wrapper"); where there is none, of what holds one.
	 */
	char container[128];
	enum python_root root;
	unsigned int samples; /* how many of them it holds */
};

struct python_holders {
	struct python_holder list[PYTHON_HOLDERS]; /* most samples first */
	size_t n;
	unsigned int samples; /* that were looked for and still live */
	uint64_t cpu_ns;
};

struct python_sample {
	uint64_t object;
	uint64_t type; /* its address, as it was seen: another one is not looked for */
};

/*
 * Looks for at most 10 seconds of wall time if @deadline_ns is 0, and tells what was found until then. Reads the
 * heap once for each step of the paths, 16 times at most, and once more to confirm them; all of that up to
 * three times while no root is found. Errors as of python_census_take().
 */
int python_holders_find(const struct python_interpreter *i, const struct python_sample *samples,
			size_t n, uint64_t deadline_ns, struct python_holders *ret,
			const char **ret_why);

#endif
