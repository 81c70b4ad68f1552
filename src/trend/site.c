// SPDX-License-Identifier: GPL-2.0-or-later
/* Does a site leak? See site.h. */
#include "trend/site.h"

#include <errno.h>
#include <math.h>

#include "trend/confidence.h"
#include "trend/explain.h"
#include "trend/judge.h"
#include "trend/site_state.h"

/* Leaving an alert needs values clearly worse than those it takes to enter. */
#define WORSE_PRESENCE	 0.4
#define WORSE_STEADINESS 0.35
#define WORSE_SURVIVAL	 0.3

/* With so many frees lost nothing can be told, by whatever test. */
#define BLIND_SHARE 0.5

struct trend_site *trend_site_new(uint32_t since)
{
	struct trend_site *s = calloc(1, sizeof(*s));

	if (!s)
		return NULL;
	s->cohorts.now = since;
	envelope_init(&s->envelope, since);
	return s;
}

struct trend_site *trend_site_free(struct trend_site *s)
{
	free(s);
	return NULL;
}

enum trend_state trend_site_state(const struct trend_site *s)
{
	return s->verdict.state;
}

static void note_floor(struct trend_site *s, uint32_t now)
{
	floors_add(&s->floors, now - 1,
		   (struct floor_point){
			   .bytes = (float)s->live_bytes,
			   .blocks = (float)s->live_blocks,
			   .old_bytes = s->old_bytes,
		   });
}

int trend_site_tick(struct trend_site *s, const struct trend_process *p,
		    const struct trend_site_input *in)
{
	struct cohort_layout layout;
	uint32_t from = s->cohorts.now;
	double births = 0;

	if (p->now == 0 || !(in->live_bytes >= 0) || !isfinite(in->live_bytes))
		return -EINVAL;
	if (in->allocations > s->allocations)
		births = (double)(in->allocations - s->allocations);
	s->allocations = in->allocations;
	s->live_bytes = in->live_bytes;
	s->live_blocks = in->live_blocks < UINT32_MAX ? (uint32_t)in->live_blocks : UINT32_MAX;
	cohorts_advance(&s->cohorts, p->now);
	if (births > 0) {
		cohort_layout_set(&layout, p->now);
		cohorts_add_births(&s->cohorts, &layout, from, births);
	}
	note_floor(s, p->now);
	return 0;
}

void trend_site_scan_begin(struct trend_site *s, const struct trend_process *p)
{
	cohorts_advance(&s->cohorts, p->layout.now);
	cohorts_scan_begin(&s->cohorts);
}

void trend_site_scan_add(struct trend_site *s, const struct trend_process *p, uint32_t birth,
			 uint32_t blocks, double bytes)
{
	cohorts_scan_add(&s->cohorts, &p->layout, birth, blocks, bytes);
}

static void make_subject(const struct trend_site *s, const struct trend_process *p,
			 const struct trend_options *options, const struct trend_profile *profile,
			 const struct cohort_sums *sums, struct subject *ret)
{
	*ret = (struct subject){
		.options = options,
		.process = p,
		.profile = profile,
		.envelope = &s->envelope,
		.floors = &s->floors,
		.life = { &p->layout, sums, p->work_sums },
		.live_bytes = sums->bytes[p->layout.n],
		.live_blocks = sums->live[p->layout.n],
		.lifetime = lifetimes_longest(s->freed, profile ? &profile->lifetimes : NULL,
					      options->hazard_per_octave, &p->layout, sums),
	};
}

/* Runs the tests, most specific first. */
static void find(const struct subject *s, struct finding *ret, bool *ret_exhaustion,
		 double *ret_growth)
{
	struct finding other;

	*ret = (struct finding){ 0 };
	if (s->live_blocks > 0) {
		bool found = judge_cohorts(s, ret);

		if (!(found && ret->leaking) && judge_few_blocks(s, &other) &&
		    (!found || other.leaking)) {
			*ret = other;
			found = true;
		}
		if (!(found && ret->leaking) && judge_known(s, false, &other) && other.leaking)
			*ret = other;
	}
	*ret_exhaustion = judge_exhaustion(s, &other, ret_growth);
	if (*ret_exhaustion && !ret->leaking) {
		struct finding confirmed;

		if (judge_known(s, true, &confirmed))
			*ret = confirmed;
		else if (ret->channel == TREND_BY_NONE)
			*ret = other;
	}
}

double trend_site_survivors(const struct trend_site *s, const struct trend_process *p,
			    uint32_t from, uint32_t to)
{
	struct cohort_sums sums;
	const struct life life = { &p->layout, &sums, p->work_sums };

	cohorts_sum(&s->cohorts, &p->layout, &sums);
	return life_slice(&life, from, to).bytes;
}

static double bytes_between(const struct subject *s, uint32_t from, uint32_t to)
{
	return life_slice(&s->life, from, to).bytes;
}

/*
 * What was born since the largest scale began that is positive as well; while an alert stands, since
 * the earliest that was blamed. That scale decides over leaving the alert, too: the smallest one is
 * empty at every pause.
 */
static void blame(const struct subject *s, struct finding *f, const struct verdict *v,
		  struct verdict_input *in)
{
	const struct window *w = &f->window;
	struct window longest;

	f->grows_for = f->waited;
	f->ticks_to_limit_then = f->ticks_to_limit;
	if (f->channel == TREND_BY_COHORTS || f->channel == TREND_BY_KNOWN) {
		judge_longest(s, f, &longest);
		in->width = f->leaking ? longest.width : w->width;
		in->since = f->leaking ? longest.from : w->from;
		in->until = w->from + w->n * w->width;
	} else {
		in->until = s->process->now;
	}
	if (trend_state_is_alert(v->state) && v->since < in->since)
		in->since = v->since;
	if (trend_state_is_alert(v->state) && v->channel == f->channel && v->width > in->width)
		in->width = v->width;
	in->found_bytes = bytes_between(s, in->since, in->until);
}

/* The deciding scale of an alert that stands, as it is now. */
static void look_back(const struct subject *s, const struct verdict *v, struct verdict_input *in)
{
	struct finding f;

	if (!trend_state_is_alert(v->state))
		return;
	in->blamed_bytes = bytes_between(s, v->since, v->until);
	if (v->width == 0 || !judge_measure(s, v->width, v->channel == TREND_BY_COHORTS, &f))
		return;
	in->measured = true;
	in->worse = f.presence.share < WORSE_PRESENCE || f.window_rate.best < WORSE_STEADINESS ||
		    f.survival < WORSE_SURVIVAL;
	in->gap = (double)(f.presence.gap > 0 ? f.presence.gap : 1) * v->width;
	in->silence = (double)(f.window.n - 1 - f.presence.last) * v->width;
}

static double confidence_in(const struct subject *s, const struct finding *f)
{
	const struct trend_options *o = s->options;
	struct confidence_input in = {
		.channel = f->channel,
		.waited = f->grows_for,
		.ticks_to_limit = f->ticks_to_limit_then,
		.lifetime = s->lifetime,
		.steadiness = f->window_rate.best,
		.known = f->known,
		.shortest = o->shortest_cold,
		.longest = o->leaking.longest_cold,
		.has_carry = subject_carry(s) > 0,
		.has_earlier_life = subject_observed(s) > 0,
	};

	return f->channel == TREND_BY_NONE ? 0 : confidence_of(&in, o->prior_odds);
}

/* As many blocks as survived may only look so, because their frees were missed. */
static bool is_within_losses(const struct subject *s, const struct finding *f, double lost_share)
{
	const struct slice *sum = &f->window.sum;

	return f->window.n > 0 && lost_share > 0 &&
	       sum->blocks < s->options->loss_factor * lost_share * sum->births;
}

static enum trend_hold why_held(const struct subject *s, const struct finding *f, double confidence,
				double lost_share, const struct verdict *v)
{
	if (!f->leaking)
		return TREND_NOT_HELD;
	/* What is seen to live is not known to. */
	if (lost_share >= BLIND_SHARE)
		return TREND_HELD_BY_LOSSES;
	if (f->channel == TREND_BY_EXHAUSTION)
		return confidence < s->options->exhaustion_confidence ? TREND_HELD_BY_CONFIDENCE :
									TREND_NOT_HELD;
	if (is_within_losses(s, f, lost_share))
		return TREND_HELD_BY_LOSSES;
	if (confidence < s->options->least_confidence)
		return TREND_HELD_BY_CONFIDENCE;
	return v->leaking_in_a_row == 0 ? TREND_HELD_ONCE : TREND_NOT_HELD;
}

static void note_evaluation(struct trend_site *s, const struct subject *subject)
{
	double edge = subject->process->now -
		      fmax(1, subject->options->maturity_factor * subject->lifetime);

	s->old_edge = edge > 0 ? (uint32_t)edge : 0;
	s->old_bytes = (float)cohort_sum_at(subject->life.sums->bytes,
					    cohort_mark(subject->life.layout, s->old_edge));
	note_floor(s, subject->process->now);
}

enum trend_event trend_site_evaluate(struct trend_site *s, struct trend_process *p,
				     const struct trend_options *options,
				     const struct trend_profile *profile,
				     const uint64_t freed[LIFETIME_BINS],
				     struct trend_evidence *ret)
{
	struct verdict_input in = { .now = p->now };
	struct explanation why = { 0 };
	struct cohort_sums sums;
	struct subject subject;
	struct finding f;
	enum trend_event event;
	double growth;

	for (unsigned k = 0; k < LIFETIME_BINS; k++)
		s->freed[k] = (float)freed[k];
	cohorts_sum(&s->cohorts, &p->layout, &sums);
	make_subject(s, p, options, profile, &sums, &subject);
	envelope_update(&s->envelope, &p->layout, &sums);
	note_evaluation(s, &subject);

	find(&subject, &f, &in.exhaustion, &growth);
	p->growth_next += growth;
	blame(&subject, &f, &s->verdict, &in);
	look_back(&subject, &s->verdict, &in);
	in.channel = f.channel;
	in.leaking = f.leaking && f.channel != TREND_BY_EXHAUSTION;
	in.suspect = f.channel != TREND_BY_NONE && f.channel != TREND_BY_EXHAUSTION;
	in.rate = f.bytes_per_tick;
	in.earlier_alert = profile && trend_state_is_alert(profile->last_state);

	why.subject = &subject;
	why.finding = &f;
	why.lost_share = trend_process_lost_share(p);
	why.confidence = confidence_in(&subject, &f);
	why.hold = why_held(&subject, &f, why.confidence, why.lost_share, &s->verdict);
	why.forecast = forecast_of(p, &f);
	in.held = why.hold == TREND_HELD_BY_LOSSES || why.hold == TREND_HELD_BY_CONFIDENCE;
	if ((in.held && f.channel == TREND_BY_EXHAUSTION) || why.lost_share >= BLIND_SHARE)
		in.exhaustion = false;
	in.severity = why.forecast.severity;

	event = verdict_update(&s->verdict, &in);
	if (s->verdict.state == TREND_SUSPECT || trend_state_is_alert(s->verdict.state))
		p->leak_rate_next += f.bytes_per_tick;
	if (ret)
		explain(s, &why, event, ret);
	return event;
}

/* Did growth slow down to half: the second half of the life against its second quarter? */
static bool has_slowed(const struct subject *s)
{
	double quarter = s->process->now / 4.0;

	return life_slice(&s->life, 2 * quarter, s->process->now).bytes / 2 <
	       0.5 * life_slice(&s->life, quarter, 2 * quarter).bytes;
}

/* Shorter lives say nothing about growth: not that it is there, and not that it is not. */
#define SHORTEST_LIFE 64
#define SETTLED_LIFE  256
/* A life that ended with at most this over what it held in its middle had stopped growing. */
#define SETTLED	      1.15

static void learn_bounds(struct trend_site *s, const struct subject *subject, enum trend_end how,
			 struct trend_profile *profile)
{
	uint32_t middle = subject->process->now / 2;
	bool is_whole = how == TREND_ENDED && subject->process->now > SETTLED_LIFE;

	if (is_whole && has_slowed(subject))
		envelope_prove(&s->envelope);
	if (is_whole && s->live_bytes < SETTLED * floors_least(&s->floors, middle, middle).bytes &&
	    s->live_bytes > profile->peak)
		profile->peak = s->live_bytes;
	for (unsigned k = 0; k < ENVELOPE_AGES; k++)
		profile->proven[k] = fmaxf(profile->proven[k], s->envelope.at[k].proven);
}

static void learn_carry(struct trend_profile *profile, bool looks_leaking, uint32_t life)
{
	if (looks_leaking)
		profile->carry += life;
	else if (life >= SHORTEST_LIFE)
		profile->carry = 0;
}

void trend_site_end(struct trend_site *s, struct trend_process *p,
		    const struct trend_options *options, enum trend_end how,
		    struct trend_profile *profile)
{
	struct cohort_sums sums;
	struct subject subject;
	struct finding f;
	bool looks_leaking;

	trend_process_evaluate(p);
	cohorts_advance(&s->cohorts, p->now);
	cohorts_sum(&s->cohorts, &p->layout, &sums);
	make_subject(s, p, options, profile, &sums, &subject);
	subject.at_end = true;
	looks_leaking = judge_cohorts(&subject, &f) || judge_few_blocks(&subject, &f);
	if (how != TREND_UNWATCHED)
		learn_carry(profile, looks_leaking, p->now);
	/* A rest within a leak, over a weekend say, proves nothing. */
	if (!looks_leaking)
		learn_bounds(s, &subject, how, profile);
	lifetimes_add_life(&profile->lifetimes, s->freed, &p->layout, &s->cohorts);
	if (how != TREND_UNWATCHED) {
		profile->observed += p->now;
		profile->lives++;
		profile->alerts += s->verdict.was_alerted;
	}
	profile->last_state = (uint8_t)s->verdict.state;
	s->verdict.state = TREND_CLOSED;
}
