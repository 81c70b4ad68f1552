/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The verdict on a site, with hysteresis:
 *
 *	quiet -> suspect -> leaking -> stopped | resolved -> quiet
 *			 \> exhaustion (alert of its own kind)
 *
 * Entering an alert takes two positive evaluations in a row; leaving it clearly worse values than
 * entering, twice, or a long silence.
 */
#ifndef SEEP_TREND_STATES_H
#define SEEP_TREND_STATES_H

#include <stdbool.h>
#include <stdint.h>

#include "trend/evidence.h"

struct verdict {
	enum trend_state state;
	enum trend_channel channel; /* that decided */
	uint32_t width;		    /* slice that decided, ticks; 0: not by cohorts */
	uint32_t positive_at;	    /* last evaluation that was positive at all */
	uint32_t told_at;	    /* last time people were told */
	uint8_t leaking_in_a_row;
	uint8_t suspect_in_a_row;
	uint8_t exhaustion_in_a_row;
	uint8_t negative_in_a_row;
	uint8_t worse_in_a_row;
	bool was_alerted; /* in this life */
	enum trend_severity told_severity;
	double told_rate;      /* bytes per tick */
	uint32_t since, until; /* births that are blamed */
	double blamed_bytes;   /* the most that was live of them */
};

/* What an evaluation found, reduced to what states depend on. */
struct verdict_input {
	uint32_t now;
	bool leaking, suspect, exhaustion; /* positive, at full patience or at a suspect's */
	bool held;			   /* an alert may not begin: losses, confidence */
	bool earlier_alert;		   /* an alert of an earlier life is open */
	enum trend_channel channel;
	uint32_t width;
	uint32_t since, until;
	double blamed_bytes; /* live now, born in what was blamed before */
	double found_bytes;  /* live now, born in since..until */
	double rate;	     /* bytes per tick */
	enum trend_severity severity;
	/* The deciding scale now, for leaving. */
	bool measured;
	bool worse;	/* clearly worse than what a leak needs */
	double silence; /* ticks without survivors, beyond the maturity age */
	double gap;	/* ticks between slices with survivors, typically */
};

enum trend_event verdict_update(struct verdict *v, const struct verdict_input *in);

static inline bool trend_state_is_alert(enum trend_state s)
{
	return s == TREND_LEAKING || s == TREND_EXHAUSTION;
}

#endif
