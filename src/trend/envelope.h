/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What a site has proven to hold without leaking: for each age 2^k ticks the most bytes older than
 * that which turned out to be bounded.
 *
 * The running maximum becomes proven when
 *   (a) what is live fell below half of it, or
 *   (b) it has not grown by 5 % for as long as it had been growing, or
 *   (c) the life ended, not by exhaustion, when growth had slowed down to half (the caller judges).
 */
#ifndef SEEP_TREND_ENVELOPE_H
#define SEEP_TREND_ENVELOPE_H

#include <stdint.h>

#include "trend/cohorts.h"

#define ENVELOPE_AGES 16 /* 2^0 to 2^15 ticks */

struct envelope_age {
	float most;	      /* bytes: running maximum */
	float proven;	      /* bytes */
	uint32_t grew;	      /* tick at which the maximum grew last */
	uint32_t grows_since; /* tick at which that growth began */
};

struct envelope {
	struct envelope_age at[ENVELOPE_AGES];
};

void envelope_init(struct envelope *e, uint32_t now);

/* Takes the bytes older than each age at an evaluation. */
void envelope_update(struct envelope *e, const struct cohort_layout *layout,
		     const struct cohort_sums *sums);

/* The least k with 2^k >= age; rounding down would compare with what younger blocks had proven. */
unsigned envelope_index(double age);

/* (c): all that was reached is taken as proven. */
void envelope_prove(struct envelope *e);

#endif
