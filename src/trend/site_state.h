/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The inside of a site; for src/trend only. See site.h. */
#ifndef SEEP_TREND_SITE_STATE_H
#define SEEP_TREND_SITE_STATE_H

#include "trend/cohorts.h"
#include "trend/envelope.h"
#include "trend/floors.h"
#include "trend/lifetimes.h"
#include "trend/site.h"
#include "trend/states.h"

struct trend_site {
	uint64_t allocations;
	double live_bytes;
	uint32_t live_blocks;
	uint32_t old_edge; /* births before it were mature at the last evaluation */
	float old_bytes;   /* of them */
	struct cohorts cohorts;
	struct envelope envelope;
	struct floors floors;
	float freed[LIFETIME_BINS]; /* this life */
	struct verdict verdict;
};

#endif
