/* SPDX-License-Identifier: GPL-2.0-or-later OR BSD-2-Clause */
/*
 * The way of a block: a call begins, ends with a block, a block is freed.
 *
 * Allocator functions call one another (reallocarray jumps to realloc, realloc may call malloc);
 * only the outermost call counts. It is told by the stack pointer: the call in progress remembers
 * where its return address lies, a nested one lies below (or at the same place, when the outer
 * function ended in a jump), and its return is the one that finds the stack pointer just above.
 */
#ifndef SEEP_TRACK_BPF_H
#define SEEP_TRACK_BPF_H

#include "unwind.bpf.h"

static __always_inline struct thread *thread_of_call(__u64 id, __u32 target)
{
	struct thread *t = bpf_map_lookup_elem(&threads, &id);
	__u32 zero = 0;
	int r;

	if (t)
		return t;
	t = bpf_map_lookup_elem(&new_thread, &zero);
	if (!t)
		return NULL;
	r = bpf_map_update_elem(&threads, &id, t, BPF_NOEXIST);
	if (r) {
		lose_update(target, r, LOSS_THREADS_FULL);
		return NULL;
	}
	return bpf_map_lookup_elem(&threads, &id);
}

/* Puts back the block that realloc was given: it failed, or its end was never seen. */
static __always_inline void restore_old(struct thread *t)
{
	struct block_key key = { .address = t->old_address, .target = t->target };

	if (!t->old_taken)
		return;
	t->old_taken = 0;
	if (bpf_map_update_elem(&live, &key, &t->old, BPF_NOEXIST)) {
		lose(t->target, LOSS_RESTORE_FAILED);
		count_free(&t->old);
	}
}

/* realloc: nobody may see the old block as live once its memory can be handed out again. */
static __always_inline void take_old(struct thread *t, __u64 address)
{
	struct block_key key = { .address = address, .target = t->target };
	struct block *b;

	t->old_address = address;
	if (!address)
		return;
	b = bpf_map_lookup_elem(&live, &key);
	if (!b)
		return;
	t->old = *b;
	if (bpf_map_delete_elem(&live, &key) == 0)
		t->old_taken = 1;
}

/* count * size; 0 when it overflows, which no allocator grants. */
static __always_inline __u64 product(__u64 count, __u64 size)
{
	__u64 bytes = count * size;

	/* Keeps the compiler from a 128-bit multiplication, which BPF has not. */
	barrier_var(bytes);
	return count && bytes / count != size ? 0 : bytes;
}

static __always_inline void read_arguments(struct thread *t, struct pt_regs *ctx)
{
	__u64 count, size;

	switch (t->kind) {
	case HOOK_MALLOC:
		t->size = PT_REGS_PARM1(ctx);
		break;
	case HOOK_CALLOC:
		t->size = product(PT_REGS_PARM1(ctx), PT_REGS_PARM2(ctx));
		break;
	case HOOK_REALLOC:
		t->size = PT_REGS_PARM2(ctx);
		take_old(t, PT_REGS_PARM1(ctx));
		break;
	case HOOK_REALLOCARRAY:
		count = PT_REGS_PARM2(ctx);
		size = PT_REGS_PARM3(ctx);
		t->size = product(count, size);
		/* An overflow fails before the block is touched. */
		if (t->size || !count || !size)
			take_old(t, PT_REGS_PARM1(ctx));
		break;
	case HOOK_POSIX_MEMALIGN:
		t->result = PT_REGS_PARM1(ctx);
		t->size = PT_REGS_PARM3(ctx);
		break;
	case HOOK_ALIGNED:
		t->size = PT_REGS_PARM2(ctx);
		break;
	}
}

static __always_inline void track_begin(struct pt_regs *ctx, __u32 kind)
{
	__u64 id = bpf_get_current_pid_tgid(), sp = PT_REGS_SP(ctx);
	__u32 tgid = id >> 32;
	struct target_entry *target = bpf_map_lookup_elem(&targets, &tgid);
	struct thread *t;

	if (!target)
		return;
	t = thread_of_call(id, target->id);
	if (!t)
		return;
	/* (A state of an earlier target means nothing to this one.) */
	if (t->sp && t->target == target->id) {
		if (sp < t->sp || (sp == t->sp && kind != t->kind))
			return;
		/* The frame that began the call in progress is gone: longjmp, or a lost return. */
		lose(t->target, LOSS_MISSED_RETURN);
		restore_old(t);
	}
	t->sp = sp;
	t->kind = kind;
	t->target = target->id;
	t->old_address = 0;
	t->old_taken = 0;
	read_arguments(t, ctx);
}

/* Adds the site and its stack, each unless it is there. */
static __always_inline struct site_totals *add_site(struct thread *t, __u64 key)
{
	struct site_totals fresh = { .target = t->target };
	int r;

	r = bpf_map_update_elem(&stacks, &key, &t->stack, BPF_NOEXIST);
	if (r && r != -EEXIST) {
		lose_update(t->target, r, LOSS_STACKS_FULL);
		return NULL;
	}
	r = bpf_map_update_elem(&sites, &key, &fresh, BPF_NOEXIST);
	if (r && r != -EEXIST) {
		lose_update(t->target, r, LOSS_SITES_FULL);
		return NULL;
	}
	return bpf_map_lookup_elem(&sites, &key);
}

/* A new block where a live one is known: the old one's free was missed. It is retired. */
static __always_inline int replace_block(const struct block_key *key, const struct block *fresh)
{
	struct block *b = bpf_map_lookup_elem(&live, key), old;

	if (b) {
		old = *b;
		lose(key->target, LOSS_MISSED_FREE);
		count_free(&old);
	}
	return bpf_map_update_elem(&live, key, fresh, BPF_ANY);
}

static __always_inline void add_block(__u64 id, struct thread *t, struct pt_regs *ctx,
				      __u64 address)
{
	struct block_key key = { .address = address, .target = t->target };
	struct block fresh = {};
	struct site_totals *site;
	int r;

	fresh.stack = unwind(id, t, ctx);
	fresh.size = t->size;
	fresh.birth = bpf_ktime_get_ns() >> BLOCK_BIRTH_SHIFT;
	if (t->stack.status == STACK_READ_FAULT)
		lose(t->target, LOSS_STACK_UNREADABLE);
	site = bpf_map_lookup_elem(&sites, &fresh.stack);
	if (!site) {
		site = add_site(t, fresh.stack);
		if (!site)
			return;
	}
	r = bpf_map_update_elem(&live, &key, &fresh, BPF_NOEXIST);
	if (r == -EEXIST)
		r = replace_block(&key, &fresh);
	if (r) {
		lose_update(t->target, r, LOSS_LIVE_FULL);
		return;
	}
	__sync_fetch_and_add(&site->allocated_bytes, fresh.size);
	__sync_fetch_and_add(&site->allocated_count, 1);
}

/* The block's address, 0 when the call failed. */
static __always_inline __u64 read_result(const struct thread *t, struct pt_regs *ctx)
{
	__u64 address = 0;

	if (t->kind != HOOK_POSIX_MEMALIGN)
		return PT_REGS_RC(ctx);
	if ((int)PT_REGS_RC(ctx) != 0)
		return 0;
	if (bpf_probe_read_user(&address, sizeof(address), (void *)t->result)) {
		lose(t->target, LOSS_RESULT_UNREADABLE);
		return 0;
	}
	return address;
}

static __always_inline bool is_realloc(const struct thread *t)
{
	return t->kind == HOOK_REALLOC || t->kind == HOOK_REALLOCARRAY;
}

static __always_inline void track_end(struct pt_regs *ctx)
{
	__u64 id = bpf_get_current_pid_tgid(), address;
	struct thread *t = bpf_map_lookup_elem(&threads, &id);
	struct target_entry *target;
	__u32 tgid = id >> 32;

	if (!t || !t->sp || PT_REGS_SP(ctx) != t->sp + 8)
		return;
	t->sp = 0;
	/* Untracked since the call began: its entries may have been removed already. */
	target = bpf_map_lookup_elem(&targets, &tgid);
	if (!target || target->id != t->target)
		return;
	address = read_result(t, ctx);
	/* realloc(p, 0) frees p and returns NULL; any other NULL leaves p as it was. */
	if (!address && !(is_realloc(t) && !t->size && t->old_address)) {
		restore_old(t);
		count_failure(t->target);
		return;
	}
	if (t->old_taken) {
		t->old_taken = 0;
		count_free(&t->old);
	} else if (is_realloc(t) && t->old_address) {
		count_unknown_free(t->target);
	}
	if (address)
		add_block(id, t, ctx, address);
}

/* Whether this call was made from inside an allocator function that is being followed. */
static __always_inline bool is_nested(__u64 id, __u64 sp)
{
	struct thread *t = bpf_map_lookup_elem(&threads, &id);

	return t && t->sp && sp <= t->sp;
}

static __always_inline void track_free(struct pt_regs *ctx)
{
	__u64 id = bpf_get_current_pid_tgid();
	struct block_key key = { .address = PT_REGS_PARM1(ctx) };
	__u32 tgid = id >> 32;
	struct target_entry *target;
	struct block *b, freed;

	if (!key.address)
		return;
	target = bpf_map_lookup_elem(&targets, &tgid);
	if (!target)
		return;
	key.target = target->id;
	b = bpf_map_lookup_elem(&live, &key);
	if (b) {
		freed = *b;
		if (bpf_map_delete_elem(&live, &key) == 0) {
			count_free(&freed);
			return;
		}
	}
	/* realloc(p, 0) frees through here; the block was taken out when realloc began. */
	if (!is_nested(id, PT_REGS_SP(ctx)))
		count_unknown_free(key.target);
}

#endif
