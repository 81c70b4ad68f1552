/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Whether a process that nobody traces keeps growing, by its memory alone: what is worth tracing.
 *
 * No verdict on leaks: a cache that fills at a steady rate grows, too, for as long as it does. Pure;
 * times are ticks of the detector. About 250 bytes a process.
 */
#ifndef SEEP_TREND_HOST_GROWTH_H
#define SEEP_TREND_HOST_GROWTH_H

#include "trend/rise.h"

#define HOST_GROWTH_LEAST_BYTES (16.0 * 1024 * 1024)
#define HOST_GROWTH_LEAST_SHARE 0.01 /* of the headroom */

struct host_growth {
	struct rise rise;
	float before;	    /* the floor that the growth began from */
	float amount;	    /* what it was when last found */
	float per_tick;	    /* as found at the largest scale that shows it */
	uint32_t since;	    /* tick; of the first window that showed it */
	uint8_t candidates; /* scales that rise, not judged yet; a bit each */
	uint8_t growing;    /* scales that rise by enough */
	uint8_t distrusted; /* scales at which a growth of this process came to nothing */
	uint8_t misses[RISE_SCALES];
};

/*
 * The memory at a tick, and how old the process is (ticks). True: it rises at some scale; then
 * host_growth_judge() is to be called with the headroom, which is dear to find out.
 *
 * A scale is looked at once the process is twice as old as what its windows span: the first half
 * of its life counts as warm-up; and once the scale above bears it out (after 150 ticks of watch at
 * the soonest). A growth of which half has gone was none, and the scale that
 * showed it (and those below) are not believed again for this process.
 */
bool host_growth_add(struct host_growth *g, uint32_t tick, uint32_t age, double bytes);

/* Decides on what was found. @headroom_bytes: up to the nearest limit. */
void host_growth_judge(struct host_growth *g, double headroom_bytes);

/* Whether it grows: from the first scale that is found to rise until none is, twice in a row. */
bool host_growth_is_growing(const struct host_growth *g);

#endif
