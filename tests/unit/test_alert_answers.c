// SPDX-License-Identifier: GPL-2.0-or-later
/* alert/book_answers.c, suppressions.c and confidence_prior.c: what people say, and what comes of it. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>

#include "alert/suppressions.h"
#include "unit/alert_heard.h"

static void test_answers(void **state)
{
	struct heard heard;
	_cleanup_(alert_book_freep) struct alert_book *b = book_with(&heard);
	char long_note[ALERT_TEXT_MAX + 2];
	struct confidence_marks marks;

	(void)state;
	memset(long_note, 'x', sizeof(long_note) - 1);
	long_note[sizeof(long_note) - 1] = '\0';
	assert_int_equal(alert_book_acknowledge(b, 7, NULL, true, 1), -ENOENT);
	assert_int_equal(alert_book_suppress(b, 7, true, 1), -ENOENT);
	assert_int_equal(alert_book_mark(b, 7, ALERT_TRUE, 1), -ENOENT);
	take(b, 1, TREND_LEAKING, TREND_OPENED, 2, 100);
	assert_int_equal(alert_book_acknowledge(b, 7, long_note, true, 1), -E2BIG);
	assert_int_equal(alert_book_acknowledge(b, 7, "on it\033[2J", true, 150), 0);
	assert_string_equal(alert_book_find(b, 7)->note, "on it?[2J");
	assert_int_equal(alert_book_count_open(b), 0);
	/* What people said stays, whatever evaluations find. */
	take(b, 1, TREND_LEAKING, TREND_NOTHING, 2, 200);
	assert_string_equal(alert_book_find(b, 7)->note, "on it?[2J");
	assert_true(alert_book_find(b, 7)->is_acknowledged);
	alert_book_acknowledge(b, 7, NULL, false, 250);
	assert_null(alert_book_find(b, 7)->note);
	assert_int_equal(alert_book_count_open(b), 1);
	alert_book_mark(b, 7, ALERT_TRUE, 260);
	expect(&heard, "Oaam");
	alert_book_count_marks(b, &marks);
	assert_int_equal(marks.n_true, 1);
	assert_int_equal(marks.n_false, 0);
	assert_true(marks.expected == 0.97);

	alert_book_suppress(b, 7, true, 300);
	assert_int_equal(alert_book_count_open(b), 0);
	take(b, 1, TREND_LEAKING, TREND_GREW, 9, 310);
	take(b, 1, TREND_STOPPED, TREND_HAS_STOPPED, 0, 320);
	expect(&heard, "s");
	assert_int_equal(alert_book_find(b, 7)->state, TREND_STOPPED);
	alert_book_suppress(b, 7, false, 330);
	expect(&heard, "s");
	assert_null(alert_book_find(b, 7)->suppressed_by);
}

/* A confidence that was lowered by earlier marks is not counted against the corpus again. */
static void test_marks(void **state)
{
	_cleanup_(alert_book_freep) struct alert_book *b = alert_book_new();
	struct confidence_marks marks;
	struct alert *a = fixture_alert(1, 1);

	(void)state;
	a->prior_odds = 0.5;
	a->evidence.confidence = 0.8;
	assert_int_equal(alert_book_take(b, a, TREND_OPENED, 1), 0);
	a = fixture_alert(2, 1);
	a->evidence.confidence = 0.5;
	assert_int_equal(alert_book_take(b, a, TREND_OPENED, 1), 0);
	a = fixture_alert(3, 1);
	a->evidence = (struct trend_evidence){ 0 };
	assert_int_equal(alert_book_take(b, a, TREND_OPENED, 1), 0);
	alert_book_count_marks(b, &marks);
	assert_int_equal(marks.n_true + marks.n_false, 0);
	alert_book_mark(b, 1, ALERT_FALSE, 2);
	alert_book_mark(b, 2, ALERT_TRUE, 2);
	alert_book_mark(b, 3, ALERT_FALSE, 2);
	alert_book_count_marks(b, &marks);
	assert_int_equal(marks.n_true, 1);
	assert_int_equal(marks.n_false, 1);
	/* Odds of 4 by half the odds of the corpus: 8 there. */
	assert_true(fabs(marks.expected - (8.0 / 9 + 0.5)) < 1e-12);
	alert_book_mark(b, 1, ALERT_UNMARKED, 3);
	alert_book_count_marks(b, &marks);
	assert_int_equal(marks.n_false, 0);
}

/* Marks of a world where a finding's odds are r of the corpus': r is found, whatever the findings. */
static void test_prior(void **state)
{
	static const double ratios[] = { 0.1, 0.5, 1, 1.5 };
	struct confidence_marks marks = { 0 };

	(void)state;
	assert_true(confidence_prior_odds(&marks) == 1);
	for (size_t i = 0; i < ARRAY_SIZE(ratios); i++) {
		for (double c = 0.6; c < 0.99; c += 0.06) {
			double odds = ratios[i] * c / (1 - c), share = odds / (1 + odds);

			marks.n_true = (size_t)(share * 100000);
			marks.n_false = 100000 - marks.n_true;
			marks.expected = 100000 * c;
			if (fabs(confidence_prior_odds(&marks) / ratios[i] - 1) > 0.02)
				fail_msg("%g at %g: %g", ratios[i], c,
					 confidence_prior_odds(&marks));
		}
	}
	/* Few marks move it a little, and as they came out is no move at all. */
	marks = (struct confidence_marks){ .n_false = 1, .expected = 0.97 };
	assert_true(fabs(confidence_prior_odds(&marks) - 0.5455) < 1e-3);
	marks = (struct confidence_marks){ .n_true = 10, .expected = 9.7 };
	assert_true(fabs(confidence_prior_odds(&marks) - 1.2577) < 1e-3);
	marks = (struct confidence_marks){ .n_true = 97, .n_false = 3, .expected = 97 };
	assert_true(fabs(confidence_prior_odds(&marks) - 1) < 1e-9);
	/* Bounded, and finite with certainties. */
	marks = (struct confidence_marks){ .n_false = 100000, .expected = 100000 };
	assert_true(confidence_prior_odds(&marks) == CONFIDENCE_PRIOR_LEAST);
	marks = (struct confidence_marks){ .n_true = 100000, .expected = 0 };
	assert_true(confidence_prior_odds(&marks) == CONFIDENCE_PRIOR_MOST);
	assert_true(confidence_of_corpus(0.8, 0) == 0.8);
	assert_true(confidence_of_corpus(1, 0.5) == 1);
}

static int set(struct alert_book *b, const char *text, unsigned *line, const char **why)
{
	return alert_book_set_suppressions(b, text, strlen(text), line, why);
}

static void test_suppression_file(void **state)
{
	struct heard heard;
	_cleanup_(alert_book_freep) struct alert_book *b = book_with(&heard);
	unsigned line = 0;
	const char *why = NULL;

	(void)state;
	assert_int_equal(set(b, "# ours\n\n  leak:^session_*n$ \r\n", &line, &why), 0);
	take(b, 1, TREND_LEAKING, TREND_OPENED, 2, 100);
	expect(&heard, "");
	assert_string_equal(alert_book_find(b, 7)->suppressed_by, "leak:^session_*n$");
	assert_false(alert_book_find(b, 7)->is_told);
	/* A file that is wrong changes nothing. */
	assert_int_equal(set(b, "leak:a\nleek:b\n", &line, &why), -EINVAL);
	assert_int_equal(line, 2);
	assert_string_equal(alert_book_find(b, 7)->suppressed_by, "leak:^session_*n$");
	assert_int_equal(set(b, "leak:\n", &line, &why), -EINVAL);
	assert_int_equal(line, 1);
	assert_int_equal(set(b, "\n\nleak:\x01\n", &line, &why), -EINVAL);
	assert_int_equal(line, 3);

	assert_int_equal(set(b, "leak:other", &line, &why), 0);
	expect(&heard, "s");
	assert_null(alert_book_find(b, 7)->suppressed_by);
	take(b, 1, TREND_LEAKING, TREND_NOTHING, 2, 200);
	expect(&heard, "O");
	assert_int_equal(alert_book_find(b, 7)->opened_ms, 200);
	/* By its id: no file takes that back. */
	alert_book_suppress(b, 7, true, 300);
	assert_int_equal(set(b, "leak:libserver.so", &line, &why), 0);
	assert_string_equal(alert_book_find(b, 7)->suppressed_by, ALERT_BY_ID);
	assert_int_equal(set(b, "", &line, &why), 0);
	assert_string_equal(alert_book_find(b, 7)->suppressed_by, ALERT_BY_ID);
}

static void test_patterns(void **state)
{
	static const struct {
		const char *pattern, *text;
		bool matches;
	} cases[] = {
		{ "foo", "foo", true },
		{ "foo", "a foo b", true },
		{ "foo", "fo", false },
		{ "^foo", "foobar", true },
		{ "^foo", "a foo", false },
		{ "foo$", "a foo", true },
		{ "foo$", "foob", false },
		{ "foo$", "foofoo", true },
		{ "^foo$", "foo", true },
		{ "^foo$", "foofoo", false },
		{ "a*b*c", "xaxxbxxcx", true },
		{ "a*b*c", "xaxxcxxbx", false },
		{ "^a*c$", "abcabc", true },
		{ "^a*c$", "abcab", false },
		{ "*", "x", true },
		{ "^*$", "x", true },
		{ "ab*ab*ab", "ababab", true },
		{ "^ab*ab*ab$", "abab", false },
		{ "aab", "aaab", true },
		{ "a$b", "a$b", true },
		{ "operator new*", "operator new(unsigned long)", true },
		{ "foo", "", false },
		{ "*", NULL, false },
		{ "**x", "yx", true },
		{ "^x*", "x", true },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++)
		if (suppression_matches(cases[i].pattern, cases[i].text) != cases[i].matches)
			fail_msg("%s on %s", cases[i].pattern,
				 cases[i].text ? cases[i].text : "nothing");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_answers),	 cmocka_unit_test(test_marks),
		cmocka_unit_test(test_prior),	 cmocka_unit_test(test_suppression_file),
		cmocka_unit_test(test_patterns),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
