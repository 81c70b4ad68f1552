/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The state of the detector on kinds, shared by kind_watch*.c only. */
#ifndef SEEP_DETECT_KIND_WATCH_STATE_H
#define SEEP_DETECT_KIND_WATCH_STATE_H

#define HASH_NONFATAL_OOM 1
#include <uthash.h>

#include "detect/kind_watch.h"
#include "detect/members.h"
#include "trend/process.h"
#include "trend/site.h"

/* Censuses that are remembered, over the whole life: when they are full every second one goes. */
#define KINDS_POINTS 32
#define KINDS_RECENT 5 /* counts: growth over four censuses */

struct watched_kind {
	uint64_t key;
	uint64_t count;
	uint64_t bytes;
	uint8_t rank;
	bool is_task;
	bool has_ended;
	bool is_counted;   /* in this census */
	bool is_apart;	   /* see kind_watch_set_apart() */
	bool was_left_out; /* there was no room to follow it */
	uint64_t blamed;   /* key of the kind that names its group; 0: none */
	uint64_t was_blamed;
	uint32_t counts[KINDS_POINTS];
	float sizes[KINDS_POINTS]; /* bytes */
	uint32_t recent[KINDS_RECENT];

	/* From when it is followed. */
	struct trend_site *trend;      /* owned; NULL: it is not */
	struct trend_profile *profile; /* owned; NULL: no earlier life */
	struct members members;
	bool has_objects; /* as of this census */
	enum trend_event event;
	struct trend_evidence *evidence; /* owned; NULL: quiet ever since */
	double extra_bytes;		 /* of what comes with each object */
	bool is_judged;			 /* for its group */
	uint64_t named;			 /* under which kind it was told; 0: none */
	bool was_told;			 /* as an alert: the name stays */
	UT_hash_handle hh;
};

struct kind_watch {
	struct kind_options options;
	struct trend_process *process; /* owned */
	struct watched_kind *kinds;    /* hash by key; owned */
	size_t n_followed;
	uint64_t left_out;
	struct task_clock tasks;
	uint32_t now, before; /* ticks of this census and the one before */
	uint64_t censuses;

	uint64_t times_ns[KINDS_POINTS];
	uint32_t n_points;
	uint64_t spacing_ns;

	struct kind_finding *findings; /* owned */
	size_t n_findings;
};

struct watched_kind *kind_watch_find(const struct kind_watch *k, uint64_t key);
/* Not there before. NULL: no memory. */
struct watched_kind *kind_watch_add(struct kind_watch *k, uint64_t key);
/* What earlier lives have shown of one that is followed from now on. -ENOMEM. */
int kind_watch_recall(struct kind_watch *k, struct watched_kind *kind);
/* Its objects are wanted from the next census on, if there is room. -ENOMEM. */
int kind_watch_follow(struct kind_watch *k, struct watched_kind *kind);

#endif
