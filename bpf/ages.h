/* SPDX-License-Identifier: GPL-2.0-or-later OR BSD-2-Clause */
/*
 * Ages at free, in bins of a quarter octave: the detector's lifetimes (trend/lifetimes.h), counted
 * where blocks die.
 *
 * Also included by a unit test, which compares the bins with the detector's.
 */
#ifndef SEEP_AGES_H
#define SEEP_AGES_H

#include "abi.h"

/* 2^(k/4) in units of 2^-31, rounded up: an age at the edge belongs to the higher bin. */
#define AGES_QUARTER_1 0x9837f052u
#define AGES_QUARTER_2 0xb504f334u
#define AGES_QUARTER_3 0xd744fccbu

/*
 * The bin of an age in units of 2^BLOCK_BIRTH_SHIFT ns. @scale: such a unit in ticks of the detector,
 * as a fraction of 2^32; 0: ages are not counted, all is in bin 0.
 */
static inline __attribute__((always_inline)) __u32 age_bin(__u32 age, __u32 scale)
{
	__u64 ticks = (__u64)age * scale;
	__u32 whole = ticks >> 32, octave = 31, mantissa, bin;

	if (!whole)
		return 0;
	for (__u32 step = 16; step; step /= 2) {
		if (!(whole >> (32 - step))) {
			whole <<= step;
			octave -= step;
		}
	}
	/* The leading one and the 31 bits behind it. */
	mantissa = ticks >> (octave + 1);
	bin = 4 * octave + (mantissa >= AGES_QUARTER_1) + (mantissa >= AGES_QUARTER_2) +
	      (mantissa >= AGES_QUARTER_3);
	return bin < AGE_BINS ? bin : AGE_BINS - 1;
}

#endif
