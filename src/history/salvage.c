// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * What can still be read of a damaged file.
 *
 * Each table is read from its beginning until a damaged page stops it, and then from its end towards
 * the beginning, so that one bad page costs what lies on it. What counts most comes first; all
 * of it has to be done in a limited time.
 */
#include "history/state.h"

#include <errno.h>
#include <stdio.h>

#include "base/cleanup.h"
#include "base/clock.h"

/* The daemon stands still meanwhile. */
#define SALVAGE_NS_MAX (5 * NS_PER_SECOND)

struct salvage {
	struct history *h;
	sqlite3 *old;
	uint64_t until_ns;
	uint64_t saved;
};

static void close_sqlite(sqlite3 **handle)
{
	(void)sqlite3_close(*handle);
}

static void finalize(sqlite3_stmt **s)
{
	(void)sqlite3_finalize(*s);
}

/* How to read a table; its key's columns, for the order. */
struct table {
	const char *name;
	const char *columns;
	const char *order, *reverse;
	const char *insert;
};

/* One whose name is lost must not become that of the next service that gets its number. */
#define OF_SERVICE " WHERE EXISTS (SELECT 1 FROM services WHERE id = ?2)"

static const struct table tables[] = {
	{ "meta", "name, value", "name", "name DESC",
	  "INSERT OR REPLACE INTO meta SELECT ?1, ?2 WHERE ?2 BETWEEN 0 AND 9007199254740991" },
	{ "services", "id, name", "id", "id DESC",
	  "INSERT OR IGNORE INTO services VALUES(?1, ?2)" },
	{ "profiles", "id, service, leak, site, saved, value", "id", "id DESC",
	  "INSERT OR IGNORE INTO profiles SELECT ?1, ?2, ?3, ?4, ?5, ?6" OF_SERVICE },
	{ "alerts", "number, id, is_open, changed, json", "number", "number DESC",
	  "INSERT OR IGNORE INTO alerts VALUES(?1, ?2, ?3, ?4, ?5)" },
	{ "events", "id, time, event, leak, uid, json", "id", "id DESC",
	  "INSERT OR IGNORE INTO events VALUES(?1, ?2, ?3, ?4, ?5, ?6)" },
	{ "snapshots", "number, name, taken, value", "number", "number DESC",
	  "INSERT OR IGNORE INTO snapshots VALUES(?1, ?2, ?3, ?4)" },
	{ "hours", "start, recorded, levels", "start", "start DESC",
	  "INSERT OR IGNORE INTO hours SELECT ?1, ?2, ?3"
	  " WHERE ?1 BETWEEN 0 AND 9007199254740991 AND ?1 % 3600000 = 0" },
	/* Their chunks are counted again as they come. */
	{ "series", "id, service, site, pid", "id", "id DESC",
	  "INSERT OR IGNORE INTO series SELECT ?1, ?2, ?3, ?4, 0,"
	  " 9223372036854775807, -9223372036854775808" OF_SERVICE },
	{ "chunks", "level, start, series, data", "level DESC, start DESC, series DESC",
	  "level, start, series",
	  "INSERT OR IGNORE INTO chunks SELECT ?1, ?2, ?3, ?4"
	  " WHERE ?1 BETWEEN 0 AND 2 AND ?2 BETWEEN 0 AND 9007199254740991 AND ?2 % 300000 = 0"
	  " AND EXISTS (SELECT 1 FROM series WHERE id = ?3)" },
};

/* Hours whose row is lost would hide their chunks; series without chunks would stay for ever. */
static const char complete[] =
	"INSERT INTO hours SELECT DISTINCT start - start % 3600000,"
	" (SELECT ifnull(max(value), 0) FROM meta WHERE name = 'recorded_ms'), 7"
	" FROM chunks WHERE true ON CONFLICT(start) DO UPDATE SET levels = 7;"
	"DELETE FROM series WHERE chunks = 0;";

/* Writable: else a file that is shorter than its header says is not read at all. */
static const char prepare_old[] = "PRAGMA trusted_schema = OFF; PRAGMA locking_mode = EXCLUSIVE;"
				  "PRAGMA writable_schema = ON";

static int copy_row(struct salvage *s, sqlite3_stmt *from, sqlite3_stmt *to)
{
	int n = sqlite3_column_count(from);
	int code;

	for (int i = 0; i < n; i++)
		sqlite3_bind_value(to, i + 1, sqlite3_column_value(from, i));
	code = sqlite3_step(to);
	sqlite3_reset(to);
	sqlite3_clear_bindings(to);
	/* A value that does not fit there is a damaged one. */
	if ((code & 0xff) == SQLITE_CONSTRAINT)
		return 0;
	if (code != SQLITE_DONE)
		return -EIO;
	s->saved += (uint64_t)sqlite3_changes(s->h->db.handle);
	return 0;
}

/* 1: to the end; 0: as far as it could be read. Negative: it cannot be written. */
static int copy_rows(struct salvage *s, const struct table *t, const char *order)
{
	_cleanup_(finalize) sqlite3_stmt *from = NULL, *to = NULL;
	char sql[256];
	int code, n, r;

	n = snprintf(sql, sizeof(sql), "SELECT %s FROM %s ORDER BY %s", t->columns, t->name, order);
	if (n < 0 || (size_t)n >= sizeof(sql))
		return -EINVAL;
	if (sqlite3_prepare_v2(s->old, sql, -1, &from, NULL) != SQLITE_OK)
		return 0;
	if (sqlite3_prepare_v2(s->h->db.handle, t->insert, -1, &to, NULL) != SQLITE_OK)
		return -EIO;
	while ((code = sqlite3_step(from)) == SQLITE_ROW) {
		r = copy_row(s, from, to);
		if (r < 0)
			return r;
		if (clock_ns(CLOCK_MONOTONIC) > s->until_ns)
			return 1;
	}
	return code == SQLITE_DONE;
}

/* A table each in a transaction of its own. */
static int copy_table(struct salvage *s, const struct table *t)
{
	int r;

	r = history_begin(s->h);
	if (r < 0)
		return r;
	r = copy_rows(s, t, t->order);
	if (r == 0)
		r = copy_rows(s, t, t->reverse);
	/* What has fitted stays, unless SQLite has undone it. */
	if (sqlite3_get_autocommit(s->h->db.handle))
		return -EIO;
	if (r >= 0)
		r = 0;
	return database_exec(&s->h->db, "COMMIT") < 0 ? -EIO : r;
}

uint64_t salvage(struct history *h, const char *damaged)
{
	_cleanup_(close_sqlite) sqlite3 *old = NULL;
	struct salvage s = { .h = h, .until_ns = clock_ns(CLOCK_MONOTONIC) + SALVAGE_NS_MAX };
	int r;

	r = sqlite3_open_v2(damaged, &old, SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX, NULL);
	if (r == SQLITE_OK)
		r = sqlite3_exec(old, prepare_old, NULL, NULL, NULL);
	if (r != SQLITE_OK)
		return 0;
	s.old = old;
	for (size_t i = 0; r == 0 && i < ARRAY_SIZE(tables); i++)
		r = copy_table(&s, &tables[i]);
	if (database_exec(&h->db, complete) < 0)
		database_rollback(&h->db);
	return s.saved;
}
