// SPDX-License-Identifier: GPL-2.0-or-later
/* python/sweep.h on heaps whose owner means harm, or was hit while it changed them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "fixtures/python_seen.h"

/* A list of free blocks that leads anywhere, or round and round: that pool is lost, and said so. */
static void test_bad_free_lists(void **state)
{
	const uint64_t links[] = {
		heap_block(1, SIZE, 4),	    /* to itself */
		heap_block(1, SIZE, 4) + 8, /* into a block */
		heap_block(1, SIZE, FULL),  /* to one that was never carved */
		heap_block(0, SIZE, 4),	    /* into another pool */
		heap_pool(1),
		8,
		UINT64_MAX,
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(links); i++) {
		struct heap *h = heap_new();
		struct python_sweep_stats stats;
		struct seen seen;

		add_lists(h, 0);
		add_lists(h, 1);
		heap_put32(h, heap_pool(1), FULL - 2);
		heap_put(h, heap_pool(1) + 8, heap_block(1, SIZE, 4));
		heap_put(h, heap_block(1, SIZE, 4), links[i]);
		seen = sweep(h, &stats);
		assert_int_equal(seen.of[HEAP_LIST], FULL);
		assert_int_equal(stats.reread_pools, 1);
		assert_int_equal(stats.unread_pools, 1);
		assert_int_equal(stats.unread_blocks, FULL - 2);
		heap_free(h);
	}
}

/* What is not the collector's, though it has a count and a type where its objects have them. */
static void test_imitations(void **state)
{
	struct heap *h = heap_new();
	struct python_sweep_stats stats;
	struct seen seen;

	(void)state;
	add_lists(h, 0);
	heap_add_pool(h, 1, SIZE, 4);
	for (unsigned int i = 0; i < 4; i++) {
		heap_add_object(h, heap_block(1, SIZE, i), HEAP_LIST);
		heap_add_object(h, heap_block(1, SIZE, i) + 16, HEAP_LIST);
	}
	/* With links: to nowhere, to memory that is no object, and to an object that others link to. */
	heap_put(h, heap_block(1, SIZE, 1), 0x5000);
	heap_put(h, heap_block(1, SIZE, 2), heap_block(1, SIZE, 2) + 32);
	heap_put(h, heap_block(1, SIZE, 3), MALLOC_AT + 64);
	seen = sweep(h, &stats);
	assert_int_equal(seen.of[HEAP_LIST], FULL);
	assert_int_equal(seen.raw, 4);
	assert_int_equal(stats.refused_blocks, 4);
	heap_free(h);
}

static void test_types_that_are_none(void **state)
{
	struct heap *h = heap_new();
	const uint64_t meta = heap_type(HEAP_TYPES), own = heap_type(HEAP_TYPES + 1);
	struct python_sweep *s = NULL;
	const char *why = NULL;

	(void)state;
	add_lists(h, 0);
	/* A class that is its own type, and derives from type, is one. */
	heap_add_type(h, HEAP_TYPES + 1, "Own", 888, 40,
		      PY_TYPE_SUBCLASS | PY_HAVE_GC | PY_HEAPTYPE);
	heap_put(h, own + PY_OB_TYPE, own);
	heap_put(h, own + PY_TP_BASE, heap_type(HEAP_TYPE));
	/* One whose bases go round and round is none. */
	heap_add_type(h, HEAP_TYPES, "Meta", 888, 40, PY_TYPE_SUBCLASS | PY_HAVE_GC);
	heap_put(h, meta + PY_OB_TYPE, meta);
	heap_put(h, meta + PY_TP_BASE, meta);
	assert_int_equal(heap_sweep(h, 0, &s, &why), 0);
	assert_non_null(python_sweep_type(s, own));
	assert_null(python_sweep_type(s, meta));
	assert_null(python_sweep_type(s, own + 4));
	assert_null(python_sweep_type(s, 0));
	assert_null(python_sweep_type(s, UINT64_MAX - 7));
	assert_null(python_sweep_type(s, STATIC_AT + STATIC_SIZE - 8));
	assert_non_null(python_sweep_type(s, heap_type(HEAP_LIST)));
	/* A name that is none, sizes that cannot be. */
	assert_ptr_equal(python_sweep_type(s, heap_type(HEAP_FLOAT)),
			 python_sweep_type(s, heap_type(HEAP_FLOAT)));
	heap_add_type(h, HEAP_TYPES + 2, "\x01", 24, 0, 0);
	heap_add_type(h, HEAP_TYPES + 3, "small", 8, 0, 0);
	heap_add_type(h, HEAP_TYPES + 4, "big", 1ull << 40, 0, 0);
	heap_add_type(h, HEAP_TYPES + 5, "wide", 24, 1ull << 40, 0);
	for (int i = 2; i <= 5; i++)
		assert_null(python_sweep_type(s, heap_type(HEAP_TYPES + i)));
	python_sweep_free(s);
	heap_free(h);
}

/* Lengths that no object can have: it is none then, or owns nothing. */
static void test_wild_lengths(void **state)
{
	static const uint64_t wild[] = { 1ull << 20, 1ull << 44, INT64_MAX, 1ull << 63,
					 UINT64_MAX };

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(wild); i++) {
		struct heap *h = heap_new();
		struct seen seen;
		uint64_t at;

		add_lists(h, 0);
		heap_add_pool(h, 1, 224, 7);
		for (unsigned int j = 0; j < 7; j++)
			heap_add_object(h, heap_block(1, 224, j) + 16, HEAP_SET);
		at = heap_block(1, 224, 0);
		heap_put(h, at + 16 + 32, wild[i]);	   /* mask of a set */
		heap_put(h, at + 16 + 40, MALLOC_AT + 64); /* its table */
		at = heap_block(0, SIZE, 0) + 16;
		heap_put(h, at + 24, MALLOC_AT + 64); /* items of a list */
		heap_put(h, at + 32, wild[i]);
		heap_add_pool(h, 2, 96, 1);
		at = heap_block(2, 96, 0) + 16;
		heap_add_object(h, at, HEAP_DEQUE);
		heap_put(h, at + 16, wild[i]);
		heap_put(h, at + 24, MALLOC_AT + 1024);
		/* Its blocks lead round and round. */
		heap_put(h, MALLOC_AT + 1024 + 520, MALLOC_AT + 1024);
		heap_add_pool(h, 3, 80, 3);
		at = heap_block(3, 80, 0);
		heap_add_object(h, at, HEAP_STR);
		heap_put(h, at + 16, wild[i]);
		heap_put32(h, at + 32, 1u << 2 | 1u << 5 | 1u << 6);
		at = heap_block(3, 80, 1);
		heap_add_object(h, at + 16, HEAP_TUPLE);
		heap_put(h, at + 32, wild[i]);
		at = heap_block(3, 80, 2);
		heap_add_object(h, at, HEAP_INT);
		heap_put(h, at + 16, wild[i]);
		seen = sweep(h, NULL);
		assert_int_equal(seen.of[HEAP_SET], 7);
		assert_int_equal(seen.of[HEAP_LIST], FULL);
		assert_int_equal(seen.of[HEAP_STR] + seen.of[HEAP_TUPLE], 0);
		assert_true(seen.bytes < 1 << 20);
		assert_true(seen.table_bytes < 1ull << 60);
		heap_free(h);
	}
}

/* splitmix64 */
static uint64_t next_random(uint64_t *seed)
{
	uint64_t z = *seed += 0x9e3779b97f4a7c15ull;

	z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9ull;
	z = (z ^ z >> 27) * 0x94d049bb133111ebull;
	return z ^ z >> 31;
}

static uint64_t random_word(uint64_t *seed)
{
	uint64_t r = next_random(seed);

	switch (r % 8) {
	case 0:
		return heap_type((int)(r >> 8) % HEAP_TYPES & 15);
	case 1:
		return POOLS_AT + (r >> 8) % (HEAP_POOLS * HEAP_POOL) / 16 * 16;
	case 2:
		return MALLOC_AT + (r >> 8) % MALLOC_SIZE / 16 * 16;
	case 3:
		return STATIC_AT + (r >> 8) % STATIC_SIZE / 8 * 8;
	case 4:
		return r >> 8;
	case 5:
		return UINT64_MAX - (r >> 56);
	default:
		return r >> 60;
	}
}

/* Any words that may mean something, in any place: it ends, and counts no more than there is. */
static void test_noise(void **state)
{
	uint64_t seed = 97;

	(void)state;
	for (unsigned int round = 0; round < 60; round++) {
		struct heap *h = heap_new();
		struct python_sweep *s = NULL;
		struct seen seen = { 0 };
		const char *why = NULL;

		for (unsigned int i = 0; i < HEAP_POOLS; i++)
			add_lists(h, i);
		for (unsigned int i = 0; i < 1u << (6 + round % 12); i++) {
			uint64_t at = next_random(&seed);
			uint64_t word = random_word(&seed);

			heap_put(h, POOLS_AT + at % (HEAP_POOLS * HEAP_POOL) / 8 * 8, word);
			heap_put(h, MALLOC_AT + at % MALLOC_SIZE / 8 * 8, word);
			if (round % 2 && i % 16 == 0)
				heap_put(h, heap_type(HEAP_TYPES) + at % 4096 / 8 * 8, word);
			if (round % 3 == 0 && i % 64 == 0)
				heap_put(h, STATIC_AT + at % STATIC_SIZE / 8 * 8, word);
		}
		if (heap_sweep(h, 0, &s, &why) == 0) {
			python_sweep_want_large(s);
			assert_int_equal(python_sweep_blocks(s, see, &seen), 0);
			assert_int_equal(python_sweep_large(s, see, &seen), 0);
			assert_true(seen.raw + seen.of[HEAP_LIST] > 0);
			(void)python_sweep_drift(s);
		}
		python_sweep_free(s);
		heap_free(h);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_bad_free_lists),
		cmocka_unit_test(test_imitations),
		cmocka_unit_test(test_types_that_are_none),
		cmocka_unit_test(test_wild_lengths),
		cmocka_unit_test(test_noise),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
