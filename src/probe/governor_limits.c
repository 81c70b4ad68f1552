// SPDX-License-Identifier: GPL-2.0-or-later
/* What the governor of a target keeps to. See governor.h. */
#include "probe/governor_decide.h"

#define MS_NS 1000000ull

struct governor_limits governor_default_limits(uint32_t n_cpus)
{
	return (struct governor_limits){
		.budget_ratio = 0.02,
		.burst_ratio = 0.15,
		.count_ns = 200 * MS_NS,
		/* The time that removing takes comes on top. */
		.min_window_ns = 20 * MS_NS,
		.max_window_ns = 5 * GOVERNOR_SECOND_NS,
		/* Removing uprobe_multi links takes 24 to 60 ms, perf events 90 to 130 ms. */
		.removal_ns = 100 * MS_NS,
		.interval_bytes = 64 << 10,
		.max_interval_bytes = 1 << 20,
		.n_cpus = n_cpus,
	};
}

bool governor_are_sane(const struct governor_limits *l)
{
	if (!(l->budget_ratio > 0 && l->budget_ratio <= 1) ||
	    !(l->burst_ratio >= l->budget_ratio && l->burst_ratio <= 1))
		return false;
	if (l->count_ns == 0 || l->min_window_ns == 0 || l->max_window_ns < l->min_window_ns ||
	    l->max_window_ns > GOVERNOR_MINUTE_NS || l->removal_ns > GOVERNOR_MINUTE_NS)
		return false;
	if (l->interval_bytes == 0 || l->max_interval_bytes < l->interval_bytes || l->n_cpus == 0 ||
	    !(l->watch_ratio >= 0 && l->watch_ratio <= 1))
		return false;
	if (!l->is_forced)
		return true;
	return l->forced_mode == GOVERNOR_NONE || l->forced_mode == GOVERNOR_EXACT ||
	       (l->forced_mode == GOVERNOR_SAMPLED && l->forced_interval_bytes > 0);
}

bool governor_is_same_way(const struct governor_limits *a, const struct governor_limits *b)
{
	return a->is_forced == b->is_forced && a->interval_bytes == b->interval_bytes &&
	       (!a->is_forced || (a->forced_mode == b->forced_mode &&
				  a->forced_interval_bytes == b->forced_interval_bytes));
}
