// SPDX-License-Identifier: GPL-2.0-or-later
/* /v1/targets?suggested=true: what nobody traces and keeps growing. */
#include "serve/handlers.h"

#include <string.h>

#include "base/values.h"
#include "monitor.h"
#include "serve/exchange.h"

const struct query_rule targets_query[] = {
	{ "suggested", false },
	{ NULL, false },
};

int suggested_wanted(struct exchange *x, bool *ret)
{
	const char *text = query_get(&x->query, "suggested");

	*ret = text && strcmp(text, "true") == 0;
	if (!text || *ret || strcmp(text, "false") == 0)
		return 1;
	return exchange_refuse(x, PROBLEM_BAD_PARAMETER,
			       "suggested=%.64s is not known; it must be true or false.", text);
}

int suggested_get(struct exchange *x)
{
	json_auto_t *o = json_object(), *list = json_array();
	struct monitor_suggestion *suggestions;
	const uid_t *only = x->peer.level >= x->needs ? NULL : &x->peer.uid;
	size_t n;
	int r;

	r = monitor_suggestions(x->monitor, only, &suggestions, &n);
	if (r < 0)
		return r;
	for (size_t i = 0; i < n; i++) {
		json_t *s = NULL;

		r |= view_suggestion(&suggestions[i], &s);
		r |= view_append(list, s);
	}
	r |= view_put(o, "suggested", TAKE_PTR(list));
	r |= view_put(o, "total", view_u64(n));
	monitor_suggestions_free(suggestions, n);
	return exchange_reply(x, 200, r < 0 ? NULL : TAKE_PTR(o));
}
