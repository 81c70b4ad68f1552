/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The objects of one kind, followed by their addresses from one census to the next: an address that comes
 * is a birth, one that goes is a death.
 *
 *	census	1	2	3	4		a: there from the start, b: born before 2
 *	a	x	x	x	x		c: born before 3, died before 4 at an age of one
 *	b		x	x	x
 *	c			x
 *
 * An object that comes and goes between two censuses is not seen, and one whose address is given again
 * in between looks as if it lived on. Of the latter there are as many as are ever in use at once, which
 * does not grow (identities of tasks tell them, too). Of many objects those are kept whose hash is
 * below a threshold (python/kind_objects.h), and counts are estimates.
 *
 * Pure. 16 bytes per object that is kept.
 */
#ifndef SEEP_DETECT_MEMBERS_H
#define SEEP_DETECT_MEMBERS_H

#include <stddef.h>
#include <stdint.h>

#include "python/kind_objects.h"
#include "trend/lifetimes.h"

struct trend_process;
struct trend_site;

struct member {
	uint64_t address;
	uint32_t to;	   /* born before this tick, */
	uint16_t width;	   /* at most so many ticks before; 0: not known when */
	uint16_t identity; /* a hash of it; 0: it has none, or it is not known yet */
};

struct members {
	struct member *list; /* owned; by address */
	size_t n;
	uint64_t threshold; /* 0: no list yet */
	double born;	    /* since the first list, estimates */
	double died;
	double freed[LIFETIME_BINS]; /* of those, by age */
};

/*
 * How many tasks had been made at a tick, for the births of those whose identity is a number: the latest
 * censuses, ascending.
 */
struct task_clock {
	struct task_tick {
		uint32_t tick;
		uint64_t made;
	} ticks[128];
	size_t n;
};

void task_clock_add(struct task_clock *c, uint32_t tick, uint64_t made);

void members_done(struct members *m);

/*
 * A list as of @now, the last census before it was at @before. @clock: of tasks; NULL: identities are no
 * numbers. -ENOMEM, nothing is changed.
 */
int members_update(struct members *m, const struct python_objects *seen, uint32_t before,
		   uint32_t now, const struct task_clock *clock);

/* Live ones whose birth is known, into a scan of a site; each stands for @bytes. -ENOMEM. */
int members_scan(const struct members *m, struct trend_site *s, const struct trend_process *p,
		 double bytes);

/* The oldest whose birth is known, at most @max of them; how many. */
size_t members_oldest(const struct members *m, uint64_t *addresses, size_t max);

#endif
