/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the detector may be told: every threshold, with its default.
 *
 * All times are in ticks. A tick is whatever the caller's evaluation tick is, 60 s by default; a
 * shorter tick makes every time of the detector shorter, which is how tests and demonstrations
 * see days within seconds.
 */
#ifndef SEEP_TREND_OPTIONS_H
#define SEEP_TREND_OPTIONS_H

#include <stdint.h>

/*
 * How long growth must have lasted before it counts, as a share of the time to the limit. "Cold" is
 * a site about which earlier lives say nothing, "warm" one that is known well.
 */
struct trend_patience {
	double cold;	     /* share of the time to the limit */
	double warm;	     /* the same; 0: never warm */
	double longest_cold; /* ticks; never wait longer */
	double longest_warm;
};

struct trend_options {
	struct trend_patience leaking; /* for an alert */
	struct trend_patience suspect; /* for being shown */
	double shortest_cold;	       /* ticks; never wait less */
	double shortest_warm;	       /* the same for a known site, or one that leaked before */

	double presence;   /* share of the slices with births that must have survivors */
	double steadiness; /* least rate of the young half as a share of the old half's */
	double survival;   /* least survival of the old half as a share of the young half's */
	double hazard_per_octave; /* an age counts as a lifetime if this share dies per doubling */
	double maturity_factor;	  /* blocks are judged at this many known lifetimes */
	double longest_maturity;  /* slices; a scale is skipped if blocks mature later */
	double envelope_margin;	  /* growth must exceed what was proven bounded by this factor */
	double longest_to_limit;  /* ticks; slower growth is not judged */
	double least_survivors;	  /* blocks seen */
	double ungated_patience;  /* share of the time to the limit, for known sites, any age */
	double exhaustion_left;	  /* share of the first headroom that is left when it is alarming */
	double least_confidence;  /* for an alert of a leak */
	double exhaustion_confidence; /* for one of exhaustion, which claims less */
	double loss_factor; /* survival must exceed the share of lost frees by this factor */
	double prior_odds;  /* odds that a site under this verdict leaks, over the corpus' */
};

/* The defaults. They are tuned on the corpus of tests/eval. */
void trend_options_init(struct trend_options *options);

/* 0, or -EINVAL if a member is not a number within its sense. */
int trend_options_check(const struct trend_options *options);

#endif
