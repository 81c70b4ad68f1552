// SPDX-License-Identifier: GPL-2.0-or-later
/* The governor of a target. See governor.h; windows are in governor_window.c. */
#include "probe/governor.h"

#include <errno.h>
#include <math.h>
#include <string.h>

#include "probe/governor_decide.h"

#define MS_NS 1000000ull

/* More is traced only when it fits three quarters of what is allowed: 60 % of the budget. */
#define BACK_UP		 0.75
/* How often a target is measured: near its limit, and far from it, where notes tell of bursts. */
#define NEAR_NS		 GOVERNOR_SECOND_NS
#define QUIET_NS	 (5 * GOVERNOR_SECOND_NS)
/* From one count of a target that is too busy to the next; doubles. */
#define FIRST_RETRY_NS	 GOVERNOR_MINUTE_NS
#define LONGEST_RETRY_NS (10 * GOVERNOR_MINUTE_NS)
/* From a loss of the probes to the next count; doubles until probes are in place again. */
#define FIRST_AGAIN_NS	 GOVERNOR_SECOND_NS
/* Between two questions whether the total can pay a count. */
#define ASK_AGAIN_NS	 (200 * MS_NS)
/* A measurement below this says nothing about a rate. */
#define INSTANT_NS	 (10 * MS_NS)
#define MIN_SAMPLE_NS	 MS_NS
/* Blocks that could be taken before the share of those that are is believed. */
#define MIN_TAKEN	 20

/* --- measuring ------------------------------------------------------------------------------------ */

/* What setting the probes has cost is known only when it is known how busy the target is. */
static void charge_attach(struct governor *g, const struct governor_rates *rates)
{
	double busy = governor_cost_ns(&g->prices, rates) / (double)GOVERNOR_SECOND_NS;

	if (g->owes_attach)
		governor_charge(g, g->now_ns, g->prices.attach_ns * fmin(busy, 1));
	g->owes_attach = false;
}

static void take_counts(struct governor *g, uint64_t now_ns, const struct governor_counts *counts)
{
	struct governor_rates sum = { 0 };
	uint64_t from_ns = g->now_ns;
	uint64_t elapsed_ns = now_ns > from_ns ? now_ns - from_ns : 0;

	g->now_ns = from_ns + elapsed_ns;
	governor_grow_ledgers(g);
	governor_rates_add(&sum, counts);
	governor_charge(g, from_ns, governor_cost_ns(&g->prices, &sum));
	governor_cap_ledgers(g);
	if (g->in_place == GOVERNOR_PROBES_ALL)
		governor_spending_add(&g->set, from_ns, g->now_ns, (double)elapsed_ns);
	if (!g->is_applied) {
		g->closing_sum += sum.allocations;
		return;
	}
	if (g->in_place == GOVERNOR_PROBES_NONE)
		return;
	governor_rates_add(&g->instant_sum, counts);
	g->instant_ns += elapsed_ns;
	if (g->in_place == GOVERNOR_PROBES_ALL) {
		governor_rates_add(&g->recent_sum, counts);
		g->recent_ns += elapsed_ns;
	}
	if (g->instant_ns >= INSTANT_NS) {
		g->instant = governor_rates_per_second(&g->instant_sum, g->instant_ns);
		g->instant_sum = (struct governor_rates){ 0 };
		g->instant_ns = 0;
	}
}

static void learn_taken_factor(struct governor *g)
{
	double most;

	if (g->plan.interval_bytes == GOVERNOR_EXACT_INTERVAL) {
		g->taken_factor = 1;
		return;
	}
	most = governor_most_taken(&g->recent_sum, g->plan.interval_bytes);
	if (most >= MIN_TAKEN)
		g->taken_factor = (g->taken_factor + fmin(g->recent_sum.taken / most, 1)) / 2;
}

/* Ends a measurement; one that was broken off counts as what led to that. */
static void keep_measurement(struct governor *g, bool is_broken_off)
{
	uint64_t ns = g->recent_ns > MIN_SAMPLE_NS ? g->recent_ns : MIN_SAMPLE_NS;

	learn_taken_factor(g);
	memmove(&g->recent[1], &g->recent[0], sizeof(g->recent) - sizeof(g->recent[0]));
	g->recent[0] = governor_rates_per_second(&g->recent_sum, ns);
	if (is_broken_off)
		governor_rates_raise(&g->recent[0], &g->instant);
	if (g->n_recent < GOVERNOR_MEASUREMENTS)
		g->n_recent++;
	charge_attach(g, &g->recent[0]);
	g->recent_sum = (struct governor_rates){ 0 };
	g->recent_ns = 0;
	governor_tell_demand(g);
}

/* --- plans ---------------------------------------------------------------------------------------- */

/* Hits go on while the probes are removed: for how long is seen from how many there are. */
static void begin_closing(struct governor *g)
{
	double late_ns = g->plan.next_ns < g->now_ns ? (double)(g->now_ns - g->plan.next_ns) : 0;

	g->closing_calls = g->instant.allocations;
	/* A timer that came late is part of it. */
	g->closing_sum = g->closing_calls * late_ns / (double)GOVERNOR_SECOND_NS;
}

static void end_closing(struct governor *g)
{
	double ns;

	if (!(g->closing_calls > 0))
		return;
	ns = fmin(g->closing_sum / g->closing_calls, 1) * (double)GOVERNOR_SECOND_NS;
	/*
	 * What was worse than expected is believed at once, what was better only in part: the
	 * process may have become quiet just then.
	 */
	g->removal_ns = fmax(ns, g->removal_ns + (ns - g->removal_ns) / 4);
	g->closing_calls = 0;
}

bool governor_set_plan(struct governor *g, enum governor_mode mode, enum governor_probes probes,
		       uint64_t interval_bytes, enum governor_reason reason)
{
	struct governor_plan old = g->plan;
	bool is_new =
		mode != old.mode || probes != old.probes || interval_bytes != old.interval_bytes;

	if (!is_new) {
		g->plan.reason = reason;
		return false;
	}
	if (old.probes == GOVERNOR_PROBES_ALL && probes != GOVERNOR_PROBES_ALL)
		begin_closing(g);
	g->plan = (struct governor_plan){ .mode = mode,
					  .probes = probes,
					  .interval_bytes = interval_bytes,
					  .next_ns = UINT64_MAX,
					  .reason = reason };
	g->plan.alarm_hits = governor_alarm_hits(g);
	g->is_applied = false;
	g->instant = g->instant_sum = g->recent_sum = (struct governor_rates){ 0 };
	g->instant_ns = g->recent_ns = 0;
	return true;
}

/* Counts the target's calls, as soon as that can be paid. */
static bool start_count(struct governor *g)
{
	double wait_ns = governor_ledger_wait_ns(&g->ledger, 0, governor_share(g));
	double book_ns = 0;

	if (g->total)
		book_ns = fmin(g->total->reserve_ns / 2, governor_unseen_ns(g));
	/* Not one after the other, as windows are: most targets cost next to nothing to count. */
	if (wait_ns == 0 && g->total && g->total->ledger.level_ns < book_ns) {
		wait_ns = governor_ledger_wait_ns(&g->total->ledger, book_ns, 1);
		wait_ns = fmax(wait_ns, ASK_AGAIN_NS);
		g->plan.reason = GOVERNOR_SHARED;
	}
	if (wait_ns > 0) {
		if (g->plan.reason == GOVERNOR_NO_PROBES)
			g->plan.reason = GOVERNOR_BUDGET;
		g->plan.next_ns = governor_later(g->now_ns, fmin(wait_ns, LONGEST_RETRY_NS));
		return false;
	}
	governor_book(g, book_ns);
	/* What was measured before a minute without probes says little about now. */
	g->n_recent = 0;
	return governor_set_plan(g, GOVERNOR_COUNT, GOVERNOR_PROBES_ALL, 0, GOVERNOR_MEASURING);
}

static bool trace_at(struct governor *g, uint64_t interval_bytes, enum governor_reason reason)
{
	governor_unbook(g);
	if (interval_bytes == GOVERNOR_NO_INTERVAL)
		return governor_close_window(g, reason, false);
	if (interval_bytes == GOVERNOR_EXACT_INTERVAL)
		return governor_set_plan(g, GOVERNOR_EXACT, GOVERNOR_PROBES_ALL, 0, GOVERNOR_FITS);
	return governor_set_plan(g, GOVERNOR_SAMPLED, GOVERNOR_PROBES_ALL, interval_bytes, reason);
}

/*
 * What would be traced now, if that is more than with @interval_bytes. What made it less stays among
 * the kept measurements until as many others agree.
 */
static uint64_t find_better(const struct governor *g, uint64_t interval_bytes)
{
	uint64_t better;

	if (g->ledger.level_ns < g->ledger.capacity_ns * governor_share(g) / 2 ||
	    (g->total && g->total->ledger.level_ns <= 0))
		return interval_bytes;
	better = governor_choose(g, GOVERNOR_EXACT_INTERVAL, BACK_UP * governor_allowed(g));
	return better < interval_bytes ? better : interval_bytes;
}

static bool end_count(struct governor *g, bool is_broken_off)
{
	uint64_t interval_bytes;

	keep_measurement(g, is_broken_off);
	interval_bytes = governor_choose(g, GOVERNOR_EXACT_INTERVAL, governor_allowed(g));
	return trace_at(g, interval_bytes, governor_why_less(g));
}

static bool end_window(struct governor *g, bool is_broken_off)
{
	uint64_t interval_bytes;

	keep_measurement(g, is_broken_off);
	interval_bytes = find_better(g, GOVERNOR_NO_INTERVAL);
	if (interval_bytes != GOVERNOR_NO_INTERVAL)
		return trace_at(g, interval_bytes, governor_why_less(g));
	governor_unbook(g);
	return governor_close_window(g, governor_why_less(g), !is_broken_off);
}

static void set_next_measurement(struct governor *g)
{
	double rate = governor_instant_cost(g);

	g->plan.next_ns = governor_later(
		g->now_ns, rate > governor_allowed(g) / 2 || g->n_recent < GOVERNOR_MEASUREMENTS ?
				   NEAR_NS :
				   QUIET_NS);
}

static bool measure_steady(struct governor *g)
{
	const struct governor_limits *l = &g->limits;
	uint64_t interval_bytes = g->plan.interval_bytes;
	enum governor_reason reason = g->plan.reason;
	uint64_t better;

	set_next_measurement(g);
	if (governor_must_stop(g, &reason)) {
		keep_measurement(g, true);
		interval_bytes = governor_longer_interval(interval_bytes, l->interval_bytes,
							  l->max_interval_bytes);
		if (interval_bytes != GOVERNOR_NO_INTERVAL)
			interval_bytes = governor_choose(g, interval_bytes, governor_allowed(g));
		return trace_at(g, interval_bytes, reason);
	}
	if (g->recent_ns >= GOVERNOR_SECOND_NS) {
		keep_measurement(g, false);
		better = find_better(g, interval_bytes);
		if (better < interval_bytes)
			return trace_at(g, better, governor_why_less(g));
	}
	return false;
}

static bool measure_windowed(struct governor *g)
{
	enum governor_reason reason = g->plan.reason;
	bool must_stop = governor_must_stop(g, &reason);

	switch (g->plan.probes) {
	case GOVERNOR_PROBES_ALL:
		if (must_stop || g->now_ns >= g->plan.next_ns)
			return end_window(g, must_stop);
		return false;
	case GOVERNOR_PROBES_FREES:
		if (must_stop || g->now_ns >= g->watch_end_ns)
			return governor_set_plan(g, GOVERNOR_WINDOWED, GOVERNOR_PROBES_NONE,
						 g->plan.interval_bytes, g->plan.reason);
		return governor_plan_window(g);
	case GOVERNOR_PROBES_NONE:
	default:
		return governor_plan_window(g);
	}
}

static bool plan_forced(struct governor *g)
{
	const struct governor_limits *l = &g->limits;

	g->plan.reason = GOVERNOR_FORCED;
	g->plan.next_ns = UINT64_MAX;
	if (l->forced_mode == GOVERNOR_NONE)
		return false;
	return governor_set_plan(g, l->forced_mode, GOVERNOR_PROBES_ALL,
				 l->forced_mode == GOVERNOR_SAMPLED ? l->forced_interval_bytes : 0,
				 GOVERNOR_FORCED);
}

/* --- interface ------------------------------------------------------------------------------------ */

bool governor_measure(struct governor *g, uint64_t now_ns, const struct governor_counts *counts)
{
	enum governor_reason reason = g->plan.reason;
	bool must_stop;

	take_counts(g, now_ns, counts);
	if (!g->is_applied)
		return false;
	if (g->limits.is_forced) {
		if (g->plan.reason == GOVERNOR_NO_PROBES)
			return g->now_ns >= g->plan.next_ns && plan_forced(g);
		if (g->recent_ns >= GOVERNOR_SECOND_NS)
			keep_measurement(g, false);
		g->plan.next_ns = governor_later(g->now_ns, QUIET_NS);
		return false;
	}
	switch (g->plan.mode) {
	case GOVERNOR_COUNT:
		must_stop = governor_must_stop(g, &reason);
		if (must_stop || g->now_ns >= g->plan.next_ns)
			return end_count(g, must_stop);
		return false;
	case GOVERNOR_EXACT:
	case GOVERNOR_SAMPLED:
		return measure_steady(g);
	case GOVERNOR_WINDOWED:
		return measure_windowed(g);
	case GOVERNOR_NONE:
	default:
		return g->now_ns >= g->plan.next_ns ? start_count(g) : false;
	}
}

bool governor_applied(struct governor *g, uint64_t now_ns, const struct governor_counts *counts)
{
	enum governor_probes before = g->in_place;

	take_counts(g, now_ns, counts);
	g->in_place = g->plan.probes;
	g->is_applied = true;
	if (before == GOVERNOR_PROBES_NONE && g->in_place != GOVERNOR_PROBES_NONE)
		g->owes_attach = true;
	if (before == GOVERNOR_PROBES_ALL && g->in_place != GOVERNOR_PROBES_ALL)
		end_closing(g);
	if (g->in_place != GOVERNOR_PROBES_NONE)
		g->again_ns = FIRST_AGAIN_NS;
	if (g->limits.is_forced) {
		g->plan.next_ns = governor_later(g->now_ns, QUIET_NS);
		return false;
	}
	switch (g->plan.mode) {
	case GOVERNOR_COUNT:
		g->plan.next_ns = governor_later(g->now_ns, (double)g->limits.count_ns);
		return false;
	case GOVERNOR_EXACT:
	case GOVERNOR_SAMPLED:
		g->retry_ns = FIRST_RETRY_NS;
		g->plan.next_ns = governor_later(g->now_ns, NEAR_NS);
		return false;
	case GOVERNOR_WINDOWED:
		if (g->in_place == GOVERNOR_PROBES_ALL)
			g->retry_ns = FIRST_RETRY_NS;
		return governor_window_applied(g);
	case GOVERNOR_NONE:
	default:
		g->plan.next_ns = governor_later(g->now_ns, (double)g->retry_ns);
		g->retry_ns *= 2;
		if (g->retry_ns > LONGEST_RETRY_NS)
			g->retry_ns = LONGEST_RETRY_NS;
		return false;
	}
}

void governor_lost(struct governor *g, uint64_t now_ns, const struct governor_counts *counts)
{
	take_counts(g, now_ns, counts);
	governor_unbook(g);
	governor_spend_nothing(g);
	(void)governor_set_plan(g, GOVERNOR_NONE, GOVERNOR_PROBES_NONE, 0, GOVERNOR_NO_PROBES);
	g->in_place = GOVERNOR_PROBES_NONE;
	g->is_applied = true;
	/* That they went says nothing about how long removing takes. */
	g->closing_calls = 0;
	g->plan.next_ns = governor_later(g->now_ns, (double)g->again_ns);
	g->again_ns *= 2;
	if (g->again_ns > LONGEST_RETRY_NS)
		g->again_ns = LONGEST_RETRY_NS;
}

void governor_set_prices(struct governor *g, const struct governor_prices *prices)
{
	g->prices = governor_clean_prices(prices);
	g->plan.alarm_hits = governor_alarm_hits(g);
}

static int begin(struct governor *g, const struct governor_limits *limits,
		 const struct governor_prices *prices, struct governor_total *total,
		 uint64_t now_ns)
{
	if (!governor_are_sane(limits))
		return -EINVAL;
	memset(g, 0, sizeof(*g));
	g->limits = *limits;
	g->prices = governor_clean_prices(prices);
	g->total = total;
	g->now_ns = now_ns;
	g->taken_factor = 1;
	g->removal_ns = (double)limits->removal_ns;
	g->retry_ns = FIRST_RETRY_NS;
	g->again_ns = FIRST_AGAIN_NS;
	g->is_applied = true;
	governor_ledger_init(&g->ledger, limits->budget_ratio,
			     limits->burst_ratio * (double)GOVERNOR_SECOND_NS, now_ns);
	governor_spending_init(&g->second, GOVERNOR_SECOND_NS / 16);
	governor_spending_init(&g->minute, GOVERNOR_SECOND_NS);
	governor_spending_init(&g->set, GOVERNOR_SECOND_NS);
	return 0;
}

static int start(struct governor *g)
{
	return g->limits.is_forced ? plan_forced(g) : start_count(g);
}

int governor_init(struct governor *g, const struct governor_limits *limits,
		  const struct governor_prices *prices, struct governor_total *total,
		  uint64_t now_ns)
{
	int r = begin(g, limits, prices, total, now_ns);

	if (r == 0)
		r = limits->is_forced ? plan_forced(g) : start_count(g);
	return r;
}

int governor_set_limits(struct governor *g, const struct governor_limits *limits, uint64_t now_ns,
			const struct governor_counts *counts)
{
	bool is_same = governor_is_same_way(&g->limits, limits);

	if (!governor_are_sane(limits))
		return -EINVAL;
	take_counts(g, now_ns, counts);
	g->limits = *limits;
	governor_ledger_change(&g->ledger, limits->budget_ratio,
			       limits->burst_ratio * (double)GOVERNOR_SECOND_NS);
	if (is_same)
		return 0;
	governor_unbook(g);
	governor_spend_nothing(g);
	return start(g);
}

int governor_resume(struct governor *g, const struct governor_limits *limits,
		    const struct governor_prices *prices, struct governor_total *total,
		    uint64_t now_ns, enum governor_mode mode, uint64_t interval_bytes)
{
	int r = begin(g, limits, prices, total, now_ns);

	if (r < 0)
		return r;
	/* Not to be paid for again. */
	g->in_place = GOVERNOR_PROBES_ALL;
	if (limits->is_forced)
		return plan_forced(g);
	if (mode == GOVERNOR_EXACT)
		return trace_at(g, GOVERNOR_EXACT_INTERVAL, GOVERNOR_FITS);
	if (mode == GOVERNOR_SAMPLED && interval_bytes >= limits->interval_bytes &&
	    interval_bytes <= limits->max_interval_bytes)
		return trace_at(g, interval_bytes, GOVERNOR_BUDGET);
	return start_count(g);
}

void governor_done(struct governor *g)
{
	governor_unbook(g);
	if (g->total) {
		governor_total_leave(g->total, &g->turn);
		governor_total_demand(g->total, g->demand, 0);
	}
	g->demand = 0;
	g->total = NULL;
}
