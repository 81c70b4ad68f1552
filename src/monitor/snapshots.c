// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Snapshots: taken, kept in the history once their frames have names, and read from it at the start.
 */
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "heap/naming.h"
#include "monitor/state.h"

/* A snapshot whose frames have no names yet. */
struct keeping {
	struct monitor *monitor; /* borrowed */
	char *name;		 /* owned */
	uint64_t time_ns;	 /* of the snapshot: the name may be another one's by then */
	void (*done)(void *userdata);
	void *userdata;
	struct keeping *next;
};

const struct monitor_snapshot *monitor_find_snapshot(const struct monitor *m, const char *name)
{
	return snapshot_list_find(&m->snapshots, name);
}

size_t monitor_snapshots(const struct monitor *m, const struct monitor_snapshot **ret)
{
	*ret = m->snapshots.items;
	return m->snapshots.n;
}

int monitor_open_snapshot(const struct monitor_snapshot *s, struct kept_snapshot **ret)
{
	return snapshot_list_open(s, ret);
}

/* --- taking -------------------------------------------------------------------------------------- */

/* Of all targets: since the monitor runs. */
static struct timespec since(const struct monitor *m, const struct target *t)
{
	uint64_t now = monotonic_ns(), wall = clock_ns(CLOCK_REALTIME);
	uint64_t began = t ? t->attached_ns : m->started_ns;
	uint64_t ago = began && now > began ? now - began : 0;

	return timespec_from_ns(wall > ago ? wall - ago : 0);
}

static int take(struct monitor *m, const char *name, uint32_t target, struct snapshot **ret)
{
	const struct target *t = target ? monitor_target_by_key(m, target) : NULL;
	struct snapshot_head *head;
	int r;

	r = snapshot_take(m->heap, target, name, timespec_from_ns(clock_ns(CLOCK_REALTIME)),
			  monotonic_ns(), ret);
	if (r < 0)
		return r;
	head = &(*ret)->head;
	head->since = since(m, t);
	if (!t)
		return 0;
	memcpy(head->target_id, t->id, sizeof(head->target_id));
	head->pid = t->pid;
	head->start_ticks = t->start_ticks;
	head->uid = t->uid;
	return 0;
}

int monitor_snapshot(struct monitor *m, const char *name, uint32_t target,
		     const struct monitor_snapshot **ret)
{
	struct snapshot *s;
	int r;

	r = snapshot_list_check(&m->snapshots, name);
	if (r == 0 && target && !monitor_target_by_key(m, target))
		r = -ESRCH;
	/* The maps as they are now, not as they were at the last tick. */
	if (r == 0)
		r = tick_read(m);
	if (r == 0)
		r = take(m, name, target, &s);
	return r < 0 ? r : snapshot_list_add(&m->snapshots, s, ret);
}

int monitor_take_present(struct monitor *m, uint32_t target, struct monitor_snapshot *ret)
{
	struct snapshot *s;
	int r;

	/* If it fails, the present is that of the last tick. */
	(void)tick_read(m);
	r = take(m, "now", target, &s);
	return r < 0 ? r : snapshot_list_describe(s, ret);
}

/* --- keeping ------------------------------------------------------------------------------------- */

static void keeping_free(struct keeping *k)
{
	free(k->name);
	free(k);
}

/* With the names that are known by now. Frees @k, and tells who waits. */
static void keep(struct keeping *k)
{
	struct monitor *m = k->monitor;
	const struct monitor_snapshot *s = monitor_find_snapshot(m, k->name);
	struct keeping **at = &m->keepings;
	int r;

	while (*at != k)
		at = &(*at)->next;
	*at = k->next;
	/* It may have been dropped meanwhile. */
	if (s && s->taken && s->taken->time_ns == k->time_ns) {
		r = snapshot_list_keep(&m->snapshots, m->history, m->symbolizer, k->name);
		if (r < 0)
			log_warning_errno(r,
					  "the snapshot %s is not kept in the history, it is gone "
					  "when seepd ends",
					  k->name);
	}
	k->done(k->userdata);
	keeping_free(k);
}

static void on_names(void *userdata)
{
	keep(userdata);
}

static int ask_for_names(struct monitor *m, const struct snapshot *s, struct keeping *k)
{
	_cleanup_(naming_freep) struct naming *naming = NULL;
	_cleanup_free_ uint64_t *frames = NULL;
	size_t n;
	int r;

	r = naming_of_snapshot(s, &naming);
	if (r == 0)
		r = naming_unknown(naming, m->symbolizer, &frames, &n);
	if (r < 0)
		return r;
	return symbolizer_resolve(m->symbolizer, frames, n, on_names, k);
}

int monitor_keep_snapshot(struct monitor *m, const char *name, void (*done)(void *userdata),
			  void *userdata)
{
	const struct monitor_snapshot *s = monitor_find_snapshot(m, name);
	struct keeping *k;
	int r;

	if (!m->history)
		return -EOPNOTSUPP;
	if (!s || !s->taken)
		return -ENOENT;
	k = calloc(1, sizeof(*k));
	if (!k)
		return -ENOMEM;
	*k = (struct keeping){
		.monitor = m,
		.name = strdup(name),
		.time_ns = s->taken->time_ns,
		.done = done,
		.userdata = userdata,
		.next = m->keepings,
	};
	r = k->name ? ask_for_names(m, s->taken, k) : -ENOMEM;
	if (r < 0) {
		log_warning_errno(r, "the snapshot %s is not kept in the history", name);
		keeping_free(k);
		return r;
	}
	m->keepings = k;
	return 0;
}

int monitor_drop_snapshot(struct monitor *m, const char *name)
{
	return snapshot_list_drop(&m->snapshots, m->history, name);
}

int snapshots_start(struct monitor *m)
{
	int r = m->history ? snapshot_list_restore(&m->snapshots, m->history) : 0;

	if (r < 0 && r != -ENOMEM) {
		log_warning_errno(r, "the snapshots of the history could not be read as a whole");
		return 0;
	}
	return r;
}

void snapshots_stop(struct monitor *m)
{
	while (m->keepings)
		keep(m->keepings);
	snapshot_list_done(&m->snapshots);
}
