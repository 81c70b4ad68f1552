// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * How memory moves, into the history: each target, its largest sites that have names, and the largest
 * sums over sites with the same innermost frames.
 */
#include <stdlib.h>

#include "base/log.h"
#include "history/history.h"
#include "monitor/detect.h"
#include "monitor/python.h"
#include "monitor/state.h"

#define SITES_MAX  64 /* of a target */
#define SHARED_MAX 32

static int compare_live(const void *a, const void *b)
{
	const struct site *x = *(struct site *const *)a, *y = *(struct site *const *)b;
	uint64_t bytes_x = totals_live_bytes(&x->totals), bytes_y = totals_live_bytes(&y->totals);

	return bytes_x < bytes_y ? 1 : bytes_x > bytes_y ? -1 : 0;
}

/* @site: a leak_id, of a stack or of what several share. */
static int add_site(struct monitor *m, const struct tracked *t, uint64_t site,
		    const struct totals *totals, uint64_t now_ms)
{
	const struct history_key key = {
		.service = target_service(t->target),
		.site = site,
		.pid = t->target->pid,
	};
	const struct history_point point = {
		.time_ms = now_ms,
		.live_bytes = (double)totals_live_bytes(totals),
		.live_count = (double)totals_live_count(totals),
	};

	return history_add_point(m->history, &key, &point);
}

/* Innermost frames that several stacks share. */
struct shared {
	uint64_t leak_id;
	struct totals totals;
	size_t n;
};

static int compare_shared_ids(const void *a, const void *b)
{
	const struct shared *x = a, *y = b;

	return (x->leak_id > y->leak_id) - (x->leak_id < y->leak_id);
}

static int compare_shared_live(const void *a, const void *b)
{
	uint64_t x = totals_live_bytes(&((const struct shared *)a)->totals);
	uint64_t y = totals_live_bytes(&((const struct shared *)b)->totals);

	return (x < y) - (x > y);
}

/* Sums up those of one id; how many there are then. */
static size_t merge_shared(struct shared *list, size_t n)
{
	size_t kept = 0;

	for (size_t i = 0; i < n; i++) {
		if (kept == 0 || list[kept - 1].leak_id != list[i].leak_id) {
			list[kept++] = list[i];
			continue;
		}
		totals_add(&list[kept - 1].totals, &list[i].totals);
		list[kept - 1].n++;
	}
	return kept;
}

/* Leaks that are spread over stacks are blamed on what these share, and have a history by that. */
static int add_shared(struct monitor *m, const struct tracked *t, struct site *const *sites,
		      size_t n, uint64_t now_ms)
{
	_cleanup_free_ struct shared *list = calloc(n + 1, sizeof(*list));
	size_t n_shared = 0, added = 0;
	int r = 0;

	if (!list)
		return -ENOMEM;
	for (size_t i = 0; i < n; i++)
		/* A stack of these frames and no more has a history of its own by that id. */
		if (sites[i]->leak_id && sites[i]->leak_id != sites[i]->frames_leak_id)
			list[n_shared++] =
				(struct shared){ sites[i]->frames_leak_id, sites[i]->totals, 1 };
	qsort(list, n_shared, sizeof(*list), compare_shared_ids);
	n_shared = merge_shared(list, n_shared);
	qsort(list, n_shared, sizeof(*list), compare_shared_live);
	for (size_t i = 0; i < n_shared && added < SHARED_MAX && r == 0; i++) {
		if (list[i].n < 2)
			continue;
		r = add_site(m, t, list[i].leak_id, &list[i].totals, now_ms);
		added++;
	}
	return r;
}

static int add_sites(struct monitor *m, const struct tracked *t, uint64_t now_ms)
{
	_cleanup_free_ struct site **sites = NULL;
	size_t n = 0, added = 0;
	int r;

	r = heap_list(m->heap, t->target->key, &sites, &n);
	if (r < 0)
		return r;
	if (n)
		qsort(sites, n, sizeof(*sites), compare_live);
	for (size_t i = 0; i < n && added < SITES_MAX && r == 0; i++) {
		if (!sites[i]->leak_id)
			continue;
		r = add_site(m, t, sites[i]->leak_id, &sites[i]->totals, now_ms);
		added++;
	}
	return r < 0 ? r : add_shared(m, t, sites, n, now_ms);
}

static int add_target(struct monitor *m, const struct tracked *t, uint64_t now_ms)
{
	struct totals sum = heap_sum(m->heap, t->target->key);
	const struct history_key key = {
		.service = target_service(t->target),
		.pid = t->target->pid,
	};
	const struct history_point point = {
		.time_ms = now_ms,
		.live_bytes = (double)totals_live_bytes(&sum),
		.live_count = (double)totals_live_count(&sum),
		.rss_bytes = (double)t->target->rss_bytes,
		.limit_bytes = (double)t->target->limit_bytes,
	};
	int r;

	r = history_add_point(m->history, &key, &point);
	if (r == 0)
		r = add_sites(m, t, now_ms);
	return r < 0 ? r : python_add_points(m, t, now_ms);
}

void points_take(struct monitor *m)
{
	uint64_t now_ms = wall_ms();
	struct tracked *t, *next;
	int r;

	if (!m->history)
		return;
	HASH_ITER(by_key, m->tracked, t, next) {
		if (t->target->state != TARGET_TRACED)
			continue;
		r = add_target(m, t, now_ms);
		if (r < 0)
			log_debug_errno(r, "target %s has no point in the history", t->target->id);
	}
	(void)history_flush(m->history, now_ms);
}
