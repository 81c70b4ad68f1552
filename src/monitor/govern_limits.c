// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * What the governor of a target is given to decide by: what its hits cost, and what it may spend.
 */
#include "monitor/state.h"

#define MULTI_REMOVAL_NS 50000000ull /* until it is measured: of uprobe_multi and session links */

#define MIN_WINDOW_NS 5000000ull /* the time that removing takes comes on top */

#define WATCH_RATIO 0.5 /* of what a window costs, for watching the frees of its blocks */

/* The dearest place of a kind decides: which function a target calls most is not known. */
static bool is_stepped(const struct monitor *m, const struct tracked *t, enum hook_kind kind)
{
	for (size_t i = 0; i < t->n_slots; i++) {
		const struct file_state *s = m->states[t->slots[i]];

		for (size_t k = 0; s && s->is_allocator && k < s->n_points; k++)
			if (s->points[k].kind == kind && !s->points[k].emulated)
				return true;
	}
	return false;
}

struct governor_prices govern_prices(struct monitor *m, const struct tracked *t)
{
	const struct monitor_prices here = monitor_get_prices(m);
	double alloc_step = is_stepped(m, t, HOOK_MALLOC) ? here.single_step_ns : 0;
	double free_step = is_stepped(m, t, HOOK_FREE) ? here.single_step_ns : 0;

	return (struct governor_prices){
		.skip_ns = here.allocation_ns + alloc_step,
		.return_ns = here.return_ns,
		.block_ns = here.block_ns,
		.free_ns = here.free_ns + free_step,
		.attach_ns = here.window_ns,
	};
}

struct governor_limits govern_limits(const struct monitor *m, const struct track_options *o)
{
	long n_cpus = sysconf(_SC_NPROCESSORS_ONLN);
	struct governor_limits l = governor_default_limits(n_cpus > 0 ? (uint32_t)n_cpus : 1);

	l.budget_ratio = o->budget_ratio > 0 ? o->budget_ratio : m->options.budget_ratio;
	if (l.burst_ratio < l.budget_ratio)
		l.burst_ratio = l.budget_ratio;
	l.watch_ratio = WATCH_RATIO;
	l.min_window_ns = MIN_WINDOW_NS;
	if (probe_get_features(m->probe)->links != PROBE_LINKS_PERF)
		l.removal_ns = MULTI_REMOVAL_NS;
	l.interval_bytes = m->options.sampling_interval;
	if (l.max_interval_bytes < l.interval_bytes)
		l.max_interval_bytes = l.interval_bytes;
	l.is_forced = o->mode != TRACK_GOVERNED;
	l.forced_mode = o->mode == TRACK_EXACT ? GOVERNOR_EXACT : GOVERNOR_SAMPLED;
	if (o->mode == TRACK_SAMPLED)
		l.forced_interval_bytes = o->sampling_interval ?: m->options.sampling_interval;
	return l;
}

enum target_mode govern_target_mode(enum governor_mode mode)
{
	switch (mode) {
	case GOVERNOR_EXACT:
		return TARGET_EXACT;
	case GOVERNOR_SAMPLED:
		return TARGET_SAMPLED;
	case GOVERNOR_WINDOWED:
		return TARGET_WINDOWED;
	default:
		return TARGET_WATCH;
	}
}
