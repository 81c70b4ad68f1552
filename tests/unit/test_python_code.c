// SPDX-License-Identifier: GPL-2.0-or-later
/* Line tables of every version, texts, and what is no table. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "fixtures/python_lines.h"
#include "python/code.h"

static void test_lines_of_real_code(void **state)
{
	(void)state;
	for (size_t v = 0; v < ARRAY_SIZE(python_lines); v++) {
		const struct python_layout *l = python_layout_find(3, python_lines[v].minor);
		size_t run = 0;

		for (uint32_t unit = 0; unit < python_lines[v].units; unit++) {
			uint32_t line;

			while (run + 1 < python_lines[v].n_runs &&
			       python_lines[v].runs[run + 1][0] <= unit)
				run++;
			line = python_line_of_unit(l->line_table, python_lines[v].table,
						   python_lines[v].n, python_lines[v].first_line,
						   unit);
			if (line != python_lines[v].runs[run][1])
				fail_msg("3.%u, unit %u: line %u, not %u", l->minor, unit, line,
					 python_lines[v].runs[run][1]);
		}
	}
}

static void test_code_without_lines(void **state)
{
	struct python_code c = { .first_line = 23, .kind = PYTHON_LOCATIONS };
	uint8_t none[] = { 0xf9, 0xf0 };

	(void)state;
	assert_int_equal(python_code_line(&c, 0), 23);
	c.table = none;
	c.n = sizeof(none);
	assert_int_equal(python_code_line(&c, 1), 23);
	assert_int_equal(python_code_line(&c, 1000), 23);
}

/* Bytes that no compiler wrote: some line, or none, and nothing read behind the end. */
static void test_hostile_tables(void **state)
{
	uint64_t random = 23;

	(void)state;
	for (int round = 0; round < 20000; round++) {
		size_t n = (size_t)round % 41;
		_cleanup_free_ uint8_t *table = malloc(n ? n : 1);

		assert_non_null(table);
		for (size_t i = 0; i < n; i++) {
			random = random * 6364136223846793005ull + 1442695040888963407ull;
			table[i] = (uint8_t)(random >> 56) | (round & 1 ? 0x80 : 0);
		}
		for (int kind = PYTHON_LNOTAB; kind <= PYTHON_LOCATIONS; kind++)
			for (uint32_t unit = 0; unit < 1u << 20; unit = 2 * unit + 1)
				assert_in_range(python_line_of_unit((enum python_line_table)kind,
								    table, n,
								    (uint32_t)(random >> 32), unit),
						0, INT32_MAX);
	}
}

/* PyASCIIObject.state: kind in bits 2 to 4, compact, ascii. */
#define STATE(kind, ascii) ((uint32_t)(kind) << 2 | 1u << 5 | (uint32_t)(ascii) << 6)

static void test_texts(void **state)
{
	static const struct {
		uint64_t length;
		uint32_t state;
		const void *data;
		size_t bytes;
		const char *expected;
		int r;
	} rows[] = {
		{ 3, STATE(1, 1), "abc", 3, "abc", 0 },
		{ 500, STATE(1, 1), "cut off", 7, "cut off", 0 },
		{ 2, STATE(1, 0), "\xe9t", 2, "\u00e9t", 0 },
		{ 2, STATE(2, 0), "\x42\x04\xac\x20", 4, "\u0442\u20ac", 0 },
		{ 9, STATE(2, 0), "\x42\x04\xac", 3, "\u0442", 0 },
		{ 1, STATE(4, 0), "\x0d\xf4\x01\x00", 4, "\U0001f40d", 0 },
		{ 0, STATE(1, 1), "", 0, NULL, 0 },
		{ 3, STATE(1, 1), "a\nb", 3, "a?b", 0 },
		{ UINT64_MAX, STATE(1, 1), "ab", 2, "ab", 0 },
		{ 2, STATE(0, 1), "ab", 2, NULL, -EINVAL },
		{ 2, STATE(3, 0), "abcdef", 6, NULL, -EINVAL },
		{ 1, STATE(4, 1), "abcd", 4, NULL, -EINVAL },
		{ 1, STATE(1, 1) & ~(1u << 5), "abcd", 4, NULL, -EINVAL },
	};

	(void)state;
	for (unsigned int minor = PYTHON_MINOR_MIN; minor <= PYTHON_MINOR_MAX; minor++) {
		const struct python_layout *l = python_layout_find(3, minor);

		for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
			_cleanup_free_ char *text = NULL;

			assert_int_equal(python_text(l, rows[i].length, rows[i].state, rows[i].data,
						     rows[i].bytes, &text),
					 rows[i].r);
			if (rows[i].expected)
				assert_string_equal(text, rows[i].expected);
			else
				assert_null(text);
		}
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_lines_of_real_code),
		cmocka_unit_test(test_code_without_lines),
		cmocka_unit_test(test_hostile_tables),
		cmocka_unit_test(test_texts),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
