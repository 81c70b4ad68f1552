/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Looks into Python processes from a child of this one: what lies there is hostile, and a pass takes a
 * tenth of a second. A child that dies or takes too long costs the one request it worked on.
 *
 * Requests are answered in order, from the event loop, never from inside the call that made them.
 */
#ifndef SEEP_PYTHON_INSPECT_H
#define SEEP_PYTHON_INSPECT_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/cleanup.h"
#include "python/census.h"
#include "python/holders.h"

struct event_base;
struct python_inspector;

int python_inspector_new(struct event_base *base, struct python_inspector **ret);
/* Pending requests are dropped without a call. */
struct python_inspector *python_inspector_free(struct python_inspector *p);
DEFINE_CLEANUP(struct python_inspector *, python_inspector_free)

/*
 * @error: 0 or a negative errno, with @why a sentence or NULL; -EPIPE: the child died; -ETIMEDOUT.
 * What is passed is valid during the call.
 */
typedef void (*python_census_fn)(int error, const char *why, const struct python_census *c,
				 void *userdata);
int python_inspect_census(struct python_inspector *p, pid_t pid,
			  const struct python_census_options *o, python_census_fn done,
			  void *userdata);

typedef void (*python_holders_fn)(int error, const char *why, const struct python_holders *h,
				  void *userdata);
int python_inspect_holders(struct python_inspector *p, pid_t pid,
			   const struct python_sample *samples, size_t n, python_holders_fn done,
			   void *userdata);

/*
 * Objects of one kind: their addresses, and a word that tells them from a later object at the same
 * address where the type has one (a task's number or coroutine), else 0. Of more than @max those whose
 * hash is below a threshold, so that later calls tell of the same ones.
 */
struct python_object {
	uint64_t address;
	uint64_t identity;
};

struct python_objects {
	struct python_object *list;
	size_t n;
	uint64_t count;	   /* of all */
	double kept_ratio; /* n / count, by the threshold */
	uint64_t tasks_made;
};

struct python_kind_name {
	uint64_t type_address;
	uint64_t code_address; /* 0: any */
};

typedef void (*python_objects_fn)(int error, const char *why, const struct python_objects *o,
				  void *userdata);
int python_inspect_objects(struct python_inspector *p, pid_t pid, struct python_kind_name kind,
			   size_t max, python_objects_fn done, void *userdata);

#endif
