// SPDX-License-Identifier: GPL-2.0-or-later
/* base/parse.c and base/utf8.c: what is taken, what is refused. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/parse.h"
#include "base/utf8.h"

#define UNTOUCHED 0x5a5a5a5a5a5a5a5aull

struct number {
	const char *text;
	int r;
	uint64_t value;
};

static void check_numbers(const struct number *cases, size_t n,
			  int (*parse)(const char *, uint64_t *))
{
	for (size_t i = 0; i < n; i++) {
		uint64_t value = UNTOUCHED;
		int r = parse(cases[i].text, &value);

		if (r != cases[i].r || value != (r ? UNTOUCHED : cases[i].value))
			fail_msg("\"%s\": %d, %llu", cases[i].text, r, (unsigned long long)value);
	}
}

static void test_u64(void **state)
{
	static const struct number cases[] = {
		{ "0", 0, 0 },
		{ "23", 0, 23 },
		{ "007", 0, 7 },
		{ "18446744073709551615", 0, UINT64_MAX },
		{ "18446744073709551616", -ERANGE, 0 },
		{ "99999999999999999999999", -ERANGE, 0 },
		{ "", -EINVAL, 0 },
		{ "-1", -EINVAL, 0 },
		{ "+1", -EINVAL, 0 },
		{ " 1", -EINVAL, 0 },
		{ "1 ", -EINVAL, 0 },
		{ "1\n", -EINVAL, 0 },
		{ "0x10", -EINVAL, 0 },
		{ "1e3", -EINVAL, 0 },
		{ "\xd9\xa3", -EINVAL, 0 }, /* ARABIC-INDIC DIGIT THREE */
	};

	(void)state;
	check_numbers(cases, ARRAY_SIZE(cases), parse_u64);
}

static void test_range_and_pid(void **state)
{
	uint64_t value = UNTOUCHED;
	pid_t pid = -1;

	(void)state;
	assert_int_equal(parse_u64_range("1", 1, 1000, &value), 0);
	assert_int_equal(value, 1);
	assert_int_equal(parse_u64_range("1000", 1, 1000, &value), 0);
	assert_int_equal(value, 1000);
	assert_int_equal(parse_u64_range("0", 1, 1000, &value), -ERANGE);
	assert_int_equal(parse_u64_range("1001", 1, 1000, &value), -ERANGE);
	assert_int_equal(value, 1000);

	assert_int_equal(parse_pid("4194304", &pid), 0);
	assert_int_equal(pid, 4194304);
	assert_int_equal(parse_pid("4194305", &pid), -ERANGE);
	assert_int_equal(parse_pid("0", &pid), -ERANGE);
	assert_int_equal(parse_pid("-1", &pid), -EINVAL);
	assert_int_equal(parse_pid("4294967297", &pid), -ERANGE);
	assert_int_equal(pid, 4194304);
}

static void test_size(void **state)
{
	static const struct number cases[] = {
		{ "512", 0, 512 },
		{ "512B", 0, 512 },
		{ "64K", 0, 65536 },
		{ "64KiB", 0, 65536 },
		{ "3M", 0, 3145728 },
		{ "3MiB", 0, 3145728 },
		{ "2GiB", 0, 2147483648 },
		{ "1T", 0, 1099511627776 },
		{ "16777215T", 0, 16777215ull << 40 },
		{ "16777216T", -ERANGE, 0 },
		{ "1.5M", -EINVAL, 0 },
		{ "1 M", -EINVAL, 0 },
		{ "1KB", -EINVAL, 0 },
		{ "1k", -EINVAL, 0 },
		{ "1Ki", -EINVAL, 0 },
		{ "M", -EINVAL, 0 },
		{ "-1K", -EINVAL, 0 },
		{ "1K1", -EINVAL, 0 },
	};

	(void)state;
	check_numbers(cases, ARRAY_SIZE(cases), parse_size);
}

static void test_duration(void **state)
{
	static const struct number cases[] = {
		{ "0", 0, 0 },
		{ "0s", 0, 0 },
		{ "1ns", 0, 1 },
		{ "7us", 0, 7000 },
		{ "250ms", 0, 250000000 },
		{ "10s", 0, 10000000000 },
		{ "1.5s", 0, 1500000000 },
		{ "0.5us", 0, 500 },
		{ "3m", 0, 180000000000 },
		{ "3min", 0, 180000000000 },
		{ "1h30m", 0, 5400000000000 },
		{ "2d3h5m7s11ms", 0, 183907011000000 },
		{ "0.1d", 0, 8640000000000 },
		{ "213503d", 0, 213503ull * 86400000000000 },
		{ "213504d", -ERANGE, 0 },
		{ "213503d23h59m", -ERANGE, 0 },
		{ "", -EINVAL, 0 },
		{ "10", -EINVAL, 0 },
		{ "00", -EINVAL, 0 },
		{ "1h30", -EINVAL, 0 },
		{ "1h 30m", -EINVAL, 0 },
		{ "30m1h", -EINVAL, 0 },
		{ "1m30m", -EINVAL, 0 },
		{ "1m1min", -EINVAL, 0 },
		{ ".5s", -EINVAL, 0 },
		{ "1.s", -EINVAL, 0 },
		{ "1.5.5s", -EINVAL, 0 },
		{ "1.5ns", -EINVAL, 0 },
		{ "0.1234567890123456789s", -EINVAL, 0 },
		{ "1S", -EINVAL, 0 },
		{ "1sec", -EINVAL, 0 },
		{ "-1s", -EINVAL, 0 },
		{ "s", -EINVAL, 0 },
	};

	(void)state;
	check_numbers(cases, ARRAY_SIZE(cases), parse_duration);
}

static void test_digits(void **state)
{
	const char *text = "ff-FFFFFFFFFFFFFFFF-1FFFFFFFFFFFFFFFF";
	const char *p = text;
	uint64_t value;

	(void)state;
	assert_int_equal(parse_digits(&p, 16, &value), 0);
	assert_int_equal(value, 255);
	assert_ptr_equal(p, text + 2);
	assert_int_equal(parse_digits(&p, 16, &value), -EINVAL);
	p++;
	assert_int_equal(parse_digits(&p, 16, &value), 0);
	assert_true(value == UINT64_MAX);
	p++;
	assert_int_equal(parse_digits(&p, 16, &value), -ERANGE);
	assert_ptr_equal(p, text + 20);
	assert_true(value == UINT64_MAX);
	p = "ff";
	assert_int_equal(parse_digits(&p, 10, &value), -EINVAL);
}

static void test_utf8(void **state)
{
	static const struct {
		const char *text;
		const char *sanitized;
		bool valid;
		bool printable;
	} cases[] = {
		{ "", "", true, true },
		{ "plain text", "plain text", true, true },
		{ "gr\xc3\xbc\xc3\x9f \xe2\x82\xac \xf0\x9f\x98\x80",
		  "gr\xc3\xbc\xc3\x9f \xe2\x82\xac \xf0\x9f\x98\x80", true, true },
		{ "a\nb\tc\x1b[31m\x7f", "a?b?c?[31m?", true, false },
		{ "\xc2\x9b"
		  "31m",
		  "?31m", true, false }, /* C1 control: CSI */
		{ "x\xe2\x80\xae"
		  "y\xe2\x81\xa6z",
		  "x?y?z", true, false },	    /* RLO, LRI */
		{ "\xc0\xaf", "??", false, false }, /* overlong '/' */
		{ "\xe0\x80\xaf", "???", false, false },
		{ "\xf0\x80\x80\xaf", "????", false, false },
		{ "\xed\xa0\x80", "???", false, false },      /* surrogate */
		{ "\xf4\x90\x80\x80", "????", false, false }, /* above U+10FFFF */
		{ "\xf4\x8f\xbf\xbf", "\xf4\x8f\xbf\xbf", true, true },
		{ "\xf8\x88\x80\x80\x80", "?????", false, false },
		{ "\x80"
		  "a",
		  "?a", false, false },
		{ "a\xc3", "a?", false, false }, /* cut */
		{ "a\xe2\x82", "a??", false, false },
		{ "\xe2"
		  "ab",
		  "?ab", false, false }, /* the rest is not eaten */
		{ "\xff\xfe", "??", false, false },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		size_t n = strlen(cases[i].text);
		/* Without the NUL, so that a read beyond the end is seen. */
		_cleanup_free_ char *exact = malloc(n ? n : 1);
		_cleanup_free_ char *sanitized = NULL;

		memcpy(exact, cases[i].text, n);
		assert_int_equal(utf8_is_valid(exact, n), cases[i].valid);
		assert_int_equal(utf8_is_printable(exact, n), cases[i].printable);
		assert_int_equal(utf8_sanitize(exact, n, &sanitized), 0);
		assert_string_equal(sanitized, cases[i].sanitized);
		assert_true(utf8_is_printable(sanitized, strlen(sanitized)));
	}
}

static void test_utf8_nul(void **state)
{
	_cleanup_free_ char *sanitized = NULL;

	(void)state;
	assert_true(utf8_is_valid("a\0b", 3));
	assert_false(utf8_is_printable("a\0b", 3));
	assert_int_equal(utf8_sanitize("a\0b", 3, &sanitized), 0);
	assert_string_equal(sanitized, "a?b");
}

static void test_times(void **state)
{
	static const struct {
		const char *text;
		uint64_t ms;
		int r;
	} rows[] = {
		{ "1970-01-01T00:00:00Z", 0, 0 },
		{ "2026-11-25T17:10:34Z", 1795626634000, 0 },
		{ "2026-11-25t17:10:34z", 1795626634000, 0 },
		{ "2026-11-25 17:10:34Z", 1795626634000, 0 },
		{ "2026-11-25T17:10:34.686850Z", 1795626634686, 0 },
		{ "2026-11-25T17:10:34.6Z", 1795626634600, 0 },
		{ "2026-11-25T18:40:34+01:30", 1795626634000, 0 },
		{ "2026-11-25T15:40:34-01:30", 1795626634000, 0 },
		{ "2024-02-29T00:00:00Z", 1709164800000, 0 },
		{ "9999-12-31T23:59:59.999Z", 253402300799999, 0 },
		{ "2026-02-29T00:00:00Z", 7, -ERANGE },
		{ "2026-13-01T00:00:00Z", 7, -ERANGE },
		{ "2026-00-10T00:00:00Z", 7, -ERANGE },
		{ "2026-01-00T00:00:00Z", 7, -ERANGE },
		{ "2026-01-01T24:00:00Z", 7, -ERANGE },
		{ "2026-01-01T00:60:00Z", 7, -ERANGE },
		{ "1969-12-31T23:59:59Z", 7, -ERANGE },
		{ "1970-01-01T00:00:00+00:01", 7, -ERANGE },
		{ "", 7, -EINVAL },
		{ "2026", 7, -EINVAL },
		{ "2026-11-25", 7, -EINVAL },
		{ "2026-11-25T17:10:34", 7, -EINVAL },
		{ "2026-11-25T17:10:34.Z", 7, -EINVAL },
		{ "2026-11-25T17:10:34Z ", 7, -EINVAL },
		{ "2026-11-25T17:10:34+1:30", 7, -EINVAL },
		{ "2026-11-25T17:10:34+01:60", 7, -EINVAL },
		{ "+026-11-25T17:10:34Z", 7, -EINVAL },
		{ "2026-1-25T17:10:34Z", 7, -EINVAL },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		uint64_t ms = 7;
		int r = parse_time(rows[i].text, &ms);

		if (r != rows[i].r || ms != rows[i].ms)
			fail_msg("%s: %d, %llu", rows[i].text, r, (unsigned long long)ms);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_u64),	 cmocka_unit_test(test_range_and_pid),
		cmocka_unit_test(test_size),	 cmocka_unit_test(test_duration),
		cmocka_unit_test(test_digits),	 cmocka_unit_test(test_utf8),
		cmocka_unit_test(test_utf8_nul), cmocka_unit_test(test_times),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
