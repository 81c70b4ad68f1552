// SPDX-License-Identifier: GPL-2.0-or-later
/* Running a program to its end. See command.h. */
#include "command.h"

#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>

/* Files in memory: unlike pipes they never fill, so that nobody has to read meanwhile. */
static int read_all(int fd, char **ret)
{
	struct stat st;
	char *text;
	ssize_t n;

	if (fstat(fd, &st) < 0)
		return -errno;
	text = malloc((size_t)st.st_size + 1);
	if (!text)
		return -ENOMEM;
	n = pread(fd, text, (size_t)st.st_size, 0);
	if (n < 0) {
		free(text);
		return -errno;
	}
	text[n] = '\0';
	*ret = text;
	return 0;
}

static void become(const char *const *arguments, int out, int err)
{
	int null = open("/dev/null", O_RDONLY | O_CLOEXEC);

	if (null < 0 || dup2(null, STDIN_FILENO) < 0 || dup2(out, STDOUT_FILENO) < 0 ||
	    dup2(err, STDERR_FILENO) < 0)
		_exit(126);
	execv(arguments[0], (char *const *)arguments);
	_exit(127);
}

int command_run(const char *const *arguments, struct command_result *ret)
{
	_cleanup_close_ int out = memfd_create("out", MFD_CLOEXEC);
	_cleanup_close_ int err = memfd_create("err", MFD_CLOEXEC);
	_cleanup_(command_result_done) struct command_result result = { .status = -1 };
	int status, r;
	pid_t pid;

	if (out < 0 || err < 0)
		return -errno;
	pid = fork();
	if (pid < 0)
		return -errno;
	if (pid == 0)
		become(arguments, out, err);
	while (waitpid(pid, &status, 0) < 0)
		if (errno != EINTR)
			return -errno;
	result.status = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
	r = read_all(out, &result.out);
	if (r == 0)
		r = read_all(err, &result.err);
	if (r < 0)
		return r;
	*ret = (struct command_result){
		.status = result.status,
		.out = TAKE_PTR(result.out),
		.err = TAKE_PTR(result.err),
	};
	return 0;
}

void command_result_done(struct command_result *r)
{
	free(r->out);
	free(r->err);
	r->out = r->err = NULL;
}
