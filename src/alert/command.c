// SPDX-License-Identifier: GPL-2.0-or-later
/* The command of "on_alert". See command.h; the child's side is in command_child.c. */
#include "alert/command.h"

#include <errno.h>
#include <event2/event.h>
#include <fcntl.h>
#include <inttypes.h>
#include <pwd.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/pidfd.h>
#include <sys/wait.h>

#include "alert/command_child.h"
#include "base/log.h"

#define TIMEOUT_MS   30000
#define NOBODY	     "nobody"
#define ENVIRONMENTS 5 /* with the NULL at the end */

#ifndef MFD_NOEXEC_SEAL
#define MFD_NOEXEC_SEAL 0x0008U /* Linux 6.3 */
#endif

/* One that waits. */
struct job {
	int input;			 /* owned: a sealed file in memory */
	char *environment[ENVIRONMENTS]; /* owned */
	struct job *next;
};

/* One that runs. */
struct run {
	struct alert_command *owner; /* borrowed, outlives it */
	pid_t pid;		     /* of the process group, too; 0: free */
	int pidfd;		     /* owned */
	struct event *ended;	     /* owned */
	struct event *overdue;	     /* owned */
	bool is_overdue;
};

struct alert_command {
	struct event_base *base; /* borrowed, outlives us */
	char **argv;		 /* owned */
	struct command_child as; /* whom commands run as; .argv is ours */
	struct timeval timeout;
	struct run runs[COMMANDS_RUNNING_MAX];
	struct job *first, **last; /* owned: those that wait */
	struct command_stats stats;
	bool is_dropping; /* logged already */
};

static struct job *job_free(struct job *j)
{
	if (!j)
		return NULL;
	for (size_t i = 0; i < ENVIRONMENTS; i++)
		free(j->environment[i]);
	j->input = close_fd(j->input);
	free(j);
	return NULL;
}
DEFINE_CLEANUP(struct job *, job_free)

/* The command reads a file: nobody has to wait for it to read, and it can be any size. */
static int make_input(const char *text, int *ret)
{
	_cleanup_close_ int fd = -EBADF;
	const char *at = text;
	size_t left = strlen(text);

	fd = memfd_create("alert", MFD_CLOEXEC | MFD_ALLOW_SEALING | MFD_NOEXEC_SEAL);
	if (fd < 0 && errno == EINVAL)
		fd = memfd_create("alert", MFD_CLOEXEC | MFD_ALLOW_SEALING);
	if (fd < 0)
		return -errno;
	while (left > 0) {
		ssize_t n = write(fd, at, left);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		at += n;
		left -= (size_t)n;
	}
	if (lseek(fd, 0, SEEK_SET) < 0 ||
	    fcntl(fd, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE | F_SEAL_SEAL) < 0)
		return -errno;
	*ret = TAKE_FD(fd);
	return 0;
}

static int make_job(enum alert_event event, const struct alert *a, const char *json,
		    struct job **ret)
{
	_cleanup_(job_freep) struct job *j = calloc(1, sizeof(*j));
	int r;

	if (!j)
		return -ENOMEM;
	j->input = -EBADF;
	j->environment[0] = strdup("PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:"
				   "/bin");
	if (!j->environment[0])
		return -ENOMEM;
	if (asprintf(&j->environment[1], "SEEP_EVENT=%s", alert_event_name(event)) < 0 ||
	    asprintf(&j->environment[2], "SEEP_LEAK_ID=%016" PRIx64, a->id) < 0 ||
	    asprintf(&j->environment[3], "SEEP_SEVERITY=%s", alert_severity_name(a->severity)) < 0)
		return -ENOMEM;
	r = make_input(json, &j->input);
	if (r < 0)
		return r;
	*ret = TAKE_PTR(j);
	return 0;
}

/* Frees the place of one that was reaped, or never ran. */
static void clear_run(struct run *run)
{
	if (run->ended)
		event_free(run->ended);
	if (run->overdue)
		event_free(run->overdue);
	run->pidfd = close_fd(run->pidfd);
	*run = (struct run){ .owner = run->owner, .pidfd = -EBADF };
}

/* What is wrong with how it ended; NULL: nothing. */
static const char *why_failed(int status, char *text, size_t size)
{
	if (WIFSIGNALED(status)) {
		(void)snprintf(text, size, "was killed by signal %d", WTERMSIG(status));
		return text;
	}
	switch (WEXITSTATUS(status)) {
	case 0:
		return NULL;
	case COMMAND_EXIT_EXEC:
		return "could not be executed";
	case COMMAND_EXIT_GROUP:
	case COMMAND_EXIT_USER:
		return "could not change to its user";
	default:
		(void)snprintf(text, size, "ended with status %d", WEXITSTATUS(status));
		return text;
	}
}

static void note_end(struct run *run, int status)
{
	struct alert_command *c = run->owner;
	char text[48];
	const char *why = why_failed(status, text, sizeof(text));

	if (run->is_overdue)
		why = "took too long and was killed";
	if (!why)
		return;
	c->stats.failed++;
	log_warning("alert command %s %s, ignoring", c->argv[0], why);
}

static void start_waiting(struct alert_command *c);

static void on_ended(evutil_socket_t fd, short what, void *userdata)
{
	struct run *run = userdata;
	struct alert_command *c = run->owner;
	int status = 0;
	pid_t pid;

	(void)fd;
	(void)what;
	/* Before it is reaped its number cannot be another's: what it left behind ends here. */
	(void)kill(-run->pid, SIGKILL);
	do
		pid = waitpid(run->pid, &status, WNOHANG);
	while (pid < 0 && errno == EINTR);
	if (pid == 0)
		return;
	if (pid > 0)
		note_end(run, status);
	clear_run(run);
	c->stats.running--;
	start_waiting(c);
}

static void on_overdue(evutil_socket_t fd, short what, void *userdata)
{
	struct run *run = userdata;

	(void)fd;
	(void)what;
	run->is_overdue = true;
	(void)kill(-run->pid, SIGKILL);
}

/* For one that cannot be watched. It was killed, so waiting is short. */
static void abandon(struct run *run)
{
	if (run->pid > 0) {
		(void)kill(-run->pid, SIGKILL);
		(void)kill(run->pid, SIGKILL);
		while (waitpid(run->pid, NULL, 0) < 0 && errno == EINTR)
			;
	}
	clear_run(run);
}

/* With signals blocked, so that none of the daemon's handlers runs in the child. */
static pid_t fork_child(const struct command_child *child)
{
	sigset_t all, old;
	pid_t pid;
	int saved;

	(void)sigfillset(&all);
	(void)sigprocmask(SIG_SETMASK, &all, &old);
	pid = fork();
	if (pid == 0)
		command_child(child);
	saved = errno;
	(void)sigprocmask(SIG_SETMASK, &old, NULL);
	errno = saved;
	return pid;
}

static int start(struct alert_command *c, struct run *run, const struct job *j)
{
	struct command_child child = c->as;

	child.environment = j->environment;
	child.input = j->input;
	run->pid = fork_child(&child);
	if (run->pid < 0) {
		run->pid = 0;
		return -errno;
	}
	/* The child does the same; whoever comes first, it is done before anything is killed. */
	(void)setpgid(run->pid, run->pid);
	run->pidfd = pidfd_open(run->pid, 0);
	if (run->pidfd < 0)
		return -errno;
	run->ended = event_new(c->base, run->pidfd, EV_READ | EV_PERSIST, on_ended, run);
	run->overdue = evtimer_new(c->base, on_overdue, run);
	if (!run->ended || !run->overdue || event_add(run->ended, NULL) < 0 ||
	    event_add(run->overdue, &c->timeout) < 0)
		return -ENOMEM;
	return 0;
}

static struct run *free_run(struct alert_command *c)
{
	for (size_t i = 0; i < COMMANDS_RUNNING_MAX; i++)
		if (c->runs[i].pid == 0)
			return &c->runs[i];
	return NULL;
}

static void start_waiting(struct alert_command *c)
{
	struct run *run;

	while (c->first && (run = free_run(c))) {
		_cleanup_(job_freep) struct job *j = c->first;
		int r;

		c->first = j->next;
		if (!c->first)
			c->last = &c->first;
		c->stats.waiting--;
		c->is_dropping = false;
		r = start(c, run, j);
		if (r < 0) {
			abandon(run);
			c->stats.failed++;
			log_warning_errno(r, "failed to start alert command %s, ignoring",
					  c->argv[0]);
			continue;
		}
		c->stats.started++;
		c->stats.running++;
	}
}

bool alert_command_wants(enum alert_event event, const struct alert *a)
{
	switch (event) {
	case ALERT_OPENED:
	case ALERT_GREW:
	case ALERT_STOPPED:
	case ALERT_RESUMED: /* or who was told that it is closed would never hear that it is not */
	case ALERT_RESOLVED:
	case ALERT_CLOSED:
		return a->is_told && !a->suppressed_by;
	case ALERT_SUSPECTED:
	case ALERT_CLEARED:
	case ALERT_ACKNOWLEDGED:
	case ALERT_SUPPRESSED:
	case ALERT_MARKED:
		return false;
	}
	return false;
}

static int drop(struct alert_command *c)
{
	c->stats.dropped++;
	if (!c->is_dropping)
		log_warning("alert command %s is too slow, dropping events", c->argv[0]);
	c->is_dropping = true;
	return -ENOBUFS;
}

int alert_command_run(struct alert_command *c, enum alert_event event, const struct alert *a,
		      const char *json)
{
	struct job *j;
	int r;

	if (!alert_command_wants(event, a))
		return 0;
	if (c->stats.waiting == COMMANDS_WAITING_MAX)
		return drop(c);
	r = make_job(event, a, json, &j);
	if (r < 0) {
		c->stats.dropped++;
		return r;
	}
	*c->last = j;
	c->last = &j->next;
	c->stats.waiting++;
	start_waiting(c);
	return 0;
}

void alert_command_get_stats(const struct alert_command *c, struct command_stats *ret)
{
	*ret = c->stats;
}

static int copy_argv(struct alert_command *c, const char *const *argv)
{
	size_t n = 0;

	while (argv[n])
		n++;
	c->argv = calloc(n + 1, sizeof(*c->argv));
	if (!c->argv)
		return -ENOMEM;
	for (size_t i = 0; i < n; i++) {
		c->argv[i] = strdup(argv[i]);
		if (!c->argv[i])
			return -ENOMEM;
	}
	c->as.argv = c->argv;
	return 0;
}

/* Who is not root may little already, and cannot become another. */
static int choose_user(struct alert_command *c, const char *name)
{
	char buffer[4096];
	struct passwd entry, *found = NULL;
	int r;

	if (geteuid() != 0)
		return 0;
	r = getpwnam_r(name ? name : NOBODY, &entry, buffer, sizeof(buffer), &found);
	if (r != 0)
		return -r;
	if (!found)
		return -ENOENT;
	if (found->pw_uid == 0)
		return -EPERM;
	c->as.has_user = true;
	c->as.uid = found->pw_uid;
	c->as.gid = found->pw_gid;
	return 0;
}

int alert_command_new(struct event_base *base, const struct command_options *options,
		      struct alert_command **ret)
{
	_cleanup_(alert_command_freep) struct alert_command *c = NULL;
	uint64_t timeout = options->timeout_ms ? options->timeout_ms : TIMEOUT_MS;
	int r;

	if (!options->argv || !options->argv[0] || options->argv[0][0] != '/')
		return -EINVAL;
	c = calloc(1, sizeof(*c));
	if (!c)
		return -ENOMEM;
	c->base = base;
	c->last = &c->first;
	for (size_t i = 0; i < COMMANDS_RUNNING_MAX; i++)
		c->runs[i] = (struct run){ .owner = c, .pidfd = -EBADF };
	c->timeout = (struct timeval){ .tv_sec = (time_t)(timeout / 1000),
				       .tv_usec = (suseconds_t)(timeout % 1000 * 1000) };
	if (options->files) {
		c->as.has_files = true;
		c->as.files = *options->files;
	}
	r = copy_argv(c, options->argv);
	if (r == 0)
		r = choose_user(c, options->user);
	if (r < 0)
		return r;
	*ret = TAKE_PTR(c);
	return 0;
}

struct alert_command *alert_command_free(struct alert_command *c)
{
	if (!c)
		return NULL;
	for (size_t i = 0; i < COMMANDS_RUNNING_MAX; i++)
		if (c->runs[i].pid > 0)
			abandon(&c->runs[i]);
	while (c->first) {
		struct job *j = c->first;

		c->first = j->next;
		(void)job_free(j);
	}
	for (size_t i = 0; c->argv && c->argv[i]; i++)
		free(c->argv[i]);
	free(c->argv);
	free(c);
	return NULL;
}
