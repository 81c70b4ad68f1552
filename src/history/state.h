/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the files of this folder share: the open history and its parts.
 *
 * Nothing is written when it is added. Records wait in a queue and points in the chunks they belong
 * to, in memory, until a commit takes all of them; if that fails they go on waiting, within bounds.
 */
#ifndef SEEP_HISTORY_STATE_H
#define SEEP_HISTORY_STATE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "history/chunk.h"
#include "history/database.h"
#include "history/history.h"
#include "history/hours.h"
#include "history/queue.h"

struct open_chunk;

struct history {
	char *path;    /* owned */
	char *unsaved; /* owned: a damaged file, until there is room for what can be read of it */
	struct history_options options; /* without the path */
	int64_t tick_ms;		/* width of the finest points */
	int lock;			/* owned */
	struct database db;
	struct hours hours;
	struct queue queue;
	struct open_chunk *open; /* owned; a uthash table */
	size_t n_samples;	 /* in open chunks */
	uint64_t commits;	 /* tries, to tell how long a chunk was not touched */
	uint64_t full_at;	 /* the try after which there was no room in memory */
	uint64_t generation;	 /* of series ids: those of an earlier one may be gone */
	int64_t clock_ms;	 /* how long was recorded in all; see hours.h */
	uint64_t last_now_ms;
	double keep_ratio; /* of how long levels are kept, 1 unless there is too little room */
	uint64_t lost;
	int last_error;
	bool is_logged;	  /* the present failure */
	unsigned repairs; /* since the last flush began */
	bool is_on_trial; /* no commit since a repair */
};

/* --- history.c --------------------------------------------------------------------------------- */

/* Writes all that waits. Failures are counted by history_flush() only. */
int history_commit(struct history *h);
/*
 * After -EUCLEAN: moves the file aside, begins a new one and saves into it what can be read of the
 * old one. -EUCLEAN when that was done already since the last flush; else why it failed.
 */
int history_repair(struct history *h);
int history_begin(struct history *h);
int history_end(struct history *h, int r); /* commits, or undoes if r < 0 or the commit fails */
/* The id of a service, made if it is new. In a transaction. */
int history_service_id(struct history *h, const char *service, int64_t *ret);
/* -EINVAL: empty or too long. */
int history_check_service(const char *service);

/* --- series.c ---------------------------------------------------------------------------------- */

bool series_has_unsaved(const struct history *h);
/* Any that start within these times. */
bool series_has_unsaved_in(const struct history *h, int64_t from_ms, int64_t to_ms);
int series_write(struct history *h); /* in a transaction */
/* After the commit, and when they are no longer what is stored. */
void series_saved(struct history *h);
void series_forget_in(struct history *h, int64_t from_ms, int64_t to_ms);
/* All. Returns how many points were not saved. */
uint64_t series_done(struct history *h);
/* Has all written again: what was stored may be gone. */
void series_distrust(struct history *h);

/* --- stored chunks, stored.c ------------------------------------------------------------------- */

struct chunk_id {
	int level;
	int64_t start;
	int64_t series;
};

/* Adds what is stored to *c; what cannot be read is left out. */
int stored_get(struct history *h, const struct chunk_id *id, struct chunk *c);
/* Tells hours, too. */
int stored_put(struct history *h, const struct chunk_id *id, const struct chunk *c);
int stored_drop(struct history *h, const struct chunk_id *id);

int stored_load_hours(struct history *h);
int stored_put_hour(struct history *h, const struct hour *hour);
int stored_drop_hour(struct history *h, int64_t start);

/* --- compact.c --------------------------------------------------------------------------------- */

/* Some of what is due: coarser points for what has aged, less for what is too much. */
int compact(struct history *h);

/* --- salvage.c --------------------------------------------------------------------------------- */

/* What can still be read of a damaged file, and written, goes into the open one. How many rows. */
uint64_t salvage(struct history *h, const char *damaged);

#endif
