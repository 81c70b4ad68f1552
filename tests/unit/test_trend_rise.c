// SPDX-License-Identifier: GPL-2.0-or-later
/* trend/rise.c and trend/host_growth.c: what grows, and what only looks so. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "trend/host_growth.h"

#define MIB  1048576.0
#define GIB  (1024 * MIB)
#define HOUR 60
#define DAY  (24 * HOUR)

/* -1 .. 1, the same in each run. */
static double noise(uint32_t *seed)
{
	*seed = *seed * 1664525u + 1013904223u;
	return (double)(*seed >> 8) / 8388608.0 - 1;
}

static void test_windows(void **state)
{
	struct rise r = { 0 };
	struct rise_finding f;
	unsigned closed = 0;

	(void)state;
	for (uint32_t tick = 1; tick < 45; tick++) {
		unsigned now = rise_add(&r, tick, 1000 + 10 * tick);

		assert_int_equal(now & 1, tick % 5 == 0);
		assert_int_equal(now >> 1 & 1, tick == 30);
		closed += now & 1;
	}
	assert_int_equal(closed, 8);
	/* Minima of ticks 1, 5, 10, ... 35. */
	assert_true(r.at[0].n == 8);
	assert_float_equal(r.at[0].floors[0], 1010, 0);
	assert_float_equal(r.at[0].floors[7], 1350, 0);
	assert_true(rise_find(&r, 0, 340, &f));
	assert_float_equal(f.amount, 340, 0);
	assert_float_equal(f.per_tick, 340.0 / 35, 1e-9);
	assert_int_equal(f.from, 0);
	assert_int_equal(f.to, 40);
	assert_false(rise_find(&r, 0, 341, &f));
	assert_false(rise_find(&r, 1, 0, &f));
	assert_float_equal(rise_amount(&r, 1), 0, 0);
}

/* Floors of one scale, and whether they rise. */
static void test_shapes(void **state)
{
	static const struct {
		const char *what;
		float floors[RISE_FLOORS];
		bool rises;
	} cases[] = {
		{ "steady", { 0, 10, 20, 30, 40, 50, 60, 70 }, true },
		{ "bursts", { 0, 15, 15, 35, 50, 50, 60, 75 }, true },
		{ "one step", { 0, 0, 0, 70, 70, 70, 70, 70 }, false },
		{ "two steps", { 0, 0, 35, 35, 35, 70, 70, 70 }, false },
		{ "slowing", { 0, 25, 42, 52, 59, 64, 67, 70 }, false },
		{ "quicker", { 0, 2, 6, 12, 22, 36, 52, 70 }, true },
		{ "saw-tooth", { 0, 20, 40, 60, 20, 40, 60, 80 }, false },
		{ "a dent", { 0, 10, 20, 15, 30, 45, 55, 70 }, true },
		{ "flat", { 70, 70, 70, 70, 70, 70, 70, 70 }, false },
		{ "falling", { 70, 60, 50, 40, 30, 20, 10, 0 }, false },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct rise r = { .has_value = true };
		struct rise_finding f;

		r.at[2] = (struct rise_scale){ .window = 11, .n = RISE_FLOORS };
		for (int k = 0; k < RISE_FLOORS; k++)
			r.at[2].floors[k] = cases[i].floors[k];
		if (rise_find(&r, 2, 1, &f) != cases[i].rises)
			fail_msg("%s", cases[i].what);
	}
}

/* A gap in time is one step, however long it was. */
static void test_gap(void **state)
{
	struct rise r = { 0 };
	struct rise_finding f;

	(void)state;
	for (uint32_t tick = 0; tick < 20; tick++)
		(void)rise_add(&r, tick, 1000);
	assert_int_equal(rise_add(&r, 4000000000u, 2000), 15);
	for (unsigned scale = 0; scale < RISE_SCALES; scale++)
		assert_false(rise_find(&r, scale, 1, &f));
	for (uint32_t i = 1; i < 100; i++)
		(void)rise_add(&r, 4000000000u + i, 2000);
	assert_float_equal(rise_amount(&r, 0), 0, 0);
}

struct life {
	struct host_growth growth;
	uint32_t seed;
	uint32_t first; /* tick at which it was found to grow; 0: never */
	uint32_t ticks; /* for how long */
	unsigned times; /* it began to */
};

static void live(struct life *l, uint32_t tick, double bytes, double headroom)
{
	bool before = host_growth_is_growing(&l->growth);

	/* Resident memory is never quite the same. */
	bytes += 0.5 * MIB * noise(&l->seed);
	if (host_growth_add(&l->growth, tick, tick, bytes))
		host_growth_judge(&l->growth, headroom);
	if (!host_growth_is_growing(&l->growth))
		return;
	if (!l->first)
		l->first = tick;
	l->ticks++;
	l->times += !before;
}

static void test_leak(void **state)
{
	struct life l = { .seed = 7 };
	double left;

	(void)state;
	for (uint32_t tick = 1; tick <= DAY; tick++)
		live(&l, tick, 300 * MIB + 40 * MIB / HOUR * tick, 2 * GIB);
	/* 40 MiB/h is 23 MiB within the windows of the first scale. */
	assert_in_range(l.first, 150, 180);
	assert_true(l.times == 1 && l.ticks > DAY - 190);
	assert_float_equal((double)l.growth.per_tick * HOUR, 40 * MIB, 4 * MIB);
	assert_in_range(l.growth.since, 0, 150);
	left = 2 * GIB / (double)l.growth.per_tick;
	assert_true(isfinite(left) && left > 0);
}

static void test_slow_leak(void **state)
{
	struct life l = { .seed = 11 };

	(void)state;
	/* 1 MiB an hour beside daily waves of 200 MiB: six days show it. Of the waves, one may. */
	for (uint32_t tick = 1; tick <= 21 * DAY; tick++)
		live(&l, tick,
		     900 * MIB + MIB / HOUR * tick + 100 * MIB * sin(tick * 2 * M_PI / DAY),
		     6 * GIB);
	assert_true(host_growth_is_growing(&l.growth) && l.times <= 2);
	assert_in_range(l.ticks, 5 * DAY, 10 * DAY);
	assert_float_equal((double)l.growth.per_tick * HOUR, MIB, 0.2 * MIB);
}

static void test_not_leaks(void **state)
{
	struct life flat = { .seed = 1 }, warm = { .seed = 2 }, gc = { .seed = 3 },
		    waves = { .seed = 4 }, small = { .seed = 5 }, large = { .seed = 6 };

	(void)state;
	for (uint32_t tick = 1; tick <= 14 * DAY; tick++) {
		live(&flat, tick, 800 * MIB, GIB);
		live(&warm, tick, 800 * MIB - 600 * MIB * exp(-(double)tick / 90), GIB);
		live(&gc, tick, 200 * MIB + 3 * MIB * (tick % 37), GIB);
		live(&waves, tick, 500 * MIB + 20 * MIB * sin(tick * 2 * M_PI / 25), GIB);
		/* 1 % of the headroom is more than what grows. */
		live(&small, tick, 200 * MIB + 0.4 * MIB / HOUR * tick, 64 * GIB);
		live(&large, tick, 200 * MIB + 2 * MIB * (tick / DAY), GIB);
	}
	assert_int_equal(flat.first, 0);
	assert_int_equal(warm.first, 0);
	assert_int_equal(gc.first, 0);
	assert_int_equal(waves.first, 0);
	assert_int_equal(small.first, 0);
	assert_int_equal(large.first, 0);
}

/* Teeth of 5 hours are not growth; those of 20 look so, once at each scale. */
static void test_long_teeth(void **state)
{
	struct life hours = { .seed = 9 }, day = { .seed = 10 };

	(void)state;
	for (uint32_t tick = 1; tick <= 20 * DAY; tick++) {
		live(&hours, tick, 300 * MIB + MIB * (tick % (5 * HOUR)), 4 * GIB);
		live(&day, tick, 300 * MIB + MIB * (tick % (20 * HOUR)), 4 * GIB);
	}
	assert_int_equal(hours.first, 0);
	assert_true(day.first > 0);
	assert_in_range(day.times, 1, 2);
	assert_true(day.ticks < 2 * 20 * HOUR);
	assert_true(day.growth.distrusted & 1);
}

/* A cache that fills at a steady rate grows until it is full. */
static void test_plateau(void **state)
{
	struct life l = { .seed = 13 };

	(void)state;
	for (uint32_t tick = 1; tick <= 3 * DAY; tick++)
		live(&l, tick, 300 * MIB + MIB * fmin(tick, 300), 2 * GIB);
	assert_true(l.first > 0);
	assert_in_range(l.ticks, 1, 6 * HOUR);
	assert_false(host_growth_is_growing(&l.growth));
}

static void test_small_state(void **state)
{
	(void)state;
	assert_in_range(sizeof(struct host_growth), 1, 256);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_windows),	    cmocka_unit_test(test_shapes),
		cmocka_unit_test(test_gap),	    cmocka_unit_test(test_leak),
		cmocka_unit_test(test_slow_leak),   cmocka_unit_test(test_not_leaks),
		cmocka_unit_test(test_long_teeth),  cmocka_unit_test(test_plateau),
		cmocka_unit_test(test_small_state),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
