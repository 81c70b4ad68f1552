// SPDX-License-Identifier: GPL-2.0-or-later
/* trend/reconcile.c: which growth live blocks explain, and which they do not. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "trend/reconcile.h"

#define MIB  1048576.0
#define HOUR 60
#define DAY  (24 * HOUR)

static double noise(uint32_t *seed)
{
	*seed = *seed * 1664525u + 1013904223u;
	return (double)(*seed >> 8) / 8388608.0 - 1;
}

struct run {
	struct reconcile r;
	uint32_t seed;
	uint32_t offset;		       /* of ticks */
	double error;			       /* of live bytes */
	unsigned seen[RECONCILE_RETAINED + 1]; /* ticks with each verdict */
	unsigned changes;
};

static void step(struct run *run, uint32_t tick, double memory, double live)
{
	struct reconcile_input in = {
		.tick = run->offset + tick,
		.memory_bytes = memory + 0.5 * MIB * noise(&run->seed),
		.live_bytes = live + run->error * noise(&run->seed),
		.live_error_bytes = run->error,
		.is_traced = true,
		.predates = true,
	};
	enum reconcile_verdict before = reconcile_get(&run->r).verdict, now;

	reconcile_add(&run->r, &in);
	now = reconcile_get(&run->r).verdict;
	run->seen[now]++;
	run->changes += now != before;
}

static void test_leak(void **state)
{
	struct run run = { .seed = 3, .offset = 1000003 };
	struct reconciliation out;

	(void)state;
	/* Attached late: 400 MiB are there, and no block of them was seen. */
	for (uint32_t tick = 1; tick <= 2 * DAY; tick++)
		step(&run, tick, 400 * MIB + MIB * tick, 0.9 * MIB * tick);
	out = reconcile_get(&run.r);
	assert_int_equal(out.verdict, RECONCILE_EXPLAINED);
	assert_int_equal(run.seen[RECONCILE_RETAINED] + run.seen[RECONCILE_PARTLY], 0);
	assert_true(out.has_total && out.has_day && out.predates && !out.is_partial);
	assert_float_equal(out.total.growth, 2879 * MIB, 2 * MIB);
	assert_float_equal(out.total.explained, 0.9 * 2879 * MIB, 2 * MIB);
	assert_float_equal(out.total.retained, 0.1 * 2879 * MIB, 4 * MIB);
	assert_int_equal(out.total.ticks, 2 * DAY - 1);
	assert_in_range(out.day.ticks, DAY, DAY + HOUR);
	assert_float_equal(out.day.growth, out.day.ticks * MIB, 2 * MIB);
	assert_float_equal(out.day.explained, 0.9 * out.day.ticks * MIB, 2 * MIB);
	assert_int_equal(run.changes, 1);
}

static void test_fragmentation(void **state)
{
	struct run run = { .seed = 5 };
	struct reconciliation out;
	char text[RECONCILE_TEXT];

	(void)state;
	/* Live bytes come and go, their floor does not move. */
	for (uint32_t tick = 1; tick <= 12 * HOUR; tick++)
		step(&run, tick, 400 * MIB + MIB * tick, 100 * MIB + 30 * MIB * (tick % 4));
	out = reconcile_get(&run.r);
	assert_int_equal(out.verdict, RECONCILE_RETAINED);
	assert_int_equal(run.seen[RECONCILE_EXPLAINED] + run.seen[RECONCILE_PARTLY], 0);
	assert_int_equal(run.changes, 1);
	assert_float_equal(out.found.retained, out.found.growth, 0);
	assert_float_equal(out.found.growth, 210 * MIB, 5 * MIB);
	assert_string_equal(reconcile_verdict_name(out.verdict), "retained");
	(void)reconcile_text(&out, 60, text, sizeof(text));
	assert_non_null(strstr(text, "the allocator retains 2"));
	assert_non_null(strstr(text, "MiB in 3.5 h) but live blocks do not"));
	assert_non_null(strstr(text, "no leak"));
	assert_true(strlen(reconcile_text(&out, 60, text, 8)) == 7);
}

static void test_partly(void **state)
{
	struct run run = { .seed = 7 };
	struct reconciliation out;
	char text[RECONCILE_TEXT];

	(void)state;
	for (uint32_t tick = 1; tick <= 12 * HOUR; tick++)
		step(&run, tick, 400 * MIB + MIB * tick, 0.45 * MIB * tick);
	out = reconcile_get(&run.r);
	assert_int_equal(out.verdict, RECONCILE_PARTLY);
	assert_int_equal(run.seen[RECONCILE_RETAINED], 0);
	assert_float_equal(out.found.explained, 0.45 * out.found.growth, 2 * MIB);
	(void)reconcile_text(&out, 60, text, sizeof(text));
	assert_non_null(strstr(text, "live blocks explain 94"));
}

/* A share that wavers around a bound changes nothing, once a verdict is there. */
static void test_hysteresis(void **state)
{
	struct run run = { .seed = 11 };

	(void)state;
	for (uint32_t tick = 1; tick <= 4 * HOUR; tick++)
		step(&run, tick, 400 * MIB + MIB * tick, 0.1 * MIB * tick);
	assert_int_equal(run.changes, 1);
	for (uint32_t tick = 4 * HOUR + 1; tick <= 24 * HOUR; tick++)
		step(&run, tick, 400 * MIB + MIB * tick,
		     24 * MIB + (0.26 + 0.06 * ((tick / 100) % 2)) * MIB * (tick - 240));
	assert_int_equal(reconcile_get(&run.r).verdict, RECONCILE_RETAINED);
	assert_int_equal(run.changes, 1);
}

static void test_steady(void **state)
{
	struct run run = { .seed = 13 }, teeth = { .seed = 17 };
	struct reconciliation out;
	char text[RECONCILE_TEXT];

	(void)state;
	for (uint32_t tick = 1; tick <= 3 * DAY; tick++) {
		/* Its old blocks are replaced by such as are seen. */
		step(&run, tick, 400 * MIB, 350 * MIB * (1 - exp(-(double)tick / 300)));
		step(&teeth, tick, 400 * MIB + 5 * MIB * (tick % 37), MIB * (tick % 37));
	}
	out = reconcile_get(&run.r);
	assert_int_equal(out.verdict, RECONCILE_STEADY);
	assert_int_equal(run.changes, 1);
	assert_in_range((long)out.total.explained, 0, (long)(2 * MIB));
	assert_string_equal(reconcile_text(&out, 60, text, sizeof(text)),
			    "Memory does not grow steadily, as far as 3 d of watch can show.");
	assert_int_equal(reconcile_get(&teeth.r).verdict, RECONCILE_STEADY);
	assert_int_equal(teeth.seen[RECONCILE_RETAINED], 0);
}

/* Growth below nothing is nothing to be explained. */
static void test_shrinking(void **state)
{
	struct run run = { .seed = 19 };
	struct reconciliation out;

	(void)state;
	for (uint32_t tick = 1; tick <= 100; tick++)
		step(&run, tick, 400 * MIB - MIB * tick, MIB * tick);
	out = reconcile_get(&run.r);
	assert_float_equal(out.total.growth, -99 * MIB, 2 * MIB);
	assert_float_equal(out.total.explained, 0, 0);
	assert_float_equal(out.total.retained, 0, 0);
}

/* With a sampling error as large as the growth nobody can tell. */
static void test_uncertain(void **state)
{
	struct run run = { .seed = 23, .error = 60 * MIB };

	(void)state;
	for (uint32_t tick = 1; tick <= 100; tick++)
		step(&run, tick, 400 * MIB + MIB * tick, 300 * MIB);
	assert_int_equal(run.seen[RECONCILE_RETAINED], 0);
	assert_int_equal(run.seen[RECONCILE_EXPLAINED], 0);
}

/* The machine stands still, or seepd does, and what is found then is another size. */
static void test_gap(void **state)
{
	struct run run = { .seed = 29 };

	(void)state;
	for (uint32_t tick = 1; tick <= 200; tick++)
		step(&run, tick, 400 * MIB, 100 * MIB);
	for (uint32_t tick = 20000; tick <= 20200; tick++)
		step(&run, tick, 900 * MIB, 100 * MIB);
	assert_int_equal(run.seen[RECONCILE_RETAINED], 0);
	assert_int_equal(reconcile_get(&run.r).verdict, RECONCILE_STEADY);
}

/* Several values in one tick, and time that goes back. */
static void test_times(void **state)
{
	struct run run = { .seed = 31 };
	struct reconciliation out;
	char text[RECONCILE_TEXT];

	(void)state;
	out = reconcile_get(&run.r);
	assert_true(!out.has_total && !out.has_day);
	assert_string_equal(reconcile_text(&out, 60, text, sizeof(text)),
			    "Too early to tell whether memory keeps growing.");
	for (uint32_t i = 0; i < 50; i++)
		step(&run, 5, (400 + i) * MIB, i * MIB);
	out = reconcile_get(&run.r);
	assert_float_equal(out.total.growth, 49 * MIB, 2 * MIB);
	assert_int_equal(out.verdict, RECONCILE_UNKNOWN);
	step(&run, 4, 0, 0);
	assert_float_equal(reconcile_get(&run.r).total.growth, 49 * MIB, 2 * MIB);
	out.total.ticks = 30;
	assert_string_equal(reconcile_text(&out, 60, text, sizeof(text)),
			    "Too early to tell whether memory keeps growing: it has been followed "
			    "for 30 min.");
}

/* What was not traced says nothing. */
static void test_blind(void **state)
{
	struct run run = { .seed = 37 };
	struct reconcile_input in = { .tick = 301, .memory_bytes = 900 * MIB };
	struct reconciliation out;

	(void)state;
	for (uint32_t tick = 1; tick <= 300; tick++)
		step(&run, tick, 400 * MIB + MIB * tick, 0);
	assert_int_equal(reconcile_get(&run.r).verdict, RECONCILE_RETAINED);
	reconcile_add(&run.r, &in);
	out = reconcile_get(&run.r);
	assert_int_equal(out.verdict, RECONCILE_UNKNOWN);
	assert_true(out.is_partial && out.has_total);
	/* Patience begins anew. */
	for (uint32_t tick = 302; tick <= 340; tick++) {
		step(&run, tick, 400 * MIB + MIB * tick, 0);
		assert_int_equal(reconcile_get(&run.r).verdict, RECONCILE_UNKNOWN);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_leak),	  cmocka_unit_test(test_fragmentation),
		cmocka_unit_test(test_partly),	  cmocka_unit_test(test_hysteresis),
		cmocka_unit_test(test_steady),	  cmocka_unit_test(test_shrinking),
		cmocka_unit_test(test_uncertain), cmocka_unit_test(test_gap),
		cmocka_unit_test(test_times),	  cmocka_unit_test(test_blind),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
