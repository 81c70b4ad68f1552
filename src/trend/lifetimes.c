// SPDX-License-Identifier: GPL-2.0-or-later
/* Ages at free and the hazard. See lifetimes.h. */
#include "trend/lifetimes.h"

#include <math.h>

/* A bin in which fewer have died says nothing. */
#define LEAST_DEATHS 3

/* 2^(k/4), exactly rounded; a table because it is looked up for every site. */
static const double quarter_octaves[LIFETIMES_PER_OCTAVE] = {
	1.0,
	1.189207115002721,
	1.4142135623730951,
	1.681792830507429,
};

double lifetime_edge(unsigned bin)
{
	return quarter_octaves[bin % LIFETIMES_PER_OCTAVE] *
	       (double)(1u << (bin / LIFETIMES_PER_OCTAVE));
}

unsigned lifetime_bin(double age)
{
	unsigned bin = 0;

	if (!(age > 1))
		return 0;
	if (age >= lifetime_edge(LIFETIME_BINS - 1))
		return LIFETIME_BINS - 1;
	while (age >= lifetime_edge(bin + LIFETIMES_PER_OCTAVE))
		bin += LIFETIMES_PER_OCTAVE;
	while (age >= lifetime_edge(bin + 1))
		bin++;
	return bin;
}

/* Births before now - age are the live ones that are older. */
static double live_older(double age, const struct cohort_layout *layout,
			 const struct cohort_sums *sums)
{
	return cohort_sum_at(sums->live, cohort_mark(layout, layout->now - ceil(age)));
}

double lifetimes_longest(const float life[LIFETIME_BINS], const struct lifetimes *earlier,
			 double hazard_per_octave, const struct cohort_layout *layout,
			 const struct cohort_sums *sums)
{
	double least = 1 - pow(1 - hazard_per_octave, 1.0 / LIFETIMES_PER_OCTAVE);
	double reached_next = 0; /* freed or censored in a higher bin */

	for (unsigned k = LIFETIME_BINS; k-- > 0;) {
		double freed = life[k] + (earlier ? earlier->freed[k] : 0);
		double end = lifetime_edge(k + 1);

		if (freed >= LEAST_DEATHS) {
			double passed = reached_next + live_older(end, layout, sums);

			if (freed >= least * (freed + passed))
				return ceil(end);
		}
		reached_next += freed + (earlier ? earlier->censored[k] : 0);
	}
	return 1;
}

double lifetimes_freed_beyond(const float life[LIFETIME_BINS], const struct lifetimes *earlier,
			      double age)
{
	double n = 0;

	for (unsigned k = LIFETIME_BINS; k-- > 0 && lifetime_edge(k) >= age;)
		n += life[k] + (earlier ? earlier->freed[k] : 0);
	return n;
}

void lifetimes_add_life(struct lifetimes *to, const float life[LIFETIME_BINS],
			const struct cohort_layout *layout, const struct cohorts *cohorts)
{
	struct cohort_walk walk;
	int slot;

	for (unsigned k = 0; k < LIFETIME_BINS; k++)
		to->freed[k] += life[k];
	cohort_walk_init(&walk, layout);
	while ((slot = cohort_walk_next(&walk)) >= 0) {
		/* The middle of the slot stands for its births. */
		double age = layout->now - walk.start - walk.width / 2.0;

		to->censored[lifetime_bin(age)] += (float)cohorts->live[slot];
	}
}
