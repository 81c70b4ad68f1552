// SPDX-License-Identifier: GPL-2.0-or-later
/* Alerts of Python objects: what is shown and said, that a restart loses none of it, suppressions. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>

#include "alert/book.h"
#include "alert/sentences.h"
#include "monitor/python.h"
#include "python/census.h"
#include "symbolize/frame_json.h"
#include "unit/alert_fixture.h"

static struct alert *python_alert(uint64_t id, const char *type)
{
	struct alert *a = fixture_alert(id, 5);
	struct alert_line line = { .function = (char *)"Hub.audit",
				   .file = (char *)"/srv/hub.py",
				   .line = 16,
				   .survivors = 2000,
				   .sampled = 2003,
				   .share = 0.99 };

	for (size_t i = 0; i < a->n_frames; i++)
		frame_release(&a->frames[i]);
	a->n_frames = a->n_stacks = 0;
	a->scope = ALERT_TYPE;
	a->python = alert_python_new(type);
	assert_non_null(a->python);
	a->python->bytes_per_object = 528;
	a->python->held_samples = 64;
	a->python->constructions_seen = 0.5;
	assert_int_equal(alert_python_set_code(a->python, "Hub.store", "/srv/hub.py", 22, true), 0);
	assert_int_equal(alert_python_add_line(a->python, &line), 0);
	assert_int_equal(alert_python_add_holder(a->python, "app._tasks{*}", "set", 63), 0);
	assert_int_equal(alert_python_add_companion(a->python, "coroutine", 1), 0);
	assert_int_equal(alert_python_add_companion(a->python, "str", 2.5), 0);
	return a;
}

static void test_round_trip(void **state)
{
	_cleanup_(alert_freep) struct alert *a = python_alert(7, "_asyncio.Task"), *back = NULL;
	json_auto_t *o = NULL, *again = NULL;
	const json_t *line, *held;

	(void)state;
	assert_int_equal(alert_to_json(a, &o), 0);
	assert_string_equal(json_string_value(json_object_get(o, "scope")), "type");
	assert_string_equal(json_string_value(json_object_get(o, "type")), "_asyncio.Task");
	line = json_array_get(json_object_get(o, "created_at"), 0);
	assert_int_equal(json_integer_value(json_object_get(line, "survivors")), 2000);
	held = json_array_get(json_object_get(o, "held_by"), 0);
	assert_string_equal(json_string_value(json_object_get(held, "path")), "app._tasks{*}");
	assert_string_equal(json_string_value(json_object_get(held, "container")), "set");
	assert_int_equal(alert_from_json(o, &back), 0);
	assert_int_equal(back->scope, ALERT_TYPE);
	assert_int_equal(alert_to_json(back, &again), 0);
	/* The target is one of a daemon that is gone. */
	(void)json_object_set_new(o, "target", json_null());
	(void)json_object_set_new(o, "n_stacks", json_integer(0));
	{
		_cleanup_free_ char *was = json_dumps(o, 0), *is = json_dumps(again, 0);

		assert_string_equal(was, is);
	}
}

/* What an earlier version has kept knows nothing of types. */
static void test_earlier_version(void **state)
{
	static const char *const members[] = {
		"type",	      "runs",	 "bytes_per_object", "with",
		"created_at", "held_by", "held_samples",     "constructions_seen"
	};
	_cleanup_(alert_freep) struct alert *a = fixture_alert(7, 5), *back = NULL;
	json_auto_t *o = NULL;

	(void)state;
	assert_int_equal(alert_to_json(a, &o), 0);
	assert_true(json_is_null(json_object_get(o, "type")));
	for (size_t i = 0; i < ARRAY_SIZE(members); i++)
		assert_int_equal(json_object_del(o, members[i]), 0);
	assert_int_equal(alert_from_json(o, &back), 0);
	assert_null(back->python);
}

static void test_hostile(void **state)
{
	static const struct {
		const char *member, *json;
	} cases[] = {
		{ "type", "7" },
		{ "runs", "{\"function\":7}" },
		{ "runs", "{\"function\":\"f\",\"line\":-1}" },
		{ "with", "[{\"type\":null,\"per_object\":1}]" },
		{ "with", "[{\"type\":\"x\",\"per_object\":-1}]" },
		{ "created_at", "[{\"share\":2}]" },
		{ "created_at", "[{\"survivors\":1e300}]" },
		{ "held_by", "[{\"container\":\"set\"}]" },
		{ "held_by", "[{\"path\":\"a\\u0000b\"}]" },
		{ "held_samples", "-1" },
		{ "bytes_per_object", "\"much\"" },
	};
	_cleanup_(alert_freep) struct alert *a = python_alert(7, "app.Session");

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		json_auto_t *o = NULL;
		struct alert *back = NULL;

		assert_int_equal(alert_to_json(a, &o), 0);
		assert_int_equal(
			json_object_set_new(
				o, cases[i].member,
				json_loads(cases[i].json, JSON_DECODE_ANY | JSON_ALLOW_NUL, NULL)),
			0);
		if (alert_from_json(o, &back) != -EINVAL)
			fail_msg("%s: %s was taken", cases[i].member, cases[i].json);
	}
}

static bool says(const json_t *sentences, const char *part)
{
	const json_t *s;
	size_t i;

	json_array_foreach(sentences, i, s)
		if (strstr(json_string_value(s), part))
			return true;
	return false;
}

static void test_sentences(void **state)
{
	_cleanup_(alert_freep) struct alert *a = python_alert(7, "_asyncio.Task");
	_cleanup_free_ char *summary = NULL;
	json_auto_t *sentences = NULL;

	(void)state;
	assert_int_equal(sentences_evidence(a, &sentences), 0);
	assert_true(says(sentences, "Python objects: _asyncio.Task of Hub.store (hub.py:22), which "
				    "has ended in all of them."));
	assert_true(says(sentences, "Of 2,003 that were seen to be made in Hub.audit (hub.py:16), "
				    "2,000 are still there."));
	assert_true(says(sentences, "50 % were seen to be made"));
	assert_true(says(sentences, "Held by app._tasks{*} (set): 63 of 64 that were looked for."));
	assert_true(says(sentences,
			 "With each object come 1 of type coroutine and 2.5 of type str, 528 bytes "
			 "together."));
	assert_true(says(sentences, "8,210 objects with 56.0 MiB, made since then"));
	assert_true(says(sentences, "How many were made is not known"));
	assert_false(says(sentences, "block"));
	assert_int_equal(sentences_summary(a, &summary), 0);
	assert_string_equal(summary,
			    "leak in server.service: 56.0 MiB in 8,210 objects, +2.0 MiB per hour, "
			    "_asyncio.Task of Hub.store (hub.py:22), held by app._tasks{*}");
}

static void test_suppressions(void **state)
{
	static const struct {
		const char *file, *by;
	} cases[] = {
		{ "type:^app.Sess", "type:^app.Sess" },
		{ "leak:Hub.audit", "leak:Hub.audit" },	    /* the line that makes them */
		{ "leak:^Hub.store$", "leak:^Hub.store$" }, /* the code that they run */
		{ "leak:app.Session", NULL },
		{ "type:Hub.audit", NULL },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		_cleanup_(alert_book_freep) struct alert_book *b = alert_book_new();
		const char *why;
		unsigned line;
		const char *by;

		assert_int_equal(alert_book_set_suppressions(b, cases[i].file,
							     strlen(cases[i].file), &line, &why),
				 0);
		assert_int_equal(
			alert_book_take(b, python_alert(7, "app.Session"), TREND_OPENED, 100), 0);
		by = alert_book_find(b, 7)->suppressed_by;
		assert_true(!by == !cases[i].by);
		if (by)
			assert_string_equal(by, cases[i].by);
	}
}

/* Lines and holders that were found once stay, and lines that come late are shown. */
static void test_kept_and_described(void **state)
{
	_cleanup_(alert_book_freep) struct alert_book *b = alert_book_new();
	struct alert *next = python_alert(7, "app.Session");
	struct alert_python *origin = alert_python_new("app.Session");
	struct alert_line line = { .function = (char *)"open", .survivors = 1 };

	(void)state;
	assert_int_equal(alert_book_take(b, python_alert(7, "app.Session"), TREND_OPENED, 100), 0);
	alert_python_free(next->python);
	next->python = alert_python_new("app.Session");
	assert_int_equal(alert_book_take(b, next, TREND_NOTHING, 200), 0);
	assert_int_equal(alert_book_find(b, 7)->python->n_created_at, 1);
	assert_string_equal(alert_book_find(b, 7)->python->held_by[0].path, "app._tasks{*}");
	assert_int_equal(alert_python_add_line(origin, &line), 0);
	assert_int_equal(alert_book_describe(b, 7, origin), 0);
	assert_string_equal(alert_book_find(b, 7)->python->created_at[0].function, "open");
	assert_string_equal(alert_book_find(b, 7)->python->held_by[0].path, "app._tasks{*}");
	assert_int_equal(alert_book_describe(b, 8, alert_python_new("x")), -ENOENT);
}

/* The same in each life, and apart where people would tell them apart. */
static void test_keys(void **state)
{
	struct python_kind task = { .type = (char *)"_asyncio.Task",
				    .function = (char *)"Hub.audit",
				    .file = (char *)"/srv/v1/hub.py",
				    .line = 16 },
			   other = task;
	uint64_t key = python_kind_key(&task);

	(void)state;
	other.line = 17;
	other.file = (char *)"/srv/v2/hub.py";
	other.type_address = 16;
	assert_int_equal(python_kind_key(&other), key);
	other.done = true;
	assert_true(python_kind_key(&other) != key);
	other = task;
	other.function = (char *)"Hub.store";
	assert_true(python_kind_key(&other) != key);
	assert_true(python_kind_rank("_asyncio.Task") < python_kind_rank("coroutine"));
	assert_true(python_kind_rank("coroutine") < python_kind_rank("__main__.Session"));
	assert_true(python_kind_rank("app.Session") < python_kind_rank("function"));
	assert_true(python_kind_rank("function") < python_kind_rank("dict"));
	assert_true(python_kind_rank("collections.deque") < python_kind_rank("str"));
	assert_true(python_kind_rank("logging.StreamHandler") <
		    python_kind_rank("weakref.ReferenceType"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_round_trip),   cmocka_unit_test(test_earlier_version),
		cmocka_unit_test(test_hostile),	     cmocka_unit_test(test_sentences),
		cmocka_unit_test(test_suppressions), cmocka_unit_test(test_kept_and_described),
		cmocka_unit_test(test_keys),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
