// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The list of targets.
 */
#include <stdio.h>

#include "monitor/detect.h"
#include "monitor/handover.h"
#include "monitor/state.h"

struct tracked *tracked_find(const struct monitor *m, uint32_t key)
{
	struct tracked *t;

	HASH_FIND(by_key, m->tracked, &key, sizeof(key), t);
	return t;
}

/* The one that is alive: pids of targets that exited may have been given to others. */
struct tracked *tracked_by_pid(const struct monitor *m, pid_t pid)
{
	for (struct tracked *t = m->tracked; t; t = t->by_key.next)
		if (t->target->pid == pid && t->target->state != TARGET_EXITED)
			return t;
	return NULL;
}

static void set_id(struct target *target)
{
	/* Two numbers of at most 10 digits: always fits. */
	(void)snprintf(target->id, sizeof(target->id), "%d-%u", (int)target->pid, target->key);
}

static struct tracked *tracked_release(struct tracked *t)
{
	if (!t)
		return NULL;
	govern_end(t);
	detect_end(t->monitor, t, TREND_UNWATCHED);
	target_free(t->target);
	free(t->slots);
	free(t->mappings);
	free(t);
	return NULL;
}
DEFINE_CLEANUP(struct tracked *, tracked_release)

/* NULL: no memory. */
struct tracked *tracked_new(struct monitor *m, uint32_t key, pid_t pid, struct watch *watch,
			    uint32_t parent)
{
	_cleanup_(tracked_releasep) struct tracked *t = calloc(1, sizeof(*t));
	struct tracked *added;

	if (!t)
		return NULL;
	t->target = calloc(1, sizeof(*t->target));
	if (!t->target)
		return NULL;
	t->target->key = key;
	t->target->pid = pid;
	t->target->parent = parent;
	t->target->state = TARGET_ATTACHING;
	t->target->mode = TARGET_EXACT;
	t->monitor = m;
	t->watch = watch;
	if (watch)
		t->options = watch->options;
	set_id(t->target);
	added = TAKE_PTR(t);
	HASH_ADD_KEYPTR(by_key, m->tracked, &added->target->key, sizeof(added->target->key), added);
	if (tracked_rebuild_list(m) < 0) {
		HASH_DELETE(by_key, m->tracked, added);
		tracked_release(added);
		return NULL;
	}
	handover_touch(m);
	return added;
}

static void forget_links(struct tracked *t)
{
	free(t->links);
	free(t->link_slots);
	t->links = NULL;
	t->link_slots = NULL;
	t->n_links = 0;
}

void tracked_drop_links(struct monitor *m, struct tracked *t)
{
	probe_links_free_all(m->probe, t->links, t->n_links);
	forget_links(t);
}

void tracked_drop_all_links(struct monitor *m, const struct watch *of)
{
	_cleanup_free_ struct probe_links **links = NULL;
	size_t n = 0;

	for (const struct tracked *t = m->tracked; t; t = t->by_key.next)
		n += t->n_links;
	links = calloc(n + 1, sizeof(struct probe_links *));
	n = 0;
	/* Without memory each target's go when it is removed. */
	for (struct tracked *t = m->tracked; links && t; t = t->by_key.next) {
		if (of && t->watch != of)
			continue;
		for (size_t i = 0; i < t->n_links; i++)
			links[n++] = t->links[i];
		forget_links(t);
	}
	if (links)
		probe_links_free_all(m->probe, links, n);
}

void tracked_remove(struct monitor *m, struct tracked *t)
{
	heap_remove_target(m->heap, t->target->key);
	HASH_DELETE(by_key, m->tracked, t);
	tracked_drop_links(m, t);
	tracked_release(t);
	/* One shorter than before: there is room. */
	(void)tracked_rebuild_list(m);
	handover_touch(m);
}

int tracked_rebuild_list(struct monitor *m)
{
	size_t n = HASH_CNT(by_key, m->tracked), i = 0;
	struct target **list;

	if (n > m->n_list || !m->list) {
		list = reallocarray(m->list, n + 1, sizeof(*list));
		if (!list)
			return -ENOMEM;
		m->list = list;
	}
	for (struct tracked *t = m->tracked; t; t = t->by_key.next)
		m->list[i++] = t->target;
	m->n_list = i;
	return 0;
}
