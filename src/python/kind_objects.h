/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The objects of single kinds, for who follows them from one census to the next: where they are, and how to
 * tell an object from a later one at the same address.
 */
#ifndef SEEP_PYTHON_KIND_OBJECTS_H
#define SEEP_PYTHON_KIND_OBJECTS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "python/interpreter.h"

#define PYTHON_WANTED_MAX 64

/* A kind of census.h whose objects are asked for. */
struct python_wanted {
	uint64_t type_address;
	uint64_t threshold;    /* of the last answer; 0: none yet */
	uint64_t code_address; /* of_code: those alone that run this code; 0: none that is known, */
	bool of_code;
	bool done; /* and that have ended, or that have not */
};

struct python_object {
	uint64_t address;
	uint64_t identity; /* of a task with a number: that; else 0 */
};

/*
 * Of many objects those whose hash is at most a threshold, the same ones in every answer. It only falls, so
 * that an answer never has an object that an earlier one left out.
 */
struct python_objects {
	struct python_object *list; /* owned; by address */
	size_t n;
	uint64_t count;	    /* of all */
	uint64_t threshold; /* UINT64_MAX: all are in the list */
};

/* The hash that is compared with the threshold (Stafford's mix 13 of splitmix64). */
static inline uint64_t python_object_hash(uint64_t address)
{
	uint64_t h = address;

	h = (h ^ h >> 30) * 0xbf58476d1ce4e5b9ull;
	h = (h ^ h >> 27) * 0x94d049bb133111ebull;
	return h ^ h >> 31;
}

/*
 * One pass over the heap for all of them. @ret has room for @n; each gets at most @max objects. Errors as
 * of python_census_take(); on failure nothing is owned.
 */
int python_objects_collect(const struct python_interpreter *i, const struct python_wanted *wanted,
			   size_t n, size_t max, uint64_t deadline_ns, struct python_objects *ret,
			   const char **ret_why);
void python_objects_done(struct python_objects *o);

#endif
