// SPDX-License-Identifier: GPL-2.0-or-later
/* Query strings and percent-encoding. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "serve/query.h"

static void test_decode(void **state)
{
	static const struct {
		const char *text;
		bool plus;
		const char *want; /* NULL: refused */
	} rows[] = {
		{ "", false, "" },
		{ "abc", false, "abc" },
		{ "a%2Fb%2fc", false, "a/b/c" },
		{ "%c3%a4", false, "\xc3\xa4" },
		{ "a+b", true, "a b" },
		{ "a+b", false, "a+b" },
		{ "%25", false, "%" },
		{ "%2541", false, "%41" },
		{ "%", false, NULL },
		{ "a%4", false, NULL },
		{ "%g1", false, NULL },
		{ "%1g", false, NULL },
		{ "%00", false, NULL },
		{ "%0a", false, NULL },
		{ "%7f", false, NULL },
		{ "%c3", false, NULL },
		{ "%c0%af", false, NULL },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		const char *why = NULL;
		char *out = NULL;
		int r = percent_decode(rows[i].text, strlen(rows[i].text), rows[i].plus, &out,
				       &why);

		if (!rows[i].want) {
			assert_int_equal(r, -EINVAL);
			assert_non_null(why);
			assert_null(out);
			continue;
		}
		assert_int_equal(r, 0);
		assert_string_equal(out, rows[i].want);
		free(out);
	}
}

static void test_parse(void **state)
{
	static const struct {
		const char *text;
		int n; /* -1: refused */
	} rows[] = {
		{ NULL, 0 },	  { "", 0 },	  { "a=1", 1 },	     { "a=1&b=2", 2 },
		{ "a", 1 },	  { "a=", 1 },	  { "a=b=c", 1 },    { "=1", -1 },
		{ "&", -1 },	  { "a=1&", -1 }, { "&a=1", -1 },    { "a&&b", -1 },
		{ "a=%", -1 },	  { "%=a", -1 },  { "a=%41%4", -1 }, { "a=%00", -1 },
		{ "a=\xff", -1 },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct query q = { .n = 0 };
		const char *why = NULL;
		int r = query_parse(rows[i].text, &q, &why);

		assert_int_equal(r, rows[i].n < 0 ? -EINVAL : 0);
		assert_int_equal(q.n, rows[i].n < 0 ? 0 : rows[i].n);
		assert_true((r < 0) == (why != NULL));
		query_done(&q);
	}
}

static void test_parse_many(void **state)
{
	char text[2 * (QUERY_MAX + 1)];
	struct query q = { .n = 0 };
	const char *why = NULL;

	(void)state;
	for (size_t i = 0; i < sizeof(text); i++)
		text[i] = i % 2 ? '&' : 'a';
	text[sizeof(text) - 1] = '\0';
	assert_int_equal(query_parse(text, &q, &why), -EINVAL);
	assert_int_equal(q.n, 0);
	text[2 * QUERY_MAX - 1] = '\0';
	assert_int_equal(query_parse(text, &q, &why), 0);
	assert_int_equal(q.n, QUERY_MAX);
	query_done(&q);
}

static void test_rules(void **state)
{
	static const struct query_rule rules[] = {
		{ .name = "limit" },
		{ .name = "include", .repeats = true },
		{ 0 },
	};
	struct query q = { .n = 0 };
	const char *why;

	(void)state;
	assert_int_equal(query_parse("include=a&limit=7&include=a", &q, &why), 0);
	assert_null(query_find_unknown(&q, rules));
	assert_null(query_find_repeated(&q, rules));
	assert_string_equal(query_get(&q, "limit"), "7");
	assert_null(query_get(&q, "Limit"));
	assert_ptr_equal(query_find_unknown(&q, NULL), &q.items[0]);
	query_done(&q);
	assert_int_equal(query_parse("limit=7&include=b&limit=7&more", &q, &why), 0);
	assert_ptr_equal(query_find_repeated(&q, rules), &q.items[2]);
	assert_ptr_equal(query_find_unknown(&q, rules), &q.items[3]);
	query_done(&q);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_decode),
		cmocka_unit_test(test_parse),
		cmocka_unit_test(test_parse_many),
		cmocka_unit_test(test_rules),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
