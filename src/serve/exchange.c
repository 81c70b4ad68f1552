// SPDX-License-Identifier: GPL-2.0-or-later
/* One request and its answer. See exchange.h. */
#include "serve/exchange.h"

#include <assert.h>
#include <errno.h>
#include <event2/buffer.h>
#include <event2/event.h>
#include <event2/http.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/log.h"
#include "base/utf8.h"
#include "python/census.h"

#define HELD_MAX     64
#define DETAIL_BYTES 1024

struct exchange *exchange_new(void)
{
	return calloc(1, sizeof(struct exchange));
}

struct exchange *exchange_free(struct exchange *x)
{
	if (!x)
		return NULL;
	if (x->is_listed)
		LIST_REMOVE(x, held);
	if (x->deadline)
		event_free(x->deadline);
	monitor_snapshot_done(&x->present);
	if (x->census)
		python_census_done(x->census);
	free(x->census);
	free(x->census_why);
	json_decref(x->body);
	query_done(&x->query);
	free(x->segment);
	free(x);
	return NULL;
}

int exchange_set_header(struct exchange *x, const char *name, const char *value)
{
	if (!x->request)
		return 0;
	return evhttp_add_header(evhttp_request_get_output_headers(x->request), name, value) < 0 ?
		       -ENOMEM :
		       0;
}

const char *exchange_get_header(const struct exchange *x, const char *name)
{
	return evhttp_find_header(evhttp_request_get_input_headers(x->request), name);
}

/* The library knows no phrase for these; NULL: it does. */
static const char *phrase(int status)
{
	return status == 431 ? "Request Header Fields Too Large" : NULL;
}

void exchange_set_deed(struct exchange *x, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	(void)vsnprintf(x->deed, sizeof(x->deed), format, args);
	va_end(args);
}

/* For messages only: the process may be another one by now. */
static void read_comm(pid_t pid, char comm[16])
{
	_cleanup_fclose_ FILE *f = NULL;
	char path[32];

	(void)snprintf(path, sizeof(path), "/proc/%d/comm", (int)pid);
	f = fopen(path, "re");
	if (!f || !fgets(comm, 16, f))
		(void)snprintf(comm, 16, "?");
	comm[strcspn(comm, "\n")] = '\0';
	if (!utf8_is_printable(comm, strlen(comm)))
		(void)snprintf(comm, 16, "?");
}

/* Who asked for what that changes something, and what came of it; 0: nobody waited for that. */
static void log_deed(const struct exchange *x, int status)
{
	char comm[16], result[16];

	if (!x->deed[0])
		return;
	(void)snprintf(result, sizeof(result), "%d", status);
	if (x->peer.is_remote) {
		log_warning("somebody on the loopback listener %s: %s", x->deed, result);
		return;
	}
	read_comm(x->peer.pid, comm);
	log_message(status < 400 ? LOG_INFO : LOG_WARNING, "uid %u (pid %d, %s) %s: %s",
		    (unsigned)x->peer.uid, (int)x->peer.pid, comm, x->deed,
		    status ? result : "gone before the answer");
}

/* Hands the answer to the HTTP library, which owns the request from now on. */
static void send_reply(struct exchange *x, int status, struct evbuffer *content)
{
	struct evhttp_request *request = TAKE_PTR(x->request);
	struct evhttp_connection *connection = evhttp_request_get_connection(request);

	log_deed(x, status);
	if (x->deadline)
		(void)event_del(x->deadline);
	if (connection)
		evhttp_connection_set_closecb(connection, NULL, NULL);
	evhttp_send_reply(request, status, phrase(status), content);
}

static void reply_content(struct exchange *x, int status, const char *type,
			  struct evbuffer *content)
{
	char length[24];
	int n, r = 0;

	n = snprintf(length, sizeof(length), "%zu", evbuffer_get_length(content));
	if (n < 0 || (size_t)n >= sizeof(length))
		r = -EINVAL;
	r |= exchange_set_header(x, "Content-Type", type);
	r |= exchange_set_header(x, "Cache-Control", "no-store");
	/* Set here, because the library leaves it out of an answer to HEAD. */
	r |= exchange_set_header(x, "Content-Length", length);
	if (x->must_close)
		r |= exchange_set_header(x, "Connection", "close");
	if (r < 0) {
		/* Too little memory for headers: what is left is a bare status. */
		evhttp_clear_headers(evhttp_request_get_output_headers(x->request));
		send_reply(x, 500, NULL);
		return;
	}
	send_reply(x, status, x->is_head ? NULL : content);
}

static int append(const char *text, size_t n, void *content)
{
	return evbuffer_add(content, text, n);
}

static void reply_json(struct exchange *x, int status, const char *type, const json_t *json)
{
	const size_t flags = JSON_COMPACT | JSON_PRESERVE_ORDER | JSON_REAL_PRECISION(12);
	struct evbuffer *content;

	if (!x->request)
		return;
	content = evbuffer_new();
	if (!content || !json || json_dump_callback(json, append, content, flags) < 0 ||
	    evbuffer_add(content, "\n", 1) < 0)
		send_reply(x, 500, NULL);
	else
		reply_content(x, status, type, content);
	if (content)
		evbuffer_free(content);
}

int exchange_reply(struct exchange *x, int status, json_t *json)
{
	if (!json)
		return exchange_refuse(x, PROBLEM_INTERNAL, "The daemon is out of memory.");
	reply_json(x, status, "application/json", json);
	json_decref(json);
	return EXCHANGE_ANSWERED;
}

int exchange_reply_text(struct exchange *x, int status, const char *text)
{
	struct evbuffer *content;

	if (!x->request)
		return EXCHANGE_ANSWERED;
	content = evbuffer_new();
	if (!content || evbuffer_add(content, text, strlen(text)) < 0)
		send_reply(x, 500, NULL);
	else
		reply_content(x, status, "text/plain; charset=utf-8", content);
	if (content)
		evbuffer_free(content);
	return EXCHANGE_ANSWERED;
}

int exchange_reply_content(struct exchange *x, int status, const char *type,
			   struct evbuffer *content)
{
	if (x->request)
		reply_content(x, status, type, content);
	return EXCHANGE_ANSWERED;
}

int exchange_reply_nothing(struct exchange *x)
{
	if (!x->request)
		return EXCHANGE_ANSWERED;
	(void)exchange_set_header(x, "Cache-Control", "no-store");
	send_reply(x, 204, NULL);
	return EXCHANGE_ANSWERED;
}

int exchange_reply_head(struct exchange *x, int status)
{
	if (x->request)
		send_reply(x, status, NULL);
	return EXCHANGE_ANSWERED;
}

int exchange_refuse(struct exchange *x, enum problem p, const char *format, ...)
{
	char detail[DETAIL_BYTES];
	json_t *json;
	va_list args;
	int n;

	va_start(args, format);
	n = vsnprintf(detail, sizeof(detail), format, args);
	va_end(args);
	/* What a client sent is quoted shortened (see routes); should it not fit, it is marked. */
	if (n < 0 || (size_t)n >= sizeof(detail))
		memcpy(detail + sizeof(detail) - 4, "...", 4);
	json = problem_json(p, detail);
	reply_json(x, problem_status(p), "application/problem+json", json);
	json_decref(json);
	return EXCHANGE_ANSWERED;
}

/* The connection is going away, with the request in most cases. */
static void on_close(struct evhttp_connection *connection, void *userdata)
{
	struct exchange *x = userdata;
	struct evhttp_request *request = TAKE_PTR(x->request);

	(void)connection;
	log_deed(x, 0);
	(void)event_del(x->deadline);
	/* The library cut the tie: it counts on an answer, and frees the request no more. */
	if (request && !evhttp_request_get_connection(request))
		evhttp_request_free(request);
}

static void on_deadline(int fd, short what, void *userdata)
{
	struct exchange *x = userdata;

	(void)fd;
	(void)what;
	if (x->late) {
		(void)x->late(x);
		return;
	}
	(void)exchange_refuse(x, PROBLEM_TIMED_OUT,
			      "The names of the stack frames are still being read; ask again in a "
			      "while, what was read is kept.");
}

static size_t count_held(const struct exchange_list *list)
{
	const struct exchange *x;
	size_t n = 0;

	LIST_FOREACH(x, list, held)
	n++;
	return n;
}

bool exchange_hold(struct exchange *x, int (*resume)(struct exchange *))
{
	if (count_held(x->list) >= HELD_MAX) {
		(void)exchange_refuse(x, PROBLEM_BUSY,
				      "%d listings wait for names of stack frames already; ask "
				      "again in a while.",
				      HELD_MAX);
		return false;
	}
	x->deadline = evtimer_new(x->base, on_deadline, x);
	if (!x->deadline || evtimer_add(x->deadline, &x->hold) < 0) {
		(void)exchange_reply(x, 500, NULL);
		return false;
	}
	x->resume = resume;
	LIST_INSERT_HEAD(x->list, x, held);
	x->is_listed = true;
	evhttp_connection_set_closecb(evhttp_request_get_connection(x->request), on_close, x);
	return true;
}

void exchange_unhold(struct exchange *x)
{
	evhttp_connection_set_closecb(evhttp_request_get_connection(x->request), NULL, NULL);
	(void)event_del(x->deadline);
	LIST_REMOVE(x, held);
	x->is_listed = false;
}

void exchange_resume(void *userdata)
{
	struct exchange *x = userdata;
	int r = 0;

	/* Without server there is no monitor to ask either; without request, nobody to tell. */
	if (x->server && x->request)
		r = x->resume(x);
	if (r < 0)
		(void)exchange_refuse(x, PROBLEM_INTERNAL, "The listing failed: %s.", strerror(-r));
	(void)exchange_free(x);
}

void exchange_orphan(struct exchange *x)
{
	assert(!x->request);
	LIST_REMOVE(x, held);
	x->is_listed = false;
	x->server = NULL;
	x->monitor = NULL;
	event_free(x->deadline);
	x->deadline = NULL;
}
