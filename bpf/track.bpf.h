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
		count_lost_free(&t->old);
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

/* What a call asks for, bytes. 0: nothing, or what no allocator grants. */
static __always_inline __u64 asked_bytes(struct pt_regs *ctx, __u32 kind)
{
	switch (kind) {
	case HOOK_MALLOC:
		return PT_REGS_PARM1(ctx);
	case HOOK_CALLOC:
		return product(PT_REGS_PARM1(ctx), PT_REGS_PARM2(ctx));
	case HOOK_REALLOC:
	case HOOK_ALIGNED:
		return PT_REGS_PARM2(ctx);
	case HOOK_REALLOCARRAY:
		return product(PT_REGS_PARM2(ctx), PT_REGS_PARM3(ctx));
	case HOOK_POSIX_MEMALIGN:
		return PT_REGS_PARM3(ctx);
	}
	return 0;
}

static __always_inline bool is_realloc(__u32 kind)
{
	return kind == HOOK_REALLOC || kind == HOOK_REALLOCARRAY;
}

static __always_inline void read_arguments(struct thread *t, struct pt_regs *ctx)
{
	__u64 count, size;

	if (t->kind == HOOK_POSIX_MEMALIGN)
		t->result = PT_REGS_PARM1(ctx);
	if (t->kind == HOOK_REALLOC)
		take_old(t, PT_REGS_PARM1(ctx));
	if (t->kind != HOOK_REALLOCARRAY)
		return;
	count = PT_REGS_PARM2(ctx);
	size = PT_REGS_PARM3(ctx);
	/* An overflow fails before the block is touched. */
	if (t->size || !count || !size)
		take_old(t, PT_REGS_PARM1(ctx));
}

/*
 * Whether a block of this size is taken while sampling, and what it then stands for (sampling.h).
 * Each CPU follows a point process of its own, so that no thread's state is needed for calls that are
 * not taken: the process that a target sees is their union, and has the same rate. Blocks of 0 bytes
 * have no byte that could be chosen.
 */
static __always_inline bool choose(const struct target_control *control, struct target_meter *m,
				   __u64 size, __u32 *extra)
{
	__u32 interval = control->interval;

	*extra = 0;
	if (size >= interval)
		return true;
	if (m->interval != interval) {
		if (!m->random)
			m->random = control->seed ? control->seed + bpf_get_smp_processor_id() :
						    ((__u64)bpf_get_prandom_u32() << 32) | 1;
		m->interval = interval;
		m->credit = sampling_distance(sampling_random(&m->random), interval, log2_table);
	}
	m->credit -= size;
	if (m->credit > 0 || !size)
		return false;
	m->credit = sampling_distance(sampling_random(&m->random), interval, log2_table);
	*extra = sampling_extra(size, interval);
	return true;
}

/* Whose call this is, and how it is taken. */
struct caller {
	__u32 target;
	const struct target_control *control;
	struct target_meter *meter;
};

/* False: of nobody that is followed. */
static __always_inline bool find_caller(__u64 cookie, struct caller *c)
{
	__u32 tgid = bpf_get_current_pid_tgid() >> 32, key = cookie >> COOKIE_METER_SHIFT;
	const struct meter_owner *owner = key ? bpf_map_lookup_elem(&owners, &key) : NULL;
	const struct target_entry *entry;

	if (owner && owner->tgid == tgid) {
		c->target = owner->target;
	} else {
		key = tgid;
		entry = bpf_map_lookup_elem(&targets, &key);
		if (!entry)
			return false;
		c->target = entry->id;
		key = entry->meter;
	}
	c->control = bpf_map_lookup_elem(&controls, &key);
	c->meter = bpf_map_lookup_elem(&meters, &key);
	return c->control && c->meter;
}

static __always_inline void count_hit(const struct caller *c)
{
	struct target_meter *m = c->meter;
	__u64 hits = m->allocations + m->frees;

	if (!c->control->alarm_hits || hits - m->noted < c->control->alarm_hits)
		return;
	m->noted = hits;
	note_life(NOTE_ALARM, c->target, c->control->alarm_hits, 0, c->target);
}

/* The call in progress, of which nothing more will be heard. */
static __always_inline void abandon_call(struct thread *t, bool probes_were_taken_away)
{
	if (probes_were_taken_away) {
		/* realloc mostly succeeds: the old block is gone. */
		if (t->old_taken)
			count_free(&t->old);
		t->old_taken = 0;
		return;
	}
	/* The frame that began it is gone: longjmp, or a lost return. */
	lose(t->target, LOSS_MISSED_RETURN);
	restore_old(t);
}

/* A call that is wanted at its return. */
struct call {
	__u64 thread;
	__u64 size;
	__u32 kind;
	__u32 target;
	__u32 epoch;
	__u32 extra;
	bool is_left; /* but not its block */
};

static __always_inline bool begin_call(struct pt_regs *ctx, const struct call *call)
{
	struct thread *t = thread_of_call(call->thread, call->target);
	__u64 sp = PT_REGS_SP(ctx);

	if (!t)
		return false;
	/* (A state of an earlier target means nothing to this one.) */
	if (t->sp && t->target == call->target) {
		if (t->epoch == call->epoch &&
		    (sp < t->sp || (sp == t->sp && call->kind != t->kind)))
			return false;
		abandon_call(t, t->epoch != call->epoch);
	}
	t->sp = sp;
	t->size = call->size;
	t->kind = call->kind;
	t->target = call->target;
	t->epoch = call->epoch;
	t->extra = call->extra;
	t->is_left = call->is_left;
	t->old_address = 0;
	t->old_taken = 0;
	read_arguments(t, ctx);
	return true;
}

static __always_inline bool is_live(__u32 target, __u64 address)
{
	struct block_key key = { .address = address, .target = target };

	return address && bpf_map_lookup_elem(&live, &key);
}

/*
 * An allocator function is called: whether its return is of interest. A call whose block is not taken
 * is followed all the same if another hooked function may be called within (@may_nest: that one must
 * know, if it could be chosen), and if it frees a block that was taken.
 */
static __always_inline bool track_begin(struct pt_regs *ctx, __u32 kind, __u64 cookie,
					bool may_nest)
{
	struct call call = { .kind = kind };
	struct caller c;

	if (!find_caller(cookie, &c))
		return false;
	call.size = asked_bytes(ctx, kind);
	c.meter->allocations++;
	c.meter->bytes += call.size;
	count_hit(&c);
	if (c.control->mode == CONTROL_COUNT)
		call.is_left = true;
	else if (c.control->mode == CONTROL_SAMPLED)
		call.is_left = !choose(c.control, c.meter, call.size, &call.extra);
	if (call.is_left && !(may_nest && c.control->mode == CONTROL_SAMPLED) &&
	    !(is_realloc(kind) && is_live(c.target, PT_REGS_PARM1(ctx))))
		return false;
	call.thread = bpf_get_current_pid_tgid();
	call.target = c.target;
	call.epoch = c.control->epoch;
	return begin_call(ctx, &call);
}

/* Adds the site and its stack, each unless it is there. */
static __always_inline struct site_totals *add_site(struct thread *t, __u64 key)
{
	struct site_totals *site;
	__u32 zero = 0;
	int r;

	r = bpf_map_update_elem(&stacks, &key, &t->stack, BPF_NOEXIST);
	if (r && r != -EEXIST) {
		lose_update(t->target, r, LOSS_STACKS_FULL);
		return NULL;
	}
	site = bpf_map_lookup_elem(&new_site, &zero);
	if (!site)
		return NULL;
	r = bpf_map_update_elem(&sites, &key, site, BPF_NOEXIST);
	if (r && r != -EEXIST) {
		lose_update(t->target, r, LOSS_SITES_FULL);
		return NULL;
	}
	site = bpf_map_lookup_elem(&sites, &key);
	/* Until here a reader sees a site of no target, which it leaves for its next time. */
	if (site)
		site->target = t->target;
	return site;
}

/* A new block where a live one is known: the old one's free was missed. It is retired. */
static __always_inline int replace_block(const struct block_key *key, const struct block *fresh)
{
	struct block *b = bpf_map_lookup_elem(&live, key), old;

	if (b) {
		old = *b;
		lose(key->target, LOSS_MISSED_FREE);
		count_lost_free(&old);
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
	fresh.extra = t->extra;
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
	add_to_sums(&site->allocated, &fresh);
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

/* What taking a block costs, measured on some. */
static __always_inline void add_block_timed(__u64 id, struct thread *t, struct pt_regs *ctx,
					    __u64 address, __u32 meter)
{
	struct target_meter *m = bpf_map_lookup_elem(&meters, &meter);
	__u64 start = 0;

	if (m && m->taken++ % METER_TIMED_EACH == 0)
		start = bpf_ktime_get_ns();
	add_block(id, t, ctx, address);
	if (!m || !start)
		return;
	m->timed_ns += bpf_ktime_get_ns() - start;
	m->timed++;
}

static __always_inline bool is_sampled(__u32 meter)
{
	const struct target_control *control = bpf_map_lookup_elem(&controls, &meter);

	return control && control->mode == CONTROL_SAMPLED;
}

/* The old block is gone; one that is not known was not sampled, or is older than the attach. */
static __always_inline void end_old(struct thread *t, __u32 meter)
{
	if (t->old_taken) {
		t->old_taken = 0;
		count_free(&t->old);
	} else if (is_realloc(t->kind) && t->old_address && !is_sampled(meter)) {
		count_unknown_free(t->target);
	}
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
	if (!address && !(is_realloc(t->kind) && !t->size && t->old_address)) {
		restore_old(t);
		count_failure(t->target);
		return;
	}
	end_old(t, target->meter);
	if (address && !t->is_left)
		add_block_timed(id, t, ctx, address, target->meter);
}

/* Whether this call was made from inside an allocator function that is being followed. */
static __always_inline bool is_nested(__u64 id, __u64 sp)
{
	struct thread *t = bpf_map_lookup_elem(&threads, &id);

	return t && t->sp && sp <= t->sp;
}

static __always_inline void track_free(struct pt_regs *ctx, __u64 cookie)
{
	struct block_key key = { .address = PT_REGS_PARM1(ctx) };
	struct block *b, freed;
	struct caller c;

	if (!key.address || !find_caller(cookie, &c))
		return;
	c.meter->frees++;
	count_hit(&c);
	key.target = c.target;
	b = bpf_map_lookup_elem(&live, &key);
	if (b) {
		freed = *b;
		if (bpf_map_delete_elem(&live, &key) == 0) {
			count_free(&freed);
			return;
		}
	}
	/* realloc(p, 0) frees through here; the block was taken out when realloc began. */
	if (c.control->mode == CONTROL_EXACT &&
	    !is_nested(bpf_get_current_pid_tgid(), PT_REGS_SP(ctx)))
		count_unknown_free(key.target);
}

#endif
