// SPDX-License-Identifier: GPL-2.0-or-later
/* What a peer may see and do. See handlers.h, and peer.h for who it is. */
#include "serve/handlers.h"

#include <errno.h>
#include <string.h>

#include "alert/alert.h"
#include "alert/book.h"
#include "base/parse.h"
#include "base/values.h"
#include "monitor.h"
#include "serve/exchange.h"
#include "serve/server.h"
#include "target/procfs.h"

#define LEAK_DIGITS 16 /* of an id */

bool access_has_target(const struct exchange *x, const struct target *t)
{
	return peer_may(&x->peer, x->needs, t->uid);
}

bool access_has_alert(const struct exchange *x, const struct alert *a)
{
	return peer_may(&x->peer, x->needs, a->uid);
}

/* Fields of targets and leaks that tell of code and files, which takes ACCESS_DETAIL. */
static const char *const details[] = { "exe", "command", "cgroup", "runs" };
static const char *const detail_lists[] = { "frames", "allocators", "created_at", "held_by" };

int access_trim(const struct exchange *x, uid_t uid, json_t *o)
{
	int r = 0;

	if (!o)
		return -ENOMEM;
	if (peer_may(&x->peer, ACCESS_DETAIL, uid))
		return 0;
	for (size_t i = 0; i < ARRAY_SIZE(details); i++)
		if (json_object_get(o, details[i]))
			r |= view_put(o, details[i], json_null());
	for (size_t i = 0; i < ARRAY_SIZE(detail_lists); i++)
		if (json_object_get(o, detail_lists[i]))
			r |= view_put(o, detail_lists[i], json_array());
	/* Of Python objects the sentences name lines and holders, too. */
	if (json_is_string(json_object_get(o, "type")))
		r |= view_put(o, "evidence", json_array());
	return r;
}

int access_refuse(struct exchange *x, const char *what)
{
	struct server_status status;

	server_get_status(x->server, &status);
	status.group = status.groups[x->needs > ACCESS_OWN ? x->needs : ACCESS_OPERATE];
	if (status.group)
		return exchange_refuse(x, PROBLEM_NOT_PERMITTED,
				       "Only root and members of the group %s may %s; join the "
				       "group (usermod -aG %s USER, then log in again) or use "
				       "sudo.",
				       status.group, what, status.group);
	return exchange_refuse(x, PROBLEM_NOT_PERMITTED,
			       "Only root may %s; use sudo, or create the group seep, join it and "
			       "restart seepd.",
			       what);
}

struct target *access_find_target(struct exchange *x, const char *id)
{
	struct target *t = monitor_find_target(x->monitor, id);

	if (!t) {
		(void)exchange_refuse(x, PROBLEM_NO_SUCH_TARGET,
				      "There is no target with the id \"%.64s\"; GET /v1/targets "
				      "lists those there are.",
				      id);
		return NULL;
	}
	if (!access_has_target(x, t)) {
		(void)access_refuse(x, "see processes of other users");
		return NULL;
	}
	return t;
}

const struct alert *access_find_leak(struct exchange *x, const char *id)
{
	const char *at = id;
	const struct alert *a = NULL;
	uint64_t number;

	if (strlen(id) == LEAK_DIGITS && parse_digits(&at, 16, &number) == 0 && !*at)
		a = alert_book_find(monitor_alerts(x->monitor), number);
	if (!a) {
		(void)exchange_refuse(x, PROBLEM_NO_SUCH_LEAK,
				      "There is no leak with the id \"%.64s\"; GET /v1/leaks "
				      "lists those there are.",
				      id);
		return NULL;
	}
	if (!access_has_alert(x, a)) {
		(void)access_refuse(x, "see leaks in processes of other users");
		return NULL;
	}
	return a;
}

bool access_find_owner(struct exchange *x, pid_t pid, uid_t *ret)
{
	int r = procfs_uid("/proc", pid, ret);

	if (r == -ESRCH)
		(void)exchange_refuse(x, PROBLEM_NO_SUCH_PROCESS, "There is no process %d.",
				      (int)pid);
	else if (r < 0)
		(void)exchange_refuse(x, PROBLEM_INTERNAL, "Reading /proc/%d failed: %s.", (int)pid,
				      strerror(-r));
	return r == 0;
}
