/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A stretch of a series: its points within one span of time, and how they are packed.
 *
 *	level	points every	a chunk spans	kept for
 *	0	tick		5 minutes	a day
 *	1	5 minutes	an hour		a week
 *	2	an hour		a day		a quarter
 *
 * A coarse point says which parts of its interval were seen, so that processes that followed each
 * other are not taken for two at a time. Pure.
 */
#ifndef SEEP_HISTORY_CHUNK_H
#define SEEP_HISTORY_CHUNK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define CHUNK_LEVELS 3

#define MINUTE_MS ((int64_t)60 * 1000)
#define HOUR_MS	  (60 * MINUTE_MS)
#define DAY_MS	  (24 * HOUR_MS)

/* Later times are refused, so that sums never overflow: the year 287396. */
#define TIME_MS_MAX (INT64_MAX / 1024)

struct chunk_level {
	int64_t width_ms; /* of a point; 0: a tick */
	int64_t span_ms;
	int64_t kept_ms;
};

extern const struct chunk_level chunk_levels[CHUNK_LEVELS];

enum chunk_value {
	CHUNK_LIVE_BYTES,
	CHUNK_LIVE_COUNT,
	CHUNK_RSS,
	CHUNK_LIMIT,
	CHUNK_VALUES
};

#define COVER_PARTS 60
#define COVER_ALL   ((UINT64_C(1) << COVER_PARTS) - 1)

struct sample {
	uint32_t at_ms;	  /* since the start of the chunk */
	uint32_t n;	  /* values in the mean so far; not packed */
	uint64_t covered; /* which sixtieths of the interval were seen */
	float value[CHUNK_VALUES];
};

/* 1 s ticks at most: 300 in 5 minutes. */
#define CHUNK_SAMPLES_MAX 300

struct chunk {
	struct sample *samples; /* owned; ascending by time */
	size_t n, room;
};

void chunk_done(struct chunk *c);

/*
 * Adds a sample at its place. One with the same time is averaged with what is there: by numbers of
 * values if both cover all, else by what they cover; so is one for which there is no room, with its
 * neighbour. -ENOMEM.
 */
int chunk_add(struct chunk *c, const struct sample *s);

/*
 * Adds to @coarse, of @level at @coarse_start, the means of @fine, of the level below at
 * @fine_start; @tick_ms is the width of points of level 0.
 */
int chunk_coarsen(struct chunk *coarse, int level, int64_t coarse_start, const struct chunk *fine,
		  int64_t fine_start, int64_t tick_ms);

/* Packed: the caller frees *ret. -ENOMEM. */
int chunk_pack(const struct chunk *c, int level, int64_t tick_ms, uint8_t **ret, size_t *ret_size);

/* Adds what is packed to @c. Not trusted: -EINVAL, and @c is as it was; -ENOMEM. */
int chunk_unpack(struct chunk *c, int level, const void *packed, size_t size);

int64_t chunk_width(int level, int64_t tick_ms);

/* The largest multiple of @step that is not over @t, also below 0. */
int64_t time_floor(int64_t t, int64_t step);

/* The parts of an interval of @width ms that a stretch of @length ms from @offset touches. */
uint64_t cover_of(int64_t offset, int64_t length, int64_t width);
/* The parts of an interval of @width ms that those of an inner one, of @inner ms at @offset, touch. */
uint64_t cover_of_parts(uint64_t covered, int64_t offset, int64_t inner, int64_t width);

#endif
