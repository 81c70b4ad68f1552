// SPDX-License-Identifier: GPL-2.0-or-later
/* Metrics: the two formats, and counters that never go back. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <event2/buffer.h>
#include <math.h>

#include "serve/exposition.h"
#include "serve/metric_totals.h"
#include "serve/metrics.h"
#include "serve_fixture.h"
#include "totals.h"

#define SECOND 1000000000ull

/* --- the text --------------------------------------------------------------------------------------- */

static void check_text(bool is_openmetrics, const char *expected)
{
	struct exposition e = { .out = evbuffer_new(), .is_openmetrics = is_openmetrics };

	exposition_family(&e, "seep_x_bytes", METRIC_GAUGE, "bytes", "A \\ and a\nline.");
	exposition_sample(&e, 0.5, NULL);
	exposition_sample(
		&e, INFINITY,
		METRIC_LABELS({ "a", "quote \" back \\ line \n" }, { "b", NULL }, { "c", "" }));
	exposition_family(&e, "seep_x_total", METRIC_COUNTER, NULL, "Says \"x\".");
	exposition_sample(&e, 1099511627776.0, NULL);
	exposition_family(&e, "seep_x_info", METRIC_INFO, NULL, "Y.");
	exposition_sample(&e, NAN, METRIC_LABELS({ "a", "b" }));
	exposition_end(&e);
	assert_false(e.has_failed);
	assert_int_equal(evbuffer_add(e.out, "", 1), 0);
	assert_string_equal((char *)evbuffer_pullup(e.out, -1), expected);
	evbuffer_free(e.out);
}

static void test_formats(void **state)
{
	(void)state;
	check_text(false, "# TYPE seep_x_bytes gauge\n"
			  "# HELP seep_x_bytes A \\\\ and a\\nline.\n"
			  "seep_x_bytes 0.5\n"
			  "seep_x_bytes{a=\"quote \\\" back \\\\ line \\n\",c=\"\"} +Inf\n"
			  "# TYPE seep_x_total counter\n"
			  "# HELP seep_x_total Says \"x\".\n"
			  "seep_x_total 1099511627776\n"
			  "# TYPE seep_x_info gauge\n"
			  "# HELP seep_x_info Y.\n"
			  "seep_x_info{a=\"b\"} NaN\n");
	check_text(true, "# TYPE seep_x_bytes gauge\n"
			 "# UNIT seep_x_bytes bytes\n"
			 "# HELP seep_x_bytes A \\\\ and a\\nline.\n"
			 "seep_x_bytes 0.5\n"
			 "seep_x_bytes{a=\"quote \\\" back \\\\ line \\n\",c=\"\"} +Inf\n"
			 "# TYPE seep_x counter\n"
			 "# HELP seep_x Says \\\"x\\\".\n"
			 "seep_x_total 1099511627776\n"
			 "# TYPE seep_x info\n"
			 "# HELP seep_x Y.\n"
			 "seep_x_info{a=\"b\"} NaN\n"
			 "# EOF\n");
}

/* --- sums ------------------------------------------------------------------------------------------- */

static void take(struct metric_totals *t, uint32_t key, const char *service, double allocated,
		 double live, uint64_t now_ns)
{
	struct metric_sample s = { .key = key, .service = service };

	s.counters[METRIC_ALLOCATED_BYTES] = allocated;
	s.gauges[METRIC_LIVE_BYTES] = live;
	s.gauges[METRIC_PROCESSES] = 1;
	assert_int_equal(metric_totals_take(t, &s, now_ns), 0);
}

static const struct metric_service *service(const struct metric_totals *t, size_t i, size_t n)
{
	const struct metric_service *list;

	assert_int_equal(metric_totals_services(t, &list), n);
	return &list[i];
}

static void test_counters_never_go_back(void **state)
{
	struct metric_totals *t = metric_totals_new();
	const struct metric_service *s;

	(void)state;
	metric_totals_begin(t);
	take(t, 1, "web", 1000, 100, SECOND);
	take(t, 2, "web", 300, 30, SECOND);
	take(t, 3, "db", 7, 7, SECOND);
	metric_totals_end(t, SECOND);
	s = service(t, 0, 2);
	assert_string_equal(s->name, "web");
	assert_true(s->counters[METRIC_ALLOCATED_BYTES] == 1300);
	assert_true(s->gauges[METRIC_LIVE_BYTES] == 130);
	/* The larger one has gone, another has come; db has none. */
	metric_totals_begin(t);
	take(t, 2, "web", 350, 35, 2 * SECOND);
	take(t, 4, "web", 11, 11, 2 * SECOND);
	metric_totals_end(t, 2 * SECOND);
	s = service(t, 0, 2);
	assert_true(s->counters[METRIC_ALLOCATED_BYTES] == 1361);
	assert_true(s->gauges[METRIC_LIVE_BYTES] == 46);
	assert_true(s->gauges[METRIC_PROCESSES] == 2);
	s = service(t, 1, 2);
	assert_true(s->counters[METRIC_ALLOCATED_BYTES] == 7);
	assert_true(s->gauges[METRIC_PROCESSES] == 0);
	/* Five minutes later db is forgotten, and web, which is still there, is not. */
	metric_totals_begin(t);
	take(t, 2, "web", 400, 40, 302 * SECOND);
	metric_totals_end(t, 302 * SECOND);
	s = service(t, 0, 1);
	assert_true(s->counters[METRIC_ALLOCATED_BYTES] == 1411);
	metric_totals_free(t);
}

/* --- the route -------------------------------------------------------------------------------------- */

static void expect(const struct answer *a, const char *line)
{
	char whole[256];

	snprintf(whole, sizeof(whole), "\n%s\n", line);
	if (!strstr(a->body, whole))
		fail_msg("no '%s' in %.4000s", line, a->body);
}

static void test_route(void **state)
{
	uint64_t frame;
	struct fixture *f = *state;
	struct answer a;

	frame = fake_frame(f->monitor, 0x1000, "leak_handler", 87);
	fake_target(f->monitor, 1, 4243, 0)->rss_bytes = 65536;
	fake_target(f->monitor, 2, 4253, 0)->unit = strdup("shop.service");
	fake_site(f->monitor, 1, 11, totals_of(700, 7, 100, 1), &frame, 1);
	f->monitor->targets[0]->coverage.lost[LOSS_MISSED_FREE] = 13;
	fake_leak(f->monitor, 0x1234, f->monitor->targets[1], "leak_handler", TREND_LEAKING,
		  TREND_OPENED);
	a = get(f, "/metrics");
	assert_int_equal(a.status, 200);
	assert_non_null(strstr(a.head, "Content-Type: text/plain; version=0.0.4"));
	expect(&a, "seep_service_processes{service=\"/usr/bin/server\"} 1");
	expect(&a, "seep_service_live_bytes{service=\"/usr/bin/server\"} 600");
	expect(&a, "seep_service_live_blocks{service=\"/usr/bin/server\"} 6");
	expect(&a, "seep_service_resident_bytes{service=\"/usr/bin/server\"} 65536");
	expect(&a, "seep_service_allocated_bytes_total{service=\"/usr/bin/server\"} 700");
	expect(&a, "seep_service_freed_blocks_total{service=\"/usr/bin/server\"} 1");
	expect(&a,
	       "seep_service_lost_total{service=\"/usr/bin/server\",reason=\"missed_free\"} 13");
	expect(&a, "seep_leaks{service=\"shop.service\",state=\"leaking\"} 1");
	expect(&a, "seep_leak_live_bytes{service=\"shop.service\",leak_id=\"0000000000001234\"} "
		   "131072");
	expect(&a, "seep_leaks_left_out 0");
	expect(&a, "seep_map_capacity{map=\"blocks\"} 1048573");
	answer_done(&a);
	/* A target that has gone still counts. */
	fake_remove_target(f->monitor, 1);
	a = get(f, "/metrics");
	expect(&a, "seep_service_allocated_bytes_total{service=\"/usr/bin/server\"} 700");
	assert_null(strstr(a.body, "seep_service_live_bytes{service=\"/usr/bin/server\"}"));
	answer_done(&a);
	a = ask(f,
		"GET /metrics HTTP/1.1\r\nAccept: application/openmetrics-text; version=1.0.0\r\n"
		"\r\n");
	assert_non_null(
		strstr(a.head, "Content-Type: application/openmetrics-text; version=1.0.0"));
	assert_string_equal(a.body + a.n - 6, "# EOF\n");
	answer_done(&a);
}

/* Series of leaks are bounded, and what is left out is told. */
static void test_many_leaks(void **state)
{
	struct fixture *f = *state;
	const struct target *t = fake_target(f->monitor, 1, 4243, 0);
	struct answer a;
	size_t n = 0;

	for (uint64_t i = 0; i < METRICS_LEAKS_PER_SERVICE + 3; i++)
		fake_leak(f->monitor, 0x1000 + i, t, NULL, TREND_LEAKING, TREND_OPENED);
	a = get(f, "/metrics");
	for (const char *at = a.body; (at = strstr(at, "\nseep_leak_live_bytes{")); at++)
		n++;
	assert_int_equal(n, METRICS_LEAKS_PER_SERVICE);
	expect(&a, "seep_leaks_left_out 3");
	expect(&a, "seep_leaks{service=\"/usr/bin/server\",state=\"leaking\"} 23");
	answer_done(&a);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_formats),
		cmocka_unit_test(test_counters_never_go_back),
		cmocka_unit_test_setup_teardown(test_route, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_many_leaks, set_up, tear_down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
