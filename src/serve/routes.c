// SPDX-License-Identifier: GPL-2.0-or-later
/* The table of routes, and the way from a request to its handler. */
#include "serve/handlers.h"

#include <errno.h>
#include <event2/http.h>
#include <event2/keyvalq_struct.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "serve/exchange.h"
#include "serve/loopback.h"

/* Of the request line and the header lines together. */
#define HEAD_BYTES_MAX 8192u

struct route {
	enum evhttp_cmd_type method;
	const char *path; /* "*" stands for one segment that is not empty */
	int (*handle)(struct exchange *x);
	const struct query_rule *query; /* NULL: takes no parameters */
	enum access_level level;	/* that it takes for processes of others */
	bool is_remote;			/* also answered over the loopback interface */
};

#define GET    EVHTTP_REQ_GET
#define POST   EVHTTP_REQ_POST
#define DELETE EVHTTP_REQ_DELETE

static const struct route routes[] = {
	{ GET, "/healthz", health_get, NULL, ACCESS_OWN, true },
	{ GET, "/readyz", readiness_get, NULL, ACCESS_OWN, true },
	{ GET, "/metrics", metrics_get, NULL, ACCESS_READ, true },
	{ GET, "/v1/sd", discovery_get, NULL, ACCESS_READ, true },
	{ GET, "/v1/info", info_get, NULL, ACCESS_OWN, false },
	{ GET, "/v1/targets", targets_get, targets_query, ACCESS_READ, false },
	{ POST, "/v1/targets", targets_post, NULL, ACCESS_OPERATE, false },
	{ GET, "/v1/targets/*", target_get, NULL, ACCESS_READ, false },
	{ DELETE, "/v1/targets/*", target_delete, NULL, ACCESS_OPERATE, false },
	{ GET, "/v1/sites", sites_get, sites_query, ACCESS_DETAIL, false },
	{ GET, "/v1/census", census_get, census_query, ACCESS_DETAIL, false },
	{ GET, "/v1/census/origins", origins_get, origins_query, ACCESS_DETAIL, false },
	{ POST, "/v1/census/origins", origins_post, origins_query, ACCESS_OPERATE, false },
	{ GET, "/v1/snapshots", snapshots_get, NULL, ACCESS_DETAIL, false },
	{ POST, "/v1/snapshots", snapshots_post, NULL, ACCESS_OPERATE, false },
	{ DELETE, "/v1/snapshots/*", snapshot_delete, NULL, ACCESS_OPERATE, false },
	{ GET, "/v1/diff", diff_get, diff_query, ACCESS_DETAIL, false },
	{ GET, "/v1/leaks", leaks_get, leaks_query, ACCESS_READ, false },
	{ GET, "/v1/leaks/*", leak_get, NULL, ACCESS_READ, false },
	{ POST, "/v1/leaks/*/ack", leak_acknowledge, NULL, ACCESS_OPERATE, false },
	{ POST, "/v1/leaks/*/suppress", leak_suppress, NULL, ACCESS_OPERATE, false },
	{ POST, "/v1/leaks/*/mark", leak_mark, NULL, ACCESS_OPERATE, false },
	{ GET, "/v1/history", history_get, history_query, ACCESS_READ, false },
	{ GET, "/v1/events", events_get, events_query, ACCESS_DETAIL, false },
};

/* What stands for a route's "*"; text is NULL for a route without. */
struct segment {
	const char *text;
	size_t n;
};

/* Whether the path is the route's. */
static bool matches(const struct route *route, const char *path, struct segment *ret)
{
	const char *star = strchr(route->path, '*');
	size_t before = star ? (size_t)(star - route->path) : 0;

	*ret = (struct segment){ .text = NULL };
	if (!star)
		return strcmp(route->path, path) == 0;
	if (strncmp(route->path, path, before) != 0)
		return false;
	*ret = (struct segment){ .text = path + before, .n = strcspn(path + before, "/") };
	return ret->n > 0 && strcmp(star + 1, ret->text + ret->n) == 0;
}

static const char *method_name(enum evhttp_cmd_type method)
{
	switch (method) {
	case GET:
		return "GET, HEAD";
	case POST:
		return "POST";
	default:
		return "DELETE";
	}
}

/* 405 with what the path does take. */
static int refuse_method(struct exchange *x, const char *path)
{
	struct segment segment;
	char allow[64] = "";
	size_t used = 0;
	int n;

	for (size_t i = 0; i < ARRAY_SIZE(routes); i++) {
		if (!matches(&routes[i], path, &segment))
			continue;
		n = snprintf(allow + used, sizeof(allow) - used, "%s%s", used ? ", " : "",
			     method_name(routes[i].method));
		if (n < 0 || (size_t)n >= sizeof(allow) - used)
			return -ENAMETOOLONG;
		used += (size_t)n;
	}
	n = exchange_set_header(x, "Allow", allow);
	if (n < 0)
		return n;
	return exchange_refuse(x, PROBLEM_METHOD_NOT_ALLOWED, "%.200s takes %s only.", path, allow);
}

/* Route of path and method; NULL: answered. */
static const struct route *find_route(struct exchange *x, const char *path,
				      enum evhttp_cmd_type method, struct segment *ret_segment)
{
	bool has_path = false;

	for (size_t i = 0; i < ARRAY_SIZE(routes); i++) {
		if (!matches(&routes[i], path, ret_segment))
			continue;
		if (routes[i].method == method)
			return &routes[i];
		has_path = true;
	}
	if (!has_path) {
		(void)exchange_refuse(x, PROBLEM_NO_SUCH_PATH,
				      "There is nothing at \"%.200s\"; GET /v1/targets, /v1/leaks "
				      "and /v1/info are good starts.",
				      path);
		return NULL;
	}
	if (refuse_method(x, path) < 0)
		(void)exchange_reply(x, 500, NULL);
	return NULL;
}

/* What the HTTP library lets pass, but makes where a request ends a matter of opinion. */
static bool check_framing(struct exchange *x, bool has_body)
{
	const struct evkeyvalq *headers = evhttp_request_get_input_headers(x->request);
	const struct evkeyval *h;
	size_t bytes = strlen(evhttp_request_get_uri(x->request)), lengths = 0;

	x->must_close = true;
	TAILQ_FOREACH(h, headers, next)
	{
		bytes += strlen(h->key) + strlen(h->value) + strlen(": \r\n");
		lengths += strcasecmp(h->key, "Content-Length") == 0;
	}
	if (bytes > HEAD_BYTES_MAX) {
		(void)exchange_refuse(x, PROBLEM_HEAD_TOO_LARGE,
				      "Address and headers have %zu bytes; at most %u are taken.",
				      bytes, HEAD_BYTES_MAX);
		return false;
	}
	if (exchange_get_header(x, "Transfer-Encoding")) {
		(void)exchange_refuse(x, PROBLEM_LENGTH_REQUIRED,
				      "Bodies in chunks are not taken; send a Content-Length.");
		return false;
	}
	if (lengths > 1) {
		(void)exchange_refuse(x, PROBLEM_BAD_REQUEST,
				      "There is more than one Content-Length.");
		return false;
	}
	if (lengths && !has_body && strcmp(exchange_get_header(x, "Content-Length"), "0") != 0) {
		(void)exchange_refuse(x, PROBLEM_UNEXPECTED_BODY,
				      "This request takes no body; leave it out.");
		return false;
	}
	x->must_close = false;
	return true;
}

/* The query, against what the route knows. */
static bool read_query(struct exchange *x, const struct route *route)
{
	const struct evhttp_uri *uri = evhttp_request_get_evhttp_uri(x->request);
	const struct query_item *item;
	const char *why = NULL;
	int r;

	r = query_parse(evhttp_uri_get_query(uri), &x->query, &why);
	if (r < 0) {
		if (r == -EINVAL)
			(void)exchange_refuse(x, PROBLEM_BAD_PARAMETER, "%s", why);
		else
			(void)exchange_reply(x, 500, NULL);
		return false;
	}
	item = query_find_unknown(&x->query, route->query);
	if (item) {
		(void)exchange_refuse(x, PROBLEM_UNKNOWN_PARAMETER,
				      "%s knows no parameter \"%.64s\"; check its spelling or "
				      "leave it out.",
				      route->path, item->name);
		return false;
	}
	item = query_find_repeated(&x->query, route->query);
	if (item) {
		(void)exchange_refuse(x, PROBLEM_BAD_PARAMETER,
				      "The parameter \"%.64s\" is given twice; give it once.",
				      item->name);
		return false;
	}
	return true;
}

static bool read_segment(struct exchange *x, const struct segment *segment)
{
	const char *why = NULL;
	int r;

	if (!segment->text)
		return true;
	r = percent_decode(segment->text, segment->n, false, &x->segment, &why);
	if (r == -EINVAL)
		(void)exchange_refuse(x, PROBLEM_BAD_REQUEST, "%s", why);
	else if (r < 0)
		(void)exchange_reply(x, 500, NULL);
	return r == 0;
}

/*
 * A web page that a user has open can have the browser ask at any name that leads to this machine (DNS
 * rebinding, CVE-2018-5702 and many since): the Host tells, and so does the Origin.
 */
static bool check_web(struct exchange *x)
{
	if (loopback_is_host(exchange_get_header(x, "Host")) &&
	    loopback_is_origin(exchange_get_header(x, "Origin")))
		return true;
	x->must_close = true;
	(void)exchange_refuse(x, PROBLEM_FOREIGN_HOST,
			      "Host and Origin must name this machine: localhost, 127.0.0.1 or "
			      "[::1].");
	return false;
}

/* What is not for everybody on this machine. */
static bool check_remote(struct exchange *x, const struct route *route)
{
	if (route->is_remote)
		return true;
	if (route->level >= ACCESS_OPERATE)
		exchange_set_deed(x, "%s %s", method_name(route->method), route->path);
	(void)exchange_refuse(x, PROBLEM_NOT_PERMITTED,
			      "%s is answered on the unix socket only, which knows who asks.",
			      route->path);
	return false;
}

/* Until the handler says it better. */
static void note_deed(struct exchange *x, const struct route *route)
{
	const char *star = strchr(route->path, '*');

	if (route->level < ACCESS_OPERATE)
		return;
	exchange_set_deed(x, "%s %.*s%s%s", method_name(route->method),
			  star ? (int)(star - route->path) : (int)strlen(route->path), route->path,
			  star ? x->segment : "", star ? star + 1 : "");
}

int routes_dispatch(struct exchange *x, const char *path)
{
	enum evhttp_cmd_type method = evhttp_request_get_command(x->request);
	const struct route *route;
	struct segment segment;

	x->is_head = method == EVHTTP_REQ_HEAD;
	if (x->is_head)
		method = EVHTTP_REQ_GET;
	if (!check_framing(x, method == EVHTTP_REQ_POST || method == EVHTTP_REQ_PUT ||
				      method == EVHTTP_REQ_PATCH))
		return EXCHANGE_ANSWERED;
	if (x->peer.is_remote && !check_web(x))
		return EXCHANGE_ANSWERED;
	route = find_route(x, path, method, &segment);
	if (!route || (x->peer.is_remote && !check_remote(x, route)) || !read_query(x, route) ||
	    !read_segment(x, &segment))
		return EXCHANGE_ANSWERED;
	x->needs = route->level;
	note_deed(x, route);
	return route->handle(x);
}
