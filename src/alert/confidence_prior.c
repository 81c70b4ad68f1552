// SPDX-License-Identifier: GPL-2.0-or-later
/* What people's marks say of the confidences. See confidence_prior.h. */
#include "alert/confidence_prior.h"

#include <math.h>

/* A certainty could not be corrected by any number of marks. */
#define LEAST_SHARE 0.005

double confidence_of_corpus(double confidence, double prior_odds)
{
	double odds;

	if (!(prior_odds > 0) || !(confidence > 0) || !(confidence < 1))
		return confidence;
	odds = confidence / (1 - confidence) / prior_odds;
	return odds / (1 + odds);
}

double confidence_prior_odds(const struct confidence_marks *marks)
{
	double n = (double)marks->n_true + (double)marks->n_false;
	double expected, odds;

	if (n == 0)
		return 1;
	expected = fmin(1 - LEAST_SHARE, fmax(LEAST_SHARE, marks->expected / n));
	odds = ((double)marks->n_true + CONFIDENCE_PRIOR_WEIGHT * expected) /
	       ((double)marks->n_false + CONFIDENCE_PRIOR_WEIGHT * (1 - expected));
	odds *= (1 - expected) / expected;
	return fmin(CONFIDENCE_PRIOR_MOST, fmax(CONFIDENCE_PRIOR_LEAST, odds));
}
