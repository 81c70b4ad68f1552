// SPDX-License-Identifier: GPL-2.0-or-later
/* alert/events.c: numbers, what is kept, who missed how many. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <stdio.h>

#include "alert/events.h"
#include "unit/alert_fixture.h"

static void test_numbers(void **state)
{
	_cleanup_(events_freep) struct events *e = events_new();
	_cleanup_(alert_freep) struct alert *a = fixture_alert(7, 1);
	const struct event_record *r;
	json_auto_t *o = NULL;
	uint64_t missed = 9;

	(void)state;
	assert_int_equal(events_last_id(e), 0);
	assert_null(events_next(e, 0, &missed));
	assert_int_equal(missed, 0);
	events_start_at(e, 41);
	assert_int_equal(events_add(e, ALERT_OPENED, a, BEGAN_MS), 0);
	events_start_at(e, 100);
	assert_int_equal(events_add(e, ALERT_GREW, a, BEGAN_MS + 5), 0);
	assert_int_equal(events_last_id(e), 42);

	r = events_next(e, 0, &missed);
	assert_int_equal(r->id, 41);
	assert_int_equal(missed, 40);
	assert_int_equal(r->leak, 7);
	assert_int_equal(r->uid, 33);
	assert_null(strchr(r->json, '\n'));
	o = json_loads(r->json, 0, NULL);
	assert_string_equal(json_string_value(json_object_get(o, "id")), "41");
	assert_string_equal(json_string_value(json_object_get(o, "event")), "opened");
	assert_string_equal(json_string_value(json_object_get(o, "time")),
			    "2026-03-01T00:00:00.000Z");
	assert_string_equal(
		json_string_value(json_object_get(json_object_get(o, "leak"), "service")),
		"server.service");
	r = events_next(e, 41, &missed);
	assert_int_equal(r->id, 42);
	assert_int_equal(missed, 0);
	assert_null(events_next(e, 42, &missed));
	assert_int_equal(missed, 0);
	/* From another daemon's time. */
	assert_null(events_next(e, 1000, &missed));
	assert_int_equal(missed, 0);
}

static struct event_record restored(uint64_t id, size_t bytes)
{
	struct event_record r = { .id = id, .time_ms = 1, .event = ALERT_OPENED };

	r.json = malloc(bytes + 1);
	memset(r.json, 'x', bytes);
	r.json[bytes] = '\0';
	return r;
}

static void test_restore(void **state)
{
	_cleanup_(events_freep) struct events *e = events_new();
	struct event_record r = restored(5, 2);
	uint64_t missed;

	(void)state;
	assert_int_equal(events_restore(e, &r), 0);
	r = restored(5, 2);
	assert_int_equal(events_restore(e, &r), -EINVAL);
	r = restored(9, 2);
	assert_int_equal(events_restore(e, &r), 0);
	assert_int_equal(events_last_id(e), 9);
	assert_int_equal(events_next(e, 5, &missed)->id, 9);
	assert_int_equal(missed, 3);
	assert_int_equal(events_next(e, 7, &missed)->id, 9);
	assert_int_equal(missed, 1);
}

static void test_bounds(void **state)
{
	_cleanup_(events_freep) struct events *e = events_new();
	struct event_record r;
	uint64_t missed;

	(void)state;
	for (uint64_t id = 1; id <= EVENTS_KEPT + 10; id++) {
		r = restored(id, 2);
		assert_int_equal(events_restore(e, &r), 0);
	}
	assert_int_equal(events_next(e, 0, &missed)->id, 11);
	assert_int_equal(missed, 10);
	assert_int_equal(events_next(e, 5, &missed)->id, 11);
	assert_int_equal(missed, 5);
	assert_int_equal(events_next(e, 1000, &missed)->id, 1001);
	assert_int_equal(missed, 0);
	/* Many small ones go for a large one, which stays whatever its size. */
	r = restored(EVENTS_KEPT + 11, EVENTS_BYTES_KEPT - 6);
	assert_int_equal(events_restore(e, &r), 0);
	assert_int_equal(events_next(e, 0, &missed)->id, EVENTS_KEPT + 8);
	r = restored(EVENTS_KEPT + 12, EVENTS_BYTES_KEPT + 1);
	assert_int_equal(events_restore(e, &r), 0);
	assert_int_equal(events_next(e, 0, &missed)->id, EVENTS_KEPT + 12);
	assert_int_equal(missed, EVENTS_KEPT + 11);
}

struct follower {
	struct events *events;
	struct event_follower *handle, *other;
	const struct alert *a;
	unsigned called;
	unsigned leaves_after;
	bool adds;
};

static void follow(void *userdata)
{
	struct follower *f = userdata;

	f->called++;
	if (f->called == f->leaves_after) {
		events_unfollow(f->events, f->handle);
		events_unfollow(f->events, f->other);
		f->other = NULL;
	}
	if (f->adds && f->called == 1)
		assert_int_equal(events_add(f->events, ALERT_GREW, f->a, 2), 0);
}

static void test_followers(void **state)
{
	_cleanup_(events_freep) struct events *e = events_new();
	_cleanup_(alert_freep) struct alert *a = fixture_alert(7, 1);
	struct follower one = { .events = e, .a = a }, two = one, three = one;

	(void)state;
	assert_int_equal(events_follow(e, follow, &one, &one.handle), 0);
	assert_int_equal(events_follow(e, follow, &two, &two.handle), 0);
	assert_int_equal(events_follow(e, follow, &three, &three.handle), 0);
	/* From inside its call, two goes and takes three with it; one causes an event itself. */
	two.leaves_after = 2;
	two.other = three.handle;
	one.adds = true;
	events_add(e, ALERT_OPENED, a, 1);
	assert_int_equal(one.called, 2);
	assert_int_equal(two.called, 2);
	assert_int_equal(events_last_id(e), 2);
	events_add(e, ALERT_OPENED, a, 3);
	assert_int_equal(one.called, 3);
	assert_int_equal(two.called, 2);
	assert_true(three.called >= 1 && three.called <= 2);
	events_unfollow(e, one.handle);
	events_unfollow(e, NULL);
	events_add(e, ALERT_OPENED, a, 4);
	assert_int_equal(one.called, 3);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_numbers),
		cmocka_unit_test(test_restore),
		cmocka_unit_test(test_bounds),
		cmocka_unit_test(test_followers),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
