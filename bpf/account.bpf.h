/* SPDX-License-Identifier: GPL-2.0-or-later OR BSD-2-Clause */
/*
 * Counting: losses, a site's totals, and notes to user space.
 */
#ifndef SEEP_ACCOUNT_BPF_H
#define SEEP_ACCOUNT_BPF_H

#include "maps.bpf.h"

static __always_inline void lose(__u32 target, enum loss_reason reason)
{
	struct target_counters *c = bpf_map_lookup_elem(&counters, &target);

	if (c && reason < LOSS_REASONS)
		__sync_fetch_and_add(&c->lost[reason], 1);
}

/*
 * A hash map's update failed: out of room, or it met another update on this CPU. Errors of map
 * helpers are kept in an int: before 6.4 the upper half of what the helpers return is undefined.
 */
static __always_inline void lose_update(__u32 target, int error, enum loss_reason full)
{
	lose(target,
	     error == -EBUSY || error == -EDEADLK || error == -ETIMEDOUT ? LOSS_MAP_BUSY : full);
}

static __always_inline void add_to_sums(struct site_sums *sums, const struct block *b)
{
	__sync_fetch_and_add(&sums->bytes, b->size);
	__sync_fetch_and_add(&sums->count, 1);
	if (!b->extra)
		return;
	__sync_fetch_and_add(&sums->extra_bytes, b->extra);
	__sync_fetch_and_add(&sums->extra_count, sampling_extra_count(b));
	__sync_fetch_and_add(&sums->variance, sampling_variance(b));
}

/* When it was freed is not known: it has no age. */
static __always_inline void count_lost_free(const struct block *b)
{
	struct site_totals *site = bpf_map_lookup_elem(&sites, &b->stack);

	if (site)
		add_to_sums(&site->freed, b);
}

static __always_inline void count_free(const struct block *b)
{
	struct site_totals *site = bpf_map_lookup_elem(&sites, &b->stack);
	__u32 age, bin;

	if (!site)
		return;
	add_to_sums(&site->freed, b);
	age = (__u32)(bpf_ktime_get_ns() >> BLOCK_BIRTH_SHIFT) - b->birth;
	bin = age_bin(age, age_scale);
	if (bin < AGE_BINS)
		__sync_fetch_and_add(&site->freed_by_age[bin], 1);
}

static __always_inline void count_unknown_free(__u32 target)
{
	struct target_counters *c = bpf_map_lookup_elem(&counters, &target);

	if (c)
		__sync_fetch_and_add(&c->frees_of_unknown_blocks, 1);
}

static __always_inline void count_failure(__u32 target)
{
	struct target_counters *c = bpf_map_lookup_elem(&counters, &target);

	if (c)
		__sync_fetch_and_add(&c->failed_allocations, 1);
}

/*
 * A note about a target's life: the head of struct note is all that it needs. A lost one is counted
 * for @blame, a target that user space knows.
 */
static __always_inline void note_life(enum note_type type, __u32 target, __u32 other, __u32 tgid,
				      __u32 blame)
{
	struct note *n = bpf_ringbuf_reserve(&notes, NOTE_HEAD_BYTES, 0);

	if (!n) {
		lose(blame, LOSS_NOTE);
		return;
	}
	n->type = type;
	n->target = target;
	n->other = other;
	n->tgid = tgid;
	n->time_ns = bpf_ktime_get_ns();
	/* In a fork it is the parent's, which the child starts with. */
	bpf_get_current_comm(n->comm, sizeof(n->comm));
	bpf_ringbuf_submit(n, 0);
}

#endif
