/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * All that was measured, and the table of it for the README.
 */
#ifndef SEEP_BENCH_REPORT_H
#define SEEP_BENCH_REPORT_H

#include <stdbool.h>
#include <stddef.h>

#include "stack.h"

/* Ways to trace a process, in the order in which they are printed. */
enum mode_id {
	MODE_UNPROBED,
	MODE_FLOOR_SKIPPED,
	MODE_FLOOR_RETURNS,
	MODE_SEEP_SAMPLED,
	MODE_SEEP_EXACT,
	MODE_CLASSIC,
	N_MODES,
};

/*
 * What a mode adds to a pair is its ns less those of the unprobed pair of the same round; ratios
 * are of what is added, medians over the rounds.
 */
struct mode_result {
	bool measured;
	double ns;	      /* a pair, median */
	double of_floor;      /* NaN if the mode has no floor */
	double classic_of_it; /* how many times as much the classic design adds */
	bool has_stack;
	struct stack_seen stack;
};

/* The default mode under a process that does nothing but pairs, as fast as it can. */
struct burst_result {
	bool measured;
	char mode[24];		 /* at the end */
	double seconds;		 /* that the burst lasted */
	double loss;		 /* of throughput, of 1, over all of it */
	double worst_second;	 /* the highest loss of any second but the first */
	double back_off_seconds; /* from the burst's start; NaN: never */
	double estimated_ratio;	 /* seepd's own estimate of what it costs; NaN: none */
};

struct tick_result {
	unsigned long long sites;
	unsigned long long live_blocks;
	double ms;
};

/* The detector on one target, and its walk over the live blocks. */
struct evaluation_result {
	unsigned long long judged; /* 0: not measured */
	unsigned long long live_blocks;
	double ms;
	double walk_ms;
	double resident_mb; /* seepd, without its maps */
};

/* seepd with many targets. */
struct scale_result {
	unsigned long long targets; /* 0: not measured */
	unsigned long long sites;
	unsigned long long live_blocks;
	double cpu_ratio; /* of one core */
	double resident_mb;
};

#define MAX_TICK_RESULTS   4
#define EVALUATION_RESULTS 3

struct report {
	struct mode_result modes[N_MODES];
	bool has_session;    /* the floor was made with session links */
	unsigned int frames; /* that the stack of the pairs really has */
	struct burst_result burst;
	double frame_ns;
	struct tick_result ticks[MAX_TICK_RESULTS];
	size_t n_ticks;
	double idle_map_mb;
	double full_map_mb; /* with the last of the ticks' live blocks */
	double resident_mb; /* seepd, idle */
	struct evaluation_result evaluations[EVALUATION_RESULTS];
	struct scale_result scale;
};

/* What a mode is called in tables. */
const char *report_mode_name(enum mode_id id);

/* "AMD EPYC, 2 cores, virtual (KVM)"; @ret has room for it. */
void report_machine(char *ret, size_t bytes);

/* The tables in Markdown, on standard output. */
void report_print(const struct report *r);

#endif
