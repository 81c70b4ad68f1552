// SPDX-License-Identifier: GPL-2.0-or-later
/* Survivors of cohorts, on slices of every width. See judge.h. */
#include <math.h>

#include "trend/judge.h"

#define DAY_TICKS  1440
#define WEEK_TICKS 10080

/* Powers of two, which the cohorts add up to exactly, and the two rhythms that people live by. */
const uint32_t judge_widths[] = { 1,   2,   4,	  8,	     16,   32,	 64,	     128,
				  256, 512, 1024, DAY_TICKS, 2048, 4096, WEEK_TICKS, 0 };

#define LEAST_SLICES	     4
#define LEAST_SLICES_CARRY   3
#define LEAST_LIFE_COVERED   0.6
#define LEAST_LIFE_CONFIRMED 0.5
#define LEAST_OF_CARRY	     0.02
/* The last positive slice must be within this part of the window. */
#define RECENT		     3

/* How the scales are judged. */
struct rule {
	enum trend_channel channel;
	bool gated; /* by known lifetimes */
	struct trend_patience leaking, suspect;
	double carry;	   /* ticks in earlier lives that count as waited */
	double least_span; /* ticks that the window must reach back */
};

static unsigned least_slices(const struct subject *s)
{
	return subject_carry(s) > 0 ? LEAST_SLICES_CARRY : LEAST_SLICES;
}

/* The age from which blocks are judged on this scale; 0: the scale is too fine for them. */
static double maturity_of(const struct subject *s, uint32_t width, bool gated)
{
	double maturity = width;

	if (gated)
		maturity = fmax(maturity, s->options->maturity_factor * s->lifetime);
	return maturity <= s->options->longest_maturity * width ? maturity : 0;
}

static double proven_at(const struct subject *s, unsigned k)
{
	double proven = s->envelope->at[k].proven;

	return s->profile ? fmax(proven, s->profile->proven[k]) : proven;
}

/* Live bytes born before a moment. */
static double bytes_before(const struct subject *s, double tick)
{
	return cohort_sum_at(s->life.sums->bytes, cohort_mark(s->life.layout, tick));
}

/*
 * Where the window of this width is, its bytes and what follows from them: the cheap half of the
 * test, which most sites do not pass. The slices are not looked at.
 */
static bool outline(const struct subject *s, uint32_t width, struct finding *f)
{
	double end = floor((s->life.layout->now - f->maturity) / width);
	double n = fmin(end, WINDOW_SLICES);
	struct window *w = &f->window;

	if (!(n >= least_slices(s)))
		return false;
	w->width = width;
	w->n = (unsigned)n;
	w->from = ((uint32_t)end - w->n) * width;
	w->sum.bytes = bytes_before(s, end * width) - bytes_before(s, w->from);
	if (!(w->sum.bytes > 0))
		return false;
	f->bytes_per_tick = w->sum.bytes / (n * width);
	f->ticks_to_limit =
		process_headroom_at(s->process, w->from, w->sum.bytes) / f->bytes_per_tick;
	return f->ticks_to_limit <= s->options->longest_to_limit;
}

/* Has it grown for long enough? Sets f->leaking for an alert, true for a suspect at least. */
static bool is_patient(const struct subject *s, const struct rule *rule, struct finding *f)
{
	const struct trend_options *o = s->options;
	double span = s->life.layout->now - f->window.from;
	unsigned k = envelope_index(f->maturity);
	double old_before = bytes_before(s, f->window.from) - proven_at(s, k);
	bool has_carry = rule->carry > 0;

	if (span < rule->least_span || span < LEAST_OF_CARRY * rule->carry)
		return false;
	f->leaking = s->at_end;
	if (s->at_end)
		return true;
	f->known = subject_known(s, &f->window, old_before);
	f->waited = span + rule->carry;
	f->required = patience_required(o, &rule->leaking, f->ticks_to_limit, f->known, has_carry);
	f->leaking = f->waited >= f->required;
	return f->leaking || f->waited >= patience_required(o, &rule->suspect, f->ticks_to_limit,
							    f->known, has_carry);
}

/* More bytes of this age than was ever proven harmless? */
static bool is_beyond_envelope(const struct subject *s, struct finding *f)
{
	unsigned k = envelope_index(f->maturity);

	f->proven = proven_at(s, k);
	return s->at_end || bytes_before(s, s->life.layout->now - (double)(1u << k)) >
				    s->options->envelope_margin * f->proven;
}

static void measure(const struct subject *s, struct finding *f)
{
	f->presence = window_presence(&f->window);
	f->window_rate = window_steadiness(&f->window);
	f->survival = window_survival(&f->window);
	f->life_rate = life_steadiness(&s->life, f->maturity);
}

static bool is_flat(const struct subject *s, struct finding *f)
{
	const struct trend_options *o = s->options;
	unsigned n = f->window.n, least = least_slices(s);

	f->presence = window_presence(&f->window);
	if (f->presence.positive < least || f->presence.share < o->presence)
		return false;
	if (f->presence.last + 1 + n / RECENT < n)
		return false;
	f->window_rate = window_steadiness(&f->window);
	if (f->window_rate.best < o->steadiness)
		return false;
	f->survival = window_survival(&f->window);
	if (f->survival < o->survival || f->window.sum.blocks < o->least_survivors)
		return false;
	f->life_rate = life_steadiness(&s->life, f->maturity);
	return f->life_rate.best >= o->steadiness;
}

/* The smallest scale that is an alert; else the smallest that is a suspect. */
static bool judge_scales(const struct subject *s, const struct rule *rule, struct finding *ret)
{
	struct finding f = { .channel = rule->channel };
	bool found = false;

	for (const uint32_t *width = judge_widths; *width; width++) {
		f.maturity = maturity_of(s, *width, rule->gated);
		f.known = f.waited = f.required = 0;
		if (f.maturity == 0 || !outline(s, *width, &f) || !is_patient(s, rule, &f) ||
		    (found && !f.leaking) || !is_beyond_envelope(s, &f) ||
		    !window_take(&s->life, *width, f.maturity, least_slices(s), &f.window) ||
		    !is_flat(s, &f))
			continue;
		*ret = f;
		found = true;
		if (f.leaking)
			return true;
	}
	return found;
}

bool judge_cohorts(const struct subject *s, struct finding *ret)
{
	struct rule rule = {
		.channel = TREND_BY_COHORTS,
		.gated = true,
		.leaking = s->options->leaking,
		.suspect = s->options->suspect,
		.carry = subject_carry(s),
		.least_span = s->at_end ? LEAST_LIFE_COVERED * s->process->now : 0,
	};

	return judge_scales(s, &rule, ret);
}

bool judge_known(const struct subject *s, bool confirms, struct finding *ret)
{
	struct rule rule = { .channel = TREND_BY_KNOWN, .leaking = s->options->leaking };

	rule.leaking.cold = s->options->ungated_patience;
	rule.leaking.warm = 0;
	rule.suspect = rule.leaking;
	if (confirms)
		rule.least_span = LEAST_LIFE_CONFIRMED * s->process->now;
	else if (!(subject_observed(s) > 0))
		return false;
	return judge_scales(s, &rule, ret);
}

/*
 * The larger scale says since when; up to when is better known on the smaller one, on which blocks
 * mature earlier.
 */
static void measure_growth(const struct subject *s, struct finding *f, uint32_t since)
{
	uint32_t until = f->window.from + f->window.n * f->window.width;
	double bytes = bytes_before(s, until) - bytes_before(s, since);

	f->grows_for = s->life.layout->now - since;
	f->ticks_to_limit_then =
		process_headroom_at(s->process, since, bytes) * (until - since) / bytes;
}

void judge_longest(const struct subject *s, struct finding *f, struct window *ret)
{
	bool gated = f->channel == TREND_BY_COHORTS;
	struct finding longest = *f;
	const uint32_t *width = judge_widths;

	while (*width)
		width++;
	while (width-- > judge_widths && *width > f->window.width) {
		struct finding other = { .channel = f->channel };

		other.maturity = maturity_of(s, *width, gated);
		if (other.maturity == 0 ||
		    !window_take(&s->life, *width, other.maturity, least_slices(s),
				 &other.window) ||
		    !is_flat(s, &other))
			continue;
		longest = other;
		break;
	}
	measure_growth(s, f, longest.window.from);
	*ret = longest.window;
}

bool judge_measure(const struct subject *s, uint32_t width, bool gated, struct finding *ret)
{
	struct finding f = { .channel = gated ? TREND_BY_COHORTS : TREND_BY_KNOWN };

	f.maturity = maturity_of(s, width, gated);
	if (f.maturity == 0 ||
	    !window_take(&s->life, width, f.maturity, least_slices(s), &f.window))
		return false;
	f.bytes_per_tick = f.window.sum.bytes / ((double)f.window.n * width);
	measure(s, &f);
	*ret = f;
	return true;
}
