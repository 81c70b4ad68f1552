// SPDX-License-Identifier: GPL-2.0-or-later
/* Files whose call frame information libdw would read in another way than this program checks it. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "elf/cfi.h"
#include "fixtures/elf.h"

/* A macro each for a CIE and an FDE, with what is to be between their usual parts. */
#define MACROS                                                              \
	".macro cie augmentation, data:vararg\n"                            \
	"	.balign 4\n"                                                      \
	"	.long 2f - 1f\n"                                                  \
	"1:	.long 0\n"                                                      \
	"	.byte 1\n"                                                        \
	"	.asciz \"\\augmentation\"\n"                                      \
	"	.byte 1, 0x78, 16\n" /* factors 1 and -8, register 16 */    \
	"	.byte \\data\n"                                                   \
	"	.byte 0x0c, 7, 8, 0x90, 1\n" /* def_cfa rsp+8, rip there */ \
	"	.balign 4, 0\n"                                                   \
	"2:\n"                                                              \
	".endm\n"                                                           \
	".macro fde cie\n"                                                  \
	"	.long 2f - 1f\n"                                                  \
	"1:	.long . - \\cie\n"                                              \
	"	.long 0x1000, 0x100\n"                                            \
	"	.byte 0\n"                                                        \
	"	.fill 15, 1, 0\n" /* nop */                                 \
	"	.balign 4, 0\n"                                                   \
	"2:\n"                                                              \
	".endm\n"

#define EH_FRAME ".section .eh_frame, \"a\", @progbits\nfirst:\n"
/* A table of one function, that of the entry at "one". */
#define TABLE(flags)                                          \
	".section .eh_frame_hdr, \"a\", @progbits" flags "\n" \
	"	.byte 1, 0x1b, 0x03, 0x3b\n"                        \
	"	.long -4, 1, 0x1000, one - first\n"

static int starts_of(const char *text, bool is_debug_frame, size_t *ret_n)
{
	char *dir = fixture_directory();
	_cleanup_free_ char *path = fixture_path(dir, "object");
	_cleanup_(cfi_starts_done) struct cfi_starts starts = { 0 };
	_cleanup_(image_freep) struct image *image = NULL;
	int r;

	assert_true(fixture_compile(dir, "object", "s", text, "gcc -c"));
	assert_int_equal(image_open(open(path, O_RDONLY | O_CLOEXEC), &image), 0);
	r = is_debug_frame ? cfi_debug_frame_starts(image, &starts) :
			     cfi_eh_frame_starts(image, &starts);
	*ret_n = starts.n;
	fixture_remove(dir);
	return r;
}

static void check(const char *text, bool is_debug_frame, int expected)
{
	size_t n = 0;

	assert_int_equal(starts_of(text, is_debug_frame, &n), expected);
	if (expected == 0)
		assert_int_equal(n, 1);
}

static void test_augmentation(void **state)
{
	static const struct {
		const char *cie;
		int expected;
	} cases[] = {
		{ "cie zR, 1, 0x03", 0 },
		/* A personality of 4 and of 8 bytes; of 2, which a reader may take for 8; cut. */
		{ "cie zPR, 6, 0x03, 0, 0, 0, 0, 0x03", 0 },
		{ "cie zPLR, 11, 0x00, 0, 0, 0, 0, 0, 0, 0, 0, 0x1b, 0x03", 0 },
		{ "cie zPR, 4, 0x02, 0, 0, 0x03", -EBADMSG },
		{ "cie zPR, 3, 0x03, 0, 0", -EBADMSG },
		/* Without a size, or with it elsewhere; what nobody knows. */
		{ "cie R, 0x03", -EBADMSG },
		{ "cie Rz, 1, 0x03", -EBADMSG },
		{ "cie zxR, 1, 0x03", -EBADMSG },
		{ "cie zSR, 1, 0x03", 0 },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		_cleanup_free_ char *text = NULL;

		assert_true(asprintf(&text, MACROS EH_FRAME "%s\nfde first\n.long 0\n",
				     cases[i].cie) > 0);
		check(text, false, cases[i].expected);
	}
}

#define ENTRIES EH_FRAME "cie zR, 1, 0x03\none: fde first\n.long 0\n"

static void test_sections_that_are_there_twice(void **state)
{
	(void)state;
	check(MACROS TABLE("") ENTRIES, false, 0);
	check(MACROS TABLE("") TABLE(", unique, 1") ENTRIES, false, -EBADMSG);
	check(MACROS ENTRIES ".section .eh_frame, \"a\", @progbits, unique, 1\n.long 0\n", false,
	      -EBADMSG);
}

#define DEBUG_ENTRIES(section)                    \
	".section " section ", \"\", @progbits\n" \
	"	.long 12, 0xffffffff\n"                 \
	"	.byte 1, 0, 1, 0x78, 16, 0, 0, 0\n"     \
	"	.long 20, 0\n"                          \
	"	.quad 0x1000, 0x100\n"

static void test_debug_frame(void **state)
{
	(void)state;
	check(DEBUG_ENTRIES(".debug_frame"), true, 0);
	check(DEBUG_ENTRIES(".zdebug_frame") DEBUG_ENTRIES(".debug_frame"), true, -EBADMSG);
}

/* Each entry has another CIE than the one before: all of a long one would be read again for each. */
static void test_square(void **state)
{
	(void)state;
	check(MACROS EH_FRAME "cie zR, 1, 0x03\n"
			      "other: cie zR, 1, 0x03\n"
			      "one: fde first\n"
			      ".rept 97\nfde other\nfde first\n.endr\n"
			      ".long 0\n",
	      false, 0);
	check(MACROS EH_FRAME "cie zR, 1, 0x03\n"
			      "other:	.long 2f - 1f\n"
			      "1:	.long 0\n"
			      "	.byte 1\n"
			      "	.asciz \"zR\"\n"
			      "	.byte 1, 0x78, 16, 1, 0x03\n"
			      "	.fill 19997, 1, 0\n" /* nop */
			      "	.balign 4, 0\n"
			      "2:\n"
			      ".rept 97\nfde other\nfde first\n.endr\n"
			      ".long 0\n",
	      false, -EBADMSG);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_augmentation),
		cmocka_unit_test(test_sections_that_are_there_twice),
		cmocka_unit_test(test_debug_frame),
		cmocka_unit_test(test_square),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
