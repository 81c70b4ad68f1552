/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The host watch's state, shared by host.c, which follows processes, and host_suggest.c, which says
 * what is worth tracking.
 */
#ifndef SEEP_MONITOR_HOST_STATE_H
#define SEEP_MONITOR_HOST_STATE_H

#include "monitor/state.h"
#include "target/host.h"
#include "trend/host_growth.h"

struct event;

struct host_group {
	char *name; /* owned */
	size_t n_members;
	uint32_t oldest; /* age of its oldest process in ticks, this pass */
	double bytes;	 /* this pass */
	double headroom; /* as of the last judgement */
	struct host_growth growth;
	struct host_entry *grower; /* borrowed: who grew most, this pass */
	bool has_growing;	   /* some process of it grows by itself, this pass */
	UT_hash_handle by_name;
};

struct host_entry {
	pid_t pid;
	bool was_tracked; /* once, by whomever: what became of that is people's choice */
	bool is_told;
	uint64_t start_ticks;
	uint32_t pass; /* that saw it last */
	float bytes;
	float first_bytes;
	float headroom; /* as of the last judgement */
	struct host_growth growth;
	struct host_group *group; /* borrowed; NULL: unknown */
	UT_hash_handle by_pid;
};

struct host_watch {
	struct monitor *monitor; /* borrowed */
	struct event *timer;
	struct event *step;
	struct host_pass pass;
	struct host_entry *entries;
	struct host_group *groups;
	uint64_t started_ns;
	uint64_t boot_ns; /* CLOCK_BOOTTIME at the pass's begin */
	uint32_t tick;
	uint32_t passes;
	bool is_full_told;
};

/* host_suggest.c: at the end of a pass, tells of what grows, and tracks it if that is wanted */
void host_suggest(struct host_watch *h);

#endif
