/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Totals of a site whose blocks were all taken. */
#ifndef SEEP_TESTS_TOTALS_H
#define SEEP_TESTS_TOTALS_H

#include "heap/heap.h"

#define TOTALS(bytes, count, freed, freed_n)                                                    \
	{                                                                                       \
		.allocated_bytes = (bytes), .allocated_count = (count), .freed_bytes = (freed), \
		.freed_count = (freed_n)                                                        \
	}

static inline struct totals totals_of(uint64_t bytes, uint64_t count, uint64_t freed,
				      uint64_t freed_n)
{
	return (struct totals)TOTALS(bytes, count, freed, freed_n);
}

#endif
