// SPDX-License-Identifier: GPL-2.0-or-later
/* Keyed by the 16 bytes that a word points into, which is how pymalloc aligns. See frontier.h. */
#include "python/frontier.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define LEAST_BLOOM_LOG2 16
#define MOST_BLOOM_LOG2	 22
#define GRANULE		 16

void frontier_done(struct frontier *f)
{
	free(f->targets);
	free(f->slots);
	free(f->bloom);
	*f = (struct frontier){ 0 };
}

void frontier_clear(struct frontier *f)
{
	f->n = 0;
	f->span = 0;
}

int frontier_add(struct frontier *f, struct frontier_target t)
{
	struct frontier_target *grown;

	if (f->n == f->room) {
		size_t room = f->room ? 2 * f->room : 256;

		grown = realloc(f->targets, room * sizeof(*grown));
		if (!grown)
			return -ENOMEM;
		f->targets = grown;
		f->room = room;
	}
	f->targets[f->n++] = t;
	return 0;
}

static uint64_t granules_of(const struct frontier_target *t)
{
	uint64_t bytes = t->bytes < FRONTIER_PREFIX ? t->bytes : FRONTIER_PREFIX;

	return t->bytes ? (bytes + GRANULE - 1) / GRANULE : 1;
}

static void enter(struct frontier *f, uint64_t granule, uint32_t index)
{
	uint64_t h = granule * FRONTIER_HASH;
	size_t at = (size_t)(h >> 20) & (f->n_slots - 1);

	while (f->slots[at])
		at = (at + 1) & (f->n_slots - 1);
	f->slots[at] = index + 1;
	h >>= f->bloom_shift;
	f->bloom[h >> 6] |= 1ull << (h & 63);
}

/* Room for all, with few collisions. */
static int make_tables(struct frontier *f, size_t entries)
{
	unsigned int log2 = LEAST_BLOOM_LOG2;
	size_t n_slots = 1024;

	while (log2 < MOST_BLOOM_LOG2 && 1ull << log2 < 16 * entries)
		log2++;
	while (n_slots < 4 * entries)
		n_slots *= 2;
	free(f->slots);
	free(f->bloom);
	f->slots = calloc(n_slots, sizeof(*f->slots));
	f->bloom = calloc((1ull << log2) / 64, sizeof(*f->bloom));
	f->n_slots = n_slots;
	f->bloom_shift = 64 - log2;
	return f->slots && f->bloom ? 0 : -ENOMEM;
}

int frontier_build(struct frontier *f)
{
	uint64_t lowest = UINT64_MAX, highest = 0;
	size_t entries = 0;
	int r;

	for (size_t i = 0; i < f->n; i++)
		entries += granules_of(&f->targets[i]);
	r = make_tables(f, entries);
	if (r < 0)
		return r;
	for (size_t i = 0; i < f->n; i++) {
		const struct frontier_target *t = &f->targets[i];
		uint64_t n = granules_of(t), first = t->address / GRANULE;

		for (uint64_t k = 0; k < n; k++)
			enter(f, first + k, (uint32_t)i);
		if (t->address < lowest)
			lowest = t->address;
		if ((first + n) * GRANULE > highest)
			highest = (first + n) * GRANULE;
	}
	f->lowest = lowest;
	f->span = highest > lowest ? highest - lowest : 0;
	return 0;
}

static bool refers_to(uint64_t word, const struct frontier_target *t)
{
	if (t->bytes)
		return word - t->address < t->bytes;
	return (word & ~3ull) == t->address;
}

const struct frontier_target *frontier_look_up(const struct frontier *f, uint64_t word)
{
	size_t at;

	if (!f->span)
		return NULL;
	at = (size_t)((word >> 4) * FRONTIER_HASH >> 20) & (f->n_slots - 1);
	for (; f->slots[at]; at = (at + 1) & (f->n_slots - 1))
		if (refers_to(word, &f->targets[f->slots[at] - 1]))
			return &f->targets[f->slots[at] - 1];
	return NULL;
}
