// SPDX-License-Identifier: GPL-2.0-or-later
/* Growth and live blocks. See reconcile.h; reconcile_text.c has the words. */
#include "trend/reconcile.h"

#include <math.h>
#include <string.h>

#define HOUR_TICKS 60

#define SURE 2.0 /* standard errors */

/* Shares that live blocks explain. Leaving a verdict takes a clearly different share. */
#define RETAINED_BELOW	0.25
#define RETAINED_UNTIL	0.4
#define EXPLAINED_ABOVE 0.5
#define EXPLAINED_UNTIL 0.35

static struct reconcile_share share_of(double growth, double live, double error, uint32_t ticks)
{
	struct reconcile_share s = { .growth = growth, .error = error, .ticks = ticks };

	if (growth > 0)
		s.explained = fmin(fmax(live, 0), growth);
	s.retained = fmax(growth, 0) - s.explained;
	return s;
}

/* What one scale says of its windows; its last word decides what is close. */
static enum reconcile_verdict say(const struct reconcile *r, unsigned scale,
				  enum reconcile_verdict before)
{
	bool was_found = before >= RECONCILE_EXPLAINED;
	double least = was_found ? RECONCILE_LEAST_BYTES / 2 : RECONCILE_LEAST_BYTES;
	double live = rise_amount(&r->live, scale);
	struct rise_finding f;
	double most, fewest;

	if (r->memory.at[scale].n < RISE_FLOORS)
		return RECONCILE_UNKNOWN;
	if (!rise_find(&r->memory, scale, least, &f))
		return RECONCILE_STEADY;
	most = (fmax(live, 0) + SURE * r->live_error) / f.amount;
	fewest = (live - SURE * r->live_error) / f.amount;
	if (most < (before == RECONCILE_RETAINED ? RETAINED_UNTIL : RETAINED_BELOW))
		return RECONCILE_RETAINED;
	if (fewest > (before == RECONCILE_EXPLAINED ? EXPLAINED_UNTIL : EXPLAINED_ABOVE))
		return RECONCILE_EXPLAINED;
	return RECONCILE_PARTLY;
}

static void start_windows(struct reconcile *r)
{
	memset(&r->memory, 0, sizeof(r->memory));
	memset(&r->live, 0, sizeof(r->live));
	memset(r->said, 0, sizeof(r->said));
	memset(r->settled, 0, sizeof(r->settled));
}

static void add_to_windows(struct reconcile *r, const struct reconcile_input *in)
{
	unsigned closed = rise_add(&r->memory, in->tick, in->memory_bytes);

	(void)rise_add(&r->live, in->tick, in->live_bytes);
	for (unsigned i = 0; i < RISE_SCALES; i++) {
		enum reconcile_verdict v;

		if (!(closed >> i & 1))
			continue;
		v = say(r, i, r->settled[i]);
		/* Twice in a row, or it is chance. */
		if (v == r->said[i])
			r->settled[i] = (uint8_t)v;
		r->said[i] = (uint8_t)v;
	}
}

static void add_hours(struct reconcile *r, const struct reconcile_input *in)
{
	uint32_t due = (in->tick - r->first_tick) / HOUR_TICKS + 1;

	/* Hours that were left out were as this one; of more than a day the last ones count. */
	if (due > r->n_hours + RECONCILE_HOURS)
		r->n_hours = due - RECONCILE_HOURS;
	for (; r->n_hours < due; r->n_hours++)
		r->hours[r->n_hours % RECONCILE_HOURS] = r->last;
}

void reconcile_add(struct reconcile *r, const struct reconcile_input *in)
{
	struct reconcile_point now = { (float)in->memory_bytes, (float)in->live_bytes };

	if (r->n > 0 && in->tick < r->last_tick)
		return;
	if (r->n == 0) {
		r->first = now;
		r->first_tick = in->tick;
	}
	r->n++;
	r->last = now;
	r->last_tick = in->tick;
	r->live_error = in->live_error_bytes;
	r->predates = in->predates;
	r->is_blind = !in->is_traced;
	add_hours(r, in);
	if (!in->is_traced) {
		r->was_blind = true;
		start_windows(r);
		return;
	}
	add_to_windows(r, in);
}

/* The largest scale that has found growth, else the smallest that has found none. */
static int deciding_scale(const struct reconcile *r)
{
	for (int i = RISE_SCALES - 1; i >= 0; i--)
		if (r->settled[i] >= RECONCILE_EXPLAINED)
			return i;
	return r->settled[0] == RECONCILE_STEADY ? 0 : -1;
}

struct reconciliation reconcile_get(const struct reconcile *r)
{
	struct reconciliation out = {
		.predates = r->predates,
		.is_partial = r->was_blind,
		.has_total = r->n >= 2,
		.has_day = r->n_hours >= RECONCILE_HOURS,
	};
	int scale = deciding_scale(r);
	const struct reconcile_point *day = &r->hours[r->n_hours % RECONCILE_HOURS];

	if (out.has_total)
		out.total = share_of((double)r->last.memory - (double)r->first.memory,
				     (double)r->last.live - (double)r->first.live, r->live_error,
				     r->last_tick - r->first_tick);
	if (out.has_day)
		out.day = share_of((double)r->last.memory - (double)day->memory,
				   (double)r->last.live - (double)day->live, r->live_error,
				   r->last_tick - r->first_tick -
					   (r->n_hours - RECONCILE_HOURS) * HOUR_TICKS);
	if (scale < 0 || r->is_blind)
		return out;
	out.verdict = r->settled[scale];
	if (out.verdict >= RECONCILE_EXPLAINED)
		out.found = share_of(rise_amount(&r->memory, (unsigned)scale),
				     rise_amount(&r->live, (unsigned)scale), r->live_error,
				     (RISE_FLOORS - 1) * rise_window_ticks((unsigned)scale));
	return out;
}
