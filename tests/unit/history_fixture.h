/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A history in a folder of its own, for the tests of src/history.
 */
#ifndef SEEP_TESTS_HISTORY_FIXTURE_H
#define SEEP_TESTS_HISTORY_FIXTURE_H

#include <fcntl.h>
#include <ftw.h>
#include <math.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/log.h"
#include "history/history.h"

#define SECOND_MS ((uint64_t)1000)
#define MINUTE	  (60 * SECOND_MS)
#define HOUR	  (60 * MINUTE)
#define DAY	  (24 * HOUR)
/* A day's start, 2026-01-05. */
#define T0	  ((uint64_t)1767571200000)

struct fixture {
	char folder[64];
	char path[96];
	struct history *h;
	struct history_notice notice;
	struct history_options options;
};

static inline int fixture_remove_one(const char *path, const struct stat *st, int type,
				     struct FTW *ftw)
{
	(void)st;
	(void)type;
	(void)ftw;
	return remove(path);
}

/* cmocka setup: an empty folder. */
static inline int fixture_new(void **state)
{
	struct fixture *f = calloc(1, sizeof(*f));

	if (!f)
		return -1;
	if (!getenv("SEEP_TEST_LOG"))
		log_set_level(LOG_EMERG);
	strcpy(f->folder, "/tmp/seep-history-XXXXXX");
	if (!mkdtemp(f->folder))
		return -1;
	snprintf(f->path, sizeof(f->path), "%s/history.db", f->folder);
	f->options = (struct history_options){ .path = f->path };
	*state = f;
	return 0;
}

static inline void fixture_forget_notice(struct fixture *f)
{
	free(f->notice.moved_to);
	free(f->notice.why);
	f->notice = (struct history_notice){ 0 };
}

static inline void fixture_close(struct fixture *f)
{
	f->h = history_free(f->h);
}

static inline int fixture_free(void **state)
{
	struct fixture *f = *state;

	fixture_close(f);
	fixture_forget_notice(f);
	if (nftw(f->folder, fixture_remove_one, 16, FTW_DEPTH | FTW_PHYS) < 0)
		return -1;
	free(f);
	return 0;
}

static inline int fixture_try_open(struct fixture *f)
{
	fixture_close(f);
	fixture_forget_notice(f);
	return history_open(&f->options, &f->h, &f->notice);
}

/* Closes what is open, first. */
static inline void fixture_open(struct fixture *f)
{
	assert_int_equal(fixture_try_open(f), 0);
}

/* One number out of the closed database. */
static inline int64_t fixture_query(const struct fixture *f, const char *sql)
{
	sqlite3_stmt *s = NULL;
	sqlite3 *db = NULL;
	int64_t value;

	assert_int_equal(sqlite3_open(f->path, &db), SQLITE_OK);
	assert_int_equal(sqlite3_prepare_v2(db, sql, -1, &s, NULL), SQLITE_OK);
	assert_int_equal(sqlite3_step(s), SQLITE_ROW);
	value = sqlite3_column_int64(s, 0);
	sqlite3_finalize(s);
	sqlite3_close(db);
	return value;
}

static inline void fixture_exec(const struct fixture *f, const char *sql)
{
	sqlite3 *db = NULL;

	assert_int_equal(sqlite3_open(f->path, &db), SQLITE_OK);
	assert_int_equal(sqlite3_exec(db, sql, NULL, NULL, NULL), SQLITE_OK);
	sqlite3_close(db);
}

static inline int fixture_add(struct fixture *f, const char *service, uint64_t site, int64_t pid,
			      uint64_t time_ms, double bytes)
{
	const struct history_key key = { service, site, pid };
	const struct history_point point = { time_ms, bytes, bytes / 8, 0, 0 };

	return history_add_point(f->h, &key, &point);
}

/* What there is between the two times; the caller frees. */
static inline size_t fixture_read(struct fixture *f, const char *service, uint64_t site,
				  int64_t pid, uint64_t from, uint64_t to, size_t max,
				  struct history_point **ret)
{
	const struct history_key key = { service, site, pid };
	size_t n = 0;

	assert_int_equal(history_read(f->h, &key, from, to, max, ret, &n), 0);
	for (size_t i = 1; i < n; i++)
		assert_true((*ret)[i - 1].time_ms < (*ret)[i].time_ms);
	return n;
}

#define assert_near(a, b, tolerance) assert_true(fabs((double)(a) - (double)(b)) <= (tolerance))

#endif
