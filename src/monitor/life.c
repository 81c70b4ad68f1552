// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * How targets come and go: notes from the kernel, selectors that find new processes, and what to
 * do when a note was lost.
 */
#include <stdio.h>
#include <string.h>

#include "base/log.h"
#include "monitor/detect.h"
#include "monitor/state.h"

/* A target that the kernel side made by itself, at a fork or exec. */
static void adopt_from_kernel(struct monitor *m, uint32_t key, pid_t pid, uint32_t parent)
{
	struct tracked *origin = tracked_find(m, parent), *t;

	if (tracked_find(m, key))
		return;
	t = tracked_new(m, key, pid, origin ? origin->watch : NULL, parent);
	if (t)
		t->armed_by_kernel = true;
	if (t && origin)
		t->options = origin->options;
	if (!t || attach_start(m, t) < 0)
		log_errno(LOG_WARNING, -ENOMEM, "failed to follow pid %d", (int)pid);
}

/* What is known even of a process that is gone before anybody can read /proc. */
static void name_from_note(struct target *target, const struct note *note)
{
	for (size_t i = 0; i + 1 < sizeof(target->comm) && note->comm[i]; i++)
		target->comm[i] =
			note->comm[i] >= ' ' && note->comm[i] <= '~' ? note->comm[i] : '?';
}

static void take_fork(struct monitor *m, const struct note *note)
{
	struct tracked *origin = tracked_find(m, note->other), *t;

	if (tracked_find(m, note->target))
		return;
	t = tracked_new(m, note->target, (pid_t)note->tgid, origin ? origin->watch : NULL,
			note->other);
	if (!t)
		goto no_memory;
	if (origin)
		t->options = origin->options;
	t->armed_by_kernel = true;
	t->from_start = true;
	name_from_note(t->target, note);
	if (attach_start(m, t) < 0)
		goto no_memory;
	return;
no_memory:
	log_errno(LOG_WARNING, -ENOMEM, "failed to follow pid %u", note->tgid);
}

/* Those of windows are taken away, and opened anew for the new image. */
static void inherit_links(struct monitor *m, struct tracked *t, struct tracked *old)
{
	if (!govern_has_links(old)) {
		govern_end(old);
		tracked_drop_links(m, old);
		return;
	}
	govern_end(old);
	t->links = TAKE_PTR(old->links);
	t->link_slots = TAKE_PTR(old->link_slots);
	t->n_links = old->n_links;
	old->n_links = 0;
	t->target->allocators = TAKE_PTR(old->target->allocators);
	t->target->n_allocators = old->target->n_allocators;
	old->target->n_allocators = 0;
}

/* The old image's blocks went with its memory; the links stay, they belong to the process. */
static void take_exec(struct monitor *m, const struct note *note)
{
	struct tracked *old = tracked_find(m, note->other), *t;

	if (tracked_find(m, note->target))
		return;
	t = tracked_new(m, note->target, (pid_t)note->tgid, old ? old->watch : NULL,
			old ? old->target->parent : 0);
	if (!t) {
		log_errno(LOG_WARNING, -ENOMEM, "failed to follow pid %u", note->tgid);
		return;
	}
	if (old) {
		t->options = old->options;
		inherit_links(m, t, old);
		if (probe_purge_start(m->probe, old->target->key) < 0)
			log_debug("failed to forget the old image of pid %u, ignoring", note->tgid);
		m->purging = true;
		detect_end(m, old, TREND_ENDED);
		tracked_remove(m, old);
	}
	t->armed_by_kernel = true;
	t->from_start = true;
	name_from_note(t->target, note);
	/* The new image's libraries are being mapped right now. */
	t->mappings_stale = true;
	m->refresh_wanted = true;
	if (attach_start(m, t) < 0)
		log_errno(LOG_WARNING, -ENOMEM, "failed to follow pid %u", note->tgid);
}

void life_exited(struct monitor *m, struct tracked *t)
{
	if (t->target->state == TARGET_EXITED)
		return;
	t->target->state = TARGET_EXITED;
	t->exited_at_tick = m->ticks;
	detect_end(m, t, TREND_ENDED);
	govern_report(t);
	govern_end(t);
	tracked_drop_links(m, t);
	/* A filtered probe dies with its process; what is still armed belongs to the same pid. */
	m->final_read_wanted = true;
}

void life_note(const struct note *note, void *userdata)
{
	struct monitor *m = userdata;
	struct tracked *t;
	int r;

	switch (note->type) {
	case NOTE_FORK:
		take_fork(m, note);
		break;
	case NOTE_EXEC:
		take_exec(m, note);
		break;
	case NOTE_EXIT:
		t = tracked_find(m, note->target);
		if (t)
			life_exited(m, t);
		break;
	case NOTE_MAPPINGS:
		t = tracked_find(m, note->target);
		if (t)
			t->mappings_stale = true;
		m->refresh_wanted = true;
		break;
	case NOTE_CODE:
		python_frames_take_note(m, note);
		break;
	case NOTE_ALARM:
		t = tracked_find(m, note->target);
		if (t)
			govern_alarm(t);
		break;
	case NOTE_FILE:
		t = tracked_find(m, note->target);
		if (t)
			t->mappings_stale = true;
		if (t && t->target->state != TARGET_EXITED && mappings_refresh(m, t) == 0 &&
		    file_table_get(m->files, (uint16_t)note->other))
			break;
		r = files_take_note(m, note);
		if (r < 0)
			log_debug_errno(r, "failed to take in a mapped file, ignoring");
		break;
	}
}

/* A process that the kernel side watches and this side does not: its note was lost. */
static int reconcile_entry(pid_t tgid, const struct target_entry *entry, void *userdata)
{
	struct monitor *m = userdata;

	if ((entry->flags & TARGET_SHARES_MEMORY) || tracked_find(m, entry->id))
		return 0;
	adopt_from_kernel(m, entry->id, tgid, entry->parent);
	return 0;
}

bool life_is_same_process(const struct target *target)
{
	struct proc_stat stat;
	int r = procfs_stat(PROC_ROOT, target->pid, &stat);

	if (r < 0)
		return r != -ESRCH;
	return stat.state != 'Z' && stat.start_ticks == target->start_ticks;
}

/*
 * Notes can be lost, and then are counted; what they said is found out here, once per tick. A
 * target whose process is no longer armed under its key has exited or executed another image.
 */
void life_reconcile(struct monitor *m)
{
	struct tracked *t, *next;
	struct target_entry entry;

	HASH_ITER(by_key, m->tracked, t, next) {
		if (t->target->state == TARGET_EXITED)
			continue;
		if (t->target->state != TARGET_TRACED) {
			if (!life_is_same_process(t->target))
				life_exited(m, t);
			continue;
		}
		if (probe_get_target(m->probe, t->target->pid, &entry) == 0 &&
		    entry.id == t->target->key)
			continue;
		life_exited(m, t);
	}
	(void)probe_each_target(m->probe, reconcile_entry, m);
}

struct orphan_search {
	struct monitor *monitor;
	uint32_t *found; /* owned */
	size_t n;
};

static int note_orphan(uint32_t id, void *userdata)
{
	struct orphan_search *search = userdata;
	uint32_t *grown;

	if (tracked_find(search->monitor, id))
		return 0;
	grown = reallocarray(search->found, search->n + 1, sizeof(*grown));
	if (!grown)
		return -ENOMEM;
	search->found = grown;
	search->found[search->n++] = id;
	return 0;
}

static bool was_orphan(const struct monitor *m, uint32_t id)
{
	for (size_t i = 0; i < m->n_orphans; i++)
		if (m->orphans[i] == id)
			return true;
	return false;
}

/*
 * A child whose notes were lost and that has exited since left entries that nobody else would
 * remove. An id is given up when it is unknown at two ticks in a row: at one, its note may still
 * be on its way. (Those that are armed have been taken in by life_reconcile() before.)
 */
void life_collect_orphans(struct monitor *m)
{
	struct orphan_search search = { .monitor = m };

	if (probe_each_id(m->probe, note_orphan, &search) < 0)
		log_debug("failed to look for targets that were never heard of, ignoring");
	for (size_t i = 0; i < search.n; i++) {
		if (!was_orphan(m, search.found[i]))
			continue;
		if (probe_purge_start(m->probe, search.found[i]) < 0)
			log_debug("failed to forget an unknown target, ignoring");
		m->purging = true;
	}
	free(m->orphans);
	m->orphans = search.found;
	m->n_orphans = search.n;
}

void life_unlink_watch(struct monitor *m, struct watch *gone)
{
	struct watch **at = &m->watches;

	while (*at && *at != gone)
		at = &(*at)->next;
	if (*at)
		*at = gone->next;
	selector_free(gone->selector);
	free(gone->left_out);
	free(gone);
}

/* A pid selector has done its work when its last target is gone. */
void life_end_watch_of(struct monitor *m, struct watch *w)
{
	if (!w || selector_is_lasting(w->selector))
		return;
	for (const struct tracked *t = m->tracked; t; t = t->by_key.next)
		if (t->watch == w)
			return;
	life_unlink_watch(m, w);
}

static bool is_left_out(const struct watch *w, pid_t pid)
{
	struct proc_stat stat;

	for (size_t i = 0; i < w->n_left_out; i++)
		if (w->left_out[i].pid == pid)
			return procfs_stat(PROC_ROOT, pid, &stat) == 0 &&
			       stat.start_ticks == w->left_out[i].start_ticks;
	return false;
}

static bool is_refused(pid_t pid)
{
	return pid == 1 || pid == getpid();
}

/* Starts one process that a selector means. NULL in *ret: it is watched already. */
static int start_process(struct monitor *m, struct watch *w, pid_t pid, struct target **ret)
{
	struct tracked *t;
	uint32_t key;
	int r;

	*ret = NULL;
	if (is_refused(pid) || tracked_by_pid(m, pid) || is_left_out(w, pid))
		return 0;
	if (HASH_CNT(by_key, m->tracked) >= m->options.max_targets)
		return -ENOSPC;
	r = probe_new_target(m->probe, &key);
	if (r < 0)
		return r;
	t = tracked_new(m, key, pid, w, 0);
	if (!t)
		return -ENOMEM;
	r = attach_start(m, t);
	if (r < 0) {
		tracked_remove(m, t);
		return r;
	}
	*ret = t->target;
	return 0;
}

/* Looks for processes that the selector means. *ret (may be NULL) lists the new targets. */
int life_search(struct monitor *m, struct watch *w, struct target ***ret, size_t *ret_n)
{
	_cleanup_free_ struct target **found = NULL;
	_cleanup_free_ pid_t *pids = NULL;
	size_t n_pids = 0, n = 0;
	int r;

	r = selector_find(w->selector, PROC_ROOT, &pids, &n_pids);
	if (r < 0)
		return r;
	found = calloc(n_pids + 1, sizeof(struct target *));
	if (!found)
		return -ENOMEM;
	for (size_t i = 0; i < n_pids; i++) {
		r = start_process(m, w, pids[i], &found[n]);
		if (r < 0)
			return r;
		if (found[n])
			n++;
	}
	if (ret) {
		*ret = TAKE_PTR(found);
		*ret_n = n;
	}
	return 0;
}

/* Targets that exited are listed for a while, so that their end is seen; then they go. */
void life_forget_exited(struct monitor *m)
{
	struct tracked *t, *next;
	struct watch *w;

	if (m->options.keep_exited)
		return;
	HASH_ITER(by_key, m->tracked, t, next) {
		if (t->target->state != TARGET_EXITED ||
		    m->ticks < t->exited_at_tick + EXITED_TICKS)
			continue;
		w = t->watch;
		tracked_remove(m, t);
		life_end_watch_of(m, w);
	}
}
