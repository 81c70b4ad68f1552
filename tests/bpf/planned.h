/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What a child allocates and frees, by plan: a million blocks of six sizes over five decades under
 * 512 call stacks. And what is true of it, so that estimates can be compared.
 */
#ifndef SEEP_TESTS_PLANNED_H
#define SEEP_TESTS_PLANNED_H

#include <math.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>

#define INTERVAL    4096u
#define ALLOCATIONS 1000000u
#define CHUNK	    20000u /* that the child is asked for at once: each has a deadline */
#define SITE_BITS   9
#define SITES	    (1u << SITE_BITS)
#define FREE_LAG    97 /* allocations between a block's own and its free */

/* --- what the child does --------------------------------------------------------------------------- */

static void *blocks[ALLOCATIONS];

struct step {
	uint32_t site;
	uint32_t size;
	bool is_freed;
};

/* Small blocks are many and large ones make the bytes, as in most programs. */
static struct step step_of(uint32_t i)
{
	static const struct {
		uint32_t up_to; /* of a thousand */
		uint32_t size;
	} classes[] = {
		{ 400, 3 },    { 650, 31 },    { 900, 307 },
		{ 990, 3083 }, { 999, 30011 }, { 1000, 300007 },
	};
	uint64_t x = (i + 1) * 0x9e3779b97f4a7c15ull; /* Steele's SplitMix64 */
	unsigned int class = 0;

	x = (x ^ x >> 30) * 0xbf58476d1ce4e5b9ull;
	x = (x ^ x >> 27) * 0x94d049bb133111ebull;
	x ^= x >> 31;
	while ((x >> 32) % 1000 >= classes[class].up_to)
		class ++;
	return (struct step){
		.site = x % SITES,
		.size = classes[class].size,
		.is_freed = x >> 20 & 1,
	};
}

/*
 * Two functions that call each other by the bits of a number, from the lowest: 2^SITE_BITS stacks.
 * What they say to the assembler keeps them from being one, and their calls from being jumps.
 */
static void *call_next(uint32_t site, unsigned int bits, size_t size);

__attribute__((noinline)) static void *zero(uint32_t site, unsigned int bits, size_t size)
{
	void *block = call_next(site, bits, size);

	__asm__ volatile("# zero");
	return block;
}

__attribute__((noinline)) static void *one(uint32_t site, unsigned int bits, size_t size)
{
	void *block = call_next(site, bits, size);

	__asm__ volatile("# one");
	return block;
}

static inline __attribute__((always_inline)) void *call_next(uint32_t site, unsigned int bits,
							     size_t size)
{
	if (bits == 0)
		return malloc(size);
	return site & 1 ? one(site >> 1, bits - 1, size) : zero(site >> 1, bits - 1, size);
}

static void free_if_planned(uint32_t i)
{
	if (!step_of(i).is_freed)
		return;
	free(blocks[i]);
	blocks[i] = NULL;
}

static void allocate(uint64_t from)
{
	for (uint32_t i = from; i < from + CHUNK; i++) {
		struct step s = step_of(i);

		blocks[i] = zero(s.site, SITE_BITS, s.size);
		if (!blocks[i])
			abort();
		if (i >= FREE_LAG)
			free_if_planned(i - FREE_LAG);
	}
}

static void free_last(uint64_t n)
{
	for (uint32_t i = n - FREE_LAG; i < n; i++)
		free_if_planned(i);
}

static void free_rest(uint64_t n)
{
	for (uint32_t i = 0; i < n; i++) {
		free(blocks[i]);
		blocks[i] = NULL;
	}
}

/* --- what is known of it --------------------------------------------------------------------------- */

struct known {
	double bytes;
	double count;
	double count_variance; /* of the estimate: (1 - p) / p for each block that may be missed */
};

static void add_known(struct known *k, uint32_t size)
{
	k->bytes += size;
	k->count++;
	if (size < INTERVAL)
		k->count_variance += 1 / expm1((double)size / INTERVAL);
}

struct truth {
	struct known allocated[SITES];
	struct known live[SITES];
	struct known all_allocated;
	struct known all_live;
	uint64_t n_freed;
	uint64_t n_large_live; /* of at least the interval */
};

static void tell_truth(struct truth *t, uint32_t n)
{
	*t = (struct truth){ 0 };
	for (uint32_t i = 0; i < n; i++) {
		struct step s = step_of(i);

		add_known(&t->allocated[s.site], s.size);
		add_known(&t->all_allocated, s.size);
		if (s.is_freed) {
			t->n_freed++;
			continue;
		}
		add_known(&t->live[s.site], s.size);
		add_known(&t->all_live, s.size);
		t->n_large_live += s.size >= INTERVAL;
	}
}

#endif
