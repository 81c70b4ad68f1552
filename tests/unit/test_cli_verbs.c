// SPDX-License-Identifier: GPL-2.0-or-later
/* The verbs about leaks against a real server in a child process: what they print, how they end. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <signal.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "cli/verbs.h"
#include "serve_fixture.h"

#define LEAK	"9f2c41d0e7a83b15"
#define SUSPECT "9f2c41d0ffffffff"

/* Not by verbs.c: it brings in the real monitor. */
static const struct {
	const char *name;
	cli_verb_fn run;
} verbs[] = {
	{ "ack", cli_ack },	    { "check", cli_check }, { "events", cli_events },
	{ "history", cli_history }, { "leaks", cli_leaks }, { "mark", cli_mark },
	{ "status", cli_status },   { "show", cli_show },   { "suppress", cli_suppress },
};

static pid_t child;

/* The server goes on in a child, with what it has; the parent is a client. */
static void serve(struct fixture *f)
{
	child = fork();
	assert_true(child >= 0);
	if (child > 0)
		return;
	(void)signal(SIGALRM, SIG_DFL);
	(void)alarm(60); /* should the test die */
	if (event_reinit(f->base) == 0)
		(void)event_base_dispatch(f->base);
	_exit(1);
}

static void stop(void)
{
	assert_int_equal(kill(child, SIGKILL), 0);
	assert_int_equal(waitpid(child, NULL, 0), child);
}

static void add_leak(struct fixture *f)
{
	fake_leak(f->monitor, 0x9f2c41d0e7a83b15, f->monitor->targets[0], "leak_handler",
		  TREND_LEAKING, TREND_OPENED);
}

static void add_suspect(struct fixture *f)
{
	fake_leak(f->monitor, 0x9f2c41d0ffffffff, f->monitor->targets[0], "look_up", TREND_SUSPECT,
		  TREND_SUSPECTED);
}

static int set_up_verbs(void **state)
{
	struct fixture *f;
	struct target *t;

	if (set_up(state) < 0)
		return -1;
	f = *state;
	t = fake_target(f->monitor, 1, 4243, 0);
	t->unit = strdup("shop.service");
	(void)fake_target(f->monitor, 2, 4253, 0);
	return 0;
}

/* Runs a verb; its words are divided by blanks. *ret: what it wrote to standard output. */
static int run(const char *path, const char *line, char **ret)
{
	_cleanup_free_ char *copy = strdup(line);
	char *words[16], *at, *word;
	struct cli_context context;
	size_t verb = 0;
	int n = 0, code, saved = dup(STDOUT_FILENO), fd = memfd_create("stdout", MFD_CLOEXEC);
	off_t size;

	for (word = strtok_r(copy, " ", &at); word; word = strtok_r(NULL, " ", &at))
		words[n++] = word;
	words[n] = NULL;
	while (strcmp(verbs[verb].name, words[0]) != 0)
		verb++;
	assert_true(saved >= 0 && fd >= 0);
	assert_int_equal(fflush(stdout), 0);
	assert_true(dup2(fd, STDOUT_FILENO) >= 0);
	cli_context_init(&context);
	context.socket_path = path;
	code = verbs[verb].run(n, words, &context);
	assert_int_equal(fflush(stdout), 0);
	assert_true(dup2(saved, STDOUT_FILENO) >= 0);
	close(saved);
	size = lseek(fd, 0, SEEK_END);
	*ret = calloc(1, (size_t)size + 1);
	assert_int_equal(pread(fd, *ret, (size_t)size, 0), size);
	close(fd);
	return code;
}

/* The verb ends with @code, having written @text somewhere (NULL: nothing at all). */
static void expect(const char *path, const char *line, int code, const char *text)
{
	_cleanup_free_ char *out = NULL;
	int r = run(path, line, &out);

	if (r != code || (text ? !strstr(out, text) : *out != '\0'))
		fail_msg("%s: %d, %s", line, r, out);
}

static void check_is_ok(void **state)
{
	struct fixture *f = *state;

	serve(f);
	expect(f->path, "check", 0,
	       "SEEP OK - nothing leaks | alerts=0;;;0 suspects=0;;;0 bytes_per_hour=0B;;;\n");
	expect(f->path, "check shop.service", 0, "SEEP OK");
	expect(f->path, "check 4243-1", 0, "SEEP OK");
	expect(f->path, "check nosuch", 3, "SEEP UNKNOWN - no such process is traced\n");
	expect(f->path, "check --nosuch", 3, NULL);
	stop();
	expect("/nonexistent", "check", 3, "SEEP UNKNOWN - seepd could not be asked\n");
	expect("/nonexistent", "check -j", 3, "\"code\": 3");
}

static void check_warns(void **state)
{
	struct fixture *f = *state;
	struct alert *a;

	add_suspect(f);
	serve(f);
	expect(f->path, "check", 1, "SEEP WARNING - 0 alerts, 1 suspect | alerts=0;;;0 suspects=1");
	expect(f->path, "suppress " SUSPECT " -q", 0, NULL);
	expect(f->path, "check", 0, "SEEP OK");
	stop();

	add_leak(f);
	a = (struct alert *)alert_book_find(f->monitor->alerts, 0x9f2c41d0e7a83b15);
	a->severity = a->evidence.severity = TREND_MEDIUM;
	serve(f);
	expect(f->path, "check", 1, "SEEP WARNING - 1 alert, 1 suspect: ");
	stop();
}

static void check_is_critical(void **state)
{
	struct fixture *f = *state;

	/* A bar would end the message, and begin the figures. */
	free(f->monitor->targets[0]->unit);
	f->monitor->targets[0]->unit = strdup("a|b\n.service");
	add_leak(f);
	serve(f);
	expect(f->path, "check", 2,
	       "SEEP CRITICAL - 1 alert: a/b?.service leaks +12.4 KiB/h at leak_handler "
	       "(server.c:87), limit in 23 h 59 min | alerts=1;;;0 suspects=0;;;0 "
	       "bytes_per_hour=12660B;;; seconds_to_limit=86340s;;;0\n");
	expect(f->path, "check 4253", 0, "SEEP OK");
	expect(f->path, "check -j", 2, "\"status\": \"CRITICAL\", \"code\": 2");
	expect(f->path, "ack " LEAK " -q -m known", 0, NULL);
	expect(f->path, "check", 0, "SEEP OK");
	expect(f->path, "ack " LEAK " -q --undo", 0, NULL);
	expect(f->path, "check", 2, "SEEP CRITICAL");
	stop();
}

static void check_of_a_stuck_daemon(void **state)
{
	struct fixture *f = *state;

	f->monitor->info.tick_ns = 1;
	serve(f);
	expect(f->path, "check", 3, "SEEP UNKNOWN - the last reading of seepd is overdue\n");
	stop();
}

static void leaks_are_listed(void **state)
{
	struct fixture *f = *state;

	add_leak(f);
	add_suspect(f);
	serve(f);
	expect(f->path, "leaks", 0, "1 suspect is watched: --all shows them\n");
	expect(f->path, "leaks", 0, "9f2c41d0  leaking");
	expect(f->path, "leaks nosuch.service", 0,
	       "No leak and no suspect is known of 'nosuch.service'");
	expect(f->path, "leaks --all", 0, "9f2c41d0f  suspect");
	expect(f->path, "leaks --state suspect", 0, "9f2c41d0  suspect");
	expect(f->path, "leaks --state closed", 0, "No leak is in this state.\n");
	expect(f->path, "leaks nosuch", 0, "No leak is open.\n");
	expect(f->path, "leaks nosuch -j", 0, "\"total\": 0");
	expect(f->path, "leaks 4243-1 -j", 0, "\"total\": 2");
	expect(f->path, "leaks --exit-code -q", 10, "leaking");
	expect(f->path, "leaks nosuch --exit-code", 0, "No leak is open.\n");
	expect(f->path, "leaks cmd=x", 2, NULL);
	expect(f->path, "leaks --state leaky", 2, NULL);
	stop();
	expect("/nonexistent", "leaks", 3, NULL);
}

static void status_counts_leaks(void **state)
{
	struct fixture *f = *state;

	serve(f);
	expect(f->path, "status", 0, "leaks 0 open\n");
	expect(f->path, "status", 0, "Next: seepctl sites SELECTOR\n");
	stop();
	add_leak(f);
	add_suspect(f);
	serve(f);
	expect(f->path, "status", 0, "leaks 1 open, 1 suspect\n");
	expect(f->path, "status", 0, "Next: seepctl leaks\n");
	expect(f->path, "status -j", 0, "\"leaks\": [{\"id\": \"" LEAK "\"");
	stop();
}

static void a_leak_is_shown(void **state)
{
	struct fixture *f = *state;

	add_leak(f);
	add_suspect(f);
	serve(f);
	expect(f->path, "show 9f2c41d0e", 0, LEAK "  leaking, high   shop.service");
	expect(f->path, "show 9f2c41d0e --ascii", 0, "==> at leak_handler (server.c:87)\n");
	expect(f->path, "show 9f2c41d0e -j", 0, "\"id\": \"" LEAK "\"");
	expect(f->path, "show 9f2c41d0e", 0, "Next: seepctl ack " LEAK);
	expect(f->path, "show 9f2c", 2, NULL);
	expect(f->path, "show 7", 5, NULL);
	expect(f->path, "show x", 2, NULL);
	expect(f->path, "show 9f2c41d0e7a83b150", 2, NULL);
	expect(f->path, "show", 2, NULL);
	stop();
}

static void people_answer(void **state)
{
	struct fixture *f = *state;

	add_leak(f);
	serve(f);
	expect(f->path, "ack 9f2c -m fixed -j", 0, "\"acknowledged\": true, \"note\": \"fixed\"");
	expect(f->path, "leaks", 0, "1 is over or answered: --all shows them\n");
	expect(f->path, "leaks --all", 0, "acknowledged");
	expect(f->path, "show 9f2c", 0, "Known       acknowledged: fixed\n");
	expect(f->path, "ack 9f2c --undo -j", 0, "\"acknowledged\": false");
	expect(f->path, "ack 9f2c --undo -m x", 2, NULL);
	expect(f->path, "suppress 9f2c -j", 0, "\"suppressed_by\": \"id\"");
	expect(f->path, "suppress 9f2c --undo -j", 0, "\"suppressed_by\": null");
	expect(f->path, "mark 9f2c true -j", 0, "\"mark\": \"true\"");
	expect(f->path, "mark 9f2c unmarked -j", 0, "\"mark\": null");
	expect(f->path, "mark 9f2c maybe", 2, NULL);
	expect(f->path, "mark 9f2c", 2, NULL);
	expect(f->path, "mark 7 true", 5, NULL);
	stop();
}

static void events_are_listed(void **state)
{
	struct fixture *f = *state;
	_cleanup_free_ char *out = NULL;

	add_leak(f);
	add_suspect(f);
	serve(f);
	expect(f->path, "events", 0, "  opened       " LEAK "  shop.service  leak_handler");
	expect(f->path, "events --since 2", 0, NULL);
	expect(f->path, "events --since x", 2, NULL);
	assert_int_equal(run(f->path, "events --since 1 -j", &out), 0);
	assert_memory_equal(out, "{\"id\":\"2\",\"time\":", 17);
	assert_ptr_equal(strchr(out, '\n'), out + strlen(out) - 1);
	stop();
}

/* What the verb writes goes to a file: once there is something, the daemon ends. */
static void on_alarm(int number)
{
	struct stat written;

	(void)number;
	if (fstat(STDOUT_FILENO, &written) == 0 && S_ISREG(written.st_mode) && written.st_size > 0)
		(void)kill(child, SIGKILL);
}

/* Following ends when the daemon does, with a code that tells it from a plain end. */
static void events_are_followed(void **state)
{
	const struct sigaction action = { .sa_handler = on_alarm, .sa_flags = SA_RESTART };
	const struct itimerval often = { .it_value = { .tv_usec = 50000 },
					 .it_interval = { .tv_usec = 50000 } };
	const struct itimerval never = { 0 };
	struct fixture *f = *state;

	add_leak(f);
	serve(f);
	assert_int_equal(sigaction(SIGALRM, &action, NULL), 0);
	assert_int_equal(setitimer(ITIMER_REAL, &often, NULL), 0);
	expect(f->path, "events -f --since 0", 3, "  opened       " LEAK);
	assert_int_equal(setitimer(ITIMER_REAL, &never, NULL), 0);
	assert_int_equal(waitpid(child, NULL, 0), child);
}

static void history_is_refused(void **state)
{
	struct fixture *f = *state;

	serve(f);
	expect(f->path, "history", 2, NULL);
	expect(f->path, "history 4243", 1, NULL);
	expect(f->path, "history 4243 --from soon", 2, NULL);
	expect(f->path, "history 4243 --points 0", 2, NULL);
	expect(f->path, "history /usr/bin/server", 1, NULL);
	stop();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(check_is_ok, set_up_verbs, tear_down),
		cmocka_unit_test_setup_teardown(check_warns, set_up_verbs, tear_down),
		cmocka_unit_test_setup_teardown(check_is_critical, set_up_verbs, tear_down),
		cmocka_unit_test_setup_teardown(check_of_a_stuck_daemon, set_up_verbs, tear_down),
		cmocka_unit_test_setup_teardown(leaks_are_listed, set_up_verbs, tear_down),
		cmocka_unit_test_setup_teardown(status_counts_leaks, set_up_verbs, tear_down),
		cmocka_unit_test_setup_teardown(a_leak_is_shown, set_up_verbs, tear_down),
		cmocka_unit_test_setup_teardown(people_answer, set_up_verbs, tear_down),
		cmocka_unit_test_setup_teardown(events_are_listed, set_up_verbs, tear_down),
		cmocka_unit_test_setup_teardown(events_are_followed, set_up_verbs, tear_down),
		cmocka_unit_test_setup_teardown(history_is_refused, set_up_verbs, tear_down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
