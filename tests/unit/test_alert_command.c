// SPDX-License-Identifier: GPL-2.0-or-later
/* alert/command.c with real commands. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <event2/event.h>
#include <fcntl.h>
#include <ftw.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <time.h>

#include "alert/command.h"
#include "base/clock.h"
#include "unit/alert_fixture.h"

/* A folder that everybody may write to, and a loop. */
struct fixture {
	char folder[64];
	struct event_base *base;
	struct alert *a;
};

static int set_up(void **state)
{
	struct fixture *f = calloc(1, sizeof(*f));

	snprintf(f->folder, sizeof(f->folder), "/tmp/seep-command-XXXXXX");
	assert_non_null(mkdtemp(f->folder));
	assert_int_equal(chmod(f->folder, 0777), 0);
	f->base = event_base_new();
	assert_non_null(f->base);
	f->a = fixture_alert(0xabc, 1);
	f->a->is_told = true;
	*state = f;
	return 0;
}

static int remove_one(const char *path, const struct stat *s, int flag, struct FTW *ftw)
{
	(void)s;
	(void)flag;
	(void)ftw;
	return remove(path);
}

static int tear_down(void **state)
{
	struct fixture *f = *state;

	(void)nftw(f->folder, remove_one, 8, FTW_DEPTH | FTW_PHYS);
	event_base_free(f->base);
	alert_free(f->a);
	free(f);
	return 0;
}

/* A command that runs a script in the folder: its first argument. */
static struct alert_command *command(struct fixture *f, const char *script, uint64_t timeout_ms)
{
	const char *const argv[] = { "/bin/sh", "-c", script, f->folder, NULL };
	const struct command_options options = { .argv = argv, .timeout_ms = timeout_ms };
	struct alert_command *c = NULL;

	assert_int_equal(alert_command_new(f->base, &options, &c), 0);
	return c;
}

/* The loop until nothing runs or waits, at most 60 s. */
static struct command_stats finish(struct fixture *f, struct alert_command *c)
{
	uint64_t until = clock_ns(CLOCK_MONOTONIC) + 60 * NS_PER_SECOND;
	struct command_stats stats;

	for (;;) {
		const struct timeval step = { .tv_usec = 20000 };

		alert_command_get_stats(c, &stats);
		if (stats.running + stats.waiting == 0)
			return stats;
		if (clock_ns(CLOCK_MONOTONIC) > until)
			fail_msg("%zu still run, %zu wait", stats.running, stats.waiting);
		event_base_loopexit(f->base, &step);
		event_base_dispatch(f->base);
	}
}

static char *contents(const struct fixture *f, const char *name)
{
	char path[128], text[8192];
	_cleanup_fclose_ FILE *file = NULL;
	size_t n;

	snprintf(path, sizeof(path), "%s/%s", f->folder, name);
	file = fopen(path, "re");
	if (!file)
		fail_msg("there is no %s", path);
	n = fread(text, 1, sizeof(text) - 1, file);
	text[n] = '\0';
	return strdup(text);
}

static bool exists(const struct fixture *f, const char *name)
{
	char path[128];

	snprintf(path, sizeof(path), "%s/%s", f->folder, name);
	return access(path, F_OK) == 0;
}

/* Large enough that a pipe would not hold it. */
static void test_input(void **state)
{
	struct fixture *f = *state;
	_cleanup_(alert_command_freep) struct alert_command *c =
		command(f,
			"wc -c > $0/size; cat /dev/stdin > $0/again; echo $SEEP_EVENT "
			"$SEEP_LEAK_ID $SEEP_SEVERITY > $0/what",
			0);
	_cleanup_free_ char *size = NULL, *again = NULL, *what = NULL;
	struct command_stats stats;
	char *json = malloc(1000001);

	memset(json, 'x', 1000000);
	json[1000000] = '\0';
	assert_int_equal(alert_command_run(c, ALERT_OPENED, f->a, json), 0);
	free(json);
	stats = finish(f, c);
	assert_int_equal(stats.started, 1);
	assert_int_equal(stats.failed, 0);
	size = contents(f, "size");
	what = contents(f, "what");
	assert_string_equal(size, "1000000\n");
	assert_string_equal(what, "opened 0000000000000abc medium\n");
	again = contents(f, "again");
	assert_int_equal(again[0], 'x');
}

/* Who it is, and what it may: nothing of the daemon's is left. */
static void test_unprivileged(void **state)
{
	struct fixture *f = *state;
	_cleanup_(alert_command_freep) struct alert_command *c =
		command(f,
			"exec > $0/who; id -u; id -G; id -u nobody; id -g nobody; pwd; umask; "
			"ls /proc/self/fd | wc -l; "
			"grep -c '^NoNewPrivs:.*1' /proc/self/status; "
			"grep -c '^Cap\\(Prm\\|Eff\\|Amb\\):.0000000000000000' "
			"/proc/self/status; "
			"grep -c '^Sig\\(Blk\\|Ign\\):.0000000000000000' "
			"/proc/self/status; env | sort | grep -v '^\\(PWD\\|_\\|OLDPWD\\)='",
			0);
	/* As in what make(1) starts: one of the C library's own signals is ignored. */
	static const unsigned long ignored[8] = { 1 };
	_cleanup_free_ char *who = NULL;
	_cleanup_close_ int leaked = open("/dev/null", O_RDONLY); /* not CLOEXEC */
	unsigned uid, nobody, gid;
	char groups[64], rest[512];

	assert_int_equal(syscall(SYS_rt_sigaction, 33, ignored, NULL, 8), 0);
	assert_int_equal(alert_command_run(c, ALERT_OPENED, f->a, "{}"), 0);
	(void)finish(f, c);
	who = contents(f, "who");
	if (sscanf(who, "%u\n%63[^\n]\n%u\n%u\n%511[^\1]", &uid, groups, &nobody, &gid, rest) != 5)
		fail_msg("%s", who);
	/* Standard input, output and error, and the folder that ls reads. */
	assert_string_equal(rest,
			    "/\n0077\n4\n1\n3\n2\n"
			    "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin\n"
			    "SEEP_EVENT=opened\n"
			    "SEEP_LEAK_ID=0000000000000abc\n"
			    "SEEP_SEVERITY=medium\n");
	if (geteuid() != 0) {
		print_message("# skip: needs root to become nobody\n");
		skip();
	}
	assert_int_equal(uid, nobody);
	assert_int_equal(strtoul(groups, NULL, 10), gid);
	assert_null(strchr(groups, ' '));
}

/* Gone, or a zombie that nobody has reaped yet. */
static bool is_dead(int pid)
{
	char path[64], line[512], state = 0;
	_cleanup_fclose_ FILE *file = NULL;

	snprintf(path, sizeof(path), "/proc/%d/stat", pid);
	file = fopen(path, "re");
	return !file || !fgets(line, sizeof(line), file) ||
	       sscanf(line, "%*d (%*[^)]) %c", &state) != 1 || state == 'Z' || state == 'X';
}

static void wait_until_dead(const char *pids)
{
	uint64_t until = clock_ns(CLOCK_MONOTONIC) + 60 * NS_PER_SECOND;
	int a, b;

	assert_int_equal(sscanf(pids, "%d %d", &a, &b), 2);
	while (!is_dead(a) || !is_dead(b)) {
		if (clock_ns(CLOCK_MONOTONIC) > until)
			fail_msg("one of %s lives", pids);
		(void)poll(NULL, 0, 5);
	}
}

static void wait_until_exists(const struct fixture *f, const char *name)
{
	uint64_t until = clock_ns(CLOCK_MONOTONIC) + 60 * NS_PER_SECOND;

	while (!exists(f, name)) {
		if (clock_ns(CLOCK_MONOTONIC) > until)
			fail_msg("the command does not make %s", name);
		(void)poll(NULL, 0, 5);
	}
}

/* Enough for a shell to begin with. */
#define LIMIT_MS 3000

static void test_time_limit(void **state)
{
	struct fixture *f = *state;
	_cleanup_(alert_command_freep) struct alert_command *c =
		command(f, "sleep 1000 & echo $$ $! > $0/pids; wait", LIMIT_MS);
	_cleanup_free_ char *pids = NULL;
	uint64_t began = clock_ns(CLOCK_MONOTONIC);
	struct command_stats stats;

	assert_int_equal(alert_command_run(c, ALERT_OPENED, f->a, "{}"), 0);
	stats = finish(f, c);
	assert_true(clock_ns(CLOCK_MONOTONIC) - began >= LIMIT_MS * 1000000ull);
	assert_int_equal(stats.failed, 1);
	pids = contents(f, "pids");
	wait_until_dead(pids);
}

/* What it leaves behind does not outlive it, nor do commands their daemon. */
static void test_nothing_is_left(void **state)
{
	struct fixture *f = *state;
	struct alert_command *c = command(f, "sleep 1000 & echo $$ $! > $0/pids", 0);
	_cleanup_free_ char *first = NULL, *second = NULL;
	struct command_stats stats;

	assert_int_equal(alert_command_run(c, ALERT_OPENED, f->a, "{}"), 0);
	stats = finish(f, c);
	assert_int_equal(stats.failed, 0);
	first = contents(f, "pids");
	wait_until_dead(first);
	c = alert_command_free(c);

	c = command(f, "sleep 1000 & echo $$ $! > $0/new; mv $0/new $0/running; wait", 0);
	assert_int_equal(alert_command_run(c, ALERT_OPENED, f->a, "{}"), 0);
	wait_until_exists(f, "running");
	second = contents(f, "running");
	c = alert_command_free(c);
	wait_until_dead(second);
}

/* Four run, 64 wait, more are dropped; those that waited run in their order. */
static void test_bounds(void **state)
{
	struct fixture *f = *state;
	_cleanup_(alert_command_freep) struct alert_command *c =
		command(f, "until [ -e $0/go ]; do sleep 0.02; done; cat >> $0/order", 0);
	_cleanup_free_ char *order = NULL;
	struct command_stats stats;
	char path[128], json[16];
	unsigned n = 0, seen[68] = { 0 }, number;

	for (unsigned i = 0; i < COMMANDS_RUNNING_MAX + COMMANDS_WAITING_MAX; i++) {
		snprintf(json, sizeof(json), "%u\n", i);
		assert_int_equal(alert_command_run(c, ALERT_OPENED, f->a, json), 0);
	}
	assert_int_equal(alert_command_run(c, ALERT_OPENED, f->a, "99\n"), -ENOBUFS);
	alert_command_get_stats(c, &stats);
	assert_int_equal(stats.running, COMMANDS_RUNNING_MAX);
	assert_int_equal(stats.waiting, COMMANDS_WAITING_MAX);
	assert_int_equal(stats.dropped, 1);
	snprintf(path, sizeof(path), "%s/go", f->folder);
	close(open(path, O_CREAT | O_WRONLY | O_CLOEXEC, 0644));
	stats = finish(f, c);
	assert_int_equal(stats.started, 68);
	assert_int_equal(stats.failed, 0);
	assert_int_equal(stats.dropped, 1);
	order = contents(f, "order");
	for (const char *p = order; sscanf(p, "%u", &number) == 1; p = strchr(p, '\n') + 1) {
		/* It started when all but three of those before it had ended. */
		assert_true(number < 68 && number < n + COMMANDS_RUNNING_MAX);
		seen[number]++;
		n++;
	}
	assert_int_equal(n, 68);
	for (unsigned i = 0; i < 68; i++)
		assert_int_equal(seen[i], 1);
}

static void test_failures(void **state)
{
	struct fixture *f = *state;
	const char *const missing[] = { "/nonexistent/command", NULL };
	const char *const relative[] = { "sh", NULL };
	struct command_options options = { .argv = missing };
	struct alert_command *c = NULL;
	struct command_stats stats;

	assert_int_equal(alert_command_new(f->base, &options, &c), 0);
	assert_int_equal(alert_command_run(c, ALERT_OPENED, f->a, "{}"), 0);
	stats = finish(f, c);
	assert_int_equal(stats.started, 1);
	assert_int_equal(stats.failed, 1);
	c = alert_command_free(c);

	c = command(f, "exit 3", 0);
	assert_int_equal(alert_command_run(c, ALERT_OPENED, f->a, "{}"), 0);
	assert_int_equal(finish(f, c).failed, 1);
	c = alert_command_free(c);

	options.argv = relative;
	assert_int_equal(alert_command_new(f->base, &options, &c), -EINVAL);
	if (geteuid() != 0)
		return;
	options.argv = missing;
	options.user = "root";
	assert_int_equal(alert_command_new(f->base, &options, &c), -EPERM);
	options.user = "no-such-user-here";
	assert_int_equal(alert_command_new(f->base, &options, &c), -ENOENT);
}

static void test_which_events(void **state)
{
	struct fixture *f = *state;
	static const bool wanted[] = {
		[ALERT_OPENED] = true,	[ALERT_GREW] = true,	 [ALERT_STOPPED] = true,
		[ALERT_RESUMED] = true, [ALERT_RESOLVED] = true, [ALERT_CLOSED] = true,
		[ALERT_MARKED] = false,
	};
	_cleanup_(alert_command_freep) struct alert_command *c = command(f, "exit 0", 0);

	for (int i = ALERT_SUSPECTED; i <= ALERT_MARKED; i++)
		assert_int_equal(alert_command_wants((enum alert_event)i, f->a), wanted[i]);
	assert_int_equal(alert_command_run(c, ALERT_MARKED, f->a, "{}"), 0);
	assert_int_equal(finish(f, c).started, 0);
	f->a->suppressed_by = strdup("id");
	assert_false(alert_command_wants(ALERT_OPENED, f->a));
	free(f->a->suppressed_by);
	f->a->suppressed_by = NULL;
	f->a->is_told = false;
	assert_false(alert_command_wants(ALERT_OPENED, f->a));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_input, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_unprivileged, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_time_limit, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_nothing_is_left, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_bounds, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_failures, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_which_events, set_up, tear_down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
