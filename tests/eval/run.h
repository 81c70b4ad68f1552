/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * One service under seep's detector and the baselines, over all of its lives.
 */
#ifndef SEEP_EVAL_RUN_H
#define SEEP_EVAL_RUN_H

#include <stdbool.h>
#include <stdio.h>

#include "baselines.h"
#include "families.h"
#include "score.h"
#include "trend/options.h"

/* The answers that are scored: three of seep, then the baselines. */
enum {
	SEEP_LEAKING,
	SEEP_ANY_ALERT,
	SEEP_SUSPECT,
	SEEP_ANSWERS
};

struct run_options {
	struct trend_options trend;
	struct world *world;   /* borrowed; it is large, so runs share it one after the other */
	bool baselines;	       /* all of them */
	bool strong_baselines; /* only the best two rules */
	FILE *rows;	       /* what confidence is fitted on; NULL: nowhere */
	FILE *errors;	       /* a line per miss and false alarm; NULL: nowhere */
};

/* Scores of one family: [answer][phase]. */
struct run_scores {
	struct score (*at)[PHASES]; /* owned by the caller; SEEP_ANSWERS + n_baselines */
	struct calibration calibration;
};

/* Simulates a family's service of one seed, and adds to the scores. */
void run_family(const struct run_options *o, const struct family *f, uint64_t seed,
		struct run_scores *scores);

#endif
