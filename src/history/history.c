// SPDX-License-Identifier: GPL-2.0-or-later
/* Opening, committing and closing the history, and what happens when that fails. See history.h. */
#include "history/state.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/clock.h"
#include "base/log.h"

#define DEFAULT_BYTES	((uint64_t)256 << 20)
#define BYTES_MIN	((uint64_t)1 << 20)
#define DEFAULT_TICK_MS 10000
#define TICK_MS_MIN	1000

/* Time between flushes that can be believed. */
#define STEP_MS_MAX ((uint64_t)(10 * MINUTE_MS))

#define CLOCK_NAME "recorded_ms"

static int load(struct history *h)
{
	sqlite3_stmt *s = database_statement(&h->db, META_GET);
	int64_t stored = 0;
	int r;

	sqlite3_bind_text(s, 1, CLOCK_NAME, -1, SQLITE_STATIC);
	r = database_step(&h->db, s);
	if (r > 0)
		stored = sqlite3_column_int64(s, 0);
	sqlite3_reset(s);
	if (r < 0)
		return r;
	if (stored < 0 || stored > TIME_MS_MAX) {
		(void)snprintf(h->db.why, sizeof(h->db.why), "it recorded for %lld ms",
			       (long long)stored);
		return -EUCLEAN;
	}
	if (stored > h->clock_ms)
		h->clock_ms = stored;
	return stored_load_hours(h);
}

/* As it is on disk; -EUCLEAN if it is damaged. */
static int open_database(struct history *h, bool *ret_is_new)
{
	int r;

	r = database_inspect(h->path);
	if (r == -EUCLEAN)
		(void)snprintf(h->db.why, sizeof(h->db.why), "it does not begin like a database");
	if (r < 0)
		return r;
	*ret_is_new = r > 0;
	h->generation++;
	r = database_open(&h->db, h->path, h->options.max_bytes);
	if (r == 0)
		r = load(h);
	if (r < 0)
		database_close(&h->db);
	return r;
}

/*
 * Moves the damaged file aside and begins a new one. *ret: where it is, also on later failures. If
 * what was saved was no good, nothing is saved the next time.
 */
static int replace_database(struct history *h, char **ret, uint64_t *ret_saved)
{
	bool is_new;
	int r;

	database_close(&h->db);
	hours_done(&h->hours);
	r = database_move_aside(h->path, ret);
	if (r < 0)
		return r;
	r = open_database(h, &is_new);
	if (r < 0) {
		free(h->unsaved);
		h->unsaved = h->is_on_trial ? NULL : strdup(*ret);
		return r;
	}
	if (!h->is_on_trial)
		*ret_saved = salvage(h, *ret);
	h->is_on_trial = true;
	return load(h);
}

static int open_or_replace(struct history *h, struct history_notice *ret)
{
	uint64_t saved = 0;
	int r;

	r = open_database(h, &ret->is_new);
	if (r != -EUCLEAN)
		return r;
	ret->is_new = true;
	ret->why = strdup(h->db.why);
	return replace_database(h, &ret->moved_to, &saved);
}

/* Tells the first failure of several, and that it works again. */
static void tell(struct history *h, int r)
{
	if (r < 0 && !h->is_logged)
		(void)log_warning_errno(r, "history: failed to write to %s, trying again", h->path);
	if (r == 0 && h->is_logged)
		log_info("history: writing to %s works again; %llu records are lost", h->path,
			 (unsigned long long)h->lost);
	h->is_logged = r < 0;
	h->last_error = r;
}

static struct history *history_new(const struct history_options *options)
{
	_cleanup_(history_freep) struct history *h = calloc(1, sizeof(*h));

	if (!h)
		return NULL;
	queue_init(&h->queue);
	h->lock = -EBADF;
	h->keep_ratio = 1;
	h->options = *options;
	h->options.path = NULL;
	if (h->options.max_bytes == 0)
		h->options.max_bytes = DEFAULT_BYTES;
	if (h->options.max_bytes < BYTES_MIN)
		h->options.max_bytes = BYTES_MIN;
	h->tick_ms = (int64_t)(options->tick_ns / (NS_PER_SECOND / 1000));
	if (h->tick_ms == 0)
		h->tick_ms = DEFAULT_TICK_MS;
	if (h->tick_ms < TICK_MS_MIN)
		h->tick_ms = TICK_MS_MIN;
	if (h->tick_ms > chunk_levels[0].span_ms)
		h->tick_ms = chunk_levels[0].span_ms;
	h->path = strdup(options->path);
	return h->path ? TAKE_PTR(h) : NULL;
}

int history_open(const struct history_options *options, struct history **ret,
		 struct history_notice *ret_notice)
{
	_cleanup_(history_freep) struct history *h = history_new(options);
	struct history_notice notice = { 0 };
	int r;

	if (!h)
		return -ENOMEM;
	h->lock = database_lock(h->path);
	if (h->lock < 0)
		return h->lock;
	r = open_or_replace(h, &notice);
	if (r == -ENOSPC && notice.is_new) {
		notice.is_waiting = true;
		tell(h, r);
		r = 0;
	}
	if (r < 0) {
		free(notice.moved_to);
		free(notice.why);
		return r;
	}
	*ret = TAKE_PTR(h);
	*ret_notice = notice;
	return 0;
}

struct history *history_free(struct history *h)
{
	if (!h)
		return NULL;
	/* (Whoever has no lock has nothing.) */
	if (h->queue.first || series_has_unsaved(h)) {
		int r = history_commit(h);

		if (r < 0)
			(void)log_warning_errno(r, "history: failed to write the last of it to %s",
						h->path);
	}
	database_close(&h->db);
	(void)queue_clear(&h->queue);
	(void)series_done(h);
	hours_done(&h->hours);
	/* Last, for it keeps others from the file. */
	h->lock = close_fd(h->lock);
	free(h->unsaved);
	free(h->path);
	free(h);
	return NULL;
}

int history_repair(struct history *h)
{
	_cleanup_free_ char *moved_to = NULL;
	char why[sizeof(h->db.why)];
	uint64_t saved = 0;
	int r;

	if (h->repairs > 0)
		return -EUCLEAN;
	h->repairs++;
	memcpy(why, h->db.why, sizeof(why));
	r = replace_database(h, &moved_to, &saved);
	if (r < 0)
		return log_error_errno(r,
				       "history: %s is damaged (%s), and a new one cannot be begun",
				       h->path, why);
	series_distrust(h);
	log_error("history: %s is damaged (%s): it is now %s; %llu records of it were saved into a "
		  "new one",
		  h->path, why, moved_to, (unsigned long long)saved);
	return 0;
}

int history_begin(struct history *h)
{
	return database_exec(&h->db, "BEGIN IMMEDIATE");
}

int history_end(struct history *h, int r)
{
	if (r == 0)
		r = database_exec(&h->db, "COMMIT");
	if (r == 0)
		return 0;
	database_rollback(&h->db);
	/* What was found or changed in this transaction is not so. */
	h->generation++;
	if (r != -EUCLEAN) {
		int q = stored_load_hours(h);

		r = q == -EUCLEAN ? q : r;
	}
	return r;
}

int history_service_id(struct history *h, const char *service, int64_t *ret)
{
	sqlite3_stmt *s = database_statement(&h->db, SERVICE_FIND);
	int r;

	sqlite3_bind_text(s, 1, service, -1, SQLITE_STATIC);
	r = database_step(&h->db, s);
	if (r > 0) {
		*ret = sqlite3_column_int64(s, 0);
		sqlite3_reset(s);
		return 0;
	}
	if (r < 0)
		return r;
	s = database_statement(&h->db, SERVICE_ADD);
	sqlite3_bind_text(s, 1, service, -1, SQLITE_STATIC);
	r = database_run(&h->db, s);
	if (r == 0)
		*ret = sqlite3_last_insert_rowid(h->db.handle);
	return r;
}

static int write_clock(struct history *h)
{
	sqlite3_stmt *s = database_statement(&h->db, META_PUT);

	sqlite3_bind_text(s, 1, CLOCK_NAME, -1, SQLITE_STATIC);
	sqlite3_bind_int64(s, 2, h->clock_ms);
	return database_run(&h->db, s);
}

static int write_all(struct history *h)
{
	int r;

	r = history_begin(h);
	if (r < 0)
		return r;
	r = queue_write(h);
	if (r == 0)
		r = series_write(h);
	if (r == 0)
		r = write_clock(h);
	return history_end(h, r);
}

/* After a start or a repair that failed, e.g. since the disk was full. */
static int reopen(struct history *h)
{
	uint64_t saved;
	bool is_new;
	int r;

	if (h->db.handle)
		return 0;
	r = open_database(h, &is_new);
	if (r < 0)
		return r;
	series_distrust(h);
	if (!h->unsaved)
		return 0;
	h->is_on_trial = true;
	saved = salvage(h, h->unsaved);
	log_info("history: %llu records of %s were saved", (unsigned long long)saved, h->unsaved);
	free(h->unsaved);
	h->unsaved = NULL;
	return load(h);
}

int history_commit(struct history *h)
{
	int r;

	r = reopen(h);
	if (r == 0) {
		if (!h->queue.first && !series_has_unsaved(h))
			return 0;
		h->commits++;
		r = write_all(h);
	}
	if (r == -EUCLEAN) {
		r = history_repair(h);
		if (r == 0)
			r = write_all(h);
	}
	if (r < 0)
		return r;
	h->is_on_trial = false;
	(void)queue_clear(&h->queue);
	series_saved(h);
	return 0;
}

int history_flush(struct history *h, uint64_t now_ms)
{
	uint64_t step = now_ms - h->last_now_ms;
	int r, q = 0;

	h->clock_ms += now_ms >= h->last_now_ms && step <= STEP_MS_MAX ? (int64_t)step : h->tick_ms;
	h->last_now_ms = now_ms;
	h->repairs = 0;
	r = history_commit(h);
	/* A file that has reached its size gets room again by what is dropped. */
	if (h->db.handle && (r == 0 || r == -ENOSPC))
		q = compact(h);
	if (q == -EUCLEAN)
		q = history_repair(h);
	r = r < 0 ? r : q;
	tell(h, r);
	return r;
}

int history_sync(struct history *h)
{
	int r;

	h->repairs = 0;
	r = history_commit(h);
	tell(h, r);
	return r;
}

static uint64_t size_of(const char *path)
{
	struct stat st;

	return stat(path, &st) == 0 ? (uint64_t)st.st_size : 0;
}

void history_get_stats(const struct history *h, struct history_stats *ret)
{
	_cleanup_free_ char *log = NULL;

	*ret = (struct history_stats){
		.bytes = size_of(h->path),
		.lost_records = h->lost,
		.last_error = h->last_error,
	};
	if (asprintf(&log, "%s-wal", h->path) < 0) {
		log = NULL;
		return;
	}
	ret->bytes += size_of(log);
}
