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

/* What the layout of an object follows from, beside its type's sizes; a subclass has its base's. */
enum python_role {
	PYTHON_ROLE_OTHER,
	PYTHON_ROLE_STR,
	PYTHON_ROLE_BYTES,
	PYTHON_ROLE_BYTEARRAY,
	PYTHON_ROLE_INT,
	PYTHON_ROLE_TUPLE,
	PYTHON_ROLE_LIST,
	PYTHON_ROLE_DICT,
	PYTHON_ROLE_SET, /* and frozenset */
	PYTHON_ROLE_DEQUE,
	PYTHON_ROLE_TYPE,
	PYTHON_ROLE_CODE,
	PYTHON_ROLE_GENERATOR, /* coroutine, async_generator */
	PYTHON_ROLE_FRAME,
	PYTHON_ROLE_TASK, /* of _asyncio */
};

/* A type, checked; lives as long as the sweep. */
struct python_type {
	uint64_t address;
	uint64_t base; /* address; 0: none */
	uint64_t dict;
	uint64_t name; /* of tp_name */
	uint64_t members;
	uint64_t qualname; /* heap types: a str; else 0, like the next one */
	uint64_t cached_keys;
	uint64_t basicsize;
	uint64_t itemsize;
	uint64_t dictoffset;
	uint32_t flags;
	uint32_t id; /* of this sweep, from 0 on */
	enum python_role role;
	uint16_t object_at;	/* where in their blocks its objects start */
	bool has_own_allocator; /* its objects may be smaller than basicsize: datetime */
};

struct python_block {
	uint64_t address; /* of a large one: the object's, though bytes has what comes before it */
	uint64_t bytes;
	bool is_large;			/* an object above 512 bytes, in no pool */
	uint64_t object;		/* address of the object in it; 0: none, raw memory */
	const struct python_type *type; /* NULL: none */
	uint64_t refcount;		/* 0: kept by the interpreter for the next one, not live */
	const uint8_t *
		data; /* the block's bytes, valid during the call; of a large one the object's first */
	size_t data_bytes;
	uint64_t table_bytes;	   /* of tables outside of it that belong to the object alone */
	uint64_t table_pool_bytes; /* of these, in pools; they are told as raw blocks as well */
	uint32_t table_blocks;
};

struct python_sweep_stats {
	uint64_t pools;	       /* that were found */
	uint64_t reread_pools; /* changed while they were read */
	uint64_t unread_pools; /* changed each time */
	uint64_t unread_blocks;
	uint64_t skipped_bytes; /* not in memory */
	uint64_t free_blocks;
	uint64_t live_blocks;
	uint64_t
		refused_blocks; /* look like objects of the collector's, but are in none of its lists */
	uint64_t unread_large; /* objects that were not looked for: too many */
};

struct python_sweep;

/*
 * Finds the mappings and the pools. @deadline_ns is monotonic time: what takes longer ends with
 * -ETIMEDOUT. -EOPNOTSUPP with a static *ret_why: no pymalloc; -ESRCH, -EPERM.
 */
int python_sweep_new(const struct python_interpreter *i, uint64_t deadline_ns,
		     struct python_sweep **ret, const char **ret_why);
struct python_sweep *python_sweep_free(struct python_sweep *s);
DEFINE_CLEANUP(struct python_sweep *, python_sweep_free)

/*
 * Calls back for each live block, in order of addresses; stops at a negative result and returns it. What was
 * made after python_sweep_new() is seen where it lies in pools that were in use then.
 */
typedef int (*python_block_fn)(const struct python_block *b, void *userdata);
int python_sweep_blocks(struct python_sweep *s, python_block_fn callback, void *userdata);

/*
 * Large objects that the blocks of the last pass refer to, and those that these refer to. The pass must
 * have been told before that its references are wanted; that doubles its cost.
 */
void python_sweep_want_large(struct python_sweep *s);
/* Passes cost what they did before. */
void python_sweep_forget_large(struct python_sweep *s);
int python_sweep_large(struct python_sweep *s, python_block_fn callback, void *userdata);

/* The type at an address, checked and remembered; NULL: there is none. */
const struct python_type *python_sweep_type(struct python_sweep *s, uint64_t address);
/* As people write it: "module.Name". -EFAULT: its name cannot be read. */
int python_sweep_type_name(struct python_sweep *s, const struct python_type *t, char *to,
			   size_t room);

/* Whether an address lies in a pool; the block's start and size then. */
bool python_sweep_block_of(const struct python_sweep *s, uint64_t address, uint64_t *ret_start,
			   uint32_t *ret_bytes);

/*
 * How much the pools of a sample hold now, more or less, than in the last pass, as a share of all that
 * they held: what changed while it lasted. 0 to 1.
 */
double python_sweep_drift(struct python_sweep *s);

void python_sweep_get_stats(const struct python_sweep *s, struct python_sweep_stats *ret);

#endif
