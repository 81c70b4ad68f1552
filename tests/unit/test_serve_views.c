// SPDX-License-Identifier: GPL-2.0-or-later
/* The JSON objects, byte by byte where that is possible. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <math.h>

#include "fake_monitor.h"
#include "serve/problem.h"
#include "base/values.h"
#include "serve/views.h"
#include "totals.h"

static char *dump(json_t *json)
{
	char *text = json_dumps(json, JSON_COMPACT | JSON_REAL_PRECISION(12) | JSON_ENCODE_ANY);

	assert_non_null(text);
	json_decref(json);
	return text;
}

static void assert_dump(json_t *json, const char *want)
{
	char *text = dump(json);

	assert_string_equal(text, want);
	free(text);
}

static void test_values(void **state)
{
	const struct timespec t = { .tv_sec = 1764086400, .tv_nsec = 123456789 };

	(void)state;
	assert_dump(view_text(NULL), "null");
	assert_dump(view_text("a\"b"), "\"a\\\"b\"");
	assert_dump(view_text("a\xff\x1b[31m"), "\"a??[31m\"");
	assert_dump(view_u64(0), "0");
	assert_dump(view_u64(INT64_MAX), "9223372036854775807");
	assert_dump(view_u64(UINT64_MAX), "9223372036854775807");
	assert_dump(view_u64_or_null(0), "null");
	assert_dump(view_real(0.1), "0.1");
	assert_dump(view_real((double)NAN), "null");
	assert_dump(view_real((double)INFINITY), "null");
	assert_dump(view_seconds(1500000000), "1.5");
	assert_dump(view_hex(0x1f), "\"000000000000001f\"");
	assert_dump(view_hex(UINT64_MAX), "\"ffffffffffffffff\"");
	assert_dump(view_time(&t), "\"2025-11-25T16:00:00.123456Z\"");
	assert_dump(view_monotonic(0), "null");
}

static void test_problems(void **state)
{
	(void)state;
	for (int p = 0; p < PROBLEMS; p++) {
		assert_in_range(problem_status((enum problem)p), 400, 599);
		assert_non_null(problem_code((enum problem)p));
		for (int q = 0; q < p; q++)
			assert_string_not_equal(problem_code((enum problem)p),
						problem_code((enum problem)q));
	}
	assert_dump(problem_json(PROBLEM_NO_SUCH_TARGET, "Sorry."),
		    "{\"type\":\"about:blank\",\"title\":\"Not Found\",\"status\":404,"
		    "\"code\":\"no_such_target\",\"detail\":\"Sorry.\"}");
}

static void test_target(void **state)
{
	struct monitor *m = fake_new();
	struct target *t = fake_target(m, 7, 4243, 1009);
	static char libc[] = "/usr/lib/libc.so.6";
	static char python[] = "/opt/python3.11", command[] = "python3 app.py\n";
	char *allocators[] = { libc };
	json_t *o = NULL;
	char *text;

	(void)state;
	free(t->exe);
	t->exe = python;
	t->cmdline = command;
	t->allocators = allocators;
	t->n_allocators = 1;
	t->started = (struct timespec){ .tv_sec = 1764086400 };
	t->parent = 8;
	(void)fake_target(m, 8, 4241, 1009);
	t->rss_bytes = 1048573;
	t->memory = (struct memory){
		.anonymous_bytes = 900001,
		.swap_bytes = 4099,
		.usage_bytes = 2000003,
		.limit_bytes = 3000017,
		.headroom_bytes = 1000014,
		.limit_of = MEMORY_LIMIT_CGROUP,
		.is_bounded = true,
	};
	t->mode = TARGET_SAMPLED;
	t->mode_reason = "budget";
	t->sampling_interval = 65536;
	t->duty_ratio = 0.5;
	t->overhead = (struct overhead){ 0.25, 0.125, 2003, 401 };
	t->coverage.allocations_seen = 23;
	t->coverage.frees_seen = 17;
	t->coverage.lost[LOSS_LIVE_FULL] = 3;
	t->coverage.truncated_stacks[STACK_JIT] = 5;
	t->coverage.python[PYTHON_WHOLE] = 29;
	t->coverage.python[PYTHON_UNMATCHED] = 2;
	t->coverage.python[PYTHON_NO_STATE] = 1;
	fake_site(m, 7, 11, totals_of(2300, 23, 1700, 17), NULL, 0);
	assert_int_equal(view_target(m, t, &o), 0);
	text = dump(o);
	assert_string_equal(
		text,
		"{\"id\":\"4243-7\",\"pid\":4243,\"parent\":\"4241-8\","
		"\"start_time\":\"2025-11-25T16:00:00.000000Z\",\"uid\":1009,\"comm\":\"server\","
		"\"exe\":\"/opt/python3.11\",\"command\":\"python3 app.py?\",\"unit\":null,"
		"\"cgroup\":null,\"container\":null,\"language\":\"python\",\"python_error\":null,"
		"\"allocators\":[\"/usr/lib/libc.so.6\"],\"mode\":\"sampled\","
		"\"mode_reason\":\"budget\",\"sampling_interval_bytes\":65536,"
		"\"duty_ratio\":0.5,\"state\":\"traced\","
		"\"error\":null,\"attached_at\":null,\"rss_bytes\":1048573,\"limit_bytes\":null,"
		"\"memory\":{\"anonymous_bytes\":900001,\"swap_bytes\":4099,"
		"\"usage_bytes\":2000003,\"limit_bytes\":3000017,\"limit_of\":\"cgroup\","
		"\"headroom_bytes\":1000014},\"reconciliation\":null,"
		"\"live_bytes\":600,\"live_count\":6,\"error_bytes\":0,"
		"\"trend\":{\"verdict\":\"unknown\",\"bytes_per_hour\":null,"
		"\"bytes_per_hour_error\":null,\"confidence\":null,\"since\":null},"
		"\"overhead\":{\"budget_ratio\":0.25,\"estimated_ratio\":0.125,"
		"\"hits_per_second\":2003.0,\"ns_per_hit\":401.0},"
		"\"coverage\":{\"from_start\":false,\"allocations_seen\":23,\"frees_seen\":17,"
		"\"frees_of_unknown_blocks\":0,\"failed_allocations\":0,"
		"\"growth_bytes\":null,\"explained_bytes\":null,\"lost\":{\"live_full\":3,"
		"\"sites_full\":0,\"stacks_full\":0,\"threads_full\":0,\"map_busy\":0,"
		"\"missed_free\":0,\"missed_return\":0,\"result_unreadable\":0,"
		"\"stack_unreadable\":0,\"restore_failed\":0,\"note\":0,\"files_full\":0,"
		"\"targets_full\":0,\"python_code\":0},\"truncated_stacks\":{\"depth\":0,\"no_"
		"mapping\":0,"
		"\"no_table\":0,\"no_cfi\":0,\"invalid_rule\":0,\"read_fault\":0,\"bad_cfa\":0,"
		"\"jit\":5},\"python_stacks\":{\"whole\":29,\"unmatched\":2,"
		"\"no_thread_state\":1}}}");
	free(text);
	t->exe = t->cmdline = NULL;
	t->allocators = NULL;
	t->n_allocators = 0;
	fake_free(m);
}

static void test_reconciliation(void **state)
{
	struct target t = {
		.reconcile_tick_seconds = 60,
		.reconciliation = {
			.verdict = RECONCILE_RETAINED,
			.predates = true,
			.has_total = true,
			.has_day = true,
			.total = { 2097152, 1048576, 1048576, 401, 90 },
			.day = { -7, 0, 0, 401, 1440 },
			.found = { 1048576, 0, 1048576, 401, 35 },
		},
	};
	json_t *o = NULL;

	(void)state;
	assert_int_equal(view_reconciliation(&t, &o), 0);
	assert_dump(o,
		    "{\"verdict\":\"retained\",\"text\":\"Memory grows (1.0 MiB in 35 min) but "
		    "live blocks do not: the allocator retains 1.0 MiB that were freed "
		    "(fragmentation, free lists), or it was mapped without malloc. This is no leak "
		    "of blocks.\",\"seconds\":5400.0,\"growth_bytes\":2097152,"
		    "\"explained_bytes\":1048576,\"retained_bytes\":1048576,\"error_bytes\":401,"
		    "\"day\":{\"seconds\":86400.0,\"growth_bytes\":-7,\"explained_bytes\":0,"
		    "\"retained_bytes\":0,\"error_bytes\":401},\"older_blocks\":true,"
		    "\"is_partial\":false}");
	t.reconciliation.has_total = false;
	assert_int_equal(view_reconciliation(&t, &o), 0);
	assert_true(json_is_null(o));
	json_decref(o);
}

static void count_call(void *userdata)
{
	++*(int *)userdata;
}

/* Inlined frames are spread out; a frame without name and a stack without frames are shown. */
static void test_frames(void **state)
{
	const struct group_options options = { .by = GROUP_BY_STACK, .sort = GROUP_SORT_LIVE };
	struct monitor *m = fake_new();
	uint64_t inlined = fake_frame(m, 0x1000, "inner", 3);
	uint64_t nameless = 2ull << FRAME_SLOT_SHIFT | 0x777;
	json_t *o = NULL, *sites, *frames;
	int calls = 0;

	(void)state;
	m->symbolizer.names[0].frames[0].kind = FRAME_INLINED;
	m->symbolizer.names[0].frames[1] = (struct frame){ .function = "outer" };
	m->symbolizer.names[0].list.n = 2;
	(void)fake_target(m, 1, 4243, 0);
	fake_site(m, 1, 11, totals_of(1300, 13, 0, 0), (uint64_t[]){ inlined, nameless }, 2);
	fake_site(m, 1, 12, totals_of(7, 1, 0, 0), NULL, 0);
	assert_int_equal(view_resolve(m, 1, count_call, &calls), 0);
	assert_int_equal(m->symbolizer.frames_asked, 2);
	assert_int_equal(calls, 0);
	assert_int_equal(fake_answer(m), 1);
	assert_int_equal(calls, 1);
	assert_int_equal(view_sites(m, 1, &options, &o), 0);
	assert_int_equal(m->n_scans, 1);
	sites = json_object_get(o, "sites");
	assert_int_equal(json_array_size(sites), 2);
	assert_true(json_is_null(json_object_get(o, "limit")));
	frames = json_object_get(json_array_get(sites, 0), "frames");
	assert_int_equal(json_array_size(frames), 3);
	assert_dump(json_incref(json_array_get(frames, 0)),
		    "{\"kind\":\"inlined\",\"function\":\"inner\",\"file\":\"server.c\",\"line\":3,"
		    "\"module\":\"/usr/bin/server\",\"build_id\":\"abcdef\",\"offset\":4096,"
		    "\"approximate\":false}");
	assert_dump(json_incref(json_array_get(frames, 2)),
		    "{\"kind\":\"native\",\"function\":null,\"file\":null,\"line\":null,"
		    "\"module\":null,\"build_id\":null,\"offset\":1911,\"approximate\":true}");
	assert_int_equal(json_array_size(json_object_get(json_array_get(sites, 1), "frames")), 1);
	json_decref(o);
	fake_free(m);
}

/* What has no module is grouped by its file, which is told. */
static void test_file_for_module(void **state)
{
	struct group_options options = { .by = GROUP_BY_MODULE, .sort = GROUP_SORT_LIVE };
	struct monitor *m = fake_new();
	uint64_t frame = fake_frame(m, 0x1000, "handle", 6);
	const json_t *shown;
	json_t *o = NULL;
	int calls = 0;

	(void)state;
	(void)fake_target(m, 1, 4243, 0);
	fake_site(m, 1, 11, totals_of(1300, 13, 0, 0), &frame, 1);
	assert_int_equal(view_resolve(m, 1, count_call, &calls), 0);
	assert_int_equal(fake_answer(m), 1);
	for (int has_module = 1; has_module >= 0; has_module--) {
		if (!has_module) {
			m->symbolizer.names[0].frames[0].kind = FRAME_PYTHON;
			m->symbolizer.names[0].frames[0].module = NULL;
		}
		assert_int_equal(view_sites(m, 1, &options, &o), 0);
		shown = json_array_get(
			json_object_get(json_array_get(json_object_get(o, "sites"), 0), "frames"),
			0);
		assert_int_equal(json_is_string(json_object_get(shown, "module")), has_module);
		assert_int_equal(json_is_string(json_object_get(shown, "file")), !has_module);
		assert_true(json_is_null(json_object_get(shown, "function")));
		json_decref(o);
	}
	fake_free(m);
}

/* Five ticks, 100 bytes more each second: 360000 bytes per hour, without any error. */
static void test_trend(void **state)
{
	const struct group_options options = { .by = GROUP_BY_LINE, .sort = GROUP_SORT_GROWTH };
	struct monitor *m = fake_new();
	uint64_t frame = fake_frame(m, 0x1000, "leak", 3);
	json_t *o = NULL, *trend;
	struct site *s;

	(void)state;
	(void)fake_target(m, 1, 4243, 0);
	for (uint64_t i = 1; i <= 5; i++) {
		struct totals t = { .allocated_bytes = 100 * i, .allocated_count = i };

		assert_true(heap_update(m->heap, 1, 11, &t, i * 1000000000, &s) >= 0);
	}
	assert_int_equal(heap_set_frames(s, &frame, 1, STACK_DEPTH), 0);
	assert_int_equal(view_sites(m, 0, &options, &o), 0);
	trend = json_object_get(json_array_get(json_object_get(o, "sites"), 0), "trend");
	assert_string_equal(json_string_value(json_object_get(trend, "verdict")), "quiet");
	assert_true(fabs(json_real_value(json_object_get(trend, "bytes_per_hour")) - 360000) < 1);
	assert_true(json_is_real(json_object_get(trend, "bytes_per_hour_error")));
	assert_true(json_is_string(json_object_get(trend, "since")));
	assert_string_equal(
		json_string_value(json_object_get(json_array_get(json_object_get(o, "sites"), 0),
						  "stack_status")),
		"depth");
	json_decref(o);
	fake_free(m);
}

/* Memory that grows without malloc is Python's own affair, where there is Python. */
static void test_growth_of_python(void **state)
{
	struct target t = { .reconciliation = { .has_total = true,
						.verdict = RECONCILE_RETAINED,
						.total = { .ticks = 60, .growth = 1 << 20 } },
			    .reconcile_tick_seconds = 60 };

	(void)state;
	for (int python = 0; python < 2; python++) {
		json_auto_t *o = NULL;
		const char *text;

		t.runs_python = python;
		assert_int_equal(view_reconciliation(&t, &o), 0);
		text = json_string_value(json_object_get(o, "text"));
		assert_non_null(strstr(text, "without malloc"));
		assert_int_equal(strstr(text, "the census counts those") != NULL, python);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_values), cmocka_unit_test(test_problems),
		cmocka_unit_test(test_target), cmocka_unit_test(test_reconciliation),
		cmocka_unit_test(test_frames), cmocka_unit_test(test_file_for_module),
		cmocka_unit_test(test_trend),  cmocka_unit_test(test_growth_of_python),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
