/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Blocks of one site by birth time: an aligned exponential histogram.
 *
 * Time is counted in ticks since the process came under watch; tick t is [t, t + 1), and "now" is
 * the number of ticks that are over. Births are kept by single tick while they are young, and by
 * aligned slots of 2^j ticks until they are 25 * 2^j ticks old:
 *
 *	age     0        25        50            100                 now
 *	width   1 1 1 1 1 2 2 2 2 2  4   4   4    8      8      8 ...
 *
 * 25 = 16 slices that a test looks at, 8 widths until a block is mature, and one for the edge: a
 * test on slices of width 2^j always finds slots that add up to its slices exactly.
 *
 * Which slots there are depends on "now" alone. So all sites of a process share one layout, and
 * when a tick is over exactly one pair of slots becomes one (see cohort_merges_at()).
 */
#ifndef SEEP_TREND_COHORTS_H
#define SEEP_TREND_COHORTS_H

#include <stdint.h>

/*
 * Slots of 2^12 ticks reach back 112640 ticks, eleven weeks: five are what a weekly rhythm takes.
 * What is older shares one slot, as if it had been born evenly.
 */
#define COHORT_LEVELS  13
#define COHORT_EXACT   25 /* widths */
/* A level of n slots is a ring: at most 26 of 32, and 15 of 16. */
#define COHORT_SLOTS   (32 + 16 * (COHORT_LEVELS - 1) + 1)
#define COHORT_OLDEST  (COHORT_SLOTS - 1)
/* Slots in use at once: 26, 14 per level, 15 on the last one, and the oldest. */
#define COHORT_ORDERED (26 + 14 * (COHORT_LEVELS - 2) + 15 + 1)

struct cohort_layout {
	uint32_t now;
	/* Births from edge[j + 1] up to edge[j] are in slots of 2^j ticks, earlier ones in the oldest. */
	uint32_t edge[COHORT_LEVELS + 1];
	uint16_t first[COHORT_LEVELS]; /* place in time order of the oldest slot of a level */
	uint16_t n;		       /* slots in time order */
};

void cohort_layout_set(struct cohort_layout *layout, uint32_t now);

/* Visits the slots in time order. start: first tick of the slot; returns its index in the ring. */
struct cohort_walk {
	const struct cohort_layout *layout;
	int level;
	uint32_t start;
	uint32_t width;
};

void cohort_walk_init(struct cohort_walk *walk, const struct cohort_layout *layout);
/* The ring index, with start and width set; -1 at the end. */
int cohort_walk_next(struct cohort_walk *walk);

/* The ring index of a birth before now. */
unsigned cohort_slot(const struct cohort_layout *layout, uint32_t birth);

/* What becomes one when the clock moves on to now: pairs of ring indices. */
struct cohort_merge {
	uint16_t older, younger, into;
};

/* At most two; returns how many, in the order in which they must be done. */
unsigned cohort_merges_at(uint32_t now, struct cohort_merge merges[2]);

/* A moment between slots: running sums are read off at it, within a slot by its share. */
struct cohort_mark {
	unsigned index;
	double share;
};

/* tick: at most now. */
struct cohort_mark cohort_mark(const struct cohort_layout *layout, double tick);

static inline double cohort_sum_at(const double *running, struct cohort_mark m)
{
	double sum = running[m.index];

	return m.share > 0 ? sum + m.share * (running[m.index + 1] - sum) : sum;
}

/* One site's blocks. Births are followed, what is live is counted anew by every scan. */
struct cohorts {
	uint32_t now;
	float births[COHORT_SLOTS];  /* blocks seen */
	uint32_t live[COHORT_SLOTS]; /* blocks seen */
	double bytes[COHORT_SLOTS];  /* weighted */
};

/* Moves the clock; a time that is not later changes nothing. */
void cohorts_advance(struct cohorts *c, uint32_t now);

/* Births spread evenly over the ticks from "from" up to now. layout must be that of c->now. */
void cohorts_add_births(struct cohorts *c, const struct cohort_layout *layout, uint32_t from,
			double births);

/* A scan: what is live is forgotten, then added block by block or cohort by cohort. */
void cohorts_scan_begin(struct cohorts *c);
void cohorts_scan_add(struct cohorts *c, const struct cohort_layout *layout, uint32_t birth,
		      uint32_t blocks, double bytes);

/*
 * Running sums over the slots in time order: [i] holds what was born before slot i, [n] everything.
 * A slot has at least as many births as it has live blocks.
 */
struct cohort_sums {
	double births[COHORT_ORDERED + 1];
	double live[COHORT_ORDERED + 1];
	double bytes[COHORT_ORDERED + 1];
};

void cohorts_sum(const struct cohorts *c, const struct cohort_layout *layout,
		 struct cohort_sums *ret);

#endif
