// SPDX-License-Identifier: GPL-2.0-or-later
/* Censuses as others ask for them. See monitor.h. */
#include <errno.h>

#include "monitor/python.h"
#include "monitor/state.h"

#define KINDS_TAKEN 4096

struct census_ask {
	struct monitor *monitor; /* borrowed */
	monitor_census_fn done;
	void *userdata;
	struct census_ask *next;
};

static void unlink_ask(struct census_ask *gone)
{
	struct census_ask **at = &gone->monitor->census_asks;

	while (*at && *at != gone)
		at = &(*at)->next;
	if (*at)
		*at = gone->next;
}

static void on_census(int error, const char *why, struct python_census *c, void *userdata)
{
	_cleanup_free_ struct census_ask *ask = userdata;

	unlink_ask(ask);
	ask->done(error, why, c, ask->userdata);
}

int monitor_take_census(struct monitor *m, pid_t pid, monitor_census_fn done, void *userdata)
{
	const struct python_census_options options = { .by_code = true, .max_kinds = KINDS_TAKEN };
	struct census_ask *ask = calloc(1, sizeof(*ask));
	int r;

	if (!ask)
		return -ENOMEM;
	*ask = (struct census_ask){ m, done, userdata, m->census_asks };
	m->census_asks = ask;
	r = python_inspect_census(m->inspector, pid, &options, on_census, ask);
	if (r < 0) {
		unlink_ask(ask);
		free(ask);
	}
	return r;
}

void python_drop_asks(struct monitor *m)
{
	while (m->census_asks) {
		struct census_ask *ask = m->census_asks;

		unlink_ask(ask);
		ask->done(-ECANCELED, NULL, NULL, ask->userdata);
		free(ask);
	}
}

int monitor_census(const struct monitor *m, uint32_t target, struct monitor_census *ret)
{
	const struct tracked *t = tracked_find(m, target);
	const struct python_watch *w = t ? t->objects : NULL;

	if (!t)
		return -ENOENT;
	*ret = (struct monitor_census){ .census = NULL };
	if (!w)
		return 0;
	if (w->taken_ns)
		ret->census = &w->census;
	ret->taken_ns = w->taken_ns;
	ret->interval_ns = w->due_ns > w->began_ns ? w->due_ns - w->began_ns : 0;
	ret->error = w->error;
	ret->why = w->why;
	return 0;
}

int monitor_census_kind(const struct monitor *m, uint32_t target, size_t index,
			struct monitor_kind *ret)
{
	const struct tracked *t = tracked_find(m, target);
	const struct python_watch *w = t ? t->objects : NULL;

	if (!w || !w->kinds || index >= w->census.n)
		return -ENOENT;
	*ret = (struct monitor_kind){
		.id = w->keys[index],
		.growth = kind_watch_growth(w->kinds, w->keys[index]),
		.evidence = kind_watch_evidence(w->kinds, w->keys[index]),
		.leak = python_alert_id(t, kind_watch_blamed(w->kinds, w->keys[index])),
	};
	return 0;
}
