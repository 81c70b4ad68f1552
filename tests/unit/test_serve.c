// SPDX-License-Identifier: GPL-2.0-or-later
/* The routes: what they answer, and what they say to a wrong request. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "serve_fixture.h"
#include "totals.h"

/* A refusal as problem+json with the given status and code, and a sentence. */
static void assert_refused(struct answer a, int status, const char *code)
{
	assert_string_equal(answer_code(&a), code);
	assert_int_equal(a.status, status);
	assert_int_equal(json_integer_value(json_object_get(a.json, "status")), status);
	assert_non_null(strstr(a.head, "application/problem+json"));
	assert_true(json_string_length(json_object_get(a.json, "detail")) > 20);
	answer_done(&a);
}

static json_int_t integer(const json_t *o, const char *name)
{
	json_t *value = json_object_get(o, name);

	assert_true(json_is_integer(value));
	return json_integer_value(value);
}

static const char *string(const json_t *o, const char *name)
{
	const char *s = json_string_value(json_object_get(o, name));

	return s ? s : "(none)";
}

/* Two targets; 1 has two sites that end in one line of one function, and a third elsewhere. */
static void add_sites(struct fixture *f)
{
	struct monitor *m = f->monitor;
	uint64_t leak = fake_frame(m, 0x1000, "leak_handler", 87);
	uint64_t serve = fake_frame(m, 0x2000, "serve", 41);
	uint64_t start = fake_frame(m, 0x3000, "main", 7);
	uint64_t cache = fake_frame(m, 0x4000, "cache_add", 13);

	fake_target(m, 1, 4243, 1009);
	fake_target(m, 2, 4253, 0);
	fake_site(m, 1, 11, totals_of(2300, 23, 1700, 17), (uint64_t[]){ leak, serve }, 2);
	fake_site(m, 1, 12, totals_of(1300, 13, 1300, 13), (uint64_t[]){ leak, start }, 2);
	fake_site(m, 1, 13, totals_of(100, 1, 0, 0), (uint64_t[]){ cache, start }, 2);
	fake_site(m, 2, 21, totals_of(7, 1, 0, 0), (uint64_t[]){ cache, start }, 2);
}

static void test_info_and_health(void **state)
{
	struct fixture *f = *state;
	struct answer a = get(f, "/healthz");

	assert_int_equal(a.status, 200);
	assert_string_equal(a.body, "ok\n");
	answer_done(&a);
	a = get(f, "/v1/info");
	assert_int_equal(a.status, 200);
	assert_string_equal(string(a.json, "name"), "seepd");
	assert_string_equal(string(a.json, "links"), "multi");
	assert_int_equal(integer(json_object_get(a.json, "limits"), "blocks"), 1048573);
	assert_int_equal(integer(json_object_get(a.json, "usage"), "connections"), 1);
	assert_non_null(strstr(a.head, "Cache-Control: no-store"));
	assert_null(strstr(a.head, "Server:"));
	assert_int_equal(a.body[a.n - 1], '\n');
	assert_ptr_equal(strchr(a.body, '\n'), a.body + a.n - 1);
	answer_done(&a);
	fake_target(f->monitor, 1, 4243, 0)->state = TARGET_ATTACHING;
	a = get(f, "/readyz");
	assert_int_equal(a.status, 503);
	answer_done(&a);
	/* Ticks that stand still for longer than three periods. */
	f->monitor->info.tick_ns = 1;
	a = get(f, "/healthz");
	assert_int_equal(a.status, 503);
	answer_done(&a);
	f->monitor->info.ticks++;
	f->monitor->info.tick_ns = 10000000000ull;
	a = get(f, "/healthz");
	assert_int_equal(a.status, 200);
	answer_done(&a);
}

static void test_head(void **state)
{
	struct fixture *f = *state;
	struct answer whole = get(f, "/v1/targets");
	struct answer a = ask(f, "HEAD /v1/targets HTTP/1.1\r\nConnection: close\r\n\r\n");
	char length[48];

	snprintf(length, sizeof(length), "Content-Length: %zu\r\n", whole.n);
	assert_int_equal(a.status, 200);
	assert_int_equal(a.n, 0);
	assert_non_null(strstr(a.head, length));
	answer_done(&a);
	answer_done(&whole);
}

static void test_targets(void **state)
{
	struct fixture *f = *state;
	struct answer a;
	const json_t *t;

	add_sites(f);
	a = get(f, "/v1/targets");
	assert_int_equal(integer(a.json, "total"), 2);
	t = json_array_get(json_object_get(a.json, "targets"), 0);
	assert_string_equal(string(t, "id"), "4243-1");
	assert_int_equal(integer(t, "live_bytes"), 700);
	assert_int_equal(integer(t, "live_count"), 7);
	answer_done(&a);
	a = get(f, "/v1/targets/4253-2");
	assert_int_equal(a.status, 200);
	assert_string_equal(string(a.json, "mode"), "exact");
	answer_done(&a);
	assert_refused(get(f, "/v1/targets/4253-3"), 404, "no_such_target");
}

static void test_suggested(void **state)
{
	struct fixture *f = *state;
	struct answer a = get(f, "/v1/targets?suggested=true");
	const json_t *s;

	assert_int_equal(a.status, 200);
	assert_int_equal(integer(a.json, "total"), 0);
	answer_done(&a);
	f->monitor->suggested_uids[0] = 1009;
	a = get(f, "/v1/targets?suggested=true");
	assert_int_equal(integer(a.json, "total"), 1);
	s = json_array_get(json_object_get(a.json, "suggested"), 0);
	assert_int_equal(integer(s, "pid"), 5003);
	assert_int_equal(integer(s, "uid"), 1009);
	assert_string_equal(string(s, "exe"), "/usr/bin/grower");
	assert_string_equal(string(s, "why"), "It grows.");
	assert_true(json_real_value(json_object_get(s, "seconds_to_limit")) == 7201);
	assert_true(json_real_value(json_object_get(s, "bytes_per_hour")) == 2097143);
	answer_done(&a);
	a = get(f, "/v1/targets?suggested=false");
	assert_non_null(json_object_get(a.json, "targets"));
	answer_done(&a);
	assert_refused(get(f, "/v1/targets?suggested=1"), 400, "bad_parameter");
}

static void test_track(void **state)
{
	struct fixture *f = *state;
	struct answer a;

	fake_target(f->monitor, 1, 4243, 0);
	fake_target(f->monitor, 2, 4253, 0);
	f->monitor->track_new = 1;
	a = send_json(f, "POST", "/v1/targets", "{\"selector\":\"pid=4243\",\"follow\":true}");
	assert_int_equal(a.status, 201);
	assert_non_null(strstr(a.head, "Location: /v1/targets/4243-1\r\n"));
	assert_string_equal(string(a.json, "selector"), "pid=4243");
	assert_int_equal(json_array_size(json_object_get(a.json, "targets")), 1);
	assert_string_equal(f->monitor->tracked, "pid=4243");
	assert_true(f->monitor->tracked_how.follow);
	answer_done(&a);
	f->monitor->track_new = 2;
	a = send_json(f, "POST", "/v1/targets", "{\"selector\":\"comm=server\"}");
	assert_int_equal(a.status, 201);
	assert_null(strstr(a.head, "Location:"));
	assert_false(f->monitor->tracked_how.follow);
	answer_done(&a);
}

static void test_track_refused(void **state)
{
	static const struct {
		const char *body;
		int error; /* of monitor_track() */
		int status;
		const char *code;
	} rows[] = {
		{ "", 0, 400, "bad_json" },
		{ "{", 0, 400, "bad_json" },
		{ "[]", 0, 400, "bad_json" },
		{ "3", 0, 400, "bad_json" },
		{ "{\"selector\":\"1\"} x", 0, 400, "bad_json" },
		{ "{\"selector\":\"2\",\"selector\":\"3\"}", 0, 400, "bad_json" },
		{ "{\"selector\":\"\\u0000\"}", 0, 400, "bad_json" },
		{ "{\"selector\":\"\xff\"}", 0, 400, "bad_json" },
		{ "{\"selector\":\"2\",\"fellow\":true}", 0, 400, "unknown_field" },
		{ "{\"follow\":true}", 0, 400, "missing_field" },
		{ "{\"selector\":4243}", 0, 400, "wrong_type" },
		{ "{\"selector\":\"4243\",\"follow\":\"yes\"}", 0, 400, "wrong_type" },
		{ "{\"selector\":null}", 0, 400, "wrong_type" },
		{ "{\"selector\":\"\"}", 0, 400, "bad_selector" },
		{ "{\"selector\":\"shoe=7\"}", 0, 400, "bad_selector" },
		{ "{\"selector\":\"pid=0\"}", 0, 400, "bad_selector" },
		{ "{\"selector\":\"4243\"}", -ESRCH, 404, "no_such_process" },
		{ "{\"selector\":\"1\"}", -EPERM, 403, "refused_target" },
		{ "{\"selector\":\"4243\"}", -EEXIST, 409, "already_tracked" },
		{ "{\"selector\":\"4243\"}", -ENOSPC, 409, "too_many_targets" },
		{ "{\"selector\":\"4243\"}", -ENOMEM, 500, "internal" },
	};
	struct fixture *f = *state;

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		f->monitor->track_error = rows[i].error;
		f->monitor->tracked[0] = '\0';
		assert_refused(send_json(f, "POST", "/v1/targets", rows[i].body), rows[i].status,
			       rows[i].code);
		assert_int_equal(f->monitor->tracked[0] != '\0', rows[i].error != 0);
	}
}

static void test_untrack(void **state)
{
	struct fixture *f = *state;
	struct answer a;

	a = ask(f, "DELETE /v1/targets/exe=%2Fusr%2Fbin%2Fserver HTTP/1.1\r\n\r\n");
	assert_int_equal(a.status, 204);
	assert_int_equal(a.n, 0);
	assert_string_equal(f->monitor->untracked, "exe=/usr/bin/server");
	answer_done(&a);
	f->monitor->untrack_error = -ENOENT;
	assert_refused(ask(f, "DELETE /v1/targets/9-9 HTTP/1.1\r\n\r\n"), 404, "no_such_target");
}

static void test_sites(void **state)
{
	struct fixture *f = *state;
	const json_t *site, *frame;
	struct answer a;

	add_sites(f);
	a = get_resolved(f, "/v1/sites?target=4243-1");
	assert_int_equal(a.status, 200);
	assert_int_equal(f->monitor->symbolizer.frames_asked, 4);
	assert_int_equal(integer(a.json, "total"), 3);
	assert_int_equal(integer(a.json, "limit"), 20);
	assert_string_equal(string(a.json, "by"), "stack");
	assert_string_equal(string(a.json, "target"), "4243-1");
	assert_int_equal(integer(json_object_get(a.json, "sum"), "live_bytes"), 700);
	assert_true(json_is_object(json_object_get(a.json, "coverage")));
	site = json_array_get(json_object_get(a.json, "sites"), 0);
	assert_int_equal(integer(site, "live_bytes"), 600);
	assert_int_equal(integer(site, "live_count"), 6);
	assert_int_equal(integer(site, "average_bytes"), 100);
	assert_int_equal(integer(site, "freed_count"), 17);
	assert_int_equal(json_string_length(json_object_get(site, "site_id")), 16);
	assert_int_equal(json_array_size(json_object_get(site, "frames")), 2);
	frame = json_array_get(json_object_get(site, "frames"), 0);
	assert_string_equal(string(frame, "function"), "leak_handler");
	assert_int_equal(integer(frame, "line"), 87);
	assert_string_equal(string(json_object_get(site, "trend"), "verdict"), "unknown");
	answer_done(&a);
	/* All names are known now. */
	a = get_resolved(f, "/v1/sites?by=function&sort=allocated&limit=1");
	assert_int_equal(f->monitor->symbolizer.frames_asked, 4);
	assert_int_equal(integer(a.json, "total"), 2);
	assert_int_equal(json_array_size(json_object_get(a.json, "sites")), 1);
	site = json_array_get(json_object_get(a.json, "sites"), 0);
	assert_int_equal(integer(site, "allocated_bytes"), 3600);
	assert_int_equal(json_array_size(json_object_get(site, "frames")), 1);
	frame = json_array_get(json_object_get(site, "frames"), 0);
	assert_true(json_is_null(json_object_get(frame, "line")));
	assert_int_equal(integer(json_object_get(a.json, "sum"), "live_bytes"), 707);
	assert_null(json_object_get(a.json, "coverage"));
	assert_true(json_is_null(json_object_get(a.json, "target")));
	answer_done(&a);
	a = get_resolved(f, "/v1/sites?exclude=cache_*&filter=serv*&include=main");
	assert_int_equal(integer(json_object_get(a.json, "hidden"), "live_bytes"), 107);
	assert_int_equal(integer(a.json, "total"), 2);
	answer_done(&a);
}

static void test_queries_refused(void **state)
{
	static const struct {
		const char *address;
		int status;
		const char *code;
	} rows[] = {
		{ "/v1/sites?limit=0", 400, "limit_out_of_range" },
		{ "/v1/sites?limit=1001", 400, "limit_out_of_range" },
		{ "/v1/sites?limit=-1", 400, "limit_out_of_range" },
		{ "/v1/sites?limit=99999999999999999999999", 400, "limit_out_of_range" },
		{ "/v1/sites?limit=", 400, "bad_parameter" },
		{ "/v1/sites?limit=ten", 400, "bad_parameter" },
		{ "/v1/sites?limit=7&limit=7", 400, "bad_parameter" },
		{ "/v1/sites?by=colour", 400, "bad_parameter" },
		{ "/v1/sites?sort=size", 400, "bad_parameter" },
		{ "/v1/sites?by=%zz", 400, "bad_parameter" },
		{ "/v1/sites?by=%4", 400, "bad_parameter" },
		{ "/v1/sites?include=%00", 400, "bad_parameter" },
		{ "/v1/sites?include=%ff", 400, "bad_parameter" },
		{ "/v1/sites?include=%1b", 400, "bad_parameter" },
		{ "/v1/sites?=7", 400, "bad_parameter" },
		{ "/v1/sites?limit=7&&by=line", 400, "bad_parameter" },
		{ "/v1/sites?color=red", 400, "unknown_parameter" },
		{ "/v1/targets?limit=7", 400, "unknown_parameter" },
		{ "/v1/sites?target=7-7", 404, "no_such_target" },
		{ "/v1/sites?target=", 404, "no_such_target" },
		{ "/v1/diff", 400, "bad_parameter" },
		{ "/v1/diff?from=never", 404, "no_such_snapshot" },
		{ "/", 404, "no_such_path" },
		{ "/v1/targets/", 404, "no_such_path" },
		{ "/v1/targets/a/b", 404, "no_such_path" },
		{ "/v1/targets/%ff", 400, "bad_request" },
		{ "/v2/targets", 404, "no_such_path" },
		{ "/metrics%00", 404, "no_such_path" },
		{ "/v1/snapshots/x", 405, "method_not_allowed" },
	};
	struct fixture *f = *state;

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
		assert_refused(get(f, rows[i].address), rows[i].status, rows[i].code);
	assert_int_equal(f->monitor->symbolizer.requests, 0);
}

static void test_methods(void **state)
{
	static const struct {
		const char *request;
		const char *allow;
	} rows[] = {
		{ "PATCH /v1/targets/4243-1", "Allow: GET, HEAD, DELETE\r\n" },
		{ "PUT /v1/targets", "Allow: GET, HEAD, POST\r\n" },
		{ "DELETE /v1/info", "Allow: GET, HEAD\r\n" },
		{ "OPTIONS /v1/snapshots", "Allow: GET, HEAD, POST\r\n" },
		{ "HEAD /v1/snapshots/x", "Allow: DELETE\r\n" },
		{ "TRACE /healthz", "Allow: GET, HEAD\r\n" },
	};
	struct fixture *f = *state;

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		char request[256];
		struct answer a;

		snprintf(request, sizeof(request), "%s HTTP/1.1\r\n\r\n", rows[i].request);
		a = ask(f, request);
		assert_int_equal(a.status, 405);
		assert_non_null(strstr(a.head, rows[i].allow));
		answer_done(&a);
	}
}

static void test_snapshots_and_diff(void **state)
{
	struct fixture *f = *state;
	uint64_t late;
	struct answer a;
	const json_t *site;

	add_sites(f);
	a = send_json(f, "POST", "/v1/snapshots", "{\"name\":\"before\"}");
	assert_int_equal(a.status, 201);
	assert_non_null(strstr(a.head, "Location: /v1/snapshots/before\r\n"));
	assert_int_equal(integer(a.json, "live_bytes"), 707);
	assert_int_equal(integer(a.json, "sites"), 4);
	assert_string_equal(string(a.json, "taken_at"), "2023-11-14T22:13:20.000000Z");
	answer_done(&a);
	late = fake_frame(f->monitor, 0x5000, "late", 3);
	fake_site(f->monitor, 2, 22, totals_of(1100, 11, 0, 0), &late, 1);
	fake_site(f->monitor, 1, 11, totals_of(2300, 23, 2200, 22), NULL, 0);
	a = get_resolved(f, "/v1/diff?from=before");
	assert_int_equal(a.status, 200);
	assert_int_equal(f->monitor->n_ticks, 1);
	assert_int_equal(integer(a.json, "total"), 2);
	site = json_array_get(json_object_get(a.json, "sites"), 0);
	assert_int_equal(integer(site, "live_bytes"), 1100);
	assert_string_equal(string(json_array_get(json_object_get(site, "frames"), 0), "function"),
			    "late");
	site = json_array_get(json_object_get(a.json, "sites"), 1);
	assert_int_equal(integer(site, "live_bytes"), -500);
	assert_int_equal(integer(site, "live_count"), -5);
	assert_int_equal(integer(site, "average_bytes"), 100);
	assert_int_equal(integer(json_object_get(a.json, "sum"), "live_bytes"), 600);
	assert_string_equal(string(json_object_get(a.json, "from"), "name"), "before");
	assert_string_equal(string(json_object_get(a.json, "to"), "name"), "now");
	answer_done(&a);
	a = send_json(f, "POST", "/v1/snapshots", "{\"name\":\"after\"}");
	answer_done(&a);
	a = get_resolved(f, "/v1/diff?from=before&to=after&limit=1");
	assert_int_equal(f->monitor->n_ticks, 1);
	assert_int_equal(json_array_size(json_object_get(a.json, "sites")), 1);
	assert_int_equal(integer(a.json, "total"), 2);
	answer_done(&a);
	assert_refused(get(f, "/v1/diff?from=after&to=before"), 400, "bad_parameter");
	a = send_json(f, "POST", "/v1/snapshots", "{\"name\":\"one\",\"target\":\"4243-1\"}");
	assert_int_equal(integer(a.json, "sites"), 3);
	answer_done(&a);
	assert_refused(get(f, "/v1/diff?from=before&to=one"), 400, "bad_parameter");
	/* Without a name it gets one. */
	a = send_json(f, "POST", "/v1/snapshots", "{}");
	assert_int_equal(a.status, 201);
	answer_done(&a);
	a = get(f, "/v1/snapshots");
	assert_int_equal(integer(a.json, "total"), 4);
	answer_done(&a);
}

static void test_snapshots_refused(void **state)
{
	static const struct {
		const char *body;
		int status;
		const char *code;
	} rows[] = {
		{ "{\"name\":\"a/b\"}", 400, "bad_snapshot_name" },
		{ "{\"name\":\"\"}", 400, "bad_snapshot_name" },
		{ "{\"name\":\"now\"}", 400, "bad_snapshot_name" },
		{ "{\"name\":\"x\",\"target\":\"7-7\"}", 404, "no_such_target" },
		{ "{\"name\":\"s0\"}", 409, "snapshot_exists" },
		{ "{\"name\":\"s9\"}", 409, "too_many_snapshots" },
		{ "{\"title\":\"s9\"}", 400, "unknown_field" },
	};
	struct fixture *f = *state;
	struct answer a;

	for (int i = 0; i < FAKE_SNAPSHOTS; i++) {
		char body[32];

		snprintf(body, sizeof(body), "{\"name\":\"s%d\"}", i);
		a = send_json(f, "POST", "/v1/snapshots", body);
		assert_int_equal(a.status, 201);
		answer_done(&a);
	}
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
		assert_refused(send_json(f, "POST", "/v1/snapshots", rows[i].body), rows[i].status,
			       rows[i].code);
	a = ask(f, "DELETE /v1/snapshots/s0 HTTP/1.1\r\n\r\n");
	assert_int_equal(a.status, 204);
	answer_done(&a);
	assert_refused(ask(f, "DELETE /v1/snapshots/s0 HTTP/1.1\r\n\r\n"), 404, "no_such_snapshot");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_info_and_health, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_head, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_targets, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_suggested, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_track, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_track_refused, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_untrack, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_sites, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_queries_refused, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_methods, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_snapshots_and_diff, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_snapshots_refused, set_up, tear_down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
