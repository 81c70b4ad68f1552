/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The blocks that wait to be freed in vain: a set of addresses without locks and without memory of
 * its own, in which every free looks.
 *
 * A block has one owner, which adds it and takes it out; only that makes it safe.
 */
#ifndef SEEP_EVAL_UNFREE_TABLE_H
#define SEEP_EVAL_UNFREE_TABLE_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#define TABLE_BUCKETS (1u << 14)
#define TABLE_BUCKET  8 /* one cache line */

static _Atomic uintptr_t table[TABLE_BUCKETS][TABLE_BUCKET] __attribute__((aligned(64)));

static inline _Atomic uintptr_t *table_bucket(void *p)
{
	return table[((uintptr_t)p >> 4) * 0x9e3779b97f4a7c15ull >> 50];
}

/* False if there is no room for it. */
static inline bool table_add(void *p)
{
	_Atomic uintptr_t *bucket = table_bucket(p);

	for (int i = 0; i < TABLE_BUCKET; i++) {
		uintptr_t none = 0;

		if (atomic_compare_exchange_strong(&bucket[i], &none, (uintptr_t)p))
			return true;
	}
	return false;
}

/* False if it is not there. */
static inline bool table_take(void *p)
{
	_Atomic uintptr_t *bucket = table_bucket(p);

	for (int i = 0; i < TABLE_BUCKET; i++) {
		if (atomic_load_explicit(&bucket[i], memory_order_relaxed) != (uintptr_t)p)
			continue;
		atomic_store(&bucket[i], 0);
		return true;
	}
	return false;
}

#endif
