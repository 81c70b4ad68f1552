// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * How much of a target's growth its live blocks explain, tick by tick.
 */
#include <math.h>

#include "monitor/state.h"

/* The detector's, but so long that each of the shortest windows (rise.h) has a reading of the maps. */
static uint64_t unit_ns(const struct monitor *m)
{
	uint64_t least = m->options.tick_ns / 4;

	return m->options.detector_tick_ns > least ? m->options.detector_tick_ns : least;
}

void reconcile_take(struct monitor *m, struct tracked *t, uint64_t now_ns)
{
	struct target *target = t->target;
	struct totals sum = heap_sum(m->heap, target->key);
	const struct memory *memory = &target->memory;
	struct reconcile_input in = {
		.tick = (uint32_t)((now_ns - target->attached_ns) / unit_ns(m)),
		.memory_bytes = (double)(memory->anonymous_bytes + memory->swap_bytes),
		.live_bytes = (double)totals_live_bytes(&sum),
		.live_error_bytes = (double)totals_live_error(&sum),
		.is_traced = target->mode != TARGET_WATCH,
		.predates = !target->coverage.from_start,
	};
	const struct reconciliation *r = &target->reconciliation;

	/* A target may have been attached by a note that this very tick has read. */
	if (memory->rss_bytes == 0 || now_ns < target->attached_ns)
		return;
	reconcile_add(&t->reconcile, &in);
	target->reconciliation = reconcile_get(&t->reconcile);
	target->reconcile_tick_seconds = (double)unit_ns(m) / 1e9;
	target->coverage.has_growth = r->has_total;
	target->coverage.growth_bytes = (uint64_t)llrint(fmax(r->total.growth, 0));
	target->coverage.explained_bytes = (uint64_t)llrint(r->total.explained);
}
