/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The tables of the benchmark: each measures, prints, and adds to the report.
 */
#ifndef SEEP_BENCH_TABLES_H
#define SEEP_BENCH_TABLES_H

#include "harness.h"
#include "report.h"

/* ns of a malloc/free pair in every mode, in interleaved rounds, and whose stacks are right. */
void bench_pairs(const struct bench_options *o, struct report *report);

/* The default mode under the worst load that there is: what it lets a process lose. */
void bench_burst(const struct bench_options *o, struct report *report);

/* ns that one frame more on the stack costs. */
void bench_frames(const struct bench_options *o, struct report *report);

/* Unwind tables of common files: time to compile, size. Not in the report. */
void bench_unwind_tables(void);

/* A census of a million Python objects: time, memory. Not in the report. */
void bench_census(void);

/* Time of a tick by sites and blocks, memory of the maps. */
void bench_ticks(const struct bench_options *o, struct report *report);

/* The detector on many sites that all matter, and with ever more blocks. */
void bench_evaluations(const struct bench_options *o, struct report *report);

/* What the daemon takes with many targets. */
void bench_scale(const struct bench_options *o, struct report *report);

#endif
