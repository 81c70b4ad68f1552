// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Which calls are sampled when one call is about two blocks (realloc) or when allocator functions
 * call one another: each block has one chance, whatever the links.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <malloc.h>
#include <math.h>

#include "controlled.h"

/* --- realloc while sampling ------------------------------------------------------------------------- */

/* Which of the four ways a block went, when it was taken as a small and as a larger one. */
struct ways {
	uint32_t both, only_before, only_after, neither;
};

static struct ways compare(const struct taken *before, const struct taken *after)
{
	struct ways n = { 0 };

	for (uint32_t i = 0; i < BLOCKS; i++) {
		bool was = before->live[i].size != 0, is = after->live[i].size != 0;

		n.both += was && is;
		n.only_before += was && !is;
		n.only_after += !was && is;
		n.neither += !was && !is;
		if (is)
			assert_int_equal(after->live[i].size, LARGER);
	}
	return n;
}

static void realloc_chooses_again(void **state)
{
	const uint32_t small_extra = sampling_extra(SMALL, INTERVAL);
	const uint32_t larger_extra = sampling_extra(LARGER, INTERVAL);
	_cleanup_free_ struct taken *before = NULL, *after = NULL;
	struct watched w;
	struct ways n;

	watch_with(&w, state, &sampled);
	child_ask(&w.child, allocate_small, RANGE(0, BLOCKS));
	before = look(&w);
	assert_sums(before->totals.allocated, SMALL, small_extra, before->n_live);
	child_ask(&w.child, enlarge, RANGE(0, BLOCKS));
	after = look(&w);
	n = compare(before, after);
	assert_int_equal(n.both + n.only_before, before->n_live);
	assert_int_equal(n.both + n.only_after, after->n_live);
	/* With 7.2 % and 13.9 %, independently: 40, 249, 517, 3195. */
	assert_true(n.both > 20 && n.both < 70);
	assert_true(n.only_before > 180 && n.only_before < 320);
	assert_true(n.only_after > 400 && n.only_after < 640);
	assert_sums(after->totals.freed, SMALL, small_extra, before->n_live);
	assert_int_equal(after->totals.allocated.count, before->n_live + after->n_live);
	assert_int_equal(after->totals.allocated.extra_bytes,
			 before->n_live * (uint64_t)small_extra +
				 after->n_live * (uint64_t)larger_extra);
	assert_int_equal(counters_of(&w).frees_of_unknown_blocks, 0);
	assert_nothing_lost(&w);
	end_watch(&w, state);
}

static void failed_realloc_puts_back(void **state)
{
	_cleanup_free_ struct taken *before = NULL, *after = NULL;
	struct watched w;
	struct sum sum;

	watch_with(&w, state, &sampled);
	child_ask(&w.child, allocate_small, RANGE(0, BLOCKS));
	before = look(&w);
	assert_true(before->n_live > 200);
	child_ask(&w.child, enlarge_too_much, RANGE(0, BLOCKS));
	after = look(&w);
	assert_memory_equal(before->live, after->live, sizeof(before->live));
	assert_int_equal(before->n_live, after->n_live);
	assert_memory_equal(&before->totals, &after->totals, sizeof(before->totals));
	assert_int_equal(counters_of(&w).failed_allocations, BLOCKS);
	child_ask(&w.child, shrink_to_nothing, RANGE(0, BLOCKS));
	sum = sum_of(&w, w.id);
	assert_int_equal(sum.totals.allocated.count, before->n_live);
	assert_same_sums(&sum.totals.allocated, &sum.totals.freed);
	assert_nothing_lost(&w);
	end_watch(&w, state);
}

/* --- functions that call one another ---------------------------------------------------------------- */

#define CALLS 12000u

/* Keeps the compiler from removing allocations. */
static void *volatile sink;

static void call_malloc(uint64_t size)
{
	for (uint32_t i = 0; i < CALLS; i++) {
		sink = malloc(size);
		free(sink);
	}
}

static void call_calloc(uint64_t size)
{
	for (uint32_t i = 0; i < CALLS; i++) {
		sink = calloc(1, size);
		free(sink);
	}
}

static void call_realloc(uint64_t size)
{
	for (uint32_t i = 0; i < CALLS; i++) {
		sink = NULL;
		sink = realloc(sink, size);
		free(sink);
	}
}

static void call_reallocarray(uint64_t size)
{
	for (uint32_t i = 0; i < CALLS; i++) {
		sink = NULL;
		sink = reallocarray(sink, 5, size / 5);
		free(sink);
	}
}

/* A quarter of the bytes first, and then the rest of them in its place. */
static void call_reallocarray_again(uint64_t size)
{
	for (uint32_t i = 0; i < CALLS; i++) {
		sink = malloc(size / 4);
		sink = reallocarray(sink, 3, size / 4);
		free(sink);
	}
}

static void call_posix_memalign(uint64_t size)
{
	void *block = NULL;

	for (uint32_t i = 0; i < CALLS; i++) {
		if (posix_memalign(&block, 64, size) != 0)
			abort();
		free(block);
	}
}

static void call_aligned(uint64_t size)
{
	for (uint32_t i = 0; i < CALLS; i++) {
		sink = i % 2 ? aligned_alloc(64, size) : memalign(64, size);
		free(sink);
	}
}

static void call_valloc(uint64_t size)
{
	for (uint32_t i = 0; i < CALLS; i++) {
		sink = i % 2 ? valloc(size) : pvalloc(size);
		free(sink);
	}
}

/* Bytes asked for, within what is said of the estimate; a call that counts twice is far off. */
static void each_call_counts_once(void **state)
{
	static const child_step_fn calls[] = {
		call_malloc,
		call_calloc,
		call_realloc,
		call_reallocarray,
		call_reallocarray_again,
		call_posix_memalign,
		call_aligned,
		call_valloc,
	};
	struct watched w;
	struct sum sum;

	watch_with(&w, state, &sampled);
	for (size_t i = 0; i < ARRAY_SIZE(calls); i++) {
		struct site_sums before = sum_of(&w, w.id).totals.allocated;
		double bytes, error;

		child_ask(&w.child, calls[i], 640);
		sum = sum_of(&w, w.id);
		bytes = sum.totals.allocated.bytes - before.bytes +
			sum.totals.allocated.extra_bytes - before.extra_bytes;
		error = sqrt(ldexp(sum.totals.allocated.variance - before.variance,
				   SAMPLING_VARIANCE_SHIFT));
		if (fabs(bytes - 640.0 * CALLS) > 3.5 * error)
			fail_msg("function %zu: %f bytes of %f, error %f", i, bytes, 640.0 * CALLS,
				 error);
		assert_true(error < 0.03 * bytes);
		assert_same_sums(&sum.totals.allocated, &sum.totals.freed);
	}
	assert_nothing_lost(&w);
	end_watch(&w, state);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(realloc_chooses_again),
		cmocka_unit_test(failed_realloc_puts_back),
		cmocka_unit_test(each_call_counts_once),
	};

	return run_with_each_kind(tests);
}
