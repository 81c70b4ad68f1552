// SPDX-License-Identifier: GPL-2.0-or-later
/* Few and ever larger blocks. See judge.h. */
#include <math.h>

#include "trend/judge.h"

#define FEW	      64  /* blocks live, and births since an eighth of the life */
#define GROWTH	      1.4 /* per doubling of the life; a vector that doubles has 2 in the mean */
#define SHORTEST      32  /* ticks of life */
#define NEAR	      16  /* a floor is the least of this part of the life */
#define BLOCKS_GROWTH 4

/* The floor around a moment of the life. */
static struct floor_point floor_at(const struct subject *s, uint32_t tick)
{
	uint32_t near = s->process->now / NEAR;

	return floors_least(s->floors, tick > near ? tick - near : 0, tick);
}

static bool is_few(const struct subject *s, double blocks_then)
{
	double now = s->process->now;

	return s->live_blocks > 0 && s->live_blocks <= FEW &&
	       s->live_blocks <= BLOCKS_GROWTH * blocks_then + BLOCKS_GROWTH &&
	       life_slice(&s->life, now / 8, now).births <= FEW;
}

bool judge_few_blocks(const struct subject *s, struct finding *ret)
{
	const struct trend_options *o = s->options;
	uint32_t now = s->process->now;
	double peak = s->profile ? s->profile->peak : 0;
	struct finding f = { .channel = TREND_BY_FEW_BLOCKS, .maturity = 1 };
	struct floor_point v[4];

	if (now < SHORTEST || s->live_blocks > FEW)
		return false;
	v[0] = floor_at(s, now - 1);
	v[1] = floor_at(s, now / 2);
	v[2] = floor_at(s, now / 4);
	v[3] = floor_at(s, now / 8);
	if (!(v[3].bytes > 0) || v[0].bytes < GROWTH * v[1].bytes ||
	    v[1].bytes < GROWTH * v[2].bytes || v[2].bytes < GROWTH * v[3].bytes ||
	    !is_few(s, v[3].blocks))
		return false;
	f.bytes_per_tick = (v[0].bytes - v[1].bytes) / (now / 2.0);
	f.ticks_to_limit = process_headroom(s->process) / f.bytes_per_tick;
	f.waited = now + subject_carry(s);
	f.required = patience_required(o, &o->leaking, f.ticks_to_limit, 0, true);
	f.proven = peak;
	f.leaking = s->at_end || f.waited >= f.required;
	if (f.ticks_to_limit > o->longest_to_limit)
		return false;
	if (!s->at_end && (v[0].bytes <= o->envelope_margin * peak ||
			   f.waited < patience_required(o, &o->suspect, f.ticks_to_limit, 0, true)))
		return false;
	*ret = f;
	return true;
}
