// SPDX-License-Identifier: GPL-2.0-or-later
/* /v1/census: kept ones of targets, ones that are taken now, who may see them, and what is refused. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <unistd.h>

#include "alert/python.h"
#include "serve_fixture.h"

#define USER 65534 /* nobody */
#define LEAK 0x9f2c41d0e7a83b15

static struct python_kind kinds[] = {
	{ .type = (char *)"_asyncio.Task",
	  .function = (char *)"Hub.audit",
	  .file = (char *)"/srv/hub.py",
	  .line = 16,
	  .done = true,
	  .count = 101,
	  .bytes = 19392 },
	{ .type = (char *)"_asyncio.Task",
	  .function = (char *)"Hub.run",
	  .file = (char *)"/srv/hub.py",
	  .line = 35,
	  .count = 3,
	  .bytes = 576 },
	{ .type = (char *)"str", .count = 1009, .bytes = 70003, .cached = 2 },
};

static struct trend_evidence evidence = { .state = TREND_LEAKING, .confidence = 0.97 };

static void add_census(struct monitor *m)
{
	struct target *t = fake_target(m, 1, 4243, 0);

	m->census_target = t->key;
	m->census = (struct python_census){
		.kinds = kinds, .n = 3, .objects = 1113, .bytes = 89971, .tasks_made = 211
	};
	for (size_t i = 0; i < 3; i++)
		m->kinds[i] = (struct monitor_kind){
			.id = 0x100 + i,
			.growth = { .per_hour = 1000.0 * (double)(3 - i), .valid = true },
		};
	m->kinds[0].evidence = &evidence;
	m->kinds[0].leak = LEAK;
	fake_leak(m, LEAK, t, "unused", TREND_LEAKING, TREND_OPENED);
}

static const json_t *type_at(const struct answer *a, size_t i)
{
	return json_array_get(json_object_get(a->json, "types"), i);
}

static json_int_t number_of(const json_t *o, const char *key)
{
	return json_integer_value(json_object_get(o, key));
}

static const char *text_of(const json_t *o, const char *key)
{
	const char *text = json_string_value(json_object_get(o, key));

	return text ? text : "(none)";
}

static void test_of_a_target(void **state)
{
	struct fixture *f = *state;
	const json_t *task, *trend;
	struct answer a;

	add_census(f->monitor);
	a = get(f, "/v1/census?target=4243-1");
	assert_int_equal(a.status, 200);
	assert_string_equal(text_of(a.json, "target"), "4243-1");
	assert_int_equal(number_of(a.json, "objects"), 1113);
	assert_int_equal(number_of(a.json, "total"), 3);
	assert_string_equal(text_of(type_at(&a, 0), "type"), "str");
	task = type_at(&a, 1);
	assert_string_equal(text_of(json_object_get(task, "runs"), "function"), "Hub.audit");
	assert_int_equal(number_of(json_object_get(task, "runs"), "line"), 16);
	assert_true(json_is_true(json_object_get(json_object_get(task, "runs"), "done")));
	assert_int_equal(number_of(task, "average_bytes"), 192);
	trend = json_object_get(task, "trend");
	assert_string_equal(text_of(trend, "verdict"), "leaking");
	assert_int_equal(number_of(trend, "bytes_per_hour"), 3000);
	assert_string_equal(text_of(task, "leak"), "9f2c41d0e7a83b15");
	assert_string_equal(text_of(json_object_get(type_at(&a, 0), "trend"), "verdict"), "quiet");
	answer_done(&a);
}

static void test_orders(void **state)
{
	static const struct {
		const char *query, *first;
		unsigned shown, total;
	} cases[] = {
		{ "&sort=growth&limit=1", "_asyncio.Task", 1, 3 },
		{ "&sort=count", "str", 3, 3 },
		{ "&by=type&sort=growth", "_asyncio.Task", 2, 2 },
		{ "&by=type&limit=1", "str", 1, 2 },
	};
	struct fixture *f = *state;

	add_census(f->monitor);
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		char address[100];
		struct answer a;

		snprintf(address, sizeof(address), "/v1/census?target=4243-1%s", cases[i].query);
		a = get(f, address);
		if (a.status != 200 ||
		    json_array_size(json_object_get(a.json, "types")) != cases[i].shown ||
		    number_of(a.json, "total") != cases[i].total ||
		    strcmp(text_of(type_at(&a, 0), "type"), cases[i].first) != 0)
			fail_msg("%s: %d, %s", address, a.status, a.body);
		answer_done(&a);
	}
}

/* What code has made counts together. */
static void test_by_type_and_as_sites(void **state)
{
	struct fixture *f = *state;
	const json_t *task, *site;
	struct answer a;

	add_census(f->monitor);
	a = get(f, "/v1/census?target=4243-1&by=type&sort=growth");
	task = type_at(&a, 0);
	assert_int_equal(number_of(task, "count"), 104);
	assert_int_equal(number_of(json_object_get(task, "trend"), "bytes_per_hour"), 5000);
	assert_string_equal(text_of(json_object_get(task, "trend"), "verdict"), "leaking");
	assert_true(json_is_null(json_object_get(task, "runs")));
	answer_done(&a);
	a = get(f, "/v1/sites?target=4243-1&by=type&sort=live");
	site = json_array_get(json_object_get(a.json, "sites"), 0);
	assert_int_equal(number_of(site, "live_bytes"), 70003);
	assert_string_equal(text_of(json_array_get(json_object_get(site, "frames"), 0), "function"),
			    "str");
	answer_done(&a);
	a = get(f, "/v1/sites?by=type");
	assert_string_equal(answer_code(&a), "bad_parameter");
	answer_done(&a);
}

static void test_of_a_process(void **state)
{
	struct fixture *f = *state;
	char address[64];
	struct answer a;

	add_census(f->monitor);
	f->monitor->census_target = 99;
	snprintf(address, sizeof(address), "/v1/census?pid=%d", (int)getpid());
	a = get_resolved(f, address);
	assert_int_equal(a.status, 200);
	assert_true(json_is_null(json_object_get(a.json, "target")));
	assert_int_equal(number_of(a.json, "pid"), getpid());
	assert_string_equal(text_of(json_object_get(type_at(&a, 0), "trend"), "verdict"),
			    "unknown");
	answer_done(&a);
	f->monitor->census_error = -ENOENT;
	a = get_resolved(f, address);
	assert_string_equal(answer_code(&a), "not_python");
	answer_done(&a);
	f->monitor->census_error = -EOPNOTSUPP;
	f->monitor->census_why = "it has no pools";
	a = get_resolved(f, address);
	assert_string_equal(answer_code(&a), "no_census");
	assert_non_null(strstr(a.body, "it has no pools"));
	answer_done(&a);
}

static void test_refused(void **state)
{
	static const struct {
		const char *query, *code;
	} cases[] = {
		{ "", "bad_parameter" },
		{ "?pid=1&target=4243-1", "bad_parameter" },
		{ "?pid=x", "bad_parameter" },
		{ "?pid=4194304", "no_such_process" },
		{ "?target=1-1", "no_such_target" },
		{ "?target=4243-1&by=stack", "bad_parameter" },
		{ "?target=4243-1&sort=age", "bad_parameter" },
		{ "?target=4243-1&limit=0", "limit_out_of_range" },
		{ "?target=4243-1&limit=1001", "limit_out_of_range" },
		{ "?target=4243-1&include=x", "unknown_parameter" },
	};
	struct fixture *f = *state;

	add_census(f->monitor);
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		char address[100];
		struct answer a;

		snprintf(address, sizeof(address), "/v1/census%s", cases[i].query);
		a = get(f, address);
		if (strcmp(answer_code(&a), cases[i].code) != 0)
			fail_msg("%s: %d, %s", address, a.status, a.body);
		answer_done(&a);
	}
}

/* Users see their own processes, and no others. */
static void test_others(void **state)
{
	static const char *const addresses[] = { "/v1/census?target=4243-1", "/v1/census?pid=1" };
	struct fixture *f = *state;

	if (getuid() != 0)
		skip();
	add_census(f->monitor);
	for (size_t i = 0; i < ARRAY_SIZE(addresses); i++) {
		int fd = client_connect_as(f, USER, USER);
		char request[100];
		struct answer a;

		snprintf(request, sizeof(request), "GET %s HTTP/1.1\r\n\r\n", addresses[i]);
		client_send(f, fd, request, strlen(request));
		a = client_read(f, fd, false);
		assert_string_equal(answer_code(&a), "not_permitted");
		answer_done(&a);
		close(fd);
		turn(f);
	}
}

static void test_origins(void **state)
{
	static const char *const address = "/v1/census/origins?target=4243-1&type=_asyncio.Task";
	_cleanup_(alert_python_freep) struct alert_python *origin =
		alert_python_new("_asyncio.Task");
	const struct alert_line line = { .function = (char *)"Hub.audit",
					 .file = (char *)"/srv/hub.py",
					 .line = 16,
					 .survivors = 1999,
					 .sampled = 2000,
					 .share = 1 };
	struct fixture *f = *state;
	const json_t *first;
	struct answer a;

	add_census(f->monitor);
	a = send_json(f, "POST", address, "");
	assert_int_equal(a.status, 202);
	assert_string_equal(text_of(a.json, "state"), "sampling");
	answer_done(&a);
	f->monitor->origin_error = -EINPROGRESS;
	a = get(f, address);
	assert_int_equal(a.status, 200);
	assert_string_equal(text_of(a.json, "state"), "sampling");
	answer_done(&a);
	f->monitor->origin_error = 0;
	f->monitor->origin = origin;
	assert_int_equal(alert_python_add_line(origin, &line), 0);
	origin->constructions_seen = 0.75;
	a = get(f, address);
	assert_string_equal(text_of(a.json, "state"), "known");
	first = json_array_get(json_object_get(a.json, "created_at"), 0);
	assert_int_equal(number_of(first, "survivors"), 1999);
	assert_int_equal(number_of(first, "line"), 16);
	assert_float_equal(json_number_value(json_object_get(a.json, "constructions_seen")), 0.75,
			   0);
	answer_done(&a);
}

static void test_origins_refused(void **state)
{
	static const struct {
		const char *query;
		int error;
		const char *code;
	} cases[] = {
		{ "?target=4243-1", 0, "bad_parameter" },
		{ "?type=x", 0, "bad_parameter" },
		{ "?target=1-1&type=x", 0, "no_such_target" },
		{ "?target=4243-1&type=x", -EBUSY, "no_origins" },
		{ "?target=4243-1&type=x", -EAGAIN, "no_origins" },
		{ "?target=4243-1&type=x", -ENOENT, "no_origins" },
		{ "?target=4243-1&type=x", -ENODATA, "no_origins" },
		{ "?target=4243-1&type=x", -ESRCH, "no_origins" },
		{ "?target=4243-1&type=x", -EIO, "internal" },
	};
	struct fixture *f = *state;

	add_census(f->monitor);
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		char address[100];
		struct answer a;

		f->monitor->origin_error = cases[i].error;
		snprintf(address, sizeof(address), "/v1/census/origins%s", cases[i].query);
		a = send_json(f, "POST", address, "");
		if (strcmp(answer_code(&a), cases[i].code) != 0)
			fail_msg("POST %s: %d, %s", address, a.status, a.body);
		answer_done(&a);
		a = get(f, address);
		if (strcmp(answer_code(&a), cases[i].code) != 0)
			fail_msg("GET %s: %d, %s", address, a.status, a.body);
		answer_done(&a);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_of_a_target, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_orders, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_by_type_and_as_sites, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_of_a_process, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_refused, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_others, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_origins, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_origins_refused, set_up, tear_down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
