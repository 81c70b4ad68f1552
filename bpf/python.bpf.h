/* SPDX-License-Identifier: GPL-2.0-or-later OR BSD-2-Clause */
/*
 * Python frames, merged into the native stack.
 *
 * The thread that is walked is inside of an allocator, so its own chain of Python frames stands still. Where
 * a native frame lies in the interpreter's eval loop, the Python frames that this very call of it runs are
 * stored in its place:
 *
 *	native	list_resize	native	list_resize
 *	native	eval loop  ◄──	python	inner() of app.py
 *				python	outer() of app.py	(one call of the loop runs both: 3.11)
 *	native	slot_tp_call	(plumbing of the interpreter, left out from here on)
 *	native	ext.so		native	ext.so
 *	native	eval loop  ◄──	python	<module>
 *
 * Python frames that are left when the native stack ends are appended: none is dropped. And where the eval loop
 * is met again behind the last one, the stack ends: from there on it is another interpreter's of the thread, or
 * what some other greenlet has left below this one's start. Everything that is
 * read is the target's: reads may fail, and no number is used without a check.
 */
#ifndef SEEP_PYTHON_BPF_H
#define SEEP_PYTHON_BPF_H

#include "account.bpf.h"

enum python_phase {
	PYTHON_NATIVE,	 /* native frames come next */
	PYTHON_INSIDE,	 /* Python frames of one call of the eval loop */
	PYTHON_LEFTOVER, /* Python frames, after the last native one */
};

/* Bits of struct thread's python_flags. */
#define PYTHON_LOOKED	 (1u << 0) /* the thread's state was looked for */
#define PYTHON_SEEN	 (1u << 1) /* a frame of the eval loop was met */
#define PYTHON_ENDED	 (1u << 2) /* the native stack has ended */
#define PYTHON_ODD	 (1u << 3) /* something did not match */
#define PYTHON_STATELESS (1u << 4)
#define PYTHON_MET	 (1u << 5) /* Python frames were found */
#define PYTHON_OTHERS	 (1u << 6) /* an eval loop's frame is behind the last of them */

#define OWNER_SHIM 3 /* enum _frameowner, 3.12 and later: from here on it is no Python frame */

#define CODE_TYPE_WORD 1    /* ob_type */
#define TAG_MASK       3ull /* 3.14: of a reference */

/* A member of what was read into python_words, up to 8 bytes, aligned to its size. */
static __always_inline __u64 python_field(const struct thread *t, __u32 offset)
{
	__u32 word = offset / 8;

	barrier_var(word);
	return word < PYTHON_WORDS ? t->python_words[word] >> 8 * (offset & 7) : 0;
}

static __always_inline bool read_word(__u64 address, __u64 *value)
{
	return bpf_probe_read_user(value, sizeof(*value), (void *)address) == 0;
}

/* The state of the running thread; 0: it has none, or it cannot be told. */
static __always_inline __u64 thread_state(const struct python_target *py)
{
	struct task_struct *task = (void *)bpf_get_current_task();
	__u64 self = BPF_CORE_READ(task, thread.fsbase), state, id;

	if (py->running && read_word(py->running, &state) && state &&
	    read_word(state + py->thread_id, &id) && id == self)
		return state;
	if (!py->thread_slot[0] || !read_word(self + py->thread_slot[0], &state) || !state)
		return 0;
	if (py->thread_slot[1] != PYTHON_ABSENT &&
	    (!read_word(state + py->thread_slot[1], &state) || !state))
		return 0;
	return read_word(state + py->thread_id, &id) && id == self ? state : 0;
}

static __noinline int find_python_frame(struct thread *t, const struct python_target *py)
{
	__u64 state, frame;

	state = thread_state(py);
	if (!state) {
		t->python_flags |= PYTHON_STATELESS;
		return 0;
	}
	if (!read_word(state + py->thread_frame, &frame))
		return 0;
	if (py->thread_cframe_frame != PYTHON_ABSENT &&
	    !read_word(frame + py->thread_cframe_frame, &frame))
		return 0;
	t->python_frame = frame;
	return 0;
}

/* Finds the thread's innermost Python frame. */
static __always_inline void python_begin(struct thread *t, const struct python_target *py)
{
	if (t->python_flags & PYTHON_LOOKED)
		return;
	t->python_flags |= PYTHON_LOOKED;
	find_python_frame(t, py);
}

/* What tells a code object from a later one at its address. */
static __always_inline __u64 python_hash(__u64 hash, __u64 value)
{
	hash = (hash ^ value) * 0x9e3779b97f4a7c15ull;
	return hash ^ (hash >> 29);
}

/*
 * Up to 3.11 nothing in a code object is unique, and code that is made and dropped again and again comes to
 * lie at the same addresses, strings included: so the beginnings of these count, too.
 */
#define TEXT_HEAD_WORDS \
	4 /* length, hash, state, wchar_t *: the latter two and the hash may come late */
#define TEXT_WORDS 10

static __always_inline __u64 hash_text(__u64 hash, struct thread *t, __u64 object)
{
	__u64 length;

	if (bpf_probe_read_user(t->python_words, 8 * (TEXT_HEAD_WORDS + TEXT_WORDS),
				(void *)(object + 16)))
		return hash;
	length = t->python_words[0];
	hash = python_hash(hash, length);
	/* What is behind its end may change. */
#pragma clang loop unroll(disable)
	for (__u32 i = 0; i < TEXT_WORDS; i++) {
		if (8 * i >= length)
			break;
		hash = python_hash(hash, t->python_words[TEXT_HEAD_WORDS + i]);
	}
	return hash;
}

/* (Of these words only, which are read over: what else is wanted of them was taken before.) */
static __always_inline __u64 code_signature(struct thread *t, const struct python_target *py,
					    __u64 code)
{
	__u64 file = python_field(t, py->code_filename), name = python_field(t, py->code_name);
	__u64 hash = python_hash(code_seed ^ t->target, code);

	hash = python_hash(hash, file ^ name << 1 ^ python_field(t, py->code_linetable) << 2);
	/* What else differs: its size in words, counts of arguments and variables, the first line. */
	hash = python_hash(hash, t->python_words[2] ^ (__u32)python_field(t, py->code_firstlineno));
	if (py->code_version != PYTHON_ABSENT && (__u32)python_field(t, py->code_version))
		return python_hash(hash, (__u32)python_field(t, py->code_version));
	return hash_text(hash_text(hash, t, file), t, name);
}

static __always_inline void copy_text(struct note_text *text, void *data, __u32 room,
				      const struct python_target *py, __u64 object)
{
	__u64 head[3] = {}, bytes; /* length, hash, state */
	__u32 kind;

	if (bpf_probe_read_user(head, sizeof(head), (void *)(object + 16)))
		return;
	text->length = head[0];
	text->state = head[2];
	kind = text->state >> 2 & 7;
	bytes = head[0] > room ? room : head[0] * kind;
	if (bytes > room)
		bytes = room;
	barrier_var(bytes);
	if (bytes > room ||
	    bpf_probe_read_user(
		    data, bytes,
		    (void *)(object + (text->state >> 6 & 1 ? py->str_ascii : py->str_compact))))
		return;
	text->bytes = bytes;
}

/* Everything by which people know it, while it is there for certain. */
static __always_inline void copy_code(struct note_code *n, const struct thread *t,
				      const struct python_target *py, __u64 code)
{
	__u64 table = python_field(t, py->code_linetable), bytes = 0;

	n->code = code;
	n->table = table;
	n->first_line = python_field(t, py->code_firstlineno);
	n->minor = py->minor;
	copy_text(&n->file, n->file_data, sizeof(n->file_data), py,
		  python_field(t, py->code_filename));
	copy_text(&n->name, n->name_data, sizeof(n->name_data), py, python_field(t, py->code_name));
	if (!read_word(table + 16, &bytes))
		return;
	n->table_bytes = bytes;
	if (bytes > sizeof(n->table_data))
		bytes = sizeof(n->table_data);
	barrier_var(bytes);
	if (bytes <= sizeof(n->table_data))
		bpf_probe_read_user(n->table_data, bytes, (void *)(table + 32));
}

/* Of all but the addresses, so that code which is made again is the same. */
static __always_inline __u64 content_hash(const struct note_code *n)
{
	const __u64 *words = (const void *)&n->table_bytes;
	__u64 hash = code_seed;

	for (__u32 i = 0; i < (sizeof(*n) - __builtin_offsetof(struct note_code, table_bytes)) / 8;
	     i++)
		hash = python_hash(hash, words[i]);
	return hash;
}

/* Notes of forks and files matter more: a half of the room is theirs. */
static __always_inline bool notes_are_full(void)
{
	return bpf_ringbuf_query(&notes, BPF_RB_AVAIL_DATA) >
	       bpf_ringbuf_query(&notes, BPF_RB_RING_SIZE) / 2;
}

/* Gives code that was not met before a number. 0: nobody will know what it is. */
static __noinline __u32 add_code(struct thread *t, const struct python_target *py, __u64 code)
{
	struct note_code *n;
	__u32 id, *known;
	__u64 hash;

	/* (Texts were read over what was known of the object.) */
	if (notes_are_full() ||
	    bpf_probe_read_user(t->python_words, sizeof(t->python_words), (void *)code)) {
		lose(t->target, LOSS_PYTHON_CODE);
		return 0;
	}
	n = bpf_ringbuf_reserve(&notes, sizeof(*n), 0);
	if (!n) {
		lose(t->target, LOSS_NOTE);
		return 0;
	}
	__builtin_memset(n, 0, sizeof(*n));
	copy_code(n, t, py, code);
	hash = content_hash(n);
	known = bpf_map_lookup_elem(&python_contents, &hash);
	if (known) {
		id = *known;
		bpf_ringbuf_discard(n, 0);
		return id;
	}
	if (bpf_map_pop_elem(&free_codes, &id)) {
		bpf_ringbuf_discard(n, 0);
		lose(t->target, LOSS_PYTHON_CODE);
		return 0;
	}
	/* (Another thread may be adding it, too: then it is two codes with the same names.) */
	bpf_map_update_elem(&python_contents, &hash, &id, BPF_ANY);
	n->type = NOTE_CODE;
	n->target = t->target;
	n->other = id;
	n->tgid = bpf_get_current_pid_tgid() >> 32;
	n->time_ns = bpf_ktime_get_ns();
	bpf_get_current_comm(n->comm, sizeof(n->comm));
	bpf_ringbuf_submit(n, 0);
	return id;
}

static __always_inline __u32 code_of(struct thread *t, const struct python_target *py, __u64 code)
{
	__u64 signature = code_signature(t, py, code), *word, *other;
	__u32 index = signature & (CODE_CACHE - 1), id;

	word = bpf_map_lookup_elem(&python_codes, &index);
	if (word && *word >> CODE_BITS == signature >> CODE_BITS)
		return *word & CODE_MAX;
	index ^= 1;
	other = bpf_map_lookup_elem(&python_codes, &index);
	if (other && *other >> CODE_BITS == signature >> CODE_BITS)
		return *other & CODE_MAX;
	id = add_code(t, py, code);
	if (id && word && other) {
		*other = *word;
		*word = (signature & ~(__u64)CODE_MAX) | id;
	}
	return id;
}

/* The code unit that the frame has started last. */
static __always_inline __u64 python_unit(const struct python_target *py, __u64 instruction,
					 __u64 code)
{
	__s64 unit;

	switch (py->instruction) {
	case PYTHON_BYTES:
		unit = (__s32)instruction >> 1;
		break;
	case PYTHON_UNITS:
		unit = (__s32)instruction;
		break;
	default:
		unit = (__s64)(instruction - code - py->code_first_unit) >> 1;
	}
	/* A frame that is being set up has started none. */
	if (unit < 0)
		return 0;
	return (__u64)unit > FRAME_UNIT_MASK ? FRAME_UNIT_MASK : (__u64)unit;
}

enum python_step {
	PYTHON_STORE,  /* there is a frame, and more of this call of the eval loop */
	PYTHON_LAST,   /* there is a frame, the last one of this call */
	PYTHON_BORDER, /* no frame: this call has no more */
	PYTHON_BROKEN, /* no frame: the chain cannot be followed */
};

/* Takes the next Python frame into t->frame. */
static __always_inline enum python_step take_python(struct thread *t,
						    const struct python_target *py)
{
	__u64 code, previous, instruction;
	__u32 bytes = py->frame_bytes;
	bool is_last = py->boundary == PYTHON_EACH_FRAME;

	barrier_var(bytes);
	if (bytes > sizeof(t->python_words) ||
	    bpf_probe_read_user(t->python_words, bytes, (void *)t->python_frame))
		return PYTHON_BROKEN;
	code = python_field(t, py->frame_code) & ~TAG_MASK;
	previous = python_field(t, py->frame_previous);
	instruction = python_field(t, py->frame_instruction);
	if (py->boundary == PYTHON_UP_TO_ENTRY)
		is_last = python_field(t, py->frame_is_entry) & 1;
	if (py->boundary == PYTHON_UP_TO_SHIM &&
	    (python_field(t, py->frame_owner) & 0xff) >= OWNER_SHIM) {
		t->python_frame = previous;
		return PYTHON_BORDER;
	}
	if (bpf_probe_read_user(t->python_words, sizeof(t->python_words), (void *)code) ||
	    t->python_words[CODE_TYPE_WORD] != py->code_type)
		return PYTHON_BROKEN;
	t->frame = FRAME_EXACT | FRAME_SLOT_PYTHON << FRAME_SLOT_SHIFT |
		   ((__u64)code_of(t, py, code) & CODE_MAX) << FRAME_CODE_SHIFT |
		   python_unit(py, instruction, code);
	t->python_frame = previous;
	return is_last ? PYTHON_LAST : PYTHON_STORE;
}

static __always_inline bool is_eval_loop(const struct thread *t, const struct python_target *py)
{
	return t->slot == py->slot &&
	       (t->offset - py->eval[0][0] < py->eval[0][1] - py->eval[0][0] ||
		t->offset - py->eval[1][0] < py->eval[1][1] - py->eval[1][0] ||
		/* A build without one: all Python frames come after the innermost native ones. */
		!py->eval[0][1]);
}

/* How the merge came out, for the target's coverage. */
static __always_inline void count_python(const struct thread *t)
{
	struct target_counters *c;
	enum python_outcome outcome = PYTHON_WHOLE;

	if (!(t->python_flags & PYTHON_LOOKED))
		return;
	if (t->python_flags & PYTHON_STATELESS) {
		/* A thread that has nothing to do with Python has no state either. */
		if (!(t->python_flags & PYTHON_SEEN))
			return;
		outcome = PYTHON_NO_STATE;
	} else if (t->python_flags & PYTHON_ODD) {
		outcome = PYTHON_UNMATCHED;
	} else if (!(t->python_flags & PYTHON_SEEN)) {
		return;
	}
	c = bpf_map_lookup_elem(&counters, &t->target);
	if (c)
		__sync_fetch_and_add(&c->python[outcome], 1);
}

#endif
