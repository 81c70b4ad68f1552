// SPDX-License-Identifier: GPL-2.0-or-later
/* Blocks by birth time. See cohorts.h. */
#include "trend/cohorts.h"

#include <math.h>
#include <string.h>

#define RING_0	  32u
#define RING	  16u
#define TOP	  (COHORT_LEVELS - 1)
/* Slots that the last level keeps of its own; a ring of 16 needs one free to merge through. */
#define TOP_SLOTS 15u

static unsigned ring_index(unsigned level, uint32_t birth)
{
	if (level == 0)
		return birth % RING_0;
	return RING_0 + RING * (level - 1) + (birth >> level) % RING;
}

/* The birth from which slots are narrower than 2^level. */
static uint32_t edge_of(unsigned level, uint32_t now)
{
	uint32_t age = COHORT_EXACT << (level - 1);

	return now > age ? (now - age) >> level << level : 0;
}

static uint32_t last_edge(uint32_t top_edge)
{
	uint32_t kept = TOP_SLOTS << TOP;

	return top_edge > kept ? top_edge - kept : 0;
}

void cohort_layout_set(struct cohort_layout *layout, uint32_t now)
{
	unsigned n;

	layout->now = now;
	layout->edge[0] = now;
	for (unsigned j = 1; j < COHORT_LEVELS; j++)
		layout->edge[j] = edge_of(j, now);
	layout->edge[COHORT_LEVELS] = last_edge(layout->edge[TOP]);

	n = layout->edge[COHORT_LEVELS] > 0;
	for (unsigned j = COHORT_LEVELS; j-- > 0;) {
		layout->first[j] = (uint16_t)n;
		n += (layout->edge[j] - layout->edge[j + 1]) >> j;
	}
	layout->n = (uint16_t)n;
}

void cohort_walk_init(struct cohort_walk *walk, const struct cohort_layout *layout)
{
	*walk = (struct cohort_walk){ .layout = layout, .level = COHORT_LEVELS };
}

int cohort_walk_next(struct cohort_walk *walk)
{
	const struct cohort_layout *l = walk->layout;

	walk->start += walk->width;
	if (walk->level == COHORT_LEVELS) {
		walk->level = TOP;
		walk->width = l->edge[COHORT_LEVELS];
		if (walk->width > 0)
			return COHORT_OLDEST;
	}
	while (walk->level >= 0 && walk->start >= l->edge[walk->level])
		walk->level--;
	if (walk->level < 0)
		return -1;
	walk->width = 1u << walk->level;
	return (int)ring_index((unsigned)walk->level, walk->start);
}

/* The level of a birth at or after the last edge. */
static unsigned level_of(const struct cohort_layout *l, uint32_t birth)
{
	uint32_t age = l->now - birth;
	unsigned level = 0;

	/* An age of 25 * 2^j or more is past level j for sure; of the next two one is right. */
	if (age >= 2 * COHORT_EXACT) {
		level = 31u - (unsigned)__builtin_clz(age / COHORT_EXACT);
		if (level > TOP)
			level = TOP;
	}
	while (birth < l->edge[level + 1])
		level++;
	while (level > 0 && birth >= l->edge[level])
		level--;
	return level;
}

unsigned cohort_slot(const struct cohort_layout *layout, uint32_t birth)
{
	if (birth < layout->edge[COHORT_LEVELS])
		return COHORT_OLDEST;
	return ring_index(level_of(layout, birth), birth);
}

/*
 * edge_of(j, now) moves only when now is an odd multiple of 2^(j - 1), because 25 is odd: so each
 * tick moves the edge of exactly one level.
 */
unsigned cohort_merges_at(uint32_t now, struct cohort_merge merges[2])
{
	unsigned level, n = 0;
	uint32_t edge, oldest;

	if (now == 0)
		return 0;
	level = (unsigned)__builtin_ctz(now) + 1;
	if (level > TOP)
		return 0;
	edge = edge_of(level, now);
	if (edge == 0)
		return 0;
	if (level == TOP) {
		oldest = last_edge(edge);
		if (oldest > 0) {
			unsigned from = ring_index(TOP, oldest - (1u << TOP));

			merges[n++] = (struct cohort_merge){ COHORT_OLDEST, (uint16_t)from,
							     COHORT_OLDEST };
		}
	}
	edge -= 1u << level;
	merges[n++] = (struct cohort_merge){
		.older = (uint16_t)ring_index(level - 1, edge),
		.younger = (uint16_t)ring_index(level - 1, edge + (1u << (level - 1))),
		.into = (uint16_t)ring_index(level, edge),
	};
	return n;
}

struct cohort_mark cohort_mark(const struct cohort_layout *layout, double tick)
{
	uint32_t whole, into;
	unsigned level;

	if (!(tick > 0))
		return (struct cohort_mark){ 0, 0 };
	if (tick >= layout->now)
		return (struct cohort_mark){ layout->n, 0 };
	whole = (uint32_t)tick;
	if (whole < layout->edge[COHORT_LEVELS])
		return (struct cohort_mark){ 0, tick / layout->edge[COHORT_LEVELS] };
	level = level_of(layout, whole);
	into = whole - layout->edge[level + 1];
	return (struct cohort_mark){
		.index = layout->first[level] + (into >> level),
		.share = ((into & ((1u << level) - 1)) + (tick - whole)) / (1u << level),
	};
}

/* Any of the three may be the same slot: the sum is taken before anything is cleared. */
#define MERGE(slots, m)                                                                    \
	do {                                                                               \
		__typeof__((slots)[0]) sum_ = (slots)[(m)->older] + (slots)[(m)->younger]; \
		(slots)[(m)->older] = 0;                                                   \
		(slots)[(m)->younger] = 0;                                                 \
		(slots)[(m)->into] = sum_;                                                 \
	} while (0)

void cohorts_advance(struct cohorts *c, uint32_t now)
{
	while (c->now < now) {
		struct cohort_merge merges[2];
		unsigned n = cohort_merges_at(++c->now, merges);

		for (unsigned i = 0; i < n; i++) {
			MERGE(c->births, &merges[i]);
			MERGE(c->live, &merges[i]);
			MERGE(c->bytes, &merges[i]);
		}
	}
}

void cohorts_add_births(struct cohorts *c, const struct cohort_layout *layout, uint32_t from,
			double births)
{
	uint32_t now = layout->now;
	double per_tick;

	if (from >= now)
		from = now > 0 ? now - 1 : 0;
	if (now == 0 || !(births > 0))
		return;
	per_tick = births / (now - from);
	while (from < now) {
		unsigned level =
			from < layout->edge[COHORT_LEVELS] ? COHORT_LEVELS : level_of(layout, from);
		uint32_t end = level == COHORT_LEVELS ? layout->edge[COHORT_LEVELS] :
							((from >> level) + 1) << level;

		c->births[cohort_slot(layout, from)] += (float)(per_tick * (end - from));
		from = end;
	}
}

void cohorts_scan_begin(struct cohorts *c)
{
	memset(c->live, 0, sizeof(c->live));
	memset(c->bytes, 0, sizeof(c->bytes));
}

void cohorts_scan_add(struct cohorts *c, const struct cohort_layout *layout, uint32_t birth,
		      uint32_t blocks, double bytes)
{
	unsigned slot;

	if (layout->now == 0)
		return;
	/* A block that was born after the tick ended belongs to the next one; it is young anyway. */
	if (birth >= layout->now)
		birth = layout->now - 1;
	slot = cohort_slot(layout, birth);
	c->live[slot] += blocks;
	c->bytes[slot] += bytes;
}

void cohorts_sum(const struct cohorts *c, const struct cohort_layout *layout,
		 struct cohort_sums *ret)
{
	double births = 0, live = 0, bytes = 0;
	struct cohort_walk walk;
	unsigned i = 0;
	int slot;

	cohort_walk_init(&walk, layout);
	while ((slot = cohort_walk_next(&walk)) >= 0) {
		ret->births[i] = births;
		ret->live[i] = live;
		ret->bytes[i] = bytes;
		births += fmax(c->births[slot], c->live[slot]);
		live += c->live[slot];
		bytes += c->bytes[slot];
		i++;
	}
	ret->births[i] = births;
	ret->live[i] = live;
	ret->bytes[i] = bytes;
}
