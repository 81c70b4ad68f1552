// SPDX-License-Identifier: GPL-2.0-or-later
/* What people are told of the daemon's refusals: where it names a route, a verb that tells the same. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/log.h"
#include "cli/api.h"

#define TEXT_MAX 512

/* What api_explain() writes for people. */
static void explain(json_t *problem, char ret[TEXT_MAX])
{
	struct http_response response = { .status = 404, .json = problem };
	int saved = dup(STDERR_FILENO), fd = memfd_create("stderr", MFD_CLOEXEC);
	ssize_t n;

	assert_true(saved >= 0 && fd >= 0);
	assert_true(dup2(fd, STDERR_FILENO) >= 0);
	(void)api_explain(&response);
	assert_int_equal(fflush(stderr), 0);
	assert_true(dup2(saved, STDERR_FILENO) >= 0);
	close(saved);
	n = pread(fd, ret, TEXT_MAX - 1, 0);
	close(fd);
	assert_true(n >= 0);
	ret[n] = '\0';
}

static void check_detail(const char *detail, const char *told)
{
	json_auto_t *problem = json_pack("{s:s}", "detail", detail);
	char text[TEXT_MAX];

	explain(problem, text);
	assert_string_equal(text, told);
}

/* Each sentence of the daemon's that names a route (access.c, diff.c, snapshots.c, targets.c). */
static void routes_become_verbs(void **state)
{
	(void)state;
	check_detail(
		"There is no target with the id \"101-2\"; GET /v1/targets lists those there are.",
		"seepctl: There is no target with the id \"101-2\"; 'seepctl targets' lists those "
		"there are.\n");
	check_detail(
		"There is no leak with the id \"00ff\"; GET /v1/leaks lists those there are.",
		"seepctl: There is no leak with the id \"00ff\"; 'seepctl leaks --all' lists those "
		"there are.\n");
	check_detail(
		"There is no snapshot \"noon\"; GET /v1/snapshots lists those there are.",
		"seepctl: There is no snapshot \"noon\"; 'seepctl snapshot --list' lists those "
		"there are.\n");
	check_detail("\"comm=web*\" is tracked already; GET /v1/targets shows it.",
		     "seepctl: \"comm=web*\" is tracked already; 'seepctl targets' shows it.\n");
}

static void other_sentences_stay(void **state)
{
	(void)state;
	check_detail("No process matches \"web\"; see ps(1).",
		     "seepctl: No process matches \"web\"; see ps(1).\n");
	/* Of one target, of which no verb of that name tells. */
	check_detail("See GET /v1/targets/101-2.", "seepctl: See GET /v1/targets/101-2.\n");
}

static void without_a_detail_there_is_the_title(void **state)
{
	json_auto_t *titled = json_pack("{s:s}", "title", "Not found");
	json_auto_t *empty = json_object();
	char text[TEXT_MAX];

	(void)state;
	explain(titled, text);
	assert_string_equal(text, "seepctl: Not found\n");
	explain(empty, text);
	assert_string_equal(text, "seepctl: seepd answered with HTTP status 404\n");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(routes_become_verbs),
		cmocka_unit_test(other_sentences_stay),
		cmocka_unit_test(without_a_detail_there_is_the_title),
	};

	log_open("seepctl");
	return cmocka_run_group_tests(tests, NULL, NULL);
}
