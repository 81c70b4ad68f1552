// SPDX-License-Identifier: GPL-2.0-or-later
/* Which target a user means, and the paths that are asked for. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <string.h>

#include "base/cleanup.h"
#include "cli/api.h"
#include "cli/field.h"
#include "cli/grouping.h"
#include "cli/pick.h"

#define CONTAINER "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"

static json_t *some_targets(void)
{
	return json_pack("[{s:s,s:i,s:s,s:s,s:s,s:s},"
			 "{s:s,s:i,s:s,s:s,s:s,s:s,s:s},"
			 "{s:s,s:i,s:s,s:s,s:s},"
			 "{s:s,s:i,s:s,s:s},"
			 "{s:n,s:s,s:[]},i,n]",
			 "id", "4243-1", "pid", 4243, "comm", "server", "exe", "/srv/server",
			 "state", "traced", "command", "/srv/server --port 80", "id", "101-2",
			 "pid", 101, "comm", "worker", "exe", "/srv/worker", "unit", "web.service",
			 "state", "traced", "container", CONTAINER, "id", "103-3", "pid", 103,
			 "comm", "worker", "exe", "/srv/worker", "state", "attaching", "id",
			 "101-4", "pid", 101, "comm", "old", "state", "exited", "id", "pid", "101",
			 "comm");
}

static void targets_are_found_by_what_they_are_called(void **state)
{
	static const struct {
		const char *text;
		int result;
		const char *id;
	} cases[] = {
		{ "4243-1", 0, "4243-1" },
		{ "101-4", 0, "101-4" }, /* an id means an exited one, too */
		{ "4243", 0, "4243-1" },
		{ "101", 0, "101-2" }, /* the running one */
		{ "pid=103", 0, "103-3" },
		{ "server", 0, "4243-1" },
		{ "old", 0, "101-4" }, /* nothing that runs is called so */
		{ "/srv/server", 0, "4243-1" },
		{ "/srv/s*", 0, "4243-1" },
		{ "cmd=*--port 80*", 0, "4243-1" },
		{ "web.service", 0, "101-2" },
		{ "container=0123456789AB", 0, "101-2" },
		{ "worker", -ENOTUNIQ, NULL },
		{ "comm=*", -ENOTUNIQ, NULL },
		{ "nothing", -ESRCH, NULL },
		{ "102", -ESRCH, NULL },
		{ "/srv", -ESRCH, NULL },
		{ "cgroup=/x", -ESRCH, NULL },
		{ "", -EINVAL, NULL },
		{ "foo=bar", -EINVAL, NULL },
		{ "pid=0", -EINVAL, NULL },
	};
	json_auto_t *targets = some_targets();
	size_t i;

	(void)state;
	assert_non_null(targets);
	for (i = 0; i < ARRAY_SIZE(cases); i++) {
		json_auto_t *candidates = NULL;
		json_t *target = NULL;
		const char *why = NULL;
		int r = pick_target(targets, cases[i].text, &target, &candidates, &why);

		if (r != cases[i].result)
			fail_msg("'%s': %d instead of %d", cases[i].text, r, cases[i].result);
		if (cases[i].id)
			assert_string_equal(field_text(target, "id"), cases[i].id);
		else
			assert_null(target);
		assert_int_equal(r == -EINVAL, why != NULL);
		assert_int_equal(r == -ENOTUNIQ, candidates != NULL);
	}
}

static void candidates_leave_out_what_has_exited(void **state)
{
	json_auto_t *targets = some_targets(), *candidates = NULL;
	json_t *target = NULL;
	const char *why;

	(void)state;
	assert_int_equal(pick_target(targets, "comm=*", &target, &candidates, &why), -ENOTUNIQ);
	assert_int_equal(json_array_size(candidates), 3);
}

static void an_answer_without_targets_has_none(void **state)
{
	json_auto_t *object = json_object(), *candidates = NULL;
	json_t *target = NULL;
	const char *why;

	(void)state;
	assert_int_equal(pick_target(NULL, "x", &target, &candidates, &why), -ESRCH);
	assert_int_equal(pick_target(object, "x", &target, &candidates, &why), -ESRCH);
}

static void paths_are_encoded(void **state)
{
	struct grouping g = GROUPING_DEFAULTS;
	struct api_path path;

	(void)state;
	g.include.items[g.include.n++] = "std::*<int, long>";
	g.exclude.items[g.exclude.n++] = "lib&x=\xc3\xa4";
	g.exclude.items[g.exclude.n++] = "b%/";
	assert_int_equal(api_path_init(&path, "/v1/sites", NULL), 0);
	api_path_add(&path, "target", NULL);
	grouping_add_query(&g, &path);
	assert_string_equal(api_path_text(&path), "/v1/sites?by=stack&sort=live&limit=20"
						  "&include=std%3A%3A%2A%3Cint%2C%20long%3E"
						  "&exclude=lib%26x%3D%C3%A4&exclude=b%25%2F");
	api_path_done(&path);

	g = (struct grouping)GROUPING_DEFAULTS;
	g.by = "traceback";
	g.all_frames = g.no_default_excludes = true;
	assert_int_equal(api_path_init(&path, "/v1/sites", NULL), 0);
	grouping_add_query(&g, &path);
	assert_string_equal(api_path_text(&path),
			    "/v1/sites?by=traceback&sort=live&limit=20&all_frames=true"
			    "&default_excludes=false");
	api_path_done(&path);

	assert_int_equal(api_path_init(&path, "/v1/targets/", "/usr/bin/a b\r\n"), 0);
	assert_string_equal(api_path_text(&path), "/v1/targets/%2Fusr%2Fbin%2Fa%20b%0D%0A");
	api_path_done(&path);
}

static void problems_mean_exit_codes(void **state)
{
	static const struct {
		int status;
		const char *code;
		int exit;
	} cases[] = {
		{ 403, "not_permitted", CLI_DENIED },
		{ 403, "refused_target", CLI_DENIED },
		{ 401, NULL, CLI_DENIED },
		{ 404, "no_such_target", CLI_NO_TARGET },
		{ 404, "no_such_process", CLI_NO_TARGET },
		{ 404, "no_such_snapshot", CLI_ERROR },
		{ 404, NULL, CLI_ERROR },
		{ 400, "bad_selector", CLI_USAGE },
		{ 400, "limit_out_of_range", CLI_USAGE },
		{ 409, "already_tracked", CLI_ERROR },
		{ 500, NULL, CLI_ERROR },
	};
	size_t i;

	(void)state;
	for (i = 0; i < ARRAY_SIZE(cases); i++) {
		json_auto_t *problem =
			json_pack("{s:s?,s:s}", "code", cases[i].code, "detail", "line\nbreak");
		struct http_response response = { .status = cases[i].status, .json = problem };

		assert_int_equal(api_explain(&response), cases[i].exit);
		response.json = NULL;
		assert_int_equal(api_explain(&response),
				 cases[i].status == 403 || cases[i].status == 401 ? CLI_DENIED :
										    CLI_ERROR);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(targets_are_found_by_what_they_are_called),
		cmocka_unit_test(candidates_leave_out_what_has_exited),
		cmocka_unit_test(an_answer_without_targets_has_none),
		cmocka_unit_test(paths_are_encoded),
		cmocka_unit_test(problems_mean_exit_codes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
