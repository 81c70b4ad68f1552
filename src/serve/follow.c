// SPDX-License-Identifier: GPL-2.0-or-later
/* Streams of events. See follow.h. */
#include "serve/follow.h"

#include <errno.h>
#include <event2/buffer.h>
#include <event2/bufferevent.h>
#include <event2/event.h>
#include <event2/http.h>
#include <inttypes.h>
#include <string.h>
#include <sys/socket.h>

#include "alert/events.h"
#include "base/cleanup.h"
#include "monitor.h"
#include "serve/connections.h"
#include "serve/exchange.h"

/* A follower has nothing to say: so much of it is read, to notice that it has closed. */
#define INPUT_BYTES_MAX 4096

/* Owned by its connection: freed when that closes, or when the stream has ended. */
struct follower {
	struct events *events;		/* borrowed */
	struct evhttp_request *request; /* borrowed from the HTTP library */
	struct event_follower *handle;	/* owned; NULL: only what is kept is sent */
	struct event *heartbeat;	/* owned */
	struct peer peer;
	enum access_level needs; /* to see events of others' processes */
	enum follow_format format;
	uint64_t sent;	/* number of the last event that was looked at */
	uint64_t until; /* the last one to send */
	LIST_ENTRY(follower) link;
};

static struct follower *follower_free(struct follower *f)
{
	if (!f)
		return NULL;
	if (f->handle)
		events_unfollow(f->events, f->handle);
	if (f->heartbeat)
		event_free(f->heartbeat);
	free(f);
	return NULL;
}
DEFINE_CLEANUP(struct follower *, follower_free)

static void forget(struct follower *f)
{
	LIST_REMOVE(f, link);
	(void)follower_free(f);
}

static struct bufferevent *stream_of(const struct follower *f)
{
	return evhttp_connection_get_bufferevent(evhttp_request_get_connection(f->request));
}

static size_t output_bytes(const struct follower *f)
{
	return evbuffer_get_length(bufferevent_get_output(stream_of(f)));
}

static int put_record(const struct follower *f, const struct event_record *record,
		      struct evbuffer *out)
{
	if (f->format == FOLLOW_LINES)
		return evbuffer_add_printf(out, "%s\n", record->json) < 0 ? -ENOMEM : 0;
	return evbuffer_add_printf(out, "id: %" PRIu64 "\nevent: %s\ndata: %s\n\n", record->id,
				   alert_event_name(record->event), record->json) < 0 ?
		       -ENOMEM :
		       0;
}

/* @id: the last one that is missed, so that resuming there misses no more. */
static int put_gap(const struct follower *f, uint64_t id, uint64_t missed, struct evbuffer *out)
{
	const char *before = "", *after = "";
	char head[64] = "";
	int n;

	if (f->format == FOLLOW_STREAM) {
		n = snprintf(head, sizeof(head), "id: %" PRIu64 "\nevent: gap\ndata: ", id);
		if (n < 0 || (size_t)n >= sizeof(head))
			return -EINVAL;
		before = head;
		after = "\n";
	}
	n = evbuffer_add_printf(
		out, "%s{\"id\":\"%" PRIu64 "\",\"event\":\"gap\",\"missed\":%" PRIu64 "}\n%s",
		before, id, missed, after);
	return n < 0 ? -ENOMEM : 0;
}

/* The next event, or the gap before it: 1, or 0 when there is none. */
static int put_next(struct follower *f, struct evbuffer *out)
{
	uint64_t missed = 0;
	const struct event_record *record = events_next(f->events, f->sent, &missed);

	if (missed) {
		/* The events may have been numbered anew by a daemon that keeps no history. */
		f->sent = record ? record->id - 1 : f->sent + missed;
		return put_gap(f, f->sent, missed, out) < 0 ? -ENOMEM : 1;
	}
	if (!record || record->id > f->until)
		return 0;
	f->sent = record->id;
	if (!peer_may(&f->peer, f->needs, record->uid))
		return 1;
	return put_record(f, record, out) < 0 ? -ENOMEM : 1;
}

static void on_drained(struct evhttp_connection *connection, void *userdata);

static void send_out(struct follower *f, struct evbuffer *out)
{
	if (evbuffer_get_length(out) > 0)
		evhttp_send_reply_chunk_with_cb(f->request, out, on_drained, f);
}

/* The library owns the request from now on. */
static void end(struct follower *f)
{
	struct evhttp_request *request = TAKE_PTR(f->request);

	evhttp_connection_set_closecb(evhttp_request_get_connection(request), NULL, NULL);
	forget(f);
	evhttp_send_reply_end(request);
}

/* Writes what there is, as far as the client keeps up. @f may be gone afterwards. */
static void pump(struct follower *f)
{
	struct evbuffer *out = evbuffer_new();
	size_t waiting = output_bytes(f);
	int r = out ? 1 : -ENOMEM;

	while (r > 0 && waiting + evbuffer_get_length(out) < FOLLOW_OUTPUT_BYTES)
		r = put_next(f, out);
	if (out) {
		send_out(f, out);
		evbuffer_free(out);
	}
	/* Out of memory: it may come again, and be told what it has missed. */
	if (r < 0 || (r == 0 && !f->handle))
		end(f);
}

static void on_drained(struct evhttp_connection *connection, void *userdata)
{
	(void)connection;
	pump(userdata);
}

static void on_event(void *userdata)
{
	pump(userdata);
}

static void on_heartbeat(int fd, short what, void *userdata)
{
	struct follower *f = userdata;
	struct evbuffer *out;

	(void)fd;
	(void)what;
	if (output_bytes(f) > 0)
		return;
	out = evbuffer_new();
	if (!out)
		return;
	if (evbuffer_add_printf(out, "%s", f->format == FOLLOW_STREAM ? ":\n\n" : "\n") > 0)
		send_out(f, out);
	evbuffer_free(out);
}

/* The connection is going away, with the request in most cases. */
static void on_close(struct evhttp_connection *connection, void *userdata)
{
	struct follower *f = userdata;
	struct evhttp_request *request = TAKE_PTR(f->request);

	(void)connection;
	forget(f);
	/* The library cut the tie: it counts on an end, and frees the request no more. */
	if (!evhttp_request_get_connection(request))
		evhttp_request_free(request);
}

static bool has_room(struct exchange *x)
{
	const struct follower *f;
	size_t all = 0, own = 0;

	LIST_FOREACH(f, &x->followers->list, link)
	{
		all++;
		own += f->peer.uid == x->peer.uid;
	}
	if (all < FOLLOWERS_MAX && (x->peer.level >= ACCESS_OPERATE || own < FOLLOWERS_PER_UID))
		return true;
	(void)exchange_refuse(x, PROBLEM_TOO_MANY_FOLLOWERS,
			      "%zu clients read events already, %zu of them yours; close one, or "
			      "try again later.",
			      all, own);
	return false;
}

static struct follower *follower_new(struct exchange *x, const struct follow_options *options)
{
	_cleanup_(follower_freep) struct follower *f = calloc(1, sizeof(*f));

	if (!f)
		return NULL;
	f->events = monitor_events(x->monitor);
	f->peer = x->peer;
	f->needs = x->needs;
	f->format = options->format;
	f->sent = options->after;
	f->until = options->is_endless ? UINT64_MAX : events_last_id(f->events);
	f->heartbeat = event_new(x->base, -1, EV_PERSIST, on_heartbeat, f);
	if (!f->heartbeat || event_add(f->heartbeat, &x->followers->heartbeat) < 0)
		return NULL;
	if (options->is_endless && events_follow(f->events, on_event, f, &f->handle) < 0)
		return NULL;
	return TAKE_PTR(f);
}

static int set_headers(struct exchange *x, enum follow_format format)
{
	int r = 0;

	r |= exchange_set_header(x, "Content-Type",
				 format == FOLLOW_STREAM ? "text/event-stream" :
							   "application/x-ndjson");
	r |= exchange_set_header(x, "Cache-Control", "no-store");
	/* The connection is set up for a stream, and fit for nothing else afterwards. */
	r |= exchange_set_header(x, "Connection", "close");
	return r;
}

int follow_start(struct exchange *x, const struct follow_options *options)
{
	_cleanup_(follower_freep) struct follower *owned = NULL;
	struct follower *f;
	struct bufferevent *stream;
	struct connection *c;

	if (!x->is_head && !has_room(x))
		return EXCHANGE_ANSWERED;
	if (set_headers(x, options->format) < 0)
		return -ENOMEM;
	if (x->is_head)
		return exchange_reply_head(x, 200);
	owned = follower_new(x, options);
	if (!owned)
		return -ENOMEM;

	f = TAKE_PTR(owned);
	f->request = TAKE_PTR(x->request);
	LIST_INSERT_HEAD(&x->followers->list, f, link);
	stream = stream_of(f);
	c = connections_find(x->connections, bufferevent_getfd(stream));
	if (c)
		c->is_endless = true;
	bufferevent_set_timeouts(stream, NULL, &x->followers->idle);
	bufferevent_setwatermark(stream, EV_READ, 0, INPUT_BYTES_MAX);
	evhttp_connection_set_closecb(evhttp_request_get_connection(f->request), on_close, f);
	evhttp_send_reply_start(f->request, 200, NULL);
	pump(f);
	return EXCHANGE_ANSWERED;
}

/* What waits in the buffer, and the end of the body behind it. */
static void flush(struct follower *f)
{
	static const char last[] = "0\r\n\r\n";
	struct evbuffer *output = bufferevent_get_output(stream_of(f));
	size_t n = evbuffer_get_length(output);
	const void *data = n ? evbuffer_pullup(output, -1) : NULL;
	int fd = bufferevent_getfd(stream_of(f));

	if (n && (!data || send(fd, data, n, MSG_DONTWAIT | MSG_NOSIGNAL) != (ssize_t)n))
		return;
	/* To HTTP/1.0 the end of the connection is the end of the body. */
	if (evhttp_find_header(evhttp_request_get_output_headers(f->request), "Transfer-Encoding"))
		(void)send(fd, last, sizeof(last) - 1, MSG_DONTWAIT | MSG_NOSIGNAL);
}

void follow_end_all(struct followers *list)
{
	struct follower *f;

	while ((f = LIST_FIRST(&list->list))) {
		flush(f);
		evhttp_connection_set_closecb(evhttp_request_get_connection(f->request), NULL,
					      NULL);
		forget(f);
	}
}
