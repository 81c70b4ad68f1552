/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * How much of a stack a tracer has seen, compared with what the program itself found.
 */
#ifndef SEEP_BENCH_STACK_H
#define SEEP_BENCH_STACK_H

#include <stdbool.h>

#include "loop.h"

struct stack_seen {
	unsigned int frames;	  /* that the tracer tells */
	unsigned int true_frames; /* of them, from the innermost, that are really there */
	bool true_caller;	  /* the innermost one is the function that calls malloc */
};

#endif
