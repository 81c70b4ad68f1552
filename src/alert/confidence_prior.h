/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What people's marks say of the confidences: trend_options.prior_odds.
 *
 * In the corpus that the confidences were fitted on (trend/confidence.h), half of the processes leak.
 * Here it may be one in a hundred. A finding with the odds o in the corpus then has the odds r * o,
 * with the same r for all: the intercept of the model moves by ln r. r is estimated from entries that a
 * person has marked, by what the corpus let expect of those very entries: marks are of what was
 * found and told, which leaks far more often than what was not.
 */
#ifndef SEEP_ALERT_CONFIDENCE_PRIOR_H
#define SEEP_ALERT_CONFIDENCE_PRIOR_H

#include <stddef.h>

struct confidence_marks {
	size_t n_true;	/* entries with a confidence that people said do leak */
	size_t n_false; /* do not */
	double expected; /* how many of both would leak in the corpus: the sum of their confidences */
};

/* The corpus' confidence behind one that was given by the odds of before (0: the corpus' own). */
double confidence_of_corpus(double confidence, double prior_odds);

/*
 * r, within [CONFIDENCE_PRIOR_LEAST, CONFIDENCE_PRIOR_MOST]; 1 without marks. The share of true ones is
 * that of a Beta distribution which begins with CONFIDENCE_PRIOR_WEIGHT marks as expected:
 *
 *	r = (n_true + w e) / (n_false + w (1 - e)) * (1 - e) / e,	e = expected / marks
 */
double confidence_prior_odds(const struct confidence_marks *marks);

/* One false mark of one halves the odds, ten true ones of ten raise them by a quarter. */
#define CONFIDENCE_PRIOR_WEIGHT 40.0
/*
 * With the least, an alert (of a confidence of 0.8) asks for 0.995 in the corpus: known leaks are still
 * told. With the most, 0.67 is enough; many true marks must not make the detector rash.
 */
#define CONFIDENCE_PRIOR_LEAST	0.02
#define CONFIDENCE_PRIOR_MOST	2.0

#endif
