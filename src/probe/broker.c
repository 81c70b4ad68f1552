// SPDX-License-Identifier: GPL-2.0-or-later
/* A process that sets probes for this one. See broker.h. */
#include "probe/broker.h"

#include <signal.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include "base/clock.h"
#include "base/log.h"
#include "probe/broker_child.h"

/* Closings that are asked for before an answer is read: neither side must fill the other's buffer. */
#define CLOSINGS_AT_ONCE 64

#define SEND_BUFFER (4 << 20) /* for windows of many targets at once */

/* A child that dies is started again, a second later at the earliest; not if so many died young. */
#define PAUSE_NS      NS_PER_SECOND
#define YOUNG_NS      (60 * NS_PER_SECOND)
#define MOST_RESTARTS 5

/* The child of an earlier process answers at once, unless it is closing links. */
#define TAKE_OVER_SECONDS 20

struct broker {
	const char *name; /* borrowed */
	pid_t pid;	  /* 0: none, or no child of this process */
	int fd;		  /* owned */
	bool is_gone;	  /* the child, or it will be in a moment */
	uint64_t started_ns;
	uint32_t n_restarts; /* in a row */
	uint32_t n_starts;
};

static int start_child(struct broker *b)
{
	const int buffer = SEND_BUFFER;
	int fds[2], r;

	b->started_ns = clock_ns(CLOCK_MONOTONIC);
	b->n_starts++;
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
		broker_serve(STDIN_FILENO, b->name);
	}
	r = b->pid < 0 ? -errno : 0;
	b->is_gone = r < 0;
	b->pid = r < 0 ? 0 : b->pid;
	close_fd(fds[1]);
	b->fd = fds[0];
	return r;
}

/* What was sent to or received from it. */
static int checked(struct broker *b, int r)
{
	if (r == -EPIPE)
		b->is_gone = true;
	return r;
}

static int await_end(struct broker *b, int flags)
{
	pid_t ended;

	do
		ended = b->pid > 0 ? waitpid(b->pid, NULL, flags) : -1;
	while (ended < 0 && b->pid > 0 && errno == EINTR);
	if (ended == 0)
		return -EAGAIN;
	b->pid = 0;
	return 0;
}

int broker_revive(struct broker *b, bool wait)
{
	uint64_t age_ns;
	int r;

	if (!b->is_gone)
		return 0;
	r = await_end(b, wait ? 0 : WNOHANG);
	if (r < 0)
		return r;
	age_ns = clock_ns(CLOCK_MONOTONIC) - b->started_ns;
	if (age_ns >= YOUNG_NS)
		b->n_restarts = 0;
	if (b->n_restarts >= MOST_RESTARTS)
		return -EPIPE;
	if (age_ns < PAUSE_NS)
		return -EAGAIN;
	b->n_restarts++;
	b->fd = close_fd(b->fd);
	r = start_child(b);
	log_debug("%s has died and is started again (%u of %u)", b->name, b->n_restarts,
		  MOST_RESTARTS);
	return r < 0 ? -EAGAIN : 0;
}

int broker_new(const char *name, struct broker **ret)
{
	_cleanup_(broker_freep) struct broker *b = calloc(1, sizeof(*b));
	int r;

	if (!b)
		return -ENOMEM;
	b->fd = -EBADF;
	b->name = name;
	r = start_child(b);
	if (r < 0)
		return r;
	*ret = TAKE_PTR(b);
	return 0;
}

/* Of one that was taken over the end is seen by its end of the socket. */
static void await_hangup(const struct broker *b)
{
	struct link_answer answer;
	int fds[2];
	size_t n = 0;

	while (broker_receive(b->fd, &answer, sizeof(answer), fds, &n, 0) != -EPIPE)
		for (size_t i = 0; i < n; i++)
			close_fd(fds[i]);
}

struct broker *broker_free(struct broker *b)
{
	if (!b)
		return NULL;
	/* Also if a process that was forked meanwhile has a copy: it would not end else. */
	(void)shutdown(b->fd, b->pid > 0 ? SHUT_RDWR : SHUT_WR);
	if (b->pid == 0 && !b->is_gone)
		await_hangup(b);
	b->fd = close_fd(b->fd);
	(void)await_end(b, 0);
	free(b);
	return NULL;
}

struct broker *broker_leave(struct broker *b)
{
	if (!b)
		return NULL;
	close_fd(b->fd);
	free(b);
	return NULL;
}

bool broker_is_alive(struct broker *b)
{
	char byte;

	/* A child that is alive and has nothing to say: EAGAIN. */
	if (recv(b->fd, &byte, sizeof(byte), MSG_PEEK | MSG_DONTWAIT) == 0 || errno == ECONNRESET)
		b->is_gone = true;
	return !b->is_gone;
}

int broker_socket(const struct broker *b)
{
	return b->fd;
}

uint32_t broker_starts(const struct broker *b)
{
	return b->n_starts;
}

static int set_patience(int fd, time_t seconds)
{
	const struct timeval tv = { .tv_sec = seconds };

	return setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &tv, sizeof(tv)) < 0 ? -errno : 0;
}

/* What was asked by the process before is answered first, and means nothing here. */
static int list_links(struct broker *b, broker_found_fn found, void *userdata)
{
	const struct link_request request = { .operation = LINK_LIST,
					      .number = (uint64_t)getpid() };
	struct link_answer answer = { 0 };
	int fds[2], r;
	size_t n;

	r = broker_send(b->fd, &request, sizeof(request), NULL, 0, MSG_DONTWAIT);
	while (r == 0) {
		n = 0;
		r = broker_receive(b->fd, &answer, sizeof(answer), fds, &n, 0);
		if (r < 0)
			break;
		if (answer.operation == LINK_LISTED && answer.number == request.number)
			return 0;
		if (answer.operation == LINK_LIST && n == 1)
			r = found(&answer, TAKE_FD(fds[0]), userdata);
		for (size_t i = 0; i < n; i++)
			close_fd(fds[i]);
	}
	return r == -EAGAIN ? -ETIMEDOUT : r;
}

int broker_take_over(const char *name, int fd, broker_found_fn found, void *userdata,
		     struct broker **ret)
{
	struct broker *b = calloc(1, sizeof(*b));
	int r;

	if (!b) {
		close_fd(fd);
		return -ENOMEM;
	}
	b->name = name;
	b->fd = fd;
	r = set_patience(fd, TAKE_OVER_SECONDS);
	if (r == 0)
		r = list_links(b, found, userdata);
	if (r == 0)
		r = set_patience(fd, 0);
	if (r < 0) {
		broker_leave(b);
		return r;
	}
	*ret = b;
	return 0;
}

void broker_seal(struct broker *b, uint64_t number)
{
	const struct link_request request = { .operation = LINK_SEAL, .number = number };

	(void)checked(b, broker_send(b->fd, &request, sizeof(request), NULL, 0, 0));
}

static int create_link(struct broker *b, const struct link_request *request, int prog_fd,
		       int file_fd)
{
	struct link_answer answer = { 0 };
	int fds[2], r;
	size_t n = 0;

	r = broker_send(b->fd, request, sizeof(*request), (const int[]){ prog_fd, file_fd }, 2, 0);
	if (r == 0)
		r = broker_receive(b->fd, &answer, sizeof(answer), fds, &n, 0);
	if (r < 0)
		return checked(b, r);
	if (answer.error < 0)
		return answer.error;
	/* The link is there, but this process has no room for another descriptor. */
	return n == 1 ? fds[0] : -EMFILE;
}

int broker_create_link(struct broker *b, const struct link_request *request, int prog_fd,
		       int file_fd)
{
	struct link_request copy = *request;
	int r;

	copy.operation = LINK_CREATE;
	r = create_link(b, &copy, prog_fd, file_fd);
	if (r == -EPIPE && broker_revive(b, true) == 0)
		r = create_link(b, &copy, prog_fd, file_fd);
	return r;
}

int broker_ask(struct broker *b, const struct link_request *request, int prog_fd, int file_fd)
{
	struct link_request copy = *request;
	bool has_fds = copy.operation == LINK_CREATE_OPEN;

	return checked(b, broker_send(b->fd, &copy, sizeof(copy), (const int[]){ prog_fd, file_fd },
				      has_fds ? 2 : 0, MSG_DONTWAIT));
}

static int hold(struct broker *b, const struct link_request *request, int fd, bool wait)
{
	const int flags = wait ? 0 : MSG_DONTWAIT;
	int r = checked(b, broker_send(b->fd, request, sizeof(*request), &fd, 1, flags));

	if (r == -EPIPE && wait && broker_revive(b, true) == 0)
		r = checked(b, broker_send(b->fd, request, sizeof(*request), &fd, 1, flags));
	return r;
}

int broker_hand_over(struct broker *b, const struct link_request *of, int *fds, size_t n, bool wait)
{
	const struct link_request request = {
		.operation = LINK_HOLD,
		.number = of->number,
		.pid = of->pid,
		.slot = of->slot,
	};
	int r = 0;

	for (size_t i = 0; i < n; i++) {
		int error = hold(b, &request, fds[i], wait);

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
	return checked(b, r);
}

int broker_answer_fd(const struct broker *b)
{
	return b->fd;
}

int broker_read_answer(struct broker *b, struct link_answer *ret)
{
	int fds[2];
	size_t n = 0;

	return checked(b, broker_receive(b->fd, ret, sizeof(*ret), fds, &n, MSG_DONTWAIT));
}
