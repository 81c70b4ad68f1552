/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The handlers of the routes, one file per noun, and what they share.
 *
 * A handler gets a request whose query and peer are known and checked for form; it answers, or
 * holds the exchange (exchange.h).
 */
#ifndef SEEP_SERVE_HANDLERS_H
#define SEEP_SERVE_HANDLERS_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "serve/query.h"

struct alert;
struct exchange;
struct target;

/* routes.c: finds the route and runs it. As a handler. */
int routes_dispatch(struct exchange *x, const char *path);

/* access.c */
bool access_has_target(const struct exchange *x, const struct target *t);
int access_refuse(struct exchange *x, const char *what); /* "Only … may @what." */
/* NULL: there is none, or the peer may not see it; the request is answered then. */
struct target *access_find_target(struct exchange *x, const char *id);
/*
 * Takes out of the object of a target or a leak, whose process is of @uid, what the peer may not see.
 * -ENOMEM, also for NULL.
 */
int access_trim(const struct exchange *x, uid_t uid, json_t *o);
bool access_has_alert(const struct exchange *x, const struct alert *a);
/* The same of a leak, by its 16 digits. */
const struct alert *access_find_leak(struct exchange *x, const char *id);
/* Whose process it is; false: refused, with the reason. */
bool access_find_owner(struct exchange *x, pid_t pid, uid_t *ret);

/* info.c */
int info_get(struct exchange *x);
int health_get(struct exchange *x);
int readiness_get(struct exchange *x);

/* metrics.c */
int metrics_get(struct exchange *x);

/* discovery.c */
int discovery_get(struct exchange *x);

/* suggested.c */
extern const struct query_rule targets_query[];
/* 1 and whether "suggested" is asked for; else refused and answered. */
int suggested_wanted(struct exchange *x, bool *ret);
int suggested_get(struct exchange *x);

/* targets.c */
int targets_get(struct exchange *x);
int targets_post(struct exchange *x);
int target_get(struct exchange *x);
int target_delete(struct exchange *x);

/* sites.c */
extern const struct query_rule sites_query[];
int sites_get(struct exchange *x);
/* by, sort, limit, filters into x->options. False: refused and answered. */
bool sites_read_options(struct exchange *x);
/* "true" or "false" in the parameter @name. False: refused and answered. */
bool query_read_boolean(struct exchange *x, const char *name, bool otherwise, bool *ret);
/* A number from 1 to @max in the parameter @name. False: refused and answered. */
bool query_read_limit(struct exchange *x, const char *name, uint64_t otherwise, uint64_t max,
		      uint64_t *ret);

/* census.c */
extern const struct query_rule census_query[];
int census_get(struct exchange *x);
int census_get_sites(struct exchange *x); /* /v1/sites by type */

/* origins.c */
extern const struct query_rule origins_query[];
int origins_get(struct exchange *x);
int origins_post(struct exchange *x);

/* snapshots.c */
int snapshots_get(struct exchange *x);
int snapshots_post(struct exchange *x);
int snapshot_delete(struct exchange *x);

/* diff.c */
extern const struct query_rule diff_query[];
int diff_get(struct exchange *x);

/* leaks.c */
extern const struct query_rule leaks_query[];
int leaks_get(struct exchange *x);
int leak_get(struct exchange *x);
int leak_acknowledge(struct exchange *x);
int leak_suppress(struct exchange *x);
int leak_mark(struct exchange *x);

/* history.c */
extern const struct query_rule history_query[];
int history_get(struct exchange *x);

/* events.c */
extern const struct query_rule events_query[];
int events_get(struct exchange *x);

#endif
