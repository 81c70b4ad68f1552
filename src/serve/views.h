/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What is known, as the JSON objects of the API.
 *
 * Used by the routes and, without a daemon, by the foreground verbs. Keys come in a fixed order;
 * sizes and counts are integers, ids strings, times RFC 3339 in UTC, durations seconds. Functions
 * return 0 and a new reference in *ret, or -ENOMEM.
 *
 * Names of frames are found late: call view_resolve() (or view_resolve_changes()) first and make
 * the view in its callback. Frames whose names are not known then are shown without.
 */
#ifndef SEEP_SERVE_VIEWS_H
#define SEEP_SERVE_VIEWS_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "heap/group.h"
#include "target/target.h"

struct monitor;
struct monitor_snapshot;
struct monitor_suggestion;
struct verdicts;

/* Whose sites are meant: those of one target, or of all, or of all that run as a uid. */
struct view_scope {
	uint32_t target; /* key; 0: all */
	bool is_restricted;
	uid_t uid; /* with is_restricted */
};

bool view_scope_has(struct monitor *m, const struct view_scope *scope, uint32_t target);
/* Those of all targets are for who is not restricted. */
bool view_scope_has_snapshot(struct monitor *m, const struct view_scope *scope,
			     const struct monitor_snapshot *s);

int view_target(struct monitor *m, const struct target *t, json_t **ret);
/* The same, where many are shown. */
int view_target_with(struct monitor *m, const struct target *t, const struct verdicts *verdicts,
		     json_t **ret);
int view_coverage(const struct coverage *c, json_t **ret);

/* view_memory.c */
int view_memory(const struct memory *m, json_t **ret);
int view_reconciliation(const struct target *t, json_t **ret); /* null: no growth known yet */
int view_suggestion(const struct monitor_suggestion *s, json_t **ret);

/*
 * Finds the names of all frames of a target's sites (0: of all targets), then calls @done, from the
 * event loop. On failure @done is not called.
 */
int view_resolve(struct monitor *m, uint32_t target_key, void (*done)(void *), void *userdata);
int view_resolve_scope(struct monitor *m, const struct view_scope *scope, void (*done)(void *),
		       void *userdata);

/* {"sites":[...],"total","limit","sum","hidden","by","sort","target","coverage"}. */
int view_sites(struct monitor *m, uint32_t target_key, const struct group_options *options,
	       json_t **ret);
int view_sites_scope(struct monitor *m, const struct view_scope *scope,
		     const struct group_options *options, json_t **ret);

/* {"name","taken_at","target","sites","live_bytes","live_count","since","kept"}. */
int view_snapshot(const struct monitor_snapshot *s, json_t **ret);

/*
 * As view_sites(), with what changed between two snapshots: live figures are signed, and "from" and
 * "to" tell the snapshots. If one of them is of an earlier life of the monitor, what changed is told by
 * live blocks only ("live_only"), and "counted_since" is when seepd began anew to follow blocks, if
 * that was in between. @target_key: whose change it is as far as it is a target now; 0: of all.
 */
struct view_ends {
	const struct monitor_snapshot *from;
	const struct monitor_snapshot *to;
	uint32_t target_key;
};

int view_resolve_changes(struct monitor *m, const struct view_ends *ends, void (*done)(void *),
			 void *userdata);
int view_changes(struct monitor *m, const struct view_ends *ends,
		 const struct group_options *options, json_t **ret);

#endif
