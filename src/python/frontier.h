/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A set of addresses that every word of a heap is held against: a range, then a Bloom filter, then a hash.
 */
#ifndef SEEP_PYTHON_FRONTIER_H
#define SEEP_PYTHON_FRONTIER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Memory of the target that is looked for. */
struct frontier_target {
	uint64_t address;
	uint32_t
		bytes; /* 0: an object, which is pointed to at its start; else a block, anywhere near */
	uint32_t node;
};

/* Tables begin at most so far into their block, behind a prefix (the values of an instance do). */
#define FRONTIER_PREFIX 64

struct frontier {
	struct frontier_target *targets; /* owned, in the order of adding */
	size_t n;
	size_t room;
	uint32_t *slots; /* owned; index in targets + 1 */
	size_t n_slots;	 /* a power of two */
	uint64_t *bloom; /* owned */
	unsigned int bloom_shift;
	uint64_t lowest; /* of what may be pointed to */
	uint64_t span;
};

void frontier_done(struct frontier *f);
void frontier_clear(struct frontier *f);
int frontier_add(struct frontier *f, struct frontier_target t);
/* After the last add, before the first look-up. -ENOMEM. */
int frontier_build(struct frontier *f);

/* Of a word in the filter: the target that it refers to, or NULL. Low bits are flags of the interpreter. */
const struct frontier_target *frontier_look_up(const struct frontier *f, uint64_t word);

#define FRONTIER_HASH 0x9e3779b97f4a7c15ull

static inline bool frontier_may_hold(const struct frontier *f, uint64_t word)
{
	uint64_t h;

	if (word - f->lowest >= f->span)
		return false;
	h = (word >> 4) * FRONTIER_HASH >> f->bloom_shift;
	return f->bloom[h >> 6] >> (h & 63) & 1;
}

#endif
