/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The least that was live, over a whole life: a bounded series of minima.
 *
 * Point i covers the ticks from i * spacing on. When the series is full, pairs become one point and
 * the spacing doubles; so a life of any length has 32 to 64 points.
 */
#ifndef SEEP_TREND_FLOORS_H
#define SEEP_TREND_FLOORS_H

#include <stdint.h>

#define FLOOR_POINTS 64

struct floor_point {
	float bytes;
	float blocks;
	float old_bytes; /* of mature blocks */
};

struct floors {
	uint32_t spacing; /* ticks; 0: empty */
	uint32_t n;
	struct floor_point at[FLOOR_POINTS];
};

/* The state at a tick; ticks that were left out are taken to have been as this one. */
void floors_add(struct floors *f, uint32_t tick, struct floor_point now);

/* The minima of every point that touches the ticks from..to, both included; 0 without points. */
struct floor_point floors_least(const struct floors *f, uint32_t from, uint32_t to);

#endif
