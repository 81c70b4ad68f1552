// SPDX-License-Identifier: GPL-2.0-or-later
/* history/: who may open it, and that profiles, alerts, events and snapshots come back. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <sys/wait.h>

#include "history_fixture.h"

/* What a child exits with if all was as it should be. */
#define AS_EXPECTED 17

static void check_child(pid_t pid)
{
	int status;

	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFEXITED(status));
	assert_int_equal(WEXITSTATUS(status), AS_EXPECTED);
}

static struct trend_profile profile_of(uint32_t lives)
{
	struct trend_profile p = { .observed = 4099, .peak = 1 << 20, .lives = lives, .alerts = 2 };

	p.proven[3] = 12289;
	return p;
}

static void save_all(struct fixture *f)
{
	const struct trend_profile p = profile_of(7);
	const struct history_event e = { 41, T0, 3, 0xfedcba9876543210, 1000, "{\"id\":41}" };

	assert_int_equal(history_save_profile(f->h, "a.service", 0x9999999999999999, 5, &p, T0), 0);
	assert_int_equal(history_save_alert(f->h, 0xffffffffffffffff, "{\"a\":1}", true, T0), 0);
	assert_int_equal(history_save_event(f->h, &e), 0);
	assert_int_equal(history_save_snapshot(f->h, "before", "a\0b", 3, T0), 0);
}

static void test_new_file(void **state)
{
	struct fixture *f = *state;
	struct history_stats stats;
	struct stat st;
	mode_t mask = umask(0);

	fixture_open(f);
	umask(mask);
	assert_true(f->notice.is_new);
	assert_null(f->notice.moved_to);
	assert_null(f->notice.why);
	assert_int_equal(stat(f->path, &st), 0);
	assert_int_equal(st.st_mode & 07777, 0600);
	history_get_stats(f->h, &stats);
	assert_true(stats.bytes >= 4096);
	assert_int_equal(stats.lost_records, 0);
	assert_int_equal(stats.last_error, 0);

	fixture_open(f);
	assert_false(f->notice.is_new);
	fixture_close(f);
	assert_int_equal(fixture_query(f, "PRAGMA user_version"), 1);
	assert_int_equal(fixture_query(f, "PRAGMA application_id"), 0x73656570);
}

static void test_refused(void **state)
{
	struct fixture *f = *state;
	const char *path = f->options.path;
	char other[128];

	snprintf(other, sizeof(other), "%s/none/history.db", f->folder);
	f->options.path = other;
	assert_int_equal(fixture_try_open(f), -ENOENT);
	f->options.path = path;

	assert_int_equal(mkdir(path, 0700), 0);
	assert_int_equal(fixture_try_open(f), -EISDIR);
	assert_int_equal(rmdir(path), 0);

	snprintf(other, sizeof(other), "%s/elsewhere", f->folder);
	assert_int_equal(symlink(other, path), 0);
	assert_int_equal(fixture_try_open(f), -ELOOP);
	assert_int_equal(access(other, F_OK), -1);
	assert_int_equal(unlink(path), 0);

	assert_int_equal(mkfifo(path, 0600), 0);
	assert_int_equal(fixture_try_open(f), -ENXIO);
	assert_null(f->h);
}

/* As another user, in a child: this one stays root. */
static void test_no_permission(void **state)
{
	struct fixture *f = *state;
	pid_t pid;

	if (geteuid() != 0) {
		print_message("# skip: needs root\n");
		skip();
	}
	fixture_open(f);
	fixture_close(f);
	assert_int_equal(chmod(f->folder, 0755), 0);
	pid = fork();
	assert_true(pid >= 0);
	if (pid == 0) {
		int r = setgid(65534) < 0 || setuid(65534) < 0;

		_exit(r ? 1 : fixture_try_open(f) == -EACCES ? AS_EXPECTED : 2);
	}
	check_child(pid);
}

static void test_one_owner(void **state)
{
	struct fixture *f = *state;
	struct history_notice notice;
	struct history *second = NULL;
	pid_t pid;

	fixture_open(f);
	assert_int_equal(history_open(&f->options, &second, &notice), -EBUSY);
	pid = fork();
	assert_true(pid >= 0);
	if (pid == 0)
		_exit(history_open(&f->options, &second, &notice) == -EBUSY ? AS_EXPECTED : 1);
	check_child(pid);
	/* The first one is none the worse. */
	save_all(f);
	assert_int_equal(history_flush(f->h, T0), 0);
	fixture_open(f);
	assert_false(f->notice.is_new);
}

static size_t read_file(const char *path, char *to, size_t room)
{
	_cleanup_fclose_ FILE *file = fopen(path, "r");

	assert_non_null(file);
	return fread(to, 1, room, file);
}

static void check_untouched(struct fixture *f)
{
	static char before[1 << 20], after[1 << 20];
	size_t n = read_file(f->path, before, sizeof(before));
	char log[128];

	assert_int_equal(fixture_try_open(f), -EPROTO);
	assert_int_equal(read_file(f->path, after, sizeof(after)), n);
	assert_memory_equal(before, after, n);
	snprintf(log, sizeof(log), "%s-wal", f->path);
	assert_int_equal(access(log, F_OK), -1);
}

static void test_foreign(void **state)
{
	struct fixture *f = *state;

	fixture_exec(f, "CREATE TABLE mine(x); INSERT INTO mine VALUES(7919)");
	check_untouched(f);
	assert_int_equal(fixture_query(f, "SELECT x FROM mine"), 7919);
}

static void test_later_version(void **state)
{
	struct fixture *f = *state;

	fixture_open(f);
	save_all(f);
	fixture_close(f);
	fixture_exec(f, "PRAGMA user_version = 2");
	check_untouched(f);
	assert_int_equal(fixture_query(f, "SELECT count(*) FROM alerts"), 1);
}

static void find_profile(struct fixture *f, uint64_t leak, uint64_t site, uint32_t lives,
			 bool is_other)
{
	struct trend_profile p;
	bool is_other_build = !is_other;

	assert_int_equal(history_find_profile(f->h, "a.service", leak, site, &p, &is_other_build),
			 0);
	assert_int_equal(p.lives, lives);
	assert_int_equal(is_other_build, is_other);
	assert_true(p.observed == 4099);
	assert_true(p.proven[3] == 12289);
}

/* A life that saves a profile, and is killed. */
static void live_shortly(struct fixture *f, bool syncs)
{
	struct trend_profile p = profile_of(3);
	pid_t pid = fork();
	int r;

	assert_true(pid >= 0);
	if (pid == 0) {
		r = fixture_try_open(f);
		if (r == 0)
			r = history_save_profile(f->h, "a.service", 11, 5, &p, T0);
		if (r == 0 && syncs)
			r = history_sync(f->h);
		_exit(r == 0 ? AS_EXPECTED : 1);
	}
	check_child(pid);
}

static void test_sync(void **state)
{
	struct fixture *f = *state;
	struct trend_profile p;
	bool is_other;

	live_shortly(f, false);
	fixture_open(f);
	assert_int_equal(history_find_profile(f->h, "a.service", 11, 5, &p, &is_other), -ENOENT);
	fixture_close(f);
	live_shortly(f, true);
	fixture_open(f);
	find_profile(f, 11, 5, 3, false);
}

static void test_profiles(void **state)
{
	struct fixture *f = *state;
	struct trend_profile p = profile_of(3);
	bool is_other;

	fixture_open(f);
	assert_int_equal(history_find_profile(f->h, "a.service", 11, 5, &p, &is_other), -ENOENT);
	assert_int_equal(history_save_profile(f->h, "a.service", 11, 5, &p, T0), 0);
	find_profile(f, 11, 5, 3, false);
	assert_int_equal(history_flush(f->h, T0), 0);
	find_profile(f, 11, 5, 3, false);
	find_profile(f, 12, 5, 3, true);
	assert_int_equal(history_find_profile(f->h, "a.service", 12, 6, &p, &is_other), -ENOENT);
	assert_int_equal(history_find_profile(f->h, "b.service", 11, 5, &p, &is_other), -ENOENT);
	/* 0 is no site. */
	p = profile_of(4);
	assert_int_equal(history_save_profile(f->h, "a.service", 13, 0, &p, T0), 0);
	assert_int_equal(history_find_profile(f->h, "a.service", 14, 0, &p, &is_other), -ENOENT);

	/* The latest of a site's builds, also one that was saved again. */
	p = profile_of(5);
	assert_int_equal(history_save_profile(f->h, "a.service", 21, 5, &p, T0 + 1), 0);
	assert_int_equal(history_flush(f->h, T0 + 1), 0);
	find_profile(f, 99, 5, 5, true);
	p = profile_of(6);
	assert_int_equal(history_save_profile(f->h, "a.service", 11, 5, &p, T0 + 2), 0);
	find_profile(f, 99, 5, 6, true);
	fixture_open(f);
	find_profile(f, 99, 5, 6, true);
	find_profile(f, 11, 5, 6, false);
	find_profile(f, 21, 5, 5, false);
	assert_int_equal(history_save_profile(f->h, "", 11, 5, &p, T0), -EINVAL);
	fixture_close(f);
	assert_int_equal(fixture_query(f, "SELECT count(*) FROM profiles"), 3);
	assert_int_equal(fixture_query(f, "SELECT count(*) FROM services"), 1);
}

static void test_bad_profile(void **state)
{
	struct fixture *f = *state;
	struct trend_profile p = profile_of(3);
	bool is_other;

	fixture_open(f);
	assert_int_equal(history_save_profile(f->h, "a.service", 11, 5, &p, T0), 0);
	fixture_close(f);
	fixture_exec(f, "UPDATE profiles SET value = substr(value, 1, 100)");
	fixture_open(f);
	assert_int_equal(history_find_profile(f->h, "a.service", 11, 5, &p, &is_other), -ENOENT);
	assert_int_equal(p.lives, 3);
}

static void test_profiles_are_bounded(void **state)
{
	struct fixture *f = *state;
	struct trend_profile p = profile_of(3);
	char sql[] = "WITH RECURSIVE c(i) AS (SELECT 100 UNION ALL SELECT i + 1 FROM c WHERE i < "
		     "66099) INSERT INTO profiles(service, leak, site, saved, value)"
		     " SELECT 1, i, 0, 0, zeroblob(100) FROM c";

	fixture_open(f);
	assert_int_equal(history_save_profile(f->h, "a.service", 11, 5, &p, T0), 0);
	fixture_close(f);
	fixture_exec(f, sql);
	fixture_open(f);
	/* This one is young again, and stays. */
	assert_int_equal(history_save_profile(f->h, "a.service", 11, 5, &p, T0), 0);
	fixture_open(f);
	find_profile(f, 11, 5, 3, false);
	fixture_close(f);
	assert_int_equal(fixture_query(f, "SELECT count(*) FROM profiles"), 65536);
	assert_int_equal(fixture_query(f, "SELECT min(leak) FROM profiles WHERE leak > 11"), 565);
}

struct list {
	char text[4096];
	int stop_after;
};

static int add_alert(uint64_t id, const char *json, void *userdata)
{
	struct list *l = userdata;

	sprintf(l->text + strlen(l->text), "%llu:%s ", (unsigned long long)id, json);
	return --l->stop_after == 0 ? -ECANCELED : 0;
}

static int add_event(const struct history_event *e, void *userdata)
{
	struct list *l = userdata;

	sprintf(l->text + strlen(l->text), "%llu,%llu,%d,%llx,%u,%s ", (unsigned long long)e->id,
		(unsigned long long)e->time_ms, e->event, (unsigned long long)e->leak, e->uid,
		e->json);
	return --l->stop_after == 0 ? -ECANCELED : 0;
}

static int add_snapshot(const char *name, const void *value, size_t size, void *userdata)
{
	struct list *l = userdata;

	sprintf(l->text + strlen(l->text), "%s:%zu:%.*s ", name, size, (int)size,
		(const char *)value);
	return --l->stop_after == 0 ? -ECANCELED : 0;
}

static void expect_alerts(struct fixture *f, const char *expected)
{
	struct list l = { 0 };

	assert_int_equal(history_each_alert(f->h, add_alert, &l), 0);
	assert_string_equal(l.text, expected);
}

static void test_alerts(void **state)
{
	struct fixture *f = *state;
	struct list l = { .stop_after = 1 };

	fixture_open(f);
	assert_int_equal(history_save_alert(f->h, 18446744073709551557u, "{1}", true, T0), 0);
	assert_int_equal(history_save_alert(f->h, 3, "{2}", true, T0), 0);
	expect_alerts(f, "18446744073709551557:{1} 3:{2} ");
	assert_int_equal(history_save_alert(f->h, 18446744073709551557u, "{3}", false, T0), 0);
	assert_int_equal(history_save_alert(f->h, 5, "{4}", true, T0), 0);
	assert_int_equal(history_forget_alert(f->h, 3), 0);
	assert_int_equal(history_forget_alert(f->h, 4), 0);
	expect_alerts(f, "18446744073709551557:{3} 5:{4} ");
	fixture_open(f);
	expect_alerts(f, "18446744073709551557:{3} 5:{4} ");
	assert_int_equal(history_each_alert(f->h, add_alert, &l), -ECANCELED);
	assert_string_equal(l.text, "18446744073709551557:{3} ");
	assert_int_equal(history_forget_alert(f->h, 5), 0);
	assert_int_equal(history_save_alert(f->h, 5, "{5}", true, T0), 0);
	expect_alerts(f, "18446744073709551557:{3} 5:{5} ");
}

static void test_events(void **state)
{
	struct fixture *f = *state;
	struct list l = { 0 };

	fixture_open(f);
	assert_int_equal(history_each_event(f->h, 10, add_event, &l), 0);
	assert_string_equal(l.text, "");
	for (uint64_t i = 1; i <= 5003; i++) {
		const struct history_event e = { i, T0 + i, 2, ~i, 4294967295u, "{}" };

		assert_int_equal(history_save_event(f->h, &e), 0);
	}
	fixture_open(f);
	assert_int_equal(history_each_event(f->h, 2, add_event, &l), 0);
	assert_string_equal(l.text, "5002,1767571205002,2,ffffffffffffec75,4294967295,{} "
				    "5003,1767571205003,2,ffffffffffffec74,4294967295,{} ");
	l = (struct list){ .stop_after = 1 };
	assert_int_equal(history_each_event(f->h, SIZE_MAX, add_event, &l), -ECANCELED);
	assert_string_equal(l.text, "908,1767571200908,2,fffffffffffffc73,4294967295,{} ");
	l = (struct list){ 0 };
	assert_int_equal(history_each_event(f->h, 0, add_event, &l), 0);
	assert_string_equal(l.text, "");
	fixture_close(f);
	assert_int_equal(fixture_query(f, "SELECT count(*) FROM events"), 4096);
}

static void test_snapshots(void **state)
{
	struct fixture *f = *state;
	struct list l = { 0 };

	fixture_open(f);
	assert_int_equal(history_save_snapshot(f->h, "one", "first", 5, T0), 0);
	assert_int_equal(history_save_snapshot(f->h, "none", NULL, 0, T0), 0);
	assert_int_equal(history_save_snapshot(f->h, "one", "second", 6, T0), -EEXIST);
	assert_int_equal(history_save_snapshot(f->h, "two", "other", 5, T0), 0);
	assert_int_equal(history_drop_snapshot(f->h, "three"), -ENOENT);
	fixture_open(f);
	assert_int_equal(history_drop_snapshot(f->h, "none"), 0);
	assert_int_equal(history_each_snapshot(f->h, add_snapshot, &l), 0);
	assert_string_equal(l.text, "one:5:first two:5:other ");
	assert_int_equal(history_drop_snapshot(f->h, "one"), 0);
	assert_int_equal(history_save_snapshot(f->h, "one", "third", 5, T0), 0);
	l = (struct list){ .stop_after = 2 };
	assert_int_equal(history_each_snapshot(f->h, add_snapshot, &l), -ECANCELED);
	assert_string_equal(l.text, "two:5:other one:5:third ");
}

/* What was flushed is there after a kill, also in the middle of the next records. */
static void test_kill(void **state)
{
	struct fixture *f = *state;
	struct history_point *points = NULL;
	pid_t pid;

	pid = fork();
	assert_true(pid >= 0);
	if (pid == 0) {
		fixture_open(f);
		save_all(f);
		fixture_add(f, "a.service", 0, 23, T0, 4096);
		if (history_flush(f->h, T0) < 0)
			_exit(1);
		history_save_alert(f->h, 1, "{2}", true, T0);
		fixture_add(f, "a.service", 0, 23, T0 + 10 * SECOND_MS, 8192);
		_exit(AS_EXPECTED);
	}
	check_child(pid);
	fixture_open(f);
	assert_false(f->notice.is_new);
	expect_alerts(f, "18446744073709551615:{\"a\":1} ");
	find_profile(f, 0x9999999999999999, 0, 7, false);
	assert_int_equal(fixture_read(f, "a.service", 0, 0, 0, UINT64_MAX, 100, &points), 1);
	assert_true(points[0].live_bytes == 4096);
	free(points);
}

int main(void)
{
#define TEST(t) cmocka_unit_test_setup_teardown(t, fixture_new, fixture_free)
	const struct CMUnitTest tests[] = {
		TEST(test_new_file),
		TEST(test_refused),
		TEST(test_no_permission),
		TEST(test_one_owner),
		TEST(test_foreign),
		TEST(test_later_version),
		TEST(test_sync),
		TEST(test_profiles),
		TEST(test_bad_profile),
		TEST(test_alerts),
		TEST(test_profiles_are_bounded),
		TEST(test_events),
		TEST(test_snapshots),
		TEST(test_kill),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
