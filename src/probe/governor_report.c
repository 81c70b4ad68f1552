// SPDX-License-Identifier: GPL-2.0-or-later
/* What is told of a governor, and the words for it. See governor.h. */
#include <math.h>

#include "base/cleanup.h"
#include "probe/governor.h"

const char *governor_mode_name(enum governor_mode mode)
{
	static const char *const names[GOVERNOR_MODES] = {
		[GOVERNOR_NONE] = "none",	  [GOVERNOR_COUNT] = "count",
		[GOVERNOR_EXACT] = "exact",	  [GOVERNOR_SAMPLED] = "sampled",
		[GOVERNOR_WINDOWED] = "windowed",
	};

	return (size_t)mode < ARRAY_SIZE(names) ? names[mode] : "unknown";
}

const char *governor_reason_name(enum governor_reason reason)
{
	static const char *const names[GOVERNOR_REASONS] = {
		[GOVERNOR_MEASURING] = "measuring", [GOVERNOR_FITS] = "fits",
		[GOVERNOR_FORCED] = "forced",	    [GOVERNOR_BUDGET] = "budget",
		[GOVERNOR_SHARED] = "shared",	    [GOVERNOR_BURST] = "burst",
		[GOVERNOR_TOO_BUSY] = "too_busy",   [GOVERNOR_NO_PROBES] = "no_probes",
	};

	return (size_t)reason < ARRAY_SIZE(names) ? names[reason] : "unknown";
}

struct governor_report governor_report(const struct governor *g, uint64_t now_ns)
{
	const struct governor_rates *last = &g->recent[0];
	double hits = last->allocations + last->frees;
	uint64_t now = now_ns > g->now_ns ? now_ns : g->now_ns;
	bool is_windowed = g->plan.mode == GOVERNOR_WINDOWED;
	double set_ns = governor_spending_sum(&g->set, now, GOVERNOR_MINUTE_NS);

	/* What is not measured yet. */
	if (g->in_place == GOVERNOR_PROBES_ALL)
		set_ns += (double)(now - g->now_ns);
	return (struct governor_report){
		.mode = g->plan.mode,
		.reason = g->plan.reason,
		.interval_bytes = g->plan.interval_bytes,
		.duty_ratio = fmin(set_ns / (double)GOVERNOR_MINUTE_NS, 1),
		.hits_per_second = hits,
		.ns_per_hit = hits > 0 ? governor_cost_ns(&g->prices, last) / hits : 0,
		.cost_ratio = governor_spending_sum(&g->minute, now, GOVERNOR_MINUTE_NS) /
			      (double)GOVERNOR_MINUTE_NS,
		.window_ns = is_windowed ? g->window.length_ns : 0,
		.next_window_ns = is_windowed && g->plan.probes != GOVERNOR_PROBES_ALL ?
					  g->window_begin_ns :
					  0,
	};
}
