// SPDX-License-Identifier: GPL-2.0-or-later
/* The HTTP server: listener, connections, the way in. See server.h. */
#include "serve/server.h"

#include <errno.h>
#include <event2/bufferevent.h>
#include <event2/event.h>
#include <event2/http.h>
#include <event2/listener.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/log.h"
#include "monitor.h"
#include "base/clock.h"
#include "serve/connections.h"
#include "serve/exchange.h"
#include "serve/follow.h"
#include "serve/handlers.h"
#include "serve/socket.h"

#define BACKLOG		64
#define IDLE_DEFAULT_NS (30 * NS_PER_SECOND)
/* Under the time that clients wait; the symbolizer has its own, shorter deadlines. */
#define HOLD_DEFAULT_NS (25 * NS_PER_SECOND)
/* Under the time after which proxies give up a silent connection. */
#define HEARTBEAT_NS	(15 * NS_PER_SECOND)
/* Where the library itself stops reading; the limits that are told are in routes.c and body.h. */
#define HEAD_BYTES_STOP 32768
#define BODY_BYTES_STOP 262144
#define HEALTHY_TICKS	3
#define TICK_DEFAULT_NS (10 * NS_PER_SECOND)

struct server {
	struct event_base *base;   /* borrowed */
	struct monitor *monitor;   /* borrowed */
	struct socket_name socket; /* owned */
	struct evhttp *http;	   /* owned, and with it the listener */
	struct evconnlistener *listener;
	struct event *admit; /* owned; runs on_admit() */
	struct event *pulse; /* owned; runs on_pulse() */
	struct event *rest;  /* owned; ends a pause of the listener */
	struct connections connections;
	struct bufferevent *fresh; /* a reference; the stream accepted last */
	struct exchange_list held;
	struct timeval hold; /* how long each may be */
	struct followers followers;
	char *group; /* owned; NULL: none */
	uint64_t started_ns;
	uint64_t ticks;	       /* as last seen */
	uint64_t tick_seen_ns; /* when they were seen to move */
};

static struct timeval timeval_from_ns(uint64_t ns)
{
	return (struct timeval){
		.tv_sec = (time_t)(ns / NS_PER_SECOND),
		.tv_usec = (suseconds_t)(ns % NS_PER_SECOND / 1000),
	};
}

static void watch_ticks(struct server *s)
{
	struct monitor_info info;

	monitor_get_info(s->monitor, &info);
	if (info.ticks == s->ticks)
		return;
	s->ticks = info.ticks;
	s->tick_seen_ns = clock_ns(CLOCK_MONOTONIC);
}

static void on_pulse(int fd, short what, void *userdata)
{
	(void)fd;
	(void)what;
	watch_ticks(userdata);
}

void server_get_status(struct server *s, struct server_status *ret)
{
	struct monitor_info info;

	watch_ticks(s);
	monitor_get_info(s->monitor, &info);
	*ret = (struct server_status){
		.is_healthy =
			clock_ns(CLOCK_MONOTONIC) - s->tick_seen_ns <= HEALTHY_TICKS * info.tick_ns,
		.started_ns = s->started_ns,
		.connections = connections_count(&s->connections),
		.refused_connections = s->connections.refused,
		.group = s->group,
	};
}

/* Tells a client that is not taken in why, as far as that goes without waiting. */
static void turn_away(int fd)
{
	static const char body[] =
		"{\"type\":\"about:blank\",\"title\":\"Service Unavailable\",\"status\":503,"
		"\"code\":\"too_many_connections\","
		"\"detail\":\"Too many clients are connected; close some, or try again later.\"}\n";
	char answer[512];
	int n;

	n = snprintf(answer, sizeof(answer),
		     "HTTP/1.1 503 Service Unavailable\r\n"
		     "Content-Type: application/problem+json\r\n"
		     "Content-Length: %zu\r\nConnection: close\r\n\r\n%s",
		     sizeof(body) - 1, body);
	if (n > 0 && (size_t)n < sizeof(answer))
		(void)send(fd, answer, (size_t)n, MSG_DONTWAIT | MSG_NOSIGNAL);
	/* The library sees the end of the stream and lets go of the connection. */
	(void)shutdown(fd, SHUT_RDWR);
}

/* Takes in the connection that was accepted last. */
static void admit_fresh(struct server *s)
{
	struct bufferevent *stream = TAKE_PTR(s->fresh);
	int fd;

	if (!stream)
		return;
	fd = bufferevent_getfd(stream);
	if (fd >= 0 && connections_add(&s->connections, fd) < 0)
		turn_away(fd);
	(void)bufferevent_decref(stream);
}

/*
 * Runs in the same turn of the loop as the accept, before anything can arrive on the connection:
 * an event that a callback activates comes before the next wait.
 */
static void on_admit(int fd, short what, void *userdata)
{
	(void)fd;
	(void)what;
	admit_fresh(userdata);
}

/*
 * The library asks for the stream of a connection that it has accepted, and tells its descriptor
 * to nobody before a request is complete. By the next accept, or on_admit(), the stream has it; the
 * reference keeps the stream until then.
 */
static struct bufferevent *on_accept(struct event_base *base, void *userdata)
{
	struct server *s = userdata;

	admit_fresh(s);
	s->fresh = bufferevent_socket_new(base, -1, 0);
	if (!s->fresh)
		return NULL;
	bufferevent_incref(s->fresh);
	event_active(s->admit, EV_TIMEOUT, 0);
	return s->fresh;
}

static void on_rest_over(int fd, short what, void *userdata)
{
	struct server *s = userdata;

	(void)fd;
	(void)what;
	(void)evconnlistener_enable(s->listener);
}

/* Most likely out of descriptors: without a pause the loop would spin. */
static void on_accept_error(struct evconnlistener *listener, void *userdata)
{
	const struct timeval pause = { .tv_sec = 1 };
	struct server *s = userdata;
	int r = -errno;

	if (event_pending(s->rest, EV_TIMEOUT, NULL))
		return;
	(void)log_warning_errno(r, "failed to accept a client on %s, pausing for a second",
				s->socket.path);
	(void)evconnlistener_disable(listener);
	(void)evtimer_add(s->rest, &pause);
}

/* Who asks; false: nobody that was taken in. The request is answered then. */
static bool read_peer(struct server *s, struct exchange *x)
{
	struct evhttp_connection *connection = evhttp_request_get_connection(x->request);
	int fd = bufferevent_getfd(evhttp_connection_get_bufferevent(connection));
	const struct connection *c = connections_find(&s->connections, fd);

	if (!c) {
		x->must_close = true;
		(void)exchange_refuse(x, PROBLEM_TOO_MANY_CONNECTIONS,
				      "Too many clients are connected; close some, or try again "
				      "later.");
		return false;
	}
	x->peer = c->peer;
	x->scope.is_restricted = !c->peer.is_operator;
	x->scope.uid = c->peer.uid;
	return true;
}

static void on_request(struct evhttp_request *request, void *userdata)
{
	_cleanup_(exchange_freep) struct exchange *x = exchange_new();
	struct server *s = userdata;
	const char *path;
	int r;

	if (!x) {
		evhttp_send_reply(request, 500, NULL, NULL);
		return;
	}
	x->server = s;
	x->monitor = s->monitor;
	x->base = s->base;
	x->list = &s->held;
	x->hold = s->hold;
	x->followers = &s->followers;
	x->request = request;
	if (!read_peer(s, x))
		return;
	path = evhttp_uri_get_path(evhttp_request_get_evhttp_uri(request));
	r = routes_dispatch(x, path ? path : "");
	if (r == EXCHANGE_HELD) {
		/* Belongs to the symbolizer's callback now. */
		(void)TAKE_PTR(x);
		return;
	}
	if (r < 0)
		(void)exchange_refuse(x, PROBLEM_INTERNAL, "The request failed: %s.", strerror(-r));
}

/* Writing to a client that is gone must be an error, not the end of the process. */
static void ignore_sigpipe(void)
{
	struct sigaction action;

	if (sigaction(SIGPIPE, NULL, &action) < 0 || action.sa_handler != SIG_DFL)
		return;
	action.sa_handler = SIG_IGN;
	(void)sigaction(SIGPIPE, &action, NULL);
}

static int start_http(struct server *s, int fd, const struct timeval *idle)
{
	s->http = evhttp_new(s->base);
	if (!s->http) {
		(void)close_fd(fd);
		return -ENOMEM;
	}
	evhttp_set_timeout_tv(s->http, idle);
	evhttp_set_max_headers_size(s->http, HEAD_BYTES_STOP);
	evhttp_set_max_body_size(s->http, BODY_BYTES_STOP);
	evhttp_set_default_content_type(s->http, NULL);
	/* All that the library can name: what a path does not take is answered by routes.c. */
	evhttp_set_allowed_methods(s->http, EVHTTP_REQ_GET | EVHTTP_REQ_POST | EVHTTP_REQ_HEAD |
						    EVHTTP_REQ_PUT | EVHTTP_REQ_DELETE |
						    EVHTTP_REQ_OPTIONS | EVHTTP_REQ_TRACE |
						    EVHTTP_REQ_CONNECT | EVHTTP_REQ_PATCH);
	evhttp_set_bevcb(s->http, on_accept, s);
	evhttp_set_gencb(s->http, on_request, s);
	s->listener = evconnlistener_new(s->base, NULL, NULL,
					 LEV_OPT_CLOSE_ON_FREE | LEV_OPT_CLOSE_ON_EXEC, 0, fd);
	if (!s->listener) {
		(void)close_fd(fd);
		return -ENOMEM;
	}
	if (!evhttp_bind_listener(s->http, s->listener)) {
		evconnlistener_free(s->listener);
		return -ENOMEM;
	}
	evconnlistener_set_error_cb(s->listener, on_accept_error);
	return 0;
}

static int start_timers(struct server *s)
{
	struct timeval interval;
	struct monitor_info info;
	uint64_t tick_ns;

	monitor_get_info(s->monitor, &info);
	tick_ns = info.tick_ns ? info.tick_ns : TICK_DEFAULT_NS;
	interval = timeval_from_ns(tick_ns);
	s->started_ns = s->tick_seen_ns = clock_ns(CLOCK_MONOTONIC);
	s->ticks = info.ticks;
	s->admit = event_new(s->base, -1, 0, on_admit, s);
	s->rest = evtimer_new(s->base, on_rest_over, s);
	s->pulse = event_new(s->base, -1, EV_PERSIST, on_pulse, s);
	if (!s->admit || !s->rest || !s->pulse || evtimer_add(s->pulse, &interval) < 0)
		return -ENOMEM;
	return 0;
}

int server_new(struct event_base *base, struct monitor *m, const struct server_options *options,
	       struct server **ret)
{
	_cleanup_(server_freep) struct server *s = NULL;
	const struct timeval idle = timeval_from_ns(
		options->idle_timeout_ns ? options->idle_timeout_ns : IDLE_DEFAULT_NS);
	_cleanup_close_ int fd = -EBADF;
	int r;

	s = calloc(1, sizeof(*s));
	if (!s)
		return -ENOMEM;
	s->base = base;
	s->monitor = m;
	LIST_INIT(&s->held);
	LIST_INIT(&s->followers.list);
	s->followers.idle = idle;
	s->followers.heartbeat =
		timeval_from_ns(options->heartbeat_ns ? options->heartbeat_ns : HEARTBEAT_NS);
	s->connections.group = options->gid;
	s->hold = timeval_from_ns(options->hold_timeout_ns ? options->hold_timeout_ns :
							     HOLD_DEFAULT_NS);
	r = peer_group_name(options->gid, &s->group);
	if (r < 0)
		return r;
	r = start_timers(s);
	if (r < 0)
		return r;
	ignore_sigpipe();
	r = socket_listen(options->socket_path, options->mode ? options->mode : 0660, options->gid,
			  BACKLOG, &fd, &s->socket);
	if (r < 0)
		return r;
	r = start_http(s, TAKE_FD(fd), &idle);
	if (r < 0)
		return r;
	*ret = TAKE_PTR(s);
	return 0;
}

struct server *server_free(struct server *s)
{
	struct exchange *x;

	if (!s)
		return NULL;
	/* The name goes first, so that nobody finds a door that is not opened any more. */
	socket_name_done(&s->socket);
	admit_fresh(s);
	follow_end_all(&s->followers);
	/* Ends the connections, which ends the requests. */
	if (s->http)
		evhttp_free(s->http);
	while ((x = LIST_FIRST(&s->held)))
		exchange_orphan(x);
	if (s->pulse)
		event_free(s->pulse);
	if (s->rest)
		event_free(s->rest);
	if (s->admit)
		event_free(s->admit);
	free(s->group);
	free(s);
	return NULL;
}
