// SPDX-License-Identifier: GPL-2.0-or-later
/* What is let through to libdw of call frame instructions. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <dwarf.h>

#include "elf/cfi.h"

#define FIT(...)                                                 \
	({                                                       \
		const uint8_t bytes[] = { __VA_ARGS__ };         \
		cfi_registers_fit(bytes, bytes + sizeof(bytes)); \
	})

static void test_usual(void **state)
{
	(void)state;
	/* Of a CIE: def_cfa rsp+8, rip at cfa-8. */
	assert_true(FIT(DW_CFA_def_cfa, 7, 8, DW_CFA_offset | 16, 1, DW_CFA_nop, DW_CFA_nop));
	/* push %rbp; mov %rsp, %rbp; leave. */
	assert_true(FIT(DW_CFA_advance_loc | 1, DW_CFA_def_cfa_offset, 16, DW_CFA_offset | 6, 2,
			DW_CFA_advance_loc | 3, DW_CFA_def_cfa_register, 6, DW_CFA_advance_loc4, 0,
			0xff, 0xff, 0, DW_CFA_remember_state, DW_CFA_def_cfa, 7, 8,
			DW_CFA_restore_state, DW_CFA_restore | 6));
	/* An entry of the procedure linkage table, whose expression has bytes like instructions. */
	assert_true(FIT(DW_CFA_def_cfa_expression, 4, DW_CFA_undefined, 0xff, 0xff, 0x7f,
			DW_CFA_GNU_args_size, 0x90, 1, DW_CFA_expression, 16, 2, 0x77, 0));
	assert_true(cfi_registers_fit(NULL, NULL));
}

static void test_registers(void **state)
{
	(void)state;
	assert_true(FIT(DW_CFA_undefined, 130, 1));
	assert_true(FIT(DW_CFA_same_value, 0xff, 1));
	assert_false(FIT(DW_CFA_same_value, 0x80, 2));
	assert_false(FIT(DW_CFA_offset_extended, 0xff, 0xff, 0xff, 0x0f, 1));
	assert_false(FIT(DW_CFA_register, 3, 0x80, 0x80, 1));
	assert_false(FIT(DW_CFA_val_expression, 0x80, 2, 1, 0));
	assert_false(FIT(DW_CFA_def_cfa, 7, 8, DW_CFA_nop, DW_CFA_restore_extended, 0xf0, 0x7f));
	/* More bits than a number has. */
	assert_false(FIT(DW_CFA_undefined, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80,
			 0x80, 1));
}

static void test_unknown(void **state)
{
	(void)state;
	/* Behind it anything may stand. */
	assert_false(FIT(0x3f, DW_CFA_nop));
	assert_false(FIT(DW_CFA_set_loc, 0, 0, 0, 0, 0, 0, 0, 0));
}

/* Of a longer number than nine bytes libdw may take the rest for instructions. */
static void test_long_numbers(void **state)
{
	(void)state;
	assert_false(FIT(DW_CFA_def_cfa_offset, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80,
			 0x80, 0x80, 0xc0, 0x05, 0xff, 0xff, 0xff, 0x7f));
	assert_false(FIT(DW_CFA_def_cfa_offset_sf, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80,
			 0x80, 0x05));
	assert_false(
		FIT(DW_CFA_offset | 3, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x00));
	assert_true(
		FIT(DW_CFA_GNU_args_size, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x01));
}

/* An operand that ends behind the end ends there. */
static void test_cut(void **state)
{
	(void)state;
	assert_true(FIT(DW_CFA_advance_loc4, 1));
	assert_true(FIT(DW_CFA_def_cfa_expression, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
			0x7f, 1));
	assert_true(FIT(DW_CFA_offset_extended, 0x85));
	assert_true(FIT(DW_CFA_def_cfa));
}

static void test_augmentation(void **state)
{
	const uint8_t bytes[] = { 2, 0x3f, 0x3f, DW_CFA_nop }, *at = bytes;

	(void)state;
	assert_true(cfi_skip_augmentation(&at, bytes + 4, true, 0));
	assert_ptr_equal(at, bytes + 3);
	at = bytes;
	assert_true(cfi_skip_augmentation(&at, bytes + 4, false, 1));
	assert_ptr_equal(at, bytes + 1);
	at = bytes;
	assert_false(cfi_skip_augmentation(&at, bytes + 2, true, 0));
	assert_ptr_equal(at, bytes);
	assert_false(cfi_skip_augmentation(&at, bytes, false, 1));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_usual),	     cmocka_unit_test(test_registers),
		cmocka_unit_test(test_unknown),	     cmocka_unit_test(test_cut),
		cmocka_unit_test(test_long_numbers), cmocka_unit_test(test_augmentation),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
