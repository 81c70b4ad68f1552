/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The SQLite file: who may have it, its layout, its statements, and what its errors mean.
 *
 * -EUCLEAN, from any function here, means that the file is damaged: close it, move it aside, open a
 * new one.
 */
#ifndef SEEP_HISTORY_DATABASE_H
#define SEEP_HISTORY_DATABASE_H

#include <sqlite3.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum statement {
	META_GET,
	META_PUT,
	SERVICE_ADD,
	SERVICE_FIND,
	PROFILE_PUT,
	PROFILE_TRIM,
	PROFILE_BY_LEAK,
	PROFILE_BY_SITE,
	ALERT_PUT,
	ALERT_FORGET,
	ALERT_NEXT,
	EVENT_PUT,
	EVENT_TRIM,
	EVENT_LAST,
	EVENT_NEXT,
	SNAPSHOT_PUT,
	SNAPSHOT_DROP,
	SNAPSHOT_NEXT,
	SERIES_ADD,
	SERIES_FIND,
	SERIES_OF_SITE,
	CHUNK_GET,
	CHUNK_PUT,
	CHUNK_DROP,
	CHUNK_OWNERS,
	CHUNK_DROP_SOME,
	HOUR_ALL,
	HOUR_PUT,
	HOUR_DROP,
	STATEMENTS
};

struct database {
	sqlite3 *handle; /* owned; NULL: closed */
	sqlite3_stmt *statements[STATEMENTS];
	uint64_t pages_max;	/* the file does not grow over this, */
	uint64_t pages_reserve; /* except by this, while room is made */
	char why[160];		/* of the last failure, in SQLite's words */
};

/*
 * Takes what belongs to @path for this process: -EBUSY if another one has it. Returns a descriptor
 * that holds the lock. -EACCES, -ENOENT, -EROFS, -ENOSPC, ...
 */
int database_lock(const char *path);

/*
 * Looks at the file without SQLite, and changes nothing. 1: there is none, or it is empty; 0: it looks
 * like ours; -EPROTO: of a later version, or another program's database; -EUCLEAN: neither;
 * -EISDIR, -ELOOP (a symbolic link), -ENXIO (no file at all), -EACCES, ...
 */
int database_inspect(const char *path);

/* Opens it, creating what is missing, for at most @max_bytes with its log. @d is zeroed before. */
int database_open(struct database *d, const char *path, uint64_t max_bytes);
void database_close(struct database *d);

/*
 * Renames the file and its log to PATH.damaged, or the first free of PATH.damaged.2 and .3; the last of
 * these is replaced. *ret is the caller's.
 */
int database_move_aside(const char *path, char **ret);

/* A statement with nothing bound. NULL, with which all of these fail, if the database is closed. */
sqlite3_stmt *database_statement(struct database *d, enum statement which);
/* 1: there is a row; 0: no more. Rewinds at the end and on failure. */
int database_step(struct database *d, sqlite3_stmt *s);
/* For statements without rows. */
int database_run(struct database *d, sqlite3_stmt *s);
int database_exec(struct database *d, const char *sql);
/* One number of a pragma. */
int database_pragma(struct database *d, const char *sql, int64_t *ret);

/* How far the file may grow from now on. */
int database_limit(struct database *d, bool with_reserve);

/* Undoes the open transaction, if there is one. */
void database_rollback(struct database *d);

/* Pages that hold something. */
int database_used_pages(struct database *d, uint64_t *ret);

#endif
