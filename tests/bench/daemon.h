/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * seep as its users have it: a private seepd, asked through seepctl. Nothing of seep's inside is
 * known here.
 *
 * Ends the benchmark with a message on any failure but the one that is returned.
 */
#ifndef SEEP_BENCH_DAEMON_H
#define SEEP_BENCH_DAEMON_H

#include <jansson.h>
#include <stdint.h>
#include <sys/types.h>

#include "stack.h"

#define DAEMON_WHY_BYTES 160

struct daemon {
	pid_t pid;
	const char *build; /* borrowed: the folder of the programs */
	char folder[64];   /* with the socket and the log */
	char socket[96];
};

/* What seepd says of the one target. */
struct daemon_target {
	char mode[24];		/* "exact", "sampled", ... */
	double estimated_ratio; /* of one core; NaN if it does not say */
};

/* @tick and @max_blocks as seepd takes them. Waits until it answers. */
void daemon_start(struct daemon *d, const char *build, const char *tick, const char *max_blocks);

/* The same with a minute of the detector's that lasts @detector_tick. */
void daemon_start_detector(struct daemon *d, const char *build, const char *tick,
			   const char *detector_tick, const char *max_blocks);

/* Ends it by SIGTERM and waits for that. */
void daemon_stop(struct daemon *d);

/*
 * seepctl track PID with up to two more arguments (NULL: none), then waits until it is traced.
 * -EOPNOTSUPP: seepctl does not know these arguments; @why has its words.
 */
int daemon_track(struct daemon *d, pid_t pid, const char *const arguments[2],
		 char why[static DAEMON_WHY_BYTES]);

/* Every block: with --exact, or without it where nothing else exists and the target is exact. */
void daemon_track_exact(struct daemon *d, pid_t pid);

/* Tracks whatever @selector matches, in the default mode, until @n processes are traced. */
void daemon_track_many(struct daemon *d, const char *selector, size_t n);

/* Returns at once; probes are removed within about 0.1 s. */
void daemon_untrack(struct daemon *d, pid_t pid);

void daemon_target(struct daemon *d, pid_t pid, struct daemon_target *ret);

/* "info" of seepctl status. Caller drops the reference. */
json_t *daemon_info(struct daemon *d);

/* The info of a tick that began after the call. Caller drops the reference. */
json_t *daemon_next_tick(struct daemon *d);

/* The info after an evaluation that ended after the call. Caller drops the reference. */
json_t *daemon_next_evaluation(struct daemon *d);

/* Compares the stack that allocated most with the true one. -ENOENT: there is no stack. */
int daemon_stack(struct daemon *d, pid_t pid, const struct loop_answer *truth,
		 struct stack_seen *ret);

/* Memory that the kernel accounts to its maps (exact since kernel 6.4), in MiB. */
double daemon_map_mb(const struct daemon *d);

/* What it has used of the CPU so far, its children left out. */
double daemon_cpu_seconds(const struct daemon *d);

/* Its resident memory, in MiB. */
double daemon_resident_mb(const struct daemon *d);

#endif
