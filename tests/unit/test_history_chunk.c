// SPDX-License-Identifier: GPL-2.0-or-later
/* history/chunk.c: packed points come back, damaged ones are refused, means cover what they say. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "history/chunk.h"

#define TICK_MS 10000

static struct sample sample_at(int64_t at_ms, float bytes)
{
	return (struct sample){ (uint32_t)at_ms, 1, COVER_ALL, { bytes, bytes / 2, 0, 0 } };
}

static void add(struct chunk *c, int64_t at_ms, float bytes)
{
	const struct sample s = sample_at(at_ms, bytes);

	assert_int_equal(chunk_add(c, &s), 0);
}

static void expect_equal(const struct chunk *a, const struct chunk *b)
{
	assert_int_equal(a->n, b->n);
	for (size_t i = 0; i < a->n; i++) {
		assert_int_equal(a->samples[i].at_ms, b->samples[i].at_ms);
		assert_int_equal(a->samples[i].covered, b->samples[i].covered);
		assert_memory_equal(a->samples[i].value, b->samples[i].value,
				    sizeof(a->samples[i].value));
	}
}

static size_t expect_round_trip(const struct chunk *c, int level)
{
	_cleanup_(chunk_done) struct chunk back = { 0 };
	_cleanup_free_ uint8_t *packed = NULL;
	size_t size;

	assert_int_equal(chunk_pack(c, level, TICK_MS, &packed, &size), 0);
	assert_int_equal(chunk_unpack(&back, level, packed, size), 0);
	expect_equal(c, &back);
	return size;
}

static void test_pack(void **state)
{
	_cleanup_(chunk_done) struct chunk steady = { 0 }, gaps = { 0 }, coarse = { 0 };

	(void)state;
	assert_int_equal(expect_round_trip(&steady, 0), 2);
	for (int i = 0; i < 30; i++)
		add(&steady, i * TICK_MS, 4099);
	/* A header, the two values once, and a byte for each. */
	assert_int_equal(expect_round_trip(&steady, 0), 2 + 30 + 2 * 4);
	for (int i = 0; i < 300; i++)
		add(&gaps, 299999 - i * i % 1009 * 297, (float)i * 1e30f);
	expect_round_trip(&gaps, 0);
	for (int i = 0; i < 24; i++) {
		struct sample s = sample_at(i * HOUR_MS, (float)i / 3);

		s.covered = i % 5 ? COVER_ALL : (uint64_t)0x123456789abcde >> i;
		s.value[CHUNK_LIMIT] = 8192;
		s.value[CHUNK_RSS] = 1e-30f;
		assert_int_equal(chunk_add(&coarse, &s), 0);
	}
	expect_round_trip(&coarse, 2);
}

static void test_full(void **state)
{
	_cleanup_(chunk_done) struct chunk c = { 0 };

	(void)state;
	for (int i = 0; i < 1000; i++)
		add(&c, i * 300, 7);
	assert_int_equal(c.n, CHUNK_SAMPLES_MAX);
	for (size_t i = 0; i < c.n; i++)
		assert_true(c.samples[i].value[0] == 7);
	expect_round_trip(&c, 0);
}

/* Whatever is in there, what comes out is sound, and what was there before stays on failure. */
static void test_hostile(void **state)
{
	unsigned seed = 23;
	size_t taken = 0;

	(void)state;
	for (int i = 0; i < 20000; i++) {
		_cleanup_(chunk_done) struct chunk c = { 0 };
		size_t size = (size_t)rand_r(&seed) % 64;
		/* On the heap, for its ends are watched. */
		_cleanup_free_ uint8_t *packed = malloc(size + 1);
		int r;

		for (size_t k = 0; k < size; k++)
			packed[k] = (uint8_t)(rand_r(&seed) >> 7) & (i % 2 ? 0x1f : 0xff);
		add(&c, 77, 5);
		packed = realloc(packed, size ? size : 1);
		r = chunk_unpack(&c, i % 3, packed, size);
		assert_true(r == 0 || r == -EINVAL);
		taken += r == 0;
		if (r < 0)
			assert_int_equal(c.n, 1);
		for (size_t k = 0; k < c.n; k++) {
			assert_true(c.samples[k].at_ms < chunk_levels[i % 3].span_ms);
			assert_true(k == 0 || c.samples[k - 1].at_ms < c.samples[k].at_ms);
			assert_true(isfinite(c.samples[k].value[3]) && c.samples[k].value[3] >= 0);
			assert_true(c.samples[k].covered != 0);
		}
	}
	assert_true(taken > 100);
}

static void test_cut_short(void **state)
{
	_cleanup_(chunk_done) struct chunk c = { 0 };
	_cleanup_free_ uint8_t *packed = NULL;
	size_t size, whole = 0;

	(void)state;
	for (int i = 0; i < 30; i++)
		add(&c, i * TICK_MS, (float)i + 1);
	assert_int_equal(chunk_pack(&c, 0, TICK_MS, &packed, &size), 0);
	for (size_t n = 0; n <= size; n++) {
		_cleanup_(chunk_done) struct chunk back = { 0 };
		int r = chunk_unpack(&back, 0, packed, n);

		assert_true(r == 0 || r == -EINVAL);
		whole += r == 0;
	}
	/* Only between two samples: the first n are as good as all. */
	assert_int_equal(whole, 31);
}

static void test_cover(void **state)
{
	(void)state;
	assert_int_equal(cover_of(0, 60, 60), COVER_ALL);
	assert_int_equal(cover_of(0, 1, 60), 1);
	assert_int_equal(cover_of(59, 1, 60), UINT64_C(1) << 59);
	assert_int_equal(cover_of(59, 100, 60), UINT64_C(1) << 59);
	assert_int_equal(cover_of(60, 1, 60), 0);
	/* 10 s of 5 minutes are 2 of 60 parts. */
	assert_int_equal(cover_of(10000, 10000, 5 * MINUTE_MS), 0xc);
	/* 5 minutes of an hour are 5 of 60. */
	assert_int_equal(cover_of_parts(COVER_ALL, 10 * MINUTE_MS, 5 * MINUTE_MS, HOUR_MS),
			 0x1f << 10);
	/* The second half of them. */
	assert_int_equal(cover_of_parts(COVER_ALL & ~((UINT64_C(1) << 30) - 1), 10 * MINUTE_MS,
					5 * MINUTE_MS, HOUR_MS),
			 0x1c << 10);
}

static void test_time_floor(void **state)
{
	(void)state;
	assert_int_equal(time_floor(0, 7), 0);
	assert_int_equal(time_floor(13, 7), 7);
	assert_int_equal(time_floor(14, 7), 14);
	assert_int_equal(time_floor(-1, 7), -7);
	assert_int_equal(time_floor(-7, 7), -7);
}

static void test_coarsen(void **state)
{
	_cleanup_(chunk_done) struct chunk fine = { 0 }, coarse = { 0 };

	(void)state;
	/* The first minute and the last of 5, in the second interval of the hour. */
	for (int i = 0; i < 6; i++) {
		add(&fine, i * TICK_MS, 100);
		add(&fine, (24 + i) * TICK_MS, 400);
	}
	assert_int_equal(
		chunk_coarsen(&coarse, 1, HOUR_MS, &fine, HOUR_MS + 5 * MINUTE_MS, TICK_MS), 0);
	assert_int_equal(coarse.n, 1);
	assert_int_equal(coarse.samples[0].at_ms, 5 * MINUTE_MS);
	assert_true(coarse.samples[0].value[0] == 250);
	assert_int_equal(coarse.samples[0].covered, 0xfff | (uint64_t)0xfff << 48);
	/* A minute more of it, later: by what each covers. */
	chunk_done(&fine);
	for (int i = 0; i < 6; i++)
		add(&fine, (6 + i) * TICK_MS, 1000);
	assert_int_equal(
		chunk_coarsen(&coarse, 1, HOUR_MS, &fine, HOUR_MS + 5 * MINUTE_MS, TICK_MS), 0);
	assert_int_equal(coarse.n, 1);
	assert_true(fabsf(coarse.samples[0].value[0] - 500) < 0.01f);
	assert_int_equal(__builtin_popcountll(coarse.samples[0].covered), 36);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_pack),	cmocka_unit_test(test_full),
		cmocka_unit_test(test_hostile), cmocka_unit_test(test_cut_short),
		cmocka_unit_test(test_cover),	cmocka_unit_test(test_time_floor),
		cmocka_unit_test(test_coarsen),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
