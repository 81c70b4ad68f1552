// SPDX-License-Identifier: GPL-2.0-or-later
/* Growth of a process by its memory alone. See host_growth.h. */
#include "trend/host_growth.h"

#include <math.h>

#define MISSES	  2   /* windows in a row without a rise end it */
#define LOST_HALF 0.5 /* of the growth is gone: it was none */
#define AGES	  2   /* spans of a scale that a process must have lived */

bool host_growth_is_growing(const struct host_growth *g)
{
	return g->growing != 0;
}

static unsigned largest(unsigned scales)
{
	unsigned i = RISE_SCALES - 1;

	while (i > 0 && !(scales >> i & 1))
		i--;
	return i;
}

/* It fell back: what was taken for growth was a batch, a cache or a saw-tooth. */
static void give_up(struct host_growth *g)
{
	g->distrusted |= (uint8_t)((2u << largest(g->growing)) - 1);
	g->growing = 0;
	g->candidates = 0;
}

static void miss(struct host_growth *g, unsigned scale)
{
	if (!(g->growing >> scale & 1))
		return;
	if (++g->misses[scale] >= MISSES)
		g->growing &= (uint8_t) ~(1u << scale);
}

bool host_growth_add(struct host_growth *g, uint32_t tick, uint32_t age, double bytes)
{
	unsigned closed = rise_add(&g->rise, tick, bytes);

	g->candidates = 0;
	if (g->growing && bytes < (double)g->before + LOST_HALF * (double)g->amount)
		give_up(g);
	for (unsigned i = 0; i < RISE_SCALES; i++) {
		bool is_growing = g->growing >> i & 1;
		/* Half of it is enough to go on. */
		double least = is_growing ? HOST_GROWTH_LEAST_BYTES / 2 : HOST_GROWTH_LEAST_BYTES;
		struct rise_finding f;

		if (!(closed >> i & 1) || g->distrusted >> i & 1 ||
		    age / AGES < RISE_FLOORS * rise_window_ticks(i))
			continue;
		if (rise_find(&g->rise, i, least, &f) && rise_goes_on(&g->rise, i, f.per_tick))
			g->candidates |= (uint8_t)(1u << i);
		else
			miss(g, i);
	}
	return g->candidates != 0;
}

static void take(struct host_growth *g, unsigned scale, const struct rise_finding *f)
{
	double before = (double)g->rise.at[scale].floors[0];

	if (!g->growing || f->from < g->since) {
		g->since = f->from;
		g->before = (float)before;
	}
	g->growing |= (uint8_t)(1u << scale);
	g->misses[scale] = 0;
	g->amount = (float)(before + f->amount - (double)g->before);
	if (scale == largest(g->growing))
		g->per_tick = (float)f->per_tick;
}

void host_growth_judge(struct host_growth *g, double headroom_bytes)
{
	for (unsigned i = 0; i < RISE_SCALES; i++) {
		double share = HOST_GROWTH_LEAST_SHARE * fmax(0, headroom_bytes);
		struct rise_finding f;

		if (!(g->candidates >> i & 1))
			continue;
		if (g->growing >> i & 1)
			share /= 2;
		if (rise_find(&g->rise, i, share, &f))
			take(g, i, &f);
		else
			miss(g, i);
	}
	g->candidates = 0;
}
