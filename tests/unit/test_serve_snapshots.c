// SPDX-License-Identifier: GPL-2.0-or-later
/* Snapshots that outlive the daemon: a real history, with a fake monitor that begins anew. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "base/log.h"
#include "history/history.h"
#include "serve_fixture.h"
#include "totals.h"

#define USER	 65534 /* nobody */
#define STRANGER 65521
#define PID	 4243
#define TAKEN	 1700000000 /* when the first one is taken */
#define RESTART	 1009	    /* seconds later */

enum {
	LEAK,
	SERVE,
	START,
	CACHE,
	FRAMES
};

static uint64_t frames[FRAMES];

static void open_history(struct fixture *f)
{
	struct history_notice notice = { 0 };
	char path[120];

	snprintf(path, sizeof(path), "%s/history.db", f->directory);
	assert_int_equal(history_open(&(struct history_options){ .path = path },
				      &f->monitor->history, &notice),
			 0);
	assert_int_equal(snapshot_list_restore(&f->monitor->snapshots, f->monitor->history), 0);
}

/* Two processes, the first one a user's. */
static void add_targets(struct fixture *f)
{
	struct monitor *m = f->monitor;

	fake_target(m, 1, PID, USER)->start_ticks = 77;
	fake_target(m, 2, 4253, 0)->start_ticks = 79;
	fake_site(m, 1, 11, totals_of(2300, 23, 1700, 17),
		  (uint64_t[]){ frames[LEAK], frames[SERVE] }, 2);
	fake_site(m, 1, 12, totals_of(1300, 13, 1250, 12),
		  (uint64_t[]){ frames[LEAK], frames[START] }, 2);
	fake_site(m, 1, 13, totals_of(100, 1, 0, 0), (uint64_t[]){ frames[CACHE], frames[START] },
		  2);
	fake_site(m, 2, 21, totals_of(7, 1, 0, 0), (uint64_t[]){ frames[CACHE], frames[START] }, 2);
}

static int set_up_kept(void **state, struct server_options options)
{
	struct fixture *f;

	if (!getenv("SEEP_TEST_LOG"))
		log_set_level(LOG_EMERG);
	options.mode = 0666;
	options.gid = SERVER_NO_GROUP;
	if (set_up_with(state, options) < 0)
		return -1;
	f = *state;
	open_history(f);
	frames[LEAK] = fake_frame(f->monitor, 0x1000, "leak_handler", 87);
	frames[SERVE] = fake_frame(f->monitor, 0x2000, "serve", 41);
	frames[START] = fake_frame(f->monitor, 0x3000, "main", 7);
	frames[CACHE] = fake_frame(f->monitor, 0x4000, "cache_add", 13);
	add_targets(f);
	return 0;
}

static int set_up_patient(void **state)
{
	return set_up_kept(state, (struct server_options){ 0 });
}

static int set_up_impatient(void **state)
{
	return set_up_kept(state, (struct server_options){ .hold_timeout_ns = 20000000 });
}

static int tear_down_kept(void **state)
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

/* Another life: only what is in the database is left. */
static void restart(struct fixture *f)
{
	f->monitor->history = history_free(f->monitor->history);
	snapshot_list_done(&f->monitor->snapshots);
	fake_remove_target(f->monitor, 1);
	fake_remove_target(f->monitor, 2);
	f->monitor->wall_s += RESTART;
	open_history(f);
}

/* The user's process again, under another key. */
static struct target *track_again(struct fixture *f)
{
	struct monitor *m = f->monitor;
	uint64_t late = fake_frame(m, 0x5000, "late", 3);
	struct target *t = fake_target(m, 9, PID, USER);

	t->start_ticks = 77;
	fake_site(m, 9, 91, totals_of(1000, 10, 100, 1),
		  (uint64_t[]){ frames[LEAK], frames[SERVE] }, 2);
	fake_site(m, 9, 92, totals_of(50, 1, 0, 0), (uint64_t[]){ frames[LEAK], frames[START] }, 2);
	fake_site(m, 9, 93, totals_of(53, 1, 0, 0), (uint64_t[]){ late, frames[START] }, 2);
	return t;
}

static int send_post(struct fixture *f, const char *json)
{
	char request[512];
	int fd = client_connect(f);

	snprintf(request, sizeof(request),
		 "POST /v1/snapshots HTTP/1.1\r\nContent-Type: application/json\r\n"
		 "Content-Length: %zu\r\n\r\n%s",
		 strlen(json), json);
	client_send(f, fd, request, strlen(request));
	turn(f);
	return fd;
}

static struct answer finish(struct fixture *f, int fd)
{
	struct answer a = client_read(f, fd, false);

	close(fd);
	turn(f);
	return a;
}

/* Takes a snapshot while names are found; *@kept_as is what the answer says. */
static void take(struct fixture *f, const char *json, bool kept_as)
{
	int fd = send_post(f, json);
	struct answer a;

	fake_answer(f->monitor);
	a = finish(f, fd);
	assert_int_equal(a.status, 201);
	assert_true(json_is_boolean(json_object_get(a.json, "kept")));
	assert_int_equal(json_is_true(json_object_get(a.json, "kept")), kept_as);
	answer_done(&a);
}

static void assert_refused(struct answer a, int status, const char *code)
{
	assert_string_equal(answer_code(&a), code);
	assert_int_equal(a.status, status);
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

static const json_t *site_of(const struct answer *a, size_t i)
{
	return json_array_get(json_object_get(a->json, "sites"), i);
}

static const char *function_of(const json_t *site)
{
	return string(json_array_get(json_object_get(site, "frames"), 0), "function");
}

static void test_comes_back(void **state)
{
	struct fixture *f = *state;
	const json_t *s;
	struct answer a;

	take(f, "{\"name\":\"before\",\"target\":\"4243-1\"}", true);
	take(f, "{\"name\":\"all\"}", true);
	restart(f);
	a = get(f, "/v1/snapshots");
	assert_int_equal(integer(a.json, "total"), 2);
	s = json_array_get(json_object_get(a.json, "snapshots"), 0);
	assert_string_equal(string(s, "name"), "before");
	assert_string_equal(string(s, "target"), "4243-1");
	assert_string_equal(string(s, "taken_at"), "2023-11-14T22:13:20.000000Z");
	assert_string_equal(string(s, "since"), "2023-11-14T22:12:20.000000Z");
	assert_int_equal(integer(s, "sites"), 3);
	assert_int_equal(integer(s, "live_bytes"), 750);
	assert_int_equal(integer(s, "live_count"), 8);
	assert_true(json_is_true(json_object_get(s, "kept")));
	s = json_array_get(json_object_get(a.json, "snapshots"), 1);
	assert_true(json_is_null(json_object_get(s, "target")));
	assert_int_equal(integer(s, "live_bytes"), 757);
	answer_done(&a);
	/* Names are taken, and places, too. */
	assert_refused(send_json(f, "POST", "/v1/snapshots", "{\"name\":\"all\"}"), 409,
		       "snapshot_exists");
	take(f, "{\"name\":\"three\"}", true);
	take(f, "{\"name\":\"four\"}", true);
	assert_refused(send_json(f, "POST", "/v1/snapshots", "{\"name\":\"five\"}"), 409,
		       "too_many_snapshots");
	/* What is dropped is gone for good. */
	a = ask(f, "DELETE /v1/snapshots/all HTTP/1.1\r\n\r\n");
	assert_int_equal(a.status, 204);
	answer_done(&a);
	restart(f);
	assert_null(monitor_find_snapshot(f->monitor, "all"));
	assert_int_equal(f->monitor->snapshots.n, 3);
	assert_refused(ask(f, "DELETE /v1/snapshots/all HTTP/1.1\r\n\r\n"), 404,
		       "no_such_snapshot");
}

/* By line: two stacks of leak_handler, of which one is as it was; one that came; one that went. */
static void test_difference(void **state)
{
	struct fixture *f = *state;
	const json_t *site;
	struct answer a;

	take(f, "{\"name\":\"before\",\"target\":\"4243-1\"}", true);
	restart(f);
	track_again(f);
	a = get_resolved(f, "/v1/diff?from=before&by=line");
	assert_int_equal(a.status, 200);
	assert_true(json_is_true(json_object_get(a.json, "live_only")));
	assert_string_equal(string(a.json, "counted_since"), "2023-11-14T22:29:09.000000Z");
	assert_string_equal(string(a.json, "target"), "4243-9");
	assert_true(json_is_object(json_object_get(a.json, "coverage")));
	assert_int_equal(integer(a.json, "total"), 3);
	site = site_of(&a, 0);
	assert_string_equal(function_of(site), "leak_handler");
	assert_string_equal(string(site, "target"), "4243-9");
	assert_int_equal(integer(site, "sites"), 1);
	assert_int_equal(integer(site, "live_bytes"), 300);
	assert_int_equal(integer(site, "live_count"), 3);
	assert_int_equal(integer(site, "allocated_bytes"), 300);
	assert_int_equal(integer(site, "freed_bytes"), 0);
	assert_string_equal(function_of(site_of(&a, 1)), "late");
	assert_int_equal(integer(site_of(&a, 1), "live_bytes"), 53);
	assert_string_equal(function_of(site_of(&a, 2)), "cache_add");
	assert_int_equal(integer(site_of(&a, 2), "live_bytes"), -100);
	assert_int_equal(integer(site_of(&a, 2), "freed_count"), 1);
	assert_int_equal(integer(json_object_get(a.json, "sum"), "live_bytes"), 253);
	answer_done(&a);
}

/* Two of the same earlier life need no target; nor do those of all. */
static void test_difference_of_two_kept(void **state)
{
	struct fixture *f = *state;
	struct answer a;

	take(f, "{\"name\":\"before\",\"target\":\"4243-1\"}", true);
	take(f, "{\"name\":\"all\"}", true);
	fake_site(f->monitor, 1, 11, totals_of(2400, 24, 1700, 17), NULL, 0);
	fake_site(f->monitor, 2, 21, totals_of(27, 3, 0, 0), NULL, 0);
	take(f, "{\"name\":\"after\",\"target\":\"4243-1\"}", true);
	take(f, "{\"name\":\"all2\"}", true);
	restart(f);
	a = get_resolved(f, "/v1/diff?from=before&to=after&by=stack");
	assert_int_equal(a.status, 200);
	assert_int_equal(integer(a.json, "total"), 1);
	assert_int_equal(integer(site_of(&a, 0), "live_bytes"), 100);
	assert_string_equal(string(site_of(&a, 0), "target"), "(none)");
	assert_int_equal(json_string_length(json_object_get(site_of(&a, 0), "leak_id")), 16);
	assert_true(json_is_null(json_object_get(a.json, "counted_since")));
	answer_done(&a);
	/* cache_add of both processes is one. */
	a = get_resolved(f, "/v1/diff?from=all&to=all2&by=function");
	assert_int_equal(integer(a.json, "total"), 2);
	assert_string_equal(function_of(site_of(&a, 1)), "cache_add");
	assert_int_equal(integer(site_of(&a, 1), "live_bytes"), 20);
	assert_int_equal(integer(site_of(&a, 1), "live_count"), 2);
	answer_done(&a);
}

static void test_not_comparable(void **state)
{
	static const char diff[] = "/v1/diff?from=before";
	struct fixture *f = *state;
	struct target *t;
	struct answer a;

	take(f, "{\"name\":\"before\",\"target\":\"4243-1\"}", true);
	take(f, "{\"name\":\"other\",\"target\":\"4253-2\"}", true);
	take(f, "{\"name\":\"all\"}", true);
	a = get_resolved(f, diff);
	assert_true(json_is_false(json_object_get(a.json, "live_only")));
	answer_done(&a);
	restart(f);
	assert_refused(get(f, diff), 404, "no_such_target");
	t = track_again(f);
	t->start_ticks = 78; /* the pid is another process's */
	assert_refused(get(f, diff), 404, "no_such_target");
	t->start_ticks = 77;
	a = get_resolved(f, diff);
	assert_int_equal(a.status, 200);
	answer_done(&a);
	assert_refused(get(f, "/v1/diff?from=before&to=other"), 400, "bad_parameter");
	assert_refused(get(f, "/v1/diff?from=before&to=all"), 400, "bad_parameter");
	take(f, "{\"name\":\"later\",\"target\":\"4243-9\"}", true);
	assert_refused(get(f, "/v1/diff?from=later&to=before"), 400, "bad_parameter");
	a = get_resolved(f, "/v1/diff?from=before&to=later");
	assert_int_equal(a.status, 200);
	answer_done(&a);
}

static struct answer ask_as(struct fixture *f, uid_t uid, const char *request)
{
	int fd = client_connect_as(f, uid, SERVER_NO_GROUP);

	client_send(f, fd, request, strlen(request));
	turn(f);
	fake_answer(f->monitor);
	return finish(f, fd);
}

static void test_access(void **state)
{
	static const char list[] = "GET /v1/snapshots HTTP/1.1\r\n\r\n";
	static const char diff[] = "GET /v1/diff?from=users HTTP/1.1\r\n\r\n";
	struct fixture *f = *state;
	struct target *t;
	struct answer a;

	if (geteuid() != 0)
		skip();
	take(f, "{\"name\":\"users\",\"target\":\"4243-1\"}", true);
	take(f, "{\"name\":\"roots\",\"target\":\"4253-2\"}", true);
	take(f, "{\"name\":\"all\"}", true);
	restart(f);
	t = track_again(f);
	a = ask_as(f, USER, list);
	assert_int_equal(integer(a.json, "total"), 1);
	answer_done(&a);
	a = ask_as(f, STRANGER, list);
	assert_int_equal(integer(a.json, "total"), 0);
	answer_done(&a);
	a = ask_as(f, USER, diff);
	assert_int_equal(a.status, 200);
	assert_int_equal(integer(a.json, "total"), 3);
	answer_done(&a);
	assert_refused(ask_as(f, STRANGER, diff), 403, "not_permitted");
	assert_refused(ask_as(f, USER, "GET /v1/diff?from=roots HTTP/1.1\r\n\r\n"), 403,
		       "not_permitted");
	assert_refused(ask_as(f, USER, "GET /v1/diff?from=all HTTP/1.1\r\n\r\n"), 403,
		       "not_permitted");
	/* The process runs as root by now: what it was is the user's, what it is is not. */
	t->uid = 0;
	assert_refused(ask_as(f, USER, diff), 404, "no_such_target");
}

/* What the history holds under the name cannot be read: it stays there until somebody drops it. */
static void test_not_kept(void **state)
{
	struct fixture *f = *state;
	struct answer a;

	assert_int_equal(history_save_snapshot(f->monitor->history, "bad", "junk", 4, TAKEN), 0);
	restart(f);
	assert_int_equal(f->monitor->snapshots.n, 0);
	take(f, "{\"name\":\"bad\"}", false);
	a = get(f, "/v1/snapshots");
	assert_int_equal(integer(a.json, "total"), 1);
	answer_done(&a);
	restart(f);
	assert_int_equal(f->monitor->snapshots.n, 0);
	a = ask(f, "DELETE /v1/snapshots/bad HTTP/1.1\r\n\r\n");
	assert_int_equal(a.status, 204);
	answer_done(&a);
	assert_refused(ask(f, "DELETE /v1/snapshots/bad HTTP/1.1\r\n\r\n"), 404,
		       "no_such_snapshot");
	take(f, "{\"name\":\"bad\"}", true);
}

static void test_no_history(void **state)
{
	struct fixture *f = *state;
	struct answer a;

	f->monitor->history = history_free(f->monitor->history);
	a = send_json(f, "POST", "/v1/snapshots", "{\"name\":\"before\"}");
	assert_int_equal(a.status, 201);
	assert_true(json_is_false(json_object_get(a.json, "kept")));
	answer_done(&a);
}

/* Who asked has gone, or waited long enough: it is kept all the same. */
static void test_gone_or_late(void **state)
{
	struct fixture *f = *state;
	struct answer a;
	int fd;

	fd = send_post(f, "{\"name\":\"gone\"}");
	assert_int_equal(f->monitor->symbolizer.n_pending, 1);
	close(fd);
	turn(f);
	fd = send_post(f, "{\"name\":\"late\"}");
	a = finish(f, fd);
	assert_int_equal(a.status, 201);
	assert_true(json_is_false(json_object_get(a.json, "kept")));
	answer_done(&a);
	assert_int_equal(fake_answer(f->monitor), 2);
	assert_true(monitor_find_snapshot(f->monitor, "late")->is_kept);
	restart(f);
	assert_non_null(monitor_find_snapshot(f->monitor, "gone"));
	assert_non_null(monitor_find_snapshot(f->monitor, "late"));
}

static void test_dropped_while_held(void **state)
{
	struct fixture *f = *state;
	int fd = send_post(f, "{\"name\":\"s\"}");

	assert_int_equal(monitor_drop_snapshot(f->monitor, "s"), 0);
	fake_answer(f->monitor);
	assert_refused(finish(f, fd), 404, "no_such_snapshot");
	restart(f);
	assert_int_equal(f->monitor->snapshots.n, 0);
}

/* Who is told to ask again has taken nothing. */
static void test_busy(void **state)
{
	struct fixture *f = *state;

	for (size_t i = 0; i < 64; i++)
		assert_refused(get(f, "/v1/sites"), 504, "timed_out");
	assert_refused(finish(f, send_post(f, "{\"name\":\"s\"}")), 503, "busy");
	assert_int_equal(f->monitor->snapshots.n, 0);
	fake_answer(f->monitor);
	take(f, "{\"name\":\"s\"}", true);
}

static void test_names_cannot_be_asked_for(void **state)
{
	struct fixture *f = *state;

	f->monitor->symbolizer.resolve_error = -ENOMEM;
	take(f, "{\"name\":\"s\"}", false);
	assert_int_equal(f->monitor->snapshots.n, 1);
}

int main(void)
{
#define TEST(test) cmocka_unit_test_setup_teardown(test, set_up_patient, tear_down_kept)
	const struct CMUnitTest tests[] = {
		TEST(test_comes_back),
		TEST(test_difference),
		TEST(test_difference_of_two_kept),
		TEST(test_not_comparable),
		TEST(test_access),
		TEST(test_not_kept),
		TEST(test_no_history),
		cmocka_unit_test_setup_teardown(test_gone_or_late, set_up_impatient,
						tear_down_kept),
		TEST(test_dropped_while_held),
		cmocka_unit_test_setup_teardown(test_busy, set_up_impatient, tear_down_kept),
		TEST(test_names_cannot_be_asked_for),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
