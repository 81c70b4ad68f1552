// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * How old live blocks are: a walk over all of them, so only for who asks.
 */
#include "monitor/state.h"

struct age_scan {
	struct monitor *monitor;
	uint64_t now_ns;
};

static int take_age(const struct block_key *key, const struct block *block, void *userdata)
{
	const struct age_scan *scan = userdata;
	/* The kernel keeps 32 bits of the birth, which wrap: ages are what can be told from them. */
	uint32_t age = (uint32_t)(scan->now_ns >> BLOCK_BIRTH_SHIFT) - block->birth;
	uint64_t birth = scan->now_ns - ((uint64_t)age << BLOCK_BIRTH_SHIFT);
	struct site *s = heap_find(scan->monitor->heap, block->stack);

	(void)key;
	if (s && (s->oldest_ns == 0 || birth < s->oldest_ns))
		s->oldest_ns = birth ?: 1;
	return 0;
}

/* Sets the birth of each site's oldest block by a walk over all of them. */
int ages_scan(struct monitor *m)
{
	struct age_scan scan = { .monitor = m, .now_ns = monotonic_ns() };
	_cleanup_free_ struct site **sites = NULL;
	size_t n = 0;
	int r;

	r = heap_list(m->heap, 0, &sites, &n);
	if (r < 0)
		return r;
	for (size_t i = 0; i < n; i++) {
		const struct tracked *t = tracked_find(m, sites[i]->target);

		/* Purged blocks are gone from the map: what was seen last stands. */
		if (t && !t->purged)
			sites[i]->oldest_ns = 0;
	}
	return probe_read_blocks(m->probe, take_age, &scan);
}
