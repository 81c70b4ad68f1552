/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Equal slices of birth time, and what their survivors say.
 *
 * A leak leaves survivors in every slice that had births, as many from the young slices as from the
 * old ones, and none of them dies. Each of the measures below fails for some kind of memory that
 * only looks like a leak: presence for steps and batches, steadiness for caches that warm up,
 * survival for lifetimes that are not over yet.
 */
#ifndef SEEP_TREND_WINDOW_H
#define SEEP_TREND_WINDOW_H

#include <stdbool.h>
#include <stdint.h>

#include "trend/cohorts.h"

#define WINDOW_SLICES 16

/* Everything a test reads: one site's running sums, and its process' work at the same marks. */
struct life {
	const struct cohort_layout *layout;
	const struct cohort_sums *sums;
	const double *work; /* running allocations of all sites: the clock of work; borrowed */
};

struct slice {
	double bytes;  /* live */
	double blocks; /* live, seen */
	double births;
	double work; /* allocations of other sites */
};

/* What was born in [from, to) ticks. */
struct slice life_slice(const struct life *life, double from, double to);

struct window {
	uint32_t from;	/* tick */
	uint32_t width; /* ticks */
	unsigned n;	/* slices, oldest first */
	struct slice slices[WINDOW_SLICES];
	struct slice sum;
};

/*
 * The newest slices of this width, aligned to it, that are at least "maturity" ticks old: at most
 * 16, as many as the life has. false, and nothing set, if there are fewer than least.
 */
bool window_take(const struct life *life, uint32_t width, double maturity, unsigned least,
		 struct window *ret);

struct presence {
	unsigned active; /* slices with births: at least a tenth of the mean */
	unsigned
		positive; /* of those, with survivors: at least a fifth of their median, in bytes */
	unsigned last;	  /* index of the youngest positive slice, if any */
	unsigned gap;	  /* median distance of two positive slices, in slices; 0: fewer than two */
	double share;	  /* positive / active; 0 without active slices */
};

struct presence window_presence(const struct window *w);

/*
 * Rates of a young part over those of an old part, each by another clock. Growth counts as steady
 * if it is by any of them: by time; by the work the process did; by births, where at most half of
 * what is born survives (else births are the growth itself, and tell nothing).
 */
struct steadiness {
	double time;
	double work;	 /* 0: no work seen */
	double survival; /* 0: not applicable */
	double best;
};

/* The young half of the window over its old half. A ratio without an old part is 99. */
struct steadiness window_steadiness(const struct window *w);

/*
 * The whole life in 16 parts up to the maturity age: the mean of parts 9 to 16 over that of parts 5
 * to 8, each without its largest part, so that a single step does not matter. A logarithm that
 * looks straight through a window is caught by it. .best is 99 if the life is too short (64 ticks).
 */
struct steadiness life_steadiness(const struct life *life, double maturity);

/* Survival per birth of the old half over that of the young half; 99 if no young one survives. */
double window_survival(const struct window *w);

#endif
