/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A kept tick: the totals and stacks of all sites at one time, and the difference of two.
 *
 * Owns copies of frames (as stored, unresolved), so that it outlives the target. Pure.
 */
#ifndef SEEP_HEAP_SNAPSHOT_H
#define SEEP_HEAP_SNAPSHOT_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>
#include <time.h>

#include "base/cleanup.h"
#include "heap/heap.h"

struct snapshot_site {
	uint64_t stack;
	uint32_t target;
	struct totals totals;
	uint16_t n_frames;
	uint8_t stack_status;
	uint64_t *frames; /* owned by the snapshot; NULL if they were not known */
};

/* What it is called and whose it is, also when the target is gone. */
struct snapshot_head {
	char *name; /* owned */
	struct timespec wall;
	struct timespec since; /* older blocks are not in it; 0: not told */
	char target_id[32];    /* "": of all targets, or not told; then pid is 0 */
	pid_t pid;
	uint64_t start_ticks; /* with the pid it tells a process from all others */
	uid_t uid;
};

struct snapshot {
	struct snapshot_head head;   /* snapshot_take() fills name and wall */
	uint64_t time_ns;	     /* monotonic */
	uint32_t target;	     /* 0: all targets */
	struct snapshot_site *sites; /* ascending by stack */
	size_t n;
};

/* 1..64 of [A-Za-z0-9._-], not starting with '.' or '-'. */
int snapshot_check_name(const char *name); /* 0 or -EINVAL */

/* -EINVAL for a bad name, -ENOMEM. */
int snapshot_take(const struct heap *h, uint32_t target, const char *name, struct timespec wall,
		  uint64_t now_ns, struct snapshot **ret);
struct snapshot *snapshot_free(struct snapshot *s);
DEFINE_CLEANUP(struct snapshot *, snapshot_free)

/*
 * What changed from @from to @to, one entry per stack that is in either and whose totals differ.
 * A stack that is only in @from belongs to a target that is gone: its live blocks count as freed.
 * Of a snapshot of all targets and one of a single target only that target is compared; two single
 * ones must be of the same (-EINVAL). Frames are borrowed from the snapshots. Ascending by stack.
 * Caller frees the array.
 */
struct snapshot_change {
	uint64_t stack;
	uint32_t target;
	struct totals between; /* allocated and freed between the two */
	uint16_t n_frames;
	uint8_t stack_status;
	const uint64_t *frames;
};

int snapshot_diff(const struct snapshot *from, const struct snapshot *to,
		  struct snapshot_change **ret, size_t *ret_n);

#endif
