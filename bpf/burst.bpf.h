/* SPDX-License-Identifier: GPL-2.0-or-later OR BSD-2-Clause */
/*
 * Bursts: where the objects of one Python type are made, for a moment.
 *
 * Some functions are given every new object of a type (tp_init), others make objects of the type that they are
 * given (tp_alloc, tp_new) and tell at their return which. Which of them see a type is user space's business
 * (src/python/constructors.h). Only Python frames are taken: whoever makes an object runs Python.
 */
#ifndef SEEP_BURST_BPF_H
#define SEEP_BURST_BPF_H

#include "track.bpf.h"

#define OBJECT_TYPE 8 /* ob_type */

#define RB_NO_WAKEUP 1 /* BPF_RB_NO_WAKEUP, which vmlinux.h has not */

/* Frames that are met: those that the eval loop keeps on the C stack are none. */
#define BURST_STEPS (2 * CONSTRUCTION_FRAMES)

/* One Python frame. Non-zero: it was the last one that is wanted. */
static __always_inline long burst_step(struct thread *t, const struct python_target *py)
{
	enum python_step step;

	if (!t->python_frame || t->stack.n >= CONSTRUCTION_FRAMES)
		return 1;
	step = take_python(t, py);
	if (step == PYTHON_BROKEN)
		return 1;
	return step != PYTHON_BORDER && store_frame(t);
}

#if HAS_CALLBACKS

static long burst_callback(__u32 index, void *data)
{
	const struct walk *w = data;

	return burst_step(w->thread, w->python);
}

static __always_inline void burst_walk(__u64 id, struct thread *t, const struct python_target *py)
{
	struct walk w = { .thread = t, .python = py };

	bpf_loop(BURST_STEPS, burst_callback, &w, 0);
}

#else

__noinline int burst_step_of(__u64 id)
{
	struct thread *t = bpf_map_lookup_elem(&threads, &id);
	const struct python_target *py = t ? python_of(t) : NULL;

	return py ? burst_step(t, py) : 1;
}

static __always_inline void burst_walk(__u64 id, struct thread *t, const struct python_target *py)
{
	for (__u32 i = 0; i < BURST_STEPS; i++)
		if (burst_step_of(id))
			break;
}

#endif

/* The burst that a thread's calls belong to, as long as it goes on. */
static __always_inline struct burst *burst_of(__u64 id)
{
	__u32 zero = 0;
	struct burst *b = bpf_map_lookup_elem(&bursts, &zero);

	if (!b || b->tgid != id >> 32 || b->hits >= b->max_hits || b->taken >= b->max_taken)
		return NULL;
	return b;
}

/* The thread's state, which keeps no call of an earlier image. */
static __always_inline struct thread *burst_thread(const struct burst *b, __u64 id)
{
	struct thread *t = thread_of_call(id, b->target);

	if (t && t->target != b->target) {
		t->sp = 0;
		t->target = b->target;
	}
	return t;
}

static __always_inline bool burst_send(struct thread *t, __u64 id, __u64 object)
{
	struct construction *c = bpf_ringbuf_reserve(&constructions, sizeof(*c), 0);

	if (!c)
		return false;
	c->object = object;
	c->time_ns = bpf_ktime_get_ns();
	c->tid = (__u32)id;
	c->n = t->stack.n;
#pragma unroll
	for (__u32 i = 0; i < CONSTRUCTION_FRAMES; i++)
		c->frames[i] = i < max_frames ? t->stack.frames[i] : 0;
	/* Nobody is woken: it is read when the burst is over. */
	bpf_ringbuf_submit(c, RB_NO_WAKEUP);
	return true;
}

static __always_inline void burst_take(struct burst *b, struct thread *t, __u64 id, __u64 object)
{
	const struct python_target *py = bpf_map_lookup_elem(&python_targets, &b->target);

	if (!py) {
		__sync_fetch_and_add(&b->lost, 1);
		return;
	}
	t->python_frame = 0;
	t->python_flags = 0;
	t->stack.n = 0;
	python_begin(t, py);
	burst_walk(id, t, py);
	__sync_fetch_and_add(burst_send(t, id, object) ? &b->taken : &b->lost, 1);
}

static __always_inline bool burst_is_type(const struct burst *b, __u64 object)
{
	__u64 type;

	return object && read_word(object + OBJECT_TYPE, &type) && type == b->type;
}

static __always_inline void burst_object(struct pt_regs *ctx)
{
	__u64 id = bpf_get_current_pid_tgid(), object = PT_REGS_PARM1(ctx);
	struct burst *b = burst_of(id);
	struct thread *t;

	if (!b)
		return;
	__sync_fetch_and_add(&b->hits, 1);
	if (!burst_is_type(b, object))
		return;
	t = burst_thread(b, id);
	if (t)
		burst_take(b, t, id, object);
	else
		__sync_fetch_and_add(&b->lost, 1);
}

/* Whether the call's return is of interest. */
static __always_inline bool burst_begin(struct pt_regs *ctx)
{
	__u64 id = bpf_get_current_pid_tgid();
	struct burst *b = burst_of(id);
	struct thread *t;

	if (!b)
		return false;
	__sync_fetch_and_add(&b->hits, 1);
	if (!b->by_result && PT_REGS_PARM1(ctx) != b->type)
		return false;
	t = burst_thread(b, id);
	if (!t) {
		__sync_fetch_and_add(&b->lost, 1);
		return false;
	}
	t->maker_sp = PT_REGS_SP(ctx);
	return true;
}

static __always_inline void burst_end(struct pt_regs *ctx)
{
	__u64 id = bpf_get_current_pid_tgid(), object = PT_REGS_RC(ctx);
	struct thread *t = bpf_map_lookup_elem(&threads, &id);
	struct burst *b;

	if (!t || !t->maker_sp || PT_REGS_SP(ctx) != t->maker_sp + 8)
		return;
	t->maker_sp = 0;
	b = burst_of(id);
	if (b && t->target == b->target && burst_is_type(b, object))
		burst_take(b, t, id, object);
}

#endif
