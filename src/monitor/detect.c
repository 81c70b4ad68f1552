// SPDX-License-Identifier: GPL-2.0-or-later
/* The detector's ticks and evaluations. See detect.h. */
#include "monitor/detect.h"

#include <string.h>

#include <event2/event.h>

#include "base/cleanup.h"
#include "base/log.h"
#include "detect/detector.h"
#include "heap/ids.h"
#include "history/history.h"
#include "monitor/handover.h"
#include "monitor/python.h"
#include "monitor/state.h"

/* A life that ended this near to its limit was probably ended by it. */
#define EXHAUSTED_SHARE 0.95

/* The ids under which the history knows a key: of the whole stack, of its innermost own frames, or of the
 * process. */
static bool identify(void *userdata, enum detector_scope scope, const struct site *site,
		     struct detector_ids *ret)
{
	struct tracked *t = userdata;
	struct site *s;

	if (scope == DETECTOR_PROCESS) {
		*ret = (struct detector_ids){ .leak_id = 1, .site_id = 1 };
		return true;
	}
	s = site ? heap_find(t->monitor->heap, site->stack) : NULL;
	if (!s || !names_identify(t->monitor, s))
		return false;
	ret->leak_id = scope == DETECTOR_STACK ? s->leak_id : s->frames_leak_id;
	ret->site_id = scope == DETECTOR_STACK ? s->site_id : s->frames_site_id;
	return true;
}

static bool recall(void *userdata, const struct detector_ids *ids, struct trend_profile *ret)
{
	struct tracked *t = userdata;
	bool is_other_build = false;

	if (!t->monitor->history ||
	    history_find_profile(t->monitor->history, target_service(t->target), ids->leak_id,
				 ids->site_id, ret, &is_other_build) < 0)
		return false;
	if (is_other_build)
		trend_profile_halve(ret);
	return true;
}

static void set_thresholds(struct trend_options *o, const struct detector_thresholds *t,
			   uint64_t tick_ns)
{
	double ticks = (double)t->longest_to_limit_ns / (double)tick_ns;

	if (t->least_confidence > 0)
		o->least_confidence = t->least_confidence;
	if (t->least_blocks > 0)
		o->least_survivors = t->least_blocks;
	if (t->longest_to_limit_ns > 0)
		o->longest_to_limit = ticks > 1 ? ticks : 1;
}

/* Anew for each tick: people mark leaks, and change what they want to be told of. */
static void take_thresholds(struct monitor *m, struct tracked *t)
{
	t->trend = m->trend;
	set_thresholds(&t->trend, &m->options.thresholds, m->options.detector_tick_ns);
	set_thresholds(&t->trend, &t->options.thresholds, m->options.detector_tick_ns);
}

struct detector_options detect_options(struct monitor *m, struct tracked *t)
{
	take_thresholds(m, t);
	return (struct detector_options){
		.trend = &t->trend,
		.tick_ns = m->options.detector_tick_ns,
		.origin_ns = t->target->attached_ns,
		.env = { .identify = identify, .recall = recall, .userdata = t },
	};
}

static int begin(struct monitor *m, struct tracked *t)
{
	const struct detector_options options = detect_options(m, t);

	t->detector = detector_new(&options);
	return t->detector ? 0 : -ENOMEM;
}

/* Calls whose frees may have gone unseen. */
static uint64_t lost_frees(const struct coverage *c)
{
	return c->lost[LOSS_MISSED_FREE] + c->lost[LOSS_MISSED_RETURN] + c->lost[LOSS_MAP_BUSY];
}

/*
 * Without probes on the free functions all the time, any block that was seen may have been freed unseen.
 * That stays so for those blocks when the probes stay.
 */
static void count_unseen_frees(struct tracked *t, struct site *const *sites, size_t n)
{
	uint64_t seen = 0;

	if (t->target->mode != TARGET_WINDOWED && t->target->mode != TARGET_WATCH &&
	    !t->missed_frees)
		return;
	t->missed_frees = false;
	for (size_t i = 0; i < n; i++)
		seen += sites[i]->seen.allocated;
	t->unseen_frees = seen;
}

static double bytes_factor(const struct target *t)
{
	if (t->mode == TARGET_WINDOWED)
		return t->duty_ratio > 0 ? 1 / t->duty_ratio : 0;
	return t->mode == TARGET_WATCH ? 0 : 1;
}

/* A limit that people set is one for the process alone. */
void detect_read_process(const struct tracked *t, struct detector_process *ret)
{
	const struct target *target = t->target;
	const struct memory *memory = &target->memory;
	uint64_t own_limit = t->options.limit_bytes;

	*ret = (struct detector_process){
		.usage_bytes = (double)memory->usage_bytes,
		.limit_bytes = (double)memory->limit_bytes,
		.lost_frees = lost_frees(&target->coverage),
		.bytes_factor = bytes_factor(target),
	};
	if (own_limit && (!memory->limit_bytes || own_limit < memory->limit_bytes)) {
		ret->usage_bytes = (double)(memory->rss_bytes + memory->swap_bytes);
		ret->limit_bytes = (double)own_limit;
	}
}

/* 1: it wants an evaluation. */
static int tick_target(struct monitor *m, struct tracked *t, uint64_t now_ns)
{
	_cleanup_free_ struct site **sites = NULL;
	struct detector_process process;
	size_t n = 0;
	int r;

	if (t->target->state != TARGET_TRACED)
		return 0;
	take_thresholds(m, t);
	if (!t->detector) {
		r = begin(m, t);
		if (r < 0)
			return r;
	}
	detect_read_process(t, &process);
	/* Gone, or its memory cannot be read: the next tick knows more. */
	if (!(process.usage_bytes > 0 && process.limit_bytes > 0))
		return 0;
	t->usage_share = process.usage_bytes / process.limit_bytes;
	r = heap_list(m->heap, t->target->key, &sites, &n);
	if (r < 0)
		return r;
	count_unseen_frees(t, sites, n);
	process.lost_frees += t->unseen_frees;
	r = detector_tick(t->detector, now_ns, &process, sites, n);
	if (r > 0)
		detector_scan_begin(t->detector);
	return r;
}

/* Who waits for a walk would have no more ticks. */
static void abandon_all(struct monitor *m)
{
	struct tracked *t, *next;

	HASH_ITER(by_key, m->tracked, t, next)
		if (t->detector)
			detector_scan_abandon(t->detector);
}

static void tick_all(struct monitor *m)
{
	uint64_t now_ns = monotonic_ns();
	struct tracked *t, *next;
	bool wanted = false;
	int r;

	HASH_ITER(by_key, m->tracked, t, next) {
		r = tick_target(m, t, now_ns);
		if (r < 0)
			log_debug_errno(r, "the detector has no tick of target %s", t->target->id);
		wanted = wanted || r > 0;
	}
	if (!wanted)
		return;
	r = probe_walk_blocks_begin(m->probe);
	if (r < 0) {
		log_debug_errno(r, "failed to walk over the live blocks, judging later");
		abandon_all(m);
		return;
	}
	m->walking = true;
	m->walk_began_ns = now_ns;
	m->walk_ns = 0;
	(void)tick_schedule_work(m);
}

static void on_timer(evutil_socket_t fd, short what, void *userdata)
{
	struct monitor *m = userdata;

	(void)fd;
	(void)what;
	/* One walk at a time; what is late is not made up for, the detector knows gaps. */
	if (m->walking)
		return;
	if (tick_read(m) == 0)
		tick_all(m);
	python_tick(m);
	tell_close_unseen(m);
}

/* --- evaluations --------------------------------------------------------------------------------- */

static int take_block(const struct block_key *key, const struct block *block, void *userdata)
{
	struct monitor *m = userdata;
	uint32_t age = (uint32_t)(m->walk_began_ns >> BLOCK_BIRTH_SHIFT) - block->birth;
	uint64_t age_ns = (uint64_t)age << BLOCK_BIRTH_SHIFT;
	struct tracked *t;
	struct site *s;

	/* Younger than the walk: the number has gone below 0. */
	if ((int32_t)age < 0 || age_ns > m->walk_began_ns)
		return 0;
	t = tracked_find(m, key->target);
	if (!t || !t->detector || !detector_is_scanning(t->detector))
		return 0;
	s = heap_find(m->heap, block->stack);
	if (s)
		detector_scan_block(t->detector, s, m->walk_began_ns - age_ns,
				    (double)(block->size + block->extra));
	return 0;
}

static int evaluate(struct monitor *m, struct tracked *t)
{
	_cleanup_free_ struct site **sites = NULL;
	const struct detector_finding *findings;
	size_t n = 0, n_findings;
	int r;

	r = heap_list(m->heap, t->target->key, &sites, &n);
	if (r == 0)
		r = detector_evaluate(t->detector, sites, n);
	if (r < 0)
		return r;
	n_findings = detector_findings(t->detector, &findings);
	for (size_t i = 0; i < n_findings; i++) {
		int error = tell_finding(m, t, &findings[i]);

		r = error < 0 ? error : r;
	}
	return r;
}

static void evaluate_all(struct monitor *m)
{
	uint64_t began_ns = monotonic_ns();
	struct tracked *t, *next;
	int r;

	HASH_ITER(by_key, m->tracked, t, next) {
		if (!t->detector || !detector_is_scanning(t->detector))
			continue;
		r = evaluate(m, t);
		if (r < 0)
			log_warning_errno(r, "failed to judge target %s, trying again later",
					  t->target->id);
	}
	m->last_evaluation_ns = monotonic_ns() - began_ns;
	handover_save_trends(m);
}

bool detect_step(struct monitor *m)
{
	uint64_t began_ns = monotonic_ns();
	int r;

	if (!m->walking)
		return false;
	r = probe_walk_blocks_step(m->probe, take_block, m);
	m->walk_ns += monotonic_ns() - began_ns;
	if (r > 0)
		return true;
	m->walking = false;
	m->last_walk_ns = m->walk_ns;
	if (r < 0) {
		log_debug_errno(r, "failed to walk over the live blocks, judging later");
		abandon_all(m);
		return false;
	}
	evaluate_all(m);
	return false;
}

/* --- ends ---------------------------------------------------------------------------------------- */

static void save(void *userdata, const struct detector_ids *ids,
		 const struct trend_profile *profile)
{
	struct tracked *t = userdata;
	int r;

	r = history_save_profile(t->monitor->history, target_service(t->target), ids->leak_id,
				 ids->site_id, profile, wall_ms());
	if (r < 0)
		log_debug_errno(r, "failed to keep what target %s has shown", t->target->id);
}

void detect_end(struct monitor *m, struct tracked *t, enum trend_end how)
{
	bool had_python = python_end(m, t, how);

	/* The next life goes on with what was written down. */
	if (m->is_leaving) {
		t->detector = detector_free(t->detector);
		return;
	}
	if (!t->detector) {
		if (had_python)
			tell_ended(m, t);
		return;
	}
	if (how == TREND_ENDED && t->usage_share >= EXHAUSTED_SHARE)
		how = TREND_EXHAUSTED;
	if (m->history)
		detector_end(t->detector, how, save, t);
	t->detector = detector_free(t->detector);
	tell_ended(m, t);
}

void detect_get_info(const struct monitor *m, struct monitor_info *ret)
{
	struct history_stats stats = { 0 };

	for (const struct tracked *t = m->tracked; t; t = t->by_key.next) {
		if (!t->detector)
			continue;
		ret->judged += detector_keys(t->detector);
		ret->left_out += detector_left_out(t->detector);
	}
	if (m->history)
		history_get_stats(m->history, &stats);
	ret->history_bytes = stats.bytes;
	ret->history_lost = stats.lost_records;
	ret->history_error = stats.last_error;
}

int detect_start(struct monitor *m)
{
	uint64_t tick_us = m->options.detector_tick_ns / 1000;
	const struct timeval period = {
		.tv_sec = (time_t)(tick_us / 1000000),
		.tv_usec = (suseconds_t)(tick_us % 1000000),
	};

	m->detect_timer = event_new(m->base, -1, EV_PERSIST, on_timer, m);
	if (!m->detect_timer || event_add(m->detect_timer, &period) < 0)
		return -ENOMEM;
	return 0;
}

void detect_stop(struct monitor *m)
{
	struct tracked *t, *next;

	m->is_stopping = true;
	HASH_ITER(by_key, m->tracked, t, next) {
		detect_end(m, t, TREND_UNWATCHED);
	}
	if (m->detect_timer)
		event_free(m->detect_timer);
	m->detect_timer = NULL;
}
