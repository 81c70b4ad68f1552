// SPDX-License-Identifier: GPL-2.0-or-later
/* The processes that set probes, from their side. See broker.h. */
#include "probe/broker_child.h"

#include <signal.h>
#include <string.h>
#include <sys/capability.h>
#include <sys/prctl.h>
#include <sys/socket.h>

#include "probe/object.h"
#include "probe/remover.h"

/* Room for the two descriptors of a request, or the one of an answer. */
union control {
	struct cmsghdr header;
	char bytes[CMSG_SPACE(2 * sizeof(int))];
};

int broker_send(int socket, const void *data, size_t size, const int *fds, size_t n_fds, int flags)
{
	union control control = { 0 };
	struct iovec iov = { .iov_base = (void *)data, .iov_len = size };
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

int broker_receive(int socket, void *data, size_t size, int fds[2], size_t *ret_n, int flags)
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
	if (n < 0 && errno != ECONNRESET)
		return -errno;
	if (n <= 0)
		return -EPIPE;
	*ret_n = 0;
	header = CMSG_FIRSTHDR(&message);
	if (header && header->cmsg_type == SCM_RIGHTS) {
		*ret_n = (header->cmsg_len - CMSG_LEN(0)) / sizeof(int);
		memcpy(fds, CMSG_DATA(header), *ret_n * sizeof(int));
	}
	return (size_t)n == size ? 0 : -EBADMSG;
}

/*
 * This process was forked before it was known how probes are set. It does nothing else than that: what it
 * takes is kept, the rest dropped; best effort, the parent's own rights are what counts.
 */
static void keep_rights(uint32_t kind)
{
	static const cap_value_t rights[] = { CAP_BPF, CAP_PERFMON, CAP_SYS_ADMIN };
	const int n = kind == PROBE_LINKS_PERF ? 3 : 2;
	cap_t keep = cap_init();

	if (keep && cap_set_flag(keep, CAP_PERMITTED, n, rights, CAP_SET) == 0 &&
	    cap_set_flag(keep, CAP_EFFECTIVE, n, rights, CAP_SET) == 0)
		(void)cap_set_proc(keep);
	(void)cap_free(keep);
}

static int create(const struct link_request *q, int prog_fd, int file_fd)
{
	char path[32];
	int n;

	if (q->n == 0 || q->n > LINK_POINTS_MAX)
		return -EINVAL;
	keep_rights(q->kind);
	n = snprintf(path, sizeof(path), "/proc/self/fd/%d", file_fd);
	if (n < 0 || (size_t)n >= sizeof(path))
		return -ENAMETOOLONG;
	if (q->kind != PROBE_LINKS_PERF)
		return link_create_multi((enum probe_links_kind)q->kind, prog_fd, path, q->offsets,
					 q->cookies, q->n, q->on_return, q->pid);
	return link_create_perf(prog_fd, path, q->offsets[0], q->on_return, q->pid);
}

/* Links that are kept, with the numbers that they were asked for under. */
struct kept {
	struct kept_link {
		uint64_t number;
		int32_t pid;
		uint32_t slot;
		bool is_sealed;
		int fd;
	} * links; /* owned */
	size_t n;
};

static int keep(struct kept *k, const struct link_request *q, int fd)
{
	struct kept_link *grown = reallocarray(k->links, k->n + 1, sizeof(*grown));

	if (!grown) {
		close_fd(fd);
		return -ENOMEM;
	}
	k->links = grown;
	k->links[k->n++] = (struct kept_link){
		.number = q->number,
		.pid = q->pid,
		.slot = q->slot,
		.is_sealed = q->operation == LINK_HOLD,
		.fd = fd,
	};
	return 0;
}

static void seal(struct kept *k, uint64_t number)
{
	for (size_t i = 0; i < k->n; i++)
		k->links[i].is_sealed |= k->links[i].number == number;
}

static void list(const struct kept *k, int socket, const struct link_request *q)
{
	struct link_answer answer = { .operation = LINK_LIST };

	for (size_t i = 0; i < k->n; i++) {
		const struct kept_link *l = &k->links[i];

		answer.number = l->number;
		answer.pid = l->pid;
		answer.slot = l->slot;
		answer.is_sealed = l->is_sealed;
		(void)broker_send(socket, &answer, sizeof(answer), &l->fd, 1, 0);
	}
	answer = (struct link_answer){ .operation = LINK_LISTED, .number = q->number };
	(void)broker_send(socket, &answer, sizeof(answer), NULL, 0, 0);
}

/*
 * The descriptors of a number, the latest first: the probes of allocations go before those of frees.
 * Without memory for the array they are closed here.
 */
static int *take(struct kept *k, uint64_t number, size_t *ret_n)
{
	int *fds = calloc(k->n + 1, sizeof(*fds));
	size_t kept = 0, n = 0;

	for (size_t i = 0; i < k->n; i++) {
		if (k->links[i].number != number)
			k->links[kept++] = k->links[i];
		else if (fds)
			fds[n++] = k->links[i].fd;
		else
			close_fd(k->links[i].fd);
	}
	k->n = kept;
	for (size_t i = 0; i < n / 2; i++) {
		int fd = fds[i];

		fds[i] = fds[n - 1 - i];
		fds[n - 1 - i] = fd;
	}
	*ret_n = n;
	return fds;
}

/* *ret_fd is a link that is to be handed over, or -EBADF. */
static int create_and_keep(struct kept *k, const struct link_request *q, const int fds[2],
			   size_t n_fds, int *ret_fd)
{
	int fd, r;

	fd = n_fds == 2 ? create(q, fds[0], fds[1]) : -EBADMSG;
	if (fd < 0)
		return fd;
	r = keep(k, q, fd);
	if (r == 0 && q->operation == LINK_CREATE)
		*ret_fd = fd;
	return r;
}

static void carry_out(struct kept *k, struct remover *remover, int socket,
		      const struct link_request *q, int fds[2], size_t n_fds)
{
	struct link_answer answer = { .operation = q->operation, .number = q->number };
	int link = -EBADF, *closed;
	size_t n = 0;

	switch (q->operation) {
	case LINK_CLOSE:
		closed = take(k, q->number, &n);
		remover_add(remover, &answer, closed, n);
		return;
	case LINK_HOLD:
		if (n_fds == 1)
			(void)keep(k, q, TAKE_FD(fds[0]));
		return;
	case LINK_SEAL:
		seal(k, q->number);
		return;
	case LINK_LIST:
		remover_wait(remover);
		list(k, socket, q);
		return;
	case LINK_CREATE:
	case LINK_CREATE_OPEN:
		answer.error = create_and_keep(k, q, fds, n_fds, &link);
		break;
	default:
		answer.error = -EBADMSG;
	}
	(void)broker_send(socket, &answer, sizeof(answer), &link, link >= 0, 0);
}

static void close_all(struct kept *k, struct remover *remover)
{
	const struct link_answer nobody_waits = { .operation = LINK_CLOSE };
	size_t n;
	int *fds;

	while (k->n > 0) {
		fds = take(k, k->links[k->n - 1].number, &n);
		remover_add(remover, &nobody_waits, fds, n);
	}
	remover_wait(remover);
}

void broker_serve(int socket, const char *name)
{
	struct link_request request;
	struct remover remover;
	struct kept kept = { 0 };
	int fds[2];
	sigset_t all;
	size_t n;

	(void)sigfillset(&all);
	(void)sigprocmask(SIG_BLOCK, &all, NULL);
	(void)prctl(PR_SET_NAME, name);
	remover_init(&remover, socket);
	while (broker_receive(socket, &request, sizeof(request), fds, &n, 0) == 0) {
		carry_out(&kept, &remover, socket, &request, fds, n);
		for (size_t i = 0; i < n && i < 2; i++)
			close_fd(fds[i]);
	}
	close_all(&kept, &remover);
	_exit(0);
}
