// SPDX-License-Identifier: GPL-2.0-or-later
/* What fits the budget, and when to stop. See governor_decide.h. */
#include "probe/governor_decide.h"

#include <math.h>

/*
 * A note for each tenth of what one second may cost, so that what happens between two notes is
 * small beside it; for each millisecond at most, so that a busy CPU sends at most 1000 a second.
 */
#define NOTES_PER_BURST 10
#define MIN_NOTE_NS	1e6
#define MOST_HITS	1000000000ull

/* What one second may cost is kept clear of by steady modes, whatever the budget. */
#define STEADY_PART_OF_BURST 0.8

void governor_tell_demand(struct governor *g)
{
	struct governor_rates worst = governor_worst(g);
	double demand = governor_predict(&g->prices, &worst, GOVERNOR_EXACT_INTERVAL, 1);

	if (!g->total || g->limits.is_forced)
		return;
	demand = fmin(demand, g->limits.budget_ratio);
	governor_total_demand(g->total, g->demand, demand);
	g->demand = demand;
}

struct governor_rates governor_worst(const struct governor *g)
{
	struct governor_rates worst = { 0 };

	for (uint32_t i = 0; i < g->n_recent; i++)
		governor_rates_raise(&worst, &g->recent[i]);
	return worst;
}

double governor_allowed(const struct governor *g)
{
	double allowed = fmin(g->ledger.growth * governor_share(g),
			      STEADY_PART_OF_BURST * g->limits.burst_ratio);

	/* A debt is to be paid within a minute. */
	if (g->ledger.level_ns < 0)
		allowed += g->ledger.level_ns / (double)GOVERNOR_MINUTE_NS;
	return fmax(allowed, 0);
}

double governor_instant_cost(const struct governor *g)
{
	return governor_cost_ns(&g->prices, &g->instant) / (double)GOVERNOR_SECOND_NS;
}

uint64_t governor_choose(const struct governor *g, uint64_t from, double allowed)
{
	const struct governor_limits *l = &g->limits;
	struct governor_rates worst = governor_worst(g);
	uint64_t interval = from;

	while (interval != GOVERNOR_NO_INTERVAL &&
	       governor_predict(&g->prices, &worst, interval, g->taken_factor) > allowed)
		interval = governor_longer_interval(interval, l->interval_bytes,
						    l->max_interval_bytes);
	return interval;
}

enum governor_reason governor_why_less(const struct governor *g)
{
	struct governor_rates worst = governor_worst(g);
	double cost = governor_predict(&g->prices, &worst, GOVERNOR_EXACT_INTERVAL, 1);

	return cost <= g->ledger.growth && governor_share(g) < 1 ? GOVERNOR_SHARED :
								   GOVERNOR_BUDGET;
}

static double note_ns(const struct governor *g)
{
	double burst_ns = g->limits.burst_ratio * (double)GOVERNOR_SECOND_NS;

	return fmax(burst_ns / NOTES_PER_BURST / g->limits.n_cpus, MIN_NOTE_NS);
}

double governor_unseen_ns(const struct governor *g)
{
	return note_ns(g) * g->limits.n_cpus;
}

/* Share of the allocation calls whose block is taken, as far as known. */
static double taken_share(const struct governor *g)
{
	struct governor_rates worst = governor_worst(g);

	if (g->plan.mode == GOVERNOR_COUNT)
		return 0;
	if (g->plan.interval_bytes == GOVERNOR_EXACT_INTERVAL || !(worst.allocations > 0))
		return 1;
	return g->taken_factor * governor_most_taken(&worst, g->plan.interval_bytes) /
	       worst.allocations;
}

uint64_t governor_alarm_hits(const struct governor *g)
{
	const struct governor_prices *p = &g->prices;
	double dearest, hits;

	if (g->limits.is_forced || g->plan.probes == GOVERNOR_PROBES_NONE)
		return 0;
	/* A burst may be of allocations or of frees only. */
	dearest = fmax(p->skip_ns + taken_share(g) * (p->return_ns + p->block_ns), p->free_ns);
	hits = note_ns(g) / fmax(dearest, 1e-3);
	if (hits >= (double)MOST_HITS)
		return MOST_HITS;
	return hits > 1 ? (uint64_t)hits : 1;
}

bool governor_must_stop(const struct governor *g, enum governor_reason *ret_reason)
{
	double left_ns = g->plan.next_ns > g->now_ns ? (double)(g->plan.next_ns - g->now_ns) : 0;
	double rate = governor_instant_cost(g);
	double ahead_ns, second_ns;

	if (rate <= governor_allowed(g))
		return false;
	/* What will be spent before the next look, and while the probes are removed. */
	ahead_ns = fmin(governor_unseen_ns(g), rate * left_ns) + rate * g->removal_ns;
	/* One slot more: a second that begins anywhere in the oldest one is meant, too. */
	second_ns = governor_spending_sum(&g->second, g->now_ns,
					  GOVERNOR_SECOND_NS + g->second.slot_ns);
	if (second_ns + ahead_ns >= g->limits.burst_ratio * (double)GOVERNOR_SECOND_NS)
		*ret_reason = GOVERNOR_BURST;
	else if (g->ledger.level_ns - ahead_ns <= 0)
		*ret_reason = GOVERNOR_BUDGET;
	else if (g->total && g->total->ledger.level_ns + g->booked_ns - ahead_ns <= 0)
		*ret_reason = GOVERNOR_SHARED;
	else
		return false;
	return true;
}
