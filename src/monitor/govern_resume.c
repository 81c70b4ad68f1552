// SPDX-License-Identifier: GPL-2.0-or-later
/* How much of a target is traced, from one life of the daemon to the next. See handover.h. */
#include "monitor/govern_state.h"

bool govern_has_allocator_links(const struct tracked *t)
{
	for (size_t i = 0; i < t->n_links; i++)
		if (t->links[i] && monitor_is_allocator(t->monitor, t->link_slots[i]))
			return true;
	return false;
}

/* Its calls are taken as they were, until the governor knows more; those in progress stay so. */
int govern_resume(struct govern *g, const struct governor_limits *limits,
		  const struct governor_prices *prices)
{
	struct tracked *t = g->tracked;
	const struct resume *from = &t->resume;
	struct target_control control = { 0 };
	bool has_probes;

	g->windows.has_links = govern_has_allocator_links(t);
	g->windows.has_frees = g->windows.has_allocs = from->in_windows;
	has_probes = g->windows.has_links || from->in_windows;
	(void)probe_get_control(g->monitor->probe, t->target->key, &control);
	g->epoch = control.epoch + !has_probes;
	g->inherits = true;
	if (!has_probes || !from->is_steady) {
		t->missed_frees = true;
		return governor_init(&g->governor, limits, prices, &g->monitor->total,
				     monotonic_ns());
	}
	return governor_resume(&g->governor, limits, prices, &g->monitor->total, monotonic_ns(),
			       from->mode, from->interval_bytes);
}

/* What the next life will want to know. */
struct resume govern_how(const struct tracked *t)
{
	const struct govern *g = t->govern;
	const struct governor_plan *plan;

	if (!g || !t->is_attached)
		return t->resume;
	plan = &g->governor.plan;
	return (struct resume){
		.is_steady = !g->is_changing && !g->is_losing &&
			     plan->probes == GOVERNOR_PROBES_ALL && g->wanted == plan->probes &&
			     (plan->mode == GOVERNOR_EXACT || plan->mode == GOVERNOR_SAMPLED),
		.in_windows = !g->windows.has_links,
		.mode = plan->mode,
		.interval_bytes = plan->interval_bytes,
	};
}
