// SPDX-License-Identifier: GPL-2.0-or-later
/* The kernel side's bins of ages at free are the detector's. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <math.h>

#include "../bpf/ages.h"
#include "trend/lifetimes.h"

#define UNIT_NS (1u << BLOCK_BIRTH_SHIFT)

static uint32_t scale_of(double tick_ns)
{
	return (uint32_t)(4294967296.0 * UNIT_NS / tick_ns);
}

/* Ages right at an edge may fall to either side of it, by the rounding of the scale. */
static void check_age(uint32_t age, double tick_ns)
{
	double ticks = (double)age * UNIT_NS / tick_ns;
	uint32_t bin = age_bin(age, scale_of(tick_ns));

	assert_in_range(bin, lifetime_bin(ticks * (1 - 1e-6)), lifetime_bin(ticks * (1 + 1e-6)));
}

static void bins_are_the_detectors(void **state)
{
	static const double ticks_ns[] = { 50e6, 100e6, 999983e3, 60e9, 3600e9 };

	(void)state;
	_Static_assert(AGE_BINS == LIFETIME_BINS, "the same bins");
	for (size_t i = 0; i < sizeof(ticks_ns) / sizeof(ticks_ns[0]); i++)
		for (double age = 1; age < UINT32_MAX; age = ceil(age * 1.01))
			check_age((uint32_t)age, ticks_ns[i]);
}

static void extremes_have_a_bin(void **state)
{
	(void)state;
	assert_int_equal(age_bin(0, UINT32_MAX), 0);
	assert_int_equal(age_bin(UINT32_MAX, 0), 0);
	assert_int_equal(age_bin(UINT32_MAX, UINT32_MAX), AGE_BINS - 1);
	assert_int_equal(age_bin(UINT32_MAX, 1), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(bins_are_the_detectors),
		cmocka_unit_test(extremes_have_a_bin),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
