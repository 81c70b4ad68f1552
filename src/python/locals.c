// SPDX-License-Identifier: GPL-2.0-or-later
/* Locals of frames, of coroutines and of generators. See containers.h. */
#include <errno.h>
#include <string.h>

#include "python/container_tables.h"

/* More locals than this has no code that people write. */
#define MAX_LOCALS 4096

/* _PyInterpreterFrame: int stacktop from 3.11 to 3.13, a pointer in 3.14. */
#define FRAME_STACK_TOP 64

/* PyFrameObject: 3.8 and 3.9 f_stacktop; 3.10 f_valuestack and the int f_stackdepth. */
#define OLD_STACK_TOP	72
#define OLD_STACK	64
#define OLD_STACK_DEPTH 80

/* _PyInterpreterFrame in a frame object that outlived its function: PyFrameObject.f_frame. */
#define FRAME_OBJECT_FRAME 24

/* The words of a frame that are alive: locals, then the stack. */
struct live {
	uint64_t code;
	uint64_t first; /* address of the first */
	uint64_t locals;
	uint64_t stack;
};

static int tuple_length(const struct python_reader *r, uint64_t field, uint64_t *ret)
{
	uint64_t tuple, n;
	int result;

	result = python_read_u64(r->memory, field, &tuple);
	if (result >= 0)
		result = python_read_u64(r->memory, tuple + PY_OB_SIZE, &n);
	if (result < 0)
		return result;
	if (n > MAX_LOCALS)
		return -EINVAL;
	*ret = n;
	return 0;
}

static int count_locals(const struct python_reader *r, uint64_t code, uint64_t *ret)
{
	const struct python_layout *l = r->layout;
	uint64_t type, names, cells, free_names;
	int result;

	result = python_read_u64(r->memory, code + PY_OB_TYPE, &type);
	if (result < 0)
		return result;
	if (type != r->code_type)
		return -EINVAL;
	if (l->code_localsplusnames != PYTHON_NONE)
		return tuple_length(r, code + l->code_localsplusnames, ret);
	result = tuple_length(r, code + l->code_varnames, &names);
	if (result >= 0)
		result = tuple_length(r, code + l->code_cellvars, &cells);
	if (result >= 0)
		result = tuple_length(r, code + l->code_freevars, &free_names);
	if (result < 0)
		return result;
	*ret = names + cells + free_names;
	return 0;
}

struct tell_local {
	const struct python_layout *layout;
	python_slot_fn fn;
	void *userdata;
};

static int tell_local(const struct python_slot *slot, void *userdata)
{
	const struct tell_local *t = userdata;
	struct python_slot untagged = *slot;

	untagged.value = python_untag(t->layout, slot->value);
	return untagged.value ? t->fn(&untagged, t->userdata) : 0;
}

static int live_each(const struct python_reader *r, const struct live *live, python_slot_fn fn,
		     void *userdata)
{
	struct tell_local t = { r->layout, fn, userdata };
	int result;

	result = python_words_each(r, live->first, live->locals, PYTHON_SLOT_LOCAL, live->code,
				   tell_local, &t);
	if (result)
		return result;
	return python_words_each(r, live->first + live->locals * sizeof(uint64_t), live->stack,
				 PYTHON_SLOT_STACK, live->code, tell_local, &t);
}

/* How far the stack of a frame from 3.11 on reaches; while the frame runs nobody knows. */
static int stack_of_frame(const struct python_reader *r, uint64_t frame, struct live *live)
{
	uint64_t word, top;
	int result;

	live->stack = 0;
	result = python_read_u64(r->memory, frame + FRAME_STACK_TOP, &word);
	if (result < 0)
		return result;
	if (r->layout->minor >= 14)
		top = word > live->first ? (word - live->first) / sizeof(uint64_t) : 0;
	else
		top = (int32_t)word > 0 ? (uint64_t)(int32_t)word : 0;
	if (top > live->locals && top - live->locals <= MAX_LOCALS)
		live->stack = top - live->locals;
	return 0;
}

static int new_frame_each(const struct python_reader *r, uint64_t frame, bool runs,
			  python_slot_fn fn, void *userdata)
{
	const struct python_layout *l = r->layout;
	struct live live = { .first = frame + l->frame_locals };
	int result;

	if (l->frame_locals == PYTHON_NONE)
		return -EINVAL;
	result = python_read_u64(r->memory, frame + l->frame_code, &live.code);
	if (result < 0)
		return result;
	live.code = python_untag(l, live.code);
	result = count_locals(r, live.code, &live.locals);
	if (result >= 0 && !runs)
		result = stack_of_frame(r, frame, &live);
	return result < 0 ? result : live_each(r, &live, fn, userdata);
}

static uint64_t old_stack_words(const struct python_layout *l, const uint8_t *head,
				const struct live *live)
{
	uint64_t stack, top, first = live->first + live->locals * sizeof(uint64_t);
	int32_t depth;

	if (l->minor >= 10) {
		memcpy(&stack, head + OLD_STACK, sizeof(stack));
		memcpy(&depth, head + OLD_STACK_DEPTH, sizeof(depth));
		top = stack == first && depth > 0 ? (uint64_t)depth : 0;
	} else {
		memcpy(&top, head + OLD_STACK_TOP, sizeof(top));
		top = top > first ? (top - first) / sizeof(uint64_t) : 0;
	}
	return top <= MAX_LOCALS ? top : 0;
}

/* Up to 3.10, where every frame is an object. */
static int old_frame_each(const struct python_reader *r, uint64_t frame, python_slot_fn fn,
			  void *userdata)
{
	const struct python_layout *l = r->layout;
	struct live live = { .first = frame + l->frame_locals };
	uint8_t head[OLD_STACK_DEPTH + 8];
	int result;

	result = python_read(r->memory, frame, head, sizeof(head));
	if (result < 0)
		return result;
	memcpy(&live.code, head + l->frame_code, sizeof(live.code));
	result = count_locals(r, live.code, &live.locals);
	if (result < 0)
		return result;
	live.stack = old_stack_words(l, head, &live);
	return live_each(r, &live, fn, userdata);
}

int python_frame_slots_each(const struct python_reader *r, uint64_t frame, python_slot_fn fn,
			    void *userdata)
{
	if (r->layout->minor < 11)
		return old_frame_each(r, frame, fn, userdata);
	return new_frame_each(r, frame, true, fn, userdata);
}

/* The frame of a function that still runs lies elsewhere, and its locals are told there. */
int python_frame_object_each(const struct python_reader *r, uint64_t object, python_slot_fn fn,
			     void *userdata)
{
	uint64_t frame;
	int result;

	if (r->layout->minor < 11)
		return old_frame_each(r, object, fn, userdata);
	result = python_read_u64(r->memory, object + FRAME_OBJECT_FRAME, &frame);
	if (result < 0)
		return result;
	if (frame <= object || frame - object > 256)
		return 0;
	return new_frame_each(r, frame, true, fn, userdata);
}

/* gi_frame_state of 3.11 and later: what has run to its end has no locals, though their words stay. */
static bool has_ended(int8_t state)
{
	return state >= 1;
}

int python_generator_each(const struct python_reader *r, uint64_t generator, python_slot_fn fn,
			  void *userdata)
{
	const struct python_layout *l = r->layout;
	struct python_slot slot = { .kind = PYTHON_SLOT_FIXED, .text = ".gi_frame" };
	int8_t state;
	int result;

	if (l->minor < 11)
		return python_word_slot(r, generator + l->generator_frame, slot, fn, userdata);
	if (l->generator_state == PYTHON_NONE || l->generator_frame == PYTHON_NONE)
		return -EINVAL;
	result = python_read(r->memory, generator + l->generator_state, &state, sizeof(state));
	if (result < 0 || has_ended(state))
		return result;
	return new_frame_each(r, generator + l->generator_frame, state == 0, fn, userdata);
}
