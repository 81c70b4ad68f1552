// SPDX-License-Identifier: GPL-2.0-or-later
/* alert/book.c and book_take.c: what becomes an event, and what is kept. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include "alert/book.h"
#include "unit/alert_heard.h"

/* Suspected, told, told again, stopped, gone. */
static void test_life(void **state)
{
	struct heard heard;
	_cleanup_(alert_book_freep) struct alert_book *b = book_with(&heard);
	const struct alert *a;

	(void)state;
	assert_int_equal(take(b, 1, TREND_SUSPECT, TREND_SUSPECTED, 2, 100), 0);
	expect(&heard, "s");
	a = alert_book_find(b, 7);
	assert_false(a->is_told);
	assert_int_equal(a->opened_ms, 0);
	assert_int_equal(alert_book_count_open(b), 0);

	assert_int_equal(take(b, 1, TREND_LEAKING, TREND_OPENED, 2, 200), 0);
	expect(&heard, "O");
	a = alert_book_find(b, 7);
	assert_true(a->is_told);
	assert_int_equal(a->opened_ms, 200);
	assert_int_equal(a->changed_ms, 200);
	assert_int_equal(a->times_told, 1);
	assert_int_equal(alert_book_count_open(b), 1);

	take(b, 1, TREND_LEAKING, TREND_NOTHING, 2, 300);
	expect(&heard, "");
	take(b, 1, TREND_LEAKING, TREND_GREW, 4, 400);
	expect(&heard, "G");
	take(b, 1, TREND_STOPPED, TREND_HAS_STOPPED, 0, 500);
	expect(&heard, "T");
	a = alert_book_find(b, 7);
	assert_int_equal(a->opened_ms, 200);
	assert_int_equal(a->closed_ms, 500);
	assert_int_equal(a->times_told, 2);
	assert_int_equal(alert_book_count_open(b), 0);
	take(b, 1, TREND_LEAKING, TREND_RESUMED, 4, 600);
	expect(&heard, "R");
	assert_int_equal(alert_book_find(b, 7)->closed_ms, 0);
	take(b, 1, TREND_RESOLVED, TREND_HAS_RESOLVED, 0, 700);
	expect(&heard, "V");
	/* It was told of as resolved: that the process ends as well is no news. */
	alert_book_target_ended(b, 1, 800);
	expect(&heard, "");
	a = alert_book_find(b, 7);
	assert_int_equal(a->state, TREND_RESOLVED);
	assert_int_equal(a->target, 0);
	assert_int_equal(a->n_stacks, 0);
}

static void forget(uint64_t id, void *userdata)
{
	*(uint64_t *)userdata += id;
}

static void test_suspects_are_forgotten(void **state)
{
	struct heard heard;
	_cleanup_(alert_book_freep) struct alert_book *b = book_with(&heard);
	uint64_t forgotten = 0;

	(void)state;
	alert_book_listen_forgotten(b, forget, &forgotten);
	take(b, 1, TREND_QUIET, TREND_NOTHING, 0, 50);
	assert_null(alert_book_find(b, 7));
	take(b, 1, TREND_SUSPECT, TREND_SUSPECTED, 2, 100);
	take(b, 1, TREND_QUIET, TREND_CLEARED, 0, 200);
	expect(&heard, "sc");
	assert_false(heard.last_kept);
	assert_null(alert_book_find(b, 7));
	assert_int_equal(forgotten, 7);

	take(b, 1, TREND_SUSPECT, TREND_SUSPECTED, 2, 300);
	alert_book_target_ended(b, 1, 400);
	expect(&heard, "sc");
	assert_null(alert_book_find(b, 7));

	assert_int_equal(forgotten, 14);

	/* Not one that a person has answered to. */
	take(b, 1, TREND_SUSPECT, TREND_SUSPECTED, 2, 500);
	assert_int_equal(alert_book_mark(b, 7, ALERT_FALSE, 510), 0);
	take(b, 1, TREND_QUIET, TREND_CLEARED, 0, 600);
	expect(&heard, "smc");
	assert_true(heard.last_kept);
	assert_int_equal(alert_book_find(b, 7)->mark, ALERT_FALSE);
	assert_int_equal(alert_book_find(b, 7)->state, TREND_QUIET);
	assert_int_equal(alert_book_find(b, 7)->closed_ms, 600);
	assert_int_equal(forgotten, 14);
}

static void test_later_lives(void **state)
{
	struct heard heard;
	_cleanup_(alert_book_freep) struct alert_book *b = book_with(&heard);

	(void)state;
	take(b, 1, TREND_LEAKING, TREND_OPENED, 2, 100);
	alert_book_target_ended(b, 1, 200);
	expect(&heard, "OX");
	assert_int_equal(alert_book_find(b, 7)->state, TREND_CLOSED);
	assert_int_equal(alert_book_find(b, 7)->closed_ms, 200);

	/* The next life confirms it: it goes on, and people know already. */
	take(b, 2, TREND_SUSPECT, TREND_SUSPECTED, 2, 300);
	take(b, 2, TREND_LEAKING, TREND_CONTINUED, 2, 400);
	expect(&heard, "sR");
	assert_int_equal(alert_book_find(b, 7)->times_told, 1);
	assert_int_equal(alert_book_find(b, 7)->opened_ms, 100);
	assert_int_equal(alert_book_find(b, 7)->pid, 1002);

	/* Unless it is twice as fast as it was. */
	alert_book_target_ended(b, 2, 500);
	take(b, 3, TREND_LEAKING, TREND_CONTINUED, 4.1, 600);
	expect(&heard, "XG");
	assert_int_equal(alert_book_find(b, 7)->times_told, 2);
	/* Another time in the same life, after it was freed: an alert of its own. */
	take(b, 3, TREND_RESOLVED, TREND_HAS_RESOLVED, 0, 700);
	take(b, 3, TREND_LEAKING, TREND_OPENED, 4.1, 800);
	expect(&heard, "VO");
}

static void take_part(struct alert_book *b, uint64_t part, enum trend_state to,
		      enum trend_event event, double mib_per_hour, uint64_t now)
{
	struct alert *a = fixture_alert(7, 1);

	a->part = part;
	a->state = to;
	a->evidence.state = to;
	a->evidence.bytes_per_tick = mib_per_hour * MiB / 60;
	assert_int_equal(alert_book_take(b, a, event, now), 0);
}

/* Two lines of one function have one name, and so one entry. */
static void test_parts_of_one_process(void **state)
{
	struct heard heard;
	_cleanup_(alert_book_freep) struct alert_book *b = book_with(&heard);

	(void)state;
	take_part(b, 3, TREND_LEAKING, TREND_OPENED, 2, 100);
	take_part(b, 5, TREND_SUSPECT, TREND_SUSPECTED, 1, 100);
	take_part(b, 3, TREND_LEAKING, TREND_NOTHING, 2, 200);
	take_part(b, 5, TREND_LEAKING, TREND_OPENED, 1, 200);
	expect(&heard, "O");
	/* One of them stops, which every later evaluation finds again. */
	take_part(b, 3, TREND_STOPPED, TREND_HAS_STOPPED, 0, 300);
	take_part(b, 5, TREND_LEAKING, TREND_NOTHING, 1, 300);
	take_part(b, 3, TREND_STOPPED, TREND_NOTHING, 0, 400);
	take_part(b, 5, TREND_LEAKING, TREND_NOTHING, 1, 400);
	expect(&heard, "");
	assert_int_equal(alert_book_find(b, 7)->state, TREND_LEAKING);
	assert_int_equal(alert_book_find(b, 7)->part, 5);
	take_part(b, 5, TREND_STOPPED, TREND_HAS_STOPPED, 0, 500);
	take_part(b, 3, TREND_STOPPED, TREND_NOTHING, 0, 500);
	expect(&heard, "T");
	alert_book_target_ended(b, 1, 600);
	expect(&heard, "X");
	assert_int_equal(alert_book_find(b, 7)->state, TREND_CLOSED);
}

static void test_exhaustion_that_is_a_leak(void **state)
{
	struct heard heard;
	_cleanup_(alert_book_freep) struct alert_book *b = book_with(&heard);

	(void)state;
	take(b, 1, TREND_EXHAUSTION, TREND_OPENED, 2, 100);
	take(b, 1, TREND_LEAKING, TREND_OPENED, 2, 200);
	expect(&heard, "OO");
	assert_int_equal(alert_book_find(b, 7)->times_told, 2);
	/* What nobody heard of is told, also if the detector told somebody earlier. */
	{
		struct heard other;
		_cleanup_(alert_book_freep) struct alert_book *c = book_with(&other);

		take(c, 1, TREND_LEAKING, TREND_NOTHING, 2, 100);
		expect(&other, "O");
	}
}

static void test_several_processes(void **state)
{
	struct heard heard;
	_cleanup_(alert_book_freep) struct alert_book *b = book_with(&heard);

	(void)state;
	take(b, 1, TREND_LEAKING, TREND_OPENED, 2, 100);
	take(b, 2, TREND_LEAKING, TREND_OPENED, 2.2, 110);
	take(b, 3, TREND_SUSPECT, TREND_SUSPECTED, 9, 120);
	expect(&heard, "O");
	assert_int_equal(alert_book_find(b, 7)->target, 1);
	/* Clearly faster: it is shown, but only one twice as fast is told again. */
	take(b, 2, TREND_LEAKING, TREND_NOTHING, 3, 130);
	assert_int_equal(alert_book_find(b, 7)->target, 2);
	expect(&heard, "");
	take(b, 4, TREND_LEAKING, TREND_OPENED, 6, 140);
	expect(&heard, "G");
	assert_int_equal(alert_book_find(b, 7)->target, 4);
	/* What happens to one that is not shown is no event. */
	take(b, 1, TREND_LEAKING, TREND_GREW, 4, 150);
	take(b, 1, TREND_STOPPED, TREND_HAS_STOPPED, 0, 160);
	alert_book_target_ended(b, 1, 170);
	expect(&heard, "");

	/* The one that is shown stops; it is not shown for a state that is not the entry's. */
	take(b, 4, TREND_STOPPED, TREND_HAS_STOPPED, 1, 180);
	assert_int_equal(alert_book_find(b, 7)->evidence.state, TREND_LEAKING);
	take(b, 2, TREND_LEAKING, TREND_NOTHING, 3, 190);
	assert_int_equal(alert_book_find(b, 7)->target, 2);
	take(b, 4, TREND_LEAKING, TREND_RESUMED, 6, 195);
	assert_int_equal(alert_book_find(b, 7)->target, 4);
	expect(&heard, "");

	/* The one that is shown ends; the others still leak. */
	alert_book_target_ended(b, 4, 200);
	expect(&heard, "");
	assert_int_equal(alert_book_find(b, 7)->state, TREND_LEAKING);
	assert_int_equal(alert_book_find(b, 7)->target, 0);
	take(b, 2, TREND_LEAKING, TREND_NOTHING, 3, 210);
	assert_int_equal(alert_book_find(b, 7)->target, 2);
	/* Only the suspect is left: what was told does not fall back to a suspicion. */
	alert_book_target_ended(b, 2, 220);
	assert_int_equal(alert_book_find(b, 7)->state, TREND_LEAKING);
	expect(&heard, "");
	alert_book_target_ended(b, 3, 230);
	expect(&heard, "X");
	assert_int_equal(alert_book_find(b, 7)->state, TREND_CLOSED);
}

static void test_last_finding_stands(void **state)
{
	struct heard heard;
	_cleanup_(alert_book_freep) struct alert_book *b = book_with(&heard);
	struct alert *empty = fixture_alert(7, 1);
	const struct alert *a;

	(void)state;
	take(b, 1, TREND_LEAKING, TREND_OPENED, 2, 100);
	empty->evidence = (struct trend_evidence){ .state = TREND_LEAKING, .live_bytes = 5 * MiB };
	empty->severity = TREND_LOW;
	while (empty->n_frames > 0) {
		struct frame *f = &empty->frames[--empty->n_frames];

		free((char *)f->function);
		free((char *)f->file);
		free((char *)f->module);
		free((char *)f->build_id);
	}
	assert_int_equal(alert_book_take(b, empty, TREND_NOTHING, 200), 0);
	a = alert_book_find(b, 7);
	assert_int_equal(a->severity, TREND_MEDIUM);
	assert_int_equal(a->evidence.channel, TREND_BY_COHORTS);
	assert_true(a->evidence.bytes_per_tick == 2 * MiB / 60);
	assert_true(a->evidence.live_bytes == 5 * MiB);
	assert_int_equal(a->n_frames, 2);
	assert_int_equal(a->changed_ms, 100);
}

static struct alert *small(uint64_t id, enum trend_state s, uint64_t changed_ms)
{
	struct alert *a = alert_new();

	a->id = id;
	a->target = (uint32_t)id;
	a->state = s;
	a->changed_ms = changed_ms;
	a->life.tick_seconds = 60;
	return a;
}

static void test_bounds(void **state)
{
	struct heard heard;
	_cleanup_(alert_book_freep) struct alert_book *b = alert_book_new();
	_cleanup_free_ const struct alert **list = NULL;
	size_t n;

	(void)state;
	heard = (struct heard){ 0 };
	for (uint64_t id = 1; id <= ALERT_BOOK_MAX; id++)
		assert_int_equal(
			alert_book_take(b, small(id, TREND_SUSPECT, 0), TREND_SUSPECTED, 10 + id),
			0);
	alert_book_listen(b, hear, &heard);
	/* Full of suspects: another one has no room, an alert has. */
	assert_int_equal(alert_book_take(b, small(5000, TREND_SUSPECT, 0), TREND_SUSPECTED, 9000),
			 -ENOSPC);
	assert_int_equal(alert_book_lost(b), 1);
	expect(&heard, "");
	assert_int_equal(alert_book_take(b, small(5001, TREND_LEAKING, 0), TREND_OPENED, 9001), 0);
	expect(&heard, "cO");
	assert_null(alert_book_find(b, 1));
	assert_non_null(alert_book_find(b, 2));
	/* A closed one makes room. */
	alert_book_target_ended(b, 5001, 9002);
	assert_int_equal(alert_book_take(b, small(5002, TREND_SUSPECT, 0), TREND_SUSPECTED, 9003),
			 0);
	assert_null(alert_book_find(b, 5001));
	assert_int_equal(alert_book_list(b, &list, &n), 0);
	assert_int_equal(n, ALERT_BOOK_MAX);
}

static void test_list(void **state)
{
	_cleanup_(alert_book_freep) struct alert_book *b = alert_book_new();
	_cleanup_free_ const struct alert **list = NULL;
	static const uint64_t order[] = { 3, 2, 1, 5, 4 };
	struct alert *a;
	size_t n;

	(void)state;
	for (uint64_t id = 1; id <= 3; id++) {
		a = small(id, TREND_LEAKING, 100);
		a->severity = id == 3 ? TREND_CRITICAL : TREND_HIGH;
		a->evidence.channel = TREND_BY_COHORTS;
		/* Without a forecast: further than any. */
		a->evidence.ticks_to_limit = id == 1 ? 0 : 50;
		assert_int_equal(alert_book_take(b, a, TREND_OPENED, 100), 0);
	}
	for (uint64_t id = 4; id <= 5; id++) {
		a = small(id, TREND_CLOSED, 1000 * id);
		a->severity = TREND_CRITICAL;
		a->closed_ms = 1000 * id;
		a->is_told = true;
		assert_int_equal(alert_book_restore(b, a), 0);
	}
	assert_int_equal(alert_book_restore(b, small(5, TREND_CLOSED, 1)), -EEXIST);
	assert_int_equal(alert_book_list(b, &list, &n), 0);
	assert_int_equal(n, 5);
	for (size_t i = 0; i < n; i++)
		assert_int_equal(list[i]->id, order[i]);
}

/* After a restart of the daemon: no verdict changes, and what ended meanwhile is closed. */
static void test_restore(void **state)
{
	struct heard heard;
	_cleanup_(alert_book_freep) struct alert_book *b = book_with(&heard);
	struct alert *a = fixture_alert(7, 0);

	(void)state;
	a->is_told = true;
	a->opened_ms = 50;
	a->times_told = 3;
	assert_int_equal(alert_book_restore(b, a), 0);
	a = fixture_alert(8, 0);
	a->is_told = true;
	a->opened_ms = 60;
	assert_int_equal(alert_book_restore(b, a), 0);
	/* The detector begins anew and only suspects as yet: the alert stands. */
	take(b, 1, TREND_SUSPECT, TREND_SUSPECTED, 2, 100);
	assert_int_equal(alert_book_find(b, 7)->state, TREND_LEAKING);
	take(b, 1, TREND_LEAKING, TREND_CONTINUED, 2, 200);
	expect(&heard, "");
	assert_int_equal(alert_book_find(b, 7)->times_told, 3);
	alert_book_close_unseen(b, NULL, NULL, 300);
	assert_int_equal(heard.last_id, 8);
	expect(&heard, "X");
	assert_int_equal(alert_book_find(b, 7)->state, TREND_LEAKING);
	assert_int_equal(alert_book_find(b, 8)->state, TREND_CLOSED);
	/* Nothing more is found: it has stopped, and goes with its process. */
	take(b, 1, TREND_QUIET, TREND_CLEARED, 0, 400);
	alert_book_target_ended(b, 1, 500);
	expect(&heard, "TX");
}

/* The daemon that comes next goes on with the same process: its end is the alert's. */
static void test_resume(void **state)
{
	struct heard heard;
	_cleanup_(alert_book_freep) struct alert_book *b = book_with(&heard);
	struct alert *a = fixture_alert(7, 0);
	uint64_t stacks[] = { 0xfedcba9876543210ull, 3 };
	const struct showing shown = {
		.target = 11,
		.part = 5,
		.state = TREND_LEAKING,
		.bytes_per_hour = 17,
		.stacks = stacks,
		.n_stacks = 2,
	};

	(void)state;
	a->is_told = true;
	a->opened_ms = 50;
	assert_int_equal(alert_book_restore(b, a), 0);
	assert_int_equal(alert_book_resume(b, 8, &shown, NULL), -ENOENT);
	assert_int_equal(alert_book_resume(b, 7, &shown, "4711-11"), 0);
	expect(&heard, "");
	assert_int_equal(alert_book_find(b, 7)->target, 11);
	assert_string_equal(alert_book_find(b, 7)->target_id, "4711-11");
	assert_int_equal(alert_book_find(b, 7)->n_stacks, 2);
	assert_true(alert_book_find(b, 7)->stacks[0] == stacks[0]);
	alert_book_target_ended(b, 12, 100);
	expect(&heard, "");
	alert_book_target_ended(b, 11, 200);
	expect(&heard, "X");
	assert_int_equal(alert_book_resume(b, 7, &shown, NULL), -ENOENT);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_life),
		cmocka_unit_test(test_suspects_are_forgotten),
		cmocka_unit_test(test_later_lives),
		cmocka_unit_test(test_parts_of_one_process),
		cmocka_unit_test(test_exhaustion_that_is_a_leak),
		cmocka_unit_test(test_several_processes),
		cmocka_unit_test(test_last_finding_stands),
		cmocka_unit_test(test_bounds),
		cmocka_unit_test(test_list),
		cmocka_unit_test(test_restore),
		cmocka_unit_test(test_resume),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
