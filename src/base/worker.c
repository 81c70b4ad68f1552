// SPDX-License-Identifier: GPL-2.0-or-later
/* A disposable child as its parent sees it. See worker.h. */
#include "base/worker.h"

#include <event2/event.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <string.h>
#include <sys/pidfd.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/cleanup.h"

/* How long a killed process may take to end before its zombie is left to our own end. */
#define END_WAIT_MS 3000

/* Messages taken in one go before other events of the loop get their turn. */
#define BURST 64

struct worker {
	struct worker_callbacks callbacks;
	struct worker_list *list; /* borrowed */
	struct worker *next;	  /* in the list, once stopped */
	pid_t pid;		  /* 0: not started, or reaped */
	int pidfd;		  /* owned */
	int socket;		  /* owned */
	struct event *ended;	  /* owned; the process has ended */
	struct event *readable;	  /* owned */
	bool stopped;
	uint8_t buffer[MESSAGE_BYTES_MAX];
};

static struct worker *worker_free(struct worker *w)
{
	if (!w)
		return NULL;
	if (w->readable)
		event_free(w->readable);
	if (w->ended)
		event_free(w->ended);
	w->socket = close_fd(w->socket);
	w->pidfd = close_fd(w->pidfd);
	free(w);
	return NULL;
}
DEFINE_CLEANUP(struct worker *, worker_free)

static bool reap(struct worker *w)
{
	pid_t r;

	if (w->pid == 0)
		return true;
	do
		r = waitpid(w->pid, NULL, WNOHANG);
	while (r < 0 && errno == EINTR);
	/* ECHILD: somebody else has reaped it. */
	if (r == 0)
		return false;
	w->pid = 0;
	return true;
}

static void unlink_worker(struct worker *w)
{
	struct worker **at = &w->list->first;

	while (*at && *at != w)
		at = &(*at)->next;
	if (*at)
		*at = w->next;
}

static void on_ended(evutil_socket_t fd, short what, void *userdata)
{
	struct worker *w = userdata;

	(void)fd;
	(void)what;
	if (!reap(w))
		return;
	(void)event_del(w->ended);
	if (w->stopped) {
		unlink_worker(w);
		(void)worker_free(w);
		return;
	}
	w->callbacks.lost(w->callbacks.userdata);
}

static void on_readable(evutil_socket_t fd, short what, void *userdata)
{
	struct worker *w = userdata;
	struct message header;

	(void)what;
	/* A stopped worker stays allocated until its process was reaped, which is not in here. */
	for (int i = 0; i < BURST && !w->stopped; i++) {
		ssize_t n = recv(fd, w->buffer, sizeof(w->buffer), MSG_DONTWAIT | MSG_TRUNC);

		if (n < 0 && (errno == EAGAIN || errno == EINTR))
			return;
		if (n < (ssize_t)sizeof(header) || (size_t)n > sizeof(w->buffer)) {
			w->callbacks.lost(w->callbacks.userdata);
			return;
		}
		memcpy(&header, w->buffer, sizeof(header));
		w->callbacks.received(&header, w->buffer + sizeof(header),
				      (size_t)n - sizeof(header), w->callbacks.userdata);
	}
}

/* Forks; in the child this does not return. */
static int start_child(struct worker *w, worker_main_fn run, const void *data, uint64_t cpu_seconds)
{
	_cleanup_close_ int theirs = -EBADF;
	pid_t parent = getpid();
	int pair[2];

	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) < 0)
		return -errno;
	w->socket = pair[0];
	theirs = pair[1];
	w->pid = fork();
	if (w->pid < 0) {
		w->pid = 0;
		return -errno;
	}
	if (w->pid == 0)
		_exit(run(theirs, parent, cpu_seconds, data));
	w->pidfd = pidfd_open(w->pid, 0);
	return w->pidfd < 0 ? -errno : 0;
}

/* Without a pidfd there is no event for the end; the process was killed, so waiting is short. */
static void abandon(struct worker *w)
{
	if (w->pid == 0)
		return;
	(void)kill(w->pid, SIGKILL);
	while (waitpid(w->pid, NULL, 0) < 0 && errno == EINTR)
		;
	w->pid = 0;
}

int worker_start(struct event_base *base, struct worker_list *list, worker_main_fn run,
		 const void *data, uint64_t cpu_seconds, const struct worker_callbacks *callbacks,
		 struct worker **ret)
{
	_cleanup_(worker_freep) struct worker *w = NULL;
	int r;

	w = calloc(1, sizeof(*w));
	if (!w)
		return -ENOMEM;
	w->callbacks = *callbacks;
	w->list = list;
	w->socket = w->pidfd = -EBADF;
	r = start_child(w, run, data, cpu_seconds);
	if (r == 0) {
		w->ended = event_new(base, w->pidfd, EV_READ | EV_PERSIST, on_ended, w);
		w->readable = event_new(base, w->socket, EV_READ | EV_PERSIST, on_readable, w);
		if (!w->ended || !w->readable || event_add(w->ended, NULL) < 0 ||
		    event_add(w->readable, NULL) < 0)
			r = -ENOMEM;
	}
	if (r < 0) {
		abandon(w);
		return r;
	}
	*ret = TAKE_PTR(w);
	return 0;
}

int worker_send(struct worker *w, const struct message *header, const void *body, size_t size,
		int fd)
{
	union {
		char bytes[CMSG_SPACE(sizeof(int))];
		struct cmsghdr align;
	} control = { 0 };
	struct iovec iov[2] = {
		{ .iov_base = (void *)header, .iov_len = sizeof(*header) },
		{ .iov_base = (void *)body, .iov_len = size },
	};
	struct msghdr m = { .msg_iov = iov, .msg_iovlen = 2 };
	ssize_t n;

	if (size > MESSAGE_BYTES_MAX - sizeof(*header))
		return -E2BIG;
	if (fd >= 0) {
		struct cmsghdr *cmsg;

		m.msg_control = control.bytes;
		m.msg_controllen = sizeof(control.bytes);
		cmsg = CMSG_FIRSTHDR(&m);
		cmsg->cmsg_level = SOL_SOCKET;
		cmsg->cmsg_type = SCM_RIGHTS;
		cmsg->cmsg_len = CMSG_LEN(sizeof(fd));
		memcpy(CMSG_DATA(cmsg), &fd, sizeof(fd));
	}
	do
		n = sendmsg(w->socket, &m, MSG_NOSIGNAL | MSG_DONTWAIT);
	while (n < 0 && errno == EINTR);
	return n < 0 ? -errno : 0;
}

uint64_t worker_cpu_ns(const struct worker *w)
{
	struct timespec used;
	clockid_t clock;

	if (w->pid == 0 || clock_getcpuclockid(w->pid, &clock) != 0 ||
	    clock_gettime(clock, &used) < 0)
		return 0;
	return (uint64_t)used.tv_sec * 1000000000ull + (uint64_t)used.tv_nsec;
}

struct worker *worker_stop(struct worker *w)
{
	if (!w || w->stopped)
		return NULL;
	w->stopped = true;
	(void)event_del(w->readable);
	/* Not by number: the pid may be somebody else's once it was reaped. */
	if (w->pid != 0)
		(void)pidfd_send_signal(w->pidfd, SIGKILL, NULL, 0);
	w->next = w->list->first;
	w->list->first = w;
	/* Already reaped: the event that frees it is started by hand. */
	if (w->pid == 0)
		event_active(w->ended, EV_READ, 0);
	return NULL;
}

void worker_list_done(struct worker_list *list)
{
	while (list->first) {
		struct worker *w = list->first;
		struct pollfd p = { .fd = w->pidfd, .events = POLLIN };

		if (w->pid != 0 && poll(&p, 1, END_WAIT_MS) > 0)
			(void)reap(w);
		list->first = w->next;
		(void)worker_free(w);
	}
}
