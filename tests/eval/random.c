// SPDX-License-Identifier: GPL-2.0-or-later
/* Random numbers. See random.h. */
#include "random.h"

#include <math.h>

/* From this mean on a rounded normal stands for Poisson's distribution. */
#define POISSON_IS_NORMAL 40

static uint64_t next(struct random *r)
{
	uint64_t x = r->state;

	x ^= x >> 12;
	x ^= x << 25;
	x ^= x >> 27;
	r->state = x;
	return x * 2685821657736338717ull;
}

struct random random_stream(uint64_t seed, uint64_t stream)
{
	/* Odd constants spread neighbouring seeds; the state must not be 0. */
	struct random r = { seed * 0x9e3779b97f4a7c15ull + (stream + 1) * 0xd1b54a32d192ed03ull };

	if (r.state == 0)
		r.state = 1;
	for (int i = 0; i < 8; i++)
		next(&r);
	return r;
}

double draw_unit(struct random *r)
{
	return ((double)(next(r) >> 11) + 0.5) / 9007199254740992.0;
}

double draw_uniform(struct random *r, double low, double high)
{
	return low + (high - low) * draw_unit(r);
}

double draw_log_uniform(struct random *r, double low, double high)
{
	return low * exp(draw_unit(r) * log(high / low));
}

double draw_exponential(struct random *r)
{
	return -log(draw_unit(r));
}

double draw_normal(struct random *r)
{
	double length = sqrt(2 * draw_exponential(r));

	return length * cos(2 * M_PI * draw_unit(r));
}

int draw_poisson(struct random *r, double mean)
{
	double least, product;
	int n = 0;

	if (!(mean > 0))
		return 0;
	if (mean > POISSON_IS_NORMAL) {
		double v = mean + sqrt(mean) * draw_normal(r);

		return v < 0 ? 0 : (int)(v + 0.5);
	}
	least = exp(-mean);
	for (product = draw_unit(r); product > least; product *= draw_unit(r))
		n++;
	return n;
}

int draw_is(struct random *r, double probability)
{
	return draw_unit(r) < probability;
}
