// SPDX-License-Identifier: GPL-2.0-or-later
/* /v1/leaks: lists, one leak, what people answer, and what is refused; verdicts of sites. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "serve_fixture.h"
#include "totals.h"

#define USER 65534 /* nobody */

static const char *text_of(const json_t *o, const char *key)
{
	const char *text = json_string_value(json_object_get(o, key));

	return text ? text : "(none)";
}

static json_int_t number_of(const json_t *o, const char *key)
{
	return json_integer_value(json_object_get(o, key));
}

/* Two services: 3 entries of the first (a leak, a suspect, another leak), 2 leaks of the other. */
static void add_leaks(struct monitor *m)
{
	struct target *first = fake_target(m, 1, 4243, 0), *other = fake_target(m, 2, 4253, USER);

	free(other->exe);
	other->exe = strdup("/usr/bin/other");
	other->unit = strdup("other.service");
	fake_leak(m, 0x1111111111111111, first, "leak_one", TREND_LEAKING, TREND_OPENED);
	fake_leak(m, 0x1111222222222222, first, "leak_two", TREND_SUSPECT, TREND_SUSPECTED);
	fake_leak(m, 0x3333333333333333, first, "leak_three", TREND_EXHAUSTION, TREND_OPENED);
	fake_leak(m, 0x4444444444444444, other, "leak_four", TREND_LEAKING, TREND_OPENED);
	fake_leak(m, 0x5555555555555555, other, "leak_five", TREND_LEAKING, TREND_OPENED);
}

static const struct {
	const char *query;
	unsigned total;
	unsigned shown;
} lists[] = {
	{ "", 5, 5 },
	{ "?limit=2", 5, 2 },
	{ "?state=leaking", 3, 3 },
	{ "?state=suspect", 1, 1 },
	{ "?state=suspect&state=exhaustion", 2, 2 },
	{ "?state=closed", 0, 0 },
	{ "?told=true", 4, 4 },
	{ "?told=false", 1, 1 },
	{ "?target=4243-1", 3, 3 },
	{ "?target=4253-2&limit=1", 2, 1 },
	{ "?service=other.service", 2, 2 },
	{ "?service=/usr/bin/*", 3, 3 },
	{ "?service=other", 0, 0 },
	{ "?id=1111", 2, 2 },
	{ "?id=11111", 1, 1 },
	{ "?id=1111111111111111", 1, 1 },
	{ "?id=2", 0, 0 },
	{ "?service=*&told=true&state=leaking&target=4243-1&id=1", 1, 1 },
};

static void test_list(void **state)
{
	struct fixture *f = *state;

	add_leaks(f->monitor);
	for (size_t i = 0; i < ARRAY_SIZE(lists); i++) {
		char address[200];
		struct answer a;

		snprintf(address, sizeof(address), "/v1/leaks%s", lists[i].query);
		a = get(f, address);
		if (a.status != 200 || number_of(a.json, "total") != lists[i].total ||
		    json_array_size(json_object_get(a.json, "leaks")) != lists[i].shown)
			fail_msg("%s: %d, %s", address, a.status, a.body);
		assert_int_equal(number_of(a.json, "open"), 4);
		assert_int_equal(number_of(a.json, "lost"), 0);
		answer_done(&a);
	}
}

static void test_empty(void **state)
{
	struct answer a = get(*state, "/v1/leaks");

	assert_int_equal(a.status, 200);
	assert_string_equal(a.body, "{\"leaks\":[],\"total\":0,\"limit\":100,\"open\":0,"
				    "\"lost\":0}\n");
	answer_done(&a);
}

static const struct {
	const char *query;
	const char *code;
	int status;
} refusals[] = {
	{ "?limit=0", "limit_out_of_range", 400 },
	{ "?limit=1001", "limit_out_of_range", 400 },
	{ "?limit=-1", "limit_out_of_range", 400 },
	{ "?limit=one", "bad_parameter", 400 },
	{ "?state=leaky", "bad_parameter", 400 },
	{ "?state=", "bad_parameter", 400 },
	{ "?state=leaking&state=%1b", "bad_parameter", 400 },
	{ "?told=1", "bad_parameter", 400 },
	{ "?told=", "bad_parameter", 400 },
	{ "?id=", "bad_parameter", 400 },
	{ "?id=11111111111111111", "bad_parameter", 400 },
	{ "?id=FF", "bad_parameter", 400 },
	{ "?id=0x1", "bad_parameter", 400 },
	{ "?id=%00", "bad_parameter", 400 },
	{ "?service=a&service=b", "bad_parameter", 400 },
	{ "?severity=high", "unknown_parameter", 400 },
	{ "?target=7-7", "no_such_target", 404 },
	{ "?target=", "no_such_target", 404 },
	{ "/", "no_such_path", 404 },
	{ "/1111", "no_such_leak", 404 },
	{ "/1111111111111112", "no_such_leak", 404 },
	{ "/11111111111111111", "no_such_leak", 404 },
	{ "/111111111111111g", "no_such_leak", 404 },
	{ "/-111111111111111", "no_such_leak", 404 },
	{ "/1111111111111111%2fack", "no_such_leak", 404 },
	{ "/1111111111111111/", "no_such_path", 404 },
	{ "/1111111111111111/ack/", "no_such_path", 404 },
	{ "/1111111111111111/acknowledge", "no_such_path", 404 },
	{ "//ack", "no_such_path", 404 },
	{ "/a/b/ack", "no_such_path", 404 },
	{ "/1111111111111111/ack", "method_not_allowed", 405 },
	{ "/1111111111111111?x=1", "unknown_parameter", 400 },
};

static void test_refusals(void **state)
{
	struct fixture *f = *state;

	add_leaks(f->monitor);
	for (size_t i = 0; i < ARRAY_SIZE(refusals); i++) {
		char address[200];
		struct answer a;

		snprintf(address, sizeof(address), "/v1/leaks%s", refusals[i].query);
		a = get(f, address);
		if (a.status != refusals[i].status ||
		    strcmp(answer_code(&a), refusals[i].code) != 0)
			fail_msg("%s: %d, %s", address, a.status, a.body);
		answer_done(&a);
	}
}

static void test_one(void **state)
{
	struct fixture *f = *state;
	const json_t *frame;
	struct answer a;

	add_leaks(f->monitor);
	a = get(f, "/v1/leaks/4444444444444444");
	assert_int_equal(a.status, 200);
	assert_string_equal(text_of(a.json, "id"), "4444444444444444");
	assert_string_equal(text_of(a.json, "service"), "other.service");
	assert_string_equal(text_of(a.json, "state"), "leaking");
	assert_string_equal(text_of(a.json, "target"), "4253-2");
	assert_int_equal(number_of(a.json, "leaked_blocks"), 584);
	assert_int_equal(number_of(a.json, "bytes_per_hour"), 211 * 60);
	assert_true(json_is_true(json_object_get(a.json, "told")));
	frame = json_array_get(json_object_get(a.json, "frames"), 0);
	assert_string_equal(text_of(frame, "function"), "leak_four");
	answer_done(&a);
}

/* A target that is gone is still known by its leaks. */
static void test_gone_target(void **state)
{
	struct fixture *f = *state;
	struct answer a;

	add_leaks(f->monitor);
	fake_remove_target(f->monitor, 2);
	a = get(f, "/v1/leaks?target=4253-2");
	assert_int_equal(a.status, 200);
	assert_int_equal(number_of(a.json, "total"), 2);
	answer_done(&a);
}

static void test_acknowledge(void **state)
{
	struct fixture *f = *state;
	struct answer a;

	add_leaks(f->monitor);
	a = send_json(f, "POST", "/v1/leaks/4444444444444444/ack", "{\"note\":\"fixed in 1.8\"}");
	assert_int_equal(a.status, 200);
	assert_true(json_is_true(json_object_get(a.json, "acknowledged")));
	assert_string_equal(text_of(a.json, "note"), "fixed in 1.8");
	answer_done(&a);
	a = get(f, "/v1/leaks?state=leaking");
	assert_int_equal(number_of(a.json, "open"), 3);
	answer_done(&a);

	a = send_json(f, "POST", "/v1/leaks/4444444444444444/ack", "{\"on\":false}");
	assert_int_equal(a.status, 200);
	assert_true(json_is_false(json_object_get(a.json, "acknowledged")));
	answer_done(&a);
	assert_int_equal(alert_book_count_open(f->monitor->alerts), 4);
}

static void test_suppress(void **state)
{
	struct fixture *f = *state;
	struct answer a;

	add_leaks(f->monitor);
	a = send_json(f, "POST", "/v1/leaks/3333333333333333/suppress", "{}");
	assert_int_equal(a.status, 200);
	assert_string_equal(text_of(a.json, "suppressed_by"), "id");
	answer_done(&a);
	assert_int_equal(alert_book_count_open(f->monitor->alerts), 3);
	a = send_json(f, "POST", "/v1/leaks/3333333333333333/suppress", "{\"on\":false}");
	assert_int_equal(a.status, 200);
	assert_true(json_is_null(json_object_get(a.json, "suppressed_by")));
	answer_done(&a);
	assert_int_equal(alert_book_count_open(f->monitor->alerts), 4);
}

static void test_mark(void **state)
{
	static const enum alert_mark marks[] = { ALERT_TRUE, ALERT_FALSE, ALERT_UNMARKED };
	static const char *const words[] = { "true", "false", "unmarked" };
	struct fixture *f = *state;

	add_leaks(f->monitor);
	for (size_t i = 0; i < ARRAY_SIZE(words); i++) {
		char body[40];
		struct answer a;

		snprintf(body, sizeof(body), "{\"mark\":\"%s\"}", words[i]);
		a = send_json(f, "POST", "/v1/leaks/1111111111111111/mark", body);
		assert_int_equal(a.status, 200);
		assert_int_equal(alert_book_find(f->monitor->alerts, 0x1111111111111111)->mark,
				 marks[i]);
		answer_done(&a);
	}
}

static const struct {
	const char *what;
	const char *body;
	const char *code;
} bad_answers[] = {
	{ "ack", "", "bad_json" },
	{ "ack", "[]", "bad_json" },
	{ "ack", "{\"note\":1}", "wrong_type" },
	{ "ack", "{\"on\":\"true\"}", "wrong_type" },
	{ "ack", "{\"on\":1}", "wrong_type" },
	{ "ack", "{\"by\":\"me\"}", "unknown_field" },
	{ "ack", "{\"on\":true,\"on\":false}", "bad_json" },
	{ "ack", "{\"note\":\"a\\u0000b\"}", "bad_json" },
	{ "ack", "{\"note\":\"\xff\"}", "bad_json" },
	{ "suppress", "{\"note\":\"x\"}", "unknown_field" },
	{ "suppress", "{\"on\":null}", "wrong_type" },
	{ "mark", "{}", "missing_field" },
	{ "mark", "{\"mark\":true}", "wrong_type" },
	{ "mark", "{\"mark\":\"TRUE\"}", "out_of_range" },
	{ "mark", "{\"mark\":\"\"}", "out_of_range" },
};

static void test_bad_answers(void **state)
{
	struct fixture *f = *state;
	char body[1200], address[80];
	struct answer a;

	add_leaks(f->monitor);
	for (size_t i = 0; i < ARRAY_SIZE(bad_answers); i++) {
		snprintf(address, sizeof(address), "/v1/leaks/4444444444444444/%s",
			 bad_answers[i].what);
		a = send_json(f, "POST", address, bad_answers[i].body);
		if (a.status != 400 || strcmp(answer_code(&a), bad_answers[i].code) != 0)
			fail_msg("%s %s: %d, %s", address, bad_answers[i].body, a.status, a.body);
		answer_done(&a);
	}
	/* A note may have 1000 bytes, and no more. */
	for (int extra = 0; extra < 2; extra++) {
		snprintf(body, sizeof(body), "{\"note\":\"%0*d\"}", 1000 + extra, 0);
		a = send_json(f, "POST", "/v1/leaks/4444444444444444/ack", body);
		assert_int_equal(a.status, extra ? 400 : 200);
		if (extra)
			assert_string_equal(answer_code(&a), "out_of_range");
		answer_done(&a);
	}
	a = send_json(f, "POST", "/v1/leaks/4444444444444445/mark", "{\"mark\":\"true\"}");
	assert_string_equal(answer_code(&a), "no_such_leak");
	answer_done(&a);
}

/* Escape sequences in a note, or in a name, reach nobody's terminal. */
static void test_hostile_text(void **state)
{
	struct fixture *f = *state;
	struct answer a;
	struct target *t;

	t = fake_target(f->monitor, 1, 4243, 0);
	snprintf(t->comm, sizeof(t->comm), "a\x1b[2J\xff\nb");
	fake_leak(f->monitor, 7, t, "f\x1b]0;x\x07", TREND_LEAKING, TREND_OPENED);
	a = send_json(f, "POST", "/v1/leaks/0000000000000007/ack",
		      "{\"note\":\"\\u001b[31m\\nred\"}");
	assert_int_equal(a.status, 200);
	assert_null(strchr(a.body, '\x1b'));
	assert_null(strstr(a.body, "\\u001b"));
	assert_null(strchr(a.body, '\xff'));
	assert_string_equal(text_of(a.json, "comm"), "a?[2J??b");
	answer_done(&a);
}

static struct answer ask_as_user(struct fixture *f, const char *request)
{
	int fd = client_connect_as(f, USER, SERVER_NO_GROUP);
	struct answer a;

	client_send(f, fd, request, strlen(request));
	a = client_read(f, fd, false);
	close(fd);
	turn(f);
	return a;
}

static void test_access(void **state)
{
	static const char ack[] = "POST /v1/leaks/4444444444444444/ack HTTP/1.1\r\n"
				  "Content-Type: application/json\r\nContent-Length: 2\r\n\r\n{}";
	struct fixture *f = *state;
	struct answer a;

	if (geteuid() != 0)
		skip();
	add_leaks(f->monitor);
	a = ask_as_user(f, "GET /v1/leaks HTTP/1.1\r\n\r\n");
	assert_int_equal(a.status, 200);
	assert_int_equal(number_of(a.json, "total"), 2);
	assert_int_equal(number_of(a.json, "open"), 2);
	answer_done(&a);
	a = ask_as_user(f, "GET /v1/leaks/4444444444444444 HTTP/1.1\r\n\r\n");
	assert_int_equal(a.status, 200);
	answer_done(&a);
	a = ask_as_user(f, "GET /v1/leaks/1111111111111111 HTTP/1.1\r\n\r\n");
	assert_int_equal(a.status, 403);
	assert_string_equal(answer_code(&a), "not_permitted");
	answer_done(&a);
	a = ask_as_user(f, "GET /v1/leaks?target=4243-1 HTTP/1.1\r\n\r\n");
	assert_int_equal(a.status, 403);
	answer_done(&a);
	a = ask_as_user(f, ack);
	assert_int_equal(a.status, 403);
	answer_done(&a);
	assert_false(alert_book_find(f->monitor->alerts, 0x4444444444444444)->is_acknowledged);
}

/* The verdict of a site is that of its alert, the worst of those that are summed up. */
static void test_verdicts(void **state)
{
	static uint64_t stacks[] = { 12, 13 };
	struct fixture *f = *state;
	struct monitor *m = f->monitor;
	uint64_t frames[3];
	const json_t *sites, *trend;
	struct answer a;

	fake_target(m, 1, 4243, 0);
	for (size_t i = 0; i < 3; i++) {
		frames[i] = fake_frame(m, 0x1000 + i, "leak_handler", 87);
		fake_site(m, 1, 11 + i, totals_of(700 - 100 * i, 7, 0, 0), &frames[i], 1);
		fake_site(m, 1, 11 + i, totals_of(800 - 100 * i, 8, 0, 0), NULL, 0);
	}
	fake_leak_at(m, 1, m->targets[0], "leak_handler", TREND_LEAKING, TREND_OPENED, stacks, 1);
	fake_leak_at(m, 2, m->targets[0], "leak_handler", TREND_SUSPECT, TREND_SUSPECTED, stacks,
		     2);

	a = get_resolved(f, "/v1/sites");
	sites = json_object_get(a.json, "sites");
	assert_int_equal(json_array_size(sites), 3);
	trend = json_object_get(json_array_get(sites, 0), "trend");
	assert_string_equal(text_of(trend, "verdict"), "quiet");
	assert_true(json_is_null(json_object_get(trend, "confidence")));
	trend = json_object_get(json_array_get(sites, 1), "trend");
	assert_string_equal(text_of(trend, "verdict"), "leaking");
	assert_true(json_real_value(json_object_get(trend, "confidence")) == 0.97);
	trend = json_object_get(json_array_get(sites, 2), "trend");
	assert_string_equal(text_of(trend, "verdict"), "suspect");
	answer_done(&a);

	a = get_resolved(f, "/v1/sites?by=line");
	trend = json_object_get(json_array_get(json_object_get(a.json, "sites"), 0), "trend");
	assert_string_equal(text_of(trend, "verdict"), "leaking");
	answer_done(&a);

	assert_int_equal(heap_target_tick(m->heap, 1, m->now_ns), 0);
	a = get(f, "/v1/targets");
	trend = json_object_get(json_array_get(json_object_get(a.json, "targets"), 0), "trend");
	assert_string_equal(text_of(trend, "verdict"), "leaking");
	answer_done(&a);

	/* Nobody looks at it any more. */
	m->targets[0]->state = TARGET_EXITED;
	a = get_resolved(f, "/v1/sites");
	trend = json_object_get(json_array_get(json_object_get(a.json, "sites"), 0), "trend");
	assert_string_equal(text_of(trend, "verdict"), "unknown");
	answer_done(&a);
}

/* The entry of a leak shows one process; the others leak as well. */
static void test_verdicts_of_all_processes(void **state)
{
	struct fixture *f = *state;
	struct monitor *m = f->monitor;
	uint64_t frame = fake_frame(m, 0x1000, "leak_handler", 87);
	struct answer a;
	const json_t *list;

	for (uint32_t i = 0; i < 3; i++) {
		uint64_t stack = 11 + i;

		fake_target(m, 1 + i, 4243 + (pid_t)i, 0);
		fake_site(m, 1 + i, stack, totals_of(700 - 100 * i, 7, 0, 0), &frame, 1);
		fake_site(m, 1 + i, stack, totals_of(800 - 100 * i, 8, 0, 0), NULL, 0);
		assert_int_equal(heap_target_tick(m->heap, 1 + i, m->now_ns), 0);
		if (i < 2)
			fake_leak_at(m, 1, m->targets[i], "leak_handler", TREND_LEAKING,
				     TREND_OPENED, &stack, 1);
	}
	a = get_resolved(f, "/v1/sites");
	list = json_object_get(a.json, "sites");
	assert_int_equal(json_array_size(list), 3);
	for (size_t i = 0; i < 3; i++)
		assert_string_equal(
			text_of(json_object_get(json_array_get(list, i), "trend"), "verdict"),
			i < 2 ? "leaking" : "quiet");
	answer_done(&a);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_list, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_empty, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_refusals, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_one, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_gone_target, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_acknowledge, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_suppress, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_mark, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_bad_answers, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_hostile_text, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_access, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_verdicts, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_verdicts_of_all_processes, set_up, tear_down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
