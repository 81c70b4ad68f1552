// SPDX-License-Identifier: GPL-2.0-or-later
/* How sure a finding is. See confidence.h. */
#include "trend/confidence.h"

#include <math.h>

static const double intercept = 1.0;
static const double weights[CONFIDENCE_FEATURES] = { 0 };

static double clamp(double v, double least, double most)
{
	return fmin(most, fmax(least, v));
}

void confidence_features(const struct confidence_input *in, double ret[CONFIDENCE_FEATURES])
{
	double asked = clamp(in->ticks_to_limit, in->shortest, in->longest);
	bool gated = in->channel == TREND_BY_COHORTS;

	ret[CONFIDENCE_PROGRESS] = clamp(log(fmax(in->waited, 1) / asked), -2.5, 1.5);
	ret[CONFIDENCE_CARRY] = in->has_carry;
	ret[CONFIDENCE_EARLIER] = in->has_earlier_life;
	ret[CONFIDENCE_STEADINESS] = gated ? log(clamp(in->steadiness, 0.3, 3)) : 0;
	ret[CONFIDENCE_AGES] = gated ? clamp(log(fmax(in->waited, 1) / fmax(in->lifetime, 1)), 0, 8)
				     : 0;
	ret[CONFIDENCE_SURVIVORS] = gated ? log10(clamp(in->survivors, 1, 1e5)) : 0;
	ret[CONFIDENCE_KNOWN] = in->channel == TREND_BY_KNOWN;
	ret[CONFIDENCE_FEW] = in->channel == TREND_BY_FEW_BLOCKS;
	ret[CONFIDENCE_EXHAUSTION] = in->channel == TREND_BY_EXHAUSTION;
}

double confidence_of(const struct confidence_input *in, double prior_odds)
{
	double x[CONFIDENCE_FEATURES];
	double score = intercept + log(prior_odds);

	confidence_features(in, x);
	for (unsigned i = 0; i < CONFIDENCE_FEATURES; i++)
		score += weights[i] * x[i];
	return 1 / (1 + exp(-score));
}
