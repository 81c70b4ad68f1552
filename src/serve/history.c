// SPDX-License-Identifier: GPL-2.0-or-later
/* GET /v1/history: how memory moved, as far back as it is kept. */
#include "serve/handlers.h"

#include <errno.h>
#include <string.h>

#include "alert/alert.h"
#include "base/clock.h"
#include "base/parse.h"
#include "base/values.h"
#include "heap/group.h"
#include "history/history.h"
#include "monitor.h"
#include "serve/exchange.h"

#define NS_PER_MS      1000000u
#define DAY_MS	       86400000u
#define POINTS_DEFAULT 240
#define POINTS_MAX     5000
#define ID_DIGITS      16

const struct query_rule history_query[] = {
	{ .name = "target" }, { .name = "service" }, { .name = "leak" },   { .name = "site" },
	{ .name = "from" },   { .name = "to" },	     { .name = "points" }, { 0 },
};

/* What is asked for. Texts are borrowed. */
struct span {
	struct history_key key;
	uint64_t from_ms, to_ms;
	uint64_t points;
};

/* The id of a stack, from its frames. 0: no memory. */
static uint64_t leak_id_of(const struct alert *a)
{
	_cleanup_free_ const struct frame **pointers = calloc(a->n_frames + 1, sizeof(*pointers));

	if (!pointers)
		return 0;
	for (size_t i = 0; i < a->n_frames; i++)
		pointers[i] = &a->frames[i];
	return group_leak_id(pointers, a->n_frames);
}

/* Exactly one of target, service and leak says whose history is meant. False: answered. */
static bool read_subject(struct exchange *x, struct history_key *key)
{
	const char *target = query_get(&x->query, "target");
	const char *service = query_get(&x->query, "service");
	const char *leak = query_get(&x->query, "leak");
	const struct target *t;
	const struct alert *a;

	if (!!target + !!service + !!leak != 1) {
		(void)exchange_refuse(x, PROBLEM_BAD_PARAMETER,
				      "Say whose history: give one of target=, service= and "
				      "leak=.");
		return false;
	}
	if (service) {
		/* Its processes may be anybody's, and be gone. */
		if (x->peer.level < x->needs)
			(void)access_refuse(x, "see the history of services");
		key->service = service;
		return x->peer.level >= x->needs;
	}
	if (target) {
		t = access_find_target(x, target);
		key->service = t ? target_service(t) : NULL;
		key->pid = t ? t->pid : 0;
		return t != NULL;
	}
	a = access_find_leak(x, leak);
	if (!a)
		return false;
	key->service = a->service;
	key->pid = x->peer.level >= x->needs ? 0 : a->pid;
	key->site = a->scope == ALERT_PROCESS ? 0 : a->scope == ALERT_TYPE ? a->id : leak_id_of(a);
	return true;
}

static bool read_site(struct exchange *x, struct history_key *key)
{
	const char *text = query_get(&x->query, "site"), *at = text;

	if (!text)
		return true;
	if (strlen(text) == ID_DIGITS && parse_digits(&at, 16, &key->site) == 0 && !*at &&
	    key->site)
		return true;
	(void)exchange_refuse(x, PROBLEM_BAD_PARAMETER,
			      "site=%.32s is no id; give the leak_id of a site, 16 hexadecimal "
			      "digits.",
			      text);
	return false;
}

static bool read_time(struct exchange *x, const char *name, uint64_t otherwise, uint64_t *ret)
{
	const char *text = query_get(&x->query, name);

	*ret = otherwise;
	if (!text || parse_time(text, ret) == 0)
		return true;
	(void)exchange_refuse(x, PROBLEM_BAD_PARAMETER,
			      "%s=%.40s is no time; write it as 2026-11-25T17:10:34Z.", name, text);
	return false;
}

static bool read_times(struct exchange *x, struct span *s)
{
	uint64_t now = clock_ns(CLOCK_REALTIME) / NS_PER_MS;

	if (!read_time(x, "to", now, &s->to_ms) ||
	    !read_time(x, "from", s->to_ms > DAY_MS ? s->to_ms - DAY_MS : 0, &s->from_ms))
		return false;
	if (s->from_ms < s->to_ms)
		return true;
	(void)exchange_refuse(x, PROBLEM_BAD_PARAMETER, "from must be before to.");
	return false;
}

static json_t *time_json(uint64_t ms)
{
	/* (People may ask for times that nanoseconds of 64 bits do not reach.) */
	const struct timespec t = {
		.tv_sec = (time_t)(ms / 1000),
		.tv_nsec = (long)(ms % 1000 * NS_PER_MS),
	};

	return view_time(&t);
}

static json_t *known(double value)
{
	return value > 0 ? view_real(value) : json_null();
}

static json_t *point_json(const struct history_point *p)
{
	json_auto_t *o = json_object();
	int r = 0;

	r |= view_put(o, "time", time_json(p->time_ms));
	r |= view_put(o, "live_bytes", view_real(p->live_bytes));
	r |= view_put(o, "live_count", view_real(p->live_count));
	r |= view_put(o, "rss_bytes", known(p->rss_bytes));
	r |= view_put(o, "limit_bytes", known(p->limit_bytes));
	return r < 0 ? NULL : TAKE_PTR(o);
}

static int reply_points(struct exchange *x, const struct span *s,
			const struct history_point *points, size_t n)
{
	json_auto_t *o = json_object(), *list = json_array();
	int r = 0;

	for (size_t i = 0; i < n; i++)
		r |= view_append(list, point_json(&points[i]));
	r |= view_put(o, "service", view_text(s->key.service));
	r |= view_put(o, "pid", s->key.pid ? json_integer(s->key.pid) : json_null());
	r |= view_put(o, "site", s->key.site ? view_hex(s->key.site) : json_null());
	r |= view_put(o, "from", time_json(s->from_ms));
	r |= view_put(o, "to", time_json(s->to_ms));
	r |= view_put(o, "points", TAKE_PTR(list));
	return exchange_reply(x, 200, r < 0 ? NULL : TAKE_PTR(o));
}

int history_get(struct exchange *x)
{
	struct history *history = monitor_history(x->monitor);
	_cleanup_free_ struct history_point *points = NULL;
	struct span s = { .points = POINTS_DEFAULT };
	size_t n = 0;
	int r;

	if (!read_times(x, &s) ||
	    !query_read_limit(x, "points", POINTS_DEFAULT, POINTS_MAX, &s.points) ||
	    !read_subject(x, &s.key) || !read_site(x, &s.key))
		return EXCHANGE_ANSWERED;
	if (!history)
		return exchange_refuse(x, PROBLEM_NO_HISTORY,
				       "This seepd keeps no history: it has no database.");
	r = history_read(history, &s.key, s.from_ms, s.to_ms, s.points, &points, &n);
	if (r == -ENOENT)
		return exchange_refuse(x, PROBLEM_NO_SUCH_SERIES,
				       "Nothing is kept of this; what is new comes with the next "
				       "tick.");
	if (r < 0)
		return r;
	return reply_points(x, &s, points, n);
}
