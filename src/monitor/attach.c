// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * From a process to probes in it.
 *
 * The order: read its mappings, have the files looked at, publish mappings and tables, set the
 * probes, arm. Nothing is counted before all is ready, so that the first block that is counted has
 * its whole stack and its free will be seen. (A file that cannot be looked at for want of something is
 * waited for only if no other one has an allocator: stacks that lead through it are cut until then.)
 */
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "base/log.h"
#include "monitor/handover.h"
#include "monitor/state.h"

#define STARTING_SECONDS 5

void attach_failed(struct tracked *t, const char *format, ...)
{
	_cleanup_free_ char *before = t->target->error;
	va_list args;
	int n;

	va_start(args, format);
	n = vasprintf(&t->target->error, format, args);
	va_end(args);
	if (n < 0)
		t->target->error = NULL;
	t->target->state = TARGET_FAILED;
	t->target->mode = TARGET_WATCH;
	t->is_tried_again = false;
	/* One that is tried again and again says it once. */
	if (before && t->target->error && strcmp(before, t->target->error) == 0)
		return;
	log_warning("cannot trace pid %d (%s): %s", (int)t->target->pid, t->target->comm,
		    t->target->error ? t->target->error : "out of memory");
}

/* What is set up stays: it is gone on with at the next tick, if only descriptors or memory were wanting. */
static void fail_for_now(struct tracked *t, const char *what, int error)
{
	attach_failed(t, "%s failed: %s", what, strerror(-error));
	t->is_tried_again = files_is_passing(error);
}

void attach_again(struct monitor *m, struct tracked *t)
{
	if (t->target->state != TARGET_FAILED || !t->is_tried_again)
		return;
	t->target->state = TARGET_ATTACHING;
	if (attach_start(m, t) < 0)
		t->target->state = TARGET_FAILED;
}

void attach_later(struct monitor *m, struct tracked *t)
{
	t->mappings_stale = true;
	m->refresh_wanted = true;
	if (tick_schedule_work(m) < 0)
		log_debug("failed to schedule work, the next tick does it");
}

static int note_allocator(struct target *target, const char *path)
{
	char **grown;

	for (size_t i = 0; i < target->n_allocators; i++)
		if (strcmp(target->allocators[i], path) == 0)
			return 0; /* of an earlier try */
	grown = reallocarray(target->allocators, target->n_allocators + 1, sizeof(*grown));
	if (!grown)
		return -ENOMEM;
	target->allocators = grown;
	grown[target->n_allocators] = strdup(path);
	if (!grown[target->n_allocators])
		return -ENOMEM;
	target->n_allocators++;
	return 0;
}

static bool has_links(const struct tracked *t, uint16_t slot)
{
	for (size_t i = 0; i < t->n_links; i++)
		if (t->link_slots[i] == slot)
			return true;
	return false;
}

static int keep_links(struct tracked *t, uint16_t slot, struct probe_links *links)
{
	struct probe_links **grown;
	uint16_t *slots;

	grown = reallocarray(t->links, t->n_links + 1, sizeof(*grown));
	if (!grown)
		return -ENOMEM;
	t->links = grown;
	slots = reallocarray(t->link_slots, t->n_links + 1, sizeof(*slots));
	if (!slots)
		return -ENOMEM;
	t->link_slots = slots;
	t->links[t->n_links] = links;
	t->link_slots[t->n_links++] = slot;
	return 0;
}

static bool is_probed_ahead(const struct file_state *s, const struct tracked *t)
{
	return s->probed_pid == PROBED_EVERYWHERE || s->probed_pid == t->target->pid;
}

/* Sets the probes of one file. 1: it is an allocator, and they were not there before. */
static int attach_file(struct monitor *m, struct tracked *t, uint16_t slot)
{
	const struct file_state *s = m->states[slot];
	const struct file *file = file_table_get(m->files, slot);
	_cleanup_(probe_links_freep) struct probe_links *links = NULL;
	bool fresh = false;
	int r;

	if (!s || !s->points || !file || has_links(t, slot))
		return 0;
	/* Of an allocator only while the governor wants its probes: else windows will open it. */
	if (!is_probed_ahead(s, t) && (!s->is_allocator || govern_wants_probes(t))) {
		fresh = true;
		r = probe_attach_slot(m->probe, t->target->key, t->target->pid, slot, file->fd,
				      s->points, s->n_points, &links);
		if (r < 0)
			return r;
	}
	r = keep_links(t, slot, links);
	if (r < 0)
		return r;
	TAKE_PTR(links);
	if (!s->is_allocator)
		return 0;
	r = note_allocator(t->target, file->path);
	return r < 0 ? r : fresh;
}

static bool maps_allocator(const struct monitor *m, const struct tracked *t)
{
	for (size_t i = 0; i < t->n_slots; i++)
		if (monitor_is_allocator(m, t->slots[i]))
			return true;
	return false;
}

/* Of a target of an earlier life, whose files were not known when it was found. */
static int note_allocators(struct monitor *m, struct tracked *t)
{
	int r = 0;

	for (size_t i = 0; i < t->n_links && r == 0; i++) {
		const struct file *file = file_table_get(m->files, t->link_slots[i]);

		if (file && monitor_is_allocator(m, t->link_slots[i]))
			r = note_allocator(t->target, file->path);
	}
	return r;
}

/* Probes that came after the first allocation: earlier blocks are unknown. */
static int attach_files(struct monitor *m, struct tracked *t)
{
	bool is_resumed = t->resume.is_wanted;
	int r = 0;

	python_frames_attach(m, t);
	if (is_resumed)
		r = note_allocators(m, t);
	if (r == 0 && maps_allocator(m, t))
		r = govern_begin(m, t);
	if (r < 0)
		return r;
	for (size_t i = 0; i < t->n_slots; i++) {
		r = attach_file(m, t, t->slots[i]);
		if (r < 0)
			return r;
		if (r > 0)
			t->from_start = false;
		t->missed_frees = t->missed_frees || (r > 0 && is_resumed);
	}
	return 0;
}

/* A process that began a moment ago may not have mapped its C library yet. */
static bool is_starting(const struct target *target)
{
	struct timespec now;

	(void)clock_gettime(CLOCK_REALTIME, &now);
	return target->started.tv_sec != 0 &&
	       now.tv_sec - target->started.tv_sec < STARTING_SECONDS;
}

/* Counting begins. If the pid was given to another process meanwhile, it does not. */
static int arm(struct monitor *m, struct tracked *t)
{
	uint32_t flags = t->options.follow ? TARGET_FOLLOW : 0;
	struct proc_stat stat;
	int r;

	r = probe_arm(m->probe, t->target->pid, t->target->key, flags, t->target->parent);
	if (r < 0)
		return r;
	r = procfs_stat(PROC_ROOT, t->target->pid, &stat);
	if (r == 0 && (stat.start_ticks != t->target->start_ticks || stat.state == 'Z'))
		r = -ESRCH;
	if (r < 0) {
		(void)probe_disarm(m->probe, t->target->pid, t->target->key);
		return r;
	}
	/* Nobody has told of an image that was executed meanwhile; from here on the kernel does. */
	(void)target_describe(t->target, PROC_ROOT);
	attach_later(m, t);
	return 0;
}

/* It maps no allocator (yet). False: it waits for one, or has failed. */
static bool goes_without_allocator(struct monitor *m, struct tracked *t)
{
	int missing = mappings_missing(m, t);

	/* What the kernel has armed may still be loading its libraries; what is missing is tried at each tick. */
	if (t->armed_by_kernel)
		return missing == 0;
	if (is_starting(t->target)) {
		attach_later(m, t);
		return false;
	}
	tracked_drop_links(m, t);
	if (missing < 0)
		fail_for_now(t, "looking at the files that it maps", missing);
	else
		attach_failed(t, "it maps no file that defines malloc and free for this version of "
				 "seep to probe");
	return false;
}

/* No answer about a file is awaited: set the probes and arm. */
static void attach_finish(struct monitor *m, struct tracked *t)
{
	int r;

	r = attach_files(m, t);
	if (r == -ESRCH) {
		life_exited(m, t);
		return;
	}
	if (r == -EPIPE) {
		attach_failed(t, "the process that sets probes keeps dying");
		return;
	}
	if (r < 0) {
		fail_for_now(t, "setting the probes", r);
		return;
	}
	if (t->target->n_allocators == 0 && !goes_without_allocator(m, t))
		return;
	free(t->target->error); /* of an earlier try */
	t->target->error = NULL;
	/* What the kernel has armed is not armed again: it may have exited, or executed, since. */
	r = t->armed_by_kernel ? 0 : arm(m, t);
	if (r == -ESRCH) {
		life_exited(m, t);
		return;
	}
	if (r < 0) {
		fail_for_now(t, "arming the probes", r);
		return;
	}
	/* The governor says when it is traced; what maps no allocator has none (yet). */
	if (t->govern) {
		govern_attached(t);
		return;
	}
	t->target->state = TARGET_TRACED;
	t->target->attached_ns = monotonic_ns();
	handover_touch(m);
	log_info("following pid %d (%s) as target %s", (int)t->target->pid, t->target->comm,
		 t->target->id);
}

/* A target that is traced has mapped something more. */
static void attach_more(struct monitor *m, struct tracked *t)
{
	/* A library that was loaded later may be an allocator. */
	if (attach_files(m, t) < 0)
		log_debug("failed to probe a new library of pid %d, trying again",
			  (int)t->target->pid);
	else if (t->govern)
		govern_attached(t);
}

static bool all_ready(const struct monitor *m, const struct tracked *t)
{
	for (size_t i = 0; i < t->n_slots; i++)
		if (!files_ready(m, t->slots[i]))
			return false;
	return true;
}

/* Called when an answer about a file has come. */
void attach_advance(struct monitor *m)
{
	struct tracked *t, *next;

	HASH_ITER(by_key, m->tracked, t, next) {
		if (!all_ready(m, t))
			continue;
		if (t->target->state == TARGET_ATTACHING && !t->is_attached)
			attach_finish(m, t);
		else if (t->target->state == TARGET_ATTACHING || t->target->state == TARGET_TRACED)
			attach_more(m, t);
	}
}

/* Describes the process and begins to look at its files. Fails only for want of memory. */
int attach_start(struct monitor *m, struct tracked *t)
{
	int r;

	r = target_describe(t->target, PROC_ROOT);
	if (r == 0) {
		target_refresh(t->target, PROC_ROOT, CGROUP_ROOT);
		r = mappings_refresh(m, t);
	}
	if (r == -ESRCH || r == -ENOENT) {
		life_exited(m, t);
		return 0;
	}
	if (r == -ENOMEM)
		return r;
	if (r < 0) {
		fail_for_now(t, "reading its folder in /proc", r);
		return 0;
	}
	if (all_ready(m, t))
		attach_finish(m, t);
	return 0;
}

static int take_links(struct monitor *m, struct tracked *t)
{
	struct probe_links *links;
	uint16_t slot;
	int r;

	while ((links = probe_take_links(m->probe, t->target->pid, &slot))) {
		r = keep_links(t, slot, links);
		if (r < 0) {
			probe_links_free(links);
			return r;
		}
	}
	return 0;
}

int attach_resume(struct monitor *m, struct tracked *t, bool is_armed)
{
	struct resume *resume = &t->resume;
	int r;

	t->target->state = TARGET_TRACED;
	if (t->target->attached_ns == 0)
		t->target->attached_ns = monotonic_ns();
	resume->in_windows = resume->in_windows && resume->is_steady && windows_resume(m, t);
	resume->is_wanted = true;
	t->target->mode = govern_target_mode(resume->mode);
	t->target->sampling_interval = (uint32_t)resume->interval_bytes;
	r = take_links(m, t);
	if (r < 0 || !is_armed)
		return r;
	r = target_describe(t->target, PROC_ROOT);
	if (r == 0) {
		target_refresh(t->target, PROC_ROOT, CGROUP_ROOT);
		r = mappings_refresh(m, t);
	}
	if (r == -ENOMEM)
		return r;
	if (r == -ESRCH || r == -ENOENT)
		life_exited(m, t);
	else if (files_is_passing(r))
		t->mappings_error = r;
	else if (r == 0 && all_ready(m, t))
		attach_more(m, t);
	return 0;
}
