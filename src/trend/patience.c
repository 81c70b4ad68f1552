// SPDX-License-Identifier: GPL-2.0-or-later
/* How long growth must last before it counts. See judge.h. */
#include "trend/judge.h"

#include <math.h>

double subject_observed(const struct subject *s)
{
	return s->profile ? s->profile->observed : 0;
}

double subject_carry(const struct subject *s)
{
	return s->profile && !s->at_end ? s->profile->carry : 0;
}

double subject_known(const struct subject *s, const struct window *w, double old_before)
{
	double life = s->process->now;
	double watched = subject_observed(s) + life;
	double grows = life - w->from;
	double novelty;

	/*
	 * If much had survived from before the window, beyond what is proven harmless, then the
	 * growth is not new: it is as old as the life.
	 */
	if (old_before > 0.5 * w->sum.bytes)
		grows = life;
	novelty = watched / grows;
	if (novelty <= 2)
		return 0;
	return novelty >= 4 ? 1 : log2(novelty / 2);
}

/* From cold to warm by equal factors. */
static double interpolate(double cold, double warm, double known)
{
	if (known <= 0)
		return cold;
	return known >= 1 ? warm : cold * pow(warm / cold, known);
}

double patience_required(const struct trend_options *o, const struct trend_patience *patience,
			 double ticks_to_limit, double known, bool has_carry)
{
	double share, shortest, longest, required;

	if (patience->warm <= 0)
		known = 0;
	share = interpolate(patience->cold, patience->warm, known);
	longest = interpolate(patience->longest_cold, patience->longest_warm, known);
	shortest = has_carry ? o->shortest_warm :
			       interpolate(o->shortest_cold, o->shortest_warm, known);
	required = share * ticks_to_limit;
	if (required < shortest)
		required = shortest;
	return required > longest ? longest : required;
}
