// SPDX-License-Identifier: GPL-2.0-or-later
/* A process that sets probes for this one. See broker.h. */
#include "probe/broker.h"

#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include "base/log.h"
#include "probe/object.h"

struct broker {
	pid_t pid;
	int fd; /* owned */
};

/* Room for the two descriptors of a request, or the one of an answer. */
union control {
	struct cmsghdr header;
	char bytes[CMSG_SPACE(2 * sizeof(int))];
};

static int send_with_fds(int socket, void *data, size_t size, const int *fds, size_t n_fds,
			 int flags)
{
	union control control = { 0 };
	struct iovec iov = { .iov_base = data, .iov_len = size };
	struct msghdr message = { .msg_iov = &iov, .msg_iovlen = 1 };
	ssize_t n;

	if (n_fds > 0) {
		message.msg_control = control.bytes;
		message.msg_controllen = CMSG_SPACE(n_fds * sizeof(int));
		control.header.cmsg_level = SOL_SOCKET;
		control.header.cmsg_type = SCM_RIGHTS;
		control.header.cmsg_len = CMSG_LEN(n_fds * sizeof(int));
		memcpy(CMSG_DATA(&control.header), fds, n_fds * sizeof(int));
	}
	do
		n = sendmsg(socket, &message, MSG_NOSIGNAL | flags);
	while (n < 0 && errno == EINTR);
	if (n < 0)
		return -errno;
	return (size_t)n == size ? 0 : -EIO;
}

/* *ret_n descriptors were received, at most 2. -EPIPE: the other side is gone. */
static int receive_with_fds(int socket, void *data, size_t size, int fds[2], size_t *ret_n,
			    int flags)
{
	union control control = { 0 };
	struct iovec iov = { .iov_base = data, .iov_len = size };
	struct msghdr message = {
		.msg_iov = &iov,
		.msg_iovlen = 1,
		.msg_control = control.bytes,
		.msg_controllen = sizeof(control.bytes),
	};
	const struct cmsghdr *header;
	ssize_t n;

	do
		n = recvmsg(socket, &message, MSG_CMSG_CLOEXEC | flags);
	while (n < 0 && errno == EINTR);
	if (n < 0)
		return -errno;
	if (n == 0)
		return -EPIPE;
	*ret_n = 0;
	header = CMSG_FIRSTHDR(&message);
	if (header && header->cmsg_type == SCM_RIGHTS) {
		*ret_n = (header->cmsg_len - CMSG_LEN(0)) / sizeof(int);
		memcpy(fds, CMSG_DATA(header), *ret_n * sizeof(int));
	}
	return (size_t)n == size ? 0 : -EBADMSG;
}

static int create(const struct link_request *q, int prog_fd, int file_fd)
{
	char path[32];
	int n;

	if (q->n == 0 || q->n > LINK_POINTS_MAX)
		return -EINVAL;
	n = snprintf(path, sizeof(path), "/proc/self/fd/%d", file_fd);
	if (n < 0 || (size_t)n >= sizeof(path))
		return -ENAMETOOLONG;
	if (q->kind != PROBE_LINKS_PERF)
		return link_create_multi((enum probe_links_kind)q->kind, prog_fd, path, q->offsets,
					 q->cookies, q->n, q->on_return, q->pid);
	return link_create_perf(prog_fd, path, q->offsets[0], q->on_return, q->pid);
}

/* Links that are kept, with the windows that they belong to. */
struct kept {
	struct kept_link {
		uint64_t window;
		int fd;
	} * links; /* owned */
	size_t n;
};

static int keep(struct kept *k, uint64_t window, int fd)
{
	struct kept_link *grown = reallocarray(k->links, k->n + 1, sizeof(*grown));

	if (!grown) {
		close_fd(fd);
		return -ENOMEM;
	}
	k->links = grown;
	k->links[k->n++] = (struct kept_link){ .window = window, .fd = fd };
	return 0;
}

static void close_window(struct kept *k, uint64_t window)
{
	size_t n = 0;

	for (size_t i = 0; i < k->n; i++) {
		if (k->links[i].window == window)
			close_fd(k->links[i].fd);
		else
			k->links[n++] = k->links[i];
	}
	k->n = n;
}

/* *ret_fd is a link that is to be handed over, or -EBADF. */
static int carry_out(struct kept *k, const struct link_request *q, const int fds[2], size_t n_fds,
		     int *ret_fd)
{
	int r;

	*ret_fd = -EBADF;
	switch (q->operation) {
	case LINK_CLOSE_WINDOW:
		close_window(k, q->window);
		return 0;
	case LINK_HOLD:
		r = n_fds == 1 ? fcntl(fds[0], F_DUPFD_CLOEXEC, 0) : -EBADMSG;
		if (r < 0)
			return n_fds == 1 ? -errno : r;
		return keep(k, q->window, r);
	case LINK_CREATE:
	case LINK_CREATE_OPEN:
		r = n_fds == 2 ? create(q, fds[0], fds[1]) : -EBADMSG;
		if (r < 0)
			return r;
		if (q->operation == LINK_CREATE_OPEN)
			return keep(k, q->window, r);
		*ret_fd = r;
		return 0;
	}
	return -EBADMSG;
}

/* Until the other side is gone: then links that it held, and those kept here, are gone, too. */
__attribute__((noreturn)) static void serve(int socket)
{
	struct link_request request;
	struct link_answer answer;
	struct kept kept = { 0 };
	int fds[2], link, r;
	sigset_t all;
	size_t n;

	(void)sigfillset(&all);
	(void)sigprocmask(SIG_BLOCK, &all, NULL);
	(void)prctl(PR_SET_NAME, "seep-probes");
	for (;;) {
		r = receive_with_fds(socket, &request, sizeof(request), fds, &n, 0);
		if (r < 0)
			_exit(0);
		answer = (struct link_answer){
			.operation = request.operation,
			.window = request.window,
		};
		answer.error = carry_out(&kept, &request, fds, n, &link);
		/* Closed before the answer: then a link that was to go is gone. */
		for (size_t i = 0; i < n && i < 2; i++)
			close_fd(fds[i]);
		r = send_with_fds(socket, &answer, sizeof(answer), &link, link >= 0, 0);
		close_fd(link);
		if (r < 0)
			_exit(0);
	}
}

int broker_new(struct broker **ret)
{
	_cleanup_(broker_freep) struct broker *b = calloc(1, sizeof(*b));
	int fds[2], r;

	if (!b)
		return -ENOMEM;
	b->fd = -EBADF;
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, fds) < 0)
		return -errno;
	b->pid = fork();
	if (b->pid == 0) {
		/* Nothing of the parent's shall stay open here when the parent is gone. */
		if (dup2(fds[1], STDIN_FILENO) < 0 ||
		    syscall(SYS_close_range, STDIN_FILENO + 1, ~0u, 0) < 0)
			_exit(1);
		serve(STDIN_FILENO);
	}
	r = b->pid < 0 ? -errno : 0;
	close_fd(fds[1]);
	b->fd = fds[0];
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
	r = send_with_fds(b->fd, &copy, sizeof(copy), (const int[]){ prog_fd, file_fd }, 2, 0);
	if (r < 0)
		return r;
	r = receive_with_fds(b->fd, &answer, sizeof(answer), fds, &n, 0);
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

	return send_with_fds(b->fd, &copy, sizeof(copy), (const int[]){ prog_fd, file_fd },
			     has_fds ? 2 : 0, MSG_DONTWAIT);
}

/* Of links that are only kept until this side has closed its copies. */
#define WINDOW_OF_CLOSED UINT64_MAX

static int hold(struct broker *b, int link_fd, bool wait)
{
	struct link_request request = { .operation = LINK_HOLD, .window = WINDOW_OF_CLOSED };
	struct link_answer answer;
	int fds[2], r;
	size_t n;

	r = send_with_fds(b->fd, &request, sizeof(request), &link_fd, 1, wait ? 0 : MSG_DONTWAIT);
	if (r == 0 && wait)
		r = receive_with_fds(b->fd, &answer, sizeof(answer), fds, &n, 0);
	return r == 0 && wait ? answer.error : r;
}

/* The child must not be the first to close them: the last one does the work. */
void broker_close_links(struct broker *b, int *fds, size_t n, bool wait)
{
	const struct link_request request = {
		.operation = LINK_CLOSE_WINDOW,
		.window = WINDOW_OF_CLOSED,
	};
	struct link_answer answer;
	int received[2];
	size_t n_received;
	int r = 0;

	for (size_t i = 0; i < n; i++) {
		r = hold(b, fds[i], wait);
		if (r < 0)
			log_debug_errno(r, "removing a link without help");
	}
	for (size_t i = 0; i < n; i++)
		fds[i] = close_fd(fds[i]);
	if (n == 0)
		return;
	if (!wait)
		r = broker_ask(b, &request, -EBADF, -EBADF);
	else
		r = send_with_fds(b->fd, (void *)&request, sizeof(request), NULL, 0, 0);
	if (r == 0 && wait)
		r = receive_with_fds(b->fd, &answer, sizeof(answer), received, &n_received, 0);
	if (r < 0)
		log_debug_errno(r, "links are removed later");
}

int broker_answer_fd(const struct broker *b)
{
	return b->fd;
}

int broker_read_answer(struct broker *b, struct link_answer *ret)
{
	int fds[2];
	size_t n = 0;

	return receive_with_fds(b->fd, ret, sizeof(*ret), fds, &n, MSG_DONTWAIT);
}
