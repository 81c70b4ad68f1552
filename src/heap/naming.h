/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Stored stacks to sites with names, the input of a grouping.
 *
 * The names belong to the symbolizer; what is owned here are the arrays that point at them.
 */
#ifndef SEEP_HEAP_NAMING_H
#define SEEP_HEAP_NAMING_H

#include <stddef.h>
#include <stdint.h>

#include "base/cleanup.h"
#include "heap/group.h"

struct snapshot;
struct symbolizer;

struct naming {
	struct named_site *sites; /* the first n are filled */
	const uint64_t **stacks;  /* of the same index: stored frames, borrowed */
	uint16_t *depths;	  /* of the same index: how many */
	size_t n;
	const struct frame **pointers; /* what sites[].frames point into */
	struct frame *nameless;	       /* stand-ins for frames that are not resolved */
};

/* Room for @capacity sites. NULL: no memory. */
struct naming *naming_new(size_t capacity);
struct naming *naming_free(struct naming *naming);
DEFINE_CLEANUP(struct naming *, naming_free)

/* Within the capacity. All but the frames of @site is taken. */
void naming_add(struct naming *naming, const struct named_site *site, const uint64_t *frames,
		uint16_t n);

/* The sites of a snapshot, whose frames are borrowed. -ENOMEM. */
int naming_of_snapshot(const struct snapshot *s, struct naming **ret);

/*
 * Gives the sites their frames: at least one each, a nameless one when the stack is not known.
 * -ENOMEM.
 */
int naming_fill(struct naming *naming, struct symbolizer *symbolizer);

/* The frames that the symbolizer does not know yet, each once. Caller frees. -ENOMEM. */
int naming_unknown(const struct naming *naming, struct symbolizer *symbolizer, uint64_t **ret,
		   size_t *ret_n);

#endif
