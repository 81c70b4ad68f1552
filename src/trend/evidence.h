/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What a verdict rests on, in numbers. Views turn it into sentences, such as
 *
 *	survivors in 14 of 14 intervals of 2 h; none of 8210 blocks that got older than 90 min was
 *	freed; longest known lifetime 71 min; rate steady, 0.97
 *
 * Times are in ticks, moments in ticks since the process came under watch.
 */
#ifndef SEEP_TREND_EVIDENCE_H
#define SEEP_TREND_EVIDENCE_H

#include <stdbool.h>
#include <stdint.h>

#include "trend/window.h"

enum trend_state {
	TREND_QUIET,
	TREND_SUSPECT, /* shown, no alert */
	TREND_LEAKING, /* alert */
	TREND_EXHAUSTION, /* alert of its own kind: most of the growth before the limit; no leak claimed */
	TREND_STOPPED,	/* leaked, does no more; the bytes are still lost */
	TREND_RESOLVED, /* leaked, half of it was freed since */
	TREND_CLOSED,	/* the process ended */
};

enum trend_event {
	TREND_NOTHING,
	TREND_SUSPECTED,
	TREND_CLEARED,	 /* no suspect any more */
	TREND_OPENED,	 /* an alert begins */
	TREND_CONTINUED, /* the alert of an earlier life, confirmed in this one */
	TREND_GREW,	 /* tell again: the rate doubled, severity rose or seven days passed */
	TREND_HAS_STOPPED,
	TREND_RESUMED, /* a leak that had stopped goes on; no new alert */
	TREND_HAS_RESOLVED,
};

/* Which test found it. */
enum trend_channel {
	TREND_BY_NONE,
	TREND_BY_COHORTS,    /* survivors of mature cohorts */
	TREND_BY_KNOWN,	     /* survivors of any age, of a site known from earlier lives */
	TREND_BY_FEW_BLOCKS, /* few and ever larger blocks */
	TREND_BY_EXHAUSTION,
};

enum trend_severity {
	TREND_LOW,
	TREND_MEDIUM,
	TREND_HIGH,
	TREND_CRITICAL
};

/* Why a site that tests as a leak is not alerted. */
enum trend_hold {
	TREND_NOT_HELD,
	TREND_HELD_BY_LOSSES,	  /* as many frees may have been missed */
	TREND_HELD_BY_CONFIDENCE, /* not sure enough */
	TREND_HELD_ONCE,	  /* not yet seen twice in a row */
};

struct trend_evidence {
	enum trend_state state;
	enum trend_event event;
	enum trend_channel channel;
	enum trend_severity severity;
	enum trend_hold hold;
	double confidence; /* 0 to 1 that the site leaks; 0 without a finding */
	double e_value;	   /* of records of the floor of old bytes; see records.h */

	uint32_t now;
	uint32_t since;	      /* earliest birth that is blamed */
	uint32_t until;	      /* latest one that is mature */
	double leaked_bytes;  /* live, born in between */
	double leaked_blocks; /* seen */

	struct window window; /* the slices that decided; .n is 0 for other channels than cohorts */
	struct presence presence;
	struct steadiness window_rate;
	struct steadiness life_rate;
	double survival; /* old half over young half */

	double longest_lifetime; /* A*; 1: no block is known to have died of age */
	double maturity;	 /* age from which blocks are judged */
	double freed_beyond;	 /* blocks freed at that age or older, ever; seen */

	double bytes_per_tick;
	double bytes_per_tick_low; /* quartiles over the slices */
	double bytes_per_tick_high;
	double live_bytes;
	double proven_bytes;   /* held without a leak before, at this age */
	double headroom_bytes; /* to the limit, now */
	double ticks_to_limit; /* at the larger of all leaks' rates and the process' growth */
	double ticks_to_limit_low;
	double ticks_to_limit_high;

	double grows_for; /* ticks of growth in this life, on the largest scale that shows it */
	double ticks_to_limit_then; /* at the site's own rate, from when that growth began */
	double waited;		    /* ticks of growth, with those of earlier lives */
	double required;	    /* ticks for an alert */
	double carry;		    /* ticks in earlier lives that looked like leaks */
	double known;		    /* 0: never seen to grow before .. 1: known well */
	double lost_share;	    /* of frees, upper bound of 95 % */
	uint32_t lives;		    /* earlier ones */
};

#endif
