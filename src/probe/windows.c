// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Probes that come and go while the event loop runs on: a child of its own sets and removes them.
 */
#include <string.h>

#include "base/log.h"
#include "probe/object.h"

void probe_window_take(struct probe *p, uint64_t window, struct probe_links *l)
{
	const struct link_request of = { .number = window };
	int r;

	if (!l)
		return;
	r = broker_hand_over(p->windows, &of, l->fds, l->n, false);
	if (r < 0)
		log_debug_errno(r, "links are removed while all wait for it");
	/* Copies: nobody waits long for them to be closed, unless handing over failed. */
	r = broker_close(p->broker, &l->number, 1);
	if (r < 0)
		log_debug_errno(r, "failed to close copies of links, ignoring");
	links_free(l);
}

int probe_window_open(struct probe *p, uint64_t window, uint32_t target, pid_t pid, int fd,
		      const struct probe_point *points, size_t n, size_t *ret_asked)
{
	_cleanup_(probe_links_freep) struct probe_links *l = NULL;
	int r;

	if (!window)
		return -EINVAL;
	r = links_attach(p, target, pid, 0, fd, points, n, window, &l);
	if (r < 0)
		return r;
	*ret_asked = l->n;
	return 0;
}

int probe_window_close(struct probe *p, uint64_t window)
{
	const struct link_request request = {
		.operation = LINK_CLOSE,
		.number = window,
	};

	return p->is_left ? 0 : broker_ask(p->windows, &request, -EBADF, -EBADF);
}

void probe_listen_to_windows(struct probe *p, probe_window_fn callback, void *userdata)
{
	p->on_window = callback;
	p->on_window_userdata = userdata;
}

int probe_windows_fd(const struct probe *p)
{
	return broker_answer_fd(p->windows);
}

int probe_revive_windows(struct probe *p)
{
	return broker_revive(p->windows, false);
}

int probe_read_windows(struct probe *p)
{
	struct link_answer answer;
	int r;

	while ((r = broker_read_answer(p->windows, &answer)) == 0) {
		if (p->on_window)
			p->on_window(answer.number,
				     answer.operation == LINK_CLOSE ? PROBE_WINDOW_CLOSED :
								      PROBE_WINDOW_LINK,
				     answer.error, p->on_window_userdata);
	}
	return r == -EAGAIN ? 0 : r;
}
