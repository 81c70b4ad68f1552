// SPDX-License-Identifier: GPL-2.0-or-later
/* Random sums of components, with and without a leak. See families.h. */
#include <math.h>

#include "families.h"

#define KINDS 11

static struct component random_cache(struct random *r, enum component_kind kind, double bytes)
{
	struct component c;

	component_init(&c, kind);
	c.rate = draw_uniform(r, 2, 5);
	c.capacity = (int)(c.rate * draw_log_uniform(r, 1 * HOUR, 30 * HOUR));
	c.bytes = bytes / c.capacity;
	return c;
}

static struct component random_warm_up(struct random *r, double bytes)
{
	struct component c;

	component_init(&c, WARM_UP);
	c.total = draw_uniform(r, 300, 2500);
	c.tau = draw_log_uniform(r, 20, 30 * HOUR);
	c.bytes = bytes / c.total;
	c.spread = 0.4;
	return c;
}

static struct component random_batch(struct random *r, double bytes)
{
	struct component c;

	component_init(&c, BATCH);
	c.period = draw_log_uniform(r, 20, 1440);
	c.jitter = draw_uniform(r, 0, 0.5);
	c.rate = draw_uniform(r, 2, 5);
	c.bytes = bytes / (c.rate * c.period * (1 + c.jitter));
	return c;
}

static struct component random_queue(struct random *r, double bytes)
{
	struct component c;

	component_init(&c, QUEUE);
	c.rate = draw_uniform(r, 3, 8);
	c.tau = draw_log_uniform(r, 1 * HOUR, 20 * HOUR);
	c.total = c.rate * draw_log_uniform(r, 5, 150);
	c.bytes = bytes / (2.5 * c.total);
	return c;
}

static struct component random_double_buffer(struct random *r, double bytes)
{
	struct component c;

	component_init(&c, DOUBLE_BUFFER);
	c.period = draw_log_uniform(r, 2 * HOUR, 30 * HOUR);
	c.hold = c.period * draw_uniform(r, 0.05, 0.9);
	c.total = draw_uniform(r, 300, 1200);
	c.bytes = bytes / (2 * c.total);
	return c;
}

static struct component random_churn(struct random *r, enum lives lives, double life_low,
				     double life_high, double shape_low, double shape_high,
				     double bytes)
{
	double life = draw_log_uniform(r, life_low, life_high);
	double shape = draw_uniform(r, shape_low, shape_high);

	return churn(lives, life, shape, draw_uniform(r, 2, 6), bytes);
}

static struct component random_kind(struct random *r, int kind, double bytes)
{
	switch (kind) {
	case 0:
		return random_churn(r, EXPONENTIAL, 2, 600, 0, 0, bytes);
	case 1:
		return random_churn(r, LOG_NORMAL, 5, 400, 0.3, 1, bytes);
	case 2:
		return random_churn(r, PARETO, 0.5, 10, 0.8, 1.6, 0.6 * bytes);
	case 3:
		return random_churn(r, FIXED, 60, 4000, 0, 0, bytes);
	case 4:
		return random_warm_up(r, bytes);
	case 5:
		return random_cache(r, FIFO, bytes);
	case 6:
		return random_cache(r, RANDOM_REPLACEMENT, bytes);
	case 7:
		return random_batch(r, bytes);
	case 8:
		return random_queue(r, bytes);
	case 9:
		return random_double_buffer(r, bytes);
	default:
		return random_churn(r, WEIBULL, 20, 500, 0.4, 1.5, bytes);
	}
}

static struct component random_benign(struct world *w, double bytes)
{
	struct random *r = &w->random;
	int kind = (int)(draw_unit(r) * KINDS);
	struct component c = random_kind(r, kind, bytes);

	if (draw_is(r, 0.5) && c.kind != WARM_UP && c.kind != DOUBLE_BUFFER)
		set_daily(w, &c, 0.1, 0.9);
	if (draw_is(r, 0.25))
		c.weekend = draw_uniform(r, 0.1, 0.7);
	if (draw_is(r, 0.2) && c.kind == CHURN)
		c.ramp = draw_uniform(r, 0.5, 2);
	return c;
}

static struct component churning_leak(struct world *w, double fill, double share_low,
				      double share_high, double life_low, double life_high,
				      enum lives lives, double shape)
{
	struct random *r = &w->random;
	double share = draw_log_uniform(r, share_low, share_high);
	double rate = draw_uniform(r, 3, 8);
	double life = draw_log_uniform(r, life_low, life_high);

	return leaky_churn(w, fill, share, rate, lives, life, shape);
}

static struct component endless_leak(struct world *w, double fill)
{
	struct component c;

	component_init(&c, CHURN);
	c.lives = ENDLESS;
	c.leak_share = 1;
	c.rate = draw_log_uniform(&w->random, 0.05, 3);
	c.bytes = world_headroom(w) / (fill * c.rate);
	c.spread = 0.6;
	return c;
}

static struct component periodic_leak(struct world *w, double fill)
{
	struct component c;

	component_init(&c, PERIODIC);
	c.period = draw_log_uniform(&w->random, 60, 600);
	c.capacity = 40;
	c.leak_share = draw_uniform(&w->random, 0.1, 1);
	c.bytes = world_headroom(w) * c.period / (fill * c.capacity * c.leak_share);
	return c;
}

static struct component batch_leak(struct world *w, double fill)
{
	struct random *r = &w->random;
	struct component c;

	component_init(&c, BATCH);
	c.period = draw_log_uniform(r, 30, 600);
	c.jitter = 0.2;
	c.rate = draw_uniform(r, 2, 5);
	c.bytes = draw_log_uniform(r, 0.02, 0.2) * world_headroom(w) / (c.rate * c.period);
	c.leak_share = fmin(0.8, world_headroom(w) / (fill * c.rate * c.bytes));
	return c;
}

static struct component regime_leak(struct world *w, double fill)
{
	struct component c = churning_leak(w, fill, 0.05, 0.6, 0.5, 20, EXPONENTIAL, 0);

	c.regime_gap = draw_log_uniform(&w->random, 60, 400);
	c.regime_length = draw_log_uniform(&w->random, 30, 300);
	c.bytes *= (c.regime_gap + c.regime_length) / c.regime_length;
	return c;
}

static struct component random_leak(struct world *w)
{
	struct random *r = &w->random;
	double fill = draw_log_uniform(r, 0.5 * DAY, 25 * DAY);
	int kind = (int)(draw_unit(r) * 6);
	struct component c;

	switch (kind) {
	case 0:
		c = churning_leak(w, fill, 0.01, 0.6, 0.5, 60, EXPONENTIAL, 0);
		break;
	case 1:
		c = churning_leak(w, fill, 0.02, 0.6, 5, 120, LOG_NORMAL, 0.7);
		break;
	case 2:
		c = endless_leak(w, fill);
		break;
	case 3:
		return regime_leak(w, fill);
	case 4:
		return periodic_leak(w, fill);
	default:
		return batch_leak(w, fill);
	}
	if (draw_is(r, 0.5))
		set_daily(w, &c, 0.1, 0.9);
	return c;
}

/* n benign components that share "bytes". */
static void add_benign(struct world *w, int n, double bytes)
{
	double weight[COMPONENTS], sum = 0;

	for (int i = 0; i < n; i++) {
		weight[i] = draw_uniform(&w->random, 0.2, 1);
		sum += weight[i];
	}
	for (int i = 0; i < n; i++)
		site_add(&w->sites[0], random_benign(w, bytes * weight[i] / sum));
}

static void fuzz_leak(struct world *w)
{
	struct random *r = &w->random;
	int n = (int)(draw_unit(r) * 3);

	add_benign(w, n, draw_log_uniform(r, 0.03, 0.5) * world_headroom(w));
	site_add(&w->sites[0], random_leak(w));
}

static void fuzz_benign(struct world *w)
{
	struct random *r = &w->random;
	int n = 1 + (int)(draw_unit(r) * 3);

	add_benign(w, n, draw_log_uniform(r, 0.03, 0.8) * world_headroom(w));
}

static void deploy(struct world *w)
{
	struct random *r = &w->random;
	double bytes = draw_log_uniform(r, 0.03, 0.5) * world_headroom(w);
	struct component c;

	if (draw_is(r, 0.5))
		site_add(&w->sites[0], random_benign(w, bytes));
	c = random_leak(w);
	/* A saw-tooth or a periodic job would be there before the deploy; this one is new churn. */
	if (c.kind == BATCH || c.kind == PERIODIC) {
		double fill = draw_log_uniform(r, 0.5 * DAY, 15 * DAY);

		c = churning_leak(w, fill, 0.01, 0.5, 0.5, 30, EXPONENTIAL, 0);
	}
	if (c.lives == ENDLESS) {
		c.from = LIFE_TICKS;
		site_add(&w->sites[0], c);
		w->sites[0].leaks_from = LIFE_TICKS;
		return;
	}
	add_late_leak(w, c, LIFE_TICKS);
}

struct family_list fuzz_families(void)
{
	static const struct family families[] = {
		{ "FZ+", "random sum with a leak", FUZZ, true, false, fuzz_leak },
		{ "FZ-", "random sum without a leak", FUZZ, false, false, fuzz_benign },
		{ "DEP", "leak arrives with the second life", DEPLOY, true, false, deploy },
	};

	return (struct family_list){ families, sizeof(families) / sizeof(families[0]) };
}
