/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The sites of all targets: their totals, and how their live bytes move.
 *
 * A tick copies each site's totals from the kernel into here:
 *
 *	target 7 ─┬─ site 0x51.. allocated 23 blocks, 2300 bytes   freed 17, 1700   live 6, 600
 *	          └─ site 0x9a..           ...
 *
 * Invariant: live = allocated - freed, never below 0. A racing read may show a block's free before
 * its allocation; the live figures are then 0 until the next tick.
 * Pure: no I/O, no clock.
 */
#ifndef SEEP_HEAP_HEAP_H
#define SEEP_HEAP_HEAP_H

#include <stddef.h>
#include <stdint.h>

#include "../bpf/abi.h" /* AGE_BINS */
#include "base/cleanup.h"
#include "trend/slope.h"

/*
 * Bytes and counts are estimates where blocks were sampled, and exact where every block was taken: the
 * variances are then 0. A live block counts in both sums of what is allocated only, so the variance
 * of live bytes is the difference; of unrelated blocks variances add.
 */
struct totals {
	uint64_t allocated_bytes;
	uint64_t allocated_count;
	uint64_t freed_bytes;
	uint64_t freed_count;
	uint64_t allocated_variance; /* of the bytes, in units of TOTALS_VARIANCE_UNIT bytes^2 */
	uint64_t freed_variance;
};

#define TOTALS_VARIANCE_UNIT 1024

uint64_t totals_live_bytes(const struct totals *t);
uint64_t totals_live_count(const struct totals *t);
/* Standard error of live bytes; 0: every block was taken. */
uint64_t totals_live_error(const struct totals *t);
/* The same of totals_change_bytes(); blocks that came and went between are in it, too. */
uint64_t totals_change_error(const struct totals *t);
/* allocated - freed with its sign: for what happened between two points in time. */
int64_t totals_change_bytes(const struct totals *t);
int64_t totals_change_count(const struct totals *t);
void totals_add(struct totals *sum, const struct totals *t);
/* sum -= t, each member not below 0. */
void totals_subtract(struct totals *sum, const struct totals *t);

/* The blocks themselves, whatever they stand for: the detector's counts. */
struct site_seen {
	uint64_t allocated;
	uint64_t freed;
	uint32_t freed_by_age[AGE_BINS]; /* see bpf/ages.h; counts wrap */
};

struct site {
	uint64_t stack; /* kernel key; unique over all targets */
	uint32_t target;
	struct totals totals;
	uint64_t first_seen_ns; /* monotonic time of the tick that showed it first */
	uint64_t oldest_ns;	/* monotonic birth of its oldest live block; 0: not looked at */
	uint64_t *frames;	/* stored frames, innermost first; owned. NULL until known */
	uint16_t n_frames;
	uint16_t own_frame;   /* index of the first frame outside of allocators' libraries */
	uint8_t stack_status; /* enum stack_status */
	struct slope live;    /* live bytes over time */
	struct site_seen seen;
	uint64_t leak_id; /* as group.h says; 0: its frames have no names yet */
	uint64_t site_id;
	uint64_t frames_leak_id; /* the same of the three frames from own_frame on */
	uint64_t frames_site_id;
};

struct heap;

struct heap *heap_new(void); /* NULL: no memory */
struct heap *heap_free(struct heap *h);
DEFINE_CLEANUP(struct heap *, heap_free)

/*
 * Takes a site's totals at a tick. Makes the site if it is new: 1, else 0, or -ENOMEM; -EINVAL for
 * target 0, -EEXIST for a stack that is another target's. *ret, if wanted, is borrowed until the
 * target is removed.
 */
int heap_update(struct heap *h, uint32_t target, uint64_t stack, const struct totals *totals,
		uint64_t now_ns, struct site **ret);

/* Copies the frames. -ENOMEM. */
int heap_set_frames(struct site *s, const uint64_t *frames, uint16_t n, uint8_t stack_status);

struct site *heap_find(const struct heap *h, uint64_t stack);

/*
 * All sites of a target (0: of all targets), in no order. The caller frees the array only, also one
 * without sites. -ENOMEM.
 */
int heap_list(const struct heap *h, uint32_t target, struct site ***ret, size_t *ret_n);

/* Sums over a target's sites (0: over all). */
struct totals heap_sum(const struct heap *h, uint32_t target);
size_t heap_count(const struct heap *h, uint32_t target);

/* A target's live bytes over time; NULL before its first tick. */
const struct slope *heap_target_slope(const struct heap *h, uint32_t target);
/* Call once per target and tick, after its sites. -ENOMEM; -EINVAL for target 0. */
int heap_target_tick(struct heap *h, uint32_t target, uint64_t now_ns);

/*
 * What an earlier life of the daemon has seen of a site, or of a target's live bytes, before their next
 * tick. -EINVAL, -EEXIST (there is such a site), -ENOMEM.
 */
int heap_restore_site(struct heap *h, uint32_t target, uint64_t stack, uint64_t first_seen_ns,
		      const struct slope *live);
int heap_restore_target(struct heap *h, uint32_t target, const struct slope *live);

void heap_remove_target(struct heap *h, uint32_t target);

#endif
