// SPDX-License-Identifier: GPL-2.0-or-later
/* By shape; then the attributes and members that any object may have besides. See containers.h. */
#include "python/containers.h"

#include <errno.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "python/container_tables.h"

/* Members that are the same in all versions (Include/cpython/, Objects/, Modules/_collectionsmodule.c). */
enum {
	LIST_ITEMS = 24,
	SET_MASK = 32,
	SET_TABLE = 40,
	SET_ENTRY = 16, /* key, hash */
	DEQUE_LEFT_BLOCK = 24,
	DEQUE_LEFT_INDEX = 40,
	DEQUE_BLOCK_ITEMS = 64,
	DEQUE_BLOCK_ITEM = 8, /* the first, behind the link to the left */
	DEQUE_BLOCK_RIGHT = 520,
	CELL_CONTENTS = 16,
	METHOD_FUNCTION = 16,
	METHOD_SELF = 24,
	BUILTIN_SELF = 24,
	MODULE_DICT = 16,
	WEAK_CALLBACK = 24,
	/* Then __traceback__, __context__, __cause__; from 3.11 on __notes__ before them. */
	EXCEPTION_ARGS = 24,
	FUTURE_LOOP = 16, /* held by each of its tasks, which tells nothing */
	TRACEBACK_NEXT = 16,
	TRACEBACK_FRAME = 24,
	CACHE_DICT = 72, /* of functools.lru_cache */
};

struct fixed {
	uint16_t offset;
	enum python_slot_kind kind;
	const char *text;
};

#define FIXED(offset, text)                         \
	{                                           \
		(offset), PYTHON_SLOT_FIXED, (text) \
	}

static int fixed_each(const struct python_reader *r, uint64_t object, const struct fixed *f,
		      size_t n, python_slot_fn fn, void *userdata)
{
	for (size_t i = 0; i < n; i++) {
		struct python_slot slot = { .kind = f[i].kind, .text = f[i].text };
		int result;

		if (f[i].offset == PYTHON_NONE)
			continue;
		result = python_word_slot(r, object + f[i].offset, slot, fn, userdata);
		if (result)
			return result;
	}
	return 0;
}

static int list_each(const struct python_reader *r, uint64_t list, python_slot_fn fn,
		     void *userdata)
{
	uint64_t head[2]; /* ob_size, ob_item */
	int result;

	result = python_read(r->memory, list + PY_OB_SIZE, head, sizeof(head));
	if (result < 0)
		return result;
	return python_words_each(r, head[1], head[0], PYTHON_SLOT_INDEX, 0, fn, userdata);
}

static int tuple_each(const struct python_reader *r, uint64_t tuple, python_slot_fn fn,
		      void *userdata)
{
	uint64_t n;
	int result;

	if (r->layout->tuple_items == PYTHON_NONE)
		return -EINVAL;
	result = python_read_u64(r->memory, tuple + PY_OB_SIZE, &n);
	if (result < 0)
		return result;
	return python_words_each(r, tuple + r->layout->tuple_items, n, PYTHON_SLOT_ITEM, 0, fn,
				 userdata);
}

struct set_entries {
	python_slot_fn fn;
	void *userdata;
};

/* The hash beside the key is no reference. */
static int tell_set_entry(const uint8_t *entry, uint64_t index, void *userdata)
{
	const struct set_entries *e = userdata;
	struct python_slot slot = { .kind = PYTHON_SLOT_ANY, .index = index };

	memcpy(&slot.value, entry, sizeof(slot.value));
	return slot.value ? e->fn(&slot, e->userdata) : 0;
}

static int set_each(const struct python_reader *r, uint64_t set, python_slot_fn fn, void *userdata)
{
	struct set_entries e = { fn, userdata };
	struct python_table t = { .stride = SET_ENTRY };
	uint64_t head[2]; /* mask, table */
	int result;

	result = python_read(r->memory, set + SET_MASK, head, sizeof(head));
	if (result < 0)
		return result;
	if (head[0] & (head[0] + 1))
		return -EINVAL;
	t.address = head[1];
	t.n = head[0] + 1;
	return python_table_each(r, &t, tell_set_entry, &e);
}

/* From the left end, as many as it says to have. */
static int deque_each(const struct python_reader *r, uint64_t deque, python_slot_fn fn,
		      void *userdata)
{
	uint64_t n, block, right, index;
	int result;

	result = python_read_u64(r->memory, deque + PY_OB_SIZE, &n);
	if (result >= 0)
		result = python_read_u64(r->memory, deque + DEQUE_LEFT_BLOCK, &block);
	if (result >= 0)
		result = python_read_u64(r->memory, deque + DEQUE_LEFT_INDEX, &index);
	if (result < 0)
		return result;
	if (index >= DEQUE_BLOCK_ITEMS || n > PYTHON_TABLE_BYTES / sizeof(uint64_t))
		return -EINVAL;
	while (n) {
		uint64_t here = DEQUE_BLOCK_ITEMS - index < n ? DEQUE_BLOCK_ITEMS - index : n;

		result = python_words_each(r, block + DEQUE_BLOCK_ITEM + index * sizeof(uint64_t),
					   here, PYTHON_SLOT_QUEUED, 0, fn, userdata);
		if (result)
			return result;
		result = python_read_u64(r->memory, block + DEQUE_BLOCK_RIGHT, &right);
		if (result < 0)
			return result;
		n -= here;
		index = 0;
		block = right;
		if (clock_ns(CLOCK_MONOTONIC) > r->deadline_ns)
			return -ETIMEDOUT;
	}
	return 0;
}

static int future_each(const struct python_reader *r, const struct python_object_ref *o,
		       python_slot_fn fn, void *userdata)
{
	const struct python_layout *l = r->layout;
	const struct fixed f[] = {
		FIXED(l->future_callback0, "._callbacks[0]"),
		FIXED(l->future_callbacks, "._callbacks"),
		FIXED(l->task_coro, ".coro"),
		FIXED(l->task_fut_waiter, ".fut_waiter"),
	};

	return fixed_each(r, o->address, f, o->shape == PYTHON_TASK ? ARRAY_SIZE(f) : 2, fn,
			  userdata);
}

static int function_each(const struct python_reader *r, uint64_t function, python_slot_fn fn,
			 void *userdata)
{
	const struct python_layout *l = r->layout;
	const struct fixed f[] = {
		FIXED(l->function_defaults, ".__defaults__"),
		FIXED((uint16_t)(l->function_defaults + 8), ".__kwdefaults__"),
		FIXED(l->function_closure, ".__closure__"),
		{ l->function_dict, PYTHON_SLOT_NAMESPACE, NULL },
		FIXED(l->function_code, ".__code__"),
		FIXED(l->function_globals, ".__globals__"),
	};

	return fixed_each(r, function, f, ARRAY_SIZE(f), fn, userdata);
}

static int exception_each(const struct python_reader *r, uint64_t exception, python_slot_fn fn,
			  void *userdata)
{
	uint16_t at = r->layout->minor >= 11 ? EXCEPTION_ARGS + 8 : EXCEPTION_ARGS;
	const struct fixed f[] = {
		FIXED(EXCEPTION_ARGS, ".args"),
		FIXED((uint16_t)(at + 8), ".__traceback__"),
		FIXED((uint16_t)(at + 16), ".__context__"),
		FIXED((uint16_t)(at + 24), ".__cause__"),
	};

	return fixed_each(r, exception, f, ARRAY_SIZE(f), fn, userdata);
}

/* Of the shapes that hold nothing else. */
static const struct {
	enum python_shape shape;
	struct fixed fixed;
} fixed_slots[] = {
	{ PYTHON_CELL, FIXED(CELL_CONTENTS, ".cell_contents") },
	{ PYTHON_METHOD, FIXED(METHOD_SELF, ".__self__") },
	{ PYTHON_METHOD, FIXED(METHOD_FUNCTION, ".__func__") },
	{ PYTHON_BUILTIN, FIXED(BUILTIN_SELF, ".__self__") },
	{ PYTHON_MODULE, { MODULE_DICT, PYTHON_SLOT_NAMESPACE, NULL } },
	{ PYTHON_WEAK, FIXED(WEAK_CALLBACK, ".__callback__") },
	{ PYTHON_TRACEBACK, FIXED(TRACEBACK_FRAME, ".tb_frame") },
	{ PYTHON_TRACEBACK, FIXED(TRACEBACK_NEXT, ".tb_next") },
	{ PYTHON_CACHE, FIXED(CACHE_DICT, ".<cache>") },
	{ PYTHON_CLASS, { PY_TP_DICT, PYTHON_SLOT_NAMESPACE, NULL } },
};

static int fixed_slots_each(const struct python_reader *r, const struct python_object_ref *o,
			    python_slot_fn fn, void *userdata)
{
	int result = 0;

	for (size_t i = 0; i < ARRAY_SIZE(fixed_slots) && !result; i++)
		if (fixed_slots[i].shape == o->shape)
			result = fixed_each(r, o->address, &fixed_slots[i].fixed, 1, fn, userdata);
	return result;
}

static int shaped_each(const struct python_reader *r, const struct python_object_ref *o,
		       python_slot_fn fn, void *userdata)
{
	switch (o->shape) {
	case PYTHON_LIST:
		return list_each(r, o->address, fn, userdata);
	case PYTHON_TUPLE:
		return tuple_each(r, o->address, fn, userdata);
	case PYTHON_DICT:
		return python_dict_slots_each(r, o->address, fn, userdata);
	case PYTHON_SET:
		return set_each(r, o->address, fn, userdata);
	case PYTHON_DEQUE:
		return deque_each(r, o->address, fn, userdata);
	case PYTHON_FUNCTION:
		return function_each(r, o->address, fn, userdata);
	case PYTHON_GENERATOR:
		return python_generator_each(r, o->address, fn, userdata);
	case PYTHON_FRAME:
		return python_frame_object_each(r, o->address, fn, userdata);
	case PYTHON_FUTURE:
	case PYTHON_TASK:
		return future_each(r, o, fn, userdata);
	case PYTHON_EXCEPTION:
		return exception_each(r, o->address, fn, userdata);
	default:
		return fixed_slots_each(r, o, fn, userdata);
	}
}

/* PyMemberDef: name, int type, offset, flags, doc. */
#define MEMBER_BYTES	   40
#define MEMBER_TYPE	   8
#define MEMBER_OFFSET	   16
#define MEMBER_OBJECT	   6
#define MEMBER_OBJECT_EX   16
#define MAX_MEMBERS	   256
#define MAX_BASES	   16
#define MAX_INSTANCE_BYTES (1u << 20)

struct members {
	const struct python_reader *r;
	const struct python_object_ref *o;
	python_slot_fn fn;
	void *userdata;
};

static int members_of(const struct members *m, uint64_t members)
{
	uint8_t def[MEMBER_BYTES];
	int result;

	for (unsigned int i = 0; members && i < MAX_MEMBERS; i++) {
		struct python_slot slot = { .kind = PYTHON_SLOT_MEMBER };
		uint32_t type;

		result = python_read(m->r->memory, members + i * MEMBER_BYTES, def, sizeof(def));
		if (result < 0)
			return result;
		memcpy(&slot.key, def, sizeof(slot.key));
		memcpy(&type, def + MEMBER_TYPE, sizeof(type));
		memcpy(&slot.index, def + MEMBER_OFFSET, sizeof(slot.index));
		if (!slot.key)
			break;
		if ((type != MEMBER_OBJECT && type != MEMBER_OBJECT_EX) ||
		    slot.index >= m->o->type->basicsize || slot.index < PY_OB_SIZE)
			continue;
		result = python_word_slot(m->r, m->o->address + slot.index, slot, m->fn,
					  m->userdata);
		if (result)
			return result;
	}
	return 0;
}

/* Those of the type and of its bases: __slots__, and what C types publish. */
static int members_each(const struct members *m)
{
	uint64_t base = m->o->type->base;
	int result = members_of(m, m->o->type->members);

	for (unsigned int i = 0; base && !result && i < MAX_BASES; i++) {
		uint64_t members;

		result = python_read_u64(m->r->memory, base + PY_TP_MEMBERS, &members);
		if (result >= 0)
			result = python_read_u64(m->r->memory, base + PY_TP_BASE, &base);
		if (result >= 0)
			result = members_of(m, members);
	}
	return result;
}

static bool is_future(const struct python_object_ref *o)
{
	return o->shape == PYTHON_FUTURE || o->shape == PYTHON_TASK;
}

static int tell_plain_word(const uint8_t *entry, uint64_t index, void *userdata)
{
	const struct members *m = userdata;
	struct python_slot slot = { .kind = PYTHON_SLOT_WORD,
				    .index = PY_OB_SIZE + index * sizeof(uint64_t) };

	memcpy(&slot.value, entry, sizeof(slot.value));
	if (!slot.value || slot.index == m->o->type->dictoffset ||
	    (slot.index == FUTURE_LOOP && is_future(m->o)))
		return 0;
	return m->fn(&slot, m->userdata);
}

/* Items behind the object's own members, where its type has some. */
static uint64_t bytes_of_items(const struct members *m)
{
	int64_t n = 0;

	if (m->o->type->itemsize != sizeof(uint64_t) ||
	    python_read_u64(m->r->memory, m->o->address + PY_OB_SIZE, (uint64_t *)&n) < 0 ||
	    n < 0 || n > MAX_INSTANCE_BYTES)
		return 0;
	return (uint64_t)n * sizeof(uint64_t);
}

/* C types hold references where only their code knows. */
static int plain_words_each(const struct members *m)
{
	uint64_t n = m->o->type->basicsize;
	struct python_table t = { .address = m->o->address + PY_OB_SIZE, .stride = 8 };

	if (n > MAX_INSTANCE_BYTES || n < PY_OB_SIZE)
		return -EINVAL;
	t.n = (n - PY_OB_SIZE + bytes_of_items(m)) / sizeof(uint64_t);
	return python_table_each(m->r, &t, tell_plain_word, (void *)m);
}

static bool has_more_words(const struct python_object_ref *o)
{
	return o->shape == PYTHON_PLAIN || o->shape == PYTHON_LOOP || o->shape == PYTHON_CACHE ||
	       is_future(o) || o->shape == PYTHON_EXCEPTION;
}

int python_slots_each(const struct python_reader *r, const struct python_object_ref *o,
		      python_slot_fn fn, void *userdata)
{
	const struct members m = { r, o, fn, userdata };
	bool is_derived = o->type->flags & PY_HEAPTYPE;
	int result;

	if (o->shape == PYTHON_OPAQUE)
		return 0;
	result = shaped_each(r, o, fn, userdata);
	if (!result && (is_derived || has_more_words(o)) && o->shape != PYTHON_CLASS)
		result = python_attributes_each(r, o, fn, userdata);
	if (!result && (is_derived || has_more_words(o)))
		result = members_each(&m);
	if (!result && has_more_words(o))
		result = plain_words_each(&m);
	return result;
}

static uint64_t word_at(const uint8_t *bytes, size_t n, uint64_t offset)
{
	uint64_t v = 0;

	if (offset + sizeof(v) <= n)
		memcpy(&v, bytes + offset, sizeof(v));
	return v;
}

uint64_t python_table_of(const struct python_layout *l, const struct python_object_ref *o,
			 const uint8_t *bytes, size_t n)
{
	uint64_t values;

	switch (o->shape) {
	case PYTHON_LIST:
		return word_at(bytes, n, LIST_ITEMS);
	case PYTHON_DICT:
		values = word_at(bytes, n, l->dict_values);
		return values ? values : word_at(bytes, n, l->dict_keys);
	case PYTHON_SET:
		return word_at(bytes, n, SET_TABLE);
	case PYTHON_DEQUE:
		return word_at(bytes, n, DEQUE_LEFT_BLOCK);
	default:
		return 0;
	}
}
