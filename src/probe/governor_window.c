// SPDX-License-Identifier: GPL-2.0-or-later
/* When a window opens, how long it is and what comes after it. See governor_decide.h. */
#include "probe/governor_decide.h"

#include <math.h>

/* However long a wait is, things may have changed meanwhile. */
#define LONGEST_WAIT_NS	 (10 * GOVERNOR_MINUTE_NS)
#define SHORTEST_WAIT_NS 10000000ull
/* Frees are watched no longer than this after a window. */
#define LONGEST_WATCH_NS GOVERNOR_MINUTE_NS

/* Probe hits that no sampling avoids, as a share of one core. */
static double trap_cost(const struct governor *g, const struct governor_rates *rates)
{
	return governor_predict(&g->prices, rates, GOVERNOR_NO_INTERVAL, 0);
}

/* The shortest interval with which a window spends no more on blocks than on hits. */
static uint64_t window_interval(const struct governor *g, const struct governor_rates *rates)
{
	const struct governor_limits *l = &g->limits;
	double enough = 2 * trap_cost(g, rates);
	uint64_t interval = l->interval_bytes, longer = interval;

	while (longer != GOVERNOR_NO_INTERVAL) {
		interval = longer;
		if (governor_predict(&g->prices, rates, interval, g->taken_factor) <= enough)
			break;
		longer = governor_longer_interval(interval, l->interval_bytes,
						  l->max_interval_bytes);
	}
	return interval;
}

static double free_cost(const struct governor *g)
{
	struct governor_rates worst = governor_worst(g);

	return worst.frees * g->prices.free_ns / (double)GOVERNOR_SECOND_NS;
}

/* How long frees can be watched for a share of what a window costs, until removing begins. */
static double watch_ns(const struct governor *g, double pay_ns)
{
	double ratio = g->limits.watch_ratio;
	double cost = free_cost(g), ns;

	if (!(ratio > 0) || cost >= g->limits.burst_ratio / 2)
		return 0;
	if (!(cost > 0))
		return LONGEST_WATCH_NS;
	ns = ratio / (1 + ratio) * pay_ns / cost - g->removal_ns;
	return ns < (double)g->limits.min_window_ns ? 0 : fmin(ns, LONGEST_WATCH_NS);
}

/*
 * The next window: as long as half of the reserve pays for, and as one second may cost, with the
 * time that removing takes. False: not even the shortest one can be paid, and why.
 */
static bool size_window(struct governor *g, enum governor_reason *ret_reason)
{
	const struct governor_limits *l = &g->limits;
	struct governor_rates worst = governor_worst(g);
	uint64_t interval = window_interval(g, &worst);
	double rate = governor_predict(&g->prices, &worst, interval, g->taken_factor);
	double attach_ns = fmin(rate, 1) * g->prices.attach_ns;
	double fixed_ns = rate * g->removal_ns + attach_ns;
	double shortest_ns = rate * (double)l->min_window_ns + fixed_ns;
	double second_ns = l->burst_ratio * (double)GOVERNOR_SECOND_NS;
	double most_ns = g->ledger.capacity_ns;
	double pay_ns = fmax(most_ns * governor_share(g) / 2, shortest_ns);
	double watched_ns = watch_ns(g, pay_ns);
	double watch_factor = watched_ns > 0 ? 1 + l->watch_ratio : 1;
	double length_ns, cost_ns;

	/* Watching frees goes on before and after the window, within the same second. */
	if (watched_ns > 0)
		second_ns -= free_cost(g) * (double)GOVERNOR_SECOND_NS;
	*ret_reason = GOVERNOR_TOO_BUSY;
	if (shortest_ns > second_ns || shortest_ns > most_ns)
		return false;
	*ret_reason = GOVERNOR_SHARED;
	if (g->total)
		most_ns = fmin(most_ns, g->total->ledger.capacity_ns - g->total->reserve_ns);
	if (shortest_ns > most_ns)
		return false;
	length_ns = rate > 0 ? (pay_ns / watch_factor - fixed_ns) / rate : INFINITY;
	if (rate * (double)GOVERNOR_SECOND_NS + attach_ns > second_ns)
		length_ns = fmin(length_ns, (second_ns - fixed_ns) / rate);
	length_ns = fmax(fmin(length_ns, (double)l->max_window_ns), (double)l->min_window_ns);
	cost_ns = rate * length_ns + fixed_ns;
	g->window = (struct governor_window){
		.length_ns = (uint64_t)length_ns,
		.watch_ns = (uint64_t)watched_ns,
		.interval_bytes = interval,
		.need_ns = fmin(cost_ns * watch_factor, most_ns),
		.second_ns = fmin(cost_ns, rate * (double)GOVERNOR_SECOND_NS + attach_ns),
	};
	return true;
}

/* When the next window can be paid. */
static uint64_t window_time(struct governor *g)
{
	double burst_ns = g->limits.burst_ratio * (double)GOVERNOR_SECOND_NS;
	double need_ns = g->window.need_ns;
	double wait_ns = governor_ledger_wait_ns(&g->ledger, need_ns, governor_share(g));
	double second_ns = governor_spending_sum(&g->second, g->now_ns,
						 GOVERNOR_SECOND_NS + g->second.slot_ns);

	if (second_ns > 0 && second_ns + g->window.second_ns > burst_ns)
		wait_ns = fmax(wait_ns, (double)g->second.slot_ns);
	if (g->total && wait_ns > 0) {
		/* Who cannot pay does not stand in the way of others. */
		governor_total_leave(g->total, &g->turn);
	} else if (g->total) {
		governor_total_join(g->total, &g->turn, need_ns);
		wait_ns = governor_total_wait_ns(g->total, &g->turn);
	}
	return wait_ns > 0 ? governor_later(g->now_ns, fmax(wait_ns, SHORTEST_WAIT_NS)) : g->now_ns;
}

static void leave_queue(struct governor *g)
{
	if (g->total)
		governor_total_leave(g->total, &g->turn);
}

void governor_spend_nothing(struct governor *g)
{
	if (g->total)
		governor_total_demand(g->total, g->demand, 0);
	g->demand = 0;
	leave_queue(g);
}

/* Nothing can be traced, but for a count now and then. */
static bool give_up(struct governor *g, enum governor_reason reason)
{
	governor_spend_nothing(g);
	return governor_set_plan(g, GOVERNOR_NONE, GOVERNOR_PROBES_NONE, 0, reason);
}

bool governor_plan_window(struct governor *g)
{
	enum governor_reason reason;
	uint64_t when_ns;

	if (!size_window(g, &reason))
		return give_up(g, reason);
	when_ns = window_time(g);
	if (when_ns <= g->now_ns) {
		leave_queue(g);
		governor_book(g, g->window.need_ns);
		return governor_set_plan(g, GOVERNOR_WINDOWED, GOVERNOR_PROBES_ALL,
					 g->window.interval_bytes, g->plan.reason);
	}
	g->window_begin_ns = when_ns;
	g->plan.next_ns = governor_later(g->now_ns, LONGEST_WAIT_NS);
	if (when_ns < g->plan.next_ns)
		g->plan.next_ns = when_ns;
	if (g->in_place == GOVERNOR_PROBES_FREES && g->watch_end_ns < g->plan.next_ns)
		g->plan.next_ns = g->watch_end_ns;
	return false;
}

bool governor_close_window(struct governor *g, enum governor_reason reason, bool may_watch)
{
	bool is_watched = may_watch && g->window.watch_ns > 0;
	uint64_t interval_bytes = g->plan.interval_bytes;

	if (interval_bytes == GOVERNOR_EXACT_INTERVAL)
		interval_bytes = g->limits.interval_bytes;
	return governor_set_plan(g, GOVERNOR_WINDOWED,
				 is_watched ? GOVERNOR_PROBES_FREES : GOVERNOR_PROBES_NONE,
				 interval_bytes, reason);
}

bool governor_window_applied(struct governor *g)
{
	if (g->in_place == GOVERNOR_PROBES_ALL) {
		g->plan.next_ns = governor_later(g->now_ns, (double)g->window.length_ns);
		return false;
	}
	if (g->in_place == GOVERNOR_PROBES_FREES)
		g->watch_end_ns = governor_later(g->now_ns, (double)g->window.watch_ns);
	return governor_plan_window(g);
}
