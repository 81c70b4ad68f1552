// SPDX-License-Identifier: GPL-2.0-or-later
/* detect/weights.c: what blocks stand for, by their birth. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <math.h>

#include "detect/weights.h"

static void births_have_the_factor_of_their_time(void **state)
{
	struct weights w = { .n = 0 };

	(void)state;
	assert_true(weights_at(&w, 17) == 1);
	weights_add(&w, 3, 20);
	weights_add(&w, 7, 1);
	weights_add(&w, 11, 5);
	/* Older ones than the first are of blocks that were found by it. */
	assert_true(weights_at(&w, 0) == 20);
	assert_true(weights_at(&w, 3) == 20);
	assert_true(weights_at(&w, 6) == 20);
	assert_true(weights_at(&w, 7) == 1);
	assert_true(weights_at(&w, 10) == 1);
	assert_true(weights_at(&w, 11) == 5);
	assert_true(weights_at(&w, UINT32_MAX) == 5);
	weights_add(&w, 13, 5.4);
	assert_int_equal(w.n, 3);
	weights_add(&w, 17, 5.6);
	assert_int_equal(w.n, 4);
}

/* Of even births seen by their shares, the weights add up to all of them, however long ago. */
static void what_is_merged_still_adds_up(void **state)
{
	struct weights w = { .n = 0 };
	const uint32_t last = 5003;
	double all = 0, recent = 0;

	(void)state;
	for (uint32_t tick = 0; tick < last; tick++)
		weights_add(&w, tick, tick % 2 ? 2 : 50);
	assert_true(w.n <= WEIGHT_RUNS);
	for (uint32_t tick = 0; tick < last; tick++) {
		double seen = 1 / (tick % 2 ? 2.0 : 50.0), weight = weights_at(&w, tick);

		assert_true(weight >= 2 && weight <= 50);
		all += seen * weight;
		if (tick >= last - WEIGHT_RUNS / 2)
			recent += fabs(seen * weight - 1);
	}
	assert_true(fabs(all - last) < 0.01 * last);
	assert_true(recent < 1e-6);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(births_have_the_factor_of_their_time),
		cmocka_unit_test(what_is_merged_still_adds_up),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
