/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Every live block of pymalloc's pools, with what it is: the ground of the census and of the search for
 * holders. Each pass reads the heap anew, through one buffer of a few MiB.
 */
#ifndef SEEP_PYTHON_SWEEP_H
#define SEEP_PYTHON_SWEEP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/cleanup.h"
#include "python/interpreter.h"

/* A type, checked; lives as long as the sweep. */
struct python_type {
	uint64_t address;
	uint64_t base; /* address; 0: none */
	uint64_t dict;
	uint64_t name; /* of tp_name */
	uint64_t members;
	uint64_t cached_keys; /* heap types */
	uint64_t basicsize;
	uint64_t itemsize;
	uint64_t dictoffset;
	uint32_t flags;
	uint32_t id; /* of this sweep, from 0 on */
};

struct python_block {
	uint64_t address;
	uint32_t bytes;
	bool is_large;			/* an object above 512 bytes, in no pool */
	uint64_t object;		/* address of the object in it; 0: none, raw memory */
	const struct python_type *type; /* NULL: none */
	uint64_t refcount;
	const uint8_t
		*data; /* the block's bytes, valid during the call; of a large one the first ones */
	size_t data_bytes;
};

struct python_sweep_stats {
	uint64_t pools;
	uint64_t reread_pools;
	uint64_t unread_pools;
	uint64_t unread_blocks;
	uint64_t skipped_bytes;
	uint64_t free_blocks;
};

struct python_sweep;

/* Finds the mappings and the pools. -EOPNOTSUPP with *ret_why: no pymalloc, or a debug build of it. */
int python_sweep_new(const struct python_interpreter *i, uint64_t deadline_ns,
		     struct python_sweep **ret, const char **ret_why);
struct python_sweep *python_sweep_free(struct python_sweep *s);
DEFINE_CLEANUP(struct python_sweep *, python_sweep_free)

/* Calls back for each live block, in order of addresses; stops at a negative result and returns it. */
typedef int (*python_block_fn)(const struct python_block *b, void *userdata);
int python_sweep_blocks(struct python_sweep *s, python_block_fn callback, void *userdata);

/* Large objects that the blocks of the last pass refer to, and those that these refer to. */
int python_sweep_large(struct python_sweep *s, python_block_fn callback, void *userdata);

/* The type at an address, checked and remembered; NULL: there is none. */
const struct python_type *python_sweep_type(struct python_sweep *s, uint64_t address);
/* As people write it: "module.Name". */
int python_sweep_type_name(struct python_sweep *s, const struct python_type *t, char *to,
			   size_t room);

/* Whether an address lies in a pool; the block's start and size then. */
bool python_sweep_block_of(const struct python_sweep *s, uint64_t address, uint64_t *ret_start,
			   uint32_t *ret_bytes);

void python_sweep_get_stats(const struct python_sweep *s, struct python_sweep_stats *ret);

#endif
