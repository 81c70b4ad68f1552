// SPDX-License-Identifier: GPL-2.0-or-later
/* Numbers for people, and text on its way to a terminal. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "cli/format.h"
#include "cli/text.h"

static void bytes_have_iec_units(void **state)
{
	static const struct {
		uint64_t bytes;
		const char *text;
	} cases[] = {
		{ 0, "0 B" },
		{ 1, "1 B" },
		{ 1023, "1023 B" },
		{ 1024, "1.0 KiB" },
		{ 1075, "1.0 KiB" },
		{ 1076, "1.1 KiB" },
		{ 1536, "1.5 KiB" },
		{ (1 << 20) - 1, "1.0 MiB" },
		{ (1 << 20) - 53, "1023.9 KiB" },
		{ 1 << 20, "1.0 MiB" },
		{ 1463552, "1.4 MiB" },
		{ (1ull << 30) - 1, "1.0 GiB" },
		{ 1ull << 40, "1.0 TiB" },
		{ 1ull << 50, "1.0 PiB" },
		{ 1ull << 63, "8.0 EiB" },
		{ UINT64_MAX, "16.0 EiB" },
	};
	size_t i;

	(void)state;
	for (i = 0; i < ARRAY_SIZE(cases); i++)
		assert_string_equal(format_bytes(cases[i].bytes, false).text, cases[i].text);
	assert_string_equal(format_bytes(1ull << 63, true).text, "9223372036854775808");
	assert_string_equal(format_bytes(0, true).text, "0");
}

static void signs_are_kept(void **state)
{
	(void)state;
	assert_string_equal(format_signed_bytes(-1024, false).text, "-1.0 KiB");
	assert_string_equal(format_signed_bytes(INT64_MIN, false).text, "-8.0 EiB");
	assert_string_equal(format_signed_bytes(7, false).text, "7 B");
	assert_string_equal(format_change_bytes(7, false).text, "+7 B");
	assert_string_equal(format_change_bytes(0, false).text, "0 B");
	assert_string_equal(format_change_bytes(-7, true).text, "-7");
	assert_string_equal(format_change_count(1463, false).text, "+1,463");
	assert_string_equal(format_change_count(-1463, true).text, "-1463");
	assert_string_equal(format_signed_count(INT64_MIN, false).text,
			    "-9,223,372,036,854,775,808");
}

static void counts_are_grouped(void **state)
{
	static const struct {
		uint64_t count;
		const char *text;
	} cases[] = {
		{ 0, "0" },
		{ 997, "997" },
		{ 1000, "1,000" },
		{ 99991, "99,991" },
		{ 123457, "123,457" },
		{ 1299709, "1,299,709" },
		{ UINT64_MAX, "18,446,744,073,709,551,615" },
	};
	size_t i;

	(void)state;
	for (i = 0; i < ARRAY_SIZE(cases); i++)
		assert_string_equal(format_count(cases[i].count, false).text, cases[i].text);
	assert_string_equal(format_count(1299709, true).text, "1299709");
	assert_string_equal(format_plural(1, "block", false).text, "1 block");
	assert_string_equal(format_plural(0, "block", false).text, "0 blocks");
	assert_string_equal(format_plural(1009, "block", false).text, "1,009 blocks");
	/* A word of the daemon's, longer than any of ours. */
	assert_string_equal(format_plural(UINT64_MAX, "an_endless_word_from_elsewhere", false).text,
			    "18,446,744,073,709,551,615 an_endless_words");
}

static void rates_carry_their_error(void **state)
{
	(void)state;
	assert_string_equal(format_rate(12.3 * 1048576, 0.4 * 1048576, false, false).text,
			    "+12.3 MiB/h \u00b10.4");
	assert_string_equal(format_rate(-2048, 512, false, true).text, "-2.0 KiB/h +/-0.5");
	assert_string_equal(format_rate(0, 0, false, true).text, "+0.0 B/h +/-0.0");
	assert_string_equal(format_rate(1023.96, -1, false, true).text, "+1.0 KiB/h");
	assert_string_equal(format_rate(1, 1e300, false, true).text, "+1.0 B/h +/-1e+300");
	assert_string_equal(format_rate(1e300, 1, false, true).text, "+1.0e+300 B/h");
	assert_string_equal(format_rate(-INFINITY, NAN, false, true).text, "-inf B/h");
	assert_string_equal(format_rate(1536.5, 3, true, true).text, "1536.5");
}

static void durations_have_two_units(void **state)
{
	static const struct {
		double seconds;
		const char *text;
	} cases[] = {
		{ 0, "0.0 s" },	       { 0.31, "0.3 s" },     { 59.9, "59 s" },
		{ 61, "1 min 1 s" },   { 3600, "1 h 0 min" }, { 11040, "3 h 4 min" },
		{ 453600, "5 d 6 h" }, { -1, "?" },	      { NAN, "?" },
		{ 1e300, "?" },
	};
	size_t i;

	(void)state;
	for (i = 0; i < ARRAY_SIZE(cases); i++)
		assert_string_equal(format_duration(cases[i].seconds, false).text, cases[i].text);
	assert_string_equal(format_duration(11040.5, true).text, "11040.500");
}

static void control_characters_never_reach_the_terminal(void **state)
{
	static const struct {
		const char *text;
		const char *clean;
		const char *ascii;
	} cases[] = {
		{ "", "", "" },
		{ "plain text", "plain text", "plain text" },
		{ "\033[2J\a\b\r\n\t", "?[2J?????", "?[2J?????" },
		{ "del\177", "del?", "del?" },
		{ "csi\xc2\x9b"
		  "2J",
		  "csi?2J", "csi?2J" },
		{ "\xe2\x80\xae"
		  "desrever",
		  "?desrever", "?desrever" },
		{ "\xe2\x81\xa6x", "?x", "?x" },
		{ "\xff\xc0\x80", "???", "???" },
		{ "\xed\xa0\x80", "???", "???" },
		{ "cut\xe2\x82", "cut??", "cut??" },
		{ "gr\xc3\xbc\xc3\x9f", "gr\xc3\xbc\xc3\x9f", "gr??" },
		{ "\xf0\x9f\x98\x80!", "\xf0\x9f\x98\x80!", "?!" },
	};
	size_t i;

	(void)state;
	for (i = 0; i < ARRAY_SIZE(cases); i++) {
		_cleanup_free_ char *clean = text_clean(cases[i].text, false);
		_cleanup_free_ char *ascii = text_clean(cases[i].text, true);

		assert_string_equal(clean, cases[i].clean);
		assert_string_equal(ascii, cases[i].ascii);
	}
}

static char *cut(const char *text, size_t columns, bool ascii)
{
	char *result = NULL;
	size_t size = 0;
	FILE *f = open_memstream(&result, &size);

	assert_non_null(f);
	text_put_cut(f, text, columns, ascii);
	fclose(f);
	return result;
}

static void a_cut_shows(void **state)
{
	static const struct {
		const char *text;
		size_t columns;
		bool ascii;
		const char *result;
	} cases[] = {
		{ "abcdefg", 0, false, "abcdefg" },
		{ "abcdefg", 7, false, "abcdefg" },
		{ "abcdefg", 6, false, "abcde\u2026" },
		{ "abcdefg", 6, true, "abc..." },
		{ "\u00e4\u00f6\u00fc\u00df", 3, false, "\u00e4\u00f6\u2026" },
		{ "abcdefg", 1, false, "abcdefg" },
		{ "abcdefg", 3, true, "abcdefg" },
	};
	size_t i;

	(void)state;
	for (i = 0; i < ARRAY_SIZE(cases); i++) {
		_cleanup_free_ char *result = cut(cases[i].text, cases[i].columns, cases[i].ascii);

		assert_string_equal(result, cases[i].result);
	}
	assert_int_equal(text_width("\u00e4b\U0001f600"), 3);
	assert_string_equal(text_base_name("/usr/lib/libfoo.so"), "libfoo.so");
	assert_string_equal(text_base_name("libfoo.so"), "libfoo.so");
	assert_string_equal(text_base_name("/usr/"), "/usr/");
	assert_string_equal(text_base_name(""), "");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(bytes_have_iec_units),
		cmocka_unit_test(signs_are_kept),
		cmocka_unit_test(counts_are_grouped),
		cmocka_unit_test(rates_carry_their_error),
		cmocka_unit_test(durations_have_two_units),
		cmocka_unit_test(control_characters_never_reach_the_terminal),
		cmocka_unit_test(a_cut_shows),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
