// SPDX-License-Identifier: GPL-2.0-or-later
/* Open connections. See connections.h. */
#include "serve/connections.h"

#include <errno.h>
#include <event2/buffer.h>
#include <event2/bufferevent.h>
#include <sys/socket.h>

static int read_cookie(int fd, uint64_t *ret)
{
	socklen_t bytes = sizeof(*ret);

	return getsockopt(fd, SOL_SOCKET, SO_COOKIE, ret, &bytes) < 0 ? -errno : 0;
}

size_t connections_count(struct connections *c)
{
	size_t kept = 0;

	for (size_t i = 0; i < c->n; i++) {
		uint64_t cookie = 0;

		if (read_cookie(c->open[i].fd, &cookie) == 0 && cookie == c->open[i].cookie)
			c->open[kept++] = c->open[i];
	}
	c->n = kept;
	return kept;
}

static size_t count_of_uid(const struct connections *c, uid_t uid)
{
	size_t n = 0;

	for (size_t i = 0; i < c->n; i++)
		n += c->open[i].peer.uid == uid;
	return n;
}

int connections_add(struct connections *c, int fd, struct bufferevent *stream, uint64_t now_ns)
{
	struct connection new = { .fd = fd, .stream = stream, .since_ns = now_ns };
	int r;

	r = read_cookie(fd, &new.cookie);
	if (r < 0)
		return r;
	r = peer_read(fd, &c->groups, &new.peer);
	if (r < 0)
		return r;
	(void)connections_count(c);
	if (c->n == CONNECTIONS_MAX ||
	    (new.peer.level < ACCESS_OPERATE &&count_of_uid(c, new.peer.uid) >=
	     CONNECTIONS_PER_UID)) {
		c->refused++;
		return -ENOSPC;
	}
	c->open[c->n++] = new;
	return 0;
}

struct connection *connections_find(struct connections *c, int fd)
{
	uint64_t cookie = 0;

	if (read_cookie(fd, &cookie) < 0)
		return NULL;
	for (size_t i = 0; i < c->n; i++)
		if (c->open[i].fd == fd && c->open[i].cookie == cookie)
			return &c->open[i];
	return NULL;
}

bool connections_are_full(struct connections *c, uid_t uid)
{
	size_t all = 0, own = 0;

	(void)connections_count(c);
	for (size_t i = 0; i < c->n; i++) {
		size_t n = evbuffer_get_length(bufferevent_get_output(c->open[i].stream));

		all += n;
		own += c->open[i].peer.uid == uid ? n : 0;
	}
	return own >= WAITING_BYTES_PER_UID || all >= WAITING_BYTES_MAX;
}

void connections_end_slow(struct connections *c, uint64_t now_ns)
{
	(void)connections_count(c);
	for (size_t i = 0; i < c->n; i++) {
		const struct connection *one = &c->open[i];
		uint64_t limit_ns = one->is_answering ? c->answer_ns : c->request_ns;

		if (one->is_endless || now_ns - one->since_ns < limit_ns)
			continue;
		/* The library sees the end of the stream and lets go of the connection. */
		(void)shutdown(one->fd, SHUT_RDWR);
		c->ended++;
	}
}
