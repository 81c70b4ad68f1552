// SPDX-License-Identifier: GPL-2.0-or-later
/* Families that were written after the thresholds. See families.h. */
#include <math.h>

#include "families.h"

static void regimes(struct world *w)
{
	struct random *r = &w->random;
	double fill = draw_log_uniform(r, 2 * DAY, 8 * DAY);
	double share = draw_log_uniform(r, 0.02, 0.3);
	double rate = draw_uniform(r, 4, 8);
	double life = draw_log_uniform(r, 0.5, 20);
	struct component c = leaky_churn(w, fill, share, rate, EXPONENTIAL, life, 0);

	c.regime_gap = draw_uniform(r, 120, 500);
	c.regime_length = draw_uniform(r, 120, 500);
	c.bytes *= 2;
	site_add(&w->sites[0], c);
}

static void under_sessions(struct world *w)
{
	struct random *r = &w->random;
	double bytes = draw_uniform(r, 0.1, 0.25) * world_headroom(w);
	double life = draw_uniform(r, 120, 300);
	struct component sessions = churn(LOG_NORMAL, life, 0.5, draw_uniform(r, 4, 8), bytes);
	double fill = draw_log_uniform(r, 2 * DAY, 10 * DAY);
	double share = draw_log_uniform(r, 0.02, 0.2);
	double rate = draw_uniform(r, 3, 6);
	double leaky_life = draw_log_uniform(r, 0.5, 10);

	set_daily(w, &sessions, 0.2, 0.6);
	site_add(&w->sites[0], sessions);
	site_add(&w->sites[0], leaky_churn(w, fill, share, rate, EXPONENTIAL, leaky_life, 0));
}

static void reloads(struct world *w)
{
	struct random *r = &w->random;
	struct component c;

	component_init(&c, PERIODIC);
	c.period = draw_uniform(r, 4 * HOUR, 8 * HOUR);
	c.capacity = 60;
	c.leak_share = draw_uniform(r, 0.2, 0.9);
	c.bytes = world_headroom(w) * c.period /
		  (draw_log_uniform(r, 3 * DAY, 12 * DAY) * c.capacity * c.leak_share);
	site_add(&w->sites[0], c);
}

static void growing_blocks(struct world *w)
{
	struct random *r = &w->random;
	double fill = draw_log_uniform(r, 4 * DAY, 14 * DAY);
	double share = draw_log_uniform(r, 0.02, 0.3);
	double rate = draw_uniform(r, 3, 6);
	double life = draw_log_uniform(r, 0.5, 20);
	struct component c = leaky_churn(w, fill, share, rate, EXPONENTIAL, life, 0);

	c.growth = draw_uniform(r, 0.1, 0.6);
	site_add(&w->sites[0], c);
}

static void with_missed_frees(struct world *w)
{
	struct random *r = &w->random;
	double fill = draw_log_uniform(r, 2 * DAY, 8 * DAY);
	double share = draw_log_uniform(r, 0.03, 0.3);
	double rate = draw_uniform(r, 0.5, 2);
	double life = draw_log_uniform(r, 1, 20);
	struct component c = leaky_churn(w, fill, share, rate, EXPONENTIAL, life, 0);

	c.lost_share = 0.01;
	c.lost_for = draw_log_uniform(r, 30, 300);
	site_add(&w->sites[0], c);
}

static void late_on_full_cache(struct world *w)
{
	struct random *r = &w->random;
	struct component cache, c;

	component_init(&cache, FIFO);
	cache.rate = draw_uniform(r, 4, 8);
	cache.capacity = (int)(cache.rate * draw_log_uniform(r, 2 * HOUR, 8 * HOUR));
	cache.bytes = draw_log_uniform(r, 0.05, 0.3) * world_headroom(w) / cache.capacity;
	component_init(&c, CHURN);
	c.lives = ENDLESS;
	c.leak_share = 1;
	c.from_start = true;
	c.from = (int)draw_uniform(r, 2 * DAY, 5 * DAY);
	c.rate = draw_uniform(r, 0.3, 2);
	c.bytes = world_headroom(w) / (draw_log_uniform(r, 2 * DAY, 8 * DAY) * c.rate);
	w->sites[0].leaks_from = c.from;
	site_add(&w->sites[0], cache);
	site_add(&w->sites[0], c);
}

static void cache_with_lives(struct world *w)
{
	struct random *r = &w->random;
	double bytes = benign_bytes(w);
	struct component c;
	double life;

	component_init(&c, FIFO);
	c.rate = draw_uniform(r, 3, 8);
	c.capacity = (int)(c.rate * draw_log_uniform(r, 3 * HOUR, 30 * HOUR));
	c.bytes = 0.6 * bytes / c.capacity;
	set_daily(w, &c, 0.3, 0.8);
	life = draw_log_uniform(r, 3 * HOUR, 20 * HOUR);
	site_add(&w->sites[0], c);
	site_add(&w->sites[0], churn(FIXED, life, 0, draw_uniform(r, 2, 4), 0.4 * bytes));
}

static void add_batch(struct world *w, double period, double jitter, double rate, double bytes)
{
	struct component c;

	component_init(&c, BATCH);
	c.period = period;
	c.jitter = jitter;
	c.rate = rate;
	c.bytes = bytes / (rate * period);
	site_add(&w->sites[0], c);
}

static void flush_and_compaction(struct world *w)
{
	double bytes = benign_bytes(w);

	add_batch(w, 1 * HOUR, 0.3, draw_uniform(&w->random, 3, 6), 0.3 * bytes);
	add_batch(w, 12 * HOUR, 0.1, draw_uniform(&w->random, 1, 3), 0.7 * bytes);
}

static void keep_alive(struct world *w)
{
	struct random *r = &w->random;
	double bytes = 0.5 * benign_bytes(w);
	double life = draw_log_uniform(r, 30, 300);
	struct component c = churn(WEIBULL, life, 0.5, draw_uniform(r, 3, 8), bytes);

	set_daily(w, &c, 0.2, 0.6);
	site_add(&w->sites[0], c);
}

static void more_users(struct world *w)
{
	struct random *r = &w->random;
	double bytes = 0.6 * benign_bytes(w);
	struct component c = churn(FIXED, 12 * HOUR, 0, draw_uniform(r, 2, 5), bytes);

	set_daily(w, &c, 0.3, 0.8);
	c.weekend = 0.5;
	c.ramp = 1.7;
	site_add(&w->sites[0], c);
}

static struct component preload(struct world *w, double from, double ticks, double bytes)
{
	struct component c;

	component_init(&c, CHURN);
	c.lives = ENDLESS;
	c.from_start = true;
	c.from = (int)from;
	c.until = (int)(from + ticks);
	c.rate = draw_uniform(&w->random, 2, 5);
	c.bytes = bytes / (c.rate * ticks);
	return c;
}

static void staged_warm_up(struct world *w)
{
	double bytes = benign_bytes(w);
	double from = 0;

	for (int i = 0; i < 3; i++) {
		double ticks = draw_uniform(&w->random, 3 * HOUR, 8 * HOUR);

		site_add(&w->sites[0], preload(w, from, ticks, bytes / 3));
		from += ticks + draw_uniform(&w->random, 0, 2 * HOUR);
	}
}

static void linear_preload(struct world *w)
{
	double bytes = benign_bytes(w);
	double ticks = draw_log_uniform(&w->random, 10 * HOUR, 50 * HOUR);

	site_add(&w->sites[0], preload(w, 0, ticks, bytes));
}

static void growing_period(struct world *w)
{
	struct component c;

	component_init(&c, BATCH);
	c.period = 60;
	c.period_growth = 1.5;
	c.longest_period = 1200;
	c.rate = draw_uniform(&w->random, 3, 6);
	c.bytes = benign_bytes(w) / (c.rate * c.longest_period);
	site_add(&w->sites[0], c);
}

static void trickle(struct world *w)
{
	struct component c;

	component_init(&c, CHURN);
	c.lives = ENDLESS;
	c.rate = 1 / draw_log_uniform(&w->random, 60, 360);
	c.bytes = draw_log_uniform(&w->random, 64, 4096);
	site_add(&w->sites[0], c);
}

struct family_list blind_families(void)
{
	static const struct family families[] = {
		{ "BL1", "leak in random regimes, on and off", BLIND, true, false, regimes },
		{ "BL2", "leak under sessions of 2 to 5 hours", BLIND, true, false,
		  under_sessions },
		{ "BL3", "leak at each reload, every 4 to 8 hours", BLIND, true, false, reloads },
		{ "BL4", "leaked blocks get larger", BLIND, true, false, growing_blocks },
		{ "BL5", "leak, and 1 % of frees missed", BLIND, true, false, with_missed_frees },
		{ "BL6", "late leak on a full cache", BLIND, true, false, late_on_full_cache },
		{ "BN1", "cache with evictions and lives, daily load", BLIND, false, false,
		  cache_with_lives },
		{ "BN2", "hourly flush and 12-hour compaction", BLIND, false, false,
		  flush_and_compaction },
		{ "BN3", "keep-alive pool, Weibull 0.5", BLIND, false, false, keep_alive },
		{ "BN4", "12-hour lives, users grow by 70 %", BLIND, false, false, more_users },
		{ "BN5", "three caches warm up in turn", BLIND, false, true, staged_warm_up },
		{ "BN6", "even preload of 10 to 50 hours, then flat", BLIND, false, false,
		  linear_preload },
		{ "BN7", "batch whose period grows", BLIND, false, false, growing_period },
		{ "BN8", "negligible trickle", BLIND, false, false, trickle },
	};

	return (struct family_list){ families, sizeof(families) / sizeof(families[0]) };
}
