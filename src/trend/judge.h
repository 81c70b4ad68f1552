/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The tests of one site at one evaluation; for src/trend only. */
#ifndef SEEP_TREND_JUDGE_H
#define SEEP_TREND_JUDGE_H

#include <stdbool.h>

#include "trend/envelope.h"
#include "trend/evidence.h"
#include "trend/floors.h"
#include "trend/options.h"
#include "trend/process_state.h"
#include "trend/profile.h"
#include "trend/window.h"

/* What the tests read; everything is borrowed for the time of one evaluation. */
struct subject {
	const struct trend_options *options;
	const struct trend_process *process;
	const struct trend_profile *profile; /* NULL: no earlier life */
	const struct envelope *envelope;
	const struct floors *floors;
	struct life life;
	double lifetime; /* A* */
	double live_bytes;
	double live_blocks;
	/* The life is over and its last moment is judged: growth is asked for, patience is not. */
	bool at_end;
};

/* One positive test. */
struct finding {
	enum trend_channel channel;
	bool leaking; /* else suspect */
	struct window window;
	struct presence presence;
	struct steadiness window_rate;
	struct steadiness life_rate;
	double survival;
	double maturity;
	double bytes_per_tick;
	double ticks_to_limit; /* when the growth began */
	double waited;
	double required;
	/* On the largest scale that shows the same: */
	double grows_for; /* ticks, in this life */
	double ticks_to_limit_then;
	double known;
	double proven;
};

/* Ticks in earlier lives that were observed, or looked like leaks. */
double subject_observed(const struct subject *s);
double subject_carry(const struct subject *s);

/*
 * How well the growth since "from" is known not to be normal: 0 if the site has been watched for
 * at most twice as long as it grows, 1 from four times on, in between by the logarithm.
 */
double subject_known(const struct subject *s, const struct window *w, double old_before);

/* Ticks of growth that are asked for. */
double patience_required(const struct trend_options *o, const struct trend_patience *patience,
			 double ticks_to_limit, double known, bool has_carry);

/* Survivors of cohorts on every scale. Sets *ret and returns true if one is at least suspect. */
bool judge_cohorts(const struct subject *s, struct finding *ret);

/*
 * The same without the gate of lifetimes, for sites known from earlier lives. confirms: exhaustion
 * was found already; then also for unknown sites, if it has gone on for half of the life.
 */
bool judge_known(const struct subject *s, bool confirms, struct finding *ret);

/*
 * The largest scale from that of a finding on which the same survivors are flat as well: since when
 * it grows. Sets f->grows_for and ->ticks_to_limit_then by it, and *ret to its window.
 */
void judge_longest(const struct subject *s, struct finding *f, struct window *ret);

/*
 * The window of one width with its measures, positive or not; false if there are too few slices.
 * For a verdict that stands already, and needs clearly worse values to fall.
 */
bool judge_measure(const struct subject *s, uint32_t width, bool gated, struct finding *ret);

/* Few blocks that get ever larger, such as a vector that doubles. */
bool judge_few_blocks(const struct subject *s, struct finding *ret);

/*
 * Most of the growth of a process that nears its limit. growth: by which the floor of live bytes
 * rose since a quarter of the life; *ret_growth is set always.
 */
bool judge_exhaustion(const struct subject *s, struct finding *ret, double *ret_growth);

/* The widths that are tested, ascending; 0 ends the list. */
extern const uint32_t judge_widths[];

#endif
