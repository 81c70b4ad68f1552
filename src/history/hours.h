/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Which hours have points, on which levels, and how long ago they were recorded.
 *
 * Ages do not count in wall clock time: a clock that jumps ten years ahead would make all data old,
 * and one that jumped back would make it young for ever. They count in recorded time, which goes on
 * by the time between flushes, and by one tick where that makes no sense. The time in which nothing ran
 * makes nothing older.
 */
#ifndef SEEP_HISTORY_HOURS_H
#define SEEP_HISTORY_HOURS_H

#include <stddef.h>
#include <stdint.h>

struct hour {
	int64_t start;	  /* wall clock, a multiple of an hour */
	int64_t recorded; /* recorded time of its last point */
	uint8_t levels; /* bit per level: there may be chunks that begin in it (of level 2: in its day) */
};

struct hours {
	struct hour *list; /* owned; ascending by start */
	size_t n, room;
};

/* More than that are kept only by a clock that jumps about; the longest ago go first. */
#define HOURS_MAX 8192

void hours_done(struct hours *h);
/* The index of the first one at or after @start. */
size_t hours_from(const struct hours *h, int64_t start);
struct hour *hours_find(const struct hours *h, int64_t start);
/* The one, made if it is new. NULL: no memory. */
struct hour *hours_get(struct hours *h, int64_t start);
void hours_remove(struct hours *h, int64_t start);

#endif
