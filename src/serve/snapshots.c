// SPDX-License-Identifier: GPL-2.0-or-later
/* /v1/snapshots: kept states, by name. */
#include "serve/handlers.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "heap/snapshot.h"
#include "monitor.h"
#include "serve/body.h"
#include "serve/exchange.h"
#include "base/values.h"

int snapshots_get(struct exchange *x)
{
	json_auto_t *o = json_object(), *list = json_array();
	const struct monitor_snapshot *snapshots;
	size_t n = monitor_snapshots(x->monitor, &snapshots), shown = 0;
	int r = 0;

	for (size_t i = 0; i < n; i++) {
		json_t *s = NULL;

		if (!view_scope_has_snapshot(x->monitor, &x->scope, &snapshots[i]))
			continue;
		r |= view_snapshot(&snapshots[i], &s);
		r |= view_append(list, s);
		shown++;
	}
	r |= view_put(o, "snapshots", TAKE_PTR(list));
	r |= view_put(o, "total", view_u64(shown));
	return exchange_reply(x, 200, r < 0 ? NULL : TAKE_PTR(o));
}

static int refuse_missing(struct exchange *x, const char *name)
{
	return exchange_refuse(
		x, PROBLEM_NO_SUCH_SNAPSHOT,
		"There is no snapshot \"%.80s\"; GET /v1/snapshots lists those there "
		"are.",
		name);
}

static int refuse_snapshot(struct exchange *x, int r, const char *name)
{
	switch (r) {
	case -EINVAL:
		return exchange_refuse(x, PROBLEM_BAD_SNAPSHOT_NAME,
				       "\"%.80s\" is no name for a snapshot; use 1 to 64 letters, "
				       "digits, '.', '_' or '-', beginning with a letter, a digit "
				       "or '_', and not \"now\".",
				       name);
	case -EEXIST:
		return exchange_refuse(x, PROBLEM_SNAPSHOT_EXISTS,
				       "There is a snapshot \"%.80s\" already; choose another name "
				       "or delete it first.",
				       name);
	case -ENOSPC:
		return exchange_refuse(x, PROBLEM_TOO_MANY_SNAPSHOTS,
				       "As many snapshots are kept as the daemon allows; delete "
				       "some first.");
	default:
		return exchange_refuse(x, PROBLEM_INTERNAL, "Taking the snapshot failed: %s.",
				       strerror(-r));
	}
}

/* A name for who gave none: the time, to the microsecond, so that it is a new one. */
static int make_name(char *name, size_t size)
{
	struct timespec now = { 0 };
	struct tm tm;
	char day[24];
	int n;

	(void)clock_gettime(CLOCK_REALTIME, &now);
	if (!gmtime_r(&now.tv_sec, &tm) || !strftime(day, sizeof(day), "%Y%m%dT%H%M%S", &tm))
		return -ERANGE;
	n = snprintf(name, size, "%s.%06ldZ", day, now.tv_nsec / 1000);
	return n < 0 || (size_t)n >= size ? -ERANGE : 0;
}

/* Once it is kept, or will not be: the answer says which. */
static int reply_taken(struct exchange *x)
{
	const struct monitor_snapshot *s = monitor_find_snapshot(x->monitor, x->segment);
	json_t *o = NULL;
	char path[96];
	int n, r;

	if (!s)
		return refuse_missing(x, x->segment);
	n = snprintf(path, sizeof(path), "/v1/snapshots/%s", x->segment);
	r = n < 0 || (size_t)n >= sizeof(path) ? -ENAMETOOLONG : 0;
	r |= exchange_set_header(x, "Location", path);
	r |= view_snapshot(s, &o);
	if (r < 0) {
		json_decref(o);
		return -ENOMEM;
	}
	return exchange_reply(x, 201, o);
}

/*
 * Takes the snapshot that x->segment names. With a history the request is held before, so that who is
 * refused that has taken none.
 */
static int take(struct exchange *x, uint32_t target)
{
	bool is_held = monitor_history(x->monitor) != NULL;
	int r;

	if (is_held && !exchange_hold(x, reply_taken))
		return EXCHANGE_ANSWERED;
	x->late = reply_taken;
	r = monitor_snapshot(x->monitor, x->segment, target, NULL);
	if (r < 0) {
		if (is_held)
			exchange_unhold(x);
		return refuse_snapshot(x, r, x->segment);
	}
	if (!is_held)
		return reply_taken(x);
	if (monitor_keep_snapshot(x->monitor, x->segment, exchange_resume, x) == 0)
		return EXCHANGE_HELD;
	exchange_unhold(x);
	return reply_taken(x);
}

int snapshots_post(struct exchange *x)
{
	static const struct body_field fields[] = {
		{ .name = "name" },
		{ .name = "target" },
		{ 0 },
	};
	const struct target *t = NULL;
	const char *name, *id;
	char made[40];
	int r;

	if (x->peer.level < ACCESS_OPERATE)
		return access_refuse(x, "take snapshots");
	if (!body_read(x, fields))
		return EXCHANGE_ANSWERED;
	id = body_get_string(x, "target");
	if (id) {
		t = access_find_target(x, id);
		if (!t)
			return EXCHANGE_ANSWERED;
	}
	name = body_get_string(x, "name");
	if (!name) {
		r = make_name(made, sizeof(made));
		if (r < 0)
			return r;
		name = made;
	}
	/* In a diff "now" is the present. */
	if (strcmp(name, "now") == 0 || snapshot_check_name(name) < 0)
		return refuse_snapshot(x, -EINVAL, name);
	exchange_set_deed(x, "takes snapshot %s", name);
	x->segment = strdup(name);
	return x->segment ? take(x, t ? t->key : 0) : -ENOMEM;
}

int snapshot_delete(struct exchange *x)
{
	int r;

	exchange_set_deed(x, "deletes snapshot %s", x->segment);
	if (x->peer.level < ACCESS_OPERATE)
		return access_refuse(x, "delete snapshots");
	r = monitor_drop_snapshot(x->monitor, x->segment);
	if (r == -ENOENT)
		return refuse_missing(x, x->segment);
	if (r < 0)
		return r;
	return exchange_reply_nothing(x);
}
