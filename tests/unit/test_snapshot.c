// SPDX-License-Identifier: GPL-2.0-or-later
/* heap/snapshot.c: a kept tick outlives its targets, and differences are exact. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <string.h>

#include "base/cleanup.h"
#include "heap/snapshot.h"
#include "totals.h"

static const struct timespec wall = { 1700000009, 23 };

static void test_names(void **state)
{
	static const struct {
		const char *name;
		int r;
	} cases[] = {
		{ "a", 0 },
		{ "before-deploy_2.1", 0 },
		{ "_x", 0 },
		{ "2024-05-06T07.08", 0 },
		{ "1234567890123456789012345678901234567890123456789012345678901234", 0 },
		{ "12345678901234567890123456789012345678901234567890123456789012345", -EINVAL },
		{ "", -EINVAL },
		{ ".", -EINVAL },
		{ "..", -EINVAL },
		{ ".x", -EINVAL },
		{ "-x", -EINVAL },
		{ "a/b", -EINVAL },
		{ "a b", -EINVAL },
		{ "a\n", -EINVAL },
		{ "gr\xc3\xbcn", -EINVAL },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++)
		assert_int_equal(snapshot_check_name(cases[i].name), cases[i].r);
}

static void put(struct heap *h, uint32_t target, uint64_t stack, struct totals t, uint64_t frame)
{
	struct site *s;

	assert_true(heap_update(h, target, stack, &t, 1, &s) >= 0);
	if (frame)
		assert_int_equal(heap_set_frames(s, &frame, 1, 3), 0);
}

static struct snapshot *take(const struct heap *h, uint32_t target)
{
	struct snapshot *s = NULL;

	assert_int_equal(snapshot_take(h, target, "x", wall, 97, &s), 0);
	return s;
}

static void test_take(void **state)
{
	_cleanup_(heap_freep) struct heap *h = heap_new();
	_cleanup_(snapshot_freep) struct snapshot *all = NULL;
	_cleanup_(snapshot_freep) struct snapshot *one = NULL;
	_cleanup_(snapshot_freep) struct snapshot *none = NULL;
	struct snapshot *bad = NULL;

	(void)state;
	for (uint64_t i = 0; i < 499; i++)
		put(h, 1 + i % 2, 1000003 - i * 7, totals_of(i, 1, 0, 0), i % 3 ? i : 0);
	all = take(h, 0);
	one = take(h, 2);
	none = take(h, 3);
	assert_int_equal(snapshot_take(h, 0, "a/b", wall, 97, &bad), -EINVAL);
	assert_null(bad);
	h = heap_free(h);

	assert_string_equal(all->head.name, "x");
	assert_true(all->time_ns == 97 && all->head.wall.tv_sec == wall.tv_sec && all->target == 0);
	assert_int_equal(all->n, 499);
	for (uint64_t i = 0; i < 499; i++) {
		const struct snapshot_site *s = &all->sites[498 - i];

		assert_true(s->stack == 1000003 - i * 7);
		assert_true(s->totals.allocated_bytes == i);
		assert_int_equal(s->target, 1 + i % 2);
		if (i % 3) {
			assert_int_equal(s->n_frames, 1);
			assert_true(s->frames[0] == i);
			assert_int_equal(s->stack_status, 3);
		} else {
			assert_null(s->frames);
		}
	}
	assert_int_equal(one->n, 249);
	assert_int_equal(one->target, 2);
	assert_int_equal(none->n, 0);
}

static void check_change(const struct snapshot_change *c, uint64_t stack, struct totals between)
{
	assert_true(c->stack == stack);
	assert_memory_equal(&c->between, &between, sizeof(between));
}

static void test_diff(void **state)
{
	_cleanup_(heap_freep) struct heap *h = heap_new();
	_cleanup_(snapshot_freep) struct snapshot *from = NULL;
	_cleanup_(snapshot_freep) struct snapshot *to = NULL;
	_cleanup_free_ struct snapshot_change *c = NULL;
	size_t n;

	(void)state;
	put(h, 1, 50, totals_of(1000, 10, 300, 3), 5); /* grows */
	put(h, 1, 40, totals_of(1000, 10, 300, 3), 4); /* shrinks */
	put(h, 1, 30, totals_of(1000, 10, 300, 3), 3); /* stays */
	put(h, 1, 20, totals_of(1000, 10, 300, 3), 2); /* as much freed as allocated */
	put(h, 2, 10, totals_of(700, 7, 200, 2), 1);   /* its target goes */
	put(h, 2, 12, totals_of(700, 7, 700, 7), 1);   /* the same, with nothing live */
	from = take(h, 0);
	heap_remove_target(h, 2);
	put(h, 1, 50, totals_of(2300, 23, 500, 5), 0);
	put(h, 1, 40, totals_of(1000, 10, 900, 9), 0);
	put(h, 1, 20, totals_of(1100, 11, 400, 4), 0);
	put(h, 3, 60, totals_of(110, 11, 10, 1), 6); /* new */
	put(h, 3, 70, totals_of(0, 0, 0, 0), 6);     /* new, nothing yet */
	to = take(h, 0);

	assert_int_equal(snapshot_diff(from, to, &c, &n), 0);
	assert_int_equal(n, 5);
	check_change(&c[0], 10, totals_of(0, 0, 500, 5));
	check_change(&c[1], 20, totals_of(100, 1, 100, 1));
	check_change(&c[2], 40, totals_of(0, 0, 600, 6));
	check_change(&c[3], 50, totals_of(1300, 13, 200, 2));
	check_change(&c[4], 60, totals_of(110, 11, 10, 1));
	assert_true(totals_change_bytes(&c[0].between) == -500);
	assert_int_equal(c[0].target, 2);
	assert_ptr_equal(c[0].frames, from->sites[0].frames);
	assert_int_equal(c[3].stack_status, 3);
	assert_int_equal(c[4].n_frames, 1);
	assert_true(c[4].frames[0] == 6);
	free(TAKE_PTR(c));

	assert_int_equal(snapshot_diff(to, to, &c, &n), 0);
	assert_int_equal(n, 0);
}

/* Frames may become known only after the first snapshot, or be known in the first one only. */
static void test_diff_frames(void **state)
{
	_cleanup_(heap_freep) struct heap *h = heap_new();
	_cleanup_(heap_freep) struct heap *h2 = heap_new();
	_cleanup_(snapshot_freep) struct snapshot *known = NULL;
	_cleanup_(snapshot_freep) struct snapshot *unknown = NULL;
	_cleanup_free_ struct snapshot_change *c = NULL;
	_cleanup_free_ struct snapshot_change *c2 = NULL;
	size_t n;

	(void)state;
	put(h, 1, 5, totals_of(1, 1, 0, 0), 11);
	put(h2, 1, 5, totals_of(2, 2, 1, 1), 0);
	known = take(h, 0);
	unknown = take(h2, 0);
	assert_int_equal(snapshot_diff(known, unknown, &c, &n), 0);
	assert_int_equal(n, 1);
	assert_ptr_equal(c[0].frames, known->sites[0].frames);
	assert_int_equal(c[0].n_frames, 1);
	assert_int_equal(snapshot_diff(unknown, known, &c2, &n), 0);
	/* Backwards nothing happened that totals could show. */
	assert_int_equal(n, 0);
}

/* A snapshot of one target says nothing of the others, so they neither appear nor vanish. */
static void test_diff_of_targets(void **state)
{
	_cleanup_(heap_freep) struct heap *h = heap_new();
	_cleanup_(snapshot_freep) struct snapshot *all = NULL;
	_cleanup_(snapshot_freep) struct snapshot *one = NULL;
	_cleanup_(snapshot_freep) struct snapshot *two = NULL;
	struct snapshot_change *c = NULL;
	size_t n;

	(void)state;
	put(h, 1, 5, totals_of(1, 1, 0, 0), 0);
	put(h, 2, 3, totals_of(1, 1, 0, 0), 0);
	put(h, 2, 7, totals_of(1, 1, 0, 0), 0);
	all = take(h, 0);
	two = take(h, 2);
	put(h, 1, 5, totals_of(4, 2, 0, 0), 0);
	one = take(h, 1);
	assert_int_equal(snapshot_diff(all, one, &c, &n), 0);
	assert_int_equal(n, 1);
	check_change(&c[0], 5, totals_of(3, 1, 0, 0));
	free(TAKE_PTR(c));
	assert_int_equal(snapshot_diff(two, all, &c, &n), 0);
	assert_int_equal(n, 0);
	free(TAKE_PTR(c));
	assert_int_equal(snapshot_diff(one, two, &c, &n), -EINVAL);
	assert_null(c);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_names),
		cmocka_unit_test(test_take),
		cmocka_unit_test(test_diff),
		cmocka_unit_test(test_diff_frames),
		cmocka_unit_test(test_diff_of_targets),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
