// SPDX-License-Identifier: GPL-2.0-or-later
/* /v1/history: series of a target, a service and a leak from a real database, and what is refused. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "heap/ids.h"
#include "history/history.h"
#include "serve_fixture.h"

#define USER 65534	      /* nobody */
#define T0   1795626000000ull /* 2026-11-25 17:00 UTC */
#define TICK 10000ull
#define LEAK 0x1111111111111111
#define FROM "from=2026-11-25T17:00:00Z"
#define TO   "to=2026-11-25T18:00:00Z"

static void add(struct history *h, const char *service, uint64_t site, int64_t pid, double bytes)
{
	const struct history_key key = { service, site, pid };

	for (uint64_t i = 0; i < 60; i++) {
		const struct history_point p = { T0 + i * TICK, bytes + 1000.0 * (double)i, 7,
						 site ? 0 : 1 << 20, site ? 0 : 1 << 30 };

		assert_int_equal(history_add_point(h, &key, &p), 0);
	}
}

/* A service of two processes, and a stack in one of them that leaks. */
static int set_up_history(void **state)
{
	struct history_notice notice = { 0 };
	const struct frame *frame;
	struct fixture *f;
	struct target *t;
	char path[120];

	if (set_up(state) < 0)
		return -1;
	f = *state;
	snprintf(path, sizeof(path), "%s/history.db", f->directory);
	assert_int_equal(history_open(&(struct history_options){ .path = path },
				      &f->monitor->history, &notice),
			 0);
	for (uint32_t key = 1; key <= 2; key++) {
		t = fake_target(f->monitor, key, 4241 + (pid_t)key, key == 2 ? USER : 0);
		t->unit = strdup("shop.service");
		add(f->monitor->history, "shop.service", 0, t->pid, key * 1e6);
	}
	fake_leak(f->monitor, LEAK, f->monitor->targets[0], "leak_one", TREND_LEAKING,
		  TREND_OPENED);
	/* As of group_leak_id(), whose header cannot stand beside grp.h. */
	frame = alert_book_find(f->monitor->alerts, LEAK)->frames;
	add(f->monitor->history, "shop.service",
	    id_end(id_add_number(id_add_text(ID_START, frame->build_id), frame->offset)), 4242,
	    5e5);
	assert_int_equal(history_flush(f->monitor->history, T0 + 60 * TICK), 0);
	return 0;
}

static int tear_down_history(void **state)
{
	static const char *const names[] = { "history.db", "history.db-wal", "history.db-shm",
					     "history.db.lock" };
	struct fixture *f = *state;
	char path[120];

	f->monitor->history = history_free(f->monitor->history);
	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		snprintf(path, sizeof(path), "%s/%s", f->directory, names[i]);
		(void)unlink(path);
	}
	return tear_down(state);
}

static const char *text_of(const json_t *o, const char *key)
{
	const char *text = json_string_value(json_object_get(o, key));

	return text ? text : "(null)";
}

static double number_of(const json_t *o, const char *key)
{
	return json_number_value(json_object_get(o, key));
}

static struct answer get_points(struct fixture *f, const char *query, size_t n)
{
	char address[300];
	struct answer a;

	snprintf(address, sizeof(address), "/v1/history?%s", query);
	a = get(f, address);
	if (a.status != 200 || json_array_size(json_object_get(a.json, "points")) != n)
		fail_msg("%s: %d, %.500s", address, a.status, a.body);
	return a;
}

static void test_target(void **state)
{
	struct answer a = get_points(*state, "target=4242-1&" FROM "&" TO "&points=100", 60);
	const json_t *points = json_object_get(a.json, "points"), *p = json_array_get(points, 7);

	assert_string_equal(text_of(a.json, "service"), "shop.service");
	assert_int_equal(number_of(a.json, "pid"), 4242);
	assert_true(json_is_null(json_object_get(a.json, "site")));
	assert_string_equal(text_of(a.json, "from"), "2026-11-25T17:00:00.000000Z");
	assert_string_equal(text_of(a.json, "to"), "2026-11-25T18:00:00.000000Z");
	assert_string_equal(text_of(p, "time"), "2026-11-25T17:01:10.000000Z");
	assert_true(number_of(p, "live_bytes") == 1007000);
	assert_true(number_of(p, "live_count") == 7);
	assert_true(number_of(p, "rss_bytes") == 1 << 20);
	assert_true(number_of(p, "limit_bytes") == 1 << 30);
	answer_done(&a);
}

static void test_service(void **state)
{
	struct answer a = get_points(*state, "service=shop.service&" FROM "&" TO, 60);
	const json_t *p = json_array_get(json_object_get(a.json, "points"), 7);

	assert_true(json_is_null(json_object_get(a.json, "pid")));
	assert_true(number_of(p, "live_bytes") == 3014000);
	answer_done(&a);
}

/* The series of a leak is found by its frames; what is not known is null. */
static void test_leak(void **state)
{
	struct answer a = get_points(*state, "leak=1111111111111111&" FROM "&" TO, 60), b;
	const json_t *p = json_array_get(json_object_get(a.json, "points"), 7);
	char query[200];

	assert_true(number_of(p, "live_bytes") == 507000);
	assert_true(json_is_null(json_object_get(p, "rss_bytes")));
	snprintf(query, sizeof(query), "target=4242-1&site=%s&" FROM "&" TO,
		 text_of(a.json, "site"));
	b = get_points(*state, query, 60);
	assert_true(
		json_equal(json_object_get(a.json, "points"), json_object_get(b.json, "points")));
	answer_done(&a);
	answer_done(&b);
}

static void test_fewer_points(void **state)
{
	struct answer a = get_points(*state, "target=4242-1&" FROM "&" TO "&points=1", 1);
	const json_t *p = json_array_get(json_object_get(a.json, "points"), 0);

	assert_true(number_of(p, "live_bytes") == 1029500);
	answer_done(&a);
	a = get_points(*state,
		       "target=4242-1&from=2026-11-25T18:01:00%2B01:00&to=2026-11-25T17:02:00Z", 6);
	answer_done(&a);
	/* A day up to "to" is the default. */
	a = get_points(*state, "target=4242-1&" TO, 60);
	assert_string_equal(text_of(a.json, "from"), "2026-11-24T18:00:00.000000Z");
	answer_done(&a);
	a = get_points(*state, "target=4242-1&" FROM "&to=9999-12-31T23:59:59.5Z", 60);
	assert_string_equal(text_of(a.json, "to"), "9999-12-31T23:59:59.500000Z");
	answer_done(&a);
}

static const struct {
	const char *query;
	const char *code;
} refusals[] = {
	{ "", "bad_parameter" },
	{ "?target=4242-1&service=shop.service", "bad_parameter" },
	{ "?service=a&leak=1111111111111111", "bad_parameter" },
	{ "?site=1111111111111111", "bad_parameter" },
	{ "?target=4242-1&site=1", "bad_parameter" },
	{ "?target=4242-1&site=0000000000000000", "bad_parameter" },
	{ "?target=4242-1&site=11111111111111111", "bad_parameter" },
	{ "?target=4242-1&site=-111111111111111", "bad_parameter" },
	{ "?target=4242-1&from=yesterday", "bad_parameter" },
	{ "?target=4242-1&from=", "bad_parameter" },
	{ "?target=4242-1&from=1795626000", "bad_parameter" },
	{ "?target=4242-1&to=2026-11-31T00:00:00Z", "bad_parameter" },
	{ "?target=4242-1&" TO "&from=2026-11-25T18:00:00Z", "bad_parameter" },
	{ "?target=4242-1&to=1970-01-01T00:00:00Z", "bad_parameter" },
	{ "?target=4242-1&points=0", "limit_out_of_range" },
	{ "?target=4242-1&points=5001", "limit_out_of_range" },
	{ "?target=4242-1&points=x", "bad_parameter" },
	{ "?target=4242-1&step=60", "unknown_parameter" },
	{ "?target=7-7", "no_such_target" },
	{ "?target=", "no_such_target" },
	{ "?leak=1111111111111112", "no_such_leak" },
	{ "?service=nosuch", "no_such_series" },
	{ "?service=", "no_such_series" },
	{ "?service='%3bdrop%20table", "no_such_series" },
	{ "?target=4242-1&site=00000000000000ff", "no_such_series" },
};

static void test_refusals(void **state)
{
	for (size_t i = 0; i < ARRAY_SIZE(refusals); i++) {
		char address[300];
		struct answer a;

		snprintf(address, sizeof(address), "/v1/history%s", refusals[i].query);
		a = get(*state, address);
		if (a.status < 400 || a.status >= 500 ||
		    strcmp(answer_code(&a), refusals[i].code) != 0)
			fail_msg("%s: %d, %s", address, a.status, a.body);
		answer_done(&a);
	}
}

static void test_none_is_kept(void **state)
{
	struct fixture *f = *state;
	struct answer a;

	fake_target(f->monitor, 1, 4242, 0);
	a = get(f, "/v1/history?target=4242-1");
	assert_int_equal(a.status, 503);
	assert_string_equal(answer_code(&a), "no_history");
	answer_done(&a);
}

static struct answer ask_as_user(struct fixture *f, const char *address)
{
	int fd = client_connect_as(f, USER, SERVER_NO_GROUP);
	char request[300];
	struct answer a;

	snprintf(request, sizeof(request), "GET %s HTTP/1.1\r\n\r\n", address);
	client_send(f, fd, request, strlen(request));
	a = client_read(f, fd, false);
	close(fd);
	turn(f);
	return a;
}

static void test_access(void **state)
{
	static const struct {
		const char *address;
		int status;
	} rows[] = {
		{ "/v1/history?target=4243-2&" FROM "&" TO, 200 },
		{ "/v1/history?target=4242-1&" FROM "&" TO, 403 },
		{ "/v1/history?service=shop.service&" FROM "&" TO, 403 },
		{ "/v1/history?leak=1111111111111111&" FROM "&" TO, 403 },
	};

	if (geteuid() != 0)
		skip();
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct answer a = ask_as_user(*state, rows[i].address);

		if (a.status != rows[i].status)
			fail_msg("%s: %d, %.300s", rows[i].address, a.status, a.body);
		answer_done(&a);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_target, set_up_history, tear_down_history),
		cmocka_unit_test_setup_teardown(test_service, set_up_history, tear_down_history),
		cmocka_unit_test_setup_teardown(test_leak, set_up_history, tear_down_history),
		cmocka_unit_test_setup_teardown(test_fewer_points, set_up_history,
						tear_down_history),
		cmocka_unit_test_setup_teardown(test_refusals, set_up_history, tear_down_history),
		cmocka_unit_test_setup_teardown(test_none_is_kept, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_access, set_up_history, tear_down_history),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
