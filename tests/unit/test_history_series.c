// SPDX-License-Identifier: GPL-2.0-or-later
/* history/: points, what becomes of them with time, and clocks that jump. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "history_fixture.h"

#define TICK (10 * SECOND_MS)

/* A point of each tick in [from, to), and a flush behind each. */
static void record(struct fixture *f, int64_t pid, uint64_t from, uint64_t to, double bytes)
{
	for (uint64_t t = from; t < to; t += TICK) {
		assert_int_equal(fixture_add(f, "a.service", 0, pid, t, bytes), 0);
		assert_int_equal(history_flush(f->h, t), 0);
	}
}

/* Flushes without points, a tick apart, so that work that is due gets done. */
static uint64_t settle(struct fixture *f, uint64_t now, size_t n)
{
	for (size_t i = 0; i < n; i++, now += SECOND_MS)
		assert_int_equal(history_flush(f->h, now), 0);
	return now;
}

static size_t count(struct fixture *f, uint64_t from, uint64_t to)
{
	struct history_point *points = NULL;
	size_t n = fixture_read(f, "a.service", 0, 0, from, to, 1000000, &points);

	free(points);
	return n;
}

static void test_round_trip(void **state)
{
	struct fixture *f = *state;
	const struct history_key key = { "/usr/bin/some thing", 0xfedcba9876543210, 4194304 };
	struct history_point *points = NULL;
	size_t n;

	fixture_open(f);
	for (int pass = 0; pass < 2; pass++) {
		for (uint64_t i = 0; i < 7; i++) {
			const struct history_point p = { T0 + (pass * 7 + i) * TICK + 3,
							 100003.0 * (double)i, (double)i / 4,
							 i == 3 ? 0 : 1 << 20, 1 << 30 };

			assert_int_equal(history_add_point(f->h, &key, &p), 0);
		}
		/* The second half goes into a chunk that is stored already. */
		fixture_open(f);
	}
	n = fixture_read(f, key.service, key.site, key.pid, 0, UINT64_MAX, 100, &points);
	assert_int_equal(n, 14);
	for (uint64_t i = 0; i < n; i++) {
		assert_int_equal(points[i].time_ms, T0 + i * TICK);
		assert_true(points[i].live_bytes == 100003.0 * (double)(i % 7));
		assert_true(points[i].live_count == (double)(i % 7) / 4);
		assert_true(points[i].rss_bytes == (i % 7 == 3 ? 0 : 1 << 20));
		assert_true(points[i].limit_bytes == 1 << 30);
	}
	free(points);
	points = NULL;
	assert_int_equal(
		fixture_read(f, key.service, key.site, 0, T0 + TICK, T0 + 3 * TICK, 100, &points),
		2);
	assert_int_equal(points[0].time_ms, T0 + TICK);
	free(points);
}

static void test_refused_points(void **state)
{
	static const struct history_point bad[] = {
		{ T0, -1, 0, 0, 0 },	    { T0, NAN, 0, 0, 0 },      { T0, 0, INFINITY, 0, 0 },
		{ T0, 0, 0, -1, 0 },	    { T0, 0, 0, 0, NAN },      { T0, 1e39, 0, 0, 0 },
		{ UINT64_MAX, 0, 0, 0, 0 }, { INT64_MAX, 0, 0, 0, 0 },
	};
	struct fixture *f = *state;
	const struct history_key key = { "a.service", 0, 1 };
	const struct history_key none = { "", 0, 1 };
	const struct history_key negative = { "a.service", 0, -1 };
	const struct history_point good = { T0, 1, 1, 0, 0 };
	struct history_point *points;
	size_t n;

	fixture_open(f);
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
		assert_int_equal(history_add_point(f->h, &key, &bad[i]), -EINVAL);
	assert_int_equal(history_add_point(f->h, &none, &good), -EINVAL);
	assert_int_equal(history_add_point(f->h, &negative, &good), -EINVAL);
	assert_int_equal(history_read(f->h, &key, 0, UINT64_MAX, 10, &points, &n), -ENOENT);
	assert_int_equal(history_read(f->h, &key, 0, UINT64_MAX, 0, &points, &n), -EINVAL);
	/* The last time that is taken. */
	assert_int_equal(fixture_add(f, "a.service", 0, 1, INT64_MAX / 1024, 5), 0);
	assert_int_equal(history_read(f->h, &key, 0, UINT64_MAX, 10, &points, &n), 0);
	assert_int_equal(n, 1);
	free(points);
}

/* Known, but not then: an empty answer. */
static void test_nothing_then(void **state)
{
	struct fixture *f = *state;

	fixture_open(f);
	record(f, 23, T0, T0 + MINUTE, 100);
	assert_int_equal(count(f, T0 + HOUR, T0 + DAY), 0);
	assert_int_equal(count(f, T0 - DAY, T0), 0);
	assert_int_equal(count(f, T0 + MINUTE, T0), 0);
}

static void test_averages(void **state)
{
	struct fixture *f = *state;
	struct history_point *points = NULL;
	size_t n;

	fixture_open(f);
	for (uint64_t i = 0; i < 1000; i++)
		fixture_add(f, "a.service", 0, 1, T0 + i * TICK, (double)i);
	for (size_t max = 1; max < 1200; max = max * 3 / 2 + 1) {
		double sum = 0;

		n = fixture_read(f, "a.service", 0, 0, 0, UINT64_MAX, max, &points);
		assert_true(n >= 1 && n <= max);
		assert_true(max == 1 || max > 1000 || n > max / 2);
		assert_int_equal(points[0].time_ms, T0);
		/* Each stands for the ticks up to the next one. */
		for (size_t i = 0; i < n; i++) {
			uint64_t end = i + 1 < n ? points[i + 1].time_ms : T0 + 1000 * TICK;

			sum += points[i].live_bytes * (double)((end - points[i].time_ms) / TICK);
		}
		assert_near(sum, 999 * 1000 / 2, 0.5);
		free(points);
	}
}

/* Two points in one tick are its mean; they may come late, in any order. */
static void test_same_tick(void **state)
{
	struct fixture *f = *state;
	struct history_point *points = NULL;

	fixture_open(f);
	fixture_add(f, "a.service", 0, 1, T0 + 2 * TICK, 4);
	fixture_add(f, "a.service", 0, 1, T0 + 1, 1);
	fixture_add(f, "a.service", 0, 1, T0 + 9999, 2);
	fixture_add(f, "a.service", 0, 1, T0 + 5, 6);
	assert_int_equal(history_flush(f->h, T0), 0);
	fixture_add(f, "a.service", 0, 1, T0 + TICK, 8);
	assert_int_equal(fixture_read(f, "a.service", 0, 1, 0, UINT64_MAX, 9, &points), 3);
	assert_near(points[0].live_bytes, 3, 1e-6);
	assert_near(points[1].live_bytes, 8, 0);
	assert_near(points[2].live_bytes, 4, 0);
	free(points);
}

static void test_levels(void **state)
{
	struct fixture *f = *state;
	struct history_point *points = NULL;
	uint64_t end = T0 + 9 * DAY;
	size_t n;

	fixture_open(f);
	for (uint64_t t = T0; t < end; t += TICK) {
		/* By the hour, and a saw-tooth within. */
		fixture_add(f, "a.service", 0, 23, t, (double)(t - T0) / HOUR * 1000);
		if ((t - T0) % (2 * MINUTE) == 0)
			assert_int_equal(history_flush(f->h, t), 0);
	}
	settle(f, end, 20);
	n = fixture_read(f, "a.service", 0, 23, 0, UINT64_MAX, 100000, &points);
	/* 1 to 2 days by the hour as whole days go, 7 to 8 by 5 minutes, 24 to 25 hours by ticks. */
	for (size_t i = 0; i + 1 < n; i++) {
		uint64_t width = points[i + 1].time_ms - points[i].time_ms;
		uint64_t age = end - points[i].time_ms;
		double middle = (double)(points[i].time_ms - T0 + width / 2) / HOUR * 1000;

		if (age > 8 * DAY)
			assert_int_equal(width, HOUR);
		else if (age < 7 * DAY && age > DAY + HOUR)
			assert_int_equal(width, 5 * MINUTE);
		else if (age < DAY)
			assert_int_equal(width, TICK);
		assert_near(points[i].live_bytes, middle, width == TICK ? 2 : 0.003 * 217000);
	}
	assert_int_equal(points[0].time_ms, T0);
	assert_int_equal(points[n - 1].time_ms, end - TICK);
	free(points);
	fixture_close(f);
	assert_int_equal(fixture_query(f, "SELECT count(*) FROM chunks WHERE level = 2"), 2);
	assert_int_equal(fixture_query(f, "SELECT count(*) FROM series"), 1);
	assert_int_equal(fixture_query(f, "SELECT chunks = (SELECT count(*) FROM chunks)"
					  " FROM series"),
			 1);
}

/* After a quarter what is old goes, and series, services and hours that have nothing left with it. */
static void test_quarter(void **state)
{
	struct fixture *f = *state;
	uint64_t now = T0;

	fixture_open(f);
	fixture_add(f, "old.service", 0, 1, now, 5);
	fixture_add(f, "kept.service", 0, 1, now, 5);
	for (int i = 0; i < 91 * 24; i++, now += HOUR) {
		for (uint64_t t = 0; t < HOUR; t += 10 * MINUTE) {
			fixture_add(f, "a.service", 0, 1, now + t, 5);
			assert_int_equal(history_flush(f->h, now + t), 0);
		}
		if (i == 5)
			fixture_add(f, "kept.service", 7, 1, now, 5);
	}
	fixture_close(f);
	assert_int_equal(fixture_query(f, "SELECT count(*) FROM services"), 3);
	fixture_open(f);
	for (int i = 0; i < 2 * 24 * 6; i++, now += 10 * MINUTE) {
		fixture_add(f, "kept.service", 0, 2, now, 5);
		assert_int_equal(history_flush(f->h, now), 0);
	}
	assert_int_equal(count(f, 0, T0 + DAY), 0);
	assert_true(count(f, 0, UINT64_MAX) > 89 * 24);
	fixture_close(f);
	assert_int_equal(fixture_query(f, "SELECT count(*) FROM services"), 2);
	assert_int_equal(fixture_query(f, "SELECT count(*) FROM series"), 2);
	assert_true(fixture_query(f, "SELECT count(*) FROM hours") < 92 + 8 * 24);
	assert_int_equal(fixture_query(f, "SELECT min(start) FROM hours") / 1000000,
			 (int64_t)(T0 + 2 * DAY) / 1000000);
}

/* A clock that jumps 10 years ahead and back costs no point and makes nothing old. */
static void test_clock_ahead_and_back(void **state)
{
	struct fixture *f = *state;
	uint64_t future = T0 + 3653 * DAY;
	uint64_t now = T0 + 2 * HOUR;

	fixture_open(f);
	record(f, 23, T0, now, 100);
	record(f, 23, future, future + 10 * MINUTE, 200);
	settle(f, future + 10 * MINUTE, 50);
	record(f, 23, now, now + 2 * HOUR, 100);
	settle(f, now + 2 * HOUR, 50);
	for (int pass = 0; pass < 2; pass++) {
		assert_int_equal(count(f, T0, T0 + DAY), 4 * 360);
		assert_int_equal(count(f, future, UINT64_MAX), 60);
		assert_int_equal(count(f, 0, UINT64_MAX), 4 * 360 + 60);
		fixture_open(f);
	}
}

/* The same with a clock that is wrong for long, first behind (before the first setting of a clock). */
static void test_clock_behind(void **state)
{
	struct fixture *f = *state;
	struct history_point *points = NULL;

	fixture_open(f);
	record(f, 23, 0, HOUR, 300);
	record(f, 23, T0, T0 + HOUR, 100);
	/* An hour is seen twice: it has the mean, once. */
	record(f, 23, T0, T0 + HOUR, 200);
	settle(f, T0 + HOUR, 50);
	assert_int_equal(count(f, 0, DAY), 360);
	assert_int_equal(fixture_read(f, "a.service", 0, 0, T0, UINT64_MAX, 1000, &points), 360);
	for (size_t i = 0; i < 360; i++)
		assert_near(points[i].live_bytes, 150, 0.01);
	free(points);
}

/* Two clocks that fight. */
static void test_clock_back_and_forth(void **state)
{
	struct fixture *f = *state;
	uint64_t other = T0 + 400 * DAY;

	fixture_open(f);
	for (uint64_t i = 0; i < 720; i++) {
		uint64_t now = (i / 3 % 2 ? other : T0) + i * TICK;

		fixture_add(f, "a.service", 0, 23, now, 100);
		assert_int_equal(history_flush(f->h, now), 0);
	}
	settle(f, T0 + 720 * TICK, 50);
	assert_int_equal(count(f, 0, other), 360);
	assert_int_equal(count(f, other, UINT64_MAX), 360);
}

/* Hours that were made coarse already get late points. */
static void test_late(void **state)
{
	struct fixture *f = *state;
	struct history_point *points = NULL;
	uint64_t now = T0;
	size_t n;

	fixture_open(f);
	for (; now < T0 + 3 * DAY; now += MINUTE) {
		fixture_add(f, "a.service", 0, 23, now, 100);
		assert_int_equal(history_flush(f->h, now), 0);
	}
	/* 5 minutes of the first hour again, with a second process. */
	record(f, 23, T0, T0 + 5 * MINUTE, 300);
	record(f, 24, T0, T0 + 5 * MINUTE, 50);
	for (int i = 0; i < 2; i++) {
		n = fixture_read(f, "a.service", 0, 0, T0, T0 + HOUR, 1000, &points);
		assert_int_equal(n, 12);
		/* 5 of the old ticks, 30 of the new. */
		assert_true(points[0].live_bytes > 150 && points[0].live_bytes <= 350);
		assert_near(points[1].live_bytes, 100, 0);
		free(points);
		for (; now < T0 + (uint64_t)(6 + i) * DAY; now += MINUTE) {
			fixture_add(f, "b.service", 0, 23, now, 100);
			assert_int_equal(history_flush(f->h, now), 0);
		}
	}
}

static double mean_of_hour(struct fixture *f, uint64_t from)
{
	struct history_point *points = NULL;
	double mean;

	assert_int_equal(fixture_read(f, "a.service", 0, 0, from, from + HOUR, 1, &points), 1);
	assert_int_equal(points[0].time_ms, from);
	mean = points[0].live_bytes;
	free(points);
	return mean;
}

/* At all levels: processes at the same time add up, those that follow each other do not. */
static void test_sums(void **state)
{
	struct fixture *f = *state;
	uint64_t now = T0;

	fixture_open(f);
	for (; now < T0 + 10 * DAY; now += MINUTE) {
		uint64_t minute = (now - T0) / MINUTE % 60;

		/* A worker for the first half of each hour and another for the second. */
		fixture_add(f, "a.service", 0, minute < 30 ? 1 : 2, now, 100);
		/* One all the time, one in the second quarter. */
		fixture_add(f, "a.service", 0, 3, now, 1000);
		if (minute >= 15 && minute < 30)
			fixture_add(f, "a.service", 0, 4, now, 10000);
		/* Of other keys. */
		fixture_add(f, "a.service", 1, 1, now, 7);
		fixture_add(f, "b.service", 0, 1, now, 7);
		assert_int_equal(history_flush(f->h, now), 0);
	}
	f->options.tick_ns = 60 * 1000000000ull;
	fixture_open(f);
	assert_near(mean_of_hour(f, now - HOUR), 3600, 1);
	assert_near(mean_of_hour(f, T0 + 8 * DAY), 3600, 1);
	assert_near(mean_of_hour(f, T0 + 5 * HOUR), 3600, 1);
	fixture_close(f);
	assert_int_equal(fixture_query(f, "SELECT count(*) > 0 FROM chunks WHERE level = 0"), 1);
	assert_int_equal(fixture_query(f, "SELECT count(*) > 0 FROM chunks WHERE level = 1"), 1);
	assert_int_equal(fixture_query(f, "SELECT count(*) > 0 FROM chunks WHERE level = 2"), 1);
}

/* RSS adds up, too; the limit is one; what is unknown does not count. */
static void test_rss_and_limit(void **state)
{
	struct fixture *f = *state;
	struct history_point *points = NULL;

	fixture_open(f);
	for (uint64_t i = 0; i < 6; i++) {
		for (int64_t pid = 1; pid <= 3; pid++) {
			const struct history_key key = { "a.service", 0, pid };
			const struct history_point p = { T0 + i * TICK, 1, 1, i % 2 ? 0 : 500,
							 i == 3 ? 0 : 4000 };

			assert_int_equal(history_add_point(f->h, &key, &p), 0);
		}
	}
	assert_int_equal(fixture_read(f, "a.service", 0, 0, 0, UINT64_MAX, 1, &points), 1);
	assert_near(points[0].rss_bytes, 1500, 0);
	assert_near(points[0].limit_bytes, 4000, 0);
	assert_near(points[0].live_bytes, 3, 0);
	free(points);
}

/* Another tick in a later life. */
static void test_other_tick(void **state)
{
	struct fixture *f = *state;

	fixture_open(f);
	record(f, 23, T0, T0 + MINUTE, 100);
	f->options.tick_ns = 1000000000;
	fixture_open(f);
	for (uint64_t t = T0 + MINUTE; t < T0 + 2 * MINUTE; t += 100)
		fixture_add(f, "a.service", 0, 23, t, 100);
	assert_int_equal(count(f, T0, T0 + HOUR), 6 + 60);
	/* A second is the finest. */
	f->options.tick_ns = 10000000;
	fixture_open(f);
	for (uint64_t t = T0 + 2 * MINUTE; t < T0 + 3 * MINUTE; t += 500)
		fixture_add(f, "a.service", 0, 23, t, 100);
	assert_int_equal(count(f, T0, T0 + HOUR), 6 + 60 + 60);
}

int main(void)
{
#define TEST(t) cmocka_unit_test_setup_teardown(t, fixture_new, fixture_free)
	const struct CMUnitTest tests[] = {
		TEST(test_round_trip),	  TEST(test_refused_points),
		TEST(test_nothing_then),  TEST(test_averages),
		TEST(test_same_tick),	  TEST(test_levels),
		TEST(test_quarter),	  TEST(test_clock_ahead_and_back),
		TEST(test_clock_behind),  TEST(test_clock_back_and_forth),
		TEST(test_late),	  TEST(test_sums),
		TEST(test_rss_and_limit), TEST(test_other_tick),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
