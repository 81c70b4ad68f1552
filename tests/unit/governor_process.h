/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A simulated process under a governor, and the governor's caller: sets and removes probes with the
 * delays of a kernel, reads counters, sends notes, keeps the timer. Steps of a millisecond.
 */
#ifndef SEEP_TESTS_GOVERNOR_PROCESS_H
#define SEEP_TESTS_GOVERNOR_PROCESS_H

#include <math.h>
#include <stdint.h>
#include <stdlib.h>

#include "probe/governor.h"

#define MS     1000000ull
#define SECOND 1000000000ull
#define MINUTE (60 * SECOND)
#define NEVER  UINT64_MAX

struct process {
	/* What it does. */
	double (*pairs_per_second)(uint64_t t_ns, void *userdata);
	void *userdata;
	double bare_ns; /* > 0: as fast as it can on one core, this long per pair without probes */
	double cores;	/* that it can use; 0: as many as it needs */
	double size_bytes;
	/* What probes cost it in truth, and the delays. */
	struct governor_prices prices;
	uint64_t removal_ns;
	uint64_t attach_ns;
	uint64_t react_ns; /* from a note or timer to the measurement, and on to what comes of it */
	/* The caller. */
	struct governor g;
	struct governor_plan in_force;
	struct governor_plan wanted;
	struct governor_counts counts;
	uint64_t now_ns;
	uint64_t applied_at_ns;
	uint64_t note_at_ns;
	uint64_t hits; /* since the last note */
	double pairs_rest, taken_rest;
	/* What happened. */
	double step_ns; /* spent in the last step */
	uint64_t windows;
	uint64_t measurements;
	uint64_t watch_from_ns;
	uint64_t gone_ns; /* when probes were removed first after that */
	double *spent_ns; /* per millisecond; owned, NULL: not kept */
	double *pairs;	  /* likewise */
	size_t n, max;
};

/* A new plan: takes effect after a while. */
static inline void process_wants(struct process *p)
{
	uint64_t delay = p->react_ns;

	p->wanted = p->g.plan;
	if (p->wanted.probes > p->in_force.probes)
		delay += p->attach_ns;
	else if (p->wanted.probes < p->in_force.probes)
		delay += p->removal_ns;
	p->applied_at_ns = p->now_ns + delay;
}

/* @history_ns: for how long what happens is kept. */
static inline void process_start(struct process *p, const struct governor_limits *limits,
				 const struct governor_prices *told, struct governor_total *total,
				 uint64_t now_ns, uint64_t history_ns)
{
	p->now_ns = now_ns;
	p->applied_at_ns = p->note_at_ns = NEVER;
	p->max = history_ns / MS;
	if (p->max > 0) {
		p->spent_ns = calloc(p->max, sizeof(*p->spent_ns));
		p->pairs = calloc(p->max, sizeof(*p->pairs));
		if (!p->spent_ns || !p->pairs)
			abort();
	}
	if (governor_init(&p->g, limits, told, total, now_ns) > 0)
		process_wants(p);
}

static inline void process_end(struct process *p)
{
	governor_done(&p->g);
	free(p->spent_ns);
	free(p->pairs);
	p->spent_ns = p->pairs = NULL;
}

static inline double process_taken_share(const struct process *p)
{
	double x;

	if (p->in_force.mode == GOVERNOR_EXACT)
		return 1;
	if (p->in_force.mode == GOVERNOR_COUNT)
		return 0;
	x = p->size_bytes / (double)p->in_force.interval_bytes;
	return x >= 1 ? 1 : 1 - exp(-x);
}

static inline double process_pair_ns(const struct process *p)
{
	switch (p->in_force.probes) {
	case GOVERNOR_PROBES_ALL:
		return p->prices.skip_ns + p->prices.free_ns +
		       process_taken_share(p) * (p->prices.return_ns + p->prices.block_ns);
	case GOVERNOR_PROBES_FREES:
		return p->prices.free_ns;
	case GOVERNOR_PROBES_NONE:
	default:
		return 0;
	}
}

/* The whole part of what came so far. */
static inline uint64_t process_whole(double *rest, double more)
{
	uint64_t whole;

	*rest += more;
	whole = (uint64_t)*rest;
	*rest -= (double)whole;
	return whole;
}

static inline void process_count(struct process *p, uint64_t pairs)
{
	if (p->in_force.probes == GOVERNOR_PROBES_NONE)
		return;
	p->counts.frees += pairs;
	p->hits += pairs;
	if (p->in_force.probes == GOVERNOR_PROBES_ALL) {
		p->counts.allocations += pairs;
		p->counts.bytes += (uint64_t)((double)pairs * p->size_bytes);
		p->counts.taken +=
			process_whole(&p->taken_rest, (double)pairs * process_taken_share(p));
		p->hits += pairs;
	}
	if (p->in_force.alarm_hits > 0 && p->hits >= p->in_force.alarm_hits) {
		p->hits = 0;
		if (p->note_at_ns == NEVER)
			p->note_at_ns = p->now_ns + p->react_ns;
	}
}

/* A millisecond of the process itself. */
static inline void process_run(struct process *p)
{
	double pair_ns = process_pair_ns(p), pairs;
	uint64_t whole;

	if (p->bare_ns > 0) {
		pairs = MS / (p->bare_ns + pair_ns);
	} else {
		pairs = p->pairs_per_second(p->now_ns, p->userdata) / 1000;
		if (p->cores > 0)
			pairs = fmin(pairs, p->cores * MS / fmax(pair_ns, 1));
	}
	whole = process_whole(&p->pairs_rest, pairs);
	process_count(p, whole);
	p->step_ns += (double)whole * pair_ns;
	if (p->n < p->max) {
		p->pairs[p->n] = (double)whole;
		p->spent_ns[p->n++] = p->step_ns;
	}
}

/* How much of a core its hits take while probes are set: a thread that makes none loses nothing. */
static inline double process_busy(const struct process *p)
{
	double pair_ns = p->prices.skip_ns + p->prices.free_ns;

	if (p->bare_ns > 0)
		return pair_ns / (pair_ns + p->bare_ns);
	return fmin(1, p->pairs_per_second(p->now_ns, p->userdata) * pair_ns / SECOND);
}

static inline void process_apply(struct process *p)
{
	struct governor_counts counts = p->counts;

	if (p->wanted.probes == GOVERNOR_PROBES_ALL && p->in_force.probes != GOVERNOR_PROBES_ALL) {
		p->windows++;
		p->step_ns += p->prices.attach_ns * process_busy(p);
	}
	if (p->wanted.probes == GOVERNOR_PROBES_NONE && p->gone_ns == 0 &&
	    p->now_ns >= p->watch_from_ns)
		p->gone_ns = p->now_ns;
	p->counts = (struct governor_counts){ 0 };
	p->applied_at_ns = NEVER;
	p->in_force = p->wanted;
	if (governor_applied(&p->g, p->now_ns, &counts))
		process_wants(p);
}

static inline uint64_t process_measures_ns(const struct process *p)
{
	uint64_t timer = p->g.plan.next_ns;

	if (timer < NEVER)
		timer += p->react_ns;
	return p->note_at_ns < timer ? p->note_at_ns : timer;
}

/* When the caller has something to do. */
static inline uint64_t process_wakes_ns(const struct process *p)
{
	uint64_t measures = process_measures_ns(p);

	return p->applied_at_ns < measures ? p->applied_at_ns : measures;
}

static inline void process_step(struct process *p)
{
	p->step_ns = 0;
	if (p->now_ns >= p->applied_at_ns) {
		process_apply(p);
	} else if (p->now_ns >= process_measures_ns(p)) {
		struct governor_counts counts = p->counts;

		p->counts = (struct governor_counts){ 0 };
		p->note_at_ns = NEVER;
		p->measurements++;
		if (governor_measure(&p->g, p->now_ns, &counts))
			process_wants(p);
	}
	process_run(p);
	p->now_ns += MS;
}

static inline void process_until(struct process *p, uint64_t t_ns)
{
	while (p->now_ns < t_ns && p->n < p->max)
		process_step(p);
}

/* The largest sum over @span values in a row, from the value @from on. */
static inline double largest_sum(const double *values, size_t n, size_t from, size_t span)
{
	double sum = 0, largest = 0;

	for (size_t i = from; i < n; i++) {
		sum += values[i] - (i >= from + span ? values[i - span] : 0);
		largest = fmax(largest, sum);
	}
	return largest;
}

/* The largest share of one core that it lost in any second, and in any minute. */
static inline double process_worst_second(const struct process *p)
{
	return largest_sum(p->spent_ns, p->n, 0, 1000) / SECOND;
}

static inline double process_worst_minute(const struct process *p)
{
	return largest_sum(p->spent_ns, p->n, 0, 60000) / MINUTE;
}

/* The fewest pairs in any so many milliseconds. */
static inline double process_fewest_pairs(const struct process *p, size_t span)
{
	double sum = 0, fewest = INFINITY;

	for (size_t i = 0; i < p->n; i++) {
		sum += p->pairs[i] - (i >= span ? p->pairs[i - span] : 0);
		if (i + 1 >= span)
			fewest = fmin(fewest, sum);
	}
	return fewest;
}

#endif
