// SPDX-License-Identifier: GPL-2.0-or-later
/* GET /v1/diff: what changed between two snapshots, or since one. */
#include "serve/handlers.h"

#include <errno.h>
#include <string.h>

#include "heap/snapshot.h"
#include "monitor.h"
#include "base/clock.h"
#include "serve/exchange.h"

const struct query_rule diff_query[] = {
	{ .name = "from" },
	{ .name = "to" },
	{ .name = "by" },
	{ .name = "sort" },
	{ .name = "limit" },
	{ .name = "include", .repeats = true },
	{ .name = "exclude", .repeats = true },
	{ .name = "filter", .repeats = true },
	{ 0 },
};

/* NULL: there is none, or the peer may not see it; answered then. */
static const struct snapshot *find_snapshot(struct exchange *x, const char *name)
{
	const struct snapshot *s = monitor_find_snapshot(x->monitor, name);

	if (!s) {
		(void)exchange_refuse(x, PROBLEM_NO_SUCH_SNAPSHOT,
				      "There is no snapshot \"%.80s\"; GET /v1/snapshots lists "
				      "those there are.",
				      name);
		return NULL;
	}
	if (!view_scope_has(x->monitor, &x->scope, s->target)) {
		(void)access_refuse(x, "see snapshots of other users' processes");
		return NULL;
	}
	return s;
}

static int take_present(struct exchange *x, uint32_t target)
{
	struct timespec wall;

	/* As a snapshot does; if it fails, the present is that of the last tick. */
	(void)monitor_read(x->monitor);
	wall = timespec_from_ns(clock_ns(CLOCK_REALTIME));
	return snapshot_take(monitor_heap(x->monitor), target, "now", wall,
			     clock_ns(CLOCK_MONOTONIC), &x->present);
}

/*
 * Both ends, looked up by name each time: a snapshot can be deleted while the answer waits.
 * 1: found; 0: answered; or a negative errno.
 */
static int find_ends(struct exchange *x, const struct snapshot **ret_from,
		     const struct snapshot **ret_to)
{
	const char *from_name = query_get(&x->query, "from"), *to_name = query_get(&x->query, "to");
	const struct snapshot *from, *to;
	int r;

	from = find_snapshot(x, from_name);
	if (!from)
		return 0;
	if (to_name && strcmp(to_name, "now") != 0) {
		to = find_snapshot(x, to_name);
		if (!to)
			return 0;
	} else {
		r = x->present ? 0 : take_present(x, from->target);
		if (r < 0)
			return r;
		to = x->present;
	}
	*ret_from = from;
	*ret_to = to;
	return 1;
}

/* Whether the two can be compared. False: answered. */
static bool are_comparable(struct exchange *x, const struct snapshot *from,
			   const struct snapshot *to)
{
	if (from->target != to->target) {
		(void)exchange_refuse(x, PROBLEM_BAD_PARAMETER,
				      "The snapshots %s and %s are of different targets; compare "
				      "two of the same.",
				      from->name, to->name);
		return false;
	}
	if (from->time_ns > to->time_ns) {
		(void)exchange_refuse(x, PROBLEM_BAD_PARAMETER,
				      "The snapshot %s is younger than %s; swap from and to.",
				      from->name, to->name);
		return false;
	}
	return true;
}

static int reply_diff(struct exchange *x)
{
	const struct snapshot *from, *to;
	json_t *o = NULL;
	int r;

	r = find_ends(x, &from, &to);
	if (r <= 0)
		return r;
	if (!are_comparable(x, from, to))
		return EXCHANGE_ANSWERED;
	r = view_changes(x->monitor, &x->scope, from, to, &x->options, &o);
	if (r < 0)
		return r;
	return exchange_reply(x, 200, o);
}

int diff_get(struct exchange *x)
{
	const struct snapshot *from, *to;
	int r;

	if (!query_get(&x->query, "from"))
		return exchange_refuse(x, PROBLEM_BAD_PARAMETER,
				       "The parameter from is missing: name the snapshot to "
				       "compare with.");
	if (!sites_read_options(x))
		return EXCHANGE_ANSWERED;
	r = find_ends(x, &from, &to);
	if (r <= 0)
		return r;
	if (!are_comparable(x, from, to))
		return EXCHANGE_ANSWERED;
	x->scope.target = from->target;
	if (!exchange_hold(x, reply_diff))
		return EXCHANGE_ANSWERED;
	r = view_resolve_changes(x->monitor, &x->scope, from, to, exchange_resume, x);
	if (r < 0) {
		exchange_unhold(x);
		return r;
	}
	return EXCHANGE_HELD;
}
