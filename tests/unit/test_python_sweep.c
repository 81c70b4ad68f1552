// SPDX-License-Identifier: GPL-2.0-or-later
/* python/sweep.h on heaps made by hand. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/mman.h>

#include <cmocka.h>

#include "fixtures/python_seen.h"

/* Documentation/admin-guide/mm/pagemap.rst */
#define PRESENT (1ull << 63)
#define SWAPPED (1ull << 62)

static void test_objects_and_raw_blocks(void **state)
{
	struct heap *h = heap_new();
	struct python_sweep_stats stats;
	struct seen seen;

	(void)state;
	add_lists(h, 0);
	heap_add_pool(h, 1, 32, 5);
	for (unsigned int i = 0; i < 3; i++)
		heap_add_object(h, heap_block(1, 32, i), HEAP_FLOAT);
	/* Kept by the interpreter for the next float. */
	heap_put(h, heap_block(1, 32, 2), 0);
	/* In a block of another size a float cannot be. */
	heap_add_pool(h, 3, 48, 1);
	heap_add_object(h, heap_block(3, 48, 0), HEAP_FLOAT);
	/* Given back: two free blocks, one after the other. */
	heap_put32(h, heap_pool(0), FULL - 2);
	heap_put(h, heap_pool(0) + 8, heap_block(0, SIZE, 7));
	heap_put(h, heap_block(0, SIZE, 7), heap_block(0, SIZE, 3));
	heap_put(h, heap_block(0, SIZE, 3), 0);
	/* Their neighbours are neighbours now. */
	heap_link(h, heap_block(0, SIZE, 6) + 16, heap_block(0, SIZE, 8) + 16);
	heap_link(h, heap_block(0, SIZE, 2) + 16, heap_block(0, SIZE, 4) + 16);

	seen = sweep(h, &stats);
	assert_int_equal(seen.of[HEAP_LIST], FULL - 2);
	assert_int_equal(seen.of[HEAP_FLOAT], 2);
	assert_int_equal(seen.cached, 1);
	assert_int_equal(seen.raw, 3);
	assert_int_equal(stats.pools, 3);
	assert_int_equal(stats.free_blocks, 2);
	assert_int_equal(stats.live_blocks, FULL - 2 + 5 + 1);
	assert_int_equal(stats.unread_pools, 0);
	assert_int_equal(stats.refused_blocks, 0);
	heap_free(h);
}

/* Readings of the second pool: its header when it is found, a look at what it holds, then the pass. */
#define PASS_READING 3
#define TRIES	     3

/* The count of blocks is an older one than the rest, until as many readings as torn_readings. */
static void tear(struct heap *h, uint64_t address)
{
	if (address == heap_pool(1))
		h->readings++;
	heap_put32(h, heap_pool(1),
		   h->readings >= PASS_READING && h->readings < PASS_READING + h->torn_readings ?
			   FULL - 1 :
			   FULL);
}

static void test_torn_pools_are_read_again(void **state)
{
	(void)state;
	for (unsigned int torn = 0; torn <= TRIES + 1; torn++) {
		struct heap *h = heap_new();
		struct python_sweep_stats stats;
		struct seen seen;

		add_lists(h, 0);
		add_lists(h, 1);
		h->meanwhile = tear;
		h->torn_readings = torn;
		seen = sweep(h, &stats);
		assert_int_equal(stats.reread_pools, torn > 0);
		assert_int_equal(stats.unread_pools, torn > TRIES);
		assert_int_equal(stats.unread_blocks, torn > TRIES ? FULL : 0);
		assert_int_equal(seen.of[HEAP_LIST], torn > TRIES ? FULL : 2 * FULL);
		assert_int_equal(h->readings, PASS_READING + (torn < TRIES ? torn : TRIES));
		heap_free(h);
	}
}

/* A neighbour that is far away, in a pool that is read later or was read before. */
static void test_distant_neighbours(void **state)
{
	struct heap *h = heap_new();
	struct python_sweep_stats stats;
	struct seen seen;
	const unsigned int last = HEAP_POOLS - 1;

	(void)state;
	for (unsigned int i = 1; i < last; i++)
		add_lists(h, i);
	heap_add_pool(h, 0, SIZE, 1);
	heap_add_pool(h, last, SIZE, 1);
	heap_add_object(h, heap_block(0, SIZE, 0) + 16, HEAP_LIST);
	heap_add_object(h, heap_block(last, SIZE, 0) + 16, HEAP_LIST);
	heap_link(h, heap_block(0, SIZE, 0) + 16, heap_block(last, SIZE, 0) + 16);
	heap_link(h, heap_block(last, SIZE, 0) + 16, heap_block(0, SIZE, 0) + 16);
	seen = sweep(h, &stats);
	assert_int_equal(seen.of[HEAP_LIST], (HEAP_POOLS - 2) * FULL + 2);
	assert_int_equal(stats.refused_blocks, 0);
	heap_free(h);
}

/* A dict's table in malloc's memory, by a header that may say anything. */
static void test_tables_of_dicts(void **state)
{
	struct heap *h = heap_new();
	struct seen seen;
	uint64_t at;

	(void)state;
	add_lists(h, 0);
	heap_add_pool(h, 1, SIZE, 2);
	for (unsigned int i = 0; i < 2; i++) {
		at = heap_block(1, SIZE, i) + 16;
		heap_add_object(h, at, HEAP_DICT);
		heap_put(h, at + 32, MALLOC_AT + 8192 + 2048 * i);
	}
	/* 64 entries at most 42 of which are used, of 24 bytes each, behind a header and 64 indices. */
	at = MALLOC_AT + 8192;
	heap_at(h, at)[8] = 6;
	heap_at(h, at)[9] = 6;
	/* 2^200 of them. */
	heap_at(h, at + 2048)[8] = 200;
	heap_at(h, at + 2048)[9] = 200;
	/* A large object in the last entry of the first, which is known by this reference only. */
	heap_put(h, at + 32 + 64 + 41 * 24 + 16, MALLOC_AT + 65536 + 16);
	heap_add_object(h, MALLOC_AT + 65536 + 16, HEAP_TUPLE);
	heap_put(h, MALLOC_AT + 65536 + 16 + 16, 100);
	/* And in it one that refers to both. */
	heap_put(h, MALLOC_AT + 65536 + 16 + 24 + 8 * 99, MALLOC_AT + 131072 + 16);
	heap_add_object(h, MALLOC_AT + 131072 + 16, HEAP_TUPLE);
	heap_put(h, MALLOC_AT + 131072 + 16 + 16, 200);
	heap_put(h, MALLOC_AT + 131072 + 16 + 24, MALLOC_AT + 131072 + 16);
	heap_put(h, MALLOC_AT + 131072 + 16 + 32, MALLOC_AT + 65536 + 16);
	/* One behind the end of the first is not meant. */
	heap_put(h, at + 32 + 64 + 42 * 24 + 16, MALLOC_AT + 196608 + 16);
	heap_add_object(h, MALLOC_AT + 196608 + 16, HEAP_TUPLE);
	heap_put(h, MALLOC_AT + 196608 + 16 + 16, 100);

	seen = sweep(h, NULL);
	assert_int_equal(seen.of[HEAP_DICT], 2);
	assert_int_equal(seen.of[HEAP_TUPLE], 2);
	assert_int_equal(seen.large, 2);
	assert_int_equal(seen.table_bytes, 32 + 64 + 42 * 24);
	heap_free(h);
}

static void test_debug_hooks(void **state)
{
	static const uint8_t before[16] = { 0,	 0,    0,    0,	   0,	 0,    0,    24,
					    'o', 0xfd, 0xfd, 0xfd, 0xfd, 0xfd, 0xfd, 0xfd };
	struct heap *h = heap_new();
	struct seen seen;

	(void)state;
	heap_add_pool(h, 0, 48, 100);
	for (unsigned int i = 0; i < 100; i++) {
		memcpy(heap_at(h, heap_block(0, 48, i)), before, sizeof(before));
		heap_add_object(h, heap_block(0, 48, i) + 16, HEAP_FLOAT);
	}
	seen = sweep(h, NULL);
	assert_int_equal(seen.of[HEAP_FLOAT], 100);
	heap_free(h);
}

static void test_refusals(void **state)
{
	struct heap *h = heap_new();
	struct python_sweep *s = NULL;
	struct seen seen = { 0 };
	const char *why = NULL;

	(void)state;
	assert_int_equal(heap_sweep(h, 0, &s, &why), -EOPNOTSUPP);
	assert_non_null(strstr(why, "PYTHONMALLOC"));
	/* Blocks without objects. */
	heap_add_pool(h, 0, SIZE, 100);
	why = NULL;
	assert_int_equal(heap_sweep(h, 0, &s, &why), -EOPNOTSUPP);
	assert_non_null(why);
	/* Long ago. */
	add_lists(h, 0);
	assert_int_equal(heap_sweep(h, 1, &s, &why), -ETIMEDOUT);
	assert_null(s);
	assert_int_equal(heap_sweep(h, 0, &s, &why), 0);
	assert_int_equal(python_sweep_blocks(s, see, &seen), 0);
	s->deadline_ns = 1;
	assert_int_equal(python_sweep_blocks(s, see, &seen), -ETIMEDOUT);
	python_sweep_free(s);
	heap_free(h);
}

/* What is swapped out is left there, and said so. */
static void test_absent_pages(void **state)
{
	/* Of pools 0 to 3: all there; the second page not; the first not; none was ever touched. */
	static const uint64_t entries[16] = {
		PRESENT, PRESENT, PRESENT, PRESENT, PRESENT, SWAPPED,
		PRESENT, PRESENT, SWAPPED, PRESENT, PRESENT, PRESENT,
	};
	_cleanup_close_ int pagemap = memfd_create("pagemap", MFD_CLOEXEC);
	struct heap *h = heap_new();
	struct python_sweep_stats stats;
	struct python_sweep *s = NULL;
	struct seen seen = { 0 };
	const char *why = NULL;

	(void)state;
	for (unsigned int i = 0; i < 4; i++)
		add_lists(h, i);
	assert_int_equal(
		ftruncate(pagemap, POOLS_AT / 4096 * 8 + HEAP_POOLS * HEAP_POOL / 4096 * 8), 0);
	assert_true(pwrite(pagemap, entries, sizeof(entries), POOLS_AT / 4096 * 8) ==
		    sizeof(entries));
	assert_int_equal(heap_sweep_pages(h, pagemap, 0, &s, &why), 0);
	assert_int_equal(python_sweep_blocks(s, see, &seen), 0);
	python_sweep_get_stats(s, &stats);
	assert_int_equal(seen.of[HEAP_LIST], FULL);
	assert_int_equal(stats.pools, 1);
	assert_int_equal(stats.unread_pools, 1);
	assert_int_equal(stats.unread_blocks, FULL);
	assert_int_equal(stats.skipped_bytes, 2 * 4096);
	python_sweep_free(s);
	heap_free(h);
}

static void test_block_of(void **state)
{
	struct heap *h = heap_new();
	struct python_sweep *s = NULL;
	const char *why = NULL;
	uint64_t start;
	uint32_t bytes;

	(void)state;
	add_lists(h, 3);
	add_lists(h, 70);
	assert_int_equal(heap_sweep(h, 0, &s, &why), 0);
	assert_true(python_sweep_block_of(s, heap_block(70, SIZE, 5) + 63, &start, &bytes));
	assert_true(start == heap_block(70, SIZE, 5) && bytes == SIZE);
	assert_true(python_sweep_block_of(s, heap_block(3, SIZE, 0), &start, &bytes));
	assert_true(start == heap_block(3, SIZE, 0));
	assert_false(python_sweep_block_of(s, heap_block(3, SIZE, FULL), &start, &bytes));
	assert_false(python_sweep_block_of(s, heap_pool(3) + 47, &start, &bytes));
	assert_false(python_sweep_block_of(s, heap_pool(4) + 64, &start, &bytes));
	assert_false(python_sweep_block_of(s, 0, &start, &bytes));
	assert_false(python_sweep_block_of(s, UINT64_MAX, &start, &bytes));
	python_sweep_free(s);
	heap_free(h);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_objects_and_raw_blocks),
		cmocka_unit_test(test_torn_pools_are_read_again),
		cmocka_unit_test(test_distant_neighbours),
		cmocka_unit_test(test_tables_of_dicts),
		cmocka_unit_test(test_debug_hooks),
		cmocka_unit_test(test_refusals),
		cmocka_unit_test(test_absent_pages),
		cmocka_unit_test(test_block_of),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
