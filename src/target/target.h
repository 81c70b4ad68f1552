/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A process being watched: what is known of it, and what could not be seen.
 *
 * Plain values, filled by the monitor; names as in the API.
 */
#ifndef SEEP_TARGET_TARGET_H
#define SEEP_TARGET_TARGET_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>
#include <time.h>

#include "../bpf/abi.h" /* enum loss_reason, enum stack_status */
#include "base/cleanup.h"
#include "target/memory.h"
#include "trend/reconcile.h"

enum target_state {
	TARGET_ATTACHING, /* files are being read, probes set */
	TARGET_TRACED,
	TARGET_FAILED, /* could not be traced: error says why */
	TARGET_EXITED,
};

enum target_mode {
	TARGET_WATCH,	 /* no probes */
	TARGET_EXACT,	 /* every block */
	TARGET_SAMPLED,	 /* blocks by a Poisson process along their bytes */
	TARGET_WINDOWED, /* the same, in windows */
};

/* What the probes cost the target, as ratios of one processor. */
struct overhead {
	double budget_ratio;	/* 0: none is kept (the mode was asked for) */
	double estimated_ratio; /* over the last minute */
	double hits_per_second;
	double ns_per_hit;
};

/* What was seen, and what was not. */
struct coverage {
	uint64_t allocations_seen;
	uint64_t frees_seen;
	uint64_t frees_of_unknown_blocks; /* allocated before the attach, or lost */
	uint64_t failed_allocations;	  /* calls that returned no block */
	uint64_t lost[LOSS_REASONS];
	uint64_t truncated_stacks[STACK_STATUSES]; /* blocks allocated under such stacks */
	uint64_t python
		[PYTHON_OUTCOMES]; /* blocks of Python threads, by how their frames came out */
	bool from_start;	   /* no block predates the attach */
	bool has_growth;
	uint64_t growth_bytes;	  /* of its memory since the watch began; 0 if it shrank */
	uint64_t explained_bytes; /* of that, by live blocks */
};

struct target {
	uint32_t key;	 /* the kernel side's id; 0 is none */
	char id[32];	 /* "PID-KEY" */
	uint32_t parent; /* key of the target that forked it; 0: none */
	pid_t pid;
	uint64_t start_ticks;
	struct timespec started; /* wall clock, from start_ticks and boot time; 0: unknown */
	/* For people: printable UTF-8. Files are opened and selectors compared by the raw names. */
	char comm[16];
	char *exe; /* NULL: unknown */
	char *cmdline;
	char *unit;	 /* NULL: none */
	char *cgroup;	 /* NULL: unknown */
	char *container; /* NULL: none */
	uid_t uid;
	bool runs_python;
	const char *
		python_error; /* why its stacks have no Python frames, a static text; NULL: they have */
	char **allocators; /* paths of the files whose functions are probed */
	size_t n_allocators;
	enum target_mode mode;
	uint32_t sampling_interval; /* bytes; 0: every block is taken */
	double duty_ratio;	    /* share of the time with probes on allocations */
	const char *mode_reason;    /* why this mode, a static text; NULL: it was asked for */
	struct overhead overhead;
	enum target_state state;
	char *error;	      /* why, when TARGET_FAILED */
	uint64_t attached_ns; /* monotonic */
	uint64_t rss_bytes;   /* 0: unknown */
	uint64_t limit_bytes; /* 0: unknown */
	struct memory memory; /* the same and more, as of the last tick */
	struct reconciliation reconciliation;
	double reconcile_tick_seconds; /* the unit of the reconciliation's times */
	struct coverage coverage;
};

struct target *target_free(struct target *t);
DEFINE_CLEANUP(struct target *, target_free)

/*
 * Reads comm, exe, command line, cgroup, names, uid and start time of t->pid, again after an exec.
 * -ESRCH when gone (or its pid in use anew); @t is then unchanged.
 */
int target_describe(struct target *t, const char *proc);

/* Reads what moves: memory and limit. A process that is gone keeps its last figures. */
void target_refresh(struct target *t, const char *proc, const char *cgroup_root);

/*
 * What stays the same over restarts, under which a process' history is kept: its unit, if that is a
 * service (with its path from "user@UID.service" on, if it is one of a user's); else its program. (Scopes
 * of containers and sessions have new names each time.) Never NULL.
 */
const char *target_service(const struct target *t);

/* The words of API and CLI. */
const char *target_state_name(enum target_state state);
const char *target_mode_name(enum target_mode mode);
const char *loss_reason_name(enum loss_reason reason); /* "live_full", "missed_free", ... */
const char *
stack_status_name(enum stack_status status); /* "complete", "depth", "no_mapping", ... */

#endif
