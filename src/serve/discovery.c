// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * GET /v1/sd: every service that is watched, as service discovery over HTTP of Prometheus (and those who
 * took it over) wants it: a list of {"targets":[ADDRESS],"labels":{}}.
 */
#include "serve/handlers.h"

#include <string.h>

#include "base/values.h"
#include "monitor.h"
#include "serve/exchange.h"

/* The address under which the client has found this one. */
static json_t *addresses_json(const char *host)
{
	json_auto_t *list = json_array();

	return view_append(list, view_text(host ?: "localhost")) < 0 ? NULL : TAKE_PTR(list);
}

static json_t *labels_json(const struct target *t)
{
	json_auto_t *o = json_object();
	int r = 0;

	r |= view_put(o, "service_name", view_text(target_service(t)));
	r |= view_put(o, "__meta_seep_target", view_text(t->id));
	r |= view_put(o, "__meta_seep_comm", view_text(t->comm));
	r |= view_put(o, "__meta_seep_unit", view_text(t->unit ?: ""));
	r |= view_put(o, "__meta_seep_container", view_text(t->container ?: ""));
	return r < 0 ? NULL : TAKE_PTR(o);
}

/* A service is listed once, by the first of its processes. */
static bool is_first(const struct exchange *x, struct target *const *targets, size_t i)
{
	for (size_t k = 0; k < i; k++)
		if (access_has_target(x, targets[k]) && targets[k]->state != TARGET_EXITED &&
		    strcmp(target_service(targets[k]), target_service(targets[i])) == 0)
			return false;
	return true;
}

int discovery_get(struct exchange *x)
{
	const char *host = exchange_get_header(x, "Host");
	json_auto_t *list = json_array();
	struct target *const *targets;
	size_t n = monitor_targets(x->monitor, &targets);
	int r = 0;

	for (size_t i = 0; i < n; i++) {
		json_auto_t *o = NULL;

		if (targets[i]->state == TARGET_EXITED || !access_has_target(x, targets[i]) ||
		    !is_first(x, targets, i))
			continue;
		o = json_object();
		r |= view_put(o, "targets", addresses_json(host));
		r |= view_put(o, "labels", labels_json(targets[i]));
		r |= view_append(list, TAKE_PTR(o));
	}
	return exchange_reply(x, 200, r < 0 ? NULL : TAKE_PTR(list));
}
