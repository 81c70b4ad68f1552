/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What outlives the daemon, in one SQLite database: what each service's sites have shown in earlier
 * lives, alerts and events, snapshots, and how memory moved.
 *
 * Bounded in size: series get coarser with age (ticks for a day, 5 minutes for a week, hours for a
 * quarter). When the whole is too large all of them do so sooner, and then the oldest hours go; the
 * rest is never dropped for series. Ages count in recorded time, so that a clock that jumps makes
 * nothing old.
 *
 * A damaged file, found at the start or later, is moved aside, a new one begun, and what can be read
 * of the old one saved into it. Writes are collected in memory and committed by history_flush(). If
 * that fails, as on a full disk, they are kept (some 30 MB of them) and tried again; what finds no
 * room then is lost and counted. Nothing that was stored is lost. A new database for which there is no
 * room is begun when there is.
 *
 * Callbacks must not call back.
 */
#ifndef SEEP_HISTORY_HISTORY_H
#define SEEP_HISTORY_HISTORY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/cleanup.h"
#include "trend/profile.h"

struct history;

struct history_options {
	const char *path; /* of the database; its folder exists. Beside it: .lock, -wal, .damaged */
	uint64_t max_bytes; /* 0: 256 MiB */
	uint64_t tick_ns;   /* how often points come; 0: 10 s. From 1 s to 5 minutes */
};

/* How the database was found. */
struct history_notice {
	bool is_new;	 /* also when a damaged one was replaced */
	bool is_waiting; /* there is no room for a new one so far, and nothing to read */
	char *moved_to;	 /* owned by the caller: where a damaged one is now; NULL: it was whole */
	char *why;	 /* owned by the caller: what was wrong with it */
};

/*
 * -EACCES, -ENOENT (no such folder), -EROFS, -ENOSPC (to open an old one), -EBUSY: another process has it;
 * -EPROTO: made by a later version, or another program's database: it is left untouched;
 * -EISDIR, -ELOOP (a symbolic link), -ENXIO (a device or pipe).
 */
int history_open(const struct history_options *options, struct history **ret,
		 struct history_notice *ret_notice);
/* Commits what is pending. */
struct history *history_free(struct history *h);
DEFINE_CLEANUP(struct history *, history_free)

/*
 * Commits what was added, and works on a bounded part of what has aged. Call it about once a tick.
 * The first of several failures is logged, and when it works again.
 */
int history_flush(struct history *h, uint64_t now_ms);
/* Commits what was added, at once and nothing else: what must not be lost from now on. Errors as above. */
int history_sync(struct history *h);

struct history_stats {
	uint64_t bytes;	       /* of the database and its log */
	uint64_t lost_records; /* neither written nor waiting any more */
	int last_error; /* negative errno of the last failure since it last worked; 0: none */
};

void history_get_stats(const struct history *h, struct history_stats *ret);

/* --- profiles ---------------------------------------------------------------------------------- */

/*
 * By service and leak_id, which tells a build; else by site_id, which is the same in other builds:
 * *ret_is_other_build. -ENOENT: there is none. One that cannot be read counts as none, and is logged.
 */
int history_find_profile(struct history *h, const char *service, uint64_t leak_id, uint64_t site_id,
			 struct trend_profile *ret, bool *ret_is_other_build);
/* @site_id 0: not known. */
int history_save_profile(struct history *h, const char *service, uint64_t leak_id, uint64_t site_id,
			 const struct trend_profile *profile, uint64_t now_ms);

/* --- alerts and events ------------------------------------------------------------------------- */

/* As JSON texts of src/alert. An alert is kept under its id, the last text stands. */
int history_save_alert(struct history *h, uint64_t id, const char *json, bool is_open,
		       uint64_t now_ms);
int history_forget_alert(struct history *h, uint64_t id);
/* Oldest first. Stops at the first negative result and returns it. */
int history_each_alert(struct history *h,
		       int (*callback)(uint64_t id, const char *json, void *userdata),
		       void *userdata);

struct history_event {
	uint64_t id;
	uint64_t time_ms;
	int event;
	uint64_t leak;
	uint32_t uid;
	const char *json; /* borrowed during the call */
};

int history_save_event(struct history *h, const struct history_event *event);
/* The last @n, oldest first. */
int history_each_event(struct history *h, size_t n,
		       int (*callback)(const struct history_event *event, void *userdata),
		       void *userdata);

/* --- snapshots --------------------------------------------------------------------------------- */

/* An opaque value under a name, written at once. -EEXIST; -ENOENT; -ENOSPC, ... */
int history_save_snapshot(struct history *h, const char *name, const void *value, size_t size,
			  uint64_t now_ms);
int history_drop_snapshot(struct history *h, const char *name);
int history_each_snapshot(struct history *h,
			  int (*callback)(const char *name, const void *value, size_t size,
					  void *userdata),
			  void *userdata);

/* --- series ------------------------------------------------------------------------------------ */

/* Whose: a service and, below it, a site (its leak_id, or that of frames that several share), or 0 for a
 * whole process. */
struct history_key {
	const char *service;
	uint64_t site;
	int64_t pid; /* of one process; when reading, 0: the sum over all processes of the service */
};

struct history_point {
	uint64_t time_ms;  /* start of its interval */
	double live_bytes; /* mean over the interval, as all */
	double live_count;
	double rss_bytes; /* of a process; 0: unknown */
	double limit_bytes;
};

/* Kept to 7 digits. Two in one tick are averaged. -EINVAL: not finite, or negative; -ENOSPC: lost. */
int history_add_point(struct history *h, const struct history_key *key,
		      const struct history_point *point);

/*
 * Points from @from_ms up to before @to_ms, ascending, at most @max (1 or more): neighbours are
 * averaged until they fit. Limits are not summed, the largest counts. The caller frees the array.
 * -ENOENT: nothing is known by this key.
 */
int history_read(struct history *h, const struct history_key *key, uint64_t from_ms, uint64_t to_ms,
		 size_t max, struct history_point **ret, size_t *ret_n);

#endif
