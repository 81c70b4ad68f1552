/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What all parts of the benchmark need: time, medians, an end with a message.
 */
#ifndef SEEP_BENCH_HARNESS_H
#define SEEP_BENCH_HARNESS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define MAX_ROUNDS 101

/* What the command line says. */
struct bench_options {
	const char *build;	/* folder of the programs */
	unsigned int rounds;	/* of each interleaved table, up to MAX_ROUNDS */
	uint32_t slice_ms;	/* of one measurement in a round */
	uint32_t burst_seconds; /* how long the default mode is pressed */
	uint32_t targets;	/* at once, of the table of scale */
};

/* Monotonic, in nanoseconds. */
uint64_t now_ns(void);

/* Waits for this long, in milliseconds. */
void wait_ms(unsigned int ms);

/* Ends the program: "bench: @what: " and the error that @r, a negative errno, stands for. */
void die(const char *what, int r) __attribute__((noreturn));

/* Ends the program with "bench: " and a message of the caller's. */
void die_of(const char *format, ...) __attribute__((noreturn, format(printf, 1, 2)));

/* The middle one of @n values, which it sorts; the higher of the two if @n is even. */
double median(double *values, size_t n);

#endif
