// SPDX-License-Identifier: GPL-2.0-or-later
/* Layout and statements. See schema.h. */
#include "history/schema.h"

#define TEXT_OF(x)  TEXT_OF_(x)
#define TEXT_OF_(x) #x

/*
 * 64-bit ids are stored as SQLite's signed integers, bit by bit. Chunks are kept in the order of
 * time, so that a flush writes neighbouring pages and the oldest are together. A series counts its chunks
 * and goes with the last one; a service goes with the last that names it. An upsert of a chunk that
 * is there fires no insert trigger.
 */
const char *const schema_create =
	"BEGIN IMMEDIATE;"
	"CREATE TABLE meta(name TEXT PRIMARY KEY, value INTEGER NOT NULL) WITHOUT ROWID;"
	"CREATE TABLE services(id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE);"
	"CREATE TABLE profiles(id INTEGER PRIMARY KEY, service INTEGER NOT NULL,"
	" leak INTEGER NOT NULL, site INTEGER NOT NULL, saved INTEGER NOT NULL,"
	" value BLOB NOT NULL, UNIQUE(service, leak));"
	"CREATE INDEX profiles_by_site ON profiles(service, site);"
	"CREATE TABLE alerts(number INTEGER PRIMARY KEY, id INTEGER NOT NULL UNIQUE,"
	" is_open INTEGER NOT NULL, changed INTEGER NOT NULL, json TEXT NOT NULL);"
	"CREATE TABLE events(id INTEGER PRIMARY KEY, time INTEGER NOT NULL,"
	" event INTEGER NOT NULL, leak INTEGER NOT NULL, uid INTEGER NOT NULL,"
	" json TEXT NOT NULL);"
	"CREATE TABLE snapshots(number INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE,"
	" taken INTEGER NOT NULL, value BLOB NOT NULL);"
	"CREATE TABLE series(id INTEGER PRIMARY KEY, service INTEGER NOT NULL,"
	" site INTEGER NOT NULL, pid INTEGER NOT NULL, chunks INTEGER NOT NULL,"
	" first INTEGER NOT NULL, last INTEGER NOT NULL, UNIQUE(service, site, pid));"
	"CREATE TABLE chunks(level INTEGER NOT NULL, start INTEGER NOT NULL,"
	" series INTEGER NOT NULL, data BLOB NOT NULL, PRIMARY KEY(level, start, series))"
	" WITHOUT ROWID;"
	"CREATE TABLE hours(start INTEGER PRIMARY KEY, recorded INTEGER NOT NULL,"
	" levels INTEGER NOT NULL);"
	"CREATE TRIGGER chunk_added AFTER INSERT ON chunks BEGIN"
	" UPDATE series SET chunks = chunks + 1, first = min(first, new.start),"
	"  last = max(last, new.start) WHERE id = new.series;"
	"END;"
	"CREATE TRIGGER chunk_dropped AFTER DELETE ON chunks BEGIN"
	" UPDATE series SET chunks = chunks - 1 WHERE id = old.series;"
	" DELETE FROM series WHERE id = old.series AND chunks <= 0;"
	"END;"
	"CREATE TRIGGER series_dropped AFTER DELETE ON series BEGIN"
	" DELETE FROM services WHERE id = old.service"
	"  AND NOT EXISTS (SELECT 1 FROM series WHERE service = old.service)"
	"  AND NOT EXISTS (SELECT 1 FROM profiles WHERE service = old.service);"
	"END;"
	"CREATE TRIGGER profile_dropped AFTER DELETE ON profiles BEGIN"
	" DELETE FROM services WHERE id = old.service"
	"  AND NOT EXISTS (SELECT 1 FROM series WHERE service = old.service)"
	"  AND NOT EXISTS (SELECT 1 FROM profiles WHERE service = old.service);"
	"END;"
	"PRAGMA application_id = 1936024944;"
	"PRAGMA user_version = " TEXT_OF(SCHEMA_VERSION) ";"
							 "COMMIT;";

_Static_assert(SCHEMA_APPLICATION == 1936024944, "the pragma takes no expression");

const char *const schema_statements[STATEMENTS] = {
	[META_GET] = "SELECT value FROM meta WHERE name = ?1",
	[META_PUT] = "INSERT INTO meta VALUES(?1, ?2)"
		     " ON CONFLICT(name) DO UPDATE SET value = excluded.value",
	[SERVICE_ADD] = "INSERT INTO services(name) VALUES(?1)",
	[SERVICE_FIND] = "SELECT id FROM services WHERE name = ?1",
	/* The latest one has the largest id. */
	[PROFILE_PUT] = "INSERT INTO profiles(id, service, leak, site, saved, value)"
			" VALUES((SELECT ifnull(max(id), 0) + 1 FROM profiles), ?1, ?2, ?3, ?4, ?5)"
			" ON CONFLICT(service, leak) DO UPDATE SET id = excluded.id,"
			" site = excluded.site, saved = excluded.saved, value = excluded.value",
	[PROFILE_TRIM] =
		"DELETE FROM profiles WHERE id IN (SELECT id FROM profiles ORDER BY id LIMIT"
		" max(0, min(1000, (SELECT count(*) FROM profiles) - " TEXT_OF(
			SCHEMA_PROFILES_KEPT) ")))",
	[PROFILE_BY_LEAK] = "SELECT p.value FROM services s, profiles p"
			    " WHERE s.name = ?1 AND p.service = s.id AND p.leak = ?2",
	[PROFILE_BY_SITE] = "SELECT p.value FROM services s, profiles p"
			    " WHERE s.name = ?1 AND p.service = s.id AND p.site = ?2"
			    " ORDER BY p.id DESC",
	[ALERT_PUT] = "INSERT INTO alerts(id, is_open, changed, json) VALUES(?1, ?2, ?3, ?4)"
		      " ON CONFLICT(id) DO UPDATE SET is_open = excluded.is_open,"
		      " changed = excluded.changed, json = excluded.json",
	[ALERT_FORGET] = "DELETE FROM alerts WHERE id = ?1",
	[ALERT_NEXT] = "SELECT number, id, json FROM alerts WHERE number > ?1 ORDER BY number",
	[EVENT_PUT] = "INSERT INTO events VALUES(?1, ?2, ?3, ?4, ?5, ?6)"
		      " ON CONFLICT(id) DO UPDATE SET time = excluded.time, event = excluded.event,"
		      " leak = excluded.leak, uid = excluded.uid, json = excluded.json",
	[EVENT_TRIM] = "DELETE FROM events WHERE id <= (SELECT max(id) FROM events) - " TEXT_OF(
		SCHEMA_EVENTS_KEPT),
	[EVENT_LAST] = "SELECT min(id) FROM (SELECT id FROM events ORDER BY id DESC LIMIT ?1)",
	[EVENT_NEXT] = "SELECT id, time, event, leak, uid, json FROM events WHERE id >= ?1"
		       " ORDER BY id",
	[SNAPSHOT_PUT] = "INSERT INTO snapshots(name, taken, value) VALUES(?1, ?2, ?3)"
			 " ON CONFLICT(name) DO NOTHING",
	[SNAPSHOT_DROP] = "DELETE FROM snapshots WHERE name = ?1",
	[SNAPSHOT_NEXT] = "SELECT number, name, value FROM snapshots WHERE number > ?1"
			  " ORDER BY number",
	[SERIES_ADD] = "INSERT INTO series(service, site, pid, chunks, first, last)"
		       " VALUES(?1, ?2, ?3, 0, 9223372036854775807, -9223372036854775808)",
	[SERIES_FIND] = "SELECT s.id FROM services v, series s"
			" WHERE v.name = ?1 AND s.service = v.id AND s.site = ?2 AND s.pid = ?3",
	[SERIES_OF_SITE] = "SELECT s.id, s.first, s.last FROM services v, series s"
			   " WHERE v.name = ?1 AND s.service = v.id AND s.site = ?2"
			   " AND (?3 = 0 OR s.pid = ?3)",
	[CHUNK_GET] = "SELECT data FROM chunks WHERE level = ?1 AND start = ?2 AND series = ?3",
	[CHUNK_PUT] = "INSERT INTO chunks VALUES(?1, ?2, ?3, ?4)"
		      " ON CONFLICT(level, start, series) DO UPDATE SET data = excluded.data",
	[CHUNK_DROP] = "DELETE FROM chunks WHERE level = ?1 AND start = ?2 AND series = ?3",
	[CHUNK_OWNERS] = "SELECT series FROM chunks WHERE level = ?1 AND start = ?2"
			 " ORDER BY series LIMIT ?3",
	[CHUNK_DROP_SOME] = "DELETE FROM chunks WHERE level = ?1 AND start = ?2 AND series IN"
			    " (SELECT series FROM chunks WHERE level = ?1 AND start = ?2"
			    " ORDER BY series LIMIT ?3)",
	[HOUR_ALL] = "SELECT start, recorded, levels FROM hours ORDER BY start",
	[HOUR_PUT] = "INSERT INTO hours VALUES(?1, ?2, ?3) ON CONFLICT(start)"
		     " DO UPDATE SET recorded = excluded.recorded, levels = excluded.levels",
	[HOUR_DROP] = "DELETE FROM hours WHERE start = ?1",
};
