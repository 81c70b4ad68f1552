/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Looks into Python processes from a child of this one: what lies there is hostile, and a pass takes a
 * tenth of a second. A child that dies or takes too long costs the one request it worked on; the next one
 * gets a new child. One that was idle for a while is ended.
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
#include "python/constructors.h"
#include "python/holders.h"
#include "python/kind_objects.h"

struct event_base;
struct python_inspector;

/* What the child does; as the functions of the headers above. */
struct python_readers {
	int (*find)(pid_t pid, struct python_interpreter *ret, const char **ret_why);
	int (*census)(const struct python_interpreter *i, const struct python_census_options *o,
		      struct python_census *ret, const char **ret_why);
	int (*objects)(const struct python_interpreter *i, const struct python_wanted *wanted,
		       size_t n, size_t max, uint64_t deadline_ns, struct python_objects *ret,
		       const char **ret_why);
	int (*holders)(const struct python_interpreter *i, const struct python_sample *samples,
		       size_t n, uint64_t deadline_ns, struct python_holders *ret,
		       const char **ret_why);
	int (*constructors)(const struct python_interpreter *i, uint64_t type,
			    struct python_constructors *ret);
};

extern const struct python_readers python_readers;

struct python_inspector_options {
	const struct python_readers *readers; /* borrowed; NULL: python_readers */
	uint64_t request_timeout_ns;	      /* 0: 20 s; the child is told half of it */
	uint64_t idle_timeout_ns;	      /* 0: 10 s */
};

/* Borrows @base. @options may be NULL. */
int python_inspector_new(struct event_base *base, const struct python_inspector_options *options,
			 struct python_inspector **ret);
/* Pending requests are dropped without a call. */
struct python_inspector *python_inspector_free(struct python_inspector *p);
DEFINE_CLEANUP(struct python_inspector *, python_inspector_free)

/*
 * @error: 0 or a negative errno, with @why a sentence or NULL; -ENOENT: it runs no Python; -EPIPE: the child
 * died; -ETIMEDOUT. What is passed is valid during the call, and NULL after an error. CPU times are those
 * that the child was seen to use, not what it says. A census may be taken over: copy the struct, and set
 * it to zeros.
 */
typedef void (*python_census_fn)(int error, const char *why, struct python_census *c,
				 void *userdata);
int python_inspect_census(struct python_inspector *p, pid_t pid,
			  const struct python_census_options *o, python_census_fn done,
			  void *userdata);

typedef void (*python_holders_fn)(int error, const char *why, const struct python_holders *h,
				  void *userdata);
/* At most PYTHON_SAMPLES, else -E2BIG. */
int python_inspect_holders(struct python_inspector *p, pid_t pid,
			   const struct python_sample *samples, size_t n, python_holders_fn done,
			   void *userdata);

/* @o: one for each kind that was asked for. */
typedef void (*python_objects_fn)(int error, const char *why, const struct python_objects *o,
				  size_t n, uint64_t cpu_ns, void *userdata);
/* At most PYTHON_WANTED_MAX kinds with @max objects each, if an answer can be so long; else -E2BIG. */
int python_inspect_objects(struct python_inspector *p, pid_t pid,
			   const struct python_wanted *wanted, size_t n, size_t max,
			   python_objects_fn done, void *userdata);

typedef void (*python_constructors_fn)(int error, const char *why,
				       const struct python_constructors *c, void *userdata);
int python_inspect_constructors(struct python_inspector *p, pid_t pid, uint64_t type,
				python_constructors_fn done, void *userdata);

struct python_inspector_stats {
	uint64_t requests;
	uint64_t failed;   /* answered with an error */
	uint64_t children; /* started so far */
	uint64_t killed;   /* died, or were ended for taking too long or answering nonsense */
	uint64_t cpu_ns;   /* of all children, while they worked */
};

void python_inspector_get_stats(const struct python_inspector *p,
				struct python_inspector_stats *ret);

#endif
