// SPDX-License-Identifier: GPL-2.0-or-later
/* What changed between snapshots of which one is of an earlier life. See snapshot_pack.h. */
#include <errno.h>
#include <stdlib.h>

#include "heap/snapshot_pack.h"

/* One side's live blocks, on the side of the totals that they count for. */
static struct named_site one_side(const struct named_site *site, bool is_to)
{
	const struct totals *t = &site->totals;
	uint64_t variance = t->allocated_variance > t->freed_variance ?
				    t->allocated_variance - t->freed_variance :
				    0;
	struct named_site s = {
		.frames = site->frames,
		.n_frames = site->n_frames,
		.stack_status = site->stack_status,
	};

	if (is_to) {
		s.totals.allocated_bytes = totals_live_bytes(t);
		s.totals.allocated_count = totals_live_count(t);
		s.totals.allocated_variance = variance;
	} else {
		s.totals.freed_bytes = totals_live_bytes(t);
		s.totals.freed_count = totals_live_count(t);
		s.totals.freed_variance = variance;
	}
	return s;
}

/* What is left of both sides of a stack. */
static struct named_site net_of(const struct group *g)
{
	int64_t bytes = totals_change_bytes(&g->totals), count = totals_change_count(&g->totals);
	struct named_site s = {
		.totals = g->totals,
		.frames = g->frames,
		.n_frames = g->n_frames,
		.stack_status = g->stack_status,
	};

	s.totals.allocated_bytes = bytes > 0 ? (uint64_t)bytes : 0;
	s.totals.freed_bytes = bytes < 0 ? -(uint64_t)bytes : 0;
	s.totals.allocated_count = count > 0 ? (uint64_t)count : 0;
	s.totals.freed_count = count < 0 ? -(uint64_t)count : 0;
	return s;
}

int kept_snapshot_difference(const struct kept_snapshot *from, const struct kept_snapshot *to,
			     struct named_site **ret, size_t *ret_n)
{
	const struct group_options by_stack = { .by = GROUP_BY_STACK, .sort = GROUP_SORT_LIVE };
	_cleanup_(group_result_freep) struct group_result *stacks = NULL;
	_cleanup_free_ struct named_site *sites = calloc(from->n + to->n + 1, sizeof(*sites));
	size_t n = 0, kept = 0;
	int r;

	if (!sites)
		return -ENOMEM;
	for (size_t i = 0; i < from->n; i++)
		sites[n++] = one_side(&from->sites[i], false);
	for (size_t i = 0; i < to->n; i++)
		sites[n++] = one_side(&to->sites[i], true);
	r = group_sites(sites, n, &by_stack, &stacks);
	if (r < 0)
		return r;
	/* There are no more groups than sites, and their frames are those of @from and @to. */
	for (size_t i = 0; i < stacks->n; i++) {
		struct named_site net = net_of(&stacks->groups[i]);
		const struct totals *t = &net.totals;

		if (t->allocated_bytes || t->allocated_count || t->freed_bytes || t->freed_count)
			sites[kept++] = net;
	}
	*ret = TAKE_PTR(sites);
	*ret_n = kept;
	return 0;
}
