// SPDX-License-Identifier: GPL-2.0-or-later
/* alert/sentences.c and words.c: each channel, state and hold, word by word. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>

#include "alert/sentences.h"
#include "base/words.h"
#include "unit/alert_fixture.h"

static bool says(const struct alert *a, const char *sentence)
{
	json_auto_t *array = NULL;
	const json_t *text;
	size_t i;

	assert_int_equal(sentences_evidence(a, &array), 0);
	json_array_foreach(array, i, text)
		if (strcmp(json_string_value(text), sentence) == 0)
			return true;
	return false;
}

static bool mentions(const struct alert *a, const char *word)
{
	json_auto_t *array = NULL;
	const json_t *text;
	size_t i;

	assert_int_equal(sentences_evidence(a, &array), 0);
	json_array_foreach(array, i, text)
		if (strstr(json_string_value(text), word))
			return true;
	return false;
}

static void assert_says(const struct alert *a, const char *sentence)
{
	json_auto_t *array = NULL;
	_cleanup_free_ char *all = NULL;

	if (says(a, sentence))
		return;
	assert_int_equal(sentences_evidence(a, &array), 0);
	all = json_dumps(array, JSON_INDENT(1));
	fail_msg("\"%s\" is not among\n%s", sentence, all);
}

static void assert_disproof(const struct alert *a, const char *expected)
{
	_cleanup_free_ char *text = NULL;

	assert_int_equal(sentences_disproof(a, &text), 0);
	if (expected)
		assert_string_equal(text, expected);
	else
		assert_null(text);
}

static void test_leak(void **state)
{
	static const char *const all[] = {
		"It grows by 2.0 MiB per hour (1.5 MiB to 2.5 MiB in half of the intervals), since "
		"2026-03-01 00:30 UTC.",
		"8,210 blocks with 56.0 MiB, allocated since then, have not been freed.",
		"Survivors in 14 of 14 intervals of 2 h.",
		"None of 8,210 blocks that got older than 90 min was freed.",
		"The longest known lifetime of blocks from here is 71 min.",
		"2.0 % of what was allocated in these intervals is still there.",
		"The rate is steady: in the younger half of the intervals it is 0.97 times that of "
		"the older half.",
		"Over the whole life of the process the later rate is 1.02 times the earlier one.",
		"2 call stacks with the same innermost frames are judged as one.",
		"It has lasted 30 h; an alert asks for 25 h.",
		"The memory limit, 1.0 GiB away, is reached in 21 d (17 d at the earliest), about "
		"2026-03-23 14:00 UTC.",
		"No free is known to have been missed.",
		"That it is a leak is almost certain (0.97).",
		"Blocks from here are freed but for a share that does not change: usually one way "
		"out returns, continues or throws before the free(), such as that of an error or a "
		"timeout.",
	};
	_cleanup_(alert_freep) struct alert *a = fixture_alert(1, 1);
	json_auto_t *array = NULL;

	(void)state;
	assert_int_equal(sentences_evidence(a, &array), 0);
	assert_int_equal(json_array_size(array), ARRAY_SIZE(all));
	for (size_t i = 0; i < ARRAY_SIZE(all); i++)
		assert_string_equal(json_string_value(json_array_get(array, i)), all[i]);
	/* Four intervals without survivors, of births that are 90 minutes old by then. */
	assert_disproof(a, "A free of 28.0 MiB of these blocks, or no new survivors by 2026-03-02 "
			   "15:30 UTC, would prove it wrong.");
}

/* The same by a tick of a second: people's units follow. */
static void test_scaled(void **state)
{
	_cleanup_(alert_freep) struct alert *a = fixture_alert(1, 1);

	(void)state;
	a->life.tick_seconds = 1;
	assert_says(a, "Survivors in 14 of 14 intervals of 2 min.");
	assert_says(a, "The longest known lifetime of blocks from here is 71 s.");
	assert_says(a, "It has lasted 30 min; an alert asks for 25 min.");
	a->life.tick_seconds = 0.001;
	assert_says(a, "Survivors in 14 of 14 intervals of 0.1 s.");
}

static void test_gaps_and_deaths(void **state)
{
	_cleanup_(alert_freep) struct alert *a = fixture_alert(1, 1);
	struct trend_evidence *e = &a->evidence;

	(void)state;
	e->presence = (struct presence){ .active = 13, .positive = 10, .last = 12, .gap = 3 };
	e->freed_beyond = 3;
	e->longest_lifetime = 1;
	e->window_rate = (struct steadiness){ .time = 0.5, .work = 1.5, .best = 1.5 };
	e->life_rate =
		(struct steadiness){ .time = 0.4, .work = 0.5, .survival = 0.8, .best = 0.8 };
	assert_says(a, "Survivors in 10 of 13 intervals of 2 h.");
	assert_says(a, "1 more interval had too few allocations to count.");
	assert_says(a, "3 of 8,213 blocks that got older than 90 min were freed.");
	assert_says(a, "No age is known at which blocks from here are freed.");
	assert_says(a, "The rate is rising: in the younger half of the intervals it is 1.50 times "
		       "that of the older half per allocation of the process.");
	assert_says(a, "Over the whole life of the process the later rate is 0.80 times the "
		       "earlier one per allocation from here.");
	/* Twice the usual gap is longer than four intervals. */
	assert_disproof(a, "A free of 28.0 MiB of these blocks, or no new survivors by 2026-03-02 "
			   "19:30 UTC, would prove it wrong.");
	/* A ratio without an old part says nothing. */
	e->window_rate.best = e->life_rate.best = 99;
	assert_false(mentions(a, "younger half"));
	assert_false(mentions(a, "whole life"));
}

static void test_hint(void **state)
{
	static const char handle[] = "Folders stay open: what opendir() returned needs a "
				     "closedir() on every way out, those of errors too.";
	_cleanup_(alert_freep) struct alert *a = fixture_alert(1, 1);

	(void)state;
	assert_non_null(strstr(sentences_hint(a), "before the free()"));
	/* Neither of a rate that rises or is not known, */
	a->evidence.window_rate.best = 1.4;
	assert_null(sentences_hint(a));
	a->evidence.window_rate.best = 0.97;
	a->evidence.window.sum.births = 0;
	assert_null(sentences_hint(a));
	free((char *)a->frames[0].function);
	free((char *)a->frames[0].module);
	a->frames[0].function = strdup("__alloc_dir");
	a->frames[0].module = strdup("/usr/lib/libc.so.6");
	assert_string_equal(sentences_hint(a), handle);
	assert_says(a, handle);
	/* nor of what is no leak, or no place, or over. */
	a->scope = ALERT_PROCESS;
	assert_null(sentences_hint(a));
	a->scope = ALERT_FRAMES;
	a->evidence.channel = TREND_BY_EXHAUSTION;
	assert_null(sentences_hint(a));
	a->evidence.channel = TREND_BY_NONE;
	assert_null(sentences_hint(a));
	a->evidence.channel = TREND_BY_FEW_BLOCKS;
	assert_non_null(sentences_hint(a));
	for (int state_of_it = TREND_QUIET; state_of_it <= TREND_CLOSED; state_of_it++) {
		bool is_over = state_of_it == TREND_QUIET || state_of_it == TREND_RESOLVED ||
			       state_of_it == TREND_EXHAUSTION;

		a->state = (enum trend_state)state_of_it;
		assert_true(is_over == (sentences_hint(a) == NULL));
		assert_true(is_over != says(a, handle));
	}
}

/* What is known of Python objects is what the recognisers see. */
static void test_hint_of_objects(void **state)
{
	static const struct {
		const char *type;
		const char *function;
		bool done;
		const char *path;
		const char *container;
		const char *hint; /* a part of it; NULL: none */
	} cases[] = {
		{ "_asyncio.Task", "Hub.audit", true, "app.hub.background{*}", "set",
		  "add_done_callback(tasks.discard)" },
		{ "_asyncio.Task", "Hub.audit", false, "app.hub.background{*}", "set", "wait_for" },
		{ "app.Session", NULL, false, "app.sessions[…]", "dict", "A dict only grows" },
		{ "app.Session", NULL, false, "<local kept of main (app.py:7)>[…]", "list",
		  "function that still runs" },
		{ "app.Node", NULL, false, "<app.Node>.peer…", "app.Node", "a cycle" },
		{ "app.Node", NULL, false, "<app.Nodes>.peer", "app.Nodes", NULL },
		{ "app.Node", NULL, false, NULL, NULL, NULL },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		_cleanup_(alert_freep) struct alert *a = fixture_alert(1, 1);
		const char *hint;

		a->scope = ALERT_TYPE;
		a->python = alert_python_new(cases[i].type);
		assert_int_equal(alert_python_set_code(a->python, cases[i].function, "/app.py", 3,
						       cases[i].done),
				 0);
		if (cases[i].path)
			assert_int_equal(alert_python_add_holder(a->python, cases[i].path,
								 cases[i].container, 64),
					 0);
		hint = sentences_hint(a);
		if (!cases[i].hint)
			assert_null(hint);
		else if (!hint || !strstr(hint, cases[i].hint))
			fail_msg("case %zu: %s", i, hint ? hint : "no hint");
	}
}

static void test_suspect(void **state)
{
	_cleanup_(alert_freep) struct alert *a = fixture_alert(1, 1);

	(void)state;
	a->state = TREND_SUSPECT;
	a->evidence.waited = 600;
	a->evidence.confidence = 0.72;
	assert_says(a, "It has lasted 10 h; an alert asks for 25 h, as the limit was 22 d away "
		       "when it began.");
	assert_says(a, "That it is a leak is possible (0.72).");
}

static void test_holds(void **state)
{
	_cleanup_(alert_freep) struct alert *a = fixture_alert(1, 1);
	struct trend_evidence *e = &a->evidence;

	(void)state;
	a->state = TREND_SUSPECT;
	e->lost_share = 0.004;
	assert_says(a, "Of the frees, up to 0.40 % may have been missed.");
	e->hold = TREND_HELD_BY_LOSSES;
	assert_says(a, "Held back: of the frees, up to 0.40 % may have been missed, which can look "
		       "like this.");
	e->hold = TREND_HELD_BY_CONFIDENCE;
	e->confidence = 0.72;
	assert_says(a, "Held back: a confidence of 0.72 is too little for an alert.");
	assert_false(mentions(a, "possible"));
	e->hold = TREND_HELD_ONCE;
	assert_says(a, "Held back until the next evaluation finds it as well.");
}

static void test_known(void **state)
{
	_cleanup_(alert_freep) struct alert *a = fixture_alert(1, 1);
	struct trend_evidence *e = &a->evidence;

	(void)state;
	e->channel = TREND_BY_KNOWN;
	e->lives = 3;
	e->proven_bytes = 12 * MiB;
	assert_says(a, "It is known from earlier lives of the service: blocks of any age count.");
	assert_says(a, "Survivors in 14 of 14 intervals of 2 h.");
	assert_says(a, "3 earlier lives of the service did not end in such growth.");
	assert_says(a, "Up to 12.0 MiB were held here before without a leak; now it is 58.0 MiB.");
	e->lives = 1;
	assert_says(a, "1 earlier life of the service did not end in such growth.");
	e->carry = 2880;
	assert_says(a, "Earlier lives of the service grew the same way, for 2 d.");
	assert_false(mentions(a, "did not end"));
}

static void test_few_blocks(void **state)
{
	_cleanup_(alert_freep) struct alert *a = fixture_alert(1, 1);

	(void)state;
	a->evidence.channel = TREND_BY_FEW_BLOCKS;
	a->evidence.window.n = 0;
	a->evidence.leaked_blocks = 1;
	a->evidence.bytes_per_tick_low = a->evidence.bytes_per_tick_high =
		a->evidence.bytes_per_tick;
	a->evidence.ticks_to_limit_low = a->evidence.ticks_to_limit_high =
		a->evidence.ticks_to_limit;
	assert_says(a, "The memory limit, 1.0 GiB away, is reached in 21 d, about 2026-03-23 14:00 "
		       "UTC.");
	assert_says(a, "It grows by 2.0 MiB per hour, since 2026-03-01 00:30 UTC.");
	assert_says(a, "1 block with 56.0 MiB, allocated since then, has not been freed.");
	assert_says(a, "Few blocks, each time larger ones, as of one buffer that grows without "
		       "bound.");
	assert_false(mentions(a, "Survivors"));
	assert_disproof(a, "A free of 28.0 MiB of these blocks, or no more growth by 2026-03-02 "
			   "20:45 UTC, would prove it wrong.");
}

/* Exhaustion claims no leak. */
static void test_exhaustion(void **state)
{
	_cleanup_(alert_freep) struct alert *a = fixture_alert(1, 1);
	struct trend_evidence *e = &a->evidence;
	_cleanup_free_ char *summary = NULL;

	(void)state;
	a->state = TREND_EXHAUSTION;
	a->scope = ALERT_PROCESS;
	a->growth_bytes = 900 * MiB;
	a->explained_bytes = 850 * MiB;
	a->sampling_error_bytes = 2.5 * MiB;
	*e = (struct trend_evidence){
		.channel = TREND_BY_EXHAUSTION,
		.confidence = 0.3,
		.now = 1800,
		.until = 1800,
		.since = 450,
		.leaked_bytes = 700 * MiB,
		.leaked_blocks = 700,
		.bytes_per_tick = MiB,
		.headroom_bytes = 60 * MiB,
		.ticks_to_limit = 60,
		.ticks_to_limit_low = 50,
		.ticks_to_limit_high = 70,
		.waited = 1800,
	};
	assert_says(a, "Memory runs out, and most of what the process grew by comes from here.");
	assert_says(a, "No leak is claimed: it may all be needed.");
	assert_says(a, "Too many places share the growth: the process is judged as a whole.");
	assert_says(a, "The memory limit, 60.0 MiB away, is reached in 60 min (50 min to 70 min), "
		       "about 2026-03-02 07:00 UTC.");
	assert_says(a, "Live blocks explain 850.0 MiB of the 900.0 MiB that the process grew by.");
	assert_says(a, "Live bytes are estimated from samples, with a standard error of 2.5 MiB.");
	assert_disproof(a, "Memory that is given back before the limit is reached, by 2026-03-02 "
			   "07:00 UTC, would prove it wrong.");
	assert_int_equal(sentences_summary(a, &summary), 0);
	assert_string_equal(summary, "memory runs out in server.service: 700.0 MiB in 700 blocks, "
				     "+60.0 MiB per hour, session_open (libserver.so.1)");
}

static void test_states(void **state)
{
	_cleanup_(alert_freep) struct alert *a = fixture_alert(1, 1);

	(void)state;
	a->state = TREND_STOPPED;
	assert_says(a, "It grew by 2.0 MiB per hour (1.5 MiB to 2.5 MiB in half of the intervals), "
		       "since 2026-03-01 00:30 UTC.");
	assert_says(a, "No more of it comes; what has leaked stays lost until the process ends.");
	assert_false(mentions(a, "limit"));
	assert_disproof(a, "A free of 28.0 MiB of what is left would prove that it was only held "
			   "for long.");
	assert_false(mentions(a, "asks for"));
	a->state = TREND_QUIET;
	assert_says(a, "Later evaluations do not find it any more.");
	assert_false(mentions(a, "almost certain"));
	assert_disproof(a, NULL);
	a->state = TREND_RESOLVED;
	assert_says(a, "Half of what had leaked, or more, was freed since.");
	assert_disproof(a, NULL);
	a->state = TREND_CLOSED;
	assert_says(a, "8,210 blocks with 56.0 MiB, allocated since then, had not been freed.");
	assert_says(a, "The process has ended, and its memory with it.");
	assert_disproof(a, NULL);
}

/* Without the time of the watch's beginning, moments are left out and durations stay. */
static void test_no_wall_clock(void **state)
{
	_cleanup_(alert_freep) struct alert *a = fixture_alert(1, 1);

	(void)state;
	a->life.began_ms = 0;
	assert_says(a, "It grows by 2.0 MiB per hour (1.5 MiB to 2.5 MiB in half of the "
		       "intervals).");
	assert_says(a,
		    "The memory limit, 1.0 GiB away, is reached in 21 d (17 d at the earliest).");
	assert_disproof(a, "A free of 28.0 MiB of these blocks, or no new survivors within 9.5 h, "
			   "would prove it wrong.");
}

static void test_summary(void **state)
{
	_cleanup_(alert_freep) struct alert *a = fixture_alert(1, 1);
	_cleanup_free_ char *first = NULL, *second = NULL, *third = NULL;

	(void)state;
	assert_int_equal(sentences_summary(a, &first), 0);
	assert_string_equal(first, "leak in server.service: 56.0 MiB in 8,210 blocks, +2.0 MiB per "
				   "hour, session_open (libserver.so.1)");
	/* The innermost frame that is not an allocator's; names are the target's, and hostile. */
	free((char *)a->frames[1].function);
	a->frames[1].function = strdup("x\033[31m\n");
	a->state = TREND_SUSPECT;
	a->evidence.bytes_per_tick = 10.0 / 60;
	assert_int_equal(sentences_summary(a, &second), 0);
	assert_string_equal(second, "possible leak in server.service: 56.0 MiB in 8,210 blocks, "
				    "+240 bytes per day, x?[31m? (libserver.so.1)");
	free((char *)a->frames[1].function);
	a->frames[1].function = NULL;
	free(a->service);
	a->service = NULL;
	a->state = TREND_STOPPED;
	assert_int_equal(sentences_summary(a, &third), 0);
	assert_string_equal(third, "leak that has stopped in server: 56.0 MiB in 8,210 blocks, "
				   "libserver.so.1");
}

static void test_words(void **state)
{
	(void)state;
	assert_string_equal(words_bytes(0).text, "0 bytes");
	assert_string_equal(words_bytes(1).text, "1 byte");
	assert_string_equal(words_bytes(-5).text, "0 bytes");
	assert_string_equal(words_bytes(1023.6).text, "1.0 KiB");
	assert_string_equal(words_bytes(1048575).text, "1.0 MiB");
	assert_string_equal(words_bytes(1e30).text, "888178419700125.2 PiB");
	assert_string_equal(words_count(999).text, "999");
	assert_string_equal(words_count(1000).text, "1,000");
	assert_string_equal(words_count(1234567.4).text, "1,234,567");
	assert_string_equal(words_count(NAN).text, "0");
	assert_string_equal(words_blocks(1).text, "1 block");
	assert_string_equal(words_blocks(0).text, "0 blocks");
	assert_string_equal(words_duration(0.05).text, "50 ms");
	assert_string_equal(words_duration(1.26).text, "1.3 s");
	assert_string_equal(words_duration(119).text, "119 s");
	assert_string_equal(words_duration(120).text, "2 min");
	assert_string_equal(words_duration(5400).text, "90 min");
	assert_string_equal(words_duration(9000).text, "2.5 h");
	assert_string_equal(words_duration(172800).text, "2 d");
	assert_string_equal(words_duration(INFINITY).text, "ever");
	assert_string_equal(words_share(0).text, "0 %");
	assert_string_equal(words_share(1e-6).text, "less than 0.01 %");
	assert_string_equal(words_share(0.0042).text, "0.42 %");
	assert_string_equal(words_share(0.5).text, "50 %");
	assert_string_equal(words_time(0).text, "");
	assert_string_equal(words_time(BEGAN_MS).text, "2026-03-01 00:00 UTC");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_leak),
		cmocka_unit_test(test_scaled),
		cmocka_unit_test(test_gaps_and_deaths),
		cmocka_unit_test(test_hint),
		cmocka_unit_test(test_hint_of_objects),
		cmocka_unit_test(test_suspect),
		cmocka_unit_test(test_holds),
		cmocka_unit_test(test_known),
		cmocka_unit_test(test_few_blocks),
		cmocka_unit_test(test_exhaustion),
		cmocka_unit_test(test_states),
		cmocka_unit_test(test_no_wall_clock),
		cmocka_unit_test(test_summary),
		cmocka_unit_test(test_words),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
