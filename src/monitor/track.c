// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * What users ask of the monitor: track, untrack, and probes set ahead of a command.
 */
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "base/log.h"
#include "monitor/handover.h"
#include "monitor/state.h"

static struct watch *find_watch(const struct monitor *m, const char *text)
{
	for (struct watch *w = m->watches; w; w = w->next)
		if (strcmp(w->selector->text, text) == 0)
			return w;
	return NULL;
}

static int check_pid(const struct monitor *m, const struct selector *s)
{
	struct proc_stat stat;
	int r;

	if (s->kind != SELECTOR_PID)
		return 0;
	if (s->pid == 1 || s->pid == getpid())
		return -EPERM;
	if (tracked_by_pid(m, s->pid))
		return -EEXIST;
	r = procfs_stat(PROC_ROOT, s->pid, &stat);
	if (r < 0)
		return r;
	return stat.state == 'Z' || stat.state == 'X' ? -ESRCH : 0;
}

int monitor_track(struct monitor *m, struct selector *selector, const struct track_options *options,
		  struct target ***ret_targets, size_t *ret_n)
{
	_cleanup_(selector_freep) struct selector *s = selector;
	struct watch *w;
	int r;

	r = check_pid(m, s);
	if (r < 0)
		return r;
	if (find_watch(m, s->text))
		return -EEXIST;
	w = calloc(1, sizeof(*w));
	if (!w)
		return -ENOMEM;
	w->selector = TAKE_PTR(s);
	w->options = *options;
	w->next = m->watches;
	m->watches = w;
	r = life_search(m, w, ret_targets, ret_n);
	if (r < 0)
		(void)monitor_untrack(m, w->selector->text);
	handover_save(m);
	return r;
}

/* Disarmed first: what happens while the links are taken down is not half seen. */
static void disarm(struct monitor *m, const struct tracked *t)
{
	(void)probe_disarm(m->probe, t->target->pid, t->target->key);
}

static void stop_target(struct monitor *m, struct tracked *t)
{
	disarm(m, t);
	govern_end(t);
	tracked_drop_links(m, t);
	if (!t->purged && probe_purge_start(m->probe, t->target->key) < 0)
		log_debug("failed to forget target %s, ignoring", t->target->id);
	m->purging = true;
	log_info("no longer tracing pid %d (%s)", (int)t->target->pid, t->target->comm);
	tracked_remove(m, t);
}

static void stop_all_of(struct monitor *m, const struct watch *w)
{
	struct tracked *t, *next;

	HASH_ITER(by_key, m->tracked, t, next)
		if (t->watch == w)
			disarm(m, t);
	tracked_drop_all_links(m, w);
	HASH_ITER(by_key, m->tracked, t, next)
		if (t->watch == w)
			stop_target(m, t);
}

/* One process of a selector that goes on: it would be found again at the next tick. */
static int leave_out(struct watch *w, const struct target *target)
{
	struct process_name *grown;

	if (!w || !selector_is_lasting(w->selector))
		return 0;
	grown = reallocarray(w->left_out, w->n_left_out + 1, sizeof(*grown));
	if (!grown)
		return -ENOMEM;
	w->left_out = grown;
	grown[w->n_left_out++] = (struct process_name){
		.pid = target->pid,
		.start_ticks = target->start_ticks,
	};
	return 0;
}

int monitor_untrack(struct monitor *m, const char *text)
{
	struct target *target = monitor_find_target(m, text);
	struct watch *w = find_watch(m, text);
	struct tracked *t;

	if (target) {
		t = tracked_find(m, target->key);
		w = t->watch;
		if (leave_out(w, target) < 0)
			return -ENOMEM;
		stop_target(m, t);
		life_end_watch_of(m, w);
		handover_save(m);
		return tick_schedule_work(m);
	}
	if (!w)
		return -ENOENT;
	stop_all_of(m, w);
	life_unlink_watch(m, w);
	handover_save(m);
	return tick_schedule_work(m);
}

int monitor_retune(struct monitor *m, const char *text, const struct track_options *options)
{
	struct watch *w = find_watch(m, text);

	if (!w)
		return -ENOENT;
	w->options = *options;
	for (struct tracked *t = m->tracked; t; t = t->by_key.next) {
		if (t->watch != w)
			continue;
		t->options = *options;
		govern_retune(t);
	}
	handover_touch(m);
	return 0;
}

void monitor_set_budgets(struct monitor *m, const struct monitor_budgets *budgets)
{
	m->options.budget_ratio = budgets->budget_ratio;
	m->options.total_budget_ratio = budgets->total_budget_ratio;
	m->options.sampling_interval = budgets->sampling_interval;
	monitor_fill_defaults(&m->options);
	governor_total_change(&m->total, m->options.total_budget_ratio);
	for (struct tracked *t = m->tracked; t; t = t->by_key.next)
		govern_retune(t);
}

void monitor_set_thresholds(struct monitor *m, const struct detector_thresholds *thresholds)
{
	m->options.thresholds = *thresholds;
}

/* --- probes set ahead of a command ---------------------------------------------------------------- */

int monitor_add_file(struct monitor *m, const char *path, int fd, uint16_t *ret_slot)
{
	return files_add_opened(m, path, fd, ret_slot);
}

bool monitor_is_busy(const struct monitor *m)
{
	for (uint16_t slot = 1; slot <= FILE_SLOT_MAX; slot++)
		if (!files_ready(m, slot))
			return true;
	return false;
}

bool monitor_is_allocator(const struct monitor *m, uint16_t slot)
{
	return slot <= FILE_SLOT_MAX && m->states[slot] && m->states[slot]->is_allocator;
}

bool monitor_has_hooks(const struct monitor *m, uint16_t slot)
{
	return slot <= FILE_SLOT_MAX && m->states[slot] && m->states[slot]->points;
}

int monitor_probe_file(struct monitor *m, uint16_t slot, pid_t pid)
{
	const struct file *file = file_table_get(m->files, slot);
	_cleanup_(probe_links_freep) struct probe_links *links = NULL;
	struct probe_links **grown;
	int r;

	if (!file || !monitor_has_hooks(m, slot))
		return -ENOENT;
	r = probe_attach(m->probe, 0, pid, file->fd, m->states[slot]->points,
			 m->states[slot]->n_points, &links);
	if (r < 0)
		return r;
	grown = reallocarray(m->file_links, m->n_file_links + 1, sizeof(*grown));
	if (!grown)
		return -ENOMEM;
	m->file_links = grown;
	m->file_links[m->n_file_links++] = TAKE_PTR(links);
	m->states[slot]->probed_pid = pid ? pid : PROBED_EVERYWHERE;
	return 0;
}

int monitor_adopt(struct monitor *m, pid_t pid, const struct track_options *options,
		  struct target **ret)
{
	struct tracked *t;
	uint32_t key;
	int r;

	r = probe_new_target(m->probe, &key);
	if (r < 0)
		return r;
	t = tracked_new(m, key, pid, NULL, 0);
	if (!t)
		return -ENOMEM;
	t->options = *options;
	t->options.follow = true;
	t->from_start = true;
	r = target_describe(t->target, PROC_ROOT);
	if (r == 0)
		r = govern_begin(m, t);
	t->armed_by_kernel = true;
	if (r == 0)
		r = probe_arm(m->probe, pid, key, TARGET_FOLLOW, 0);
	if (r < 0) {
		tracked_remove(m, t);
		return r;
	}
	govern_attached(t);
	t->target->state = TARGET_TRACED;
	t->target->attached_ns = monotonic_ns();
	*ret = t->target;
	return 0;
}

size_t monitor_selectors(const struct monitor *m, struct monitor_selector *list, size_t max)
{
	size_t n = 0;

	for (const struct watch *w = m->watches; w; w = w->next, n++) {
		if (n >= max)
			continue;
		list[n] = (struct monitor_selector){
			.text = w->selector->text,
			.follow = w->options.follow,
			.is_configured = w->options.is_configured,
		};
		for (const struct tracked *t = m->tracked; t; t = t->by_key.next)
			list[n].n_targets += t->watch == w;
	}
	return n;
}
