// SPDX-License-Identifier: GPL-2.0-or-later
/* heap/group.c, filter.c: tracemalloc's table, of frames of Python, which have a file and no module. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <string.h>

#include "heap/group.h"
#include "totals.h"

#define PYTHON(name, path, n)                                                         \
	{                                                                             \
		.kind = FRAME_PYTHON, .function = (name), .file = (path), .line = (n) \
	}

static const struct frame handle = PYTHON("Hub.handle", "/srv/app/hub.py", 42);
static const struct frame handle_later = PYTHON("Hub.handle", "/srv/app/hub.py", 44);
static const struct frame handle_elsewhere = PYTHON("Hub.handle", "/srv/app/old_hub.py", 42);
static const struct frame decode =
	PYTHON("JSONDecoder.decode", "/usr/lib/python3.11/json/decoder.py", 337);
static const struct frame import =
	PYTHON("_call_with_frames_removed", "<frozen importlib._bootstrap>", 241);
static const struct frame compile =
	PYTHON("get_data", "<frozen importlib._bootstrap_external>", 1073);
static const struct frame nowhere = PYTHON(NULL, "<unknown>", 0);
static const struct frame native = { .function = "read_rows",
				     .module = "/usr/lib/_rows.so",
				     .offset = 17 };

static const struct frame *const in_handle[] = { &handle, &handle_elsewhere };
static const struct frame *const in_handle_later[] = { &handle_later, &import };
static const struct frame *const in_handle_elsewhere[] = { &handle_elsewhere };
static const struct frame *const in_decode[] = { &decode, &handle };
static const struct frame *const in_import[] = { &import, &handle };
static const struct frame *const in_compile[] = { &compile, &import };
static const struct frame *const in_nowhere[] = { &nowhere };
static const struct frame *const in_native[] = { &native, &handle };

#define STACK(s) .target = 1, .frames = (s), .n_frames = ARRAY_SIZE(s)

static const struct named_site sites[] = {
	{ STACK(in_handle), .stack = 1, .totals = TOTALS(1000, 10, 0, 0) },
	{ STACK(in_handle_later), .stack = 2, .totals = TOTALS(2000, 10, 0, 0) },
	{ STACK(in_handle_elsewhere), .stack = 3, .totals = TOTALS(4000, 10, 0, 0) },
	{ STACK(in_decode), .stack = 4, .totals = TOTALS(8000, 10, 0, 0) },
	{ STACK(in_import), .stack = 5, .totals = TOTALS(16000, 10, 0, 0) },
	{ STACK(in_compile), .stack = 6, .totals = TOTALS(32000, 10, 0, 0) },
	{ STACK(in_nowhere), .stack = 7, .totals = TOTALS(64000, 10, 0, 0) },
	{ STACK(in_native), .stack = 8, .totals = TOTALS(128000, 10, 0, 0) },
};

static struct group_result *group(const struct group_options *options)
{
	struct group_result *r = NULL;

	assert_int_equal(group_sites(sites, ARRAY_SIZE(sites), options, &r), 0);
	return r;
}

/* One digit of @live for each site. */
static void check_live(const struct group_options *options, int64_t live, size_t n_hidden)
{
	_cleanup_(group_result_freep) struct group_result *r = group(options);

	assert_int_equal(totals_change_bytes(&r->sum), live);
	assert_int_equal(r->n_hidden, n_hidden);
}

static void test_by_line(void **state)
{
	const struct group_options options = { .by = GROUP_BY_LINE, .default_excludes = true };
	_cleanup_(group_result_freep) struct group_result *r = group(&options);

	(void)state;
	assert_int_equal(r->n, 5);
	assert_ptr_equal(r->groups[0].frames[0], &native);
	assert_ptr_equal(r->groups[1].frames[0], &decode);
	assert_ptr_equal(r->groups[2].frames[0], &handle_elsewhere);
	assert_ptr_equal(r->groups[3].frames[0], &handle_later);
	assert_ptr_equal(r->groups[4].frames[0], &handle);
}

static void test_by_function_and_file(void **state)
{
	struct group_options options = { .by = GROUP_BY_FUNCTION, .default_excludes = true };

	(void)state;
	/* One name in two files is two functions; two lines of one are one. */
	for (enum group_by by = GROUP_BY_FUNCTION; by <= GROUP_BY_MODULE; by++) {
		_cleanup_(group_result_freep) struct group_result *r = NULL;

		options.by = by;
		r = group(&options);
		assert_int_equal(r->n, 4);
		assert_int_equal(totals_change_bytes(&r->groups[3].totals), 3000);
		assert_string_equal(r->groups[3].frames[0]->file, "/srv/app/hub.py");
		assert_int_equal(totals_change_bytes(&r->groups[2].totals), 4000);
	}
}

static void test_traceback_is_a_stack(void **state)
{
	enum group_by by = GROUP_BY_FILE;

	(void)state;
	assert_int_equal(group_by_parse("traceback", &by), 0);
	assert_int_equal(by, GROUP_BY_STACK);
	assert_string_equal(group_by_name(by), "stack");
}

static void test_default_excludes(void **state)
{
	struct group_options options = { .by = GROUP_BY_LINE };

	(void)state;
	check_live(&options, 255000, 0);
	options.default_excludes = true;
	check_live(&options, 143000, 3);
	/* Nearly every stack comes from an import: only the line counts. */
	options.all_frames = true;
	check_live(&options, 143000, 3);
}

static void test_patterns(void **state)
{
	static const char *const app[] = { "/srv/app/*" }, *const line[] = { "hub.py:42" };
	static const char *const importlib[] = { "<frozen *>" };
	struct group_options options = { .by = GROUP_BY_LINE, .include = app, .n_include = 1 };

	(void)state;
	check_live(&options, 7000, 5);
	options.all_frames = true;
	check_live(&options, 159000, 2);
	options.include = line;
	check_live(&options, 153000, 4);
	options.all_frames = false;
	check_live(&options, 1000, 7);
	options = (struct group_options){ .exclude = line, .n_exclude = 1 };
	check_live(&options, 254000, 1);
	options.exclude = importlib;
	check_live(&options, 207000, 2);
	options.all_frames = true;
	check_live(&options, 205000, 3);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_by_line),
		cmocka_unit_test(test_by_function_and_file),
		cmocka_unit_test(test_traceback_is_a_stack),
		cmocka_unit_test(test_default_excludes),
		cmocka_unit_test(test_patterns),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
