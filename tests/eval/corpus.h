/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * All families over sets of seeds, and what they add up to.
 */
#ifndef SEEP_EVAL_CORPUS_H
#define SEEP_EVAL_CORPUS_H

#include "run.h"

#define MOST_FAMILIES 80

struct corpus {
	const struct family *families[MOST_FAMILIES];
	size_t n;
	struct run_scores scores[MOST_FAMILIES];
};

struct corpus *corpus_new(void);
struct corpus *corpus_free(struct corpus *c);

/* How many seeds a family of a group gets. */
struct corpus_size {
	int seeds[FAMILY_GROUPS];
};

/* Runs every family (or the one named) on seeds from first on; progress goes to stderr if wanted. */
void corpus_run(struct corpus *c, const struct run_options *o, const struct corpus_size *size,
		uint64_t first, const char *only, bool progress);

enum {
	PHASE_FIRST = 1,
	PHASE_LATER = 2,
	PHASE_BOTH = 3
};

/* The sum over groups (a bit for each) and phases; the caller calls score_done(). */
struct score corpus_score(const struct corpus *c, size_t answer, unsigned groups, unsigned phases);
struct calibration corpus_calibration(const struct corpus *c, unsigned groups);

/* The baseline setting with the best F1 on the development families, of a rule or (-1) of all. */
int corpus_best_baseline(const struct corpus *c, int rule);

#define ALL_GROUPS    ((1u << FAMILY_GROUPS) - 1)
#define NAMED_GROUPS  ((1u << DEVELOPMENT) | (1u << HELD_OUT))
/* Deploys and the fresh families have figures of their own. */
#define POOLED_GROUPS (NAMED_GROUPS | (1u << BLIND) | (1u << FUZZ))

#endif
