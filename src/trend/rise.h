/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Whether the floor of a number keeps rising: minima of windows, at four scales.
 *
 * Each scale keeps the least value of each of its last eight windows that are over. Minima do not
 * see what comes and goes within a window; windows of four lengths, each six times the one before,
 * see a saw-tooth of any period shorter than six days as flat in the end. Pure; times are ticks.
 */
#ifndef SEEP_TREND_RISE_H
#define SEEP_TREND_RISE_H

#include <stdbool.h>
#include <stdint.h>

#define RISE_SCALES 4
#define RISE_FLOORS 8

struct rise_scale {
	float floors[RISE_FLOORS]; /* the oldest first */
	float least;		   /* of the window that goes on */
	uint32_t window;	   /* its number */
	uint32_t n;		   /* floors that there are */
};

struct rise {
	bool has_value;
	struct rise_scale at[RISE_SCALES];
};

/* 5, 30, 180 and 1080: with ticks of a minute the floors of 40 minutes, 4 h, 1 and 6 days. */
uint32_t rise_window_ticks(unsigned scale);

/*
 * The value at a tick. Ticks that were left out are taken to have been as this one; ticks do not go
 * back. Returns a bit for each scale of which a window is over now.
 */
unsigned rise_add(struct rise *r, uint32_t tick, double value);

struct rise_finding {
	double amount;	 /* last floor - first floor */
	double per_tick; /* by that */
	uint32_t from;	 /* tick where the first window began */
	uint32_t to;	 /* where the last one ended */
};

/*
 * Whether all floors of a scale are there and rise by at least @least, steadily: five of seven
 * steps are each a quarter of the mean step or more, no floor falls by more than a mean step, and
 * the last three steps make at least two thirds of what the first three made. *ret only if so.
 */
bool rise_find(const struct rise *r, unsigned scale, double least, struct rise_finding *ret);

/*
 * Whether the scale above bears out a rise of @per_tick: it has five floors or more, they rise by
 * at least half of that, and the later half of their steps makes at least two thirds of what the
 * earlier half made. This tells what goes on from teeth and warm-ups: an exponential one is known
 * up to a time constant of about its age; one that is slower still is as good as steady. True for
 * the largest scale.
 */
bool rise_goes_on(const struct rise *r, unsigned scale, double per_tick);

/* Last floor - first floor of a scale; 0 until all floors are there. */
double rise_amount(const struct rise *r, unsigned scale);

#endif
