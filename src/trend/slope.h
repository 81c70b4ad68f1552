/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * How fast a number moves: least squares over a bounded series.
 *
 * Pure: times and values are arguments. The series covers the whole life of what is followed: when
 * it is full every second point is dropped and the distance between kept points doubles, so memory
 * stays constant and old points keep their weight.
 */
#ifndef SEEP_TREND_SLOPE_H
#define SEEP_TREND_SLOPE_H

#include <stdbool.h>
#include <stdint.h>

#define SLOPE_POINTS 32

struct slope {
	uint64_t time_ns[SLOPE_POINTS];
	double value[SLOPE_POINTS];
	uint32_t n;
	uint64_t spacing_ns; /* least distance of two kept points */
};

/* Times must not go backwards; a point earlier than the last one is ignored. */
void slope_add(struct slope *s, uint64_t time_ns, double value);

struct slope_estimate {
	double per_hour;
	double per_hour_error; /* standard error of the least-squares slope; 0 with two points */
	uint64_t since_ns;     /* time of the first point */
	bool valid;	       /* at least two points at different times */
};

/* Ordinary least squares, computed around the mean so that large times lose no digits. */
struct slope_estimate slope_estimate(const struct slope *s);

#endif
