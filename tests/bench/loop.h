/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What is said between the benchmark and loop, the program that it measures.
 *
 * A request at a time on loop's standard input, its answer on standard output (or on the two
 * descriptors that loop gets as arguments). All of them in the byte order of the machine, without
 * padding; servers.py has the same two records in Python's struct notation.
 */
#ifndef SEEP_BENCH_LOOP_H
#define SEEP_BENCH_LOOP_H

#include <stdint.h>

#define LOOP_FRAMES    64
#define LOOP_SITE_BITS 14 /* LOOP_SITES knows 2^14 different stacks */

/* The function that calls malloc: the name that its innermost frame must have. */
#define LOOP_FUNCTION "allocate"

enum loop_command {
	LOOP_SPIN = 'p',   /* malloc/free pairs for @count ms, as fast as it can */
	LOOP_PACE = 'r',   /* one pair per millisecond, for @count ms */
	LOOP_CHAIN = 'c',  /* the frames above that malloc; @count is 0 */
	LOOP_SITES = 's',  /* a block under each of @count stacks; they are kept */
	LOOP_LARGE = 'l',  /* the same, of 98 000 bytes each, of which hardly any is written to */
	LOOP_BLOCKS = 'b', /* @count blocks under one stack; they are kept */
};

struct loop_request {
	uint32_t command;
	uint32_t count;
	uint32_t depth; /* frames between the program's main loop and the function that allocates */
	uint32_t zero;
};

/* A return address, as the program's own unwinder (libgcc's) found it. */
struct loop_frame {
	uint64_t address;
	uint64_t offset; /* from where the file that it is in was mapped */
};

struct loop_answer {
	uint64_t ns; /* what the request took */
	uint64_t pairs;
	/* LOOP_CHAIN: where LOOP_FUNCTION lies, and the frames that called it, innermost first. */
	uint64_t function_start;
	uint64_t function_end;
	uint64_t n_frames;
	struct loop_frame frames[LOOP_FRAMES];
};

#endif
