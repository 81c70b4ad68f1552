// SPDX-License-Identifier: GPL-2.0-or-later
/* Floors that rise. See rise.h. */
#include "trend/rise.h"

#include <math.h>
#include <string.h>

#define STEPS (RISE_FLOORS - 1)

/* Of seven steps so many must be steps up: a leak that comes in bursts leaves some windows out. */
#define STEPS_UP 5
#define STEP_UP	 0.25 /* of the mean step */
#define SLOWING	 0.66

#define FLOORS_ABOVE 5
#define PACE_ABOVE   0.5

uint32_t rise_window_ticks(unsigned scale)
{
	static const uint32_t ticks[RISE_SCALES] = { 5, 30, 180, 1080 };

	return ticks[scale];
}

static void push(struct rise_scale *s, float floor)
{
	if (s->n == RISE_FLOORS) {
		memmove(s->floors, s->floors + 1, (RISE_FLOORS - 1) * sizeof(s->floors[0]));
		s->n--;
	}
	s->floors[s->n++] = floor;
}

/* True: a window is over. */
static bool add_to_scale(struct rise_scale *s, uint32_t window, float value)
{
	if (window < s->window)
		return false;
	if (window == s->window) {
		s->least = fminf(s->least, value);
		return false;
	}
	push(s, s->least);
	/* More than there is room for makes no difference. */
	for (uint32_t i = 1; i < window - s->window && i <= RISE_FLOORS; i++)
		push(s, value);
	s->window = window;
	s->least = value;
	return true;
}

unsigned rise_add(struct rise *r, uint32_t tick, double value)
{
	unsigned closed = 0;

	for (unsigned i = 0; i < RISE_SCALES; i++) {
		uint32_t window = tick / rise_window_ticks(i);

		if (!r->has_value)
			r->at[i] = (struct rise_scale){ .least = (float)value, .window = window };
		else if (add_to_scale(&r->at[i], window, (float)value))
			closed |= 1u << i;
	}
	r->has_value = true;
	return closed;
}

double rise_amount(const struct rise *r, unsigned scale)
{
	const struct rise_scale *s = &r->at[scale];

	if (s->n < RISE_FLOORS)
		return 0;
	return (double)s->floors[STEPS] - (double)s->floors[0];
}

static bool is_slowing(const struct rise_scale *s)
{
	const float *f = s->floors;
	uint32_t last = s->n - 1, half = last / 2;

	return f[last] - f[last - half] < (float)SLOWING * (f[half] - f[0]);
}

bool rise_goes_on(const struct rise *r, unsigned scale, double per_tick)
{
	const struct rise_scale *s = &r->at[scale + 1];
	double pace;

	if (scale + 1 == RISE_SCALES)
		return true;
	if (s->n < FLOORS_ABOVE)
		return false;
	pace = ((double)s->floors[s->n - 1] - (double)s->floors[0]) /
	       ((s->n - 1) * rise_window_ticks(scale + 1));
	return pace >= PACE_ABOVE * per_tick && !is_slowing(s);
}

bool rise_find(const struct rise *r, unsigned scale, double least, struct rise_finding *ret)
{
	const struct rise_scale *s = &r->at[scale];
	double amount = rise_amount(r, scale);
	uint32_t ticks = rise_window_ticks(scale);
	const float *f = s->floors;
	unsigned up = 0;

	if (s->n < RISE_FLOORS || !(amount >= least) || !(amount > 0))
		return false;
	for (unsigned i = 0; i < STEPS; i++) {
		double step = ((double)f[i + 1] - (double)f[i]) * STEPS / amount;

		if (step < -1)
			return false;
		up += step >= STEP_UP;
	}
	if (up < STEPS_UP || is_slowing(s))
		return false;
	*ret = (struct rise_finding){
		.amount = amount,
		.per_tick = amount / (STEPS * ticks),
		.from = (s->window - RISE_FLOORS) * ticks,
		.to = s->window * ticks,
	};
	return true;
}
