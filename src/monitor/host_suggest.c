// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * What of the host is worth tracking: for people who ask, for the log, and with auto_track by itself.
 */
#include <math.h>
#include <stdio.h>

#include "base/log.h"
#include "base/words.h"
#include "monitor/host_state.h"

#define AUTO_TRACKED_MAX 4    /* a pass: the first moments of a trace are the dear ones */
#define GROUP_SHARE	 0.25 /* of a cgroup's growth, that the suggested process must have */

/* The growth for which a process is suggested: its own, its cgroup's, or NULL for none. */
static const struct host_growth *growth_of(const struct host_watch *h, const struct host_entry *e)
{
	const struct host_group *g = e->group;
	double own = (double)(e->bytes - e->first_bytes);

	if (tracked_by_pid(h->monitor, e->pid))
		return NULL;
	if (host_growth_is_growing(&e->growth))
		return &e->growth;
	if (!g || g->grower != e || g->n_members < 2 || g->has_growing ||
	    !host_growth_is_growing(&g->growth) || own < GROUP_SHARE * (double)g->growth.amount)
		return NULL;
	return &g->growth;
}

static bool may_grow(const struct host_entry *e)
{
	return host_growth_is_growing(&e->growth) ||
	       (e->group && e->group->grower == e && host_growth_is_growing(&e->group->growth));
}

static double seconds_to_limit(const struct host_watch *h, const struct host_growth *growth,
			       double headroom)
{
	double tick_seconds = (double)h->monitor->options.detector_tick_ns / 1e9;

	return headroom / (double)growth->per_tick * tick_seconds;
}

static void say_why(const struct host_watch *h, const struct host_entry *e,
		    const struct host_growth *growth, struct monitor_suggestion *s)
{
	double tick_seconds = (double)h->monitor->options.detector_tick_ns / 1e9;
	struct words amount = words_bytes((double)growth->amount);
	struct words time = words_duration((h->tick - growth->since) * tick_seconds);
	struct words left = words_duration(s->seconds_to_limit);
	const char *limit =
		s->target->memory.limit_of == MEMORY_LIMIT_CGROUP ? "its cgroup's" : "the host's";

	if (growth == &e->growth)
		(void)snprintf(s->why, sizeof(s->why),
			       "Its memory has grown by %s in %s and keeps growing; at that rate "
			       "%s limit is reached in %s.",
			       amount.text, time.text, limit, left.text);
	else
		(void)snprintf(s->why, sizeof(s->why),
			       "The memory of its cgroup has grown by %s in %s and keeps growing; "
			       "at that rate %s limit is reached in %s. Of %zu processes there "
			       "this one has grown most.",
			       amount.text, time.text, limit, left.text, e->group->n_members);
}

static int describe(const struct host_watch *h, const struct host_entry *e,
		    const struct host_growth *growth, struct monitor_suggestion *ret)
{
	_cleanup_(target_freep) struct target *t = calloc(1, sizeof(*t));
	uint64_t tick_ns = h->monitor->options.detector_tick_ns;
	double headroom;
	int r;

	if (!t)
		return -ENOMEM;
	t->pid = e->pid;
	r = target_describe(t, PROC_ROOT);
	if (r == 0 && t->start_ticks != e->start_ticks)
		r = -ESRCH;
	if (r < 0)
		return r;
	target_refresh(t, PROC_ROOT, CGROUP_ROOT);
	if (t->rss_bytes == 0)
		return -ESRCH;
	headroom = t->memory.is_bounded ? (double)t->memory.headroom_bytes : INFINITY;
	*ret = (struct monitor_suggestion){
		.target = TAKE_PTR(t),
		.bytes_per_hour = (double)growth->per_tick * 3600e9 / (double)tick_ns,
		.seconds_to_limit = seconds_to_limit(h, growth, headroom),
		.since_ns = h->started_ns + growth->since * tick_ns,
	};
	say_why(h, e, growth, ret);
	return 0;
}

struct candidate {
	struct host_entry *entry;
	const struct host_growth *growth;
	double seconds_to_limit;
};

static int compare_candidates(const void *a, const void *b)
{
	const struct candidate *x = a, *y = b;

	if (x->seconds_to_limit != y->seconds_to_limit)
		return x->seconds_to_limit < y->seconds_to_limit ? -1 : 1;
	return (x->entry->pid > y->entry->pid) - (x->entry->pid < y->entry->pid);
}

/* Those that grow, the nearest to a limit first. */
static int list_candidates(const struct host_watch *h, struct candidate **ret, size_t *ret_n)
{
	_cleanup_free_ struct candidate *list = NULL;
	size_t n = 0, room = 0;

	for (struct host_entry *e = h->entries; e; e = e->by_pid.next) {
		const struct host_growth *growth = may_grow(e) ? growth_of(h, e) : NULL;
		double headroom;

		if (!growth)
			continue;
		headroom = growth == &e->growth ? (double)e->headroom : e->group->headroom;
		if (n == room) {
			struct candidate *larger;

			room = room ? 2 * room : 16;
			larger = reallocarray(list, room, sizeof(*list));
			if (!larger)
				return -ENOMEM;
			list = larger;
		}
		list[n++] = (struct candidate){ e, growth, seconds_to_limit(h, growth, headroom) };
	}
	if (n)
		qsort(list, n, sizeof(*list), compare_candidates);
	*ret = TAKE_PTR(list);
	*ret_n = n;
	return 0;
}

struct monitor_suggestion *monitor_suggestions_free(struct monitor_suggestion *list, size_t n)
{
	for (size_t i = 0; i < n; i++)
		target_free(list[i].target);
	free(list);
	return NULL;
}

int monitor_suggestions(struct monitor *m, const uid_t *only, struct monitor_suggestion **ret,
			size_t *ret_n)
{
	_cleanup_free_ struct candidate *candidates = NULL;
	struct monitor_suggestion *list;
	size_t n_candidates = 0, n = 0;
	int r;

	list = calloc(MONITOR_SUGGESTIONS, sizeof(*list));
	if (!list)
		return -ENOMEM;
	r = m->host ? list_candidates(m->host, &candidates, &n_candidates) : 0;
	for (size_t i = 0; r == 0 && i < n_candidates && n < MONITOR_SUGGESTIONS; i++) {
		r = describe(m->host, candidates[i].entry, candidates[i].growth, &list[n]);
		if (r == 0 && only && list[n].target->uid != *only)
			list[n].target = target_free(list[n].target);
		else if (r == 0)
			n++;
		/* Else it has exited since, or is about to. */
		if (r != -ENOMEM)
			r = 0;
	}
	if (r < 0) {
		monitor_suggestions_free(list, n);
		return r;
	}
	*ret = list;
	*ret_n = n;
	return 0;
}

/* --- tracking by itself --------------------------------------------------------------------------- */

/* 1: tracked now, or never to be; 0: later, perhaps. */
static int auto_track(struct host_watch *h, struct host_entry *e,
		      const struct monitor_suggestion *s)
{
	static const struct track_options governed = { .mode = TRACK_GOVERNED };
	struct selector *selector = NULL;
	char text[16];
	int r;

	(void)snprintf(text, sizeof(text), "%d", (int)e->pid);
	r = selector_parse(text, &selector, NULL);
	if (r == 0)
		r = monitor_track(h->monitor, selector, &governed, NULL, NULL);
	if (r == -ENOSPC) {
		if (!e->is_told)
			log_warning("pid %d (%s) is not tracked by itself: as many processes are "
				    "tracked as --max-targets allows. %s",
				    (int)e->pid, s->target->comm, s->why);
		return 0;
	}
	e->was_tracked = true;
	if (r < 0)
		log_warning_errno(r, "failed to track pid %d (%s), which grows, skipping it",
				  (int)e->pid, s->target->comm);
	else
		log_info("tracking pid %d (%s) by itself. %s", (int)e->pid, s->target->comm,
			 s->why);
	return 1;
}

static bool has_budget(struct monitor *m)
{
	return governor_total_ratio(&m->total, monotonic_ns()) < m->options.total_budget_ratio;
}

static void tell(struct host_watch *h, struct host_entry *e, const struct host_growth *growth,
		 size_t *left)
{
	struct monitor_suggestion s = { 0 };
	bool wants = h->monitor->options.auto_track && !e->was_tracked && *left > 0;

	if ((e->is_told && !wants) || describe(h, e, growth, &s) < 0)
		return;
	if (!e->is_told && !wants)
		log_info("pid %d (%s) may be worth tracking. %s", (int)e->pid, s.target->comm,
			 s.why);
	if (wants)
		*left -= (size_t)auto_track(h, e, &s);
	e->is_told = true;
	target_free(s.target);
}

void host_suggest(struct host_watch *h)
{
	_cleanup_free_ struct candidate *candidates = NULL;
	size_t n = 0, left = has_budget(h->monitor) ? AUTO_TRACKED_MAX : 0;

	if (list_candidates(h, &candidates, &n) < 0)
		return;
	for (size_t i = 0; i < n && i < MONITOR_SUGGESTIONS; i++)
		tell(h, candidates[i].entry, candidates[i].growth, &left);
}
