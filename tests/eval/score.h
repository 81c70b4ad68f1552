/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Counting right and wrong alerts. The unit is a site in one life of a process.
 *
 * Right: a leaking site was alerted while it leaked, before the limit. Wrong: any other alert, also
 * one on a leaking site before it leaks. Which lives leak is known by more than 1 % of the headroom
 * lost, or by the limit being reached.
 */
#ifndef SEEP_EVAL_SCORE_H
#define SEEP_EVAL_SCORE_H

#include <stddef.h>

enum phase {
	FIRST_LIFE,
	LATER_LIFE,
	PHASES
};

struct numbers {
	double *at; /* owned */
	size_t n, room;
};

/* The results of one detector on one family in one phase. */
struct score {
	size_t lives;
	size_t leaking, found; /* site 0 */
	size_t false_sites;    /* sites with a false alarm, all six */
	size_t false_episodes; /* the same a day apart */
	size_t false_focal;    /* site 0 with a false alarm, in families without a leak */
	size_t false_ordinary; /* the other five sites */
	double weeks;
	double ordinary_weeks; /* of sites */
	struct numbers shares; /* of the headroom, leaked at the alert */
	struct numbers delays; /* hours from the beginning of the leak */
};

void numbers_add(struct numbers *to, double v);
/* The value below which this share lies; 0 if there are none. Sorts. */
double numbers_quantile(struct numbers *n, double share);

void score_add(struct score *to, const struct score *s);
void score_done(struct score *s);

double score_precision(const struct score *s);
double score_recall(const struct score *s);
double score_f1(const struct score *s);

struct interval {
	double low, high;
};

/* Wilson's interval of 95 % for k of n. */
struct interval wilson(size_t k, size_t n);

/* Confidences and what came of them. */
struct calibration {
	struct {
		double n, confidence, leaks;
	} bins[10];
	double squares; /* for Brier's score */
	double n;
};

void calibration_add(struct calibration *c, double confidence, int leaks);
void calibration_merge(struct calibration *to, const struct calibration *c);
/* The mean distance of a bin's confidence to its share of leaks, by the number in the bin. */
double calibration_error(const struct calibration *c);

#endif
