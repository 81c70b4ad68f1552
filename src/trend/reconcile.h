/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * How much of a process's growth its live blocks explain.
 *
 * What a process holds (anonymous memory, resident or swapped) is more than the live blocks that
 * were seen: blocks from before the watch, what the allocator keeps of freed ones (free lists,
 * fragmentation, headers), stacks, and memory that was mapped without malloc. So only changes are
 * compared:
 *
 *	growth	  = memory now - memory when the watch began
 *	explained = live bytes now - live bytes then, from 0 up to the growth
 *	retained  = growth - explained
 *
 * and a verdict is given only while the floors of memory rise (rise.h), on the same windows of
 * both. It is never an alert. Where old blocks that were not seen are replaced by new ones, live
 * bytes rise without growth: too much is explained then, never too little.
 *
 * Pure; times are ticks of the detector, which do not count while the machine is suspended.
 */
#ifndef SEEP_TREND_RECONCILE_H
#define SEEP_TREND_RECONCILE_H

#include <stddef.h>

#include "trend/rise.h"

#define RECONCILE_LEAST_BYTES (16.0 * 1024 * 1024)
#define RECONCILE_HOURS	      25 /* points: a day has one more than hours */

enum reconcile_verdict {
	RECONCILE_UNKNOWN,   /* too early to tell, or nothing is traced */
	RECONCILE_STEADY,    /* memory does not keep growing */
	RECONCILE_EXPLAINED, /* it does, and live blocks explain at least half of that */
	RECONCILE_PARTLY,    /* between the other two */
	RECONCILE_RETAINED,  /* it does, and live blocks explain less than a quarter of it */
};

struct reconcile_point {
	float memory;
	float live;
};

struct reconcile {
	uint32_t n; /* values that came */
	uint32_t first_tick;
	uint32_t last_tick;
	struct reconcile_point first;
	struct reconcile_point last;
	double live_error;
	bool predates;
	bool is_blind;
	bool was_blind;
	/* The last day, a point an hour; the oldest at the place of the next one. */
	struct reconcile_point hours[RECONCILE_HOURS];
	uint32_t n_hours;
	struct rise memory;
	struct rise live;
	/* What each scale says, and what it said last. */
	uint8_t said[RISE_SCALES];
	uint8_t settled[RISE_SCALES];
};

struct reconcile_input {
	uint32_t tick;
	double memory_bytes;	 /* anonymous + swap; not of files: they are the page cache */
	double live_bytes;	 /* of blocks that were seen */
	double live_error_bytes; /* standard error, 0: exact */
	bool is_traced;		 /* blocks are seen at present */
	bool predates;		 /* there are blocks from before the watch */
};

/* At most one value a tick counts for the windows; the last one is what is told as now. */
void reconcile_add(struct reconcile *r, const struct reconcile_input *in);

/* In bytes. Growth may be below 0; then nothing is to be explained. */
struct reconcile_share {
	double growth;
	double explained;
	double retained;
	double error; /* standard error of the two */
	uint32_t ticks;
};

struct reconciliation {
	enum reconcile_verdict verdict;
	bool predates;	 /* there are blocks that were not seen */
	bool is_partial; /* part of the time nothing was traced */
	bool has_total;
	bool has_day;
	struct reconcile_share total; /* since the watch began */
	struct reconcile_share day;   /* the last 24 h (1440 ticks), once there is as much */
	struct reconcile_share found; /* what the verdict is on; not of UNKNOWN and STEADY */
};

struct reconciliation reconcile_get(const struct reconcile *r);

const char *reconcile_verdict_name(enum reconcile_verdict v); /* "retained", ... */

/*
 * One or two plain sentences. @tick_seconds: how long a tick is. Returns @text; cut if @size (at
 * least 1) is less than RECONCILE_TEXT.
 */
#define RECONCILE_TEXT 512
const char *reconcile_text(const struct reconciliation *r, double tick_seconds, char *text,
			   size_t size);

#endif
