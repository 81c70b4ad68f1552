// SPDX-License-Identifier: GPL-2.0-or-later
/* Chunks in the database. See state.h. */
#include "history/state.h"

#include <errno.h>
#include <stdio.h>

#include "base/cleanup.h"
#include "base/log.h"

/* How stale an hour's record time may get, to spare writes. */
#define RECORDED_STEP_MS MINUTE_MS

static void bind_id(sqlite3_stmt *s, const struct chunk_id *id)
{
	sqlite3_bind_int(s, 1, id->level);
	sqlite3_bind_int64(s, 2, id->start);
	sqlite3_bind_int64(s, 3, id->series);
}

int stored_get(struct history *h, const struct chunk_id *id, struct chunk *c)
{
	sqlite3_stmt *s = database_statement(&h->db, CHUNK_GET);
	int r;

	bind_id(s, id);
	r = database_step(&h->db, s);
	if (r <= 0)
		return r;
	r = chunk_unpack(c, id->level, sqlite3_column_blob(s, 0),
			 (size_t)sqlite3_column_bytes(s, 0));
	sqlite3_reset(s);
	if (r != -EINVAL)
		return r;
	log_debug("history: a chunk of series %lld at %lld cannot be read, ignoring",
		  (long long)id->series, (long long)id->start);
	return 0;
}

int stored_put_hour(struct history *h, const struct hour *hour)
{
	sqlite3_stmt *s = database_statement(&h->db, HOUR_PUT);

	sqlite3_bind_int64(s, 1, hour->start);
	sqlite3_bind_int64(s, 2, hour->recorded);
	sqlite3_bind_int(s, 3, hour->levels);
	return database_run(&h->db, s);
}

/* A coarse chunk is no news of its hours: only ticks are. */
static int touch_hour(struct history *h, const struct chunk_id *id)
{
	struct hour *hour = hours_get(&h->hours, time_floor(id->start, HOUR_MS));
	uint8_t bit = (uint8_t)(1 << id->level);

	if (!hour)
		return -ENOMEM;
	if (hour->levels & bit &&
	    (id->level > 0 || h->clock_ms - hour->recorded < RECORDED_STEP_MS))
		return 0;
	if (id->level == 0)
		hour->recorded = h->clock_ms;
	hour->levels |= bit;
	return stored_put_hour(h, hour);
}

int stored_drop_hour(struct history *h, int64_t start)
{
	sqlite3_stmt *s = database_statement(&h->db, HOUR_DROP);

	hours_remove(&h->hours, start);
	sqlite3_bind_int64(s, 1, start);
	return database_run(&h->db, s);
}

static int load_hour(struct history *h, sqlite3_stmt *row)
{
	int64_t start = sqlite3_column_int64(row, 0);
	int64_t recorded = sqlite3_column_int64(row, 1);
	struct hour *hour;

	if (start < 0 || start > TIME_MS_MAX || start % HOUR_MS != 0) {
		(void)snprintf(h->db.why, sizeof(h->db.why), "an hour begins at %lld",
			       (long long)start);
		return -EUCLEAN;
	}
	hour = hours_get(&h->hours, start);
	if (!hour)
		return -ENOMEM;
	if (recorded < 0)
		recorded = 0;
	hour->recorded = recorded < h->clock_ms ? recorded : h->clock_ms;
	hour->levels = (uint8_t)(sqlite3_column_int(row, 2) & 7);
	return 0;
}

int stored_load_hours(struct history *h)
{
	sqlite3_stmt *s = database_statement(&h->db, HOUR_ALL);
	int r;

	hours_done(&h->hours);
	while ((r = database_step(&h->db, s)) > 0) {
		r = load_hour(h, s);
		if (r < 0) {
			sqlite3_reset(s);
			break;
		}
	}
	return r;
}

int stored_put(struct history *h, const struct chunk_id *id, const struct chunk *c)
{
	sqlite3_stmt *s = database_statement(&h->db, CHUNK_PUT);
	_cleanup_free_ uint8_t *packed = NULL;
	size_t size;
	int r;

	r = chunk_pack(c, id->level, h->tick_ms, &packed, &size);
	if (r < 0)
		return r;
	bind_id(s, id);
	sqlite3_bind_blob64(s, 4, packed, size, SQLITE_STATIC);
	r = database_run(&h->db, s);
	return r < 0 ? r : touch_hour(h, id);
}

int stored_drop(struct history *h, const struct chunk_id *id)
{
	sqlite3_stmt *s = database_statement(&h->db, CHUNK_DROP);

	bind_id(s, id);
	return database_run(&h->db, s);
}
