// SPDX-License-Identifier: GPL-2.0-or-later
/* heap/heap.c: sites come, move and go with their target. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <stdlib.h>
#include <time.h>

#include "base/cleanup.h"
#include "heap/heap.h"
#include "totals.h"

#define SECOND 1000000000ull

static struct totals totals(uint64_t allocated_bytes, uint64_t allocated_count,
			    uint64_t freed_bytes, uint64_t freed_count)
{
	return totals_of(allocated_bytes, allocated_count, freed_bytes, freed_count);
}

static void test_totals(void **state)
{
	struct totals t = totals(2300, 23, 1700, 17);
	struct totals early = totals(100, 1, 300, 3);
	struct totals sum = { 0 };

	(void)state;
	assert_true(totals_live_bytes(&t) == 600);
	assert_true(totals_live_count(&t) == 6);
	/* A free that was read before its allocation. */
	assert_true(totals_live_bytes(&early) == 0);
	assert_true(totals_live_count(&early) == 0);
	assert_true(totals_change_bytes(&early) == -200);
	assert_true(totals_change_count(&early) == -2);
	totals_add(&sum, &t);
	totals_add(&sum, &early);
	assert_true(sum.allocated_bytes == 2400 && sum.allocated_count == 24);
	assert_true(sum.freed_bytes == 2000 && sum.freed_count == 20);
	totals_subtract(&sum, &t);
	assert_true(sum.allocated_bytes == 100 && sum.allocated_count == 1);
	assert_true(sum.freed_bytes == 300 && sum.freed_count == 3);
	totals_subtract(&sum, &t);
	assert_true(sum.allocated_bytes == 0 && sum.freed_count == 0);
}

static void test_update(void **state)
{
	_cleanup_(heap_freep) struct heap *h = heap_new();
	struct totals t = totals(2300, 23, 1700, 17);
	struct site *s = NULL;
	struct site *again = NULL;

	(void)state;
	assert_non_null(h);
	assert_null(heap_find(h, 0x51));
	assert_int_equal(heap_update(h, 7, 0x51, &t, SECOND, &s), 1);
	assert_true(s->stack == 0x51 && s->target == 7 && s->first_seen_ns == SECOND);
	assert_null(s->frames);
	t.freed_bytes = 2300;
	assert_int_equal(heap_update(h, 7, 0x51, &t, 2 * SECOND, &again), 0);
	assert_ptr_equal(s, again);
	assert_ptr_equal(heap_find(h, 0x51), s);
	assert_true(s->first_seen_ns == SECOND);
	assert_true(s->totals.freed_bytes == 2300);
	assert_int_equal(s->live.n, 2);
	assert_true(s->live.value[0] == 600 && s->live.value[1] == 0);
	assert_int_equal(heap_update(h, 0, 0x52, &t, SECOND, NULL), -EINVAL);
	assert_int_equal(heap_update(h, 11, 0x51, &t, SECOND, NULL), -EEXIST);
	assert_int_equal(heap_update(h, 7, 0, &t, SECOND, NULL), 1);
	assert_int_equal(heap_count(h, 0), 2);
}

static void test_frames(void **state)
{
	static const uint64_t frames[] = { 3, 5, 7 };
	_cleanup_(heap_freep) struct heap *h = heap_new();
	struct totals t = { 0 };
	struct site *s;

	(void)state;
	assert_int_equal(heap_update(h, 7, 1, &t, SECOND, &s), 1);
	assert_int_equal(heap_set_frames(s, frames, 3, 4), 0);
	assert_int_equal(s->n_frames, 3);
	assert_int_equal(s->stack_status, 4);
	assert_memory_equal(s->frames, frames, sizeof(frames));
	assert_true(s->frames != frames);
	assert_int_equal(heap_set_frames(s, NULL, 0, 1), 0);
	assert_int_equal(s->n_frames, 0);
	assert_non_null(s->frames);
}

static void check_target(const struct heap *h, uint32_t target, size_t n, uint64_t live_bytes)
{
	_cleanup_free_ struct site **list = NULL;
	struct totals sum = heap_sum(h, target);
	struct totals seen = { 0 };
	size_t list_n;

	assert_int_equal(heap_count(h, target), n);
	assert_true(totals_live_bytes(&sum) == live_bytes);
	assert_int_equal(heap_list(h, target, &list, &list_n), 0);
	assert_int_equal(list_n, n);
	assert_non_null(list);
	for (size_t i = 0; i < list_n; i++) {
		assert_true(target == 0 || list[i]->target == target);
		totals_add(&seen, &list[i]->totals);
	}
	assert_memory_equal(&seen, &sum, sizeof(sum));
}

static void test_targets(void **state)
{
	static const uint64_t frame = 1;
	_cleanup_(heap_freep) struct heap *h = heap_new();
	struct site *s;

	(void)state;
	/* 1009 sites over targets 1, 2, 3: target 1 has 337, the others 336. */
	for (uint64_t i = 0; i < 1009; i++) {
		struct totals t = totals(100 + i, 1, 1, 0);

		assert_int_equal(heap_update(h, 1 + i % 3, i * 0x9e3779b97f4a7c15, &t, SECOND, &s),
				 1);
		assert_int_equal(heap_set_frames(s, &frame, 1, 0), 0);
	}
	check_target(h, 1, 337, 337 * 99 + 3 * (337 * 336 / 2));
	check_target(h, 2, 336, 336 * 100 + 3 * (336 * 335 / 2));
	check_target(h, 3, 336, 336 * 101 + 3 * (336 * 335 / 2));
	check_target(h, 0, 1009, 1009 * 99 + 1009 * 1008 / 2);
	check_target(h, 4, 0, 0);
	heap_remove_target(h, 4);
	heap_remove_target(h, 2);
	check_target(h, 2, 0, 0);
	check_target(h, 1, 337, 337 * 99 + 3 * (337 * 336 / 2));
	assert_int_equal(heap_count(h, 0), 673);
	assert_null(heap_find(h, 0x9e3779b97f4a7c15));
	assert_non_null(heap_find(h, 2 * 0x9e3779b97f4a7c15));
	heap_remove_target(h, 1);
	heap_remove_target(h, 3);
	check_target(h, 0, 0, 0);
}

static void test_target_slope(void **state)
{
	_cleanup_(heap_freep) struct heap *h = heap_new();
	struct totals up = totals(0, 0, 0, 0);
	struct totals early = totals(0, 0, 1000, 1);

	(void)state;
	assert_null(heap_target_slope(h, 7));
	assert_int_equal(heap_update(h, 7, 1, &up, 0, NULL), 1);
	assert_null(heap_target_slope(h, 7));
	assert_int_equal(heap_target_tick(h, 0, 0), -EINVAL);
	for (uint64_t i = 0; i < 97; i++) {
		up.allocated_bytes = i * 10;
		assert_true(heap_update(h, 7, 1, &up, i * 10 * SECOND, NULL) >= 0);
		/* A site seen too early takes nothing from the others. */
		assert_true(heap_update(h, 7, 2, &early, i * 10 * SECOND, NULL) >= 0);
		assert_int_equal(heap_target_tick(h, 7, i * 10 * SECOND), 0);
	}
	assert_true(slope_estimate(heap_target_slope(h, 7)).per_hour > 3599.99);
	assert_true(slope_estimate(heap_target_slope(h, 7)).per_hour < 3600.01);
	/* A target without sites has a slope, too. */
	assert_int_equal(heap_target_tick(h, 11, SECOND), 0);
	assert_int_equal(heap_target_slope(h, 11)->n, 1);
	assert_int_equal(heap_count(h, 11), 0);
	heap_remove_target(h, 7);
	assert_null(heap_target_slope(h, 7));
}

static uint64_t now_ns(void)
{
	struct timespec t;

	assert_int_equal(clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t), 0);
	return (uint64_t)t.tv_sec * SECOND + (uint64_t)t.tv_nsec;
}

/* 0.2 ms without sanitizers, 0.6 ms with them; a hundred times that is another algorithm. */
static void test_tick_time(void **state)
{
	_cleanup_(heap_freep) struct heap *h = heap_new();
	uint64_t best = UINT64_MAX;

	(void)state;
	for (uint64_t tick = 0; tick < 97; tick++) {
		uint64_t begin = now_ns();

		for (uint64_t i = 0; i < 10007; i++) {
			struct totals t = totals(tick * i, tick, 0, 0);
			int r = heap_update(h, 1, i * 0x9e3779b97f4a7c15, &t, tick * SECOND, NULL);

			assert_int_equal(r, tick == 0);
		}
		assert_int_equal(heap_target_tick(h, 1, tick * SECOND), 0);
		if (now_ns() - begin < best)
			best = now_ns() - begin;
	}
	print_message("10007 sites: %.3f ms per tick\n", (double)best / 1e6);
	assert_true(best < 60000000);
}

/* From an earlier life: the next tick goes on with the series. */
static void test_restore(void **state)
{
	const struct totals totals = { .allocated_bytes = 700, .allocated_count = 7 };
	_cleanup_(heap_freep) struct heap *h = heap_new();
	struct slope live = { 0 }, bad = { .n = SLOPE_POINTS + 1 };
	struct site *s;

	(void)state;
	slope_add(&live, 1000, 100);
	slope_add(&live, 2000, 300);
	assert_int_equal(heap_restore_site(h, 3, 11, 500, &live), 0);
	assert_int_equal(heap_restore_site(h, 3, 11, 500, &live), -EEXIST);
	assert_int_equal(heap_restore_site(h, 0, 13, 500, &live), -EINVAL);
	assert_int_equal(heap_restore_site(h, 3, 13, 500, &bad), -EINVAL);
	assert_int_equal(heap_restore_target(h, 3, &live), 0);
	assert_int_equal(heap_restore_target(h, 3, &bad), -EINVAL);
	assert_int_equal(heap_restore_target(h, 0, &live), -EINVAL);
	assert_int_equal(heap_target_slope(h, 3)->n, 2);
	/* It is no new one. */
	assert_int_equal(heap_update(h, 3, 11, &totals, 3000, &s), 0);
	assert_int_equal(s->first_seen_ns, 500);
	assert_int_equal(s->live.n, 3);
	assert_int_equal(heap_count(h, 3), 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_restore),	  cmocka_unit_test(test_totals),
		cmocka_unit_test(test_update),	  cmocka_unit_test(test_frames),
		cmocka_unit_test(test_targets),	  cmocka_unit_test(test_target_slope),
		cmocka_unit_test(test_tick_time),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
