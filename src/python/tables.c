// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The tables that objects keep outside of their blocks: items of lists, keys and values of dicts, entries of
 * sets, blocks of deques. In a pool they are a block; elsewhere their size is what the object says.
 *
 * Offsets: Include/cpython/listobject.h, setobject.h and bytearrayobject.h, Modules/_collectionsmodule.c,
 * the same from 3.8 to 3.14; of dicts see layout.h.
 */
#include "python/sweep_state.h"

/* PyListObject, PySetObject, dequeobject, PyByteArrayObject */
#define LIST_ITEMS	24
#define LIST_ALLOCATED	32
#define SET_MASK	32
#define SET_TABLE	40
#define SET_INLINE	8 /* entries that are in the object */
#define SET_ENTRY_BYTES 16
#define DEQUE_LENGTH	16
#define DEQUE_LEFT	24
#define DEQUE_INDEX	40
#define DEQUE_BLOCK	64 /* items */
#define BYTEARRAY_ALLOC 24
#define BYTEARRAY_BYTES 32

/* Enough of an object for all of these. */
#define OBJECT_READ 48

/* 2^40 entries are more than memory has. */
#define LOG2_MAX  40
#define BYTES_MAX (1ull << 44)

static uint64_t index_bytes(uint64_t size)
{
	if (size <= 0xff)
		return size;
	if (size <= 0xffff)
		return 2 * size;
	return size <= UINT32_MAX ? 4 * size : 8 * size;
}

uint64_t keys_first_entry(const struct python_layout *l, const uint8_t *header,
			  uint64_t *ret_entry_bytes)
{
	*ret_entry_bytes = 24;
	if (l->keys_index_log2 == PYTHON_NONE)
		return l->keys_indices + index_bytes(word_at(header, l->keys_size));
	if (header[l->keys_kind])
		*ret_entry_bytes = 16;
	return l->keys_indices + (1ull << header[l->keys_index_log2]);
}

uint64_t keys_table_bytes(const struct python_layout *l, const uint8_t *header)
{
	uint64_t size, first, entry;

	if (l->keys_index_log2 == PYTHON_NONE) {
		size = word_at(header, l->keys_size);
		if (size > 1ull << LOG2_MAX)
			return 0;
	} else {
		if (header[l->keys_size] > LOG2_MAX || header[l->keys_index_log2] > LOG2_MAX + 3)
			return 0;
		size = 1ull << header[l->keys_size];
	}
	first = keys_first_entry(l, header, &entry);
	/* USABLE_FRACTION() */
	return first + size * 2 / 3 * entry;
}

bool tables_has_distant_keys(const struct python_sweep *s, const uint8_t *object)
{
	uint64_t keys = word_at(object, s->layout->dict_keys);

	/* The table of an empty dict is static, that of a split one shared. */
	return !word_at(object, s->layout->dict_values) && keys >= s->low && keys < s->high &&
	       !pools_at(s, keys);
}

int tables_read_keys(struct python_sweep *s)
{
	for (size_t i = 0; i < s->n_keys;) {
		size_t n = s->n_keys - i < RUNS ? s->n_keys - i : RUNS;
		int r;

		for (size_t j = 0; j < n; j++) {
			const struct found *f = &s->found[s->keys[i + j]];
			const uint8_t *block = s->buffer + f->at;

			/* Where it was when this was noted, whatever became of the type. */
			s->runs[j] = (struct python_run){
				.address = word_at(block, s->before + 16u + s->layout->dict_keys),
				.to = s->heads + j * HEAD_BYTES,
				.n = KEYS_HEADER_BYTES,
			};
			if (f->type)
				s->runs[j].address = word_at(block, s->before + f->type->object_at +
									    s->layout->dict_keys);
		}
		r = python_read_runs(s->memory, s->runs, n);
		if (r < 0)
			return r;
		for (size_t j = 0; j < n; j++) {
			uint64_t bytes = 0;

			if (s->runs[j].done == KEYS_HEADER_BYTES)
				bytes = keys_table_bytes(s->layout, s->runs[j].to);
			s->found[s->keys[i + j]].keys_bytes =
				bytes <= UINT32_MAX ? (uint32_t)bytes : UINT32_MAX;
		}
		i += n;
	}
	return 0;
}

/* A table of @bytes, if it is one: what lies in a pool has its block's size. */
static void add_table(const struct python_sweep *s, uint64_t address, uint64_t bytes,
		      struct tables *ret)
{
	uint64_t start;
	uint32_t block;

	if (!address)
		return;
	if (python_sweep_block_of(s, address, &start, &block)) {
		ret->bytes += block;
		ret->pool_bytes += block;
		ret->pool_blocks++;
		return;
	}
	if (address < s->low || address >= s->high || !bytes || bytes > BYTES_MAX ||
	    ret->n == ARRAY_SIZE(ret->pieces))
		return;
	ret->bytes += bytes;
	ret->pieces[ret->n++] = (struct piece){ .address = address, .bytes = bytes };
}

static void dict_tables(const struct python_sweep *s, const uint8_t *object, uint64_t keys_bytes,
			struct tables *ret)
{
	uint64_t values = word_at(object, s->layout->dict_values);

	uint64_t start;
	uint32_t block;

	/* From 3.13 on those of an instance may be inside of it. */
	if (values && s->layout->minor >= 13 &&
	    (!python_sweep_block_of(s, values, &start, &block) || start != values))
		return;
	if (values)
		add_table(s, values, 0, ret);
	else
		add_table(s, word_at(object, s->layout->dict_keys), keys_bytes, ret);
}

/* Blocks of a deque are linked; only the first is told, and the bytes of all. */
static void deque_tables(const struct python_sweep *s, const uint8_t *object, struct tables *ret)
{
	uint64_t length = word_at(object, DEQUE_LENGTH);
	uint64_t index = word_at(object, DEQUE_INDEX);
	uint64_t blocks, left = word_at(object, DEQUE_LEFT);

	if (length > BYTES_MAX / 8 || index >= DEQUE_BLOCK)
		return;
	blocks = (index + length + DEQUE_BLOCK - 1) / DEQUE_BLOCK;
	if (!blocks)
		blocks = 1;
	add_table(s, left, DEQUE_BLOCK_BYTES, ret);
	if (ret->n)
		ret->bytes += (blocks - 1) * DEQUE_BLOCK_BYTES;
}

/*
 * Values of an instance outside of it: 3.11 has a pointer to them before the collector's header, in 3.12 the
 * lowest bit tells them from a dict. What the pointer leads to has a prefix, in the same block.
 */
static void instance_tables(const struct python_sweep *s, const struct python_type *t,
			    const uint8_t *object, struct tables *ret)
{
	uint64_t values = 0;

	if (!(t->flags & PY_MANAGED_DICT) || t->object_at < 32)
		return;
	if (s->layout->minor == 11)
		values = word_at(object - 32, 0);
	else if (s->layout->minor == 12 && word_at(object - 24, 0) & 1)
		values = word_at(object - 24, 0) + 1;
	add_table(s, values, 0, ret);
}

void tables_of(const struct python_sweep *s, const struct python_type *t, const uint8_t *object,
	       uint64_t keys_bytes, struct tables *ret)
{
	*ret = (struct tables){ .n = 0 };
	instance_tables(s, t, object, ret);
	if (t->basicsize < OBJECT_READ && t->role != PYTHON_ROLE_LIST)
		return;
	switch (t->role) {
	case PYTHON_ROLE_LIST:
		add_table(s, word_at(object, LIST_ITEMS), 8 * word_at(object, LIST_ALLOCATED), ret);
		return;
	case PYTHON_ROLE_DICT:
		dict_tables(s, object, keys_bytes, ret);
		return;
	case PYTHON_ROLE_SET:
		if (word_at(object, SET_MASK) >= SET_INLINE)
			add_table(s, word_at(object, SET_TABLE),
				  SET_ENTRY_BYTES * (word_at(object, SET_MASK) + 1), ret);
		return;
	case PYTHON_ROLE_DEQUE:
		deque_tables(s, object, ret);
		return;
	case PYTHON_ROLE_BYTEARRAY:
		add_table(s, word_at(object, BYTEARRAY_BYTES), word_at(object, BYTEARRAY_ALLOC),
			  ret);
		return;
	default:
		return;
	}
}
