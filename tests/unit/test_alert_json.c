// SPDX-License-Identifier: GPL-2.0-or-later
/* alert/alert_json.c and alert_read.c: what is shown, and that a restart loses none of it. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <stdio.h>

#include "alert/events.h"
#include "base/wall.h"
#include "symbolize/frame_json.h"
#include "unit/alert_fixture.h"

static const char *text_of(const json_t *o, const char *key)
{
	const char *text = json_string_value(json_object_get(o, key));

	assert_non_null(text);
	return text;
}

static void test_shown(void **state)
{
	_cleanup_(alert_freep) struct alert *a = fixture_alert(0xabcdef, 5);
	json_auto_t *o = NULL;
	json_t *limit, *frame;

	(void)state;
	a->is_told = true;
	a->opened_ms = BEGAN_MS + 1500 * 60000 + 7;
	a->sampling_error_bytes = 1000.6;
	assert_int_equal(alert_to_json(a, &o), 0);
	assert_string_equal(text_of(o, "id"), "0000000000abcdef");
	assert_string_equal(text_of(o, "scope"), "stack");
	assert_string_equal(text_of(o, "state"), "leaking");
	assert_string_equal(text_of(o, "severity"), "medium");
	assert_string_equal(text_of(o, "opened_at"), "2026-03-02T01:00:00.007Z");
	assert_true(json_is_null(json_object_get(o, "closed_at")));
	assert_string_equal(text_of(o, "target"), "1005-5");
	assert_string_equal(text_of(o, "since"), "2026-03-01T00:30:00.000Z");
	assert_int_equal(json_integer_value(json_object_get(o, "bytes_per_hour")), 2097152);
	assert_int_equal(json_integer_value(json_object_get(o, "leaked_bytes")), 56 * 1048576);
	assert_int_equal(json_integer_value(json_object_get(o, "error_bytes")), 1001);
	assert_string_equal(text_of(o, "confidence_word"), "almost certain");
	assert_string_equal(text_of(o, "channel"), "cohorts");
	assert_true(json_is_null(json_object_get(o, "hold")));
	assert_true(json_is_null(json_object_get(o, "mark")));
	assert_true(json_is_null(json_object_get(o, "growth_bytes")));
	limit = json_object_get(o, "limit");
	assert_true(json_real_value(json_object_get(limit, "seconds_to_limit")) == 30720 * 60.0);
	assert_true(json_is_null(json_object_get(limit, "seconds_to_limit_high")));
	assert_string_equal(text_of(limit, "reached_at"), "2026-03-23T14:00:00.000Z");
	frame = json_array_get(json_object_get(o, "frames"), 1);
	assert_string_equal(text_of(frame, "function"), "session_open");
	assert_int_equal(json_integer_value(json_object_get(frame, "line")), 42);
	assert_true(json_array_size(json_object_get(o, "evidence")) > 5);
}

/* Nothing that is over nears its limit. */
static void test_over(void **state)
{
	_cleanup_(alert_freep) struct alert *a = fixture_alert(1, 0);
	json_auto_t *o = NULL;
	json_t *limit;

	(void)state;
	a->state = TREND_CLOSED;
	assert_int_equal(alert_to_json(a, &o), 0);
	limit = json_object_get(o, "limit");
	assert_true(json_is_null(json_object_get(limit, "seconds_to_limit")));
	assert_true(json_is_null(json_object_get(limit, "reached_at")));
	assert_true(json_is_null(json_object_get(o, "target")));
	assert_true(json_is_null(json_object_get(o, "would_disprove")));
}

static void fill(struct alert *a)
{
	a->is_told = true;
	a->opened_ms = BEGAN_MS + 1;
	a->changed_ms = BEGAN_MS + 2;
	a->closed_ms = BEGAN_MS + 3;
	a->times_told = 4;
	a->sampling_error_bytes = 77;
	a->growth_bytes = 60 * MiB;
	a->explained_bytes = 58 * MiB;
	a->is_acknowledged = true;
	a->note = strdup("seen \"it\"");
	a->suppressed_by = strdup("leak:foo");
	a->mark = ALERT_FALSE;
	a->cgroup = strdup("/system.slice/server.service");
	a->n_bars = 2;
	a->bars[0] = (struct alert_survivors){ BEGAN_MS, 100, 3, 4096 };
	a->bars[1] = (struct alert_survivors){ BEGAN_MS + 7200000, 90, 2, 2048 };
	a->evidence.hold = TREND_HELD_BY_LOSSES;
	a->evidence.event = TREND_GREW;
	a->evidence.carry = 0.1;
	a->evidence.known = 1.0 / 3;
	a->evidence.lost_share = 1e-5;
	a->evidence.lives = 3;
	a->evidence.proven_bytes = 12345.678;
	a->evidence.freed_beyond = 2;
	a->prior_odds = 0.3;
}

/* Through text, as the history keeps it. */
static void test_round_trip(void **state)
{
	_cleanup_(alert_freep) struct alert *a = fixture_alert(0xffffffffffffffff, 5), *back = NULL;
	json_auto_t *o = NULL, *parsed = NULL, *again = NULL;
	_cleanup_free_ char *text = NULL;

	(void)state;
	fill(a);
	/* As they come back: of a daemon that is gone. */
	assert_int_equal(alert_to_json(a, &o), 0);
	text = json_dumps(o, JSON_COMPACT);
	parsed = json_loads(text, 0, NULL);
	assert_int_equal(alert_from_json(parsed, &back), 0);
	assert_int_equal(back->target, 0);
	assert_int_equal(back->n_stacks, 0);
	assert_true(back->id == UINT64_MAX);

	back->target = a->target;
	memcpy(back->target_id, a->target_id, sizeof(a->target_id));
	back->n_stacks = a->n_stacks;
	assert_int_equal(alert_to_json(back, &again), 0);
	back->n_stacks = 0;
	assert_true(json_equal(parsed, again));
	/* What has no padding compares by bytes. */
	assert_memory_equal(back->evidence.window.slices, a->evidence.window.slices,
			    sizeof(a->evidence.window.slices));
	assert_memory_equal(&back->evidence.window_rate, &a->evidence.window_rate,
			    sizeof(a->evidence.window_rate));
	assert_true(back->evidence.known == 1.0 / 3);
	assert_true(back->evidence.proven_bytes == 12345.678);
	assert_true(back->evidence.leaked_blocks == 8210);
	assert_true(isinf(back->evidence.ticks_to_limit_high));
	assert_int_equal(back->evidence.event, TREND_GREW);
	assert_int_equal(back->evidence.hold, TREND_HELD_BY_LOSSES);
	assert_int_equal(back->evidence.lives, 3);
	assert_string_equal(back->note, a->note);
	assert_int_equal(back->bars[1].from_ms, BEGAN_MS + 7200000);
	assert_true(back->life.tick_seconds == 60);
	assert_true(back->prior_odds == 0.3);
	assert_int_equal(back->life.began_ms, BEGAN_MS);
}

/* Every number of the evidence: each member is set to a value of its own, and must come back. */
static void test_evidence_is_whole(void **state)
{
	_cleanup_(alert_freep) struct alert *a = fixture_alert(1, 0), *back = NULL;
	json_auto_t *o = NULL;
	struct trend_evidence *e = &a->evidence;
	double next = 0.1;

	(void)state;
	for (double *p = &e->leaked_bytes; p <= &e->leaked_blocks; p++)
		*p = next++;
	for (double *p = &e->window_rate.time; p <= &e->lost_share; p++)
		*p = next++;
	e->confidence = next++;
	e->e_value = next++;
	e->presence.share = next++;
	e->window.sum = (struct slice){ next + 1, next + 2, next + 3, next + 4 };
	e->window.from = 101;
	e->presence = (struct presence){ 11, 10, 9, 3, next };
	e->lives = UINT32_MAX;
	assert_int_equal(alert_to_json(a, &o), 0);
	assert_int_equal(alert_from_json(o, &back), 0);
	assert_memory_equal(&back->evidence.leaked_bytes, &e->leaked_bytes, 2 * sizeof(double));
	assert_memory_equal(&back->evidence.window_rate, &e->window_rate,
			    offsetof(struct trend_evidence, lives) -
				    offsetof(struct trend_evidence, window_rate));
	assert_memory_equal(&back->evidence.presence, &e->presence, sizeof(e->presence));
	assert_memory_equal(&back->evidence.window, &e->window, offsetof(struct window, slices));
	assert_memory_equal(&back->evidence.window.sum, &e->window.sum, sizeof(e->window.sum));
	assert_true(back->evidence.confidence == e->confidence);
	assert_true(back->evidence.e_value == e->e_value);
	assert_int_equal(back->evidence.lives, UINT32_MAX);
	assert_int_equal(back->evidence.now, e->now);
	assert_int_equal(back->evidence.since, e->since);
	assert_int_equal(back->evidence.until, e->until);
}

static int read_changed(const char *from, const char *to)
{
	_cleanup_(alert_freep) struct alert *a = fixture_alert(1, 5), *back = NULL;
	_cleanup_free_ char *text = NULL, *changed = NULL;
	json_auto_t *o = NULL, *parsed = NULL;
	const char *at;

	fill(a);
	assert_int_equal(alert_to_json(a, &o), 0);
	text = json_dumps(o, JSON_COMPACT);
	at = strstr(text, from);
	if (!at)
		fail_msg("%s is not in %s", from, text);
	assert_true(asprintf(&changed, "%.*s%s%s", (int)(at - text), text, to, at + strlen(from)) >
		    0);
	parsed = json_loads(changed, JSON_ALLOW_NUL, NULL);
	if (!parsed)
		fail_msg("%s is no JSON", changed);
	return alert_from_json(parsed, &back);
}

static void test_not_trusted(void **state)
{
	static const struct {
		const char *from, *to;
	} cases[] = {
		{ "\"id\":\"0000000000000001\"", "\"id\":\"1\"" },
		{ "\"id\":\"0000000000000001\"", "\"id\":\"000000000000000g\"" },
		{ "\"state\":\"leaking\"", "\"state\":\"leak\"" },
		{ "\"severity\":\"medium\"", "\"severity\":7" },
		{ "\"scope\":\"stack\"", "\"scope\":null" },
		{ "\"told\":true", "\"told\":1" },
		{ "\"service\":\"server.service\"", "\"service\":null" },
		{ "\"pid\":1005", "\"pid\":-1" },
		{ "\"uid\":33", "\"uid\":4294967296" },
		{ "\"comm\":\"server\"", "\"comm\":\"0123456789abcdef\"" },
		{ "\"opened_at\":\"2026-03-01", "\"opened_at\":\"2026-02-29" },
		{ "\"times_told\":4", "\"times_told\":4.5" },
		{ "\"kind\":\"native\"", "\"kind\":\"java\"" },
		{ "\"line\":42", "\"line\":-42" },
		{ "\"module\":\"/usr", "\"module\":\"\\u0000/usr" },
		{ "\"bars\":[", "\"bars\":[0," },
		{ "\"channel\":\"cohorts\"", "\"channel\":\"cohort\",\"x\":\"\"" },
		{ "\"numbers\":{", "\"numbers\":{},\"more\":{" },
		{ "\"window_width\":120", "\"window_width\":0" },
		{ "\"presence_last\":13", "\"presence_last\":14" },
		{ "\"lives\":3", "\"lives\":4294967296" },
		{ "\"waited\":1770.0", "\"waited\":\"1770\"" },
		{ "\"tick_seconds\":60.0", "\"tick_seconds\":-60.0" },
		{ "\"slices\":[", "\"slices\":[[1,2,3]," },
		{ "\"slices\":[", "\"slices\":[0,0,0," },
		{ "\"mark\":\"false\"", "\"mark\":\"maybe\"" },
	};
	json_auto_t *array = json_array();
	struct alert *back = NULL;

	(void)state;
	assert_int_equal(read_changed("\"times_told\":4", "\"times_told\":5"), 0);
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		/* The channel is written twice; the second one is read. */
		int r = strstr(cases[i].from, "channel") ?
				read_changed("\"event\":\"grew\",\"channel\":\"cohorts\"",
					     "\"event\":\"grew\",\"channel\":\"cohort\"") :
				read_changed(cases[i].from, cases[i].to);

		if (r != -EINVAL)
			fail_msg("%s: %d", cases[i].to, r);
	}
	assert_int_equal(alert_from_json(array, &back), -EINVAL);
	assert_int_equal(alert_from_json(NULL, &back), -EINVAL);
	assert_null(back);
}

/* What a target calls itself reaches neither a terminal nor the structure of the text. */
static void test_hostile_names(void **state)
{
	_cleanup_(alert_freep) struct alert *a = fixture_alert(1, 5), *back = NULL;
	json_auto_t *o = NULL;

	(void)state;
	snprintf(a->comm, sizeof(a->comm), "a\033[2J\"}\xff");
	free(a->service);
	a->service = strdup("evil\n\xe2\x80\xae.service");
	assert_int_equal(alert_to_json(a, &o), 0);
	assert_string_equal(text_of(o, "comm"), "a?[2J\"}?");
	assert_string_equal(text_of(o, "service"), "evil??.service");
	assert_int_equal(alert_from_json(o, &back), 0);
	assert_string_equal(back->service, "evil??.service");
}

static void test_wall(void **state)
{
	static const char *const wrong[] = {
		"",
		"2026-03-01",
		"2026-03-01T00:00:00Z",
		"2026-03-01T00:00:00.000",
		"2026-03-01T00:00:00.0000Z",
		"2026-03-01T00:00:00.00Z",
		"2026-03-01T00:00:00.000Zx",
		"2026-02-30T00:00:00.000Z",
		"2026-13-01T00:00:00.000Z",
		"2026-03-01T24:00:00.000Z",
		"2026-03-01T00:60:00.000Z",
		"1969-12-31T23:59:59.999Z",
		"-026-03-01T00:00:00.000Z",
		"20260-3-01T00:00:00.000Z",
		"99999999999999999999-03-01T00:00:00.000Z",
	};
	static const uint64_t right[] = { 0, 1, 951782400000, 1772323200000, WALL_MS_MAX };
	char text[WALL_TEXT_MAX];
	uint64_t ms = 5;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(wrong); i++)
		assert_int_equal(wall_parse(wrong[i], &ms), -EINVAL);
	assert_int_equal(ms, 5);
	for (size_t i = 0; i < ARRAY_SIZE(right); i++) {
		assert_int_equal(wall_format(right[i], text), 0);
		assert_int_equal(wall_parse(text, &ms), 0);
		assert_int_equal(ms, right[i]);
	}
	assert_string_equal(text, "9999-12-31T23:59:59.999Z");
	assert_int_equal(wall_format(WALL_MS_MAX + 1, text), -ERANGE);
}

/* Numbers that the evidence cannot hold sensibly must not stop the rest from being shown. */
static void test_extremes(void **state)
{
	_cleanup_(alert_freep) struct alert *a = fixture_alert(1, 5);
	json_auto_t *o = NULL;

	(void)state;
	a->evidence.leaked_bytes = 1e30;
	a->evidence.live_bytes = -1e30;
	a->evidence.headroom_bytes = NAN;
	a->evidence.ticks_to_limit = 1e300;
	a->life.tick_seconds = 1e12;
	assert_int_equal(alert_to_json(a, &o), 0);
	assert_true(json_integer_value(json_object_get(o, "leaked_bytes")) == INT64_MAX);
	assert_true(json_integer_value(json_object_get(o, "live_bytes")) == INT64_MIN);
	assert_true(json_is_null(json_object_get(o, "since")));
	assert_true(json_is_null(json_object_get(json_object_get(o, "limit"), "reached_at")));
	json_decref(o);
	o = NULL;
	*a = (struct alert){ .frames = a->frames,
			     .n_frames = a->n_frames,
			     .stacks = a->stacks,
			     .service = a->service,
			     .exe = a->exe,
			     .unit = a->unit };
	assert_int_equal(alert_to_json(a, &o), 0);
	assert_int_equal(json_array_size(json_object_get(o, "evidence")), 0);
}

static unsigned allocations_left;

static void *allocate(size_t size)
{
	return allocations_left > 0 && allocations_left-- ? malloc(size) : NULL;
}

/* Whichever allocation fails: the whole does, and nothing is lost (LeakSanitizer). */
static void test_no_memory(void **state)
{
	_cleanup_(alert_freep) struct alert *a = fixture_alert(1, 5);
	unsigned n = 0;
	int r;

	(void)state;
	fill(a);
	json_set_alloc_funcs(allocate, free);
	do {
		json_t *o = NULL;

		allocations_left = n;
		r = alert_to_json(a, &o);
		assert_true(r == 0 || r == -ENOMEM);
		assert_true((r == 0) == (o != NULL));
		json_decref(o);
		n += n < 100 ? 1 : 7;
	} while (r < 0);
	json_set_alloc_funcs(malloc, free);
	assert_true(n > 200);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_shown),	    cmocka_unit_test(test_over),
		cmocka_unit_test(test_round_trip),  cmocka_unit_test(test_evidence_is_whole),
		cmocka_unit_test(test_not_trusted), cmocka_unit_test(test_hostile_names),
		cmocka_unit_test(test_wall),	    cmocka_unit_test(test_extremes),
		cmocka_unit_test(test_no_memory),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
