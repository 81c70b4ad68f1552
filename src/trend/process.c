// SPDX-License-Identifier: GPL-2.0-or-later
/* One life of a process. See process.h. */
#include "trend/process.h"

#include <errno.h>
#include <math.h>

#include "trend/process_state.h"

#define LEAST_HEADROOM 0.02 /* of the first headroom */

#define OFTEN	    10 /* ticks */
#define SELDOM	    60
#define OFTEN_UNTIL 720
/* The limit is near while this much of the headroom is left, as a factor of what is alarming. */
#define NEAR	    2

#define LEAST_SITE_BYTES 65536.0
#define LEAST_SITE_SHARE 0.0005

struct trend_process *trend_process_new(void)
{
	return calloc(1, sizeof(struct trend_process));
}

struct trend_process *trend_process_free(struct trend_process *p)
{
	free(p);
	return NULL;
}

static bool is_amount(double v)
{
	return v > 0 && isfinite(v);
}

/* Moves the clock to now; usage counts from the last tick up to now. */
static void advance(struct trend_process *p, uint32_t now, float usage)
{
	while (p->now < now) {
		struct cohort_merge m[2];
		unsigned n = cohort_merges_at(p->now + 1, m);
		struct cohort_layout layout;

		for (unsigned i = 0; i < n; i++) {
			double work = p->work[m[i].older] + p->work[m[i].younger];
			float start = p->usage[m[i].older];

			p->work[m[i].older] = p->work[m[i].younger] = 0;
			p->work[m[i].into] = work;
			p->usage[m[i].into] = start;
		}
		p->now++;
		cohort_layout_set(&layout, p->now);
		p->usage[cohort_slot(&layout, p->now - 1)] = usage;
	}
}

/* The work of the ticks from "from" up to now, spread evenly. */
static void add_work(struct trend_process *p, uint32_t from, double work)
{
	struct cohort_layout layout;

	cohort_layout_set(&layout, p->now);
	for (uint32_t t = from; t < p->now; t++)
		p->work[cohort_slot(&layout, t)] += work / (p->now - from);
}

int trend_process_tick(struct trend_process *p, uint32_t now, const struct trend_process_input *in)
{
	uint32_t from = p->now;
	double work;

	if (now <= p->now || !is_amount(in->usage_bytes) || !is_amount(in->limit_bytes))
		return -EINVAL;
	if (p->now == 0)
		p->first_usage = in->usage_bytes;
	work = in->allocations > p->last.allocations ?
		       (double)(in->allocations - p->last.allocations) :
		       0;
	advance(p, now, (float)(from == 0 ? in->usage_bytes : p->last.usage_bytes));
	add_work(p, from, work);
	floors_add(&p->floors, now - 1, (struct floor_point){ .bytes = (float)in->usage_bytes });
	p->last = *in;
	return 0;
}

uint32_t trend_process_now(const struct trend_process *p)
{
	return p->now;
}

bool trend_process_evaluation_due(const struct trend_process *p, const struct trend_options *o)
{
	double left = p->last.limit_bytes - p->last.usage_bytes;
	uint32_t every = SELDOM;

	if (p->now < OFTEN_UNTIL ||
	    left < NEAR * o->exhaustion_left * trend_process_first_headroom(p))
		every = OFTEN;
	/* (The very tick may have been left out.) */
	return p->now / every > p->evaluated / every;
}

void process_sum_up(struct trend_process *p)
{
	struct cohort_walk walk;
	double work = 0;
	unsigned i = 0;
	int slot;

	cohort_layout_set(&p->layout, p->now);
	cohort_walk_init(&walk, &p->layout);
	while ((slot = cohort_walk_next(&walk)) >= 0) {
		p->work_sums[i] = work;
		p->usage_at[i] = p->usage[slot];
		work += p->work[slot];
		i++;
	}
	p->work_sums[i] = work;
	p->usage_at[i] = p->last.usage_bytes;
}

void trend_process_evaluate(struct trend_process *p)
{
	p->evaluated = p->now;
	process_sum_up(p);
	p->growth = p->growth_next;
	p->growth_next = 0;
	p->leak_rate = p->leak_rate_next;
	p->leak_rate_next = 0;
}

double trend_process_first_headroom(const struct trend_process *p)
{
	/* A process may be found when it is at its limit already. */
	return fmax(p->last.limit_bytes - p->first_usage, LEAST_HEADROOM * p->last.limit_bytes);
}

double trend_process_least_bytes(const struct trend_process *p)
{
	return fmax(LEAST_SITE_BYTES, LEAST_SITE_SHARE * trend_process_first_headroom(p));
}

/* Wilson's score bound, one-sided, z = 1.645. */
double trend_process_lost_share(const struct trend_process *p)
{
	double lost = (double)p->last.lost_frees;
	double n = (double)p->last.frees + lost;
	double z2 = 1.645 * 1.645;
	double share;

	if (!(lost > 0))
		return 0;
	share = lost / n;
	return (share + z2 / (2 * n) + sqrt(z2 * (share * (1 - share) / n + z2 / (4 * n * n)))) /
	       (1 + z2 / n);
}

double process_headroom_at(const struct trend_process *p, double tick, double without_bytes)
{
	struct cohort_mark m = cohort_mark(&p->layout, tick);

	return fmax(p->last.limit_bytes - p->usage_at[m.index] - without_bytes,
		    LEAST_HEADROOM * trend_process_first_headroom(p));
}

double process_headroom(const struct trend_process *p)
{
	return fmax(p->last.limit_bytes - p->last.usage_bytes,
		    LEAST_HEADROOM * trend_process_first_headroom(p));
}

double process_growth_rate(const struct trend_process *p)
{
	uint32_t quarter = p->now / 4;
	uint32_t near = p->now / 20;
	uint32_t then = p->now - quarter;
	double before, after;

	if (quarter == 0)
		return 0;
	before = floors_least(&p->floors, then > near ? then - near : 0, then).bytes;
	after = floors_least(&p->floors, p->now - near, p->now).bytes;
	return after > before ? (after - before) / quarter : 0;
}
