/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the detector's tests share: a process of sources that make blocks, and its life tick by tick. */
#ifndef SEEP_TESTS_DETECTOR_PROCESS_H
#define SEEP_TESTS_DETECTOR_PROCESS_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "detect/detector.h"
#include "trend/lifetimes.h"

#define TICK_NS	  60000000000ull
#define ORIGIN_NS (7 * TICK_NS + 11)
#define BASE	  (50.0 * (1 << 20))
#define LIMIT	  (1050.0 * (1 << 20))
#define SITES_MAX 211
#define PROFILES  499

/*
 * A site that makes blocks of one size at a constant pace. So many of each batch live for ever, the
 * others for so many ticks.
 */
struct source {
	struct site site;
	uint64_t frames[6];
	unsigned period; /* a batch each so many ticks */
	unsigned births; /* blocks in a batch */
	unsigned leaked; /* of these */
	unsigned lifetime;
	unsigned until; /* tick of the last birth; 0: goes on */
};

struct remembered {
	struct detector_ids ids;
	struct trend_profile profile;
};

struct process {
	struct source sources[SITES_MAX];
	struct site *list[SITES_MAX];
	size_t n;
	uint32_t now;
	struct trend_options trend;
	struct detector *detector;
	struct remembered profiles[PROFILES];
	size_t n_profiles;
	uint64_t lost_frees;
	double bytes_factor;
};

static inline bool identify(void *userdata, enum detector_scope scope, const struct site *s,
			    struct detector_ids *ret)
{
	(void)userdata;
	ret->leak_id = scope == DETECTOR_PROCESS ? 1 : s->stack + (uint64_t)scope * 1000003;
	ret->site_id = ret->leak_id;
	return true;
}

static inline bool recall(void *userdata, const struct detector_ids *ids, struct trend_profile *ret)
{
	const struct process *p = userdata;

	for (size_t i = 0; i < p->n_profiles; i++) {
		if (p->profiles[i].ids.leak_id != ids->leak_id)
			continue;
		*ret = p->profiles[i].profile;
		return true;
	}
	return false;
}

static inline void save(void *userdata, const struct detector_ids *ids,
			const struct trend_profile *profile)
{
	struct process *p = userdata;
	size_t i = 0;

	while (i < p->n_profiles && p->profiles[i].ids.leak_id != ids->leak_id)
		i++;
	assert_true(i < PROFILES);
	p->profiles[i] = (struct remembered){ .ids = *ids, .profile = *profile };
	if (i == p->n_profiles)
		p->n_profiles++;
}

static inline struct source *add_source(struct process *p, uint64_t leaf, uint64_t root)
{
	struct source *s = &p->sources[p->n];

	assert_true(p->n < SITES_MAX);
	*s = (struct source){ .births = 1, .period = 1, .lifetime = 7 };
	/* Three shared at the leaf, then what tells stacks apart. */
	for (unsigned i = 0; i < 3; i++)
		s->frames[i] = leaf * 100 + i;
	for (unsigned i = 3; i < 6; i++)
		s->frames[i] = root * 100 + i;
	s->site.stack = leaf * 100003 + root;
	s->site.target = 1;
	s->site.frames = s->frames;
	s->site.n_frames = 6;
	p->list[p->n++] = &s->site;
	return s;
}

static inline void leak_slowly(struct source *s, unsigned period)
{
	s->period = period;
	s->births = 3;
	s->leaked = 1;
}

static inline void begin_life(struct process *p)
{
	const struct detector_options options = {
		.trend = &p->trend,
		.tick_ns = TICK_NS,
		.origin_ns = ORIGIN_NS,
		.env = { .identify = identify, .recall = recall, .userdata = p },
	};

	p->now = 0;
	for (size_t i = 0; i < p->n; i++) {
		p->sources[i].site.seen = (struct site_seen){ 0 };
		p->sources[i].site.totals = (struct totals){ 0 };
		p->sources[i].site.first_seen_ns = ORIGIN_NS;
	}
	p->detector = detector_new(&options);
	assert_non_null(p->detector);
}

static inline unsigned births_at(const struct source *s, uint32_t tick)
{
	if (s->until && tick > s->until)
		return 0;
	return tick % s->period == 0 ? s->births : 0;
}

#define BLOCK_BYTES 10007

/* The tick that ends at p->now. */
static inline void live_on(struct process *p, struct source *s)
{
	unsigned born = births_at(s, p->now), died = 0;

	if (p->now > s->lifetime)
		died = births_at(s, p->now - s->lifetime);
	died -= died ? s->leaked : 0;
	s->site.seen.allocated += born;
	s->site.seen.freed += died;
	s->site.seen.freed_by_age[lifetime_bin(s->lifetime)] += died;
	s->site.totals.allocated_count += born;
	s->site.totals.allocated_bytes += (uint64_t)born * BLOCK_BYTES;
	s->site.totals.freed_count += died;
	s->site.totals.freed_bytes += (uint64_t)died * BLOCK_BYTES;
}

static inline double live_bytes(const struct process *p)
{
	double sum = 0;

	for (size_t i = 0; i < p->n; i++)
		sum += (double)totals_live_bytes(&p->sources[i].site.totals);
	return sum;
}

static inline void scan(struct process *p)
{
	detector_scan_begin(p->detector);
	assert_true(detector_is_scanning(p->detector));
	for (size_t i = 0; i < p->n; i++) {
		const struct source *s = &p->sources[i];

		for (uint32_t tick = 1; tick <= p->now; tick++) {
			unsigned born = births_at(s, tick);
			bool is_old = tick + s->lifetime <= p->now;

			for (unsigned k = born && is_old ? s->leaked : born; k > 0; k--)
				detector_scan_block(p->detector, &s->site,
						    ORIGIN_NS + (tick - 1) * TICK_NS + TICK_NS / 2,
						    BLOCK_BYTES);
		}
	}
}

/* One more tick; true if there was an evaluation. */
static inline bool step(struct process *p)
{
	struct detector_process in = { .limit_bytes = LIMIT, .bytes_factor = p->bytes_factor };
	int r;

	p->now++;
	for (size_t i = 0; i < p->n; i++)
		live_on(p, &p->sources[i]);
	in.usage_bytes = BASE + live_bytes(p);
	in.lost_frees = p->lost_frees;
	r = detector_tick(p->detector, ORIGIN_NS + p->now * TICK_NS, &in, p->list, p->n);
	assert_true(r >= 0);
	if (r == 0)
		return false;
	scan(p);
	assert_int_equal(detector_evaluate(p->detector, p->list, p->n), 0);
	return true;
}

/* Until an alert opens: its tick, 0: none up to @last. */
static inline uint32_t run_to_alert(struct process *p, uint32_t last)
{
	const struct detector_finding *f;

	while (p->now < last && live_bytes(p) + BASE < LIMIT) {
		if (!step(p))
			continue;
		for (size_t i = 0, n = detector_findings(p->detector, &f); i < n; i++)
			if (f[i].evidence->state == TREND_LEAKING)
				return p->now;
	}
	return 0;
}

static inline int set_up(void **state)
{
	struct process *p = calloc(1, sizeof(*p));

	if (!p)
		return -1;
	trend_options_init(&p->trend);
	p->bytes_factor = 1;
	*state = p;
	return 0;
}

static inline int tear_down(void **state)
{
	struct process *p = *state;

	detector_free(p->detector);
	free(p);
	return 0;
}

#endif
