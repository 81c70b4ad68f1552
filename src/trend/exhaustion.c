// SPDX-License-Identifier: GPL-2.0-or-later
/* Who fills the memory that runs out. See judge.h. */
#include <math.h>

#include "trend/judge.h"

#define SHORTEST    60	 /* ticks of life */
#define NEAR	    20	 /* a floor is the least of this part of the life */
#define OF_GROWTH   0.5	 /* of the process' growth since a quarter of its life */
#define OF_HEADROOM 0.15 /* of the first headroom */
#define STEADY	    0.5	 /* the last quarter's growth, of the mean of the three since a quarter */
#define OLD	    8	 /* blocks that survived this part of the life ... */
#define OF_OLD	    0.5	 /* ... must make this part of the growth: load alone is young */

static double floor_at(const struct subject *s, uint32_t tick)
{
	uint32_t near = s->process->now / NEAR + 1;

	return floors_least(s->floors, tick > near ? tick - near : 0, tick).bytes;
}

bool judge_exhaustion(const struct subject *s, struct finding *ret, double *ret_growth)
{
	const struct trend_process *p = s->process;
	double first_headroom = trend_process_first_headroom(p);
	double left = fmax(0, p->last.limit_bytes - p->last.usage_bytes);
	double peak = s->profile ? s->profile->peak : 0;
	double now_floor = floor_at(s, p->now - 1);
	double growth = now_floor - floor_at(s, p->now / 4);
	double old = p->now - floor(p->now / (double)OLD); /* born before */
	double last_quarter;

	*ret_growth = fmax(0, growth);
	if (p->now < SHORTEST || left >= s->options->exhaustion_left * first_headroom)
		return false;
	if (!(growth > OF_GROWTH * p->growth) || !(growth > OF_HEADROOM * first_headroom) ||
	    !(s->live_bytes > s->options->envelope_margin * peak))
		return false;
	if (cohort_sum_at(s->life.sums->bytes, cohort_mark(s->life.layout, old)) < OF_OLD * growth)
		return false;
	last_quarter = now_floor - floor_at(s, p->now - p->now / 4);
	/* At the pace of the last quarter of the life, the limit is one more life away at most. */
	if (last_quarter < STEADY * growth / 3 || left > last_quarter * 4)
		return false;
	*ret = (struct finding){
		.channel = TREND_BY_EXHAUSTION,
		.leaking = true,
		.bytes_per_tick = last_quarter / (p->now / 4.0),
		.waited = p->now,
		.maturity = 1,
		.proven = peak,
	};
	ret->ticks_to_limit = left / ret->bytes_per_tick;
	return true;
}
