/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The detector's state, shared by the files of this folder only. */
#ifndef SEEP_DETECT_STATE_H
#define SEEP_DETECT_STATE_H

/* A failed insertion leaves the element's table pointer NULL instead of ending the program. */
#define HASH_NONFATAL_OOM 1
#include <uthash.h>

#include "detect/detector.h"
#include "detect/weights.h"

/* What is judged by itself. */
struct key {
	uint64_t id; /* a stack, or a hash of three frames; 0: the process */
	enum detector_scope scope;
	struct trend_site *trend;      /* owned; NULL: too small to matter so far */
	struct trend_profile *profile; /* owned; NULL: no earlier life */
	struct detector_ids ids;
	bool was_recalled; /* the history was asked */
	bool was_left_out; /* there was no room to follow it */
	bool was_told;	   /* it was blamed for an alert */
	bool is_suspected; /* of the process: it was blamed, if for less */
	/* Sums over its sites at the last tick. */
	uint64_t allocations;
	uint64_t live_blocks;
	double live_bytes;
	size_t n_sites;
	const struct site *largest; /* valid during a tick or an evaluation only */
	uint64_t first_ns;	    /* when its first site was seen */
	struct key *shared;	    /* of a stack: its frames; NULL: not known */
	uint64_t
		*freed; /* owned; by age, as of this evaluation. NULL: a stack, whose site has it */

	enum trend_event event;
	struct trend_evidence *evidence; /* owned; NULL: quiet ever since */
	UT_hash_handle hh;
};

struct detector {
	struct detector_options options;
	struct trend_process
		*processes[DETECTOR_SCOPES]; /* owned: a clock for each kind of key, since each
							     sums up its own rates */
	struct key *keys[DETECTOR_SCOPES];   /* hashes by id */
	size_t n_keys;			     /* followed */
	uint64_t left_out;
	struct weights weights;
	double live_factor; /* bytes of the last walk by their weights, to as seen; 0: no walk yet */
	double walked_bytes;
	double weighed_bytes;
	bool is_scanning;

	struct detector_finding *findings; /* owned */
	size_t n_findings;
	uint64_t **stacks; /* owned, of the same index */
};

struct key *key_add(struct detector *d, enum detector_scope scope, uint64_t id);
struct key *key_find(const struct detector *d, enum detector_scope scope, uint64_t id);
/* The hash of the frames that group stacks; 0: not known. */
uint64_t key_of_frames(const struct site *s);

/* blame.c */
int blame_settle(struct detector *d, struct site *const *sites, size_t n);
void blame_clear(struct detector *d);

#endif
