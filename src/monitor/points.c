// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * How memory moves, into the history: each target, and its largest sites that have names.
 */
#include <stdlib.h>

#include "base/log.h"
#include "history/history.h"
#include "monitor/detect.h"
#include "monitor/state.h"

#define SITES_MAX 64 /* of a target */

static int compare_live(const void *a, const void *b)
{
	const struct site *x = *(struct site *const *)a, *y = *(struct site *const *)b;
	uint64_t bytes_x = totals_live_bytes(&x->totals), bytes_y = totals_live_bytes(&y->totals);

	return bytes_x < bytes_y ? 1 : bytes_x > bytes_y ? -1 : 0;
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
		const struct history_key key = {
			.service = target_service(t->target),
			.site = sites[i]->leak_id,
			.pid = t->target->pid,
		};
		const struct history_point point = {
			.time_ms = now_ms,
			.live_bytes = (double)totals_live_bytes(&sites[i]->totals),
			.live_count = (double)totals_live_count(&sites[i]->totals),
		};

		if (!key.site)
			continue;
		r = history_add_point(m->history, &key, &point);
		added++;
	}
	return r;
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
	return r < 0 ? r : add_sites(m, t, now_ms);
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
			log_debug_errno(r, "target %s has no point in the history",
					t->target->id);
	}
	(void)history_flush(m->history, now_ms);
}
