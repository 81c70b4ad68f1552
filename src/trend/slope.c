// SPDX-License-Identifier: GPL-2.0-or-later
/* How fast a number moves. See slope.h. */
#include "trend/slope.h"

#include <math.h>

#define HOUR_NS 3.6e12

/* Keeps every second point, the first one among them. */
static void thin_out(struct slope *s)
{
	uint64_t span = s->time_ns[s->n - 1] - s->time_ns[0];

	/*
	 * n points have n - 1 distances between them: dividing by n leaves 3 % of slack, so that a
	 * tick that comes a little early still counts as the second one.
	 */
	s->spacing_ns = span / s->n * 2;
	for (uint32_t i = 0; 2 * i < s->n; i++) {
		s->time_ns[i] = s->time_ns[2 * i];
		s->value[i] = s->value[2 * i];
	}
	s->n = (s->n + 1) / 2;
}

void slope_add(struct slope *s, uint64_t time_ns, double value)
{
	uint32_t n = s->n;

	if (n > 0 && time_ns < s->time_ns[n - 1])
		return;
	/*
	 * The last point is always the newest one. It stays for good once it is far enough from the
	 * one before; until then the next one takes its place.
	 */
	if ((n > 0 && time_ns == s->time_ns[n - 1]) ||
	    (n > 1 && s->time_ns[n - 1] - s->time_ns[n - 2] < s->spacing_ns)) {
		s->time_ns[n - 1] = time_ns;
		s->value[n - 1] = value;
		return;
	}
	if (n == SLOPE_POINTS)
		thin_out(s);
	s->time_ns[s->n] = time_ns;
	s->value[s->n] = value;
	s->n++;
}

struct slope_estimate slope_estimate(const struct slope *s)
{
	struct slope_estimate e = { 0 };
	double mean_time = 0, mean_value = 0;
	double sxx = 0, sxy = 0, residuals = 0;

	if (s->n < 2)
		return e;
	for (uint32_t i = 0; i < s->n; i++) {
		mean_time += (double)(s->time_ns[i] - s->time_ns[0]) / HOUR_NS;
		mean_value += s->value[i] - s->value[0];
	}
	mean_time /= s->n;
	mean_value /= s->n;
	for (uint32_t i = 0; i < s->n; i++) {
		double x = (double)(s->time_ns[i] - s->time_ns[0]) / HOUR_NS - mean_time;
		double y = s->value[i] - s->value[0] - mean_value;

		sxx += x * x;
		sxy += x * y;
	}
	if (!(sxx > 0))
		return e;
	e.valid = true;
	e.since_ns = s->time_ns[0];
	e.per_hour = sxy / sxx;
	for (uint32_t i = 0; i < s->n; i++) {
		double x = (double)(s->time_ns[i] - s->time_ns[0]) / HOUR_NS - mean_time;
		double y = s->value[i] - s->value[0] - mean_value - e.per_hour * x;

		residuals += y * y;
	}
	if (s->n > 2)
		e.per_hour_error = sqrt(residuals / (s->n - 2) / sxx);
	return e;
}
