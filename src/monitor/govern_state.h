/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What is known of a target that is governed, shared by govern.c and govern_resume.c only. */
#ifndef SEEP_MONITOR_GOVERN_STATE_H
#define SEEP_MONITOR_GOVERN_STATE_H

#include "monitor/state.h"

struct govern {
	struct governor governor;
	struct monitor *monitor; /* borrowed */
	struct tracked *tracked; /* borrowed */
	struct event *timer;	 /* owned */
	struct window_state windows;
	struct target_meter counted; /* as of the last call of the governor */
	struct target_meter timed;   /* as of the last look at what its blocks cost */
	double block_ns;	     /* of its own blocks, as timed; 0: none was yet */
	uint64_t alarm_hits;	     /* as set */
	uint32_t epoch;
	bool inherits;	  /* its control is its origin's until the governor has decided */
	bool is_measured; /* once at least */
	bool is_changing; /* probes are being set or removed */
	bool is_losing;	  /* what could not be set is removed again */
	enum governor_probes wanted; /* what is set, or being set */
};

/* govern_resume.c: begins where an earlier life has left; errors as of governor_init(). */
int govern_resume(struct govern *g, const struct governor_limits *limits,
		  const struct governor_prices *prices);
bool govern_has_allocator_links(const struct tracked *t);

#endif
