// SPDX-License-Identifier: GPL-2.0-or-later
/* Bytes from a client of the socket: heads, bodies, pipelined requests, nonsense. */
#include <assert.h>
#include <event2/event.h>
#include <grp.h>
#include <signal.h>
#include <stdint.h>
#include <sys/socket.h>
#include <sys/un.h>

#include "../unit/fake_monitor.h"
#include "base/log.h"
#include "serve/server.h"

#define TURNS 16

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct served {
	struct event_base *base;
	struct monitor *monitor;
	struct server *server;
	struct sockaddr_un address;
};

static struct served *start(void)
{
	static struct served s;
	struct server_options options = { .mode = 0600, .gid = SERVER_NO_GROUP };

	if (s.server)
		return &s;
	(void)signal(SIGPIPE, SIG_IGN);
	log_set_level(-1);
	s.address.sun_family = AF_UNIX;
	snprintf(s.address.sun_path, sizeof(s.address.sun_path), "/tmp/seep-fuzz-%d.sock",
		 (int)getpid());
	options.socket_path = s.address.sun_path;
	s.base = event_base_new();
	s.monitor = fake_new();
	if (!s.base || !s.monitor || server_new(s.base, s.monitor, &options, &s.server) < 0)
		abort();
	return &s;
}

static void turn(struct served *s)
{
	for (int i = 0; i < TURNS; i++) {
		event_base_loop(s->base, EVLOOP_NONBLOCK);
		fake_answer(s->monitor);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct served *s = start();
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	char answer[65536];

	if (fd < 0 || connect(fd, (struct sockaddr *)&s->address, sizeof(s->address)) < 0)
		abort();
	for (size_t at = 0; at < size;) {
		ssize_t n = send(fd, data + at, size - at, MSG_NOSIGNAL);

		if (n <= 0)
			break;
		at += (size_t)n;
		turn(s);
	}
	(void)shutdown(fd, SHUT_WR);
	turn(s);
	while (recv(fd, answer, sizeof(answer), 0) > 0)
		turn(s);
	close(fd);
	turn(s);
	return 0;
}
