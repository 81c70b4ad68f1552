// SPDX-License-Identifier: GPL-2.0-or-later
/* Arrays and dicts, with their three kinds of key tables. See container_tables.h. */
#include "python/container_tables.h"

#include <errno.h>
#include <string.h>

#include "base/clock.h"

#define PIECE 16384

static uint64_t u64_at(const uint8_t *bytes, size_t offset)
{
	uint64_t v;

	memcpy(&v, bytes + offset, sizeof(v));
	return v;
}

int python_table_each(const struct python_reader *r, const struct python_table *t,
		      python_entry_fn fn, void *userdata)
{
	uint8_t piece[PIECE];
	uint64_t per_piece = PIECE / t->stride;
	int result;

	if (t->n > PYTHON_TABLE_BYTES / t->stride)
		return -EINVAL;
	for (uint64_t at = 0; at < t->n; at += per_piece) {
		uint64_t n = t->n - at < per_piece ? t->n - at : per_piece;

		result = python_read(r->memory, t->address + at * t->stride, piece, n * t->stride);
		if (result < 0)
			return result;
		for (uint64_t i = 0; i < n; i++) {
			result = fn(piece + i * t->stride, at + i, userdata);
			if (result)
				return result;
		}
		if (at && clock_ns(CLOCK_MONOTONIC) > r->deadline_ns)
			return -ETIMEDOUT;
	}
	return 0;
}

struct words {
	enum python_slot_kind kind;
	uint64_t key;
	python_slot_fn fn;
	void *userdata;
};

static int tell_word(const uint8_t *entry, uint64_t index, void *userdata)
{
	const struct words *w = userdata;
	struct python_slot slot = { .kind = w->kind, .key = w->key, .index = index };

	slot.value = u64_at(entry, 0);
	return slot.value ? w->fn(&slot, w->userdata) : 0;
}

int python_words_each(const struct python_reader *r, uint64_t address, uint64_t n,
		      enum python_slot_kind kind, uint64_t key, python_slot_fn fn, void *userdata)
{
	struct python_table t = { .address = address, .n = n, .stride = sizeof(uint64_t) };
	struct words w = { .kind = kind, .key = key, .fn = fn, .userdata = userdata };

	return python_table_each(r, &t, tell_word, &w);
}

int python_word_slot(const struct python_reader *r, uint64_t address, struct python_slot slot,
		     python_slot_fn fn, void *userdata)
{
	int result = python_read_u64(r->memory, address, &slot.value);

	if (result < 0)
		return result;
	return slot.value ? fn(&slot, userdata) : 0;
}

/* A table of keys (struct _dictkeysobject), decoded. */
struct keys {
	struct python_table entries;
	uint32_t key_at; /* in an entry */
	uint32_t value_at;
};

#define KEYS_HEAD     40
#define KIND_GENERAL  0
#define MAX_LOG2      40
#define OLD_ENTRY     24 /* hash, key, value */
#define UNICODE_ENTRY 16 /* key, value */

/* Up to 3.10: dk_size, dk_lookup, dk_usable, dk_nentries, indices of 1, 2, 4 or 8 bytes. */
static int decode_old_keys(const struct python_layout *l, const uint8_t *head, uint64_t address,
			   struct keys *ret)
{
	uint64_t size = u64_at(head, l->keys_size), n = u64_at(head, l->keys_entries);
	unsigned int width = size <= 0xff ? 1 : size <= 0xffff ? 2 : size <= 0xffffffff ? 4 : 8;

	if (!size || size & (size - 1) || size >> MAX_LOG2 || n > size)
		return -EINVAL;
	ret->entries = (struct python_table){ .address = address + l->keys_indices + size * width,
					      .n = n,
					      .stride = OLD_ENTRY };
	ret->key_at = 8;
	ret->value_at = 16;
	return 0;
}

static int decode_keys(const struct python_layout *l, const uint8_t *head, uint64_t address,
		       struct keys *ret)
{
	unsigned int size_log2, index_log2, kind;
	uint64_t n;

	if (l->keys_kind == PYTHON_NONE)
		return decode_old_keys(l, head, address, ret);
	size_log2 = head[l->keys_size];
	index_log2 = head[l->keys_index_log2];
	kind = head[l->keys_kind];
	n = u64_at(head, l->keys_entries);
	if (size_log2 > MAX_LOG2 || index_log2 > MAX_LOG2 || kind > 2 || n > 1ull << size_log2)
		return -EINVAL;
	ret->entries =
		(struct python_table){ .address = address + l->keys_indices + (1ull << index_log2),
				       .n = n,
				       .stride = kind == KIND_GENERAL ? OLD_ENTRY : UNICODE_ENTRY };
	ret->key_at = kind == KIND_GENERAL ? 8 : 0;
	ret->value_at = ret->key_at + 8;
	return 0;
}

static int read_keys(const struct python_reader *r, uint64_t address, struct keys *ret)
{
	uint8_t head[KEYS_HEAD];
	int result;

	result = python_read(r->memory, address, head, sizeof(head));
	if (result < 0)
		return result;
	return decode_keys(r->layout, head, address, ret);
}

struct entries {
	const struct keys *keys;
	python_slot_fn fn;
	void *userdata;
};

/* An entry whose value is NULL was deleted, whatever its key says. */
static int tell_entry(const uint8_t *entry, uint64_t index, void *userdata)
{
	const struct entries *e = userdata;
	struct python_slot slot = { .kind = PYTHON_SLOT_KEY, .index = index };
	int result;

	slot.key = u64_at(entry, e->keys->key_at);
	slot.value = u64_at(entry, e->keys->value_at);
	if (!slot.value)
		return 0;
	result = e->fn(&slot, e->userdata);
	if (result)
		return result;
	slot.kind = PYTHON_SLOT_KEY_ITSELF;
	slot.value = slot.key;
	return slot.value ? e->fn(&slot, e->userdata) : 0;
}

/* Instances of a class share the keys; more of them than this share none (SHARED_KEYS_MAX_SIZE is 30). */
#define SHARED_KEYS 128

struct split {
	uint64_t values[SHARED_KEYS];
	uint32_t key_at;
	enum python_slot_kind kind;
	python_slot_fn fn;
	void *userdata;
};

static int tell_split(const uint8_t *entry, uint64_t index, void *userdata)
{
	const struct split *s = userdata;
	struct python_slot slot = { .kind = s->kind, .index = index };

	slot.key = u64_at(entry, s->key_at);
	slot.value = s->values[index];
	return slot.value ? s->fn(&slot, s->userdata) : 0;
}

/* Values at @values, at most @room of them, of the keys in @keys. */
static int split_each(const struct python_reader *r, uint64_t keys, uint64_t values, uint64_t room,
		      enum python_slot_kind kind, python_slot_fn fn, void *userdata)
{
	struct split s = { .kind = kind, .fn = fn, .userdata = userdata };
	struct keys k;
	int result;

	result = read_keys(r, keys, &k);
	if (result < 0)
		return result;
	if (k.entries.n > room)
		k.entries.n = room;
	if (k.entries.n > SHARED_KEYS)
		k.entries.n = SHARED_KEYS;
	s.key_at = k.key_at;
	result = python_read(r->memory, values, s.values, k.entries.n * sizeof(s.values[0]));
	if (result < 0)
		return result;
	return python_table_each(r, &k.entries, tell_split, &s);
}

int python_dict_slots_each(const struct python_reader *r, uint64_t dict, python_slot_fn fn,
			   void *userdata)
{
	const struct python_layout *l = r->layout;
	struct keys keys;
	struct entries e = { .keys = &keys, .fn = fn, .userdata = userdata };
	uint8_t head[48];
	uint64_t values;
	int result;

	result = python_read(r->memory, dict, head, sizeof(head));
	if (result < 0)
		return result;
	values = u64_at(head, l->dict_values);
	if (values)
		return split_each(r, u64_at(head, l->dict_keys), values + l->split_values,
				  SHARED_KEYS, PYTHON_SLOT_KEY, fn, userdata);
	result = read_keys(r, u64_at(head, l->dict_keys), &keys);
	if (result < 0)
		return result;
	return python_table_each(r, &keys.entries, tell_entry, &e);
}

static int tell_namespace(uint64_t dict, python_slot_fn fn, void *userdata)
{
	struct python_slot slot = { .kind = PYTHON_SLOT_NAMESPACE, .value = dict };

	return dict ? fn(&slot, userdata) : 0;
}

/* Words before an object with a dict that the interpreter manages. */
#define MANAGED_VALUES_3_11 (-32)
#define MANAGED_DICT	    (-24)
#define INLINE_HEAD	    8 /* 3.13: u8 capacity, size, embedded, valid */

static int values_each(const struct python_reader *r, const struct python_object_ref *o,
		       uint64_t values, uint64_t room, python_slot_fn fn, void *userdata)
{
	if (!values || !o->type->cached_keys)
		return 0;
	return split_each(r, o->type->cached_keys, values, room, PYTHON_SLOT_ATTRIBUTE, fn,
			  userdata);
}

static int inline_values_each(const struct python_reader *r, const struct python_object_ref *o,
			      python_slot_fn fn, void *userdata)
{
	uint64_t at = o->address + o->type->basicsize;
	uint8_t head[INLINE_HEAD];
	int result;

	result = python_read(r->memory, at, head, sizeof(head));
	if (result < 0 || !head[3]) /* not valid: a dict has taken them over */
		return result;
	return values_each(r, o, at + INLINE_HEAD, head[0], fn, userdata);
}

static int managed_each(const struct python_reader *r, const struct python_object_ref *o,
			python_slot_fn fn, void *userdata)
{
	uint64_t values = 0, dict;
	int result;

	result = python_read_u64(r->memory, o->address + (uint64_t)MANAGED_DICT, &dict);
	if (result < 0)
		return result;
	if (r->layout->minor == 11) {
		result = python_read_u64(r->memory, o->address + (uint64_t)MANAGED_VALUES_3_11,
					 &values);
		if (result < 0)
			return result;
	} else if (r->layout->minor == 12 && (dict & 1)) {
		values = dict + 1;
		dict = 0;
	}
	result = values_each(r, o, values, SHARED_KEYS, fn, userdata);
	if (!result && r->layout->minor >= 13 && (o->type->flags & PY_INLINE_VALUES))
		result = inline_values_each(r, o, fn, userdata);
	return result ? result : tell_namespace(dict, fn, userdata);
}

/* A negative offset counts from the end of an object whose size varies (a class derived from tuple). */
static int dict_address(const struct python_reader *r, const struct python_object_ref *o,
			uint64_t *ret)
{
	int64_t offset = (int64_t)o->type->dictoffset, n;
	uint64_t bytes;
	int result;

	if (offset >= 0) {
		*ret = o->address + (uint64_t)offset;
		return 0;
	}
	result = python_read_u64(r->memory, o->address + PY_OB_SIZE, (uint64_t *)&n);
	if (result < 0)
		return result;
	if (n < 0)
		n = -n;
	if (n < 0 || (uint64_t)n > PYTHON_TABLE_BYTES)
		return -EINVAL;
	bytes = o->type->basicsize + (uint64_t)n * o->type->itemsize;
	*ret = o->address + ((bytes + 7) & ~7ull) + (uint64_t)offset;
	return 0;
}

int python_attributes_each(const struct python_reader *r, const struct python_object_ref *o,
			   python_slot_fn fn, void *userdata)
{
	uint64_t at, dict;
	int result;

	if (r->layout->minor >= 11 && (o->type->flags & PY_MANAGED_DICT))
		return managed_each(r, o, fn, userdata);
	if (!o->type->dictoffset)
		return 0;
	result = dict_address(r, o, &at);
	if (result < 0)
		return result;
	result = python_read_u64(r->memory, at, &dict);
	return result < 0 ? result : tell_namespace(dict, fn, userdata);
}
