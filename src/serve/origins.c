// SPDX-License-Identifier: GPL-2.0-or-later
/* /v1/census/origins: the lines that make the objects of a type. */
#include <errno.h>
#include <string.h>

#include "alert/python.h"
#include "base/values.h"
#include "monitor.h"
#include "serve/exchange.h"
#include "serve/handlers.h"

const struct query_rule origins_query[] = { { .name = "target" }, { .name = "type" }, { 0 } };

/* NULL: refused and answered. */
static const struct target *read_query(struct exchange *x, const char **ret_type)
{
	const char *id = query_get(&x->query, "target");

	*ret_type = query_get(&x->query, "type");
	if (id && *ret_type)
		return access_find_target(x, id);
	(void)exchange_refuse(x, PROBLEM_BAD_PARAMETER,
			      "Say whose objects, and which: give target= and type=.");
	return NULL;
}

static int refuse(struct exchange *x, int error, const char *type)
{
	switch (error) {
	case -EBUSY:
		return exchange_refuse(x, PROBLEM_NO_ORIGINS,
				       "The lines of another type are being looked for; ask again "
				       "in a minute.");
	case -EAGAIN:
		return exchange_refuse(x, PROBLEM_NO_ORIGINS,
				       "There is no census of this target yet: it runs no Python, "
				       "or has just begun.");
	case -ENOENT:
		return exchange_refuse(x, PROBLEM_NO_ORIGINS,
				       "No object of the target has the type %.128s, or nobody has "
				       "asked for its lines.",
				       type);
	case -ENODATA:
		return exchange_refuse(x, PROBLEM_NO_ORIGINS,
				       "It cannot be seen how %.128s is made: no function that is "
				       "called then can be probed, or the target is not traced.",
				       type);
	case -ESRCH:
		return exchange_refuse(x, PROBLEM_NO_ORIGINS, "The target went away meanwhile.");
	default:
		return exchange_refuse(x, PROBLEM_INTERNAL,
				       "Looking for the lines that make %.128s failed: %s.", type,
				       strerror(-error));
	}
}

static int reply(struct exchange *x, int status, const struct target *t, const char *type,
		 const struct alert_python *origin)
{
	json_auto_t *o = json_object();
	double seen = origin ? origin->constructions_seen : 0;
	int r = 0;

	r |= view_put(o, "target", view_text(t->id));
	r |= view_put(o, "type", view_text(type));
	r |= view_put(o, "state", view_text(origin ? "known" : "sampling"));
	r |= view_put(o, "created_at", alert_python_lines(origin));
	r |= view_put(o, "constructions_seen", seen > 0 ? view_real(seen) : json_null());
	return r < 0 ? -ENOMEM : exchange_reply(x, status, TAKE_PTR(o));
}

int origins_get(struct exchange *x)
{
	const struct alert_python *origin;
	const struct target *t;
	const char *type;
	int r;

	t = read_query(x, &type);
	if (!t)
		return EXCHANGE_ANSWERED;
	r = monitor_origin(x->monitor, t->key, type, &origin);
	return r < 0 && r != -EINPROGRESS ? refuse(x, r, type) : reply(x, 200, t, type, origin);
}

int origins_post(struct exchange *x)
{
	const struct target *t;
	const char *type;
	int r;

	t = read_query(x, &type);
	if (!t)
		return EXCHANGE_ANSWERED;
	r = monitor_find_origin(x->monitor, t->key, type);
	return r < 0 ? refuse(x, r, type) : reply(x, 202, t, type, NULL);
}
