/* SPDX-License-Identifier: GPL-2.0-or-later OR BSD-2-Clause */
/*
 * Walking a thread's user stack.
 *
 * Starts at the return of an allocator function: the first frame is the true caller, whatever it
 * was compiled with. From there each frame is left by its file's unwind table or, where user space
 * has decided so for a file, by frame pointers; never by a guess. All state is in struct thread.
 */
#ifndef SEEP_UNWIND_BPF_H
#define SEEP_UNWIND_BPF_H

#include "mapping.bpf.h"
#include "python.bpf.h"

#define RBP_BELOW_RETURN (-2)	      /* pushed first thing: a rbp_off8 */
#define FRAME_BYTES_MAX	 (8ull << 20) /* a larger frame is taken for nonsense */

/* Offsets in the signal frame that the kernel pushes: arch/x86/include/asm/sigframe.h. */
#define SIGFRAME_RBP (40 + 10 * 8)
#define SIGFRAME_RSP (40 + 15 * 8)
#define SIGFRAME_RIP (40 + 16 * 8)

static __always_inline bool read_stack(__u64 address, __u64 *value)
{
	return bpf_probe_read_user(value, sizeof(*value), (void *)address) == 0;
}

/* The row that covers an offset of a file: its index, negative when none does. */
verified_once int find_row_index(__u32 slot, __u64 offset)
{
	const struct file_entry *f = bpf_map_lookup_elem(&files, &slot);
	__u32 bucket, index, low, n, *entry;

	if (!f || offset < f->start)
		return -1;
	bucket = (offset - f->start) >> UNWIND_BUCKET_SHIFT;
	if (bucket >= f->n_buckets)
		return -1;
	index = f->bucket + bucket;
	entry = bpf_map_lookup_elem(&unwind_buckets, &index);
	if (!entry)
		return -1;
	low = *entry;
	index++;
	entry = bpf_map_lookup_elem(&unwind_buckets, &index);
	if (!entry)
		return -1;
	n = *entry > low ? *entry - low : 0;

	/*
	 * First row above the offset; 512 bytes hold at most 512 rows: ten halvings. A length and
	 * not an end: the verifier of 7.x would follow how the two bounds depend on each other.
	 */
	low += f->row;
	for (int i = 0; i < 10; i++) {
		const struct unwind_row *row;
		__u32 half = n / 2;

		if (!n)
			break;
		index = low + half;
		row = bpf_map_lookup_elem(&unwind_rows, &index);
		if (!row)
			return -1;
		if (row->pc > offset) {
			n = half;
		} else {
			low += half + 1;
			n -= half + 1;
		}
	}
	if (low == f->row || low - f->row > f->n_rows)
		return -1;
	return low - 1;
}

static __always_inline const struct unwind_row *find_row(__u32 slot, __u64 offset)
{
	int index = find_row_index(slot, offset);

	return index < 0 ? NULL : bpf_map_lookup_elem(&unwind_rows, &index);
}

/* Leaves a signal frame: the interrupted registers are on the stack. */
static __always_inline int step_signal(struct thread *t)
{
	__u64 pc, sp, rbp;

	if (!read_stack(t->cfa + SIGFRAME_RIP, &pc) || !read_stack(t->cfa + SIGFRAME_RSP, &sp) ||
	    !read_stack(t->cfa + SIGFRAME_RBP, &rbp))
		return STACK_READ_FAULT;
	t->pc = pc;
	t->cfa = sp;
	t->rbp = rbp;
	t->exact = 1;
	return -1;
}

/* Where the caller's stack pointer was: the canonical frame address. */
static __always_inline int frame_address(const struct thread *t, const struct unwind_row *row,
					 __u64 *cfa)
{
	switch (UNWIND_RULE(row)) {
	case RULE_RSP:
		*cfa = t->cfa + 8 * (__u64)UNWIND_CFA_OFF8(row);
		return -1;
	case RULE_RBP:
		*cfa = t->rbp + 8 * (__u64)UNWIND_CFA_OFF8(row);
		return -1;
	case RULE_PLT:
		*cfa = t->cfa + 8 + ((t->offset & 15) >= row->cfa_off8 ? 8 : 0);
		return -1;
	case RULE_RBP_DEREF:
		return read_stack(t->rbp + 8 * (__s64)(__s16)row->cfa_off8, cfa) ? -1 :
										   STACK_READ_FAULT;
	case RULE_END:
		return STACK_COMPLETE;
	case RULE_NO_CFI:
		return STACK_NO_CFI;
	default:
		return STACK_INVALID_RULE;
	}
}

static __always_inline int step_frame_pointer(struct thread *t)
{
	__u64 pc, rbp;

	if (!t->rbp)
		return STACK_COMPLETE;
	if ((t->rbp & 7) || t->rbp < t->cfa || t->rbp - t->cfa > FRAME_BYTES_MAX)
		return STACK_BAD_CFA;
	if (!read_stack(t->rbp + 8, &pc) || !read_stack(t->rbp, &rbp))
		return STACK_READ_FAULT;
	t->cfa = t->rbp + 16;
	t->rbp = rbp;
	t->pc = pc;
	t->exact = 0;
	return -1;
}

/* The return address, and rbp if it was saved: mostly below it, where one read gets both. */
static __always_inline int read_frame(const struct thread *t, const struct unwind_row *row,
				      __u64 cfa, __u64 *pc, __u64 *rbp)
{
	__u64 both[2];

	if (row->rbp_off8 == RBP_BELOW_RETURN) {
		if (bpf_probe_read_user(both, sizeof(both), (void *)(cfa - 16)))
			return STACK_READ_FAULT;
		*rbp = both[0];
		*pc = both[1];
		return -1;
	}
	if (!read_stack(cfa - 8, pc))
		return STACK_READ_FAULT;
	if (row->rbp_off8 == RBP_SAME)
		return -1;
	if (row->rbp_off8 == RBP_LOST) {
		*rbp = 0;
		return -1;
	}
	return read_stack(row->rbp_off8 == RBP_AT_RBP ? t->rbp : cfa + 8 * (__s64)row->rbp_off8,
			  rbp) ?
		       -1 :
		       STACK_READ_FAULT;
}

static __always_inline int step_table(struct thread *t)
{
	const struct unwind_row *row = find_row(t->slot, t->offset);
	__u64 cfa, pc, rbp = t->rbp;
	int r;

	if (!row)
		return STACK_NO_CFI;
	if (row->rule == RULE_SIGNAL)
		return step_signal(t);
	if (row->rule == RULE_FRAME_POINTER)
		return step_frame_pointer(t);
	r = frame_address(t, row, &cfa);
	if (r >= 0)
		return r;
	if (cfa <= t->cfa || (cfa & 7) || cfa - t->cfa > FRAME_BYTES_MAX)
		return STACK_BAD_CFA;
	r = read_frame(t, row, cfa, &pc, &rbp);
	if (r >= 0)
		return r;
	t->pc = pc;
	t->cfa = cfa;
	t->rbp = rbp;
	t->exact = 0;
	return -1;
}

#define RETURN_PROBES 64 /* as many as the kernel lets a thread have */

/*
 * Somebody else's return probe has put the address of its trampoline where a caller's return address
 * was. The kernel keeps the real one, by the place on the stack. Of several probes on one function the
 * last in the chain has it. 0: it is no such place.
 */
static __noinline __u64 real_return_address(__u64 place)
{
	struct task_struct *task = (void *)bpf_get_current_task();
	struct return_instance *ri = BPF_CORE_READ(task, utask, return_instances);

	for (int i = 0; i < RETURN_PROBES && ri; i++) {
		if (BPF_CORE_READ(ri, stack) == place && !BPF_CORE_READ(ri, chained))
			return BPF_CORE_READ(ri, orig_ret_vaddr);
		ri = BPF_CORE_READ(ri, next);
	}
	return 0;
}

/*
 * One frame: where the thread's pc lies, and the step to its caller. -1: there is a caller, else
 * the stack's status. A return address may be the first byte after its function, so it is looked
 * up one byte earlier; the frame that is stored is the address itself.
 */
static __always_inline int unwind_frame(struct thread *t)
{
	__u64 back = t->exact ? 0 : 1;
	struct file_entry *f;
	int r;

	t->frame = locate(t, t->pc - back) + back;
	if (!t->slot && back) {
		__u64 real = real_return_address(t->cfa - 8);

		if (real) {
			t->pc = real;
			t->frame = locate(t, real - back) + back;
		}
	}
	if (t->exact)
		t->frame |= FRAME_EXACT;
	if (!t->slot)
		return t->generated ? STACK_JIT : STACK_NO_MAPPING;
	f = bpf_map_lookup_elem(&files, &t->slot);
	if (!f)
		return STACK_NO_MAPPING;
	switch (f->mode) {
	case UNWIND_TABLE:
		r = step_table(t);
		/* Nobody called a signal frame's code: its address is its very beginning. */
		if (t->exact)
			t->frame |= FRAME_EXACT;
		return r;
	case UNWIND_FRAME_POINTER:
		return step_frame_pointer(t);
	case UNWIND_OPAQUE:
		return STACK_JIT;
	case UNWIND_IMPOSSIBLE:
		return STACK_NO_CFI;
	default:
		return STACK_NO_TABLE;
	}
}

static __always_inline __u64 hash_step(__u64 hash, __u64 value)
{
	hash = (hash ^ value) * 0x9e3779b97f4a7c15ull;
	return hash ^ (hash >> 32);
}

static __always_inline long store_frame(struct thread *t)
{
	__u32 n = t->stack.n;

	barrier_var(n);
	if (n >= max_frames)
		return 1;
	t->stack.frames[n] = t->frame;
	t->stack.n = n + 1;
	t->hash = hash_step(t->hash, t->frame);
	return 0;
}

/* The native stack has ended; are there Python frames left? */
static __always_inline long end_native(struct thread *t, const struct python_target *py)
{
	if (!py)
		return 1;
	t->python_flags |= PYTHON_ENDED;
	python_begin(t, py);
	if (!t->python_frame)
		return 1;
	t->python_phase = PYTHON_LEFTOVER;
	return 0;
}

/*
 * Python frames, one at a time. Non-zero: the stack is done. (A function of its own: before 6.13 all functions
 * that call one another share 512 bytes of stack.)
 */
static __noinline long walk_python(struct thread *t, const struct python_target *py)
{
	enum python_step step = take_python(t, py);

	if (step == PYTHON_BROKEN) {
		t->python_flags |= PYTHON_ODD;
		t->python_frame = 0;
	} else if (step != PYTHON_BORDER) {
		if (t->python_phase == PYTHON_LEFTOVER)
			t->python_flags |= PYTHON_ODD;
		if (store_frame(t)) {
			t->stack.status = STACK_DEPTH;
			return 1;
		}
	}
	if (!t->python_frame)
		t->python_phase = PYTHON_NATIVE;
	else if (t->python_phase == PYTHON_INSIDE &&
		 (step == PYTHON_LAST || step == PYTHON_BORDER) && py->eval[0][1])
		t->python_phase = t->python_flags & PYTHON_ENDED ? PYTHON_LEFTOVER : PYTHON_NATIVE;
	return t->python_phase == PYTHON_NATIVE && t->python_flags & PYTHON_ENDED;
}

/*
 * Whether a native frame of the interpreter is to be stored: of the eval loop its Python frames are, if there
 * are any, and further out the rest is plumbing.
 */
static __always_inline bool is_wanted(struct thread *t, const struct python_target *py)
{
	if (t->slot != py->slot)
		return true;
	if (!is_eval_loop(t, py) || (!py->eval[0][1] && t->python_flags & PYTHON_SEEN))
		return !(t->python_flags & PYTHON_SEEN);
	python_begin(t, py);
	t->python_flags |= PYTHON_SEEN;
	if (t->python_frame) {
		t->python_flags |= PYTHON_MET;
		t->python_phase = PYTHON_INSIDE;
		return false;
	}
	t->python_flags |= t->python_flags & PYTHON_MET ? PYTHON_OTHERS : PYTHON_ODD;
	return !(t->python_flags & PYTHON_OTHERS);
}

/* One native frame, or one Python frame. Non-zero: it was the last one. */
static __always_inline long walk_frame(struct thread *t, const struct python_target *py)
{
	int r;

	if (py && t->python_phase != PYTHON_NATIVE)
		return walk_python(t, py);
	/* (Asked before the step, which the verifier would follow once more for each of its ends.) */
	if (t->stack.n >= max_frames)
		return 1;
	r = unwind_frame(t);
	if (!py || is_wanted(t, py))
		store_frame(t);
	if (py && t->python_flags & PYTHON_OTHERS) {
		t->stack.status = STACK_COMPLETE;
		return 1;
	}
	if (r < 0 && t->pc)
		return 0;
	t->stack.status = r < 0 ? STACK_COMPLETE : r;
	if (py && t->python_phase == PYTHON_INSIDE) {
		t->python_flags |= PYTHON_ENDED;
		return 0;
	}
	return end_native(t, py);
}

/* The interpreter of the thread's target; NULL: it runs no Python. */
static __always_inline const struct python_target *python_of(const struct thread *t)
{
	return python_in_use ? bpf_map_lookup_elem(&python_targets, &t->target) : NULL;
}

/* Frames that are met: those of the interpreter are mostly left out. */
#define FRAMES_MET (8 * ABI_MAX_FRAMES)

#if HAS_CALLBACKS

/* What a callback is given must lie on the stack. */
struct walk {
	struct thread *thread;
	const struct python_target *python;
};

static long walk_callback(__u32 index, void *data)
{
	const struct walk *w = data;

	return walk_frame(w->thread, w->python);
}

static __always_inline void walk(__u64 id, struct thread *t)
{
	struct walk w = { .thread = t, .python = python_of(t) };

	bpf_loop(FRAMES_MET, walk_callback, &w, 0);
}

#else

/*
 * A global function is verified once and not for every round of the loop, but takes numbers only:
 * it finds the thread again by itself.
 */
__noinline int walk_frame_of(__u64 id)
{
	struct thread *t = bpf_map_lookup_elem(&threads, &id);

	return t ? walk_frame(t, python_of(t)) : 1;
}

static __always_inline void walk(__u64 id, struct thread *t)
{
	for (__u32 i = 0; i < FRAMES_MET; i++)
		if (walk_frame_of(id))
			break;
}

#endif

/* Fills the thread's stack and returns its key, which no other target's stack shares. */
static __always_inline __u64 unwind(__u64 id, struct thread *t, struct pt_regs *ctx)
{
	__u32 *set = bpf_map_lookup_elem(&target_mappings, &t->target);

	t->mapping_set = set ? *set : NO_MAPPING_SET;
	t->hash = hash_step(t->target, 1);
	t->pc = PT_REGS_IP(ctx);
	t->cfa = PT_REGS_SP(ctx);
	t->rbp = PT_REGS_FP(ctx);
	t->exact = 0;
	t->range_bytes = 0;
	t->python_frame = 0;
	t->python_phase = PYTHON_NATIVE;
	t->python_flags = 0;
	t->stack.n = 0;
	t->stack.status = STACK_DEPTH;
	walk(id, t);
	if (t->python_flags)
		count_python(t);
	return hash_step(t->hash, t->stack.status);
}

#endif
