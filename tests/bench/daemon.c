// SPDX-License-Identifier: GPL-2.0-or-later
/* A private seepd, and seepctl. See daemon.h. */
#include "daemon.h"

#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "command.h"
#include "harness.h"

#define DEADLINE_NS	    30000000000ull
#define SEEPCTL_USAGE	    2 /* its exit status for arguments that it does not know */
#define SEEPCTL_UNREACHABLE 3
#define MAX_ARGUMENTS	    8

static void become_seepd(const struct daemon *d, const char *tick, const char *detector_tick,
			 const char *max_blocks)
{
	char path[512], log[96];
	int fd;

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (snprintf(path, sizeof(path), "%s/seepd", d->build) >= (int)sizeof(path) ||
	    snprintf(log, sizeof(log), "%s/log", d->folder) >= (int)sizeof(log))
		_exit(126);
	fd = open(log, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
	if (fd < 0 || dup2(fd, STDOUT_FILENO) < 0 || dup2(fd, STDERR_FILENO) < 0)
		_exit(126);
	execl(path, "seepd", "--socket", d->socket, "--tick", tick, "--detector-tick",
	      detector_tick, "--max-blocks", max_blocks, "--state-dir", "none", (char *)NULL);
	_exit(127);
}

/* Runs seepctl with these arguments, up to NULL. */
static void seepctl(const struct daemon *d, struct command_result *ret, ...)
{
	const char *arguments[MAX_ARGUMENTS + 5] = { NULL };
	char path[512];
	size_t n = 0;
	va_list args;
	int r;

	if (snprintf(path, sizeof(path), "%s/seepctl", d->build) >= (int)sizeof(path))
		die("seepctl", -ENAMETOOLONG);
	arguments[n++] = path;
	arguments[n++] = "--socket";
	arguments[n++] = d->socket;
	arguments[n++] = "--json";
	va_start(args, ret);
	for (const char *a = va_arg(args, const char *); a; a = va_arg(args, const char *))
		if (n < ARRAY_SIZE(arguments) - 1)
			arguments[n++] = a;
	va_end(args);
	r = command_run(arguments, ret);
	if (r < 0)
		die("running seepctl", r);
}

/* Its answer; NULL while the daemon does not answer. */
static json_t *ask(const struct daemon *d, const char *verb, const char *operand,
		   const char *option, const char *value)
{
	_cleanup_(command_result_done) struct command_result result = { .status = -1 };
	json_error_t error;
	json_t *answer;

	seepctl(d, &result, verb, operand, option, value, (char *)NULL);
	if (result.status == SEEPCTL_UNREACHABLE)
		return NULL;
	if (result.status != 0)
		die_of("seepctl %s: %s", verb, result.err);
	answer = json_loads(result.out, 0, &error);
	if (!answer)
		die_of("seepctl %s: %s", verb, error.text);
	return answer;
}

static bool is_running(const struct daemon *d)
{
	return waitpid(d->pid, NULL, WNOHANG) == 0;
}

json_t *daemon_info(struct daemon *d)
{
	json_t *status = ask(d, "status", NULL, NULL, NULL);
	json_t *info = status ? json_incref(json_object_get(status, "info")) : NULL;

	json_decref(status);
	return info;
}

void daemon_start_detector(struct daemon *d, const char *build, const char *tick,
			   const char *detector_tick, const char *max_blocks)
{
	uint64_t end = now_ns() + DEADLINE_NS;
	json_t *info = NULL;

	*d = (struct daemon){ .build = build, .folder = "/tmp/seep-bench-XXXXXX" };
	if (!mkdtemp(d->folder))
		die("mkdtemp", errno);
	(void)snprintf(d->socket, sizeof(d->socket), "%s/seep.sock", d->folder);
	(void)fflush(stdout);
	d->pid = fork();
	if (d->pid < 0)
		die("fork", errno);
	if (d->pid == 0)
		become_seepd(d, tick, detector_tick, max_blocks);
	while (!info) {
		if (!is_running(d) || now_ns() > end)
			die_of("seepd does not answer; its words are in %s/log", d->folder);
		wait_ms(20);
		info = daemon_info(d);
	}
	json_decref(info);
}

void daemon_start(struct daemon *d, const char *build, const char *tick, const char *max_blocks)
{
	daemon_start_detector(d, build, tick, "60s", max_blocks);
}

void daemon_stop(struct daemon *d)
{
	char log[96];

	if (kill(d->pid, SIGTERM) < 0)
		die("ending seepd", errno);
	while (waitpid(d->pid, NULL, 0) < 0 && errno == EINTR)
		continue;
	(void)snprintf(log, sizeof(log), "%s/log", d->folder);
	(void)unlink(log);
	(void)unlink(d->socket);
	(void)rmdir(d->folder);
}

/* The target of a process, out of all. Caller drops the reference. */
static json_t *find_target(struct daemon *d, pid_t pid)
{
	json_t *answer = ask(d, "targets", NULL, NULL, NULL), *found = NULL;
	json_t *targets = json_object_get(answer, "targets");

	for (size_t i = 0; i < json_array_size(targets); i++) {
		json_t *t = json_array_get(targets, i);

		if (json_integer_value(json_object_get(t, "pid")) == pid)
			found = t;
	}
	json_incref(found);
	json_decref(answer);
	if (!found)
		die("seepd does not know the child", ESRCH);
	return found;
}

static const char *text_of(const json_t *object, const char *key)
{
	const char *text = json_string_value(json_object_get(object, key));

	return text ? text : "";
}

static bool is_attached(struct daemon *d, pid_t pid)
{
	json_t *target = find_target(d, pid);
	const char *state = text_of(target, "state");
	bool attaching = strcmp(state, "attaching") == 0;

	if (strcmp(state, "failed") == 0)
		die_of("the child is not traced: %s", text_of(target, "error"));
	json_decref(target);
	return !attaching;
}

int daemon_track(struct daemon *d, pid_t pid, const char *const arguments[2],
		 char why[static DAEMON_WHY_BYTES])
{
	_cleanup_(command_result_done) struct command_result result = { .status = -1 };
	uint64_t end = now_ns() + DEADLINE_NS;
	char text[16];

	(void)snprintf(text, sizeof(text), "%d", (int)pid);
	seepctl(d, &result, "track", text, arguments[0], arguments[1], (char *)NULL);
	if (result.status == SEEPCTL_USAGE) {
		(void)snprintf(why, DAEMON_WHY_BYTES, "%.*s", (int)strcspn(result.err, "\n"),
			       result.err);
		return -EOPNOTSUPP;
	}
	if (result.status != 0)
		die_of("seepctl track: %s", result.err);
	while (!is_attached(d, pid)) {
		if (now_ns() > end)
			die("waiting for the child to be traced", ETIMEDOUT);
		wait_ms(20);
	}
	return 0;
}

/* How many targets are traced. */
static size_t count_traced(struct daemon *d)
{
	json_t *answer = ask(d, "targets", NULL, NULL, NULL);
	const json_t *targets = json_object_get(answer, "targets");
	size_t n = 0;

	for (size_t i = 0; i < json_array_size(targets); i++) {
		const json_t *t = json_array_get(targets, i);

		if (strcmp(text_of(t, "state"), "failed") == 0)
			die_of("a child is not traced: %s", text_of(t, "error"));
		n += strcmp(text_of(t, "state"), "attaching") != 0;
	}
	json_decref(answer);
	return n;
}

void daemon_track_many(struct daemon *d, const char *selector, size_t n)
{
	_cleanup_(command_result_done) struct command_result result = { .status = -1 };
	uint64_t end = now_ns() + DEADLINE_NS;

	seepctl(d, &result, "track", selector, (char *)NULL);
	if (result.status != 0)
		die_of("seepctl track: %s", result.err);
	while (count_traced(d) != n) {
		if (now_ns() > end)
			die("waiting for the children to be traced", ETIMEDOUT);
		wait_ms(100);
	}
}

void daemon_track_exact(struct daemon *d, pid_t pid)
{
	static const char *const exact[2] = { "--exact", NULL }, *const none[2] = { NULL, NULL };
	char why[DAEMON_WHY_BYTES];
	struct daemon_target target;

	if (daemon_track(d, pid, exact, why) == 0)
		return;
	if (daemon_track(d, pid, none, why) < 0)
		die_of("tracking the child: %s", why);
	daemon_target(d, pid, &target);
	if (strcmp(target.mode, "exact") != 0)
		die_of("the child is traced, but not exactly (%s)", target.mode);
}

void daemon_untrack(struct daemon *d, pid_t pid)
{
	char text[16];

	(void)snprintf(text, sizeof(text), "%d", (int)pid);
	json_decref(ask(d, "untrack", text, NULL, NULL));
}

void daemon_target(struct daemon *d, pid_t pid, struct daemon_target *ret)
{
	json_t *target = find_target(d, pid);
	const json_t *ratio =
		json_object_get(json_object_get(target, "overhead"), "estimated_ratio");

	(void)snprintf(ret->mode, sizeof(ret->mode), "%s", text_of(target, "mode"));
	ret->estimated_ratio = json_is_number(ratio) ? json_number_value(ratio) : (double)NAN;
	json_decref(target);
}

json_t *daemon_next_evaluation(struct daemon *d)
{
	uint64_t end = now_ns() + DEADLINE_NS;
	double before = -1;

	for (;;) {
		json_t *info = daemon_info(d);
		const json_t *detector = json_object_get(info, "detector");
		double took =
			json_number_value(json_object_get(detector, "last_evaluation_seconds"));

		/* No two of them take as long to the nanosecond. */
		if (before >= 0 && took != before)
			return info;
		before = took;
		json_decref(info);
		if (now_ns() > end)
			die("waiting for an evaluation of seepd", ETIMEDOUT);
		wait_ms(50);
	}
}

json_t *daemon_next_tick(struct daemon *d)
{
	uint64_t end = now_ns() + DEADLINE_NS;
	json_int_t before = -1;

	for (;;) {
		json_t *info = daemon_info(d);
		json_int_t ticks = json_integer_value(json_object_get(info, "ticks"));

		/* The first one may have begun before. */
		if (before >= 0 && ticks > before + 1)
			return info;
		if (before < 0)
			before = ticks;
		json_decref(info);
		if (now_ns() > end)
			die("waiting for a tick of seepd", ETIMEDOUT);
		wait_ms(50);
	}
}

/* Whether a frame is the one that the program found there. */
static bool is_frame(const json_t *frame, const struct loop_frame *truth)
{
	uint64_t offset = (uint64_t)json_integer_value(json_object_get(frame, "offset"));

	return offset == truth->offset;
}

static struct stack_seen compare(const json_t *frames, const struct loop_answer *truth)
{
	struct stack_seen seen = { .frames = 0 };
	bool same = true;

	for (size_t i = 0; i < json_array_size(frames); i++) {
		const json_t *f = json_array_get(frames, i);

		/* Inlined functions have no frame of their own on the stack. */
		if (strcmp(text_of(f, "kind"), "inlined") == 0)
			continue;
		if (seen.frames == 0)
			same = seen.true_caller =
				strcmp(text_of(f, "function"), LOOP_FUNCTION) == 0;
		else
			same = same && seen.frames < truth->n_frames &&
			       is_frame(f, &truth->frames[seen.frames]);
		seen.frames++;
		seen.true_frames += same;
	}
	return seen;
}

int daemon_stack(struct daemon *d, pid_t pid, const struct loop_answer *truth,
		 struct stack_seen *ret)
{
	json_t *answer, *sites;
	char text[16];
	int r = -ENOENT;

	(void)snprintf(text, sizeof(text), "%d", (int)pid);
	answer = ask(d, "sites", text, "--sort", "allocated");
	sites = json_object_get(answer, "sites");
	if (json_array_size(sites)) {
		*ret = compare(json_object_get(json_array_get(sites, 0), "frames"), truth);
		r = 0;
	}
	json_decref(answer);
	return r;
}
