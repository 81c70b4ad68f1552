// SPDX-License-Identifier: GPL-2.0-or-later
/* What only looks like a leak. See families.h. */
#include <math.h>

#include "families.h"

static void steady(struct world *w)
{
	struct random *r = &w->random;
	double bytes = benign_bytes(w);
	double life = draw_log_uniform(r, 2, 300);

	site_add(&w->sites[0], churn(EXPONENTIAL, life, 0, draw_uniform(r, 4, 10), bytes));
}

static void warm_up(struct world *w)
{
	struct random *r = &w->random;
	struct component c;

	component_init(&c, WARM_UP);
	c.total = draw_uniform(r, 1000, 4000);
	c.tau = draw_log_uniform(r, 1 * HOUR, 10 * HOUR);
	c.bytes = benign_bytes(w) / c.total;
	c.spread = 0.5;
	site_add(&w->sites[0], c);
}

static void linear_fill(struct world *w)
{
	struct random *r = &w->random;
	struct component c;

	component_init(&c, FIFO);
	c.rate = draw_uniform(r, 3, 8);
	c.capacity = (int)(c.rate * draw_log_uniform(r, 2 * HOUR, 20 * HOUR));
	c.bytes = benign_bytes(w) / c.capacity;
	if (draw_is(r, 0.5))
		set_daily(w, &c, 0.2, 0.6);
	site_add(&w->sites[0], c);
}

/* A batch of a mean period that reaches "bytes" when it takes longer by a factor. */
static struct component batch(double period, double jitter, double rate, double bytes,
			      double longer)
{
	struct component c;

	component_init(&c, BATCH);
	c.period = period;
	c.jitter = jitter;
	c.rate = rate;
	c.bytes = bytes / (rate * period * longer);
	return c;
}

static void saw_tooth(struct world *w)
{
	struct random *r = &w->random;
	double bytes = benign_bytes(w);
	double period = draw_log_uniform(r, 60, 360);
	double jitter = draw_uniform(r, 0, 0.3);

	site_add(&w->sites[0], batch(period, jitter, draw_uniform(r, 3, 7), bytes, 1));
}

static void daily_batch(struct world *w)
{
	double bytes = benign_bytes(w);

	site_add(&w->sites[0], batch(DAY, 0, draw_uniform(&w->random, 2, 5), bytes, 1));
}

static void short_sessions(struct world *w)
{
	struct random *r = &w->random;
	double bytes = benign_bytes(w);
	double life = draw_log_uniform(r, 10, 120);
	struct component c = churn(LOG_NORMAL, life, 0.7, draw_uniform(r, 4, 10), bytes);

	set_daily(w, &c, 0.4, 0.9);
	site_add(&w->sites[0], c);
}

static void long_sessions(struct world *w)
{
	struct random *r = &w->random;
	double bytes = benign_bytes(w);
	double life = draw_uniform(r, 360, 600);
	struct component c = churn(LOG_NORMAL, life, 0.4, draw_uniform(r, 2, 6), bytes);

	set_daily(w, &c, 0.3, 0.9);
	site_add(&w->sites[0], c);
}

static void one_off_steps(struct world *w)
{
	struct random *r = &w->random;
	struct component c;

	component_init(&c, STEPS);
	c.n_steps = 1 + (int)(draw_unit(r) * 3);
	for (int i = 0; i < c.n_steps; i++)
		c.steps[i] = (int)draw_uniform(r, 0, 12 * DAY);
	c.capacity = 300;
	c.bytes = benign_bytes(w) / (300.0 * c.n_steps);
	site_add(&w->sites[0], c);
}

static void growing_buffer(struct world *w)
{
	struct random *r = &w->random;
	double bytes = benign_bytes(w);
	struct component c;

	w->grain = 1;
	component_init(&c, VECTOR);
	c.rate = draw_uniform(r, 2, 6);
	c.bytes = bytes / (draw_log_uniform(r, 2 * HOUR, 40 * HOUR) * c.rate);
	c.most_bytes = 0.5 * bytes;
	site_add(&w->sites[0], c);
}

static void pool(struct world *w)
{
	struct random *r = &w->random;
	struct component c;

	component_init(&c, HIGH_WATER);
	c.total = draw_uniform(r, 200, 600);
	c.tau = draw_uniform(r, 0.08, 0.2);
	set_daily(w, &c, 0.1, 0.5);
	c.bytes = benign_bytes(w) / (c.total * (1 + c.daily + 4 * c.tau));
	site_add(&w->sites[0], c);
}

static void heavy_tail(struct world *w)
{
	struct random *r = &w->random;
	double bytes = 0.5 * benign_bytes(w);
	double life = draw_log_uniform(r, 0.5, 4);
	double shape = draw_uniform(r, 0.8, 1.5);

	site_add(&w->sites[0], churn(PARETO, life, shape, draw_uniform(r, 5, 12), bytes));
}

static void weekly_load(struct world *w)
{
	struct random *r = &w->random;
	double bytes = benign_bytes(w);
	double life = draw_log_uniform(r, 20, 90);
	struct component c = churn(LOG_NORMAL, life, 0.6, draw_uniform(r, 4, 8), bytes);

	set_daily(w, &c, 0.3, 0.7);
	c.weekend = draw_uniform(r, 0.2, 0.5);
	site_add(&w->sites[0], c);
}

static void weekly_flush(struct world *w)
{
	double bytes = benign_bytes(w);

	site_add(&w->sites[0], batch(7 * DAY, 0.02, draw_uniform(&w->random, 1, 3), bytes, 1));
}

static void traffic_ramp(struct world *w)
{
	struct random *r = &w->random;
	double bytes = benign_bytes(w) / 3;
	double life = draw_log_uniform(r, 60, 240);
	struct component c = churn(EXPONENTIAL, life, 0, draw_uniform(r, 2, 4), bytes);

	c.ramp = 3;
	site_add(&w->sites[0], c);
}

static void fixed_lives(struct world *w, double life, double rate_low, double rate_high)
{
	double bytes = benign_bytes(w);
	double rate = draw_uniform(&w->random, rate_low, rate_high);
	struct component c = churn(FIXED, life, 0, rate, bytes);

	set_daily(w, &c, 0, 0.6);
	site_add(&w->sites[0], c);
}

static void one_day_cache(struct world *w)
{
	fixed_lives(w, 24 * HOUR, 2, 4);
}

static void three_day_cache(struct world *w)
{
	fixed_lives(w, 72 * HOUR, 1, 3);
}

static void irregular_flush(struct world *w)
{
	struct random *r = &w->random;
	double bytes = benign_bytes(w);
	double period = draw_log_uniform(r, 30, 500);
	struct component c = batch(period, 0.7, draw_uniform(r, 3, 7), bytes, 2.5);

	set_daily(w, &c, 0.2, 0.8);
	site_add(&w->sites[0], c);
}

static void lazy_tenants(struct world *w)
{
	struct random *r = &w->random;
	struct component c;

	component_init(&c, WARM_UP);
	c.total = draw_uniform(r, 500, 2500);
	c.tau = draw_log_uniform(r, 8 * HOUR, 60 * HOUR);
	set_daily(w, &c, 0.3, 0.9);
	c.bytes = benign_bytes(w) / c.total;
	c.spread = 0.4;
	site_add(&w->sites[0], c);
}

static void missed_frees(struct world *w)
{
	struct random *r = &w->random;
	double bytes = 0.5 * benign_bytes(w);
	double life = draw_log_uniform(r, 1, 30);
	struct component c = churn(EXPONENTIAL, life, 0, draw_uniform(r, 6, 12), bytes);

	c.lost_share = draw_log_uniform(r, 1e-3, 2e-2);
	c.lost_for = draw_log_uniform(r, 20, 300);
	site_add(&w->sites[0], c);
}

static void fragmentation(struct world *w)
{
	struct random *r = &w->random;
	double bytes = benign_bytes(w);
	double life = draw_log_uniform(r, 5, 60);

	site_add(&w->sites[0], churn(EXPONENTIAL, life, 0, draw_uniform(r, 4, 8), 0.3 * bytes));
	w->fragmentation = 1.5 * bytes / RUN_TICKS;
}

static void wandering_queue(struct world *w)
{
	struct random *r = &w->random;
	struct component c;

	component_init(&c, QUEUE);
	c.rate = draw_uniform(r, 5, 10);
	c.tau = draw_log_uniform(r, 6 * HOUR, 24 * HOUR);
	c.total = c.rate * draw_log_uniform(r, 20, 180);
	c.bytes = benign_bytes(w) / (2.5 * c.total);
	site_add(&w->sites[0], c);
}

static void incidents(struct world *w)
{
	struct random *r = &w->random;
	struct component c;

	component_init(&c, BACKLOG);
	c.rate = draw_uniform(r, 4, 8);
	c.period = draw_log_uniform(r, 1 * DAY, 4 * DAY);
	c.hold = draw_log_uniform(r, 2 * HOUR, 8 * HOUR);
	c.capacity = 5;
	c.bytes = benign_bytes(w) / (c.rate * c.hold);
	site_add(&w->sites[0], c);
}

static void interning(struct world *w)
{
	struct random *r = &w->random;
	struct component c;

	component_init(&c, LOGARITHM);
	c.tau = draw_log_uniform(r, 10, 200);
	c.total = draw_uniform(r, 200, 500);
	c.bytes = benign_bytes(w) / (c.total * log(RUN_TICKS / c.tau));
	site_add(&w->sites[0], c);
}

static void phases(struct world *w)
{
	struct random *r = &w->random;
	double bytes = benign_bytes(w);
	double period = draw_log_uniform(r, 120, 500);
	double hold = draw_log_uniform(r, 120, 800);
	struct component c = batch(period, 0.3, draw_uniform(r, 2, 6), bytes, 1.3);

	c.hold = hold;
	site_add(&w->sites[0], c);
}

static void double_buffer(struct world *w)
{
	struct random *r = &w->random;
	struct component c;

	component_init(&c, DOUBLE_BUFFER);
	c.period = draw_log_uniform(r, 4 * HOUR, 24 * HOUR);
	c.hold = c.period * draw_uniform(r, 0.1, 0.9);
	c.total = draw_uniform(r, 500, 1500);
	c.bytes = benign_bytes(w) / (2 * c.total);
	site_add(&w->sites[0], c);
}

static void random_replacement(struct world *w)
{
	struct random *r = &w->random;
	struct component c;

	component_init(&c, RANDOM_REPLACEMENT);
	c.rate = draw_uniform(r, 1, 3);
	c.capacity = (int)(c.rate * draw_uniform(r, 36 * HOUR, 60 * HOUR));
	c.bytes = benign_bytes(w) / c.capacity;
	site_add(&w->sites[0], c);
}

static void deferred_frees(struct world *w)
{
	struct random *r = &w->random;
	double bytes = benign_bytes(w);
	double period = draw_log_uniform(r, 2 * HOUR, 12 * HOUR);

	site_add(&w->sites[0], batch(period, 0.2, draw_uniform(r, 3, 6), bytes, 1.3));
}

static void restarts(struct world *w)
{
	struct random *r = &w->random;
	struct component c;

	component_init(&c, WARM_UP);
	c.total = draw_uniform(r, 1000, 3000);
	c.tau = draw_log_uniform(r, 30, 240);
	c.bytes = benign_bytes(w) / c.total;
	site_add(&w->sites[0], c);
	w->restart_every = (int)draw_uniform(r, 6 * HOUR, 20 * HOUR);
}

static void monday(struct world *w)
{
	struct random *r = &w->random;
	double bytes = benign_bytes(w);
	double life = draw_uniform(r, 240, 600);
	struct component c = churn(LOG_NORMAL, life, 0.4, draw_uniform(r, 2, 5), bytes);

	set_daily(w, &c, 0.3, 0.7);
	c.weekend = 0.15;
	site_add(&w->sites[0], c);
}

struct family_list benign_families(void)
{
	static const struct family families[] = {
		{ "N01", "steady churn", DEVELOPMENT, false, false, steady },
		{ "N02", "cache warms up", DEVELOPMENT, false, false, warm_up },
		{ "N03", "LRU cache fills evenly, then evicts", DEVELOPMENT, false, false,
		  linear_fill },
		{ "N04", "saw-tooth of 1 to 6 hours", DEVELOPMENT, false, false, saw_tooth },
		{ "N05", "daily batch", DEVELOPMENT, false, false, daily_batch },
		{ "N06", "short sessions, daily load", DEVELOPMENT, false, false, short_sessions },
		{ "N07", "long sessions of 6 to 10 hours", HELD_OUT, false, false, long_sessions },
		{ "N08", "one-off steps", DEVELOPMENT, false, false, one_off_steps },
		{ "N09", "buffer grows to its maximum", DEVELOPMENT, false, false, growing_buffer },
		{ "N10", "pool follows the greatest concurrency", HELD_OUT, false, false, pool },
		{ "N11", "heavy-tailed lives", DEVELOPMENT, false, false, heavy_tail },
		{ "N12", "weekly load", DEVELOPMENT, false, false, weekly_load },
		{ "N13", "weekly flush", DEVELOPMENT, false, true, weekly_flush },
		{ "N14", "traffic triples in two weeks", HELD_OUT, false, false, traffic_ramp },
		{ "N15", "cache of 24-hour lives", DEVELOPMENT, false, true, one_day_cache },
		{ "N16", "cache of 72-hour lives", DEVELOPMENT, false, true, three_day_cache },
		{ "N17", "flush at irregular times", DEVELOPMENT, false, false, irregular_flush },
		{ "N18", "state per tenant, made lazily", HELD_OUT, false, false, lazy_tenants },
		{ "N19", "frees that are missed for a while", DEVELOPMENT, false, false,
		  missed_frees },
		{ "N20", "fragmentation", DEVELOPMENT, false, false, fragmentation },
		{ "N21", "queue of wandering length", DEVELOPMENT, false, false, wandering_queue },
		{ "N22", "backlog incidents", HELD_OUT, false, false, incidents },
		{ "N23", "interning, growth of a logarithm", DEVELOPMENT, false, false, interning },
		{ "N24", "phases of computing", HELD_OUT, false, false, phases },
		{ "N25", "double buffer", HELD_OUT, false, false, double_buffer },
		{ "N26", "random replacement, 36 to 60 hours", DEVELOPMENT, false, true,
		  random_replacement },
		{ "N27", "frees deferred and done at once", HELD_OUT, false, false,
		  deferred_frees },
		{ "N28", "restarts with warm-up", DEVELOPMENT, false, false, restarts },
		{ "N29", "long sessions come back on Monday", HELD_OUT, false, false, monday },
	};

	return (struct family_list){ families, sizeof(families) / sizeof(families[0]) };
}
