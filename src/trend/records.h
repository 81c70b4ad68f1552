/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * How surprising new records are, and a choice among many sites.
 *
 * Over n values, multiply by q * i whenever value i (from the second on) is a strict new maximum,
 * else by (1 - q) * i / (i - 1). If the values are exchangeable, which is to say without trend,
 * the i-th is a record with a probability of at most 1 / i (Renyi 1962), so the product has a
 * mean of at most 1: an e-value. It exceeds 1 / a with a probability of at most a.
 *
 * The bound is nominal: it holds for series without a trend, and a cache that fills has one. It
 * ranks alerts that come together; it promises no rate of false ones.
 */
#ifndef SEEP_TREND_RECORDS_H
#define SEEP_TREND_RECORDS_H

#include <stddef.h>

#include "trend/floors.h"

#define RECORD_INTERVALS 16

/* The e-value of n values in the order of time; q = 0.9. 1 for fewer than two. */
double records_e_value(const double *values, size_t n);

/* The same for the floor of old bytes, over (at most) 16 equal intervals of a life. */
double records_of_floors(const struct floors *f);

/*
 * e-BH (Wang and Ramdas 2022): of n e-values, sorted descending, the first k stand at level alpha,
 * with the largest k for which e[k] >= n / (alpha * k). Returns k.
 */
size_t records_choose(const double *e_values_descending, size_t n, double alpha);

#endif
