// SPDX-License-Identifier: GPL-2.0-or-later
/* Snapshots: written at once, for who takes one wants to know that it is kept. */
#include "history/state.h"

#include <string.h>

static int change(struct history *h, sqlite3_stmt *s, int none)
{
	int r;

	r = history_begin(h);
	if (r == 0) {
		r = database_run(&h->db, s);
		if (r == 0 && sqlite3_changes(h->db.handle) == 0)
			r = none;
	}
	return history_end(h, r);
}

static int save(struct history *h, const char *name, const void *value, size_t size,
		uint64_t now_ms)
{
	sqlite3_stmt *s = database_statement(&h->db, SNAPSHOT_PUT);

	sqlite3_bind_text(s, 1, name, -1, SQLITE_STATIC);
	sqlite3_bind_int64(s, 2, (int64_t)now_ms);
	sqlite3_bind_blob64(s, 3, size ? value : "", size, SQLITE_STATIC);
	return change(h, s, -EEXIST);
}

int history_save_snapshot(struct history *h, const char *name, const void *value, size_t size,
			  uint64_t now_ms)
{
	int r;

	do
		r = save(h, name, value, size, now_ms);
	while (r == -EUCLEAN && history_repair(h) == 0);
	return r;
}

static int drop(struct history *h, const char *name)
{
	sqlite3_stmt *s = database_statement(&h->db, SNAPSHOT_DROP);

	sqlite3_bind_text(s, 1, name, -1, SQLITE_STATIC);
	return change(h, s, -ENOENT);
}

int history_drop_snapshot(struct history *h, const char *name)
{
	int r;

	do
		r = drop(h, name);
	while (r == -EUCLEAN && history_repair(h) == 0);
	return r;
}

static int each(struct history *h, int64_t *last,
		int (*callback)(const char *name, const void *value, size_t size, void *userdata),
		void *userdata)
{
	sqlite3_stmt *s = database_statement(&h->db, SNAPSHOT_NEXT);
	int r;

	sqlite3_bind_int64(s, 1, *last);
	while ((r = database_step(&h->db, s)) > 0) {
		const char *name = (const char *)sqlite3_column_text(s, 1);
		const void *value = sqlite3_column_blob(s, 2);

		*last = sqlite3_column_int64(s, 0);
		r = name ? callback(name, value, (size_t)sqlite3_column_bytes(s, 2), userdata) : 0;
		if (r < 0) {
			sqlite3_reset(s);
			break;
		}
	}
	return r;
}

int history_each_snapshot(struct history *h,
			  int (*callback)(const char *name, const void *value, size_t size,
					  void *userdata),
			  void *userdata)
{
	int64_t last = 0;
	int r;

	do
		r = each(h, &last, callback, userdata);
	while (r == -EUCLEAN && history_repair(h) == 0);
	return r;
}
