// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The manager: makes its parts, runs the timer, and answers what its users ask.
 */
#include "monitor.h"

#include <malloc.h>
#include <signal.h>
#include <string.h>

#include <event2/event.h>

#include "base/fd_store.h"
#include "base/log.h"
#include "monitor/detect.h"
#include "monitor/handover.h"
#include "monitor/python.h"
#include "monitor/state.h"

#define SECOND_NS 1000000000ull

_Static_assert(DETECTOR_TICK_MIN_NS == AGE_TICK_MIN_NS, "the same least tick");

const char *const monitor_link_words[] = { "session", "multi", "perf", NULL };

void monitor_fill_defaults(struct monitor_options *o)
{
	o->tick_ns = o->tick_ns ?: 10 * SECOND_NS;
	o->detector_tick_ns = o->detector_tick_ns ?: 60 * SECOND_NS;
	o->census_budget_ratio = o->census_budget_ratio > 0 ? o->census_budget_ratio : 0.005;
	o->max_blocks = o->max_blocks ?: 1u << 20;
	o->max_sites = o->max_sites ?: 1u << 16;
	o->max_threads = o->max_threads ?: 1u << 14;
	o->max_frames = o->max_frames ?: 48;
	o->max_targets = o->max_targets ?: 500;
	o->ring_bytes = o->ring_bytes ?: 256u << 10;
	o->budget_ratio = o->budget_ratio > 0 ? o->budget_ratio : 0.02;
	o->total_budget_ratio = o->total_budget_ratio > 0 ? o->total_budget_ratio : 0.05;
	o->sampling_interval = o->sampling_interval ?: 64u << 10;
	o->detector_tick_ns = o->detector_tick_ns ?: 60 * SECOND_NS;
}

static void refresh_mappings(struct monitor *m)
{
	struct tracked *t, *next;

	m->refresh_wanted = false;
	HASH_ITER(by_key, m->tracked, t, next)
		if (t->mappings_stale &&
		    (t->target->state == TARGET_TRACED || t->target->state == TARGET_ATTACHING))
			(void)mappings_refresh(m, t);
	attach_advance(m);
}

/* New processes of lasting selectors, lost notes, mappings that changed without a note. */
static void look_around(struct monitor *m)
{
	struct tracked *t, *next;
	int r;

	life_reconcile(m);
	life_collect_orphans(m);
	for (struct watch *w = m->watches; w; w = w->next) {
		if (!selector_is_lasting(w->selector))
			continue;
		r = life_search(m, w, NULL, NULL);
		if (r < 0)
			log_warning_errno(r, "failed to start all processes of %s, trying again",
					  w->selector->text);
	}
	HASH_ITER(by_key, m->tracked, t, next) {
		if (m->ticks % MAPPING_REFRESH_TICKS == 0 || mappings_missing(m, t) < 0)
			t->mappings_stale = true;
		attach_again(m, t);
	}
	refresh_mappings(m);
}

int monitor_read(struct monitor *m)
{
	return tick_read(m);
}

int monitor_tick(struct monitor *m)
{
	int r;

	look_around(m);
	r = tick_read(m);
	if (r < 0 && !m->tick_failed)
		log_error_errno(r, "failed to read the maps, figures are those of the last tick");
	m->tick_failed = r < 0;
	m->ticks++;
	points_take(m);
	life_forget_exited(m);
	handover_save(m);
	if (m->on_tick)
		m->on_tick(m->on_tick_userdata);
	return r;
}

static void on_tick_timer(evutil_socket_t fd, short what, void *userdata)
{
	(void)fd;
	(void)what;
	(void)monitor_tick(userdata);
}

static void on_notes(evutil_socket_t fd, short what, void *userdata)
{
	struct monitor *m = userdata;
	int r;

	(void)fd;
	(void)what;
	r = probe_read_notes(m->probe);
	if (r < 0)
		log_debug_errno(r, "failed to read notes, ignoring");
	if (tick_schedule_work(m) < 0)
		log_debug("failed to schedule work, the next tick does it");
}

static void on_work(evutil_socket_t fd, short what, void *userdata)
{
	struct monitor *m = userdata;
	int r;

	(void)fd;
	(void)what;
	if (m->final_read_wanted) {
		r = tick_read(m);
		if (r < 0)
			log_debug_errno(r, "failed to read the maps of a target that exited");
	}
	if (m->refresh_wanted)
		refresh_mappings(m);
	if (m->purging) {
		m->purging = probe_purge_step(m->probe) > 0;
		/* What a large target has taken goes back to the system. */
		if (!m->purging)
			(void)malloc_trim(0);
	}
	(void)detect_step(m);
	if (m->flush_wanted)
		keep_flush(m);
	if (m->handover && m->handover->is_wanted)
		handover_save(m);
	if (tick_schedule_work(m) < 0)
		log_debug("failed to schedule work, the next tick does it");
}

static int make_events(struct monitor *m)
{
	struct timeval period = {
		.tv_sec = (time_t)(m->options.tick_ns / SECOND_NS),
		.tv_usec = (suseconds_t)(m->options.tick_ns % SECOND_NS / 1000),
	};

	m->tick_timer = event_new(m->base, -1, EV_PERSIST, on_tick_timer, m);
	m->work_event = event_new(m->base, -1, 0, on_work, m);
	m->notes_event =
		event_new(m->base, probe_notes_fd(m->probe), EV_READ | EV_PERSIST, on_notes, m);
	if (!m->tick_timer || !m->work_event || !m->notes_event)
		return -ENOMEM;
	if (event_add(m->tick_timer, &period) < 0 || event_add(m->notes_event, NULL) < 0)
		return -ENOMEM;
	return windows_listen(m);
}

int monitor_new(struct event_base *base, const struct monitor_options *options,
		struct monitor **ret, const char **ret_why)
{
	_cleanup_(monitor_freep) struct monitor *m = NULL;
	struct probe_options probe_options;
	const char *why = NULL;
	int r;

	if (!ret_why)
		ret_why = &why;
	*ret_why = NULL;
	m = calloc(1, sizeof(*m));
	if (!m)
		return -ENOMEM;
	m->base = base;
	if (options)
		m->options = *options;
	monitor_fill_defaults(&m->options);
	m->files = file_table_new();
	m->heap = heap_new();
	if (!m->files || !m->heap)
		return -ENOMEM;
	r = symbolizer_new(base, m->files, NULL, &m->symbolizer);
	if (r < 0)
		return r;
	probe_options = (struct probe_options){
		.max_blocks = m->options.max_blocks,
		.max_sites = m->options.max_sites,
		.max_threads = m->options.max_threads,
		.max_targets = m->options.max_targets,
		.max_frames = m->options.max_frames,
		.ring_bytes = m->options.ring_bytes,
		.age_tick_ns = m->options.detector_tick_ns,
		.force_links = m->options.force_links,
		.store = m->options.store && fd_store_keeps(m->options.store) ? m->options.store :
										NULL,
	};
	r = probe_new(&probe_options, &m->probe, ret_why);
	if (r < 0)
		return r;
	governor_total_init(&m->total, m->options.total_budget_ratio, monotonic_ns());
	anonymous_prepare(m);
	r = probe_listen(m->probe, life_note, m);
	if (r == 0)
		r = make_events(m);
	if (r == 0)
		r = tell_start(m);
	if (r == 0)
		r = snapshots_start(m);
	if (r == 0)
		r = python_start(m);
	if (r == 0)
		r = detect_start(m);
	if (r == 0 && m->options.watch_host)
		r = host_start(m);
	if (r == 0)
		r = handover_start(m);
	if (r < 0)
		return r;
	*ret = TAKE_PTR(m);
	return 0;
}

static void free_events(struct monitor *m)
{
	struct event *const events[] = { m->tick_timer,	   m->work_event,   m->notes_event,
					 m->windows_event, m->revive_timer, m->prices_event,
					 m->prices_timer,  m->python_timer };

	for (size_t i = 0; i < ARRAY_SIZE(events); i++)
		if (events[i])
			event_free(events[i]);
}

struct monitor *monitor_free(struct monitor *m)
{
	struct watch *w;

	if (!m)
		return NULL;
	handover_leave(m);
	host_stop(m);
	free_events(m);
	detect_stop(m);
	tracked_drop_all_links(m, NULL);
	while (m->tracked)
		tracked_remove(m, m->tracked);
	probe_links_free_all(m->probe, m->file_links, m->n_file_links);
	free(m->file_links);
	while ((w = m->watches)) {
		life_unlink_watch(m, w);
	}
	snapshots_stop(m);
	python_stop(m);
	free(m->list);
	free(m->orphans);
	symbolizer_free(m->symbolizer);
	tell_stop(m);
	probe_free(m->probe);
	handover_stop(m);
	for (size_t i = 0; i < ARRAY_SIZE(m->states); i++) {
		if (!m->states[i])
			continue;
		free(m->states[i]->points);
		free(m->states[i]->interpreter);
		free(m->states[i]);
	}
	heap_free(m->heap);
	file_table_free(m->files);
	free(m);
	return NULL;
}

size_t monitor_targets(const struct monitor *m, struct target *const **ret)
{
	*ret = m->list;
	return m->n_list;
}

struct target *monitor_find_target(const struct monitor *m, const char *id)
{
	for (size_t i = 0; i < m->n_list; i++)
		if (strcmp(m->list[i]->id, id) == 0)
			return m->list[i];
	return NULL;
}

struct target *monitor_target_by_key(const struct monitor *m, uint32_t key)
{
	struct tracked *t = tracked_find(m, key);

	return t ? t->target : NULL;
}

struct heap *monitor_heap(struct monitor *m)
{
	return m->heap;
}

struct symbolizer *monitor_symbolizer(struct monitor *m)
{
	return m->symbolizer;
}

struct alert_book *monitor_alerts(struct monitor *m)
{
	return m->alerts;
}

struct events *monitor_events(struct monitor *m)
{
	return m->events;
}

struct history *monitor_history(struct monitor *m)
{
	return m->history;
}

void monitor_on_alert(struct monitor *m,
		      void (*callback)(int event, const struct alert *a, void *userdata),
		      void *userdata)
{
	m->on_alert = callback;
	m->on_alert_userdata = userdata;
}

void monitor_on_tick(struct monitor *m, void (*callback)(void *userdata), void *userdata)
{
	m->on_tick = callback;
	m->on_tick_userdata = userdata;
}

int monitor_scan_ages(struct monitor *m)
{
	int r;

	if (m->scanned_at_tick == m->ticks + 1)
		return 0;
	r = ages_scan(m);
	if (r == 0)
		m->scanned_at_tick = m->ticks + 1;
	return r;
}

void monitor_get_info(const struct monitor *m, struct monitor_info *ret)
{
	const struct probe_features *f = probe_get_features(m->probe);

	*ret = (struct monitor_info){
		.links = probe_links_name(f->links),
		.preempt_disable = f->preempt_disable,
		.find_vma = f->find_vma,
		.map_prealloc = f->map_prealloc,
		.tick_ns = m->options.tick_ns,
		.last_tick_ns = m->last_tick_ns,
		.ticks = m->ticks,
		.max_blocks = m->options.max_blocks,
		.max_sites = m->options.max_sites,
		.max_threads = m->options.max_threads,
		.max_frames = m->options.max_frames,
		.max_targets = m->options.max_targets,
		.live_blocks = m->n_blocks,
		.sites = m->n_sites,
		.budget_ratio = m->options.budget_ratio,
		.total_budget_ratio = m->options.total_budget_ratio,
		.total_cost_ratio = governor_total_ratio(&m->total, monotonic_ns()),
		.sampling_interval = m->options.sampling_interval,
		.detector_tick_ns = m->options.detector_tick_ns,
		.last_evaluation_ns = m->last_evaluation_ns,
		.last_walk_ns = m->last_walk_ns,
		.has_history = m->history,
	};
	detect_get_info(m, ret);
}
