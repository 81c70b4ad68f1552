// SPDX-License-Identifier: GPL-2.0-or-later
/* Ways to use memory. See component.h. */
#include "component.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "world.h"

#define BURST_LENGTH 15 /* mean ticks of a burst of leaking */
#define NO_END	     1e8

void component_init(struct component *c, enum component_kind kind)
{
	*c = (struct component){
		.kind = kind,
		.rate = 6,
		.bytes = 1000,
		.ramp = 1,
		.until = NEVER,
		.lives = EXPONENTIAL,
	};
}

void component_done(struct component *c)
{
	free(c->held.at);
	free(c->shown.at);
	c->held = c->shown = (struct blocks){ 0 };
}

void component_restart(struct component *c)
{
	c->held.head = c->held.n = 0;
	c->shown.head = c->shown.n = 0;
	c->level = c->vector_bytes = 0;
	c->pool = 0;
	c->next = 0;
	c->is_on = false;
	c->current_period = 0;
}

static void push(struct blocks *b, int birth, double bytes)
{
	if (b->n == b->room) {
		b->room = b->room > 0 ? 2 * b->room : 256;
		b->at = realloc(b->at, (size_t)b->room * sizeof(*b->at));
		if (!b->at)
			abort();
	}
	b->at[b->n++] = (struct block){ birth, bytes };
}

static double day_wave(const struct component *c, int tick)
{
	return c->daily > 0 ? 1 + c->daily * sin(2 * M_PI * tick / DAY + c->daily_phase) : 1;
}

/* Switches a regime on and off at random; true while it is on. */
static bool in_regime(struct random *r, struct component *c, int tick)
{
	if (c->is_on && tick >= c->on_until) {
		c->is_on = false;
	} else if (!c->is_on && draw_is(r, 1 / c->regime_gap)) {
		c->is_on = true;
		c->on_until = tick + 1 + (int)(c->regime_length * draw_exponential(r));
	}
	return c->is_on;
}

static double load(struct world *w, struct component *c, int tick)
{
	int since = c->from_start ? tick - w->start : tick;
	double f = c->rate * day_wave(c, tick);

	if (since < c->from || since >= c->until)
		return 0;
	if (c->weekend > 0 && fmod(tick / DAY, 7) >= 5)
		f *= c->weekend;
	f *= 1 + (c->ramp - 1) * tick / RUN_TICKS;
	if (c->nightly && (tick % 1440 < 120 || tick % 1440 >= 180))
		return 0;
	if (c->regime_gap > 0 && !in_regime(&w->random, c, tick))
		return 0;
	return f;
}

static double block_bytes(struct world *w, const struct component *c, int tick)
{
	if (c->growth > 0)
		return c->bytes * (1 + c->growth * (tick - w->start) / DAY) *
		       exp(0.3 * draw_normal(&w->random));
	if (c->spread > 0)
		return c->bytes *
		       exp(c->spread * draw_normal(&w->random) - 0.5 * c->spread * c->spread);
	return c->bytes;
}

static double life_of_block(struct random *r, const struct component *c)
{
	switch (c->lives) {
	case EXPONENTIAL:
		return c->life * draw_exponential(r);
	case LOG_NORMAL:
		return c->life * exp(c->shape * draw_normal(r));
	case PARETO:
		return c->life * pow(draw_unit(r), -1 / c->shape);
	case FIXED:
		return c->life;
	case WEIBULL:
		return c->life * pow(draw_exponential(r), 1 / c->shape);
	case ENDLESS:
		break;
	}
	return 10 * NO_END;
}

/* The share of births that leaks at this moment. */
static double leak_share_now(struct random *r, struct component *c, int tick, bool is_first)
{
	if (c->leak_burst_gap <= 0)
		return c->leak_share;
	if (c->is_on) {
		if (tick >= c->on_until)
			c->is_on = false;
	} else if (is_first && draw_is(r, 1 / c->leak_burst_gap)) {
		c->is_on = true;
		c->on_until = tick + 1 + (int)(BURST_LENGTH * draw_exponential(r));
	}
	return c->is_on ? c->leak_share : 0;
}

static void step_churn(struct world *w, struct world_site *s, struct component *c, int tick, int n)
{
	struct random *r = &w->random;

	for (int i = 0; i < n; i++) {
		double bytes = block_bytes(w, c, tick);
		double share = leak_share_now(r, c, tick, i == 0);
		bool lost = false;
		double life;

		world_allocate(w, s, tick, bytes);
		if (share > 0 && draw_is(r, share)) {
			s->leaked += bytes;
			if (c->late_share > 0 && draw_is(r, c->late_share))
				world_deallocate_later(w, s, tick, bytes,
						       c->late_mean * draw_exponential(r), false);
			continue;
		}
		life = life_of_block(r, c);
		if (c->lost_share > 0 && draw_is(r, c->lost_share)) {
			lost = true;
			life += c->lost_for * draw_exponential(r);
		}
		if (life < NO_END)
			world_deallocate_later(w, s, tick, bytes, life, lost);
		else
			s->leaked += bytes;
	}
}

/* An entry leaves a cache: it is freed, or its last pointer is lost. */
static void evict(struct world *w, struct world_site *s, struct component *c, int tick,
		  struct block b)
{
	if (draw_is(&w->random, c->leak_share))
		s->leaked += b.bytes;
	else
		world_deallocate(w, s, tick, b.birth, b.bytes);
}

static void step_cache(struct world *w, struct world_site *s, struct component *c, int tick, int n)
{
	for (int i = 0; i < n; i++) {
		double bytes = block_bytes(w, c, tick);

		world_allocate(w, s, tick, bytes);
		if (c->kind == RANDOM_REPLACEMENT && c->held.n >= c->capacity) {
			int k = (int)(draw_unit(&w->random) * c->held.n);
			struct block out = c->held.at[k];

			c->held.at[k] = (struct block){ tick, bytes };
			evict(w, s, c, tick, out);
			continue;
		}
		push(&c->held, tick, bytes);
		if (c->kind == FIFO && c->held.n - c->held.head > c->capacity)
			evict(w, s, c, tick, c->held.at[c->held.head++]);
	}
}

static double jittered(struct random *r, double ticks, double jitter)
{
	return ticks * exp(jitter * draw_normal(r));
}

static void end_batch(struct world *w, struct world_site *s, struct component *c, int tick)
{
	for (int i = 0; i < c->held.n; i++)
		evict(w, s, c, tick, c->held.at[i]);
	c->held.n = 0;
	c->is_on = false;
	if (c->period_growth <= 0) {
		c->next = tick + 1 + (int)jittered(&w->random, c->period, c->jitter);
		return;
	}
	if (c->current_period <= 0)
		c->current_period = c->period;
	c->current_period *= c->period_growth;
	if (c->current_period > c->longest_period)
		c->current_period = c->period;
	c->next = tick + 1 + (int)c->current_period;
}

static void step_batch(struct world *w, struct world_site *s, struct component *c, int tick, int n)
{
	bool holds = c->hold > 0 && c->is_on;

	for (int i = 0; i < n && !holds; i++) {
		double bytes = block_bytes(w, c, tick);

		world_allocate(w, s, tick, bytes);
		push(&c->held, tick, bytes);
	}
	if (c->next == 0)
		c->next = tick + 1 + (int)jittered(&w->random, c->period, c->jitter);
	if (tick < c->next)
		return;
	if (c->hold > 0 && !c->is_on) {
		c->is_on = true;
		c->next = tick + (int)jittered(&w->random, c->hold, c->jitter);
	} else {
		end_batch(w, s, c, tick);
	}
}

/* Blocks that stay: warm-up, logarithm, and Heaps' growth, which is the only leak of them. */
static void step_growth(struct world *w, struct world_site *s, struct component *c, int tick)
{
	double since = tick - w->start - c->from;
	double rate = 0;
	int n;

	if (since < 0)
		return;
	if (c->kind == WARM_UP)
		rate = c->total / c->tau * exp(-since / c->tau) * day_wave(c, tick);
	else if (c->kind == HEAPS)
		rate = c->total * (pow(since + 2, c->beta) - pow(since + 1, c->beta));
	else
		rate = c->total / (since + 1 + c->tau);
	n = draw_poisson(&w->random, rate);
	for (int i = 0; i < n; i++) {
		double bytes = block_bytes(w, c, tick);

		world_allocate(w, s, tick, bytes);
		if (c->kind == HEAPS)
			s->leaked += bytes;
	}
}

static void step_vector(struct world *w, struct world_site *s, struct component *c, int tick, int n)
{
	double more = n * c->bytes;

	if (c->most_bytes > 0 && c->level + more > c->most_bytes)
		more = fmax(0, c->most_bytes - c->level);
	c->level += more;
	if (c->vector_bytes <= 0) {
		c->vector_bytes = 64 * c->bytes;
		c->vector_birth = tick;
		world_allocate(w, s, tick, c->vector_bytes);
	}
	while (c->level > c->vector_bytes) {
		if (c->most_bytes <= 0)
			s->leaked = c->level;
		world_reallocate(w, s, tick, c->vector_birth, c->vector_bytes, 2 * c->vector_bytes);
		c->vector_bytes *= 2;
		c->vector_birth = tick;
	}
}

static void step_steps(struct world *w, struct world_site *s, struct component *c, int tick)
{
	for (int i = 0; i < c->n_steps; i++)
		for (int k = 0; k < c->capacity && tick == c->steps[i]; k++)
			world_allocate(w, s, tick, block_bytes(w, c, tick));
}

static void step_periodic(struct world *w, struct world_site *s, struct component *c, int tick)
{
	int since = tick - w->start;

	if (since <= 0 || since % (int)c->period != 0 || tick < c->from || tick >= c->until)
		return;
	for (int k = 0; k < c->capacity; k++) {
		double bytes = block_bytes(w, c, tick);

		world_allocate(w, s, tick, bytes);
		if (draw_is(&w->random, c->leak_share)) {
			s->leaked += bytes;
			continue;
		}
		world_deallocate_later(w, s, tick, bytes,
				       c->period * draw_uniform(&w->random, 0.8, 1), false);
	}
}

/* One step of a stationary walk with this memory, of deviation 1. */
static double walk(struct random *r, double level, double keep)
{
	return keep * level + sqrt(1 - keep * keep) * draw_normal(r);
}

static void step_high_water(struct world *w, struct world_site *s, struct component *c, int tick)
{
	double mean = c->total * day_wave(c, tick);

	c->level = walk(&w->random, c->level, 0.97);
	for (double need = mean * (1 + c->tau * c->level); c->pool < need; c->pool++)
		world_allocate(w, s, tick, block_bytes(w, c, tick));
}

static void free_oldest(struct world *w, struct world_site *s, struct component *c, int tick)
{
	struct block b = c->held.at[c->held.head++];

	world_deallocate(w, s, tick, b.birth, b.bytes);
}

static void enqueue(struct world *w, struct world_site *s, struct component *c, int tick, int n)
{
	for (int i = 0; i < n; i++) {
		double bytes = block_bytes(w, c, tick);

		world_allocate(w, s, tick, bytes);
		push(&c->held, tick, bytes);
	}
}

static void step_queue(struct world *w, struct world_site *s, struct component *c, int tick, int n)
{
	double length;

	c->level = walk(&w->random, c->level, exp(-1 / c->tau));
	length = c->total * exp(0.6 * c->level);
	enqueue(w, s, c, tick, n);
	while (c->held.n - c->held.head > length)
		free_oldest(w, s, c, tick);
}

static void step_backlog(struct world *w, struct world_site *s, struct component *c, int tick,
			 int n)
{
	struct random *r = &w->random;
	int served = (int)(3 * c->rate + 3);

	enqueue(w, s, c, tick, n);
	if (c->next == 0)
		c->next = tick + 60 + (int)(c->period * draw_exponential(r));
	if (!c->is_on && tick >= c->next) {
		c->is_on = true;
		c->on_until = tick + (int)jittered(r, c->hold, 0.4);
	}
	if (c->is_on && tick >= c->on_until) {
		c->is_on = false;
		c->next = tick + 600 + (int)(c->period * draw_exponential(r));
	}
	while (!c->is_on && served-- > 0 && c->held.n - c->held.head > c->capacity)
		free_oldest(w, s, c, tick);
}

static void step_double_buffer(struct world *w, struct world_site *s, struct component *c, int tick)
{
	struct blocks old;
	int at;

	if (c->next == 0 || tick - c->next >= (int)c->period)
		c->next = tick;
	at = tick - c->next;
	if (at < (int)c->hold)
		enqueue(w, s, c, tick, draw_poisson(&w->random, c->total / c->hold));
	if (at != (int)c->hold)
		return;
	for (int i = 0; i < c->shown.n; i++)
		world_deallocate(w, s, tick, c->shown.at[i].birth, c->shown.at[i].bytes);
	old = c->shown;
	c->shown = c->held;
	c->held = old;
	c->held.n = 0;
}

void component_step(struct world *w, struct world_site *s, struct component *c, int tick)
{
	double rate = load(w, c, tick);

	switch (c->kind) {
	case CHURN:
		step_churn(w, s, c, tick, draw_poisson(&w->random, rate));
		break;
	case FIFO:
	case RANDOM_REPLACEMENT:
		step_cache(w, s, c, tick, draw_poisson(&w->random, rate));
		break;
	case BATCH:
		step_batch(w, s, c, tick, draw_poisson(&w->random, rate));
		break;
	case WARM_UP:
	case HEAPS:
	case LOGARITHM:
		step_growth(w, s, c, tick);
		break;
	case VECTOR:
		step_vector(w, s, c, tick, draw_poisson(&w->random, rate));
		break;
	case STEPS:
		step_steps(w, s, c, tick);
		break;
	case PERIODIC:
		step_periodic(w, s, c, tick);
		break;
	case HIGH_WATER:
		step_high_water(w, s, c, tick);
		break;
	case QUEUE:
		step_queue(w, s, c, tick, draw_poisson(&w->random, rate));
		break;
	case BACKLOG:
		step_backlog(w, s, c, tick, draw_poisson(&w->random, rate));
		break;
	case DOUBLE_BUFFER:
		step_double_buffer(w, s, c, tick);
		break;
	}
}
