/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * How sure a finding is: the share of equal findings in the corpus of tests/eval that were leaks.
 *
 * A logistic model, fitted on seeds 1 to 20 of all families, which no reported figure uses. In the
 * corpus about half of the processes leak; where fewer do, the prior odds move the intercept.
 *
 * The number of blocks is no feature: how bytes are cut into blocks says nothing about whether they
 * leak, and that few survivors prove little is asked for elsewhere (least_survivors). In the corpus
 * each service has a grain of its own, so that its births are no hint either.
 */
#ifndef SEEP_TREND_CONFIDENCE_H
#define SEEP_TREND_CONFIDENCE_H

#include <stdbool.h>

#include "trend/evidence.h"

struct confidence_input {
	enum trend_channel channel;
	double waited;		  /* ticks of growth in this life, on the largest scale */
	double ticks_to_limit;	  /* when it began */
	double lifetime;	  /* A* */
	double steadiness;	  /* the best of the window's */
	double known;		  /* how well it is known that the growth is not normal, 0 to 1 */
	double shortest, longest; /* patience: the least and the most of what is ever asked for */
	bool has_carry;
	bool has_earlier_life;
};

enum {
	CONFIDENCE_PROGRESS,   /* ln of the growth's length over the (clamped) time to the limit */
	CONFIDENCE_LENGTH,     /* ln of the growth's length in days */
	CONFIDENCE_CARRY,      /* 1: earlier lives looked like leaks */
	CONFIDENCE_EARLIER,    /* 1: there was an earlier life */
	CONFIDENCE_KNOWN,      /* how well the growth is known not to be normal */
	CONFIDENCE_STEADINESS, /* ln */
	CONFIDENCE_DIES,       /* 1: other blocks of the site are known to die of age */
	CONFIDENCE_AGES,       /* ln of the growth's length over A*, of those */
	/* The channel, 1 each; cohorts have none of them. */
	CONFIDENCE_UNGATED,   /* known from earlier lives */
	CONFIDENCE_CONFIRMED, /* ungated, without an earlier life: exhaustion came first */
	CONFIDENCE_FEW,
	CONFIDENCE_EXHAUSTION,
	CONFIDENCE_FEATURES
};

void confidence_features(const struct confidence_input *in, double ret[CONFIDENCE_FEATURES]);

/* 0 to 1. prior_odds: odds that a site with a finding leaks here, over those of the corpus. */
double confidence_of(const struct confidence_input *in, double prior_odds);

#endif
