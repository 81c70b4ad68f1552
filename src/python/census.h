/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What lives on a Python heap: objects and bytes by type, from outside, without a stop.
 *
 * pymalloc's pools are swept, never the collector's lists, which break under load; objects above 512 bytes
 * are found by the references to them. Blocks, and the tables of lists, dicts and sets, count for the
 * object that owns them.
 */
#ifndef SEEP_PYTHON_CENSUS_H
#define SEEP_PYTHON_CENSUS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/cleanup.h"
#include "python/interpreter.h"

/* Objects of one type; those of tasks, coroutines, generators and frames also by their code. */
struct python_kind {
	char *type;	/* as people write it: "_asyncio.Task"; owned, UTF-8 */
	char *function; /* qualified name of the code that it runs; NULL: the type runs none */
	char *file;	/* where that is defined, */
	int32_t line;	/* its first line */
	bool done;	/* tasks, generators: it has ended */
	uint64_t type_address; /* in the process */
	uint64_t code_address; /* 0: none */
	uint64_t count;
	uint64_t bytes;	 /* of its blocks and tables */
	uint64_t cached; /* on the interpreter's free lists, in neither of them */
};

struct python_census {
	struct python_kind *kinds; /* owned; by bytes, largest first */
	size_t n;
	uint64_t objects;
	uint64_t bytes;
	uint64_t raw_blocks; /* live blocks that are no object and belong to none that is known */
	uint64_t raw_bytes;
	uint64_t large_objects; /* above 512 bytes, found by reference; in objects, too */
	uint64_t pools;
	uint64_t unread_pools; /* changed during each of the tries to read them */
	uint64_t unread_blocks;
	uint64_t skipped_bytes; /* not in memory: swapped out */
	/*
	 * How far objects may be off, 0 to 1: the share of blocks that could not be read, and the share by
	 * which a sample of pools holds more or less at the end than when they were read. Of what is replaced
	 * all the time about as much may be missing, or counted where it was and where it is.
	 */
	double error_ratio;
	uint64_t tasks_made; /* by the highest Task-N; 0: unknown */
	uint64_t cpu_ns;
	uint64_t wall_ns;
	uint64_t started_ns; /* monotonic */
};

struct python_census_options {
	bool by_code;	  /* split tasks, coroutines, generators and frames */
	size_t max_kinds; /* the largest of them, the others together as "(other types)"; 0: 4096 */
	uint64_t deadline_ns; /* of wall time; 0: 10 s */
};

/*
 * Blocks for as long as it takes: for a child process. -EOPNOTSUPP with a static *ret_why: a heap that
 * cannot be swept; -ESRCH; -ETIMEDOUT; -ENOMEM.
 */
int python_census_take(const struct python_interpreter *i, const struct python_census_options *o,
		       struct python_census *ret, const char **ret_why);
void python_census_done(struct python_census *c);

#endif
