// SPDX-License-Identifier: GPL-2.0-or-later
/* Leaks. See families.h. */
#include <math.h>

#include "families.h"

static struct component leak(struct world *w, double fill_low, double fill_high, double share_low,
			     double share_high, double rate_low, double rate_high, double life_low,
			     double life_high)
{
	struct random *r = &w->random;
	double fill = draw_log_uniform(r, fill_low, fill_high);
	double share = draw_log_uniform(r, share_low, share_high);
	double rate = draw_uniform(r, rate_low, rate_high);
	double life = draw_log_uniform(r, life_low, life_high);

	return leaky_churn(w, fill, share, rate, EXPONENTIAL, life, 0);
}

static void steady(struct world *w)
{
	site_add(&w->sites[0], leak(w, 1 * DAY, 8 * DAY, 0.01, 0.3, 4, 10, 0.5, 30));
}

static void fast(struct world *w)
{
	site_add(&w->sites[0], leak(w, 3 * HOUR, 10 * HOUR, 0.1, 1, 6, 12, 0.5, 5));
}

static void slow(struct world *w)
{
	site_add(&w->sites[0], leak(w, 30 * DAY, 90 * DAY, 0.02, 0.2, 4, 8, 0.5, 20));
}

static void daily(struct world *w)
{
	struct component c = leak(w, 2 * DAY, 12 * DAY, 0.02, 0.3, 4, 10, 1, 30);

	set_daily(w, &c, 0.5, 0.95);
	site_add(&w->sites[0], c);
}

static void error_bursts(struct world *w)
{
	struct random *r = &w->random;
	double fill = draw_log_uniform(r, 7 * DAY, 25 * DAY);
	struct component c;

	component_init(&c, CHURN);
	c.life = 3;
	c.rate = draw_uniform(r, 3, 6);
	c.leak_share = draw_uniform(r, 0.3, 1);
	c.leak_burst_gap = draw_log_uniform(r, 3 * HOUR, 10 * HOUR);
	c.bytes = world_headroom(w) / (fill * c.rate * c.leak_share * 15 / c.leak_burst_gap);
	site_add(&w->sites[0], c);
}

static void nightly(struct world *w)
{
	struct random *r = &w->random;
	double fill = draw_log_uniform(r, 8 * DAY, 30 * DAY);
	double most = 0.15 * world_headroom(w);
	struct component c;
	double live;

	component_init(&c, CHURN);
	c.nightly = true;
	c.life = 20;
	c.rate = draw_uniform(r, 4, 10);
	c.leak_share = draw_log_uniform(r, 0.03, 0.5);
	c.bytes = world_headroom(w) * 24 / (fill * c.rate * c.leak_share);
	live = c.rate * c.life * c.bytes;
	if (live > most) {
		c.leak_share = fmin(1, c.leak_share * live / most);
		c.bytes *= most / live;
	}
	site_add(&w->sites[0], c);
}

static void late_onset(struct world *w)
{
	struct component c = leak(w, 1 * DAY, 8 * DAY, 0.02, 0.3, 3, 6, 0.5, 30);

	add_late_leak(w, c, (int)draw_uniform(&w->random, 2 * DAY, 6 * DAY));
}

static void in_cache(struct world *w)
{
	struct random *r = &w->random;
	double residence, amplitude, fill;
	struct component c;

	component_init(&c, FIFO);
	c.rate = draw_uniform(r, 4, 8);
	residence = draw_log_uniform(r, 2 * HOUR, 10 * HOUR);
	amplitude = draw_log_uniform(r, 0.05, 0.2) * world_headroom(w);
	fill = draw_log_uniform(r, 4 * DAY, 40 * DAY);
	c.capacity = (int)(c.rate * residence);
	c.bytes = amplitude / c.capacity;
	c.leak_share = fmin(0.5, world_headroom(w) / (fill * c.rate * c.bytes));
	site_add(&w->sites[0], c);
}

static void heavy_tail(struct world *w)
{
	struct random *r = &w->random;
	double fill = draw_log_uniform(r, 1.5 * DAY, 8 * DAY);
	double share = draw_log_uniform(r, 0.02, 0.15);
	double rate = draw_uniform(r, 4, 10);
	double shape = draw_uniform(r, 0.9, 1.5);

	site_add(&w->sites[0], leaky_churn(w, fill, share, rate, PARETO, 1, shape));
}

static void unbounded_map(struct world *w)
{
	struct random *r = &w->random;
	struct component c;

	component_init(&c, CHURN);
	c.lives = ENDLESS;
	c.leak_share = 1;
	c.rate = draw_uniform(r, 1, 5);
	c.bytes = world_headroom(w) / (draw_log_uniform(r, 2 * DAY, 12 * DAY) * c.rate);
	c.spread = 0.5;
	set_daily(w, &c, 0, 0.8);
	site_add(&w->sites[0], c);
}

static void vector(struct world *w)
{
	struct random *r = &w->random;
	struct component c;

	w->grain = 1;
	component_init(&c, VECTOR);
	c.rate = draw_uniform(r, 2, 6);
	c.bytes = 0.66 * world_headroom(w) / (draw_log_uniform(r, 1.5 * DAY, 10 * DAY) * c.rate);
	site_add(&w->sites[0], c);
}

static void rare_large(struct world *w)
{
	struct random *r = &w->random;
	double gap = draw_log_uniform(r, 1 * HOUR, 5 * HOUR);
	struct component c;

	w->grain = 1;
	component_init(&c, CHURN);
	c.lives = ENDLESS;
	c.leak_share = 1;
	c.rate = 1 / gap;
	c.bytes = world_headroom(w) * gap / draw_log_uniform(r, 3 * DAY, 12 * DAY);
	c.spread = 0.3;
	site_add(&w->sites[0], c);
}

static void saw_tooth_residue(struct world *w)
{
	struct random *r = &w->random;
	struct component c;
	double fill;

	component_init(&c, BATCH);
	c.period = draw_log_uniform(r, 60, 360);
	c.jitter = 0.15;
	c.rate = draw_uniform(r, 3, 7);
	c.bytes = draw_log_uniform(r, 0.03, 0.3) * world_headroom(w) / (c.rate * c.period);
	fill = draw_log_uniform(r, 4 * DAY, 30 * DAY);
	c.leak_share = fmin(0.5, world_headroom(w) / (fill * c.rate * c.bytes));
	site_add(&w->sites[0], c);
}

static void sparse(struct world *w)
{
	struct random *r = &w->random;
	double fill = draw_log_uniform(r, 1.5 * DAY, 8 * DAY);
	double share = draw_log_uniform(r, 0.05, 0.5);
	double rate = draw_log_uniform(r, 0.05, 0.3);
	double life = draw_log_uniform(r, 0.5, 30);

	site_add(&w->sites[0], leaky_churn(w, fill, share, rate, EXPONENTIAL, life, 0));
}

static void restarted(struct world *w)
{
	site_add(&w->sites[0], leak(w, 2 * DAY, 8 * DAY, 0.02, 0.3, 4, 8, 0.5, 20));
	w->restart_every = (int)draw_uniform(&w->random, 8 * HOUR, 24 * HOUR);
}

static void stops(struct world *w)
{
	struct component c = leak(w, 2 * DAY, 6 * DAY, 0.03, 0.3, 3, 6, 0.5, 20);
	int end = (int)draw_uniform(&w->random, 1.2 * DAY, 2 * DAY);
	struct component after = c;

	after.leak_share = 0;
	after.from = end;
	c.until = end;
	site_add(&w->sites[0], c);
	site_add(&w->sites[0], after);
	w->sites[0].leaks_until = end;
}

static void accelerating(struct world *w)
{
	site_add(&w->sites[0], leak(w, 4 * DAY, 12 * DAY, 0.02, 0.3, 3, 6, 0.5, 20))->ramp = 3;
}

static void fading(struct world *w)
{
	site_add(&w->sites[0], leak(w, 2 * DAY, 9 * DAY, 0.02, 0.3, 4, 8, 0.5, 20))->ramp = 0.4;
}

static void connections(struct world *w)
{
	struct random *r = &w->random;
	double fill = draw_log_uniform(r, 2 * DAY, 10 * DAY);
	double share = draw_log_uniform(r, 0.01, 0.05);
	double rate = draw_uniform(r, 4, 8);
	double life = draw_log_uniform(r, 20, 60);
	struct component c = leaky_churn(w, fill, share, rate, LOG_NORMAL, life, 1);

	set_daily(w, &c, 0.3, 0.8);
	site_add(&w->sites[0], c);
}

static void imperfect(struct world *w)
{
	struct component c = leak(w, 2 * DAY, 8 * DAY, 0.02, 0.3, 4, 8, 0.5, 20);

	c.late_share = 0.1;
	c.late_mean = draw_log_uniform(&w->random, 6 * HOUR, 3 * DAY);
	site_add(&w->sites[0], c);
}

static void weekdays(struct world *w)
{
	site_add(&w->sites[0], leak(w, 2 * DAY, 10 * DAY, 0.02, 0.3, 4, 8, 0.5, 20))->weekend =
		0.001;
}

static void small_in_noise(struct world *w)
{
	struct random *r = &w->random;
	double headroom = world_headroom(w);
	double bytes = draw_uniform(r, 0.15, 0.3) * headroom;
	double life = draw_log_uniform(r, 10, 60);
	double rate = draw_uniform(r, 6, 12);
	double fill = draw_log_uniform(r, 8 * DAY, 30 * DAY);
	struct component c = churn(LOG_NORMAL, life, 0.7, rate, bytes);

	set_daily(w, &c, 0.3, 0.6);
	c.leak_share = headroom / (fill * c.rate * c.bytes);
	site_add(&w->sites[0], c);
}

static void per_thread(struct world *w)
{
	struct random *r = &w->random;
	double gap = draw_log_uniform(r, 8, 30);
	struct component c;

	component_init(&c, CHURN);
	c.lives = LOG_NORMAL;
	c.life = 15;
	c.shape = 0.7;
	c.rate = 1 / gap;
	c.leak_share = draw_uniform(r, 0.5, 1);
	c.bytes = world_headroom(w) * gap / (draw_log_uniform(r, 4 * DAY, 20 * DAY) * c.leak_share);
	site_add(&w->sites[0], c);
}

static void heaps(struct world *w)
{
	double fill = draw_log_uniform(&w->random, 3 * DAY, 12 * DAY);
	struct component c;

	component_init(&c, HEAPS);
	c.beta = 0.9;
	c.total = 3000 / pow(DAY, c.beta);
	c.bytes = world_headroom(w) / (c.total * pow(fill, c.beta));
	site_add(&w->sites[0], c);
}

struct family_list leak_families(void)
{
	static const struct family families[] = {
		{ "L01", "steady leak in a churning site", DEVELOPMENT, true, false, steady },
		{ "L02", "fast leak, 3 to 10 hours to the limit", DEVELOPMENT, true, false, fast },
		{ "L03", "slow leak, over 30 days to the limit", DEVELOPMENT, true, false, slow },
		{ "L04", "leak follows the daily load", DEVELOPMENT, true, false, daily },
		{ "L05", "leak in bursts of an error path", DEVELOPMENT, true, false,
		  error_bursts },
		{ "L06", "nightly job leaks", DEVELOPMENT, true, false, nightly },
		{ "L07", "leak begins late", DEVELOPMENT, true, false, late_onset },
		{ "L08", "leak inside an LRU cache", HELD_OUT, true, false, in_cache },
		{ "L09", "leak in a site of heavy-tailed lives", DEVELOPMENT, true, false,
		  heavy_tail },
		{ "L10", "map without bound", DEVELOPMENT, true, false, unbounded_map },
		{ "L11", "vector without bound", DEVELOPMENT, true, false, vector },
		{ "L12", "rare large blocks", DEVELOPMENT, true, false, rare_large },
		{ "L13", "saw-tooth leaves a residue", HELD_OUT, true, false, saw_tooth_residue },
		{ "L14", "leak seen by sparse sampling", DEVELOPMENT, true, false, sparse },
		{ "L15", "leak, restarted every 8 to 24 hours", DEVELOPMENT, true, false,
		  restarted },
		{ "L16", "leak that stops", DEVELOPMENT, true, false, stops },
		{ "L17", "leak under a rising load", HELD_OUT, true, false, accelerating },
		{ "L18", "leak under a falling load", DEVELOPMENT, true, false, fading },
		{ "L19", "connections leak among sessions", HELD_OUT, true, false, connections },
		{ "L20", "leak of which a tenth is freed late", HELD_OUT, true, false, imperfect },
		{ "L21", "leak on weekdays only", DEVELOPMENT, true, false, weekdays },
		{ "L22", "small leak in a large noisy site", HELD_OUT, true, false,
		  small_in_noise },
		{ "L23", "leak per thread, few births", HELD_OUT, true, false, per_thread },
		{ "L24", "cache without bound, Heaps 0.9", DEVELOPMENT, true, false, heaps },
	};

	return (struct family_list){ families, sizeof(families) / sizeof(families[0]) };
}
