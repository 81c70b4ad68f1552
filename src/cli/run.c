// SPDX-License-Identifier: GPL-2.0-or-later
/* seepctl run: a command from its first allocation to its end, with all that it starts. */
#include "cli/verbs.h"

#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/signalfd.h>
#include <sys/wait.h>

#include <event2/event.h>

#include "base/cleanup.h"
#include "base/utf8.h"
#include "cli/launch.h"
#include "cli/options.h"
#include "cli/session.h"

#define EXIT_NOT_EXECUTABLE 126
#define EXIT_NOT_FOUND	    127
#define EXIT_SIGNAL_BASE    128
#define SETTLE_NS	    20000000000ull

struct run_values {
	struct session_options session;
};

static const struct cli_option options[] = {
	SESSION_OPTIONS(struct run_values, session),
};

static const struct option_set run_options = {
	.verb = "run",
	.operands = "-- COMMAND [ARGUMENT...]",
	.about = "Runs a command, follows every block that it and its children allocate, and ends\n"
		 "with a report on what was live when each of them exited. Needs no daemon. Ends\n"
		 "with the command's exit status. The command sees a mount namespace of its own.",
	.examples = "  seepctl run -- ./server --once\n"
		    "  seepctl run -o report.json -j -- python3 job.py\n"
		    "  seepctl run --by line --limit 5 -- make check",
	.options = options,
	.n_options = ARRAY_SIZE(options),
	.min_operands = 1,
	.max_operands = SIZE_MAX,
	.stop_at_operand = true,
};

/* A run under way. */
struct run {
	struct session session;
	struct launch launch;
	int signal_fd;		 /* owned */
	struct event *on_signal; /* owned */
	struct launch_surroundings surroundings;
	int status;	  /* of waitpid() */
	char *executable; /* owned: what the command is, for when it is gone too fast to be asked */
	char *const *argv;
	bool ended;
};

/*
 * Signals that people send to a command by way of its starter. What the terminal sends reaches the
 * command by itself, as it is in the same process group.
 */
static const int forwarded[] = { SIGINT, SIGQUIT, SIGTERM, SIGHUP, SIGUSR1, SIGUSR2 };

static void take_signal(struct run *run, const struct signalfd_siginfo *info)
{
	pid_t pid;

	if (info->ssi_signo != SIGCHLD) {
		if (info->ssi_code != SI_KERNEL)
			(void)kill(run->launch.pid, (int)info->ssi_signo);
		return;
	}
	do
		pid = waitpid(run->launch.pid, &run->status, WNOHANG);
	while (pid < 0 && errno == EINTR);
	if (pid == run->launch.pid)
		run->ended = true;
}

static void on_signal(evutil_socket_t fd, short what, void *userdata)
{
	struct signalfd_siginfo info;

	(void)what;
	while (read(fd, &info, sizeof(info)) == sizeof(info))
		take_signal(userdata, &info);
}

/* Taken over before the fork, so that no signal falls between; the child gets the old state. */
static int catch_signals(struct run *run)
{
	struct sigaction action = { .sa_handler = SIG_DFL };
	sigset_t mask;

	(void)sigemptyset(&mask);
	(void)sigaddset(&mask, SIGCHLD);
	for (size_t i = 0; i < ARRAY_SIZE(forwarded); i++)
		(void)sigaddset(&mask, forwarded[i]);
	/* Someone who ignores SIGCHLD would make the kernel reap the command for us. */
	if (sigaction(SIGCHLD, &action, &run->surroundings.child_action) < 0 ||
	    sigprocmask(SIG_BLOCK, &mask, &run->surroundings.mask) < 0)
		return -errno;
	run->signal_fd = signalfd(-1, &mask, SFD_CLOEXEC | SFD_NONBLOCK);
	if (run->signal_fd < 0)
		return -errno;
	run->on_signal =
		event_new(run->session.base, run->signal_fd, EV_READ | EV_PERSIST, on_signal, run);
	return run->on_signal && event_add(run->on_signal, NULL) == 0 ? 0 : -ENOMEM;
}

/*
 * Announces the files; *ret_probed are those that get probes. Ends with NULL; items borrowed. 1: an
 * allocator is among them.
 */
static int announce(struct session *s, char *const files[], char ***ret_probed,
		    uint16_t **ret_slots)
{
	_cleanup_free_ char **probed = NULL;
	_cleanup_free_ uint16_t *slots = NULL;
	size_t n = 0, n_probed = 0;
	int r, found = 0;

	while (files[n])
		n++;
	probed = calloc(n + 1, sizeof(*probed));
	slots = calloc(n + 1, sizeof(*slots));
	if (!probed || !slots)
		return -ENOMEM;
	for (size_t i = 0; i < n; i++) {
		int fd = open(files[i], O_RDONLY | O_CLOEXEC | O_NONBLOCK);

		if (fd < 0)
			continue;
		r = monitor_add_file(s->monitor, files[i], fd, &slots[i]);
		if (r == -ENOMEM)
			return r;
	}
	session_settle(s, SETTLE_NS);
	for (size_t i = 0; i < n; i++) {
		if (!slots[i] || !monitor_has_hooks(s->monitor, slots[i]))
			continue;
		found |= monitor_is_allocator(s->monitor, slots[i]);
		slots[n_probed] = slots[i];
		probed[n_probed++] = files[i];
	}
	probed[n_probed] = NULL;
	*ret_probed = TAKE_PTR(probed);
	*ret_slots = TAKE_PTR(slots);
	return found;
}

/* Probes on the private copies, for all who map them. */
static int probe_copies(struct run *run, char *const files[])
{
	struct monitor *m = run->session.monitor;
	int r;

	for (size_t i = 0; files[i]; i++) {
		_cleanup_free_ char *path = NULL;
		uint16_t slot;
		int fd;

		if (asprintf(&path, "/proc/%d/root%s", (int)run->launch.pid, files[i]) < 0) {
			path = NULL;
			return -ENOMEM;
		}
		fd = open(path, O_RDONLY | O_CLOEXEC);
		if (fd < 0)
			return -errno;
		r = monitor_add_file(m, files[i], fd, &slot);
		if (r < 0)
			return r;
		session_settle(&run->session, SETTLE_NS);
		r = monitor_probe_file(m, slot, 0);
		if (r < 0)
			return r;
	}
	return 0;
}

static int probe_command(struct run *run, char *const files[], const uint16_t *slots)
{
	int r = 0;

	if (run->launch.is_private)
		return probe_copies(run, files);
	cli_warning("mounting is not permitted here: what children allocate before they are "
		    "noticed is not seen");
	for (size_t i = 0; files[i] && r == 0; i++)
		r = monitor_probe_file(run->session.monitor, slots[i], run->launch.pid);
	return r;
}

static int complain_about_command(const char *command, int r)
{
	cli_error("cannot run '%s': %s", command, strerror(-r));
	return r == -ENOENT ? EXIT_NOT_FOUND : EXIT_NOT_EXECUTABLE;
}

/* Text without "#!" is run by the shell, as execvp(3) does. */
static int find_files(const char *command, char ***ret)
{
	int r = launch_files(command, ret);

	return r == -ENOEXEC ? launch_files("/bin/sh", ret) : r;
}

static int start(struct run *run, char *const argv[])
{
	_cleanup_(launch_files_freep) char **files = NULL;
	_cleanup_free_ char **probed = NULL;
	_cleanup_free_ uint16_t *slots = NULL;
	struct track_options how = taking_options(&run->session.options->taking, true);
	struct target *target;
	int r;

	/* What a command costs is for who runs it to decide. */
	if (how.mode == TRACK_GOVERNED)
		how.mode = TRACK_EXACT;

	r = find_files(argv[0], &files);
	if (r < 0)
		return complain_about_command(argv[0], r);
	for (size_t i = 0; files[i]; i++) {
		/* The executable comes last. */
		free(run->executable);
		run->executable = strdup(files[i]);
	}
	run->argv = argv;
	r = announce(&run->session, files, &probed, &slots);
	if (r < 0)
		return cli_no_memory();
	if (r == 0)
		cli_warning("'%s' maps no file in which malloc and free can be found: unless it "
			    "executes another program, nothing will be seen",
			    argv[0]);
	run->surroundings.descriptors = run->session.descriptors;
	r = catch_signals(run);
	if (r == 0)
		r = launch_start(argv, probed, &run->surroundings, &run->launch);
	if (r == 0)
		r = probe_command(run, probed, slots);
	if (r == 0)
		r = monitor_adopt(run->session.monitor, run->launch.pid, &how, &target);
	if (r < 0) {
		cli_error("cannot set the probes: %s", strerror(-r));
		return CLI_ERROR;
	}
	r = launch_go(&run->launch);
	return r < 0 ? complain_about_command(argv[0], r) : CLI_OK;
}

/* A command that lasts a millisecond is gone before /proc was read; what it was is known all the same. */
static void describe_root(const struct run *run, const struct target *root)
{
	struct target *t = monitor_target_by_key(run->session.monitor, root->key);
	const char *base = run->executable ? strrchr(run->executable, '/') : NULL;
	_cleanup_free_ char *text = NULL, *command = NULL;
	size_t size = 0;
	FILE *stream;

	/* Only if it is the command itself, and not what it executed in its place. */
	if (t->exe || !base || strncmp(base + 1, t->comm, sizeof(t->comm) - 1) != 0)
		return;
	stream = open_memstream(&text, &size);
	if (!stream)
		return;
	for (size_t i = 0; run->argv[i]; i++)
		(void)fprintf(stream, "%s%s", i ? " " : "", run->argv[i]);
	if (fclose(stream) != 0 ||
	    utf8_sanitize(run->executable, strlen(run->executable), &t->exe) < 0 ||
	    utf8_sanitize(text, size, &command) < 0)
		return;
	free(t->cmdline);
	t->cmdline = TAKE_PTR(command);
}

static int finish(struct run *run)
{
	const struct target *root;
	int code;

	session_wait(&run->session, &run->ended);
	(void)monitor_tick(run->session.monitor);
	root = session_find(&run->session, run->launch.pid);
	if (!root) {
		cli_error("the command was lost sight of");
		return CLI_ERROR;
	}
	describe_root(run, root);
	code = session_report(&run->session, root);
	if (code != CLI_OK)
		return code;
	return WIFSIGNALED(run->status) ? EXIT_SIGNAL_BASE + WTERMSIG(run->status) :
					  WEXITSTATUS(run->status);
}

int cli_run(int argc, char **argv, const struct cli_context *parent)
{
	struct cli_context context = *parent;
	struct run_values values = { .session = SESSION_DEFAULTS };
	struct run run = { .signal_fd = -EBADF, .launch = { .pid = -1, .control_fd = -EBADF } };
	struct operands operands;
	int code;

	if (!options_begin(&run_options, argc, argv, &values, &context, &operands, &code))
		return code;
	if (!taking_check(&values.session.taking))
		return CLI_USAGE;
	launch_note_surroundings(&run.surroundings);
	code = session_open(&run.session, &values.session, &context, true);
	if (code == CLI_OK)
		code = start(&run, operands.items);
	if (code == CLI_OK)
		code = finish(&run);
	launch_done(&run.launch);
	if (run.on_signal)
		event_free(run.on_signal);
	close_fd(run.signal_fd);
	free(run.executable);
	session_close(&run.session);
	return code;
}
