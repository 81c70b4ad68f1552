// SPDX-License-Identifier: GPL-2.0-or-later
/* From a fork of the daemon to the command. See command_child.h. */
#include "alert/command_child.h"

#include <fcntl.h>
#include <grp.h>
#include <linux/close_range.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#define DESCRIPTORS_MAX 65536 /* that are closed one by one, where the kernel has no better way */

static void close_all_from(unsigned first)
{
	if (syscall(SYS_close_range, first, ~0u, 0) == 0)
		return;
	for (unsigned fd = first; fd < DESCRIPTORS_MAX; fd++)
		(void)close((int)fd);
}

/* Standard input is the event, the rest goes nowhere. */
static bool set_descriptors(int input)
{
	int null;

	if (dup2(input, STDIN_FILENO) < 0)
		return false;
	null = open("/dev/null", O_WRONLY | O_CLOEXEC);
	if (null < 0 || dup2(null, STDOUT_FILENO) < 0 || dup2(null, STDERR_FILENO) < 0)
		return false;
	close_all_from(STDERR_FILENO + 1);
	return true;
}

/*
 * Handlers are the daemon's; what is ignored would stay so. The C library keeps two signals to itself, which
 * whoever was started by its posix_spawn() ignores: the kernel is asked.
 */
static void reset_signals(void)
{
	static const unsigned long standard[8] = { 0 }; /* the kernel's sigaction: SIG_DFL */
	sigset_t none;

	for (int s = 1; s < NSIG; s++)
		(void)syscall(SYS_rt_sigaction, s, standard, NULL, NSIG / 8);
	(void)sigemptyset(&none);
	(void)sigprocmask(SIG_SETMASK, &none, NULL);
}

_Noreturn void command_child(const struct command_child *c)
{
	(void)setpgid(0, 0);
	if (!set_descriptors(c->input))
		_exit(COMMAND_EXIT_STDIN);
	if (c->has_files)
		(void)setrlimit(RLIMIT_NOFILE, &c->files);
	(void)umask(077);
	if (chdir("/") < 0)
		_exit(COMMAND_EXIT_FAILED);
	/* Ambient capabilities would outlive the change of the user. -EINVAL: there are none. */
	(void)prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0);
	if (c->has_user && (setgroups(0, NULL) < 0 || setresgid(c->gid, c->gid, c->gid) < 0))
		_exit(COMMAND_EXIT_GROUP);
	if (c->has_user && setresuid(c->uid, c->uid, c->uid) < 0)
		_exit(COMMAND_EXIT_USER);
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
		_exit(COMMAND_EXIT_NO_PRIVILEGES);
	reset_signals();
	(void)execve(c->argv[0], c->argv, c->environment);
	_exit(COMMAND_EXIT_EXEC);
}
