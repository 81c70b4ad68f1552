/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The process that is measured: the program loop, which does what it is asked (loop.h).
 *
 * Ends the benchmark with a message on any failure.
 */
#ifndef SEEP_BENCH_CHILD_H
#define SEEP_BENCH_CHILD_H

#include <sys/types.h>

#include "loop.h"

struct child {
	pid_t pid;
	int to;	  /* owned */
	int from; /* owned */
};

/* @build: the folder of the programs. */
struct child child_start(const char *build);

/* Sends a request and waits for its answer. */
struct loop_answer child_ask(struct child *c, enum loop_command command, uint32_t count,
			     uint32_t depth);

/* Pairs as fast as it can for @ms milliseconds below @depth frames; ns of one pair. */
double child_spin(struct child *c, uint32_t ms, uint32_t depth);

/* Lets it exit, and waits for that. */
void child_end(struct child *c);

#endif
