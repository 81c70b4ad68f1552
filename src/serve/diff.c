// SPDX-License-Identifier: GPL-2.0-or-later
/* GET /v1/diff: what changed between two snapshots, or since one. */
#include "serve/handlers.h"

#include <errno.h>
#include <string.h>

#include "heap/snapshot.h"
#include "monitor.h"
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
	{ .name = "all_frames" },
	{ .name = "default_excludes" },
	{ 0 },
};

/* NULL: there is none, or the peer may not see it; answered then. */
static const struct monitor_snapshot *find_snapshot(struct exchange *x, const char *name)
{
	const struct monitor_snapshot *s = monitor_find_snapshot(x->monitor, name);

	if (!s) {
		(void)exchange_refuse(x, PROBLEM_NO_SUCH_SNAPSHOT,
				      "There is no snapshot \"%.80s\"; GET /v1/snapshots lists "
				      "those there are.",
				      name);
		return NULL;
	}
	if (!view_scope_has_snapshot(x->monitor, &x->scope, s)) {
		(void)access_refuse(x, "see snapshots of other users' processes");
		return NULL;
	}
	return s;
}

/* The key of a snapshot's process among the targets of now, by its latest image; 0: it is none. */
static uint32_t find_target(struct exchange *x, const struct monitor_snapshot *s)
{
	const struct snapshot_head *head = &s->head;
	struct target *const *targets;
	size_t n = monitor_targets(x->monitor, &targets);

	if (s->taken)
		return s->taken->target;
	while (head->pid && n-- > 0)
		if (targets[n]->pid == head->pid && targets[n]->start_ticks == head->start_ticks &&
		    access_has_target(x, targets[n]))
			return targets[n]->key;
	return 0;
}

/* The present of what @from is of. 1: there it is; 0: answered; or a negative errno. */
static int find_present(struct exchange *x, const struct monitor_snapshot *from)
{
	uint32_t target = find_target(x, from);
	int r;

	if (x->present.taken)
		return 1;
	if (from->head.pid && !target)
		return exchange_refuse(x, PROBLEM_NO_SUCH_TARGET,
				       "The process %d of the snapshot %s is no target now; track "
				       "it, or name another snapshot of it in to.",
				       (int)from->head.pid, from->head.name);
	r = monitor_take_present(x->monitor, target, &x->present);
	return r < 0 ? r : 1;
}

/*
 * Looks both up by name each time: a snapshot can be deleted while the answer waits.
 * 1: found; 0: answered; or a negative errno.
 */
static int find_ends(struct exchange *x, struct view_ends *ret)
{
	const char *from_name = query_get(&x->query, "from"), *to_name = query_get(&x->query, "to");
	int r;

	ret->from = find_snapshot(x, from_name);
	if (!ret->from)
		return 0;
	ret->target_key = find_target(x, ret->from);
	if (to_name && strcmp(to_name, "now") != 0) {
		ret->to = find_snapshot(x, to_name);
		return ret->to != NULL;
	}
	r = find_present(x, ret->from);
	if (r <= 0)
		return r;
	ret->to = &x->present;
	return 1;
}

static bool are_of_one_target(const struct view_ends *ends)
{
	const struct snapshot_head *from = &ends->from->head, *to = &ends->to->head;

	if (ends->from->taken && ends->to->taken)
		return ends->from->taken->target == ends->to->taken->target;
	/* The keys of an earlier life mean nothing now. */
	return from->pid == to->pid && from->start_ticks == to->start_ticks;
}

static bool are_in_order(const struct view_ends *ends)
{
	const struct timespec *from = &ends->from->head.wall, *to = &ends->to->head.wall;

	if (ends->from->taken && ends->to->taken)
		return ends->from->taken->time_ns <= ends->to->taken->time_ns;
	return from->tv_sec < to->tv_sec ||
	       (from->tv_sec == to->tv_sec && from->tv_nsec <= to->tv_nsec);
}

/* Whether the two can be compared. False: answered. */
static bool are_comparable(struct exchange *x, const struct view_ends *ends)
{
	const char *from = ends->from->head.name, *to = ends->to->head.name;

	if (!are_of_one_target(ends)) {
		(void)exchange_refuse(x, PROBLEM_BAD_PARAMETER,
				      "The snapshots %s and %s are of different targets; compare "
				      "two of the same.",
				      from, to);
		return false;
	}
	if (!are_in_order(ends)) {
		(void)exchange_refuse(x, PROBLEM_BAD_PARAMETER,
				      "The snapshot %s is younger than %s; swap from and to.", from,
				      to);
		return false;
	}
	return true;
}

static int reply_diff(struct exchange *x)
{
	json_t *o = NULL;
	struct view_ends ends;
	int r;

	r = find_ends(x, &ends);
	if (r <= 0)
		return r;
	if (!are_comparable(x, &ends))
		return EXCHANGE_ANSWERED;
	r = view_changes(x->monitor, &ends, &x->options, &o);
	if (r < 0)
		return r;
	return exchange_reply(x, 200, o);
}

int diff_get(struct exchange *x)
{
	struct view_ends ends;
	int r;

	if (!query_get(&x->query, "from"))
		return exchange_refuse(x, PROBLEM_BAD_PARAMETER,
				       "The parameter from is missing: name the snapshot to "
				       "compare with.");
	if (!sites_read_options(x))
		return EXCHANGE_ANSWERED;
	r = find_ends(x, &ends);
	if (r <= 0)
		return r;
	if (!are_comparable(x, &ends))
		return EXCHANGE_ANSWERED;
	if (!exchange_hold(x, reply_diff))
		return EXCHANGE_ANSWERED;
	r = view_resolve_changes(x->monitor, &ends, exchange_resume, x);
	if (r < 0) {
		exchange_unhold(x);
		return r;
	}
	return EXCHANGE_HELD;
}
