// SPDX-License-Identifier: GPL-2.0-or-later
/* One service under the detectors. See run.h. */
#include "run.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "trend/confidence.h"
#include "trend/process.h"
#include "trend/site.h"

#define MOST_ANSWERS 128
#define MOST_LIVES   3
#define EPISODE	     1440 /* ticks between two false alarms that count as two */
#define LEAK_MATTERS 0.01 /* of the headroom */
#define LATE	     1440 /* ticks after a leak's end in which an alert is still right */

/* What one detector said about one site in one life. */
struct tally {
	int found_at; /* tick; -1: not */
	double found_share;
	int false_alarms;
	int last_alarm;	   /* tick */
	bool right_before; /* in an earlier life */
};

struct run {
	const struct run_options *o;
	const struct family *family;
	uint64_t seed;
	struct world *world;
	struct trend_process *process;
	struct trend_site *sites[SITES];
	struct trend_profile profiles[SITES];
	struct tally tallies[MOST_ANSWERS][SITES];
	struct baseline_state states[MOST_ANSWERS][SITES];
	int rank_scores[SITES];
	int progress_seen[SITES]; /* half octaves that gave a row for confidence */
	int life;
	struct run_scores *scores;
};

static void *must(void *p)
{
	if (!p)
		abort();
	return p;
}

static bool is_leaking(const struct world_site *s, int tick)
{
	return s->leaks && tick >= s->leaks_from && tick < s->leaks_until + LATE && s->leaked > 0;
}

static void begin_life(struct run *r)
{
	r->process = must(trend_process_new());
	for (int i = 0; i < SITES; i++) {
		r->sites[i] = must(trend_site_new(0));
		r->progress_seen[i] = -1000;
		r->rank_scores[i] = 0;
	}
	memset(r->states, 0, sizeof(r->states));
}

static void end_life(struct run *r)
{
	enum trend_end how = r->world->exhausted ? TREND_EXHAUSTED : TREND_ENDED;

	for (int i = 0; i < SITES; i++) {
		trend_site_end(r->sites[i], r->process, &r->o->trend, how, &r->profiles[i]);
		r->sites[i] = trend_site_free(r->sites[i]);
	}
	r->process = trend_process_free(r->process);
}

static void note_error(const struct run *r, const char *what, int answer, int site, int tick,
		       const struct trend_evidence *e)
{
	if (!r->o->errors || answer > SEEP_ANY_ALERT)
		return;
	fprintf(r->o->errors, "%s answer=%d %s seed=%llu life=%d site=%d at=%.1fh", what, answer,
		r->family->id, (unsigned long long)r->seed, r->life, site,
		(tick - r->world->start) / HOUR);
	if (e)
		fprintf(r->o->errors,
			" channel=%d width=%u n=%u active=%u positive=%u rate=%.2f/%.2f/%.2f "
			"life=%.2f survival=%.2f A=%.0f"
			" waited=%.1fh required=%.1fh grows=%.1fh known=%.2f carry=%.0f "
			"confidence=%.3f",
			e->channel, e->window.width, e->window.n, e->presence.active,
			e->presence.positive, e->window_rate.time, e->window_rate.work,
			e->window_rate.survival, e->life_rate.best, e->survival,
			e->longest_lifetime, e->waited / HOUR, e->required / HOUR,
			e->grows_for / HOUR, e->known, e->carry, e->confidence);
	fprintf(r->o->errors, "\n");
}

static void note_alert(struct run *r, int answer, int site, int tick,
		       const struct trend_evidence *e)
{
	struct tally *t = &r->tallies[answer][site];
	const struct world_site *s = &r->world->sites[site];

	if (is_leaking(s, tick)) {
		if (t->found_at < 0) {
			t->found_at = tick;
			t->found_share = s->leaked / world_headroom(r->world);
			t->right_before = true;
		}
	} else if (!(s->leaks && (tick >= s->leaks_until || t->right_before)) &&
		   (t->last_alarm < 0 || tick - t->last_alarm > EPISODE)) {
		t->false_alarms++;
		note_error(r, "FALSE", answer, site, tick, e);
	}
	t->last_alarm = tick;
}

/* People are told at events; where an alert stands from before the leak, its renewal counts. */
static void note_verdict(struct run *r, int site, int tick, const struct trend_evidence *e)
{
	bool is_told = e->event == TREND_OPENED || e->event == TREND_CONTINUED ||
		       e->event == TREND_RESUMED || e->event == TREND_GREW;
	bool is_alert = e->state == TREND_LEAKING || e->state == TREND_EXHAUSTION;
	bool is_renewed = is_alert && e->channel != TREND_BY_NONE;

	if (e->state == TREND_LEAKING &&
	    (is_told || (is_renewed && r->tallies[SEEP_LEAKING][site].right_before)))
		note_alert(r, SEEP_LEAKING, site, tick, e);
	if (is_alert && (is_told || (is_renewed && r->tallies[SEEP_ANY_ALERT][site].right_before)))
		note_alert(r, SEEP_ANY_ALERT, site, tick, e);
	if (is_told || e->event == TREND_SUSPECTED)
		note_alert(r, SEEP_SUSPECT, site, tick, e);
}

static void write_row(const struct run *r, bool leaks, const struct trend_evidence *e)
{
	struct confidence_input in = {
		.channel = e->channel,
		.waited = e->grows_for,
		.ticks_to_limit = e->ticks_to_limit_then,
		.lifetime = e->longest_lifetime,
		.steadiness = e->window_rate.best,
		.known = e->known,
		.shortest = r->o->trend.shortest_cold,
		.longest = r->o->trend.leaking.longest_cold,
		.has_carry = e->carry > 0,
		.has_earlier_life = e->lives > 0,
	};
	double features[CONFIDENCE_FEATURES];

	confidence_features(&in, features);
	fprintf(r->o->rows, "%d %s %d", r->family->group, r->family->id, leaks);
	for (int i = 0; i < CONFIDENCE_FEATURES; i++)
		fprintf(r->o->rows, " %.5g", features[i]);
	fprintf(r->o->rows, "\n");
}

/* A row for confidence whenever a finding has become half an octave older. */
static void note_confidence(struct run *r, int site, int tick, const struct trend_evidence *e)
{
	const struct world_site *s = &r->world->sites[site];
	const struct trend_options *o = &r->o->trend;
	double asked;
	int octave;

	if (e->channel == TREND_BY_NONE || e->state == TREND_QUIET ||
	    (s->leaks && tick >= s->leaks_until))
		return;
	asked = fmin(o->leaking.longest_cold, fmax(o->shortest_cold, e->ticks_to_limit_then));
	octave = (int)floor(2 * log2(fmax(1, e->grows_for) / asked));
	if (octave <= r->progress_seen[site])
		return;
	r->progress_seen[site] = octave;
	calibration_add(&r->scores->calibration, e->confidence, is_leaking(s, tick));
	if (r->o->rows)
		write_row(r, is_leaking(s, tick), e);
}

static void scan(struct run *r, int site, int tick)
{
	const struct holding *h = r->world->sites[site].holding;
	int start = r->world->start;

	trend_site_scan_begin(r->sites[site], r->process);
	for (int word = start / 64; word <= tick / 64; word++)
		for (uint64_t bits = h->some[word]; bits; bits &= bits - 1) {
			int birth = 64 * word + __builtin_ctzll(bits);

			trend_site_scan_add(r->sites[site], r->process, (uint32_t)(birth - start),
					    h->live[birth], h->bytes[birth]);
		}
}

static void evaluate(struct run *r, int tick)
{
	struct trend_evidence e;

	trend_process_evaluate(r->process);
	for (int i = 0; i < SITES; i++) {
		const struct trend_profile *p = r->profiles[i].lives > 0 ? &r->profiles[i] : NULL;

		scan(r, i, tick);
		trend_site_evaluate(r->sites[i], r->process, &r->o->trend, p,
				    r->world->sites[i].holding->freed, &e);
		note_verdict(r, i, tick, &e);
		note_confidence(r, i, tick, &e);
	}
}

static void step_seep(struct run *r, int tick)
{
	struct world *w = r->world;
	struct trend_process_input in = {
		.lost_frees = w->lost_frees,
		.usage_bytes = w->usage,
		.limit_bytes = w->limit,
	};

	for (int i = 0; i < SITES; i++) {
		in.allocations += w->sites[i].holding->allocations;
		in.frees += w->sites[i].holding->frees;
	}
	if (trend_process_tick(r->process, (uint32_t)(tick - w->start + 1), &in) < 0)
		abort();
	for (int i = 0; i < SITES; i++) {
		const struct holding *h = w->sites[i].holding;
		struct trend_site_input site = { h->allocations, h->live_blocks, h->live_bytes };

		if (trend_site_tick(r->sites[i], r->process, &site) < 0)
			abort();
	}
	if (!w->exhausted && trend_process_evaluation_due(r->process, &r->o->trend))
		evaluate(r, tick);
}

static void step_baselines(struct run *r, int tick)
{
	struct baseline_view views[SITES];

	if (tick % 30 == 29)
		baseline_rank(r->world, tick, r->rank_scores);
	if (tick % 60 != 59)
		return;
	baseline_look(r->world, tick, views);
	for (int i = 0; i < SITES; i++) {
		views[i].rank_in_a_row = r->rank_scores[i];
		for (size_t b = 0; b < n_baselines; b++) {
			if (!r->o->baselines && !baseline_is_strong(&baselines[b]))
				continue;
			if (baseline_step(&baselines[b], &r->states[b][i], &views[i]))
				note_alert(r, SEEP_ANSWERS + (int)b, i, tick, NULL);
		}
	}
}

static void count_site(struct run *r, struct score *score, int answer, int site, int end)
{
	const struct world_site *s = &r->world->sites[site];
	struct tally *t = &r->tallies[answer][site];
	bool leaking = s->leaks && s->leaks_until > r->world->start &&
		       (s->leaked > LEAK_MATTERS * world_headroom(r->world) ||
			r->world->exhausted || r->world->restart_every > 0);
	int from = r->world->restart_every > 0	   ? 0 :
		   s->leaks_from > r->world->start ? s->leaks_from :
						     r->world->start;

	if (leaking) {
		score->leaking++;
		if (t->found_at >= 0) {
			score->found++;
			numbers_add(&score->shares, t->found_share);
			numbers_add(&score->delays, (t->found_at - from) / HOUR);
		} else {
			note_error(r, "MISS", answer, site, end, NULL);
		}
	}
	if (t->false_alarms > 0) {
		score->false_sites++;
		score->false_episodes += (size_t)t->false_alarms;
		score->false_ordinary += site > 0;
		score->false_focal += site == 0 && !s->leaks;
	}
	t->found_at = -1;
	t->last_alarm = -1;
	t->false_alarms = 0;
}

/* A life is over (or, of a service that restarts, all of them): count what was said. */
static void count_life(struct run *r, int end)
{
	enum phase phase = r->life > 0 ? LATER_LIFE : FIRST_LIFE;
	int from = r->world->restart_every > 0 ? 0 : r->world->start;

	for (size_t a = 0; a < SEEP_ANSWERS + n_baselines; a++) {
		struct score *score = &r->scores->at[a][phase];

		score->lives++;
		score->weeks += (end - from) / (7 * DAY);
		score->ordinary_weeks += (SITES - 1) * (end - from) / (7 * DAY);
		for (int i = 0; i < SITES; i++)
			count_site(r, score, (int)a, i, end);
	}
}

static bool is_life_over(const struct run *r, int tick)
{
	const struct world *w = r->world;
	int age = tick - w->start;

	if (w->restart_every > 0)
		return age == w->restart_every;
	return w->exhausted || age == LIFE_TICKS;
}

static void run_lives(struct run *r)
{
	struct world *w = r->world;
	int tick;

	begin_life(r);
	for (tick = 0; tick < RUN_TICKS; tick++) {
		if (tick > 0 && is_life_over(r, tick)) {
			end_life(r);
			if (w->restart_every == 0) {
				count_life(r, tick);
				if (++r->life == MOST_LIVES)
					return;
			}
			world_restart(w, tick);
			begin_life(r);
		}
		world_step(w, tick);
		step_seep(r, tick);
		if (r->o->baselines || r->o->strong_baselines)
			step_baselines(r, tick);
	}
	end_life(r);
	/* A life of less than a day at the end of the run is too short to count. */
	if (w->restart_every > 0 || tick - w->start > DAY)
		count_life(r, tick);
}

void run_family(const struct run_options *o, const struct family *f, uint64_t seed,
		struct run_scores *scores)
{
	struct run *r = must(calloc(1, sizeof(*r)));

	r->o = o;
	r->family = f;
	r->seed = seed;
	r->world = o->world;
	r->scores = scores;
	for (size_t a = 0; a < MOST_ANSWERS; a++)
		for (int i = 0; i < SITES; i++)
			r->tallies[a][i] = (struct tally){ .found_at = -1, .last_alarm = -1 };
	family_build(f, r->world, seed);
	run_lives(r);
	free(r);
}
