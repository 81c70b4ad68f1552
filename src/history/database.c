// SPDX-License-Identifier: GPL-2.0-or-later
/* The SQLite file. See database.h. */
#include "history/database.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>

#include "base/cleanup.h"
#include "history/schema.h"

#define HEADER_BYTES   100
#define HEADER_MAGIC   "SQLite format 3"
#define HEADER_PAGES   28
#define HEADER_VERSION 60
#define HEADER_WHOSE   68

static int errno_of_system(int system, int otherwise)
{
	return system > 0 ? -system : otherwise;
}

/* What a result code of SQLite means. */
static int errno_of(sqlite3 *handle, int code)
{
	switch (code & 0xff) {
	case SQLITE_OK:
	case SQLITE_DONE:
		return 0;
	case SQLITE_CORRUPT:
	case SQLITE_NOTADB:
		return -EUCLEAN;
	/* The statements are ours and fit the layout, unless this is not the layout. */
	case SQLITE_ERROR:
	case SQLITE_SCHEMA:
	case SQLITE_MISMATCH:
	case SQLITE_CONSTRAINT:
		return -EUCLEAN;
	case SQLITE_FULL:
		return -ENOSPC;
	case SQLITE_BUSY:
	case SQLITE_LOCKED:
		return -EBUSY;
	case SQLITE_READONLY:
		return -EROFS;
	case SQLITE_NOMEM:
		return -ENOMEM;
	case SQLITE_TOOBIG:
		return -E2BIG;
	case SQLITE_PERM:
	case SQLITE_AUTH:
		return -EACCES;
	case SQLITE_CANTOPEN:
	case SQLITE_IOERR:
		return errno_of_system(handle ? sqlite3_system_errno(handle) : 0, -EIO);
	default:
		return -EIO;
	}
}

static int failed(struct database *d, int code)
{
	int r = errno_of(d->handle, code);

	if (r < 0)
		(void)snprintf(d->why, sizeof(d->why), "%s",
			       d->handle ? sqlite3_errmsg(d->handle) : sqlite3_errstr(code));
	return r;
}

int database_lock(const char *path)
{
	_cleanup_free_ char *name = NULL;
	_cleanup_close_ int fd = -EBADF;

	if (asprintf(&name, "%s.lock", path) < 0) {
		name = NULL;
		return -ENOMEM;
	}
	fd = open(name, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (fd < 0)
		return -errno;
	if (flock(fd, LOCK_EX | LOCK_NB) < 0)
		return errno == EWOULDBLOCK ? -EBUSY : -errno;
	return TAKE_FD(fd);
}

static uint32_t big_endian(const uint8_t *p)
{
	return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3];
}

static int inspect_header(const uint8_t *header, size_t n)
{
	uint32_t version;

	if (n < HEADER_BYTES || memcmp(header, HEADER_MAGIC, sizeof(HEADER_MAGIC)) != 0)
		return -EUCLEAN;
	version = big_endian(header + HEADER_VERSION);
	/* Nothing in it so far: whoever made it was stopped, and the rest may be in the log. */
	if (big_endian(header + HEADER_WHOSE) == 0 && version == 0 &&
	    big_endian(header + HEADER_PAGES) <= 1)
		return 0;
	if (big_endian(header + HEADER_WHOSE) != SCHEMA_APPLICATION)
		return -EPROTO;
	if (version > SCHEMA_VERSION)
		return -EPROTO;
	return version == SCHEMA_VERSION ? 0 : -EUCLEAN;
}

int database_inspect(const char *path)
{
	_cleanup_close_ int fd = -EBADF;
	uint8_t header[HEADER_BYTES];
	struct stat st;
	ssize_t n;

	/* Not blocking: it might be a pipe. */
	fd = open(path, O_RDWR | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
	if (fd < 0)
		return errno == ENOENT ? 1 : -errno;
	if (fstat(fd, &st) < 0)
		return -errno;
	if (!S_ISREG(st.st_mode))
		return -ENXIO;
	n = pread(fd, header, sizeof(header), 0);
	if (n < 0)
		return -errno;
	return n == 0 ? 1 : inspect_header(header, (size_t)n);
}

sqlite3_stmt *database_statement(struct database *d, enum statement which)
{
	sqlite3_stmt *s = d->statements[which];

	sqlite3_reset(s);
	/* Unlike all else, this does not take NULL. */
	if (s)
		sqlite3_clear_bindings(s);
	return s;
}

int database_step(struct database *d, sqlite3_stmt *s)
{
	int code = sqlite3_step(s);
	int r;

	if (code == SQLITE_ROW)
		return 1;
	r = failed(d, code);
	sqlite3_reset(s);
	return r;
}

int database_run(struct database *d, sqlite3_stmt *s)
{
	int r = database_step(d, s);

	sqlite3_reset(s);
	return r < 0 ? r : 0;
}

int database_exec(struct database *d, const char *sql)
{
	return failed(d, sqlite3_exec(d->handle, sql, NULL, NULL, NULL));
}

int database_pragma(struct database *d, const char *sql, int64_t *ret)
{
	sqlite3_stmt *s = NULL;
	int code, r;

	code = sqlite3_prepare_v2(d->handle, sql, -1, &s, NULL);
	if (code != SQLITE_OK)
		return failed(d, code);
	r = database_step(d, s);
	if (r > 0)
		*ret = sqlite3_column_int64(s, 0);
	sqlite3_finalize(s);
	return r < 0 ? r : 0;
}

void database_rollback(struct database *d)
{
	if (d->handle && !sqlite3_get_autocommit(d->handle))
		(void)sqlite3_exec(d->handle, "ROLLBACK", NULL, NULL, NULL);
}

int database_used_pages(struct database *d, uint64_t *ret)
{
	int64_t all = 0;
	int64_t unused = 0;
	int r;

	r = database_pragma(d, "PRAGMA page_count", &all);
	if (r < 0)
		return r;
	r = database_pragma(d, "PRAGMA freelist_count", &unused);
	if (r < 0)
		return r;
	*ret = (uint64_t)(all > unused ? all - unused : 0);
	return 0;
}

static int check_table(struct database *d, const char *table)
{
	sqlite3_stmt *s = NULL;
	const char *said;
	char sql[64];
	int code, n, r;

	n = snprintf(sql, sizeof(sql), "PRAGMA quick_check(%s)", table);
	if (n < 0 || (size_t)n >= sizeof(sql))
		return -EINVAL;
	code = sqlite3_prepare_v2(d->handle, sql, -1, &s, NULL);
	if (code != SQLITE_OK)
		return failed(d, code);
	r = database_step(d, s);
	said = r > 0 ? (const char *)sqlite3_column_text(s, 0) : NULL;
	if (said && strcmp(said, "ok") != 0) {
		(void)snprintf(d->why, sizeof(d->why), "%s", said);
		r = -EUCLEAN;
	}
	sqlite3_finalize(s);
	return r < 0 ? r : 0;
}

/*
 * All tables but that of chunks, which is most of the file: to check it, too, takes 0.2 s for 256 MiB
 * in memory, but 4.4 s from a slow disk, and cannot be interrupted. What is wrong with it is found when it
 * is read.
 */
static int check(struct database *d)
{
	static const char *const tables[] = { "meta",	"services",  "profiles", "alerts",
					      "events", "snapshots", "series",	 "hours" };
	int r = 0;

	for (size_t i = 0; r == 0 && i < ARRAY_SIZE(tables); i++)
		r = check_table(d, tables[i]);
	return r;
}

int database_limit(struct database *d, bool with_reserve)
{
	uint64_t pages = d->pages_max + (with_reserve ? d->pages_reserve : 0);
	char sql[64];
	int n;

	n = snprintf(sql, sizeof(sql), "PRAGMA max_page_count = %" PRIu64, pages);
	return n < 0 || (size_t)n >= sizeof(sql) ? -EINVAL : database_exec(d, sql);
}

/*
 * The log is allowed an eighth of all: it is copied into the file when it has a sixteenth, and may
 * grow by one flush until then.
 */
static int set_up(struct database *d, uint64_t max_bytes)
{
	uint64_t pages = max_bytes / SCHEMA_PAGE_BYTES;
	uint64_t log_pages = pages / 16 < 1000 ? pages / 16 : 1000;
	uint64_t log_bytes = 2 * log_pages * SCHEMA_PAGE_BYTES;
	char sql[640];
	int n;

	d->pages_reserve = log_pages;
	d->pages_max = pages - 2 * log_pages - d->pages_reserve;
	n = snprintf(sql, sizeof(sql),
		     "PRAGMA trusted_schema = OFF;"
		     "PRAGMA cell_size_check = ON;"
		     "PRAGMA page_size = %d;"
		     "PRAGMA auto_vacuum = INCREMENTAL;"
		     /* No shared memory: nobody else looks, and a full disk cannot raise SIGBUS. */
		     "PRAGMA locking_mode = EXCLUSIVE;"
		     "PRAGMA journal_mode = WAL;"
		     "PRAGMA synchronous = NORMAL;"
		     "PRAGMA temp_store = MEMORY;"
		     "PRAGMA cache_size = -4096;"
		     "PRAGMA wal_autocheckpoint = %" PRIu64 ";"
		     "PRAGMA journal_size_limit = %" PRIu64 ";",
		     SCHEMA_PAGE_BYTES, log_pages, log_bytes);
	if (n < 0 || (size_t)n >= sizeof(sql))
		return -EINVAL;
	n = database_exec(d, sql);
	return n < 0 ? n : database_limit(d, false);
}

static int prepare(struct database *d)
{
	for (size_t i = 0; i < STATEMENTS; i++) {
		int code = sqlite3_prepare_v3(d->handle, schema_statements[i], -1,
					      SQLITE_PREPARE_PERSISTENT, &d->statements[i], NULL);

		if (code != SQLITE_OK)
			return failed(d, code);
	}
	return 0;
}

static int create_or_check(struct database *d)
{
	int64_t tables = 0;
	int r;

	r = database_pragma(d, "SELECT count(*) FROM sqlite_schema", &tables);
	if (r < 0)
		return r;
	if (tables > 0)
		return check(d);
	r = database_exec(d, schema_create);
	if (r < 0)
		return r;
	/* So that version and owner are in the file's first page, where database_inspect() looks. */
	return database_exec(d, "PRAGMA wal_checkpoint(TRUNCATE)");
}

/* SQLite would let others read it. */
static int create_private(const char *path)
{
	_cleanup_close_ int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);

	return fd < 0 ? -errno : 0;
}

static int open_handle(struct database *d, const char *path)
{
	int code, r;

	r = create_private(path);
	if (r < 0)
		return r;
	code = sqlite3_open_v2(
		path, &d->handle,
		SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_PRIVATECACHE, NULL);
	if (code != SQLITE_OK)
		return failed(d, code);
	(void)sqlite3_extended_result_codes(d->handle, 1);
	(void)sqlite3_db_config(d->handle, SQLITE_DBCONFIG_DEFENSIVE, 1, NULL);
	return 0;
}

int database_open(struct database *d, const char *path, uint64_t max_bytes)
{
	int r;

	r = open_handle(d, path);
	if (r == 0)
		r = set_up(d, max_bytes);
	if (r == 0)
		r = create_or_check(d);
	if (r == 0)
		r = prepare(d);
	if (r < 0) {
		database_rollback(d);
		database_close(d);
	}
	return r;
}

void database_close(struct database *d)
{
	for (size_t i = 0; i < STATEMENTS; i++) {
		sqlite3_finalize(d->statements[i]);
		d->statements[i] = NULL;
	}
	(void)sqlite3_close(d->handle);
	d->handle = NULL;
}

static int rename_with(const char *path, const char *suffix, const char *to)
{
	_cleanup_free_ char *old = NULL, *new = NULL;

	if (asprintf(&old, "%s%s", path, suffix) < 0) {
		old = NULL;
		return -ENOMEM;
	}
	if (asprintf(&new, "%s%s", to, suffix) < 0) {
		new = NULL;
		return -ENOMEM;
	}
	if (rename(old, new) == 0)
		return 0;
	if (errno != ENOENT)
		return -errno;
	/* A log of what was there before would be taken for one of this file. */
	return unlink(new) == 0 || errno == ENOENT ? -ENOENT : -errno;
}

int database_move_aside(const char *path, char **ret)
{
	static const char *const names[] = { "damaged", "damaged.2", "damaged.3" };
	_cleanup_free_ char *to = NULL;
	int r;

	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		free(to);
		if (asprintf(&to, "%s.%s", path, names[i]) < 0) {
			to = NULL;
			return -ENOMEM;
		}
		if (access(to, F_OK) < 0)
			break;
	}
	/* The log first: a file without its log is older, a log without its file is lost. */
	r = rename_with(path, "-wal", to);
	if (r < 0 && r != -ENOENT)
		return r;
	r = rename_with(path, "", to);
	if (r < 0)
		return r;
	*ret = TAKE_PTR(to);
	return 0;
}
