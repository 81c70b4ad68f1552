/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Random numbers that are the same on every machine: xorshift64* (Vigna 2016).
 *
 * Draw one number per statement: C leaves the order of two draws in one expression open.
 */
#ifndef SEEP_EVAL_RANDOM_H
#define SEEP_EVAL_RANDOM_H

#include <stdint.h>

struct random {
	uint64_t state;
};

/* A stream of its own for each pair. */
struct random random_stream(uint64_t seed, uint64_t stream);

double draw_unit(struct random *r); /* (0, 1) */
double draw_uniform(struct random *r, double low, double high);
double draw_log_uniform(struct random *r, double low, double high);
double draw_exponential(struct random *r); /* mean 1 */
double draw_normal(struct random *r);	   /* mean 0, deviation 1 */
int draw_poisson(struct random *r, double mean);
int draw_is(struct random *r, double probability);

#endif
