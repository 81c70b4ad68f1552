/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * One life of a process, as its sites need to know it: the clock of work, the way to the memory
 * limit, what was lost. And the order of calls:
 *
 *	every tick:	    trend_process_tick(), then trend_site_tick() for each site
 *	every evaluation:   trend_process_evaluate(); scan the live blocks into the sites
 *			    (trend_site_scan_*()); then trend_site_evaluate() for each site
 *	at the end:	    trend_site_end() for each site
 *
 * trend_process_evaluation_due() says which ticks ask for an evaluation.
 */
#ifndef SEEP_TREND_PROCESS_H
#define SEEP_TREND_PROCESS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/cleanup.h"
#include "trend/options.h"

struct trend_process;

/* What is known of the process at a tick; counts never go back. */
struct trend_process_input {
	uint64_t allocations; /* blocks seen, over all sites, since the start */
	uint64_t frees;	      /* seen */
	uint64_t lost_frees;  /* counted as lost: lost events, missed returns, addresses reused */
	double usage_bytes;   /* memory in use, of the tightest limit's group */
	double limit_bytes;   /* that limit */
};

struct trend_process *trend_process_new(void); /* NULL: no memory */
struct trend_process *trend_process_free(struct trend_process *p);
DEFINE_CLEANUP(struct trend_process *, trend_process_free)

/*
 * A tick is over; now: ticks since the process came under watch, 1 or more. Ticks may be left out.
 * -EINVAL: time does not go forward, or an amount is not a number above 0; nothing is changed.
 */
int trend_process_tick(struct trend_process *p, uint32_t now, const struct trend_process_input *in);

/* The last tick; 0: none yet. */
uint32_t trend_process_now(const struct trend_process *p);

/* Every 10th tick of the first 720 and while the limit is near, every 60th later. */
bool trend_process_evaluation_due(const struct trend_process *p, const struct trend_options *o);

/* Begins an evaluation at the time of the last tick. */
void trend_process_evaluate(struct trend_process *p);

/* Fewer live bytes than this cannot matter: no need to follow a site that never had more. */
double trend_process_least_bytes(const struct trend_process *p);

/* Headroom at the first tick, under the limit of now. */
double trend_process_first_headroom(const struct trend_process *p);

/* The share of frees that may have been lost: upper bound of 95 %. 0 if none is known to be. */
double trend_process_lost_share(const struct trend_process *p);

#endif
