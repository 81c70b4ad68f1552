// SPDX-License-Identifier: GPL-2.0-or-later
/* How sure a finding is. See confidence.h. */
#include "trend/confidence.h"

#include <math.h>

#define DAY 1440.0 /* ticks */

/* Fitted by tests/eval/fit.py. */
static const double intercept = 0.298;
static const double weights[CONFIDENCE_FEATURES] = {
	[CONFIDENCE_PROGRESS] = 0.649, [CONFIDENCE_LENGTH] = 0.820,
	[CONFIDENCE_CARRY] = 3.796,    [CONFIDENCE_EARLIER] = 0.977,
	[CONFIDENCE_KNOWN] = 0.939,    [CONFIDENCE_STEADINESS] = 0.576,
	[CONFIDENCE_DIES] = 2.104,     [CONFIDENCE_AGES] = 0.538,
	[CONFIDENCE_UNGATED] = -1.153, [CONFIDENCE_CONFIRMED] = -0.539,
	[CONFIDENCE_FEW] = 1.893,      [CONFIDENCE_EXHAUSTION] = -1.792,
};

static double clamp(double v, double least, double most)
{
	return fmin(most, fmax(least, v));
}

void confidence_features(const struct confidence_input *in, double ret[CONFIDENCE_FEATURES])
{
	bool sliced = in->channel == TREND_BY_COHORTS || in->channel == TREND_BY_KNOWN;
	bool ungated = in->channel == TREND_BY_KNOWN;
	double waited = fmax(1, in->waited);
	double asked = clamp(in->ticks_to_limit, in->shortest, in->longest);

	for (unsigned i = 0; i < CONFIDENCE_FEATURES; i++)
		ret[i] = 0;
	ret[CONFIDENCE_PROGRESS] = clamp(log(waited / asked), -2.5, 1.5);
	ret[CONFIDENCE_LENGTH] = log(clamp(waited, 4, 20000) / DAY);
	ret[CONFIDENCE_CARRY] = in->has_carry;
	ret[CONFIDENCE_EARLIER] = in->has_earlier_life;
	ret[CONFIDENCE_UNGATED] = ungated && in->has_earlier_life;
	ret[CONFIDENCE_CONFIRMED] = ungated && !in->has_earlier_life;
	ret[CONFIDENCE_FEW] = in->channel == TREND_BY_FEW_BLOCKS;
	ret[CONFIDENCE_EXHAUSTION] = in->channel == TREND_BY_EXHAUSTION;
	/* The others are measures of slices. */
	if (!sliced)
		return;
	ret[CONFIDENCE_KNOWN] = in->known;
	ret[CONFIDENCE_STEADINESS] = log(clamp(in->steadiness, 0.3, 3));
	ret[CONFIDENCE_DIES] = in->lifetime > 1;
	if (in->lifetime > 1)
		ret[CONFIDENCE_AGES] = clamp(log(waited / in->lifetime), 0, 8);
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
