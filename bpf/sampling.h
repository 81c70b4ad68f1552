/* SPDX-License-Identifier: GPL-2.0-or-later OR BSD-2-Clause */
/*
 * The arithmetic of sampling by bytes, in whole numbers: BPF has no others.
 *
 * A Poisson process of rate 1/interval runs along the bytes that are asked for; a block is taken if
 * at least one of its points falls on it, which has the probability p = 1 - exp(-size/interval). A
 * block that is taken stands for 1/p blocks and size/p bytes (Horvitz and Thompson 1952), so sums
 * over what was taken are unbiased. Blocks of the interval's size and more are always taken and stand
 * for themselves.
 *
 * Also included by a unit test, which compares it with floating point.
 */
#ifndef SEEP_SAMPLING_H
#define SEEP_SAMPLING_H

#include "abi.h"

/*
 * What a block of @size bytes stands for beyond itself, in bytes:
 *
 *	size / (1 - exp(-x)) - size = interval * x / (exp(x) - 1)	with x = size / interval
 *
 * by the series 1 - x/2 + x^2/12 - x^4/720 + x^6/30240 - x^8/1209600 of that generating function of
 * Bernoulli's numbers; what is left out is below 3e-8 for x < 1. 0 < size < interval <= 2^30.
 */
static inline __attribute__((always_inline)) __u32 sampling_extra(__u64 size, __u32 interval)
{
	__u64 x = (size << 32) / interval;
	__u64 x2 = (x * x) >> 32;
	__u64 x4 = (x2 * x2) >> 32;
	__u64 x6 = (x4 * x2) >> 32;
	__u64 x8 = (x4 * x4) >> 32;
	__u64 f = (1ull << 32) - x / 2 + x2 / 12 - x4 / 720 + x6 / 30240 - x8 / 1209600;

	return (__u32)((f * interval + (1ull << 31)) >> 32);
}

/* Marsaglia's xorshift64* (2003), by Vigna: never 0 when it starts with another number. */
static inline __attribute__((always_inline)) __u32 sampling_random(__u64 *state)
{
	__u64 x = *state;

	x ^= x >> 12;
	x ^= x << 25;
	x ^= x >> 27;
	*state = x;
	return (__u32)((x * 0x2545f4914f6cdd1dull) >> 32);
}

/* log2_table[i] = log2(1 + i / 256), in units of 2^-24. */
#define SAMPLING_TABLE_BITS 8
#define SAMPLING_TABLE_SIZE ((1 << SAMPLING_TABLE_BITS) + 1)
#define SAMPLING_LN2	    11629080u /* ln 2 in units of 2^-24 */

/*
 * Bytes to the next point: -ln(u) * interval, u uniform in (0, 1) with 32 bits. The logarithm is
 * interpolated, which is at most 2.7e-6 too small.
 */
static inline __attribute__((always_inline)) __s64
sampling_distance(__u32 random, __u32 interval, const volatile __u32 *log2_table)
{
	__u32 u = random ? random : 1, exponent = 31;
	__u64 index, rest, log2, e;

	for (__u32 step = 16; step; step /= 2) {
		if (!(u >> (32 - step))) {
			u <<= step;
			exponent -= step;
		}
	}
	index = (u >> (31 - SAMPLING_TABLE_BITS)) & (SAMPLING_TABLE_SIZE - 2);
	rest = u & ((1u << (31 - SAMPLING_TABLE_BITS)) - 1);
	log2 = log2_table[index];
	log2 += ((log2_table[index + 1] - log2) * rest) >> (31 - SAMPLING_TABLE_BITS);
	e = (32ull << 24) - ((__u64)exponent << 24) - log2;
	/* 2^29 * 2^24 >> 24, then 2^29 * 2^30 >> 24 */
	return (__s64)((((e * SAMPLING_LN2) >> 24) * interval >> 24) + 1);
}

/* How many blocks more one that was taken stands for, in units of 2^-16. */
static inline __attribute__((always_inline)) __u64 sampling_extra_count(const struct block *b)
{
	return b->size ? ((__u64)b->extra << SAMPLING_COUNT_SHIFT) / b->size : 0;
}

/*
 * Its share in the variance of the sum of bytes, (size/p)^2 * (1 - p) = weight * (weight - size), in
 * units of 2^10 square bytes: weights are never below the interval, so that little is rounded away.
 */
static inline __attribute__((always_inline)) __u64 sampling_variance(const struct block *b)
{
	return ((b->size + b->extra) * b->extra) >> SAMPLING_VARIANCE_SHIFT;
}

#endif
