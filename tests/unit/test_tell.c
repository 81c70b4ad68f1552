// SPDX-License-Identifier: GPL-2.0-or-later
/* monitor/tell.c, keep.c, points.c: findings on their way into the book, and what is kept. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <event2/event.h>
#include <stdlib.h>
#include <unistd.h>

#include "alert/events.h"
#include "detect/detector.h"
#include "history/history.h"
#include "monitor/detect.h"
#include "monitor/state.h"
#include "unit/alert_heard.h"

#define KEY 7

struct world {
	struct monitor monitor;
	struct tracked tracked;
	struct target target;
	struct trend_options trend;
	struct heard heard;
	char folder[32];
	char path[64];
};

static void on_alert(int event, const struct alert *a, void *userdata)
{
	hear((enum alert_event)event, a, userdata);
}

static void start(struct world *w)
{
	struct monitor *m = &w->monitor;

	assert_int_equal(tell_start(m), 0);
	m->on_alert = on_alert;
	m->on_alert_userdata = &w->heard;
}

static int set_up(void **state)
{
	struct world *w = calloc(1, sizeof(*w));
	struct monitor *m = &w->monitor;

	(void)snprintf(w->folder, sizeof(w->folder), "/tmp/seep-tell-XXXXXX");
	assert_non_null(mkdtemp(w->folder));
	(void)snprintf(w->path, sizeof(w->path), "%s/history.db", w->folder);
	m->options.tick_ns = 10000000000ull;
	m->options.detector_tick_ns = 60000000000ull;
	m->options.history_path = w->path;
	m->base = event_base_new();
	m->files = file_table_new();
	m->heap = heap_new();
	assert_true(m->base && m->files && m->heap);
	assert_int_equal(symbolizer_new(m->base, m->files, NULL, &m->symbolizer), 0);
	start(w);

	w->target = (struct target){ .key = KEY, .pid = 1009, .state = TARGET_TRACED };
	(void)snprintf(w->target.id, sizeof(w->target.id), "1009-7");
	(void)snprintf(w->target.comm, sizeof(w->target.comm), "server");
	w->tracked = (struct tracked){ .monitor = m, .target = &w->target };
	w->tracked.detector = detector_new(&(struct detector_options){
		.trend = &m->trend,
		.tick_ns = m->options.detector_tick_ns,
		.origin_ns = monotonic_ns(),
	});
	assert_non_null(w->tracked.detector);
	struct tracked *t = &w->tracked;
	HASH_ADD_KEYPTR(by_key, m->tracked, &t->target->key, sizeof(t->target->key), t);
	*state = w;
	return 0;
}

static int tear_down(void **state)
{
	struct world *w = *state;
	struct monitor *m = &w->monitor;
	char command[64];

	tell_stop(m);
	detector_free(w->tracked.detector);
	HASH_CLEAR(by_key, m->tracked);
	symbolizer_free(m->symbolizer);
	heap_free(m->heap);
	file_table_free(m->files);
	event_base_free(m->base);
	(void)snprintf(command, sizeof(command), "rm -r %s", w->folder);
	assert_int_equal(system(command), 0);
	free(w);
	return 0;
}

/* An alert about the process, on its way until the loop has run. */
static void find(struct world *w, enum trend_state to, enum trend_event event)
{
	struct trend_evidence evidence = fixture_evidence();
	const struct detector_finding f = {
		.scope = DETECTOR_PROCESS,
		.event = event,
		.evidence = &evidence,
	};

	evidence.state = to;
	assert_int_equal(tell_finding(&w->monitor, &w->tracked, &f), 0);
}

static void run(struct world *w)
{
	assert_int_equal(symbolizer_drain(w->monitor.symbolizer, 10000000000ull), 0);
	assert_null(w->monitor.tellings);
}

static const struct alert *only_alert(struct world *w)
{
	const struct alert **list, *a;
	size_t n;

	assert_int_equal(alert_book_list(w->monitor.alerts, &list, &n), 0);
	assert_int_equal(n, 1);
	a = list[0];
	free(list);
	return a;
}

/* As life_exited() does it. */
static void end_life(struct world *w)
{
	w->target.state = TARGET_EXITED;
	detect_end(&w->monitor, &w->tracked, TREND_ENDED);
}

static void a_finding_is_told_and_closed_at_the_end(void **state)
{
	struct world *w = *state;

	find(w, TREND_LEAKING, TREND_OPENED);
	expect(&w->heard, "");
	run(w);
	expect(&w->heard, "O");
	assert_int_equal(only_alert(w)->target, KEY);
	end_life(w);
	expect(&w->heard, "X");
}

/* Nothing comes of this process any more that could close it. */
static void a_finding_that_comes_after_the_end_is_closed(void **state)
{
	struct world *w = *state;

	find(w, TREND_LEAKING, TREND_OPENED);
	end_life(w);
	run(w);
	expect(&w->heard, "OX");
	assert_int_equal(only_alert(w)->state, TREND_CLOSED);
	assert_int_equal(only_alert(w)->target, 0);
}

static void a_finding_of_a_target_that_is_forgotten_is_closed(void **state)
{
	struct world *w = *state;

	find(w, TREND_LEAKING, TREND_OPENED);
	end_life(w);
	HASH_CLEAR(by_key, w->monitor.tracked);
	run(w);
	expect(&w->heard, "OX");
	assert_int_equal(only_alert(w)->state, TREND_CLOSED);
}

/* Nobody hears of its end, but a later daemon must not take it for open. */
static void a_suppressed_alert_is_kept_as_closed(void **state)
{
	struct world *w = *state;
	uint64_t id;

	find(w, TREND_LEAKING, TREND_OPENED);
	run(w);
	id = only_alert(w)->id;
	assert_int_equal(alert_book_suppress(w->monitor.alerts, id, true, wall_ms()), 0);
	end_life(w);
	expect(&w->heard, "Os");
	tell_stop(&w->monitor);
	start(w);
	assert_int_equal(only_alert(w)->id, id);
	assert_int_equal(only_alert(w)->state, TREND_CLOSED);
	assert_true(only_alert(w)->closed_ms > 0);
}

/* A slow leak takes long to be found again after a restart of the daemon. */
static void an_alert_of_a_service_that_is_watched_is_open_for_longer(void **state)
{
	struct world *w = *state;
	struct monitor *m = &w->monitor;
	const uint64_t day_ns = 1440 * m->options.detector_tick_ns;
	struct detector *d = w->tracked.detector;

	find(w, TREND_LEAKING, TREND_OPENED);
	run(w);
	tell_stop(m);
	start(w);
	expect(&w->heard, "O");
	tell_close_unseen(m);
	m->started_ns -= day_ns + 1;
	tell_close_unseen(m);
	expect(&w->heard, "");
	/* Its process has ended; then another one is watched. */
	w->tracked.detector = NULL;
	tell_close_unseen(m);
	expect(&w->heard, "X");
	w->tracked.detector = d;
	find(w, TREND_LEAKING, TREND_OPENED);
	run(w);
	tell_stop(m);
	start(w);
	expect(&w->heard, "O");
	m->started_ns -= 9 * day_ns + 1;
	tell_close_unseen(m);
	expect(&w->heard, "X");
}

static struct site *add_site(struct world *w, uint64_t stack, uint64_t live, uint64_t leak_id,
			     uint64_t shared)
{
	const struct totals totals = {
		.allocated_bytes = live + 1000,
		.allocated_count = 5,
		.freed_bytes = 1000,
		.freed_count = 2,
	};
	struct site *s;

	assert_int_equal(heap_update(w->monitor.heap, KEY, stack, &totals, 1, &s), 1);
	s->leak_id = leak_id;
	s->frames_leak_id = shared;
	return s;
}

/* The live bytes that the history has of a site; -1: nothing. */
static double kept_of(struct world *w, uint64_t site)
{
	const struct history_key key = { .service = "server", .site = site };
	struct history_point *points;
	double bytes;
	size_t n;

	if (history_read(w->monitor.history, &key, 0, UINT64_MAX / 2, 10, &points, &n) < 0)
		return -1;
	assert_int_equal(n, 1);
	bytes = points[0].live_bytes;
	free(points);
	return bytes;
}

static void stacks_and_what_they_share_have_a_history(void **state)
{
	struct world *w = *state;

	add_site(w, 3, 300, 1003, 2001);
	add_site(w, 5, 500, 1005, 2001);
	add_site(w, 7, 700, 1007, 2003);
	/* Of this one the stack is no longer than what others share with it. */
	add_site(w, 11, 1100, 2005, 2005);
	add_site(w, 13, 1300, 1013, 2005);
	/* No names yet. */
	add_site(w, 17, 1700, 0, 0);
	points_take(&w->monitor);
	assert_true(kept_of(w, 0) == 300 + 500 + 700 + 1100 + 1300 + 1700);
	assert_true(kept_of(w, 1003) == 300);
	assert_true(kept_of(w, 1005) == 500);
	assert_true(kept_of(w, 2001) == 800);
	assert_true(kept_of(w, 2003) < 0);
	assert_true(kept_of(w, 2005) == 1100);
}

int main(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)
	const struct CMUnitTest tests[] = {
		TEST(a_finding_is_told_and_closed_at_the_end),
		TEST(a_finding_that_comes_after_the_end_is_closed),
		TEST(a_finding_of_a_target_that_is_forgotten_is_closed),
		TEST(a_suppressed_alert_is_kept_as_closed),
		TEST(an_alert_of_a_service_that_is_watched_is_open_for_longer),
		TEST(stacks_and_what_they_share_have_a_history),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
