/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The snapshots there are, by name: those of this life of the daemon, and those of earlier ones that
 * the history has kept. Knows nothing of the monitor.
 */
#ifndef SEEP_MONITOR_SNAPSHOT_LIST_H
#define SEEP_MONITOR_SNAPSHOT_LIST_H

#include <stddef.h>

#include "heap/snapshot.h"
#include "monitor.h"

struct history;
struct symbolizer;

#define SNAPSHOTS_MAX 64

struct snapshot_list {
	struct monitor_snapshot *items; /* owned; in order of arrival */
	size_t n;
	size_t max; /* 0: SNAPSHOTS_MAX */
};

void snapshot_list_done(struct snapshot_list *l);

/*
 * Adds those of the history. One that cannot be read, or finds no room, is logged and stays there.
 * -ENOMEM, or the history's error.
 */
int snapshot_list_restore(struct snapshot_list *l, struct history *h);

const struct monitor_snapshot *snapshot_list_find(const struct snapshot_list *l, const char *name);

/* The sites of one that was restored, which was whole then. -ENOMEM. The caller frees. */
int snapshot_list_open(const struct monitor_snapshot *s, struct kept_snapshot **ret);

/* Whether there is room for a new one of this name: 0, -EINVAL, -EEXIST, -ENOSPC. */
int snapshot_list_check(const struct snapshot_list *l, const char *name);

/* What is told of a snapshot. Takes over @taken, also on failure, which is -ENOMEM. */
int snapshot_list_describe(struct snapshot *taken, struct monitor_snapshot *ret);

/* Takes over @taken, also on failure, which is -ENOMEM or as of snapshot_list_check(). */
int snapshot_list_add(struct snapshot_list *l, struct snapshot *taken,
		      const struct monitor_snapshot **ret);

/*
 * Writes one of this life into the history, with the names that are known now. -ENOENT: there is none
 * of this name; -EEXIST: the history has one that could not be read; its errors; -ENOMEM.
 */
int snapshot_list_keep(struct snapshot_list *l, struct history *h, struct symbolizer *symbolizer,
		       const char *name);

/* From the list and from @h, which may be NULL. -ENOENT: it is in neither; or the history's error. */
int snapshot_list_drop(struct snapshot_list *l, struct history *h, const char *name);

#endif
