// SPDX-License-Identifier: GPL-2.0-or-later
/* Records and e-values. See records.h. */
#include "trend/records.h"

#define BET 0.9

double records_e_value(const double *values, size_t n)
{
	double most, e = 1;

	if (n == 0)
		return 1;
	most = values[0];
	for (size_t i = 1; i < n; i++) {
		double place = (double)i + 1;

		if (values[i] > most) {
			e *= BET * place;
			most = values[i];
		} else {
			e *= (1 - BET) * place / (place - 1);
		}
	}
	return e;
}

double records_of_floors(const struct floors *f)
{
	double values[RECORD_INTERVALS];
	uint32_t n = f->n < RECORD_INTERVALS ? f->n : RECORD_INTERVALS;

	for (uint32_t i = 0; i < n; i++) {
		uint32_t from = i * f->n / n, to = (i + 1) * f->n / n;

		values[i] = f->at[from].old_bytes;
		for (uint32_t k = from + 1; k < to; k++)
			if (f->at[k].old_bytes < values[i])
				values[i] = f->at[k].old_bytes;
	}
	return records_e_value(values, n);
}

size_t records_choose(const double *e_values_descending, size_t n, double alpha)
{
	for (size_t k = n; k > 0; k--)
		if (e_values_descending[k - 1] * alpha * (double)k >= (double)n)
			return k;
	return 0;
}
