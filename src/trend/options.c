// SPDX-License-Identifier: GPL-2.0-or-later
/* Defaults and limits of the detector's thresholds. See options.h. */
#include "trend/options.h"

#include <errno.h>
#include <stddef.h>
#include <string.h>

#include "base/cleanup.h"

#define HOUR 60.0
#define DAY  1440.0

void trend_options_init(struct trend_options *options)
{
	/*
	 * Patience and confidence are one choice. Of seeds 1 to 10 of tests/eval, precision, recall
	 * and the share of the headroom that is gone at the median first alert of a first life:
	 *
	 *	share 0.50, confidence 0.80	0.975	0.957	0.34
	 *	share 0.35, confidence 0.80	0.972	0.960	0.26
	 *	share 0.35, confidence 0.85	0.975	0.959	0.26
	 *	share 0.25, confidence 0.80	0.966	0.962	0.21
	 *	share 0.25, confidence 0.90	0.976	0.945	0.21
	 *
	 * A site of which nothing is ever freed looks like a cache that fills. There the confidence
	 * decides, and asks for more of the headroom the sooner it would be full: of a steady leak
	 * three quarters at two days to the limit, two thirds at four, half at eight, a third at 16.
	 */
	*options = (struct trend_options){
		/* Eight days: one week and a day, so that a weekly rhythm is seen once. */
		.leaking = { .cold = 0.35,
			     .warm = 0.25,
			     .longest_cold = 8 * DAY,
			     .longest_warm = 30 * HOUR },
		.suspect = { .cold = 0.25,
			     .warm = 0.1,
			     .longest_cold = 30 * HOUR,
			     .longest_warm = 12 * HOUR },
		.shortest_cold = 90,
		.shortest_warm = 30,
		.presence = 0.75,
		.steadiness = 0.7,
		.survival = 0.6,
		.hazard_per_octave = 0.2,
		.maturity_factor = 1.25,
		.longest_maturity = 8,
		.envelope_margin = 1.25,
		.longest_to_limit = 365 * DAY,
		.least_survivors = 8,
		.ungated_patience = 1.0,
		.exhaustion_left = 0.1,
		.least_confidence = 0.8,
		.exhaustion_confidence = 0.25,
		.loss_factor = 5,
		.prior_odds = 1,
	};
}

struct bounds {
	size_t offset;
	double least, most;
};

#define WITHIN(member, least, most)                                 \
	{                                                           \
		offsetof(struct trend_options, member), least, most \
	}

/* 2^31 ticks are four thousand years: longer than any clock here counts. */
static const struct bounds limits[] = {
	WITHIN(leaking.cold, 1e-3, 1e3),
	WITHIN(leaking.warm, 0, 1e3),
	WITHIN(leaking.longest_cold, 1, 2147483648.0),
	WITHIN(leaking.longest_warm, 1, 2147483648.0),
	WITHIN(suspect.cold, 1e-3, 1e3),
	WITHIN(suspect.warm, 0, 1e3),
	WITHIN(suspect.longest_cold, 1, 2147483648.0),
	WITHIN(suspect.longest_warm, 1, 2147483648.0),
	WITHIN(shortest_cold, 1, 2147483648.0),
	WITHIN(shortest_warm, 1, 2147483648.0),
	WITHIN(presence, 0, 1),
	WITHIN(steadiness, 0, 1),
	WITHIN(survival, 0, 1),
	WITHIN(hazard_per_octave, 1e-3, 0.999),
	WITHIN(maturity_factor, 1, 100),
	/* Slices of a scale are exact up to an age of 25 widths: 16 slices, this, and one more. */
	WITHIN(longest_maturity, 1, 8),
	WITHIN(envelope_margin, 1, 100),
	WITHIN(longest_to_limit, 1, 1e12),
	WITHIN(least_survivors, 1, 1e6),
	WITHIN(ungated_patience, 1e-3, 1e3),
	WITHIN(exhaustion_left, 0, 1),
	WITHIN(least_confidence, 0, 1),
	WITHIN(exhaustion_confidence, 0, 1),
	WITHIN(loss_factor, 0, 1e6),
	WITHIN(prior_odds, 1e-6, 1e6),
};

int trend_options_check(const struct trend_options *options)
{
	for (size_t i = 0; i < ARRAY_SIZE(limits); i++) {
		double v;

		memcpy(&v, (const char *)options + limits[i].offset, sizeof(v));
		if (!(v >= limits[i].least && v <= limits[i].most))
			return -EINVAL;
	}
	return 0;
}
