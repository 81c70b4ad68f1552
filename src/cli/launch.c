// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Starting a command under watch. See launch.h.
 */
#include "cli/launch.h"

#include <fcntl.h>
#include <sched.h>
#include <stdint.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/sendfile.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>

/* Any folder does: what is mounted here is taken away again before the command runs. */
#define SCRATCH_FOLDER "/tmp"

/*
 * Signal 33 belongs to the C library, which takes it over when a first thread is made and lets nobody
 * else see it. If it was ignored before, the command shall find it so.
 */
#define SIGNAL_SETXID 33

/* What the child says once it has tried to cover the files. */
enum child_word {
	WORD_PRIVATE = 'p',
	WORD_SHARED = 's',
	WORD_GO = 'g',
};

void launch_note_surroundings(struct launch_surroundings *ret)
{
	(void)syscall(SYS_rt_sigaction, SIGNAL_SETXID, NULL, &ret->setxid_action,
		      sizeof(ret->setxid_action.mask));
}

static int copy_file(int from, const char *to)
{
	_cleanup_close_ int fd = -EBADF;
	struct stat st;
	off_t left;

	if (fstat(from, &st) < 0)
		return -errno;
	fd = open(to, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	if (fd < 0)
		return -errno;
	for (left = st.st_size; left > 0;) {
		ssize_t n = sendfile(fd, from, NULL, (size_t)left);

		if (n <= 0)
			return n < 0 ? -errno : -EIO;
		left -= n;
	}
	if (fchown(fd, st.st_uid, st.st_gid) < 0 || fchmod(fd, st.st_mode & 07777) < 0 ||
	    futimens(fd, (const struct timespec[]){ st.st_atim, st.st_mtim }) < 0)
		return -errno;
	return 0;
}

/* Mounts a copy of the file over itself. */
static int cover_file(int fd, int target_fd, unsigned int index)
{
	char copy[64], target[64];
	int r;

	r = snprintf(copy, sizeof(copy), SCRATCH_FOLDER "/%u", index);
	if (r < 0 || (size_t)r >= sizeof(copy))
		return -ENAMETOOLONG;
	r = snprintf(target, sizeof(target), "/proc/self/fd/%d", target_fd);
	if (r < 0 || (size_t)r >= sizeof(target))
		return -ENAMETOOLONG;
	r = copy_file(fd, copy);
	if (r < 0)
		return r;
	return mount(copy, target, NULL, MS_BIND, NULL) < 0 ? -errno : 0;
}

/* All files are opened before the scratch folder hides any of them. */
static int cover_files(char *const files[])
{
	_cleanup_free_ int *fds = NULL;
	size_t n = 0;
	int r = 0;

	while (files[n])
		n++;
	fds = calloc(2 * n + 1, sizeof(*fds));
	if (!fds)
		return -ENOMEM;
	if (unshare(CLONE_NEWNS) < 0)
		return -errno;
	/* Mounts of the host still appear, ours are not seen outside. */
	if (mount(NULL, "/", NULL, MS_REC | MS_SLAVE, NULL) < 0)
		return -errno;
	for (size_t i = 0; i < n; i++) {
		fds[2 * i] = open(files[i], O_RDONLY | O_CLOEXEC);
		fds[2 * i + 1] = open(files[i], O_PATH | O_CLOEXEC);
		if (fds[2 * i] < 0 || fds[2 * i + 1] < 0)
			return -errno;
	}
	if (mount("seep", SCRATCH_FOLDER, "tmpfs", MS_NOSUID | MS_NODEV, "mode=0755") < 0)
		return -errno;
	for (size_t i = 0; i < n && r == 0; i++)
		r = cover_file(fds[2 * i], fds[2 * i + 1], (unsigned int)i);
	if (umount2(SCRATCH_FOLDER, MNT_DETACH) < 0 && r == 0)
		r = -errno;
	return r;
}

static int read_word(int fd, uint8_t *ret)
{
	ssize_t n;

	do
		n = read(fd, ret, sizeof(*ret));
	while (n < 0 && errno == EINTR);
	if (n < 0)
		return -errno;
	return n == 0 ? -EPIPE : 0;
}

__attribute__((noreturn)) static void run_child(int control_fd, char *const argv[],
						char *const private_files[],
						const struct launch_surroundings *surroundings)
{
	uint8_t word = cover_files(private_files) == 0 ? WORD_PRIVATE : WORD_SHARED;
	int error;

	(void)sigaction(SIGCHLD, &surroundings->child_action, NULL);
	(void)setrlimit(RLIMIT_NOFILE, &surroundings->descriptors);
	(void)syscall(SYS_rt_sigaction, SIGNAL_SETXID, &surroundings->setxid_action, NULL,
		      sizeof(surroundings->setxid_action.mask));
	if (send(control_fd, &word, 1, MSG_NOSIGNAL) != 1 || read_word(control_fd, &word) < 0 ||
	    word != WORD_GO)
		_exit(127);
	(void)sigprocmask(SIG_SETMASK, &surroundings->mask, NULL);
	execvp(argv[0], argv);
	error = errno;
	(void)!send(control_fd, &error, sizeof(error), MSG_NOSIGNAL);
	_exit(127);
}

int launch_start(char *const argv[], char *const private_files[],
		 const struct launch_surroundings *surroundings, struct launch *ret)
{
	struct launch l = { .pid = -1, .control_fd = -EBADF };
	int fds[2], r;
	uint8_t word;

	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds) < 0)
		return -errno;
	l.pid = fork();
	if (l.pid < 0) {
		r = -errno;
		close_fd(fds[0]);
		close_fd(fds[1]);
		return r;
	}
	if (l.pid == 0) {
		close_fd(fds[0]);
		run_child(fds[1], argv, private_files, surroundings);
	}
	close_fd(fds[1]);
	l.control_fd = fds[0];
	r = read_word(l.control_fd, &word);
	if (r < 0) {
		launch_done(&l);
		return r;
	}
	l.is_private = word == WORD_PRIVATE;
	*ret = l;
	return 0;
}

int launch_go(struct launch *l)
{
	uint8_t word = WORD_GO;
	int error = 0;
	ssize_t n;

	if (send(l->control_fd, &word, 1, MSG_NOSIGNAL) != 1)
		return -errno;
	/* The socket closes when the command is executed; else the reason comes. */
	do
		n = recv(l->control_fd, &error, sizeof(error), MSG_WAITALL);
	while (n < 0 && errno == EINTR);
	l->control_fd = close_fd(l->control_fd);
	if (n < 0)
		return -errno;
	return n == sizeof(error) ? -error : 0;
}

void launch_done(struct launch *l)
{
	bool waits = l->control_fd >= 0;

	/* A child that still waits sees the socket end and leaves. */
	l->control_fd = close_fd(l->control_fd);
	if (!waits || l->pid <= 0)
		return;
	while (waitpid(l->pid, NULL, 0) < 0 && errno == EINTR)
		continue;
	l->pid = -1;
}
