// SPDX-License-Identifier: GPL-2.0-or-later
/* Sites and processes over a restart of the daemon. See site.h. */
#include <errno.h>

#include "trend/judge.h"
#include "trend/pack.h"
#include "trend/process_state.h"
#include "trend/site_state.h"

#define VERSION	       1
/* A verdict: six bytes of enums and counters, then numbers. */
#define VERDICT_PACKED (9 + 4 * 5 + 8 * 2)
#define FLOORS_PACKED  (8 + 12 * FLOOR_POINTS)

static void pack_floors(struct pack_writer *w, const struct floors *f)
{
	pack_u32(w, f->spacing);
	pack_u32(w, f->n);
	for (unsigned i = 0; i < FLOOR_POINTS; i++) {
		pack_f32(w, f->at[i].bytes);
		pack_f32(w, f->at[i].blocks);
		pack_f32(w, f->at[i].old_bytes);
	}
}

static void unpack_floors(struct pack_reader *r, struct floors *f)
{
	f->spacing = unpack_u32(r, 1u << 31);
	f->n = unpack_u32(r, FLOOR_POINTS);
	for (unsigned i = 0; i < FLOOR_POINTS; i++) {
		f->at[i].bytes = unpack_f32(r);
		f->at[i].blocks = unpack_f32(r);
		f->at[i].old_bytes = unpack_f32(r);
	}
	/* Points are addressed by division and halved pairwise: the spacing is a power of two. */
	if ((f->spacing & (f->spacing - 1)) != 0 || (f->spacing == 0 && f->n > 0))
		r->failed = true;
}

static void pack_verdict(struct pack_writer *w, const struct verdict *v)
{
	pack_u8(w, (uint8_t)v->state);
	pack_u8(w, (uint8_t)v->channel);
	pack_u8(w, (uint8_t)v->told_severity);
	pack_u8(w, v->leaking_in_a_row);
	pack_u8(w, v->suspect_in_a_row);
	pack_u8(w, v->exhaustion_in_a_row);
	pack_u8(w, v->negative_in_a_row);
	pack_u8(w, v->worse_in_a_row);
	pack_u8(w, v->was_alerted);
	pack_u32(w, v->width);
	pack_u32(w, v->positive_at);
	pack_u32(w, v->told_at);
	pack_u32(w, v->since);
	pack_u32(w, v->until);
	pack_f64(w, v->told_rate);
	pack_f64(w, v->blamed_bytes);
}

static void unpack_verdict(struct pack_reader *r, uint32_t now, struct verdict *v)
{
	v->state = unpack_u8(r, TREND_CLOSED);
	v->channel = unpack_u8(r, TREND_BY_EXHAUSTION);
	v->told_severity = unpack_u8(r, TREND_CRITICAL);
	v->leaking_in_a_row = unpack_u8(r, UINT8_MAX);
	v->suspect_in_a_row = unpack_u8(r, UINT8_MAX);
	v->exhaustion_in_a_row = unpack_u8(r, UINT8_MAX);
	v->negative_in_a_row = unpack_u8(r, UINT8_MAX);
	v->worse_in_a_row = unpack_u8(r, UINT8_MAX);
	v->was_alerted = unpack_u8(r, 1);
	v->width = unpack_u32(r, 1u << 16);
	v->positive_at = unpack_u32(r, now);
	v->told_at = unpack_u32(r, now);
	v->since = unpack_u32(r, now);
	v->until = unpack_u32(r, now);
	v->told_rate = unpack_f64(r);
	v->blamed_bytes = unpack_f64(r);
	/* The width is one of those that are judged. */
	for (const uint32_t *w = judge_widths; v->width != 0 && *w != v->width; w++)
		if (*w == 0) {
			r->failed = true;
			break;
		}
}

size_t trend_site_packed_size(void)
{
	return PACK_HEADER + 8 + 8 + 4 + 4 + 4 + 4 + COHORT_SLOTS * 16 + ENVELOPE_AGES * 16 +
	       FLOORS_PACKED + LIFETIME_BINS * 4 + VERDICT_PACKED + PACK_TRAILER;
}

void trend_site_pack(const struct trend_site *s, void *ret)
{
	struct pack_writer w;

	pack_begin(&w, ret, trend_site_packed_size(), PACK_SITE, VERSION);
	pack_u32(&w, s->cohorts.now);
	pack_u64(&w, s->allocations);
	pack_f64(&w, s->live_bytes);
	pack_u32(&w, s->live_blocks);
	pack_u32(&w, s->old_edge);
	pack_f32(&w, s->old_bytes);
	for (unsigned i = 0; i < COHORT_SLOTS; i++) {
		pack_f32(&w, s->cohorts.births[i]);
		pack_u32(&w, s->cohorts.live[i]);
		pack_f64(&w, s->cohorts.bytes[i]);
	}
	for (unsigned k = 0; k < ENVELOPE_AGES; k++) {
		pack_f32(&w, s->envelope.at[k].most);
		pack_f32(&w, s->envelope.at[k].proven);
		pack_u32(&w, s->envelope.at[k].grew);
		pack_u32(&w, s->envelope.at[k].grows_since);
	}
	pack_floors(&w, &s->floors);
	for (unsigned k = 0; k < LIFETIME_BINS; k++)
		pack_f32(&w, s->freed[k]);
	pack_verdict(&w, &s->verdict);
	(void)pack_end(&w);
}

static void unpack_site(struct pack_reader *r, struct trend_site *s)
{
	uint32_t now = unpack_u32(r, UINT32_MAX);

	s->cohorts.now = now;
	s->allocations = unpack_u64(r);
	s->live_bytes = unpack_f64(r);
	s->live_blocks = unpack_u32(r, UINT32_MAX);
	s->old_edge = unpack_u32(r, now);
	s->old_bytes = unpack_f32(r);
	for (unsigned i = 0; i < COHORT_SLOTS; i++) {
		s->cohorts.births[i] = unpack_f32(r);
		s->cohorts.live[i] = unpack_u32(r, UINT32_MAX);
		s->cohorts.bytes[i] = unpack_f64(r);
	}
	for (unsigned k = 0; k < ENVELOPE_AGES; k++) {
		struct envelope_age *a = &s->envelope.at[k];

		a->most = unpack_f32(r);
		a->proven = unpack_f32(r);
		a->grew = unpack_u32(r, now);
		a->grows_since = unpack_u32(r, a->grew);
	}
	unpack_floors(r, &s->floors);
	for (unsigned k = 0; k < LIFETIME_BINS; k++)
		s->freed[k] = unpack_f32(r);
	unpack_verdict(r, now, &s->verdict);
}

int trend_site_unpack(const void *packed, size_t size, struct trend_site **ret)
{
	_cleanup_(trend_site_freep) struct trend_site *s = NULL;
	struct pack_reader r;
	int e;

	e = unpack_begin(&r, packed, size, PACK_SITE, VERSION);
	if (e < 0)
		return e;
	s = trend_site_new(0);
	if (!s)
		return -ENOMEM;
	unpack_site(&r, s);
	e = unpack_end(&r);
	if (e < 0)
		return e;
	*ret = TAKE_PTR(s);
	return 0;
}

size_t trend_process_packed_size(void)
{
	return PACK_HEADER + 2 * 4 + 3 * 8 + 2 * 8 + 8 + COHORT_SLOTS * 12 + FLOORS_PACKED + 4 * 8 +
	       PACK_TRAILER;
}

void trend_process_pack(const struct trend_process *p, void *ret)
{
	struct pack_writer w;

	pack_begin(&w, ret, trend_process_packed_size(), PACK_PROCESS, VERSION);
	pack_u32(&w, p->now);
	pack_u32(&w, p->evaluated);
	pack_u64(&w, p->last.allocations);
	pack_u64(&w, p->last.frees);
	pack_u64(&w, p->last.lost_frees);
	pack_f64(&w, p->last.usage_bytes);
	pack_f64(&w, p->last.limit_bytes);
	pack_f64(&w, p->first_usage);
	for (unsigned i = 0; i < COHORT_SLOTS; i++) {
		pack_f64(&w, p->work[i]);
		pack_f32(&w, p->usage[i]);
	}
	pack_floors(&w, &p->floors);
	pack_f64(&w, p->growth);
	pack_f64(&w, p->growth_next);
	pack_f64(&w, p->leak_rate);
	pack_f64(&w, p->leak_rate_next);
	(void)pack_end(&w);
}

static void unpack_process(struct pack_reader *r, struct trend_process *p)
{
	p->now = unpack_u32(r, UINT32_MAX);
	p->evaluated = unpack_u32(r, p->now);
	p->last.allocations = unpack_u64(r);
	p->last.frees = unpack_u64(r);
	p->last.lost_frees = unpack_u64(r);
	p->last.usage_bytes = unpack_f64(r);
	p->last.limit_bytes = unpack_f64(r);
	p->first_usage = unpack_f64(r);
	for (unsigned i = 0; i < COHORT_SLOTS; i++) {
		p->work[i] = unpack_f64(r);
		p->usage[i] = unpack_f32(r);
	}
	unpack_floors(r, &p->floors);
	p->growth = unpack_f64(r);
	p->growth_next = unpack_f64(r);
	p->leak_rate = unpack_f64(r);
	p->leak_rate_next = unpack_f64(r);
}

int trend_process_unpack(const void *packed, size_t size, struct trend_process **ret)
{
	_cleanup_(trend_process_freep) struct trend_process *p = NULL;
	struct pack_reader r;
	int e;

	e = unpack_begin(&r, packed, size, PACK_PROCESS, VERSION);
	if (e < 0)
		return e;
	p = trend_process_new();
	if (!p)
		return -ENOMEM;
	unpack_process(&r, p);
	e = unpack_end(&r);
	if (e < 0)
		return e;
	process_sum_up(p);
	*ret = TAKE_PTR(p);
	return 0;
}

size_t trend_packed_size_max(void)
{
	size_t site = trend_site_packed_size(), process = trend_process_packed_size();

	return site > process ? site : process;
}
