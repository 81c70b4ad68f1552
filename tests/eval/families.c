// SPDX-License-Identifier: GPL-2.0-or-later
/* What families are built of, and the ordinary sites around them. See families.h. */
#include "families.h"

#include <math.h>
#include <stdlib.h>

struct component *site_add(struct world_site *s, struct component c)
{
	if (s->n == COMPONENTS)
		abort();
	s->components[s->n] = c;
	return &s->components[s->n++];
}

struct component churn(enum lives lives, double life, double shape, double rate, double bytes)
{
	double mean = life;
	struct component c;

	if (lives == LOG_NORMAL)
		mean *= exp(shape * shape / 2);
	/* The mean of a Pareto with a small exponent is not reached within a run. */
	if (lives == PARETO)
		mean *= shape > 1.05 ? shape / (shape - 1) : 8;
	component_init(&c, CHURN);
	c.lives = lives;
	c.life = life;
	c.shape = shape;
	c.rate = rate;
	c.bytes = bytes / (rate * (mean + 0.5));
	c.spread = 0.5;
	return c;
}

struct component leaky_churn(const struct world *w, double fill_ticks, double share, double rate,
			     enum lives lives, double life, double shape)
{
	double headroom = world_headroom(w);
	double mean = life;
	struct component c;
	double live;

	component_init(&c, CHURN);
	c.lives = lives;
	c.life = life;
	c.shape = shape;
	c.rate = rate;
	c.leak_share = share;
	c.bytes = headroom / (fill_ticks * rate * share);
	c.spread = 0.4;
	if (lives == LOG_NORMAL)
		mean *= 1.6;
	if (lives == PARETO)
		mean *= 8;
	live = rate * mean * c.bytes;
	if (live > 0.2 * headroom) {
		c.leak_share = fmin(1, c.leak_share * live / (0.2 * headroom));
		c.bytes *= 0.2 * headroom / live;
	}
	return c;
}

void set_daily(struct world *w, struct component *c, double low, double high)
{
	c->daily = draw_uniform(&w->random, low, high);
	c->daily_phase = draw_uniform(&w->random, 0, 2 * M_PI);
}

double benign_bytes(struct world *w)
{
	return draw_log_uniform(&w->random, 0.03, 0.8) * world_headroom(w);
}

void add_late_leak(struct world *w, struct component c, int tick)
{
	struct component before = c;

	before.leak_share = 0;
	before.until = tick;
	c.from = tick;
	site_add(&w->sites[0], c);
	site_add(&w->sites[0], before);
	w->sites[0].leaks_from = tick;
}

static struct component ordinary_churn(struct world *w)
{
	struct random *r = &w->random;
	double bytes = draw_log_uniform(r, 0.01, 0.1) * world_headroom(w);
	double life = draw_log_uniform(r, 2, 60);
	double rate = draw_uniform(r, 2, 5);

	return churn(EXPONENTIAL, life, 0, rate, bytes);
}

static struct component ordinary_sessions(struct world *w)
{
	struct random *r = &w->random;
	double bytes = draw_log_uniform(r, 0.01, 0.1) * world_headroom(w);
	double life = draw_log_uniform(r, 5, 60);
	double rate = draw_uniform(r, 2, 5);
	struct component c = churn(LOG_NORMAL, life, 0.8, rate, bytes);

	set_daily(w, &c, 0.3, 0.8);
	return c;
}

static struct component ordinary_warm_up(struct world *w)
{
	struct random *r = &w->random;
	struct component c;

	component_init(&c, WARM_UP);
	c.total = draw_uniform(r, 200, 800);
	c.tau = draw_log_uniform(r, 10, 200);
	c.bytes = draw_log_uniform(r, 0.005, 0.08) * world_headroom(w) / c.total;
	c.spread = 0.5;
	return c;
}

static struct component ordinary_start(struct world *w)
{
	struct component c;

	component_init(&c, STEPS);
	c.n_steps = 1;
	c.capacity = 200;
	c.bytes = draw_log_uniform(&w->random, 0.02, 0.15) * world_headroom(w) / c.capacity;
	return c;
}

static struct component ordinary_tail(struct world *w)
{
	struct random *r = &w->random;
	double bytes = draw_log_uniform(r, 0.01, 0.06) * world_headroom(w);
	double life = draw_log_uniform(r, 2, 20);
	double shape = draw_uniform(r, 1.1, 1.8);
	double rate = draw_uniform(r, 2, 4);

	return churn(PARETO, life, shape, rate, bytes);
}

static struct component ordinary_batch(struct world *w)
{
	struct random *r = &w->random;
	struct component c;

	component_init(&c, BATCH);
	c.period = draw_log_uniform(r, 20, 240);
	c.jitter = 0.1;
	c.rate = draw_uniform(r, 1, 4);
	c.bytes = draw_log_uniform(r, 0.01, 0.08) * world_headroom(w) / (c.rate * c.period);
	c.spread = 0.3;
	return c;
}

void family_build(const struct family *f, struct world *w, uint64_t seed)
{
	static struct component (*const ordinary[])(struct world *) = {
		ordinary_churn, ordinary_sessions, ordinary_warm_up,
		ordinary_start, ordinary_tail,	   ordinary_batch,
	};
	uint64_t stream = 0;

	/* The name is the stream: a new family changes no other one. */
	for (const char *p = f->id; *p; p++)
		stream = stream * 257 + (unsigned char)*p;
	world_reset(w, seed, stream);
	for (int i = 1; i < SITES; i++) {
		int k = (int)(draw_unit(&w->random) * 6);

		site_add(&w->sites[i], ordinary[k](w));
	}
	w->sites[0].leaks = f->leaks;
	f->build(w);
}
