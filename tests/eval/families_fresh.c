// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * A second kind of random sums, of other components and other leaks than those of families_fuzz.c.
 * Nothing was tuned on it: it was written after everything else was fixed. See families.h.
 */
#include <math.h>

#include "families.h"

static struct component pool(struct world *w, double bytes)
{
	struct random *r = &w->random;
	struct component c;

	component_init(&c, HIGH_WATER);
	c.total = draw_uniform(r, 100, 800);
	c.tau = draw_uniform(r, 0.05, 0.3);
	set_daily(w, &c, 0, 0.6);
	c.bytes = bytes / (c.total * (1 + c.daily + 4 * c.tau));
	return c;
}

static struct component backlog(struct world *w, double bytes)
{
	struct random *r = &w->random;
	struct component c;

	component_init(&c, BACKLOG);
	c.rate = draw_uniform(r, 2, 8);
	c.period = draw_log_uniform(r, 0.5 * DAY, 5 * DAY);
	c.hold = draw_log_uniform(r, 0.5 * HOUR, 6 * HOUR);
	c.capacity = 5;
	c.bytes = bytes / (c.rate * c.hold);
	return c;
}

static struct component phases(struct world *w, double bytes)
{
	struct random *r = &w->random;
	struct component c;

	component_init(&c, BATCH);
	c.period = draw_log_uniform(r, 30, 900);
	c.hold = draw_log_uniform(r, 30, 900);
	c.jitter = draw_uniform(r, 0, 0.8);
	c.rate = draw_uniform(r, 1, 8);
	c.bytes = bytes / (c.rate * c.period * (1 + 2 * c.jitter));
	return c;
}

static struct component interning(struct world *w, double bytes)
{
	struct random *r = &w->random;
	struct component c;

	component_init(&c, LOGARITHM);
	c.tau = draw_log_uniform(r, 5, 400);
	c.total = draw_uniform(r, 100, 800);
	c.bytes = bytes / (c.total * log(RUN_TICKS / c.tau));
	return c;
}

static struct component buffer(struct world *w, double bytes)
{
	struct random *r = &w->random;
	struct component c;

	w->grain = 1;
	component_init(&c, VECTOR);
	c.rate = draw_uniform(r, 1, 8);
	c.bytes = bytes / (draw_log_uniform(r, 1 * HOUR, 60 * HOUR) * c.rate);
	c.most_bytes = 0.5 * bytes;
	return c;
}

static struct component sessions(struct world *w, double bytes)
{
	struct random *r = &w->random;
	enum lives lives = draw_is(r, 0.5) ? WEIBULL : LOG_NORMAL;
	double life = draw_log_uniform(r, 1, 800);
	double shape = draw_uniform(r, 0.4, 1.2);
	struct component c = churn(lives, life, shape, draw_uniform(r, 1, 10), bytes);

	set_daily(w, &c, 0, 0.9);
	if (draw_is(r, 0.3))
		c.weekend = draw_uniform(r, 0.05, 0.8);
	if (draw_is(r, 0.2))
		c.ramp = draw_uniform(r, 0.4, 2.5);
	return c;
}

static struct component cache(struct world *w, double bytes)
{
	struct random *r = &w->random;
	struct component c;

	component_init(&c, draw_is(r, 0.5) ? FIFO : RANDOM_REPLACEMENT);
	c.rate = draw_uniform(r, 1, 8);
	c.capacity = (int)(c.rate * draw_log_uniform(r, 0.5 * HOUR, 40 * HOUR));
	c.bytes = bytes / c.capacity;
	set_daily(w, &c, 0, 0.8);
	return c;
}

static struct component benign(struct world *w, double bytes)
{
	static struct component (*const kinds[])(struct world *, double) = {
		pool, backlog, phases, interning, buffer, sessions, sessions, cache,
	};
	int kind = (int)(draw_unit(&w->random) * 8);

	return kinds[kind](w, bytes);
}

static struct component leaky_sessions(struct world *w, double fill)
{
	struct random *r = &w->random;
	double share = draw_log_uniform(r, 0.005, 0.8);
	double rate = draw_log_uniform(r, 0.2, 10);
	double life = draw_log_uniform(r, 0.5, 200);
	double shape = draw_uniform(r, 0.4, 1.2);
	struct component c = leaky_churn(w, fill, share, rate, WEIBULL, life, shape);

	set_daily(w, &c, 0, 0.9);
	if (draw_is(r, 0.3))
		c.weekend = draw_uniform(r, 0.05, 0.8);
	return c;
}

static struct component leaky_cache(struct world *w, double fill)
{
	struct component c = cache(w, draw_log_uniform(&w->random, 0.03, 0.3) * world_headroom(w));

	c.leak_share = fmin(0.7, world_headroom(w) / (fill * c.rate * c.bytes));
	return c;
}

static struct component leaky_jobs(struct world *w, double fill)
{
	struct random *r = &w->random;
	struct component c;

	component_init(&c, PERIODIC);
	c.period = draw_log_uniform(r, 20, 1000);
	c.capacity = (int)draw_uniform(r, 5, 100);
	c.leak_share = draw_uniform(r, 0.05, 1);
	c.bytes = world_headroom(w) * c.period / (fill * c.capacity * c.leak_share);
	return c;
}

static struct component endless_map(struct world *w, double fill)
{
	struct component c;

	component_init(&c, HEAPS);
	c.beta = draw_uniform(&w->random, 0.85, 1);
	c.total = 3000 / pow(DAY, c.beta);
	c.bytes = world_headroom(w) / (c.total * pow(fill, c.beta));
	return c;
}

static struct component leak(struct world *w)
{
	static struct component (*const kinds[])(struct world *, double) = {
		leaky_sessions, leaky_sessions, leaky_cache, leaky_jobs, endless_map,
	};
	double fill = draw_log_uniform(&w->random, 0.5 * DAY, 25 * DAY);
	int kind = (int)(draw_unit(&w->random) * 5);

	return kinds[kind](w, fill);
}

static void add_benign(struct world *w, int n, double most)
{
	double bytes = draw_log_uniform(&w->random, 0.03, most) * world_headroom(w);

	for (int i = 0; i < n; i++)
		site_add(&w->sites[0], benign(w, bytes / n));
}

static void fresh_leak(struct world *w)
{
	add_benign(w, (int)(draw_unit(&w->random) * 3), 0.5);
	site_add(&w->sites[0], leak(w));
}

static void fresh_benign(struct world *w)
{
	add_benign(w, 1 + (int)(draw_unit(&w->random) * 3), 0.8);
}

struct family_list fresh_families(void)
{
	static const struct family families[] = {
		{ "FR+", "other random sum with a leak", FRESH, true, false, fresh_leak },
		{ "FR-", "other random sum without a leak", FRESH, false, false, fresh_benign },
	};

	return (struct family_list){ families, sizeof(families) / sizeof(families[0]) };
}
