// SPDX-License-Identifier: GPL-2.0-or-later
/* Evidence and forecast. See explain.h. */
#include "trend/explain.h"

#include <math.h>

#include "trend/records.h"

/* Ticks to the limit below which it is this severe: six hours, three and thirty days of minutes. */
#define CRITICAL_WITHIN 360
#define HIGH_WITHIN	4320
#define MEDIUM_WITHIN	43200

/* Of what grows; at the limit, nothing is left to wait for. */
static enum trend_severity severity_of(double ticks)
{
	if (ticks < CRITICAL_WITHIN)
		return TREND_CRITICAL;
	if (ticks < HIGH_WITHIN)
		return TREND_HIGH;
	return ticks < MEDIUM_WITHIN ? TREND_MEDIUM : TREND_LOW;
}

/* The quartiles of the slices' rates, by the nearest rank. */
static void quartiles(const struct window *w, double *low, double *high)
{
	double sorted[WINDOW_SLICES];

	for (unsigned i = 0; i < w->n; i++) {
		unsigned k = i;

		for (; k > 0 && sorted[k - 1] > w->slices[i].bytes; k--)
			sorted[k] = sorted[k - 1];
		sorted[k] = w->slices[i].bytes;
	}
	*low = sorted[(w->n - 1) / 4] / w->width;
	*high = sorted[w->n - 1 - (w->n - 1) / 4] / w->width;
}

struct forecast forecast_of(const struct trend_process *p, const struct finding *f)
{
	struct forecast c = { .rate_low = f->bytes_per_tick, .rate_high = f->bytes_per_tick };
	double left = fmax(0, p->last.limit_bytes - p->last.usage_bytes);
	double rate;

	if (f->channel == TREND_BY_NONE || !(f->bytes_per_tick > 0))
		return (struct forecast){ 0 };
	rate = fmax(f->bytes_per_tick, fmax(p->leak_rate, process_growth_rate(p)));
	if (f->window.n > 0)
		quartiles(&f->window, &c.rate_low, &c.rate_high);
	c.ticks = left / rate;
	/* The interval of the forecast is as wide as that of the finding's own rate. */
	c.low = left / (rate * fmax(1, c.rate_high / f->bytes_per_tick));
	c.high =
		c.rate_low > 0 ? left / (rate * fmin(1, c.rate_low / f->bytes_per_tick)) : INFINITY;
	c.severity = f->channel == TREND_BY_EXHAUSTION ? TREND_CRITICAL : severity_of(c.ticks);
	return c;
}

static void explain_finding(const struct explanation *why, struct trend_evidence *e)
{
	const struct finding *f = why->finding;

	e->channel = f->channel;
	e->window = f->window;
	e->presence = f->presence;
	e->window_rate = f->window_rate;
	e->life_rate = f->life_rate;
	e->survival = f->survival;
	e->bytes_per_tick = f->bytes_per_tick;
	e->bytes_per_tick_low = why->forecast.rate_low;
	e->bytes_per_tick_high = why->forecast.rate_high;
	e->ticks_to_limit = why->forecast.ticks;
	e->ticks_to_limit_low = why->forecast.low;
	e->ticks_to_limit_high = why->forecast.high;
	e->severity = why->forecast.severity;
	e->maturity = f->maturity;
	e->proven_bytes = f->proven;
	e->grows_for = f->grows_for;
	e->ticks_to_limit_then = f->ticks_to_limit_then;
	e->waited = f->waited;
	e->required = f->required;
	e->known = f->known;
}

void explain(const struct trend_site *s, const struct explanation *why, enum trend_event event,
	     struct trend_evidence *ret)
{
	const struct subject *subject = why->subject;
	const struct trend_profile *profile = subject->profile;
	const struct trend_process *p = subject->process;

	*ret = (struct trend_evidence){
		.state = s->verdict.state,
		.event = event,
		.hold = why->hold,
		.confidence = why->confidence,
		.now = p->now,
		.longest_lifetime = subject->lifetime,
		.maturity = fmax(1, subject->options->maturity_factor * subject->lifetime),
		.live_bytes = subject->live_bytes,
		.headroom_bytes = fmax(0, p->last.limit_bytes - p->last.usage_bytes),
		.carry = subject_carry(subject),
		.lost_share = why->lost_share,
		.lives = profile ? profile->lives : 0,
		.e_value = records_of_floors(&s->floors),
	};
	if (why->finding->channel != TREND_BY_NONE)
		explain_finding(why, ret);
	ret->freed_beyond = lifetimes_freed_beyond(s->freed, profile ? &profile->lifetimes : NULL,
						   ret->maturity);
	if (s->verdict.until > 0) {
		struct slice blamed =
			life_slice(&subject->life, s->verdict.since, s->verdict.until);

		ret->since = s->verdict.since;
		ret->until = s->verdict.until;
		ret->leaked_bytes = blamed.bytes;
		ret->leaked_blocks = blamed.blocks;
	}
}
