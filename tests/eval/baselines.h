/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The rules that other tools decide by, each with a grid of settings. They read live bytes once an
 * hour, and know the headroom where their rule needs a scale.
 */
#ifndef SEEP_EVAL_BASELINES_H
#define SEEP_EVAL_BASELINES_H

#include <stdbool.h>
#include <stddef.h>

#include "world.h"

enum baseline_rule {
	SLOPE,		     /* least squares over a window, R2 and rate */
	MANN_KENDALL,	     /* monotone trend over a window, z and rate */
	HAMED_RAO,	     /* the same, corrected for autocorrelation */
	BACKWARD_REGRESSION, /* LBR: regression over windows that grow backwards */
	PAGE_HINKLEY,	     /* cumulated rise of the hourly floor, in headrooms */
	TOP_OUTSTANDING,     /* memleak: the most bytes older than an age, if many */
	GENERATIONS,	     /* number of distinct ages alive */
	RANK_DROP, /* Chromium: the first large drop in ranked growth, several times in a row */
	EXPIRY,	   /* memleax: blocks older than an age that hardly anyone reached and left */
	LAPLACE,   /* Scalene: rule of succession on frees over allocations */
};

struct baseline {
	enum baseline_rule rule;
	double a, b, c; /* settings; their meaning is the rule's */
};

/* What a rule remembers of one site. */
struct baseline_state {
	int in_a_row;
	double last, sum, least; /* of Page-Hinkley */
	int rank_in_a_row;
};

/* What all rules read of one site at one hour. */
struct baseline_view {
	const struct world *world;
	const struct world_site *site;
	int tick;
	double older[3];     /* bytes older than 10, 60 and 360 ticks */
	double older_blocks; /* blocks older than 360 ticks */
	int generations;     /* hours of birth of which something is live */
	int rank_in_a_row;
	bool is_largest[3]; /* of all sites, by .older */
};

extern const struct baseline baselines[];
extern const size_t n_baselines;
/* The two best of them, for the short form. */
bool baseline_is_strong(const struct baseline *b);

const char *baseline_name(enum baseline_rule rule);

/* Makes the views of all sites. */
void baseline_look(const struct world *w, int tick, struct baseline_view views[SITES]);

/* Ranks growth in live blocks, twice an hour; scores: half hours in a row above the drop. */
void baseline_rank(const struct world *w, int tick, int scores[SITES]);

/* Would this rule alert at this hour? */
bool baseline_step(const struct baseline *b, struct baseline_state *s,
		   const struct baseline_view *v);

#endif
