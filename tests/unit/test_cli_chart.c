// SPDX-License-Identifier: GPL-2.0-or-later
/* Charts: exact pictures of good numbers, fixed widths and no harm from bad ones. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/utf8.h"
#include "cli/chart.h"
#include "cli/render.h"
#include "cli/text.h"

#define NOON 1764072000000ull /* 2025-11-25 12:00 UTC */
#define HOUR 3600000ull
#define MiB  1048576.0

static char *draw(const struct chart *chart, const struct render_options *o)
{
	char *text = NULL;
	size_t size = 0;
	FILE *out = open_memstream(&text, &size);

	assert_non_null(out);
	assert_int_equal(chart_print(out, chart, o), 0);
	assert_int_equal(fclose(out), 0);
	return text;
}

static char *draw_bars(const struct chart_bar *bars, size_t n, const struct render_options *o)
{
	char *text = NULL;
	size_t size = 0;
	FILE *out = open_memstream(&text, &size);

	assert_non_null(out);
	chart_print_bars(out, bars, n, o);
	assert_int_equal(fclose(out), 0);
	return text;
}

/* The widest line, in characters. */
static size_t widest(const char *text)
{
	size_t width = 0;

	while (*text) {
		size_t n = strcspn(text, "\n");
		_cleanup_free_ char *line = strndup(text, n);

		width = text_width(line) > width ? text_width(line) : width;
		text += n + (text[n] == '\n');
	}
	return width;
}

static void line_in_ascii(void **state)
{
	const struct chart_point points[] = {
		{ NOON, 0 },
		{ NOON + HOUR, 1 * MiB },
		{ NOON + 2 * HOUR, 2 * MiB },
		{ NOON + 3 * HOUR, 3 * MiB },
	};
	const struct chart chart = { points, ARRAY_SIZE(points), NOON, NOON + 3 * HOUR, 4 };
	const struct render_options o = { .ascii = true, .columns = 36 };
	_cleanup_free_ char *text = draw(&chart, &o);

	(void)state;
	assert_string_equal(text, "   3.0 MiB |                ****\n"
				  "           |          ******\n"
				  "           |   *******\n"
				  "       0 B |***\n"
				  "           +--------------------\n"
				  "            12:00          15:00 UTC\n");
}

static void line_in_braille(void **state)
{
	const struct chart_point points[] = {
		{ NOON, 0 },
		{ NOON + HOUR, 1 * MiB },
		{ NOON + 2 * HOUR, 2 * MiB },
		{ NOON + 3 * HOUR, 3 * MiB },
	};
	const struct chart chart = { points, ARRAY_SIZE(points), NOON, NOON + 3 * HOUR, 2 };
	const struct render_options o = { .columns = 36 };
	_cleanup_free_ char *text = draw(&chart, &o);

	(void)state;
	assert_string_equal(text,
			    "   3.0 MiB \u2524          \u28c0\u28c0\u28c0\u2824\u2824\u2814"
			    "\u2812\u2812\u280a\u2809\n"
			    "       0 B \u2524\u28c0\u2860\u2824\u2824\u2814\u2812\u2812\u2809"
			    "\u2809\u2809\n"
			    "           \u2514\u2500\u2500\u2500\u2500\u2500\u2500\u2500\u2500"
			    "\u2500\u2500\u2500\u2500\u2500\u2500\u2500\u2500\u2500\u2500"
			    "\u2500\u2500\n"
			    "            12:00          15:00 UTC\n");
}

/* Steep lines have no holes; times without points stay empty. */
static void steps_and_gaps(void **state)
{
	struct chart_point points[40];
	struct chart chart = { points, 0, NOON, NOON + 40 * HOUR, 4 };
	const struct render_options o = { .ascii = true, .columns = 56 };
	_cleanup_free_ char *text = NULL;

	(void)state;
	for (unsigned i = 0; i < 40; i++)
		if (i < 12 || i >= 30)
			points[chart.n++] = (struct chart_point){ NOON + i * HOUR + HOUR / 2,
								  i < 5 ? 1 * MiB : 4 * MiB };
	text = draw(&chart, &o);
	assert_string_equal(text, "   4.0 MiB |     *******                  **********\n"
				  "           |     *\n"
				  "           |*****\n"
				  "       0 B |\n"
				  "           +----------------------------------------\n"
				  "            11-25 12:00                  11-27 04:00 UTC\n");
}

/* The scale says where it begins. */
static void small_changes(void **state)
{
	const struct chart_point points[] = {
		{ NOON, 100 * MiB },
		{ NOON + HOUR, 101 * MiB },
	};
	const struct chart chart = { points, ARRAY_SIZE(points), NOON, NOON + HOUR, 2 };
	const struct render_options o = { .ascii = true, .columns = 36 };
	_cleanup_free_ char *text = draw(&chart, &o);

	(void)state;
	assert_string_equal(text, " 101.0 MiB |          **********\n"
				  " 100.0 MiB |**********\n"
				  "           +--------------------\n"
				  "            12:00          13:00 UTC\n");
}

static void flat_and_single(void **state)
{
	const struct chart_point points[] = { { NOON + HOUR / 2, 3 * MiB } };
	const struct chart_point zero[] = { { NOON, 0 }, { NOON + HOUR, 0 } };
	struct chart chart = { points, 1, NOON, NOON + HOUR, 2 };
	const struct render_options o = { .ascii = true, .columns = 36 };
	_cleanup_free_ char *one = draw(&chart, &o), *none = NULL;

	(void)state;
	assert_string_equal(one, "   3.0 MiB |          *\n"
				 "       0 B |\n"
				 "           +--------------------\n"
				 "            12:00          13:00 UTC\n");
	chart.points = zero;
	chart.n = 2;
	none = draw(&chart, &o);
	assert_non_null(strstr(none, "       0 B |********************\n"));
}

/* Nothing to draw is no picture. */
static void nothing(void **state)
{
	const struct chart_point bad[] = {
		{ NOON, (double)NAN },
		{ NOON + 1, (double)INFINITY },
		{ NOON - 1, 5 },
		{ NOON + HOUR + 1, 5 },
		{ 0, 5 },
		{ UINT64_MAX, 5 },
	};
	const struct chart charts[] = {
		{ NULL, 0, NOON, NOON + HOUR, 4 },
		{ bad, ARRAY_SIZE(bad), NOON, NOON + HOUR, 4 },
		{ bad, ARRAY_SIZE(bad), NOON, NOON, 4 },
		{ bad, ARRAY_SIZE(bad), NOON + 1, NOON, 4 },
		{ bad, ARRAY_SIZE(bad), 0, UINT64_MAX, 0 },
	};
	const struct render_options o = { .columns = 80 };

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(charts); i++) {
		_cleanup_free_ char *text = draw(&charts[i], &o);

		assert_string_equal(text, "");
	}
}

/* Whatever the numbers, no line is wider than the terminal, and ASCII stays ASCII. */
static void widths(void **state)
{
	const struct chart_point points[] = {
		{ NOON, -1e300 }, { NOON + 1, 1e300 },	 { NOON + HOUR, 0x1p63 },
		{ NOON + 2, 7 },  { NOON + HOUR, -5e9 }, { NOON + 3 * HOUR, 0x1p70 },
	};
	static const unsigned columns[] = { 40, 41, 79, 80, 132, 400 };
	const struct chart chart = { points, ARRAY_SIZE(points), NOON, NOON + 30 * HOUR, 7 };

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(columns) * 4; i++) {
		const struct render_options o = {
			.columns = columns[i / 4],
			.ascii = i & 1,
			.raw_bytes = i & 2,
		};
		_cleanup_free_ char *text = draw(&chart, &o);

		assert_true(utf8_is_valid(text, strlen(text)));
		/* Plain numbers have up to 20 digits: a small terminal has no room for those. */
		if (!o.raw_bytes || o.columns > 60)
			assert_true(widest(text) <= o.columns);
		for (const char *c = text; o.ascii && *c; c++)
			assert_true((unsigned char)*c < 0x80);
	}
}

static void bars(void **state)
{
	const struct chart_bar list[] = {
		{ NOON, 20, 10, 10 * 216 },
		{ NOON + HOUR, 40, 10, 10 * 216 },
		{ NOON + 2 * HOUR, 10, 10, 10 * 216 },
		{ NOON + 3 * HOUR, 3, 0, 0 },
		{ NOON + 4 * HOUR, 0, 0, 0 },
	};
	const struct render_options o = { .ascii = true, .columns = 64 };
	const struct render_options colour = { .colour = true, .columns = 64 };
	_cleanup_free_ char *text = draw_bars(list, ARRAY_SIZE(list), &o);
	_cleanup_free_ char *grey = draw_bars(list, 1, &colour);

	(void)state;
	assert_string_equal(text, "  12:00 #####.....           10 of 20 live, 2.1 KiB\n"
				  "  13:00 #####............... 10 of 40 live, 2.1 KiB\n"
				  "  14:00 #####                10 of 10 live, 2.1 KiB\n"
				  "  15:00 ..                   0 of 3 live, 0 B\n"
				  "  16:00                      0 of 0 live, 0 B\n");
	assert_string_equal(grey, "  12:00 \u2588\u2588\u2588\u2588\u2588\u2588\u2588\u2588\u2588"
				  "\u2588\033[2m\u2591\u2591\u2591\u2591\u2591\u2591\u2591\u2591"
				  "\u2591\u2591\033[0m 10 of 20 live, 2.1 KiB\n");
}

/* A few that live among a million that were freed can still be seen, and compared. */
static void rare_survivors(void **state)
{
	const struct chart_bar list[] = {
		{ NOON, 1000000, 4, 864 },
		{ NOON + HOUR, 900000, 2, 432 },
		{ NOON + 2 * HOUR, 12, 0, 0 },
	};
	const struct render_options o = { .ascii = true, .columns = 64 };
	_cleanup_free_ char *text = draw_bars(list, ARRAY_SIZE(list), &o);

	(void)state;
	assert_string_equal(text, "  12:00 #####..............> 4 of 1,000,000 live, 864 B\n"
				  "  13:00 ###................> 2 of 900,000 live, 432 B\n"
				  "  14:00 ...............      0 of 12 live, 0 B\n");
}

static void hostile_bars(void **state)
{
	const struct chart_bar list[] = {
		{ UINT64_MAX, (double)NAN, (double)NAN, (double)NAN },
		{ 0, (double)INFINITY, (double)INFINITY, -(double)INFINITY },
		{ NOON, -5, 1e300, 1e300 },
		{ NOON, 1, 1e18, 0x1p63 },
	};
	static const unsigned columns[] = { 0, 1, 20, 80, 1000 };

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(columns) * 2; i++) {
		const struct render_options o = { .columns = columns[i / 2], .raw_bytes = i & 1 };
		_cleanup_free_ char *text = draw_bars(list, ARRAY_SIZE(list), &o);

		assert_true(utf8_is_valid(text, strlen(text)));
		assert_true(widest(text) < 140);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(line_in_ascii),   cmocka_unit_test(line_in_braille),
		cmocka_unit_test(steps_and_gaps),  cmocka_unit_test(small_changes),
		cmocka_unit_test(flat_and_single), cmocka_unit_test(nothing),
		cmocka_unit_test(widths),	   cmocka_unit_test(bars),
		cmocka_unit_test(rare_survivors),  cmocka_unit_test(hostile_bars),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
