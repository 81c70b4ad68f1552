/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The inside of a process' context; for src/trend only. See process.h. */
#ifndef SEEP_TREND_PROCESS_STATE_H
#define SEEP_TREND_PROCESS_STATE_H

#include "trend/cohorts.h"
#include "trend/floors.h"
#include "trend/process.h"

struct trend_process {
	uint32_t now;
	uint32_t evaluated; /* when last; 0: never */
	struct trend_process_input last;
	double first_usage;
	double work[COHORT_SLOTS]; /* allocations in the slot */
	float usage[COHORT_SLOTS]; /* at the start of the slot */
	struct floors floors;	   /* .bytes: usage */
	/* The growth and the leak rates of all sites, of the last round and as this one goes on. */
	double growth, growth_next;
	double leak_rate, leak_rate_next;

	/* Made by process_sum_up(), at an evaluation. */
	struct cohort_layout layout;
	double work_sums[COHORT_ORDERED + 1];
	double usage_at[COHORT_ORDERED + 1];
};

void process_sum_up(struct trend_process *p);

/* Usage at a moment, and the headroom there; never below 2 % of the first headroom, so that one
 * leak does not make its innocent neighbours look urgent. */
double process_headroom_at(const struct trend_process *p, double tick, double without_bytes);
double process_headroom(const struct trend_process *p);

/* Bytes per tick by which the floor of usage rose over the last quarter of the life. */
double process_growth_rate(const struct trend_process *p);

#endif
