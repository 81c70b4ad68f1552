// SPDX-License-Identifier: GPL-2.0-or-later
/* GET /v1/census: what lives on the heap of a Python process. */
#include "serve/handlers.h"

#include <errno.h>
#include <string.h>

#include "base/clock.h"
#include "base/parse.h"
#include "monitor.h"
#include "python/census.h"
#include "serve/exchange.h"
#include "serve/view_census.h"
#include "target/procfs.h"

#define LIMIT_DEFAULT 20
#define LIMIT_MAX     1000

const struct query_rule census_query[] = {
	{ .name = "target" }, { .name = "pid" },   { .name = "by" },
	{ .name = "sort" },   { .name = "limit" }, { 0 },
};

static bool read_by(struct exchange *x, struct census_options *o)
{
	const char *by = query_get(&x->query, "by");

	o->by_type = by && strcmp(by, "type") == 0;
	if (!by || o->by_type || strcmp(by, "code") == 0)
		return true;
	(void)exchange_refuse(x, PROBLEM_BAD_PARAMETER, "by=%.32s is not known; use type or code.",
			      by);
	return false;
}

/* The words of sites are understood as well. False: refused and answered. */
static bool read_options(struct exchange *x, struct census_options *o)
{
	const char *sort = query_get(&x->query, "sort");
	uint64_t limit;

	*o = (struct census_options){ .sort = CENSUS_BY_BYTES };
	if (!read_by(x, o) || !query_read_limit(x, "limit", LIMIT_DEFAULT, LIMIT_MAX, &limit))
		return false;
	o->limit = limit;
	if (!sort || strcmp(sort, "live") == 0 || census_sort_parse(sort, &o->sort) == 0)
		return true;
	(void)exchange_refuse(x, PROBLEM_BAD_PARAMETER,
			      "sort=%.32s is not known; use bytes, count or growth.", sort);
	return false;
}

static int refuse_failed(struct exchange *x, int error, const char *why, pid_t pid)
{
	switch (error) {
	case -ENOENT:
		return exchange_refuse(x, PROBLEM_NOT_PYTHON,
				       "Process %d runs no Python interpreter; a census is for "
				       "CPython 3.8 to 3.14.",
				       (int)pid);
	case -ESRCH:
		return exchange_refuse(x, PROBLEM_NO_SUCH_PROCESS,
				       "Process %d went away while it was read.", (int)pid);
	case -EOPNOTSUPP:
		return exchange_refuse(x, PROBLEM_NO_CENSUS,
				       "The Python heap of process %d cannot be counted: %s.",
				       (int)pid, why ? why : "it is not laid out as expected");
	case -EPERM:
	case -EACCES:
		return exchange_refuse(x, PROBLEM_NO_CENSUS,
				       "The memory of process %d may not be read.", (int)pid);
	case -EPIPE:
		return exchange_refuse(
			x, PROBLEM_NO_CENSUS,
			"Reading process %d ended the process that did it; ask again, "
			"and if it happens each time, please report it.",
			(int)pid);
	case -ETIMEDOUT:
		return exchange_refuse(x, PROBLEM_TIMED_OUT,
				       "Counting the Python objects of process %d took too long; "
				       "ask again when the machine is less busy.",
				       (int)pid);
	default:
		return exchange_refuse(x, PROBLEM_INTERNAL,
				       "Counting the Python objects of process %d failed: %s.",
				       (int)pid, why ? why : strerror(-error));
	}
}

static int reply(struct exchange *x, const struct census_view *v)
{
	struct census_options o;
	json_t *json = NULL;
	int r;

	if (!read_options(x, &o))
		return EXCHANGE_ANSWERED;
	r = x->wants_sites ? view_census_sites(x->monitor, v, &o, &json) :
			     view_census(x->monitor, v, &o, &json);
	return r < 0 ? r : exchange_reply(x, 200, json);
}

/* Who asked must still be allowed to: the process may be another one by now. */
static bool may_see(struct exchange *x, uid_t uid)
{
	if (peer_may(&x->peer, x->needs, uid))
		return true;
	(void)access_refuse(x, "see processes of other users");
	return false;
}

static int reply_taken(struct exchange *x)
{
	const struct census_view v = {
		.census = x->census,
		.pid = x->census_pid,
		.taken_ns = clock_ns(CLOCK_MONOTONIC),
	};
	uid_t uid;

	if (!x->census)
		return refuse_failed(x, x->census_error, x->census_why, x->census_pid);
	/* One that is gone is nobody's: only root's, then. */
	if (procfs_uid("/proc", x->census_pid, &uid) < 0)
		uid = 0;
	return may_see(x, uid) ? reply(x, &v) : EXCHANGE_ANSWERED;
}

static int reply_late(struct exchange *x)
{
	return refuse_failed(x, -ETIMEDOUT, NULL, x->census_pid);
}

static void on_census(int error, const char *why, struct python_census *c, void *userdata)
{
	struct exchange *x = userdata;

	x->census_error = error;
	x->census_why = why ? strdup(why) : NULL;
	if (c) {
		x->census = malloc(sizeof(*x->census));
		x->census_error = x->census ? 0 : -ENOMEM;
	}
	if (c && x->census) {
		*x->census = *c;
		*c = (struct python_census){ .n = 0 };
	}
	exchange_resume(x);
}

/* Now, of a process of which no census is kept. */
static int take(struct exchange *x, pid_t pid)
{
	int r;

	x->census_pid = pid;
	if (!exchange_hold(x, reply_taken))
		return EXCHANGE_ANSWERED;
	x->late = reply_late;
	r = monitor_take_census(x->monitor, pid, on_census, x);
	if (r < 0) {
		exchange_unhold(x);
		return r;
	}
	return EXCHANGE_HELD;
}

static int reply_target(struct exchange *x, const struct target *t)
{
	struct monitor_census kept;

	if (monitor_census(x->monitor, t->key, &kept) < 0)
		return -ENOENT;
	if (!kept.census)
		return take(x, t->pid);
	return reply(x, &(struct census_view){
				.census = kept.census,
				.target = t->key,
				.pid = t->pid,
				.taken_ns = kept.taken_ns,
				.interval_ns = kept.interval_ns,
			});
}

/* The target that a process is; NULL: it is none. */
static const struct target *target_of(struct exchange *x, pid_t pid)
{
	struct target *const *targets;
	size_t n = monitor_targets(x->monitor, &targets);

	for (size_t i = 0; i < n; i++)
		if (targets[i]->pid == pid && targets[i]->state != TARGET_EXITED)
			return targets[i];
	return NULL;
}

static int get_of_pid(struct exchange *x, const char *text)
{
	const struct target *t;
	uid_t uid;
	pid_t pid;

	if (parse_pid(text, &pid) < 0)
		return exchange_refuse(x, PROBLEM_BAD_PARAMETER, "pid=%.32s is no process id.",
				       text);
	if (!access_find_owner(x, pid, &uid) || !may_see(x, uid))
		return EXCHANGE_ANSWERED;
	t = target_of(x, pid);
	return t ? reply_target(x, t) : take(x, pid);
}

int census_get(struct exchange *x)
{
	const char *id = query_get(&x->query, "target"), *pid = query_get(&x->query, "pid");
	const struct target *t;
	struct census_options o;

	if (!read_options(x, &o))
		return EXCHANGE_ANSWERED;
	if (!id == !pid)
		return exchange_refuse(x, PROBLEM_BAD_PARAMETER,
				       "Say whose objects: give one of target= and pid=.");
	if (pid)
		return get_of_pid(x, pid);
	t = access_find_target(x, id);
	return t ? reply_target(x, t) : EXCHANGE_ANSWERED;
}

int census_get_sites(struct exchange *x)
{
	const char *id = query_get(&x->query, "target");
	const struct target *t;
	struct census_options o;

	x->wants_sites = true;
	if (!read_options(x, &o))
		return EXCHANGE_ANSWERED;
	if (!id)
		return exchange_refuse(x, PROBLEM_BAD_PARAMETER,
				       "by=type is for one Python process: give target=.");
	t = access_find_target(x, id);
	return t ? reply_target(x, t) : EXCHANGE_ANSWERED;
}
