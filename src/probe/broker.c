// SPDX-License-Identifier: GPL-2.0-or-later
/* A process that sets probes for this one. See broker.h. */
#include "probe/broker.h"

#include <signal.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include "base/log.h"
#include "probe/broker_child.h"

/* Closings that are asked for before an answer is read: neither side must fill the other's buffer. */
#define CLOSINGS_AT_ONCE 64

#define SEND_BUFFER (4 << 20) /* for windows of many targets at once */

struct broker {
	pid_t pid;
	int fd; /* owned */
};

static int start_child(struct broker *b, const char *name)
{
	const int buffer = SEND_BUFFER;
	int fds[2], r;

	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, fds) < 0)
		return -errno;
	if (setsockopt(fds[0], SOL_SOCKET, SO_SNDBUFFORCE, &buffer, sizeof(buffer)) < 0)
		log_debug_errno(-errno, "failed to enlarge a socket's buffer, ignoring");
	b->pid = fork();
	if (b->pid == 0) {
		/* Nothing of the parent's shall stay open here when the parent is gone. */
		if (dup2(fds[1], STDIN_FILENO) < 0 ||
		    syscall(SYS_close_range, STDIN_FILENO + 1, ~0u, 0) < 0)
			_exit(1);
		broker_serve(STDIN_FILENO, name);
	}
	r = b->pid < 0 ? -errno : 0;
	close_fd(fds[1]);
	b->fd = fds[0];
	return r;
}

int broker_new(const char *name, struct broker **ret)
{
	_cleanup_(broker_freep) struct broker *b = calloc(1, sizeof(*b));
	int r;

	if (!b)
		return -ENOMEM;
	b->fd = -EBADF;
	r = start_child(b, name);
	if (r < 0)
		return r;
	*ret = TAKE_PTR(b);
	return 0;
}

struct broker *broker_free(struct broker *b)
{
	if (!b)
		return NULL;
	/* Also if a process that was forked meanwhile has a copy: it would not end else. */
	(void)shutdown(b->fd, SHUT_RDWR);
	b->fd = close_fd(b->fd);
	while (b->pid > 0 && waitpid(b->pid, NULL, 0) < 0 && errno == EINTR)
		continue;
	free(b);
	return NULL;
}

int broker_create_link(struct broker *b, const struct link_request *request, int prog_fd,
		       int file_fd)
{
	struct link_request copy = *request;
	struct link_answer answer = { 0 };
	int fds[2], r;
	size_t n = 0;

	copy.operation = LINK_CREATE;
	r = broker_send(b->fd, &copy, sizeof(copy), (const int[]){ prog_fd, file_fd }, 2, 0);
	if (r < 0)
		return r;
	r = broker_receive(b->fd, &answer, sizeof(answer), fds, &n, 0);
	if (r < 0)
		return r;
	if (answer.error < 0)
		return answer.error;
	return n == 1 ? fds[0] : -EBADMSG;
}

int broker_ask(struct broker *b, const struct link_request *request, int prog_fd, int file_fd)
{
	struct link_request copy = *request;
	bool has_fds = copy.operation == LINK_CREATE_OPEN;

	return broker_send(b->fd, &copy, sizeof(copy), (const int[]){ prog_fd, file_fd },
			   has_fds ? 2 : 0, MSG_DONTWAIT);
}

int broker_hand_over(struct broker *b, uint64_t number, int *fds, size_t n, bool wait)
{
	const struct link_request request = { .operation = LINK_HOLD, .number = number };
	int r = 0;

	for (size_t i = 0; i < n; i++) {
		int error = broker_send(b->fd, &request, sizeof(request), &fds[i], 1,
					wait ? 0 : MSG_DONTWAIT);

		if (error < 0)
			r = error;
	}
	/* Not before all are under way: the last one who closes a link has the work. */
	for (size_t i = 0; i < n; i++)
		fds[i] = close_fd(fds[i]);
	return r;
}

static int await_closed(struct broker *b)
{
	struct link_answer answer;
	int fds[2];
	size_t n = 0;

	return broker_receive(b->fd, &answer, sizeof(answer), fds, &n, 0);
}

int broker_close(struct broker *b, const uint64_t *numbers, size_t n)
{
	struct link_request request = { .operation = LINK_CLOSE };
	size_t n_asked = 0, n_closed = 0;
	int r = 0;

	while (r == 0 && n_closed < n) {
		if (n_asked < n && n_asked - n_closed < CLOSINGS_AT_ONCE) {
			request.number = numbers[n_asked++];
			r = broker_send(b->fd, &request, sizeof(request), NULL, 0, 0);
		} else {
			r = await_closed(b);
			n_closed++;
		}
	}
	return r;
}

int broker_answer_fd(const struct broker *b)
{
	return b->fd;
}

int broker_read_answer(struct broker *b, struct link_answer *ret)
{
	int fds[2];
	size_t n = 0;

	return broker_receive(b->fd, ret, sizeof(*ret), fds, &n, MSG_DONTWAIT);
}
