/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What blocks stand for that are seen in windows: as many as would have been seen all the time, at the
 * share of time that was watched when they were born. The governor changes that share all the time, by
 * tens of times within minutes; blocks of before do not become more or fewer by it.
 *
 * Pure. Bounded: of long ago, neighbouring stretches of time share a mean.
 */
#ifndef SEEP_DETECT_WEIGHTS_H
#define SEEP_DETECT_WEIGHTS_H

#include <stddef.h>
#include <stdint.h>

#define WEIGHT_RUNS 128

struct weights {
	struct weight_run {
		uint32_t from; /* tick, up to the next run's */
		float factor;
	} runs[WEIGHT_RUNS];
	size_t n;
};

/* For births from tick @from on, not before earlier ones. Changes of a tenth make no difference. */
void weights_add(struct weights *w, uint32_t from, double factor);
/* Of a birth at @tick; 1 while nothing was added. */
double weights_at(const struct weights *w, uint32_t tick);

#endif
