/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Points of several processes and levels to one sequence of at most so many. Pure.
 *
 * Of an hour that has points of several levels the coarsest decides, so that each moment counts
 * once for each process. The mean of a sum: processes of which each lived through half of an hour
 * count half each if they followed each other, and fully if they lived at the same time.
 */
#ifndef SEEP_HISTORY_COMBINE_H
#define SEEP_HISTORY_COMBINE_H

#include <stddef.h>
#include <stdint.h>

#include "history/chunk.h"
#include "history/history.h"

/* A point of one process as it was stored. */
struct reading {
	int64_t time_ms;
	int64_t series;
	int level;
	uint64_t covered;
	float value[CHUNK_VALUES];
	int64_t bucket; /* for combine_hour() */
};

struct readings {
	struct reading *list; /* owned */
	size_t n, room;
};

void readings_done(struct readings *r);
int readings_add(struct readings *r, const struct chunk *c, int level, int64_t start,
		 int64_t series); /* -ENOMEM */

struct combined_point {
	struct history_point point;
	double weight; /* how much of it was seen, ms */
};

struct combined {
	struct combined_point *list; /* owned; ascending */
	size_t n, room;
	size_t max;
	int64_t from_ms, to_ms;
	int64_t width; /* within which neighbours are averaged */
};

void combined_done(struct combined *c);

/* All readings that begin in the hour at @hour_ms; reorders them. -ENOMEM. */
int combine_hour(struct combined *c, struct reading *list, size_t n, int64_t hour_ms,
		 int64_t tick_ms);

#endif
