// SPDX-License-Identifier: GPL-2.0-or-later
/* The bytes under an HTTP exchange. See http_connection.h. */
#include "cli/http_connection.h"

#include <errno.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>

#include "base/cleanup.h"
#include "base/clock.h"

/* A full backlog of a unix socket cannot be polled for; it is tried again this often. */
#define CONNECT_RETRY_MS 20

static int remaining_ms(const struct http_connection *c)
{
	uint64_t now = clock_ns(CLOCK_MONOTONIC);

	if (now >= c->deadline_ns)
		return -ETIMEDOUT;
	return (int)((c->deadline_ns - now) / 1000000 % INT32_MAX) + 1;
}

static int wait_for(const struct http_connection *c, short events)
{
	struct pollfd p = { .fd = c->fd, .events = events };

	for (;;) {
		int r = remaining_ms(c);

		if (r < 0)
			return r;
		r = poll(&p, 1, r);
		if (r > 0)
			return 0;
		if (r < 0 && errno != EINTR)
			return -errno;
	}
}

int http_connect(struct http_connection *c, const char *path)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	size_t n = strlen(path);

	if (n == 0 || n >= sizeof(address.sun_path))
		return n ? -ENAMETOOLONG : -ENOENT;
	memcpy(address.sun_path, path, n + 1);
	c->fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (c->fd < 0)
		return -errno;
	while (connect(c->fd, (struct sockaddr *)&address, sizeof(address)) < 0) {
		int r;

		if (errno != EAGAIN && errno != EINTR)
			return -errno;
		r = remaining_ms(c);
		if (r < 0)
			return r;
		(void)poll(NULL, 0, r < CONNECT_RETRY_MS ? r : CONNECT_RETRY_MS);
	}
	return 0;
}

int http_send(struct http_connection *c, const char *data, size_t n)
{
	while (n) {
		ssize_t sent;
		int r = wait_for(c, POLLOUT);

		if (r < 0)
			return r;
		sent = send(c->fd, data, n, MSG_NOSIGNAL);
		if (sent < 0) {
			if (errno == EPIPE || errno == ECONNRESET)
				return 0;
			if (errno != EAGAIN && errno != EINTR)
				return -errno;
			continue;
		}
		data += sent;
		n -= (size_t)sent;
	}
	return 0;
}

int http_fill(struct http_connection *c)
{
	for (;;) {
		ssize_t n;
		int r = wait_for(c, POLLIN);

		if (r < 0)
			return r;
		n = recv(c->fd, c->buffer, sizeof(c->buffer), 0);
		if (n < 0) {
			if (errno == EAGAIN || errno == EINTR)
				continue;
			return -errno;
		}
		c->start = 0;
		c->end = (size_t)n;
		if (n > 0 && c->idle_ns)
			c->deadline_ns = clock_ns(CLOCK_MONOTONIC) + c->idle_ns;
		return n > 0;
	}
}

int http_read_line(struct http_connection *c, char line[HTTP_LINE_BYTES])
{
	size_t n = 0;

	for (;;) {
		char byte;

		if (c->start == c->end) {
			int r = http_fill(c);

			if (r <= 0)
				return r < 0 ? r : -ECONNRESET;
		}
		byte = c->buffer[c->start++];
		if (byte == '\n')
			break;
		if (byte == '\0' || n + 1 >= HTTP_LINE_BYTES)
			return -EPROTO;
		line[n++] = byte;
	}
	if (n && line[n - 1] == '\r')
		n--;
	line[n] = '\0';
	return 0;
}

void http_connection_done(struct http_connection *c)
{
	c->fd = close_fd(c->fd);
}
