/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * One request and its answer.
 *
 * Most are answered at once. Those that need names of frames are held meanwhile: the exchange then
 * belongs to the symbolizer's callback, which comes in any case, while the request may be gone
 * before (client or server went away, or it took too long and was answered with that).
 * Invariant: request is NULL once it was answered or is gone.
 */
#ifndef SEEP_SERVE_EXCHANGE_H
#define SEEP_SERVE_EXCHANGE_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/queue.h>
#include <sys/time.h>

#include "base/cleanup.h"
#include "heap/group.h"
#include "monitor.h"
#include "serve/peer.h"
#include "serve/problem.h"
#include "serve/query.h"
#include "serve/views.h"

struct connections;
struct evbuffer;
struct event;
struct event_base;
struct evhttp_request;
struct followers;
struct metric_totals;
struct python_census;
struct server;

/* What a handler returns; or a negative errno, which becomes PROBLEM_INTERNAL. */
#define EXCHANGE_ANSWERED 0
#define EXCHANGE_HELD	  1

#define DEED_BYTES 256

LIST_HEAD(exchange_list, exchange);

struct exchange {
	struct server *server;		 /* borrowed; NULL once the server is gone */
	struct monitor *monitor;	 /* borrowed */
	struct event_base *base;	 /* borrowed */
	struct evhttp_request *request;	 /* borrowed from the HTTP library */
	struct connections *connections; /* of the server */
	struct metric_totals *totals;	 /* of the server */
	struct peer peer;
	enum access_level needs; /* of the route: for processes of others */
	char deed[DEED_BYTES]; /* what an operator asked for, logged with the answer; "": nothing */
	bool is_head;	       /* as GET, without the body */
	bool must_close;       /* the connection cannot be used again */
	char *segment; /* what stood for the path's "*", or will: the name of what is made; owned */
	struct query query;
	json_t *body; /* owned */

	/* What is asked of sites; for the routes that list them. */
	struct view_scope scope;
	struct group_options options;
	const char *include[QUERY_MAX]; /* borrowed from query */
	const char *exclude[QUERY_MAX];
	struct monitor_snapshot present; /* owned; the later end of a diff that ends now */

	/* Of a census that is taken for this request. */
	struct python_census *census; /* owned; NULL: not taken, census_error says why */
	int census_error;
	char *census_why; /* owned */
	pid_t census_pid;
	bool wants_sites; /* it is to be listed as /v1/sites does */

	int (*resume)(struct exchange *x); /* when held */
	int (*late)(struct exchange *x);   /* answers when held too long; NULL: timed_out */
	struct event *deadline;		   /* owned; when held */
	struct timeval hold;		   /* how long at most */
	struct exchange_list *list;	   /* of the server: those that are held */
	struct followers *followers;	   /* of the server */
	bool is_listed;
	LIST_ENTRY(exchange) held;
};

struct exchange *exchange_new(void); /* NULL: no memory */
struct exchange *exchange_free(struct exchange *x);
DEFINE_CLEANUP(struct exchange *, exchange_free)

/*
 * Answers. All return EXCHANGE_ANSWERED, so that a handler can end with them; all do nothing when
 * the request is gone. @json is taken over; NULL is an answer that memory ran out.
 */
int exchange_reply(struct exchange *x, int status, json_t *json);
int exchange_reply_text(struct exchange *x, int status, const char *text);
/* Any content, which stays the caller's and is empty afterwards. */
int exchange_reply_content(struct exchange *x, int status, const char *type,
			   struct evbuffer *content);
int exchange_reply_nothing(struct exchange *x); /* 204 */
/* To HEAD: only the headers that were set. */
int exchange_reply_head(struct exchange *x, int status);
int exchange_refuse(struct exchange *x, enum problem p, const char *format, ...)
	__attribute__((format(printf, 3, 4)));

/* Says better what is asked for, "tracks nginx"; a text that is too long is cut. */
void exchange_set_deed(struct exchange *x, const char *format, ...)
	__attribute__((format(printf, 2, 3)));

/* For the answer to come. -ENOMEM. */
int exchange_set_header(struct exchange *x, const char *name, const char *value);

const char *exchange_get_header(const struct exchange *x, const char *name); /* NULL: none */

/*
 * Holds the request until exchange_resume() is called with @x, which calls @resume if the request
 * is still there and then frees @x. False: too many are held; the request is answered so.
 */
bool exchange_hold(struct exchange *x, int (*resume)(struct exchange *));
void exchange_resume(void *x);

/* Takes back a hold whose cause failed to start. */
void exchange_unhold(struct exchange *x);

/* The server goes away; the callback is still to come. The request must be gone already. */
void exchange_orphan(struct exchange *x);

#endif
