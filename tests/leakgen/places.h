/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The functions in which leakgen allocates: one for each site, so that each has a stack of its own.
 */
#ifndef SEEP_LEAKGEN_PLACES_H
#define SEEP_LEAKGEN_PLACES_H

#include <stdbool.h>
#include <stddef.h>

enum place {
	LEAKING,
	LOOK_ALIKE,
	ORDINARY_1,
	ORDINARY_2,
	ORDINARY_3,
	ORDINARY_4,
	ORDINARY_5,
	PLACES
};

/* Of the function that calls the allocator. */
const char *place_name(enum place p);

/* Never NULL; the process ends where there is no memory. Each page of the block is written to. */
void *place_new(enum place p, size_t bytes);
/* The same on a thread of its own, which has ended when this returns. */
void *place_new_on_thread(enum place p, size_t bytes);
/* By realloc(), in the same function as its place_new(). */
void *place_resize(enum place p, void *block, size_t old_bytes, size_t bytes);
void place_free(void *block);

#endif
