// SPDX-License-Identifier: GPL-2.0-or-later
/* The HTTP server: listener, connections, the way in. See server.h. */
#include "serve/server.h"

#include <errno.h>
#include <event2/bufferevent.h>
#include <event2/event.h>
#include <event2/http.h>
#include <event2/listener.h>
#include <event2/util.h>
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
#include "serve/loopback.h"
#include "serve/metric_totals.h"
#include "serve/socket.h"

#define BACKLOG		   64
#define IDLE_DEFAULT_NS	   (30 * NS_PER_SECOND)
/* Under the time that clients wait; the symbolizer has its own, shorter deadlines. */
#define HOLD_DEFAULT_NS	   (25 * NS_PER_SECOND)
/* Under the time after which proxies give up a silent connection. */
#define HEARTBEAT_NS	   (15 * NS_PER_SECOND)
/* Where the library itself stops reading; the limits that are told are in routes.c and body.h. */
#define HEAD_BYTES_STOP	   32768
#define BODY_BYTES_STOP	   262144
#define HEALTHY_TICKS	   3
/* A request that comes in small steps, and an answer that is taken so, still end. */
#define REQUEST_DEFAULT_NS (30 * NS_PER_SECOND)
#define ANSWER_DEFAULT_NS  (300 * NS_PER_SECOND)
#define SWEEPS_PER_TIMEOUT 4
#define SWEEP_MOST_NS	   1000000000ull
#define TICK_DEFAULT_NS	   (10 * NS_PER_SECOND)

#define LISTENERS 2 /* unix socket, loopback */

struct server {
	struct event_base *base;   /* borrowed */
	struct monitor *monitor;   /* borrowed */
	struct socket_name socket; /* owned */
	struct evhttp *http;	   /* owned, and with it the listener */
	struct evconnlistener *listeners[LISTENERS];
	size_t n_listeners;
	struct event *sweep; /* owned; runs on_sweep() */
	struct event *admit; /* owned; runs on_admit() */
	struct event *pulse; /* owned; runs on_pulse() */
	struct connections connections;
	struct bufferevent *fresh; /* a reference; the stream accepted last */
	struct exchange_list held;
	struct timeval hold; /* how long each may be */
	struct followers followers;
	struct metric_totals *totals;	    /* owned: of /metrics */
	char *groups[ACCESS_LEVELS];	    /* owned: names; NULL: none */
	const struct config_status *config; /* borrowed; NULL: none */
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
		.ended_connections = s->connections.ended,
		.group = s->groups[ACCESS_OPERATE],
		.config = s->config,
	};
	/* Who may operate may do the rest, too. */
	for (int level = ACCESS_OPERATE; level > ACCESS_OWN; level--)
		ret->groups[level] = s->groups[level] ?: s->groups[ACCESS_OPERATE];
}

void server_set_config(struct server *s, const struct config_status *status)
{
	s->config = status;
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
	if (fd >= 0 && connections_add(&s->connections, fd, stream, clock_ns(CLOCK_MONOTONIC)) < 0)
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

static void on_sweep(int fd, short what, void *userdata)
{
	struct server *s = userdata;

	(void)fd;
	(void)what;
	/* Those that on_accept_error() has stopped. */
	for (size_t i = 0; i < s->n_listeners; i++)
		(void)evconnlistener_enable(s->listeners[i]);
	connections_end_slow(&s->connections, clock_ns(CLOCK_MONOTONIC));
}

/*
 * Most likely out of descriptors: without a pause the loop would spin. It lasts until the next sweep. The
 * library calls this with an argument of its own, so only the listener is known.
 */
static void on_accept_error(struct evconnlistener *listener, void *userdata)
{
	int r = -errno;

	(void)userdata;
	(void)log_warning_errno(r, "failed to accept a client, pausing for a second");
	(void)evconnlistener_disable(listener);
}

/* The answer was taken: the time for the next request begins. */
static void on_taken(struct evhttp_request *request, void *userdata)
{
	struct evhttp_connection *connection = evhttp_request_get_connection(request);
	struct server *s = userdata;
	struct connection *c;

	c = connection ? connections_find(
				 &s->connections,
				 bufferevent_getfd(evhttp_connection_get_bufferevent(connection))) :
			 NULL;
	if (!c)
		return;
	c->is_answering = c->is_endless = false;
	c->since_ns = clock_ns(CLOCK_MONOTONIC);
}

/* Who asks; false: nobody that was taken in. The request is answered then. */
static bool read_peer(struct server *s, struct exchange *x)
{
	struct evhttp_connection *connection = evhttp_request_get_connection(x->request);
	int fd = bufferevent_getfd(evhttp_connection_get_bufferevent(connection));
	struct connection *c = connections_find(&s->connections, fd);

	if (!c) {
		x->must_close = true;
		(void)exchange_refuse(x, PROBLEM_TOO_MANY_CONNECTIONS,
				      "Too many clients are connected; close some, or try again "
				      "later.");
		return false;
	}
	c->is_answering = true;
	c->since_ns = clock_ns(CLOCK_MONOTONIC);
	evhttp_request_set_on_complete_cb(x->request, on_taken, s);
	x->connections = &s->connections;
	x->totals = s->totals;
	x->peer = c->peer;
	x->scope.is_restricted = c->peer.level < ACCESS_DETAIL;
	x->scope.uid = c->peer.uid;
	if (!connections_are_full(&s->connections, c->peer.uid))
		return true;
	x->must_close = true;
	(void)exchange_refuse(x, PROBLEM_BUSY,
			      "Earlier answers wait to be taken; take them, or ask again later.");
	return false;
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

static int make_http(struct server *s, const struct timeval *idle)
{
	s->http = evhttp_new(s->base);
	if (!s->http)
		return -ENOMEM;
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
	return 0;
}

/* Takes over @fd. */
static int add_listener(struct server *s, int fd)
{
	_cleanup_close_ int owned = fd;
	struct evconnlistener *listener;

	/* Of a socket that was handed over this is not known. */
	if (evutil_make_socket_nonblocking(owned) < 0)
		return -errno;
	listener = evconnlistener_new(s->base, NULL, NULL,
				      LEV_OPT_CLOSE_ON_FREE | LEV_OPT_CLOSE_ON_EXEC, 0, owned);
	if (!listener)
		return -ENOMEM;
	(void)TAKE_FD(owned);
	if (!evhttp_bind_listener(s->http, listener)) {
		evconnlistener_free(listener);
		return -ENOMEM;
	}
	evconnlistener_set_error_cb(listener, on_accept_error);
	s->listeners[s->n_listeners++] = listener;
	return 0;
}

/* Takes what listens already out of @api and @http, as far as it is used. */
static int listen_on_all(struct server *s, const struct server_options *o, int *api, int *http)
{
	int r = 0;

	if (*api < 0)
		r = socket_listen(o->socket_path, o->mode ? o->mode : 0660, o->gid, BACKLOG, api,
				  &s->socket);
	if (r == 0)
		r = add_listener(s, TAKE_FD(*api));
	if (r == 0 && *http >= 0)
		r = loopback_check(*http);
	else if (r == 0 && o->http)
		r = loopback_listen(o->http, BACKLOG, http);
	if (r == 0 && *http >= 0)
		r = add_listener(s, TAKE_FD(*http));
	return r;
}

static int set_groups(struct server *s, const struct server_options *o)
{
	struct peer_groups *groups = &s->connections.groups;
	int r = 0;

	groups->of[ACCESS_OWN] = PEER_NO_GROUP;
	groups->of[ACCESS_READ] = o->read_gid ? o->read_gid : PEER_NO_GROUP;
	groups->of[ACCESS_DETAIL] = o->detail_gid ? o->detail_gid : PEER_NO_GROUP;
	groups->of[ACCESS_OPERATE] = o->gid;
	for (int level = ACCESS_READ; level < ACCESS_LEVELS && r == 0; level++)
		r = peer_group_name(groups->of[level], &s->groups[level]);
	return r;
}

static int start_timers(struct server *s)
{
	struct timeval interval;
	struct monitor_info info;
	uint64_t tick_ns, sweep_ns;

	monitor_get_info(s->monitor, &info);
	tick_ns = info.tick_ns ? info.tick_ns : TICK_DEFAULT_NS;
	interval = timeval_from_ns(tick_ns);
	s->started_ns = s->tick_seen_ns = clock_ns(CLOCK_MONOTONIC);
	s->ticks = info.ticks;
	s->admit = event_new(s->base, -1, 0, on_admit, s);
	s->pulse = event_new(s->base, -1, EV_PERSIST, on_pulse, s);
	s->sweep = event_new(s->base, -1, EV_PERSIST, on_sweep, s);
	if (!s->admit || !s->pulse || evtimer_add(s->pulse, &interval) < 0)
		return -ENOMEM;
	sweep_ns = s->connections.request_ns / SWEEPS_PER_TIMEOUT;
	interval = timeval_from_ns(sweep_ns < SWEEP_MOST_NS ? sweep_ns : SWEEP_MOST_NS);
	if (!s->sweep || evtimer_add(s->sweep, &interval) < 0)
		return -ENOMEM;
	return 0;
}

static void set_times(struct server *s, const struct server_options *o)
{
	s->followers.idle =
		timeval_from_ns(o->idle_timeout_ns ? o->idle_timeout_ns : IDLE_DEFAULT_NS);
	s->followers.heartbeat = timeval_from_ns(o->heartbeat_ns ? o->heartbeat_ns : HEARTBEAT_NS);
	s->hold = timeval_from_ns(o->hold_timeout_ns ? o->hold_timeout_ns : HOLD_DEFAULT_NS);
	s->connections.request_ns =
		o->request_timeout_ns ? o->request_timeout_ns : REQUEST_DEFAULT_NS;
	s->connections.answer_ns = o->answer_timeout_ns ? o->answer_timeout_ns : ANSWER_DEFAULT_NS;
}

int server_new(struct event_base *base, struct monitor *m, const struct server_options *options,
	       struct server **ret)
{
	_cleanup_close_ int api = options->socket_fd > 0 ? options->socket_fd : -EBADF;
	_cleanup_close_ int http = options->http_fd > 0 ? options->http_fd : -EBADF;
	_cleanup_(server_freep) struct server *s = NULL;
	int r;

	s = calloc(1, sizeof(*s));
	if (!s)
		return -ENOMEM;
	s->base = base;
	s->monitor = m;
	LIST_INIT(&s->held);
	LIST_INIT(&s->followers.list);
	set_times(s, options);
	s->totals = metric_totals_new();
	r = s->totals ? set_groups(s, options) : -ENOMEM;
	if (r == 0)
		r = start_timers(s);
	if (r == 0)
		r = make_http(s, &s->followers.idle);
	if (r < 0)
		return r;
	ignore_sigpipe();
	r = listen_on_all(s, options, &api, &http);
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
	if (s->admit)
		event_free(s->admit);
	if (s->sweep)
		event_free(s->sweep);
	metric_totals_free(s->totals);
	for (size_t i = 0; i < ARRAY_SIZE(s->groups); i++)
		free(s->groups[i]);
	free(s);
	return NULL;
}
