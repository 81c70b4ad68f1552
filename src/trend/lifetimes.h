/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * How old the blocks of a site get: ages at free in bins of a quarter octave, and the longest age
 * at which blocks are known to die, by the hazard of Kaplan and Meier (1958).
 *
 * Blocks that are still live, or were when an earlier life of the process ended, are censored: they
 * have reached an age, and nobody knows what they would have reached. Without them a restart would
 * make leaked blocks look dead.
 */
#ifndef SEEP_TREND_LIFETIMES_H
#define SEEP_TREND_LIFETIMES_H

#include <stdint.h>

#include "trend/cohorts.h"

/* Bin k holds ages from 2^(k/4) to 2^((k+1)/4) ticks; the first one also what is younger, the last
 * one (from 2^15 ticks, 22 days of minutes) also what is older. */
#define LIFETIME_BINS	     61
#define LIFETIMES_PER_OCTAVE 4

struct lifetimes {
	float freed[LIFETIME_BINS];    /* blocks seen */
	float censored[LIFETIME_BINS]; /* blocks seen; live when their process ended */
};

/* The lower edge of a bin in ticks; of the last bin + 1: where the last one would end. */
double lifetime_edge(unsigned bin);
unsigned lifetime_bin(double age);

/*
 * A*, the upper edge of the highest bin of which it is known that blocks die there: at least 3
 * have, and of those that reached it a share of at least 1 - (1 - hazard_per_octave)^(1/4).
 * 1 if there is none. life holds this life's ages at free, earlier (or NULL) those of lives before.
 */
double lifetimes_longest(const float life[LIFETIME_BINS], const struct lifetimes *earlier,
			 double hazard_per_octave, const struct cohort_layout *layout,
			 const struct cohort_sums *sums);

/* How many blocks are known to have been freed at this age (ticks) or older, whole bins. */
double lifetimes_freed_beyond(const float life[LIFETIME_BINS], const struct lifetimes *earlier,
			      double age);

/* The end of a life: its ages at free are added, what is live is censored at its age. */
void lifetimes_add_life(struct lifetimes *to, const float life[LIFETIME_BINS],
			const struct cohort_layout *layout, const struct cohorts *cohorts);

#endif
