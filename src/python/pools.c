// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Where the pools of pymalloc are: at addresses of their alignment in anonymous memory, known by their
 * headers (struct pool_header in Objects/obmalloc.c, the same from 3.8 to 3.14).
 */
#include "python/sweep_state.h"

#include <errno.h>

/* 128 GiB of them; 16 bytes each here. */
#define POOLS_MAX (8u << 20)

/* struct pool_header */
#define POOL_REFS  0  /* u32 */
#define POOL_FREE  8  /* first free block */
#define POOL_CLASS 36 /* u32; size is 16 * (class + 1) */
#define POOL_NEXT  40 /* u32; offset of what was never carved */
#define POOL_LAST  44 /* u32; the last offset that a block can have */

bool pool_header_read(const struct python_sweep *s, const uint8_t *bytes, struct pool *ret)
{
	uint32_t pool_bytes = s->layout->pool_bytes;
	uint32_t refs = half_at(bytes, POOL_REFS);
	uint32_t class = half_at(bytes, POOL_CLASS);
	uint32_t next = half_at(bytes, POOL_NEXT);
	uint32_t size;

	if (class >= POOL_CLASSES)
		return false;
	size = BLOCK_UNIT * (class + 1);
	if (half_at(bytes, POOL_LAST) != pool_bytes - size || next < POOL_HEADER_BYTES + size ||
	    next > pool_bytes || (next - POOL_HEADER_BYTES) % size != 0 ||
	    refs > (next - POOL_HEADER_BYTES) / size)
		return false;
	ret->refs = refs;
	ret->class = (uint8_t) class;
	ret->next = (uint16_t)next;
	return true;
}

static int add_pool(struct python_sweep *s, const struct pool *p)
{
	if (s->n_pools == POOLS_MAX)
		return -E2BIG;
	if (s->n_pools == s->pools_room) {
		size_t room = s->pools_room ? 2 * s->pools_room : 1024;
		struct pool *grown = reallocarray(s->pools, room, sizeof(*grown));

		if (!grown)
			return -ENOMEM;
		s->pools = grown;
		s->pools_room = room;
	}
	s->pools[s->n_pools++] = *p;
	return 0;
}

/* Room for one stretch of memory that is looked through: RUNS places for pools. */
struct stretch {
	uint64_t start;
	size_t n; /* of pools */
	size_t pages_each;
	uint64_t *entries; /* owned */
	uint8_t *pages;	   /* owned; enum python_page */
};

static void stretch_done(struct stretch *t)
{
	free(t->entries);
	free(t->pages);
}

static uint8_t *pages_of(const struct stretch *t, size_t pool)
{
	return t->pages + pool * t->pages_each;
}

static bool is_swapped_in_part(const struct stretch *t, size_t pool)
{
	for (size_t i = 0; i < t->pages_each; i++)
		if (pages_of(t, pool)[i] == PYTHON_PAGE_SWAPPED)
			return true;
	return false;
}

static void count_pages(struct python_sweep *s, const struct stretch *t)
{
	for (size_t i = 0; i < t->n * t->pages_each; i++) {
		if (t->pages[i] != PYTHON_PAGE_NONE)
			s->present_bytes += PYTHON_PAGE_BYTES;
		if (t->pages[i] == PYTHON_PAGE_SWAPPED)
			s->stats.skipped_bytes += PYTHON_PAGE_BYTES;
	}
}

static int look_through(struct python_sweep *s, int pagemap, struct stretch *t)
{
	struct pool p;
	size_t n = 0;
	int r;

	python_pages_read(pagemap, t->start, t->entries, t->pages, t->n * t->pages_each);
	count_pages(s, t);
	for (size_t i = 0; i < t->n; i++)
		if (*pages_of(t, i) == PYTHON_PAGE_PRESENT) {
			s->runs[n] = (struct python_run){
				.address = t->start + ((uint64_t)i << s->pool_shift),
				.to = s->heads + n * HEAD_BYTES,
				.n = POOL_HEADER_BYTES,
			};
			n++;
		}
	r = python_read_runs(s->memory, s->runs, n);
	if (r < 0)
		return r;
	for (size_t i = 0; i < n; i++) {
		if (s->runs[i].done < POOL_HEADER_BYTES || !pool_header_read(s, s->runs[i].to, &p))
			continue;
		p.address = s->runs[i].address;
		if (p.refs && is_swapped_in_part(t, (p.address - t->start) >> s->pool_shift)) {
			s->skipped_pools++;
			s->skipped_blocks += p.refs;
			continue;
		}
		r = add_pool(s, &p);
		if (r < 0)
			return r;
	}
	return 0;
}

int pools_find(struct python_sweep *s, int pagemap)
{
	uint64_t pool_bytes = 1ull << s->pool_shift;
	_cleanup_(stretch_done) struct stretch t = { .pages_each = pool_bytes / PYTHON_PAGE_BYTES };
	int r;

	t.entries = calloc(RUNS * t.pages_each, sizeof(*t.entries));
	t.pages = calloc(RUNS * t.pages_each, sizeof(*t.pages));
	if (!t.entries || !t.pages)
		return -ENOMEM;
	for (size_t i = 0; i < s->n_ranges; i++) {
		const struct python_range *range = &s->ranges[i];
		uint64_t end = range->end & ~(pool_bytes - 1);

		/* Arenas come from mmap(). */
		if (!range->is_anonymous || range->is_heap)
			continue;
		t.start = (range->start + pool_bytes - 1) & ~(pool_bytes - 1);
		for (; t.start < end; t.start += (uint64_t)RUNS << s->pool_shift) {
			uint64_t left = (end - t.start) >> s->pool_shift;

			t.n = left < RUNS ? left : RUNS;
			r = look_through(s, pagemap, &t);
			if (r == 0)
				r = sweep_check_deadline(s);
			if (r < 0)
				return r;
		}
	}
	return 0;
}

int pools_index(struct python_sweep *s)
{
	size_t slots = 64, granules = 0;
	uint64_t last = 0;

	for (size_t i = 0; i < s->n_pools; i++) {
		uint64_t key = (s->pools[i].address >> s->granule_shift) + 1;

		granules += key != last;
		last = key;
	}
	while (slots < 2 * granules)
		slots *= 2;
	s->granules = calloc(slots, sizeof(*s->granules));
	if (!s->granules)
		return -ENOMEM;
	s->granule_mask = slots - 1;
	for (size_t i = 0; i < s->n_pools; i++) {
		uint64_t address = s->pools[i].address;
		struct granule *g = granule_slot(s, address);

		if (!g->key)
			*g = (struct granule){ .key = (address >> s->granule_shift) + 1,
					       .first = (uint32_t)i };
		g->pools |= 1ull << ((address >> s->pool_shift) & 63);
	}
	return 0;
}

bool python_sweep_block_of(const struct python_sweep *s, uint64_t address, uint64_t *ret_start,
			   uint32_t *ret_bytes)
{
	const struct pool *p = pools_at(s, address);
	uint32_t size, offset;

	if (!p)
		return false;
	size = BLOCK_UNIT * (p->class + 1u);
	offset = (uint32_t)(address - p->address);
	if (offset < POOL_HEADER_BYTES || offset >= p->next)
		return false;
	*ret_bytes = size;
	*ret_start = p->address + POOL_HEADER_BYTES + (offset - POOL_HEADER_BYTES) / size * size;
	return true;
}
