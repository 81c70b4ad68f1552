// SPDX-License-Identifier: GPL-2.0-or-later
/* The simulated service. See world.h. */
#include "world.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* How many blocks stand for one that is simulated: services cut their bytes in all ways. */
#define LEAST_GRAIN 0.2
#define MOST_GRAIN  2000

/* Frees to come, a list for each tick. */
struct death {
	int next;
	int birth;
	uint32_t site;
	bool was_lost;
	double bytes;
};

struct deaths {
	int first[RUN_TICKS + 1];
	struct death *at; /* owned */
	int n, room;
};

static void *must(void *p)
{
	if (!p)
		abort();
	return p;
}

struct world *world_new(void)
{
	struct world *w = must(calloc(1, sizeof(*w)));

	w->deaths = must(calloc(1, sizeof(*w->deaths)));
	for (int i = 0; i < SITES; i++)
		w->sites[i].holding = must(calloc(1, sizeof(struct holding)));
	return w;
}

static void clear_components(struct world *w)
{
	for (int i = 0; i < SITES; i++)
		for (int k = 0; k < w->sites[i].n; k++)
			component_done(&w->sites[i].components[k]);
}

struct world *world_free(struct world *w)
{
	if (!w)
		return NULL;
	clear_components(w);
	for (int i = 0; i < SITES; i++)
		free(w->sites[i].holding);
	free(w->deaths->at);
	free(w->deaths);
	free(w);
	return NULL;
}

void world_reset(struct world *w, uint64_t seed, uint64_t stream)
{
	struct deaths *deaths = w->deaths;
	struct holding *holdings[SITES];

	clear_components(w);
	for (int i = 0; i < SITES; i++)
		holdings[i] = w->sites[i].holding;
	memset(w, 0, sizeof(*w));
	w->deaths = deaths;
	deaths->n = 0;
	for (int i = 0; i <= RUN_TICKS; i++)
		deaths->first[i] = -1;
	for (int i = 0; i < SITES; i++) {
		memset(holdings[i], 0, sizeof(struct holding));
		w->sites[i].holding = holdings[i];
		w->sites[i].leaks_until = NEVER;
	}
	w->random = random_stream(seed, stream);
	w->grain_random = random_stream(~seed, stream);
	w->grain = draw_log_uniform(&w->grain_random, LEAST_GRAIN, MOST_GRAIN);
	w->limit = draw_log_uniform(&w->random, 1e9, 8e9);
	w->base = w->limit * draw_uniform(&w->random, 0.2, 0.45);
	w->usage = w->base;
}

double world_headroom(const struct world *w)
{
	return w->limit - w->base;
}

/* Counts again the blocks of a birth tick that are seen; how many they were before. */
static uint32_t see(const struct world *w, struct holding *h, int birth)
{
	uint32_t before = h->live[birth];

	h->live[birth] = (uint32_t)(w->grain * h->simulated[birth] + h->rounding[birth]);
	return before;
}

void world_allocate(struct world *w, struct world_site *s, int tick, double bytes)
{
	struct holding *h = s->holding;
	uint32_t before, seen;

	if (h->simulated[tick] == 0)
		h->rounding[tick] = draw_unit(&w->grain_random);
	h->simulated[tick]++;
	h->n_simulated++;
	before = see(w, h, tick);
	seen = h->live[tick] - before;
	h->bytes[tick] += bytes;
	h->some[tick / 64] |= 1ull << (tick % 64);
	h->live_blocks += seen;
	h->live_bytes += bytes;
	h->allocations += seen;
}

uint32_t world_deallocate(struct world *w, struct world_site *s, int tick, int birth, double bytes)
{
	struct holding *h = s->holding;

	uint32_t before, seen;

	if (birth < w->start)
		return 0;
	h->simulated[birth]--;
	h->n_simulated--;
	before = see(w, h, birth);
	seen = before - h->live[birth];
	h->bytes[birth] = h->simulated[birth] > 0 ? h->bytes[birth] - bytes : 0;
	if (h->simulated[birth] == 0)
		h->some[birth / 64] &= ~(1ull << (birth % 64));
	h->live_blocks -= seen;
	h->live_bytes = h->n_simulated > 0 ? h->live_bytes - bytes : 0;
	h->frees += seen;
	h->freed[lifetime_bin(tick - birth)] += seen;
	return seen;
}

void world_reallocate(struct world *w, struct world_site *s, int tick, int birth, double bytes,
		      double new_bytes)
{
	world_allocate(w, s, tick, new_bytes);
	world_deallocate(w, s, tick, birth, bytes);
}

void world_deallocate_later(struct world *w, struct world_site *s, int birth, double bytes,
			    double after, bool was_lost)
{
	struct deaths *d = w->deaths;
	double ticks = ceil(after);
	int tick;

	if (ticks < 1)
		ticks = 1;
	if (birth + ticks >= RUN_TICKS)
		return;
	tick = birth + (int)ticks;
	if (d->n == d->room) {
		d->room = d->room > 0 ? 2 * d->room : 1 << 16;
		d->at = must(realloc(d->at, (size_t)d->room * sizeof(*d->at)));
	}
	d->at[d->n] = (struct death){
		.next = d->first[tick],
		.birth = birth,
		.site = (uint32_t)(s - w->sites),
		.was_lost = was_lost,
		.bytes = bytes,
	};
	d->first[tick] = d->n++;
}

static void do_deaths(struct world *w, int tick)
{
	const struct deaths *d = w->deaths;

	for (int i = d->first[tick]; i >= 0; i = d->at[i].next) {
		const struct death *one = &d->at[i];
		uint32_t seen;

		seen = world_deallocate(w, &w->sites[one->site], tick, one->birth, one->bytes);
		if (one->was_lost)
			w->lost_frees += seen;
	}
}

void world_step(struct world *w, int tick)
{
	double usage = w->base + w->fragmentation * tick;

	do_deaths(w, tick);
	for (int i = 0; i < SITES; i++) {
		struct world_site *s = &w->sites[i];

		for (int k = 0; k < s->n; k++)
			component_step(w, s, &s->components[k], tick);
		s->holding->series[tick] = (float)s->holding->live_bytes;
		s->holding->blocks_series[tick] = (uint32_t)s->holding->live_blocks;
		usage += s->holding->live_bytes;
	}
	w->usage = usage;
	w->exhausted = usage > w->limit && w->sites[0].leaks;
}

void world_restart(struct world *w, int tick)
{
	w->start = tick;
	w->exhausted = false;
	w->lost_frees = 0;
	for (int i = 0; i < SITES; i++) {
		struct world_site *s = &w->sites[i];
		struct holding *h = s->holding;

		memset(h->simulated, 0, sizeof(h->simulated));
		memset(h->live, 0, sizeof(h->live));
		memset(h->bytes, 0, sizeof(h->bytes));
		memset(h->some, 0, sizeof(h->some));
		memset(h->freed, 0, sizeof(h->freed));
		h->n_simulated = h->allocations = h->frees = h->live_blocks = 0;
		h->live_bytes = 0;
		s->leaked = 0;
		for (int k = 0; k < s->n; k++)
			component_restart(&s->components[k]);
	}
}
