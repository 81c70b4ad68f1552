// SPDX-License-Identifier: GPL-2.0-or-later
/* Who may do what, and the socket file. Clients of other users need root. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>

#include "serve/connections.h"
#include "serve/socket.h"
#include "serve_fixture.h"
#include "totals.h"

#define USER	      65534 /* nobody */
#define STRANGER      65521
#define GROUP_OF_TEST 4 /* adm: there on every Debian */
#define READERS	      1 /* daemon, bin */
#define DETAILERS     2
#define USERS_TARGET  "4243-1"
#define ROOTS_TARGET  "4253-2"

static int set_up_group(void **state)
{
	return set_up_with(state, (struct server_options){ .mode = 0666, .gid = GROUP_OF_TEST });
}

static struct answer ask_as(struct fixture *f, uid_t uid, gid_t group, const char *request)
{
	int fd = client_connect_as(f, uid, group);
	struct answer a;

	client_send(f, fd, request, strlen(request));
	turn(f);
	fake_answer(f->monitor);
	a = client_read(f, fd, false);
	close(fd);
	turn(f);
	return a;
}

static void add_targets(struct fixture *f)
{
	uint64_t frame = fake_frame(f->monitor, 0x1000, "leak_handler", 87);

	fake_target(f->monitor, 1, 4243, USER);
	fake_target(f->monitor, 2, 4253, 0);
	fake_site(f->monitor, 1, 11, totals_of(700, 7, 0, 0), &frame, 1);
	fake_site(f->monitor, 2, 21, totals_of(1100, 11, 0, 0), &frame, 1);
}

/* A request, and what each kind of peer gets. */
static const struct {
	const char *request;
	int operator_status;
	int user_status;
} rows[] = {
	{ "GET /healthz HTTP/1.1\r\n\r\n", 200, 200 },
	{ "GET /v1/info HTTP/1.1\r\n\r\n", 200, 200 },
	{ "GET /v1/targets HTTP/1.1\r\n\r\n", 200, 200 },
	{ "GET /v1/targets/" USERS_TARGET " HTTP/1.1\r\n\r\n", 200, 200 },
	{ "GET /v1/targets/" ROOTS_TARGET " HTTP/1.1\r\n\r\n", 200, 403 },
	{ "GET /v1/targets/7-7 HTTP/1.1\r\n\r\n", 404, 404 },
	{ "GET /v1/sites HTTP/1.1\r\n\r\n", 200, 200 },
	{ "GET /v1/sites?target=" USERS_TARGET " HTTP/1.1\r\n\r\n", 200, 200 },
	{ "GET /v1/sites?target=" ROOTS_TARGET " HTTP/1.1\r\n\r\n", 200, 403 },
	{ "GET /v1/snapshots HTTP/1.1\r\n\r\n", 200, 200 },
	{ "GET /v1/diff?from=all HTTP/1.1\r\n\r\n", 200, 403 },
	{ "GET /v1/diff?from=users HTTP/1.1\r\n\r\n", 200, 200 },
	{ "GET /v1/diff?from=roots HTTP/1.1\r\n\r\n", 200, 403 },
	{ "DELETE /v1/targets/" USERS_TARGET " HTTP/1.1\r\n\r\n", 204, 204 },
	{ "DELETE /v1/targets/pid=4243 HTTP/1.1\r\n\r\n", 204, 204 },
	{ "DELETE /v1/targets/" ROOTS_TARGET " HTTP/1.1\r\n\r\n", 204, 403 },
	{ "DELETE /v1/targets/4253 HTTP/1.1\r\n\r\n", 204, 403 },
	{ "DELETE /v1/targets/comm=server HTTP/1.1\r\n\r\n", 204, 404 },
	{ "DELETE /v1/snapshots/gone HTTP/1.1\r\n\r\n", 404, 403 },
	{ "POST /v1/snapshots HTTP/1.1\r\nContent-Type: application/json\r\n"
	  "Content-Length: 14\r\n\r\n{\"name\":\"one\"}",
	  201, 403 },
	{ "POST /v1/targets HTTP/1.1\r\nContent-Type: application/json\r\n"
	  "Content-Length: 16\r\n\r\n{\"selector\":\"1\"}",
	  201, 403 },
	{ "POST /v1/targets HTTP/1.1\r\nContent-Type: application/json\r\n"
	  "Content-Length: 22\r\n\r\n{\"selector\":\"comm=a*\"}",
	  201, 403 },
};

static void check_rows(struct fixture *f, uid_t uid, gid_t group, bool is_operator)
{

	add_targets(f);
	assert_int_equal(monitor_snapshot(f->monitor, "all", 0, NULL), 0);
	assert_int_equal(monitor_snapshot(f->monitor, "users", 1, NULL), 0);
	assert_int_equal(monitor_snapshot(f->monitor, "roots", 2, NULL), 0);
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct answer a = ask_as(f, uid, group, rows[i].request);

		if (a.status != (is_operator ? rows[i].operator_status : rows[i].user_status))
			fail_msg("%.60s: %d, %s", rows[i].request, a.status, a.body);
		if (a.status == 403) {
			assert_string_equal(answer_code(&a), "not_permitted");
			assert_non_null(strstr(a.body, "members of the group adm"));
		}
		answer_done(&a);
	}
}

static void test_user(void **state)
{
	if (geteuid() != 0)
		skip();
	check_rows(*state, USER, SERVER_NO_GROUP, false);
}

static void test_member(void **state)
{
	if (geteuid() != 0)
		skip();
	check_rows(*state, STRANGER, GROUP_OF_TEST, true);
}

static void test_root(void **state)
{
	if (geteuid() != 0)
		skip();
	check_rows(*state, 0, SERVER_NO_GROUP, true);
}

static int set_up_levels(void **state)
{
	return set_up_with(state, (struct server_options){ .mode = 0666,
							   .gid = GROUP_OF_TEST,
							   .read_gid = READERS,
							   .detail_gid = DETAILERS });
}

/* What each level may ask of a process of root, with the group whose members may. */
static void test_levels(void **state)
{
	static const struct {
		const char *request;
		int status[4]; /* nobody's, read, detail, operate */
		const char *group;
	} cases[] = {
		{ "GET /v1/info HTTP/1.1\r\n\r\n", { 200, 200, 200, 200 }, NULL },
		{ "GET /metrics HTTP/1.1\r\n\r\n", { 200, 200, 200, 200 }, NULL },
		{ "GET /v1/targets/" ROOTS_TARGET " HTTP/1.1\r\n\r\n",
		  { 403, 200, 200, 200 },
		  "group daemon may" },
		{ "GET /v1/sites?target=" ROOTS_TARGET " HTTP/1.1\r\n\r\n",
		  { 403, 403, 200, 200 },
		  "group bin may" },
		{ "GET /v1/diff?from=roots HTTP/1.1\r\n\r\n", { 403, 403, 200, 200 }, NULL },
		{ "DELETE /v1/targets/" ROOTS_TARGET " HTTP/1.1\r\n\r\n",
		  { 403, 403, 403, 204 },
		  "group adm may" },
		{ "DELETE /v1/snapshots/gone HTTP/1.1\r\n\r\n", { 403, 403, 403, 404 }, NULL },
	};
	static const gid_t groups[] = { SERVER_NO_GROUP, READERS, DETAILERS, GROUP_OF_TEST };
	struct fixture *f = *state;

	if (geteuid() != 0)
		skip();
	add_targets(f);
	assert_int_equal(monitor_snapshot(f->monitor, "roots", 2, NULL), 0);
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++)
		for (size_t k = 0; k < ARRAY_SIZE(groups); k++) {
			struct answer a = ask_as(f, STRANGER, groups[k], cases[i].request);

			if (a.status != cases[i].status[k])
				fail_msg("%.50s by level %zu: %d, %s", cases[i].request, k,
					 a.status, a.body);
			if (a.status == 403 && cases[i].group)
				assert_non_null(strstr(a.body, cases[i].group));
			answer_done(&a);
		}
}

/* Its code and its holder are told in fields, and in sentences. */
static void of_python_objects(struct fixture *f, uint64_t id)
{
	struct alert *a = (struct alert *)alert_book_find(monitor_alerts(f->monitor), id);

	a->python = alert_python_new("_asyncio.Task");
	assert_non_null(a->python);
	assert_int_equal(
		alert_python_set_code(a->python, "secret_function", "/srv/secret.py", 1, true), 0);
	assert_int_equal(alert_python_add_holder(a->python, "secret_function.tasks", "set", 64), 0);
}

/* Figures without what tells of code and files; of an own process, everything. */
static void test_reader_sees_no_detail(void **state)
{
	struct fixture *f = *state;
	struct answer a;
	const json_t *leak, *list;

	if (geteuid() != 0)
		skip();
	add_targets(f);
	fake_leak(f->monitor, 0x1234, f->monitor->targets[1], "secret_function", TREND_LEAKING,
		  TREND_OPENED);
	of_python_objects(f, 0x1234);
	for (int may_see = 0; may_see < 2; may_see++) {
		gid_t group = may_see ? DETAILERS : READERS;

		a = ask_as(f, STRANGER, group, "GET /v1/leaks HTTP/1.1\r\n\r\n");
		list = json_object_get(a.json, "leaks");
		assert_int_equal(json_array_size(list), 1);
		leak = json_array_get(list, 0);
		assert_int_equal(json_array_size(json_object_get(leak, "frames")), may_see);
		assert_int_equal(json_is_string(json_object_get(leak, "exe")), may_see);
		assert_int_equal(json_integer_value(json_object_get(leak, "leaked_bytes")), 126144);
		answer_done(&a);
		a = ask_as(f, STRANGER, group, "GET /v1/leaks/0000000000001234 HTTP/1.1\r\n\r\n");
		assert_int_equal(strstr(a.body, "secret_function") != NULL, may_see);
		answer_done(&a);
		a = ask_as(f, STRANGER, group, "GET /metrics HTTP/1.1\r\n\r\n");
		assert_int_equal(strstr(a.body, "secret_function") != NULL, may_see);
		assert_non_null(strstr(a.body, "leak_id=\"0000000000001234\""));
		answer_done(&a);
		a = ask_as(f, USER, group, "GET /v1/targets HTTP/1.1\r\n\r\n");
		list = json_object_get(a.json, "targets");
		assert_int_equal(json_array_size(list), 2);
		assert_true(json_is_string(json_object_get(json_array_get(list, 0), "exe")));
		assert_int_equal(json_is_string(json_object_get(json_array_get(list, 1), "exe")),
				 may_see);
		answer_done(&a);
	}
}

/* Lists hold what the peer may see, and sums nothing else. */
static void test_lists_are_filtered(void **state)
{
	static const struct {
		uid_t uid;
		json_int_t targets;
		json_int_t bytes;
		json_int_t suggested;
	} peers[] = { { USER, 1, 700, 1 }, { STRANGER, 0, 0, 0 }, { 0, 2, 1800, 2 } };
	struct fixture *f = *state;

	if (geteuid() != 0)
		skip();
	add_targets(f);
	f->monitor->suggested_uids[0] = 77;
	f->monitor->suggested_uids[1] = USER;
	for (size_t i = 0; i < ARRAY_SIZE(peers); i++) {
		struct answer a = ask_as(f, peers[i].uid, SERVER_NO_GROUP,
					 "GET /v1/targets HTTP/1.1\r\n\r\n");
		json_t *sum;

		assert_int_equal(json_integer_value(json_object_get(a.json, "total")),
				 peers[i].targets);
		answer_done(&a);
		a = ask_as(f, peers[i].uid, SERVER_NO_GROUP, "GET /v1/sites HTTP/1.1\r\n\r\n");
		sum = json_object_get(a.json, "sum");
		assert_int_equal(json_integer_value(json_object_get(sum, "live_bytes")),
				 peers[i].bytes);
		answer_done(&a);
		a = ask_as(f, peers[i].uid, SERVER_NO_GROUP,
			   "GET /v1/targets?suggested=true HTTP/1.1\r\n\r\n");
		assert_int_equal(json_integer_value(json_object_get(a.json, "total")),
				 peers[i].suggested);
		assert_int_equal(json_array_size(json_object_get(a.json, "suggested")),
				 peers[i].suggested);
		answer_done(&a);
	}
}

/* A child of another user, which waits to be killed. */
static pid_t start_child(uid_t uid)
{
	int ends[2];
	char byte;
	pid_t pid;

	assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
	pid = fork();
	assert_true(pid >= 0);
	if (pid == 0) {
		if (setuid(uid) < 0 || prctl(PR_SET_PDEATHSIG, SIGKILL) < 0 ||
		    write(ends[1], "x", 1) != 1)
			_exit(1);
		for (;;)
			pause();
	}
	assert_int_equal(read(ends[0], &byte, 1), 1);
	close(ends[0]);
	close(ends[1]);
	return pid;
}

static void test_user_tracks_own(void **state)
{
	struct fixture *f = *state;
	char body[64], request[256];
	struct answer a;
	pid_t pid;

	if (geteuid() != 0)
		skip();
	pid = start_child(USER);
	fake_target(f->monitor, 1, pid, USER);
	f->monitor->track_new = 1;
	snprintf(body, sizeof(body), "{\"selector\":\"pid=%d\"}", (int)pid);
	snprintf(request, sizeof(request),
		 "POST /v1/targets HTTP/1.1\r\nContent-Type: application/json\r\n"
		 "Content-Length: %zu\r\n\r\n%s",
		 strlen(body), body);
	a = ask_as(f, USER, SERVER_NO_GROUP, request);
	assert_int_equal(a.status, 201);
	answer_done(&a);
	a = ask_as(f, STRANGER, SERVER_NO_GROUP, request);
	assert_int_equal(a.status, 403);
	answer_done(&a);
	/* The pid went to somebody else after the first look. */
	f->monitor->targets[0]->uid = 0;
	f->monitor->untracked[0] = '\0';
	a = ask_as(f, USER, SERVER_NO_GROUP, request);
	assert_int_equal(a.status, 403);
	assert_true(strncmp(f->monitor->untracked, "pid=", 4) == 0);
	answer_done(&a);
	assert_int_equal(kill(pid, SIGKILL), 0);
	assert_int_equal(waitpid(pid, NULL, 0), pid);
	a = ask_as(f, USER, SERVER_NO_GROUP, request);
	assert_int_equal(a.status, 404);
	answer_done(&a);
}

static void test_connections_per_user(void **state)
{
	struct fixture *f = *state;
	int fds[CONNECTIONS_PER_UID], extra;
	struct answer a;

	if (geteuid() != 0)
		skip();
	for (size_t i = 0; i < ARRAY_SIZE(fds); i++)
		fds[i] = client_connect_as(f, USER, SERVER_NO_GROUP);
	extra = client_connect_as(f, USER, SERVER_NO_GROUP);
	a = client_read(f, extra, false);
	assert_int_equal(a.status, 503);
	answer_done(&a);
	close(extra);
	extra = client_connect_as(f, STRANGER, SERVER_NO_GROUP);
	client_send(f, extra, "GET /healthz HTTP/1.1\r\n\r\n", 25);
	a = client_read(f, extra, false);
	assert_int_equal(a.status, 200);
	answer_done(&a);
	close(extra);
	for (size_t i = 0; i < ARRAY_SIZE(fds); i++)
		close(fds[i]);
	turn(f);
}

static void test_socket_file(void **state)
{
	struct fixture *f = *state;
	struct server_options options = { .socket_path = f->path, .gid = GROUP_OF_TEST };
	struct server *second = NULL;
	struct stat st;
	int fd;

	/* Somebody answers. */
	assert_int_equal(server_new(f->base, f->monitor, &options, &second), -EADDRINUSE);
	assert_null(second);
	/* Removed and made anew by a successor: the first one leaves it alone. */
	assert_int_equal(unlink(f->path), 0);
	assert_int_equal(server_new(f->base, f->monitor, &options, &second), 0);
	assert_int_equal(stat(f->path, &st), 0);
	assert_int_equal(st.st_mode & 07777, 0660);
	if (geteuid() == 0)
		assert_int_equal(st.st_gid, GROUP_OF_TEST);
	f->server = server_free(f->server);
	assert_int_equal(stat(f->path, &st), 0);
	f->server = second;
	fd = client_connect(f);
	close(fd);
	turn(f);
}

static void test_socket_path(void **state)
{
	struct fixture *f = *state;
	struct server_options options = { .gid = SERVER_NO_GROUP };
	struct server *s = NULL;
	struct sockaddr_un a = { .sun_family = AF_UNIX };
	char path[256];
	int fd;

	options.socket_path = path;
	snprintf(path, sizeof(path), "%s/%0*d", f->directory, 107 - (int)strlen(f->directory), 0);
	assert_int_equal(strlen(path), 108);
	assert_int_equal(server_new(f->base, f->monitor, &options, &s), -ENAMETOOLONG);
	path[107] = '\0';
	assert_int_equal(server_new(f->base, f->monitor, &options, &s), 0);
	s = server_free(s);
	assert_int_equal(access(path, F_OK), -1);
	path[0] = '\0';
	assert_int_equal(server_new(f->base, f->monitor, &options, &s), -EINVAL);
	snprintf(path, sizeof(path), "%s/none/s", f->directory);
	assert_int_equal(server_new(f->base, f->monitor, &options, &s), -ENOENT);
	/* A file that is none of ours stays. */
	snprintf(path, sizeof(path), "%s/file", f->directory);
	fd = open(path, O_CREAT | O_WRONLY | O_CLOEXEC, 0600);
	close(fd);
	assert_int_equal(server_new(f->base, f->monitor, &options, &s), -ENOTSOCK);
	assert_int_equal(unlink(path), 0);
	/* A socket that nobody listens on is replaced. */
	snprintf(path, sizeof(path), "%s/stale", f->directory);
	assert_true(strlen(path) < sizeof(a.sun_path));
	memcpy(a.sun_path, path, strlen(path) + 1);
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	assert_int_equal(bind(fd, (struct sockaddr *)&a, sizeof(a)), 0);
	close(fd);
	assert_int_equal(server_new(f->base, f->monitor, &options, &s), 0);
	s = server_free(s);
	assert_null(s);
	turn(f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_user, set_up_group, tear_down),
		cmocka_unit_test_setup_teardown(test_member, set_up_group, tear_down),
		cmocka_unit_test_setup_teardown(test_root, set_up_group, tear_down),
		cmocka_unit_test_setup_teardown(test_levels, set_up_levels, tear_down),
		cmocka_unit_test_setup_teardown(test_reader_sees_no_detail, set_up_levels,
						tear_down),
		cmocka_unit_test_setup_teardown(test_lists_are_filtered, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_user_tracks_own, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_connections_per_user, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_socket_file, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_socket_path, set_up, tear_down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
