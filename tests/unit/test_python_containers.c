// SPDX-License-Identifier: GPL-2.0-or-later
/* python/containers.c: which references live, what they are called, and memory that lies. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "fixtures/python_memory.h"
#include "base/clock.h"
#include "python/containers.h"

static const unsigned int minors[] = { 8, 9, 10, 11, 12, 13 };

#define EACH_MINOR(v) (size_t v##_ = 0; v##_ < sizeof(minors) / sizeof(minors[0]); v##_++)

/* What was told, as "value:name" with the value's last two digits. */
struct heard {
	struct fake_python *f;
	const struct python_object_ref *o;
	char text[1024];
	size_t n;
};

static int hear(const struct python_slot *slot, void *userdata)
{
	struct heard *h = userdata;
	char name[128];
	size_t at = strlen(h->text);

	python_slot_name(&h->f->reader, h->o, slot, name, sizeof(name));
	(void)snprintf(h->text + at, sizeof(h->text) - at, "%s%llu:%s", at ? " " : "",
		       (unsigned long long)slot->value, name);
	h->n++;
	return 0;
}

static int tell(struct fake_python *f, uint64_t address, struct python_type *type,
		struct heard *ret)
{
	struct python_object_ref o = { address, type, python_shape_of(&f->memory, type) };

	*ret = (struct heard){ .f = f, .o = &o };
	return python_slots_each(&f->reader, &o, hear, ret);
}

#define assert_told(f, address, type, expected)                         \
	do {                                                            \
		struct heard h_;                                        \
		assert_int_equal(tell((f), (address), (type), &h_), 0); \
		assert_string_equal(h_.text, expected);                 \
	} while (0)

static uint64_t make_list(struct fake_python *f, struct python_type *type, size_t n, size_t room)
{
	uint64_t items = fake_alloc(f, 8 * room), list;

	(void)fake_type(f, "list", PY_LIST_SUBCLASS, 40, type);
	list = fake_object(f, type->address, 40);
	for (size_t i = 0; i < room; i++)
		fake_word(f, items + 8 * i, 101 + i);
	fake_word(f, list + PY_OB_SIZE, n);
	fake_word(f, list + 24, items);
	return list;
}

static void a_list_ends_where_its_length_says(void **state)
{
	(void)state;
	for
		EACH_MINOR(v)
		{
			struct fake_python *f = fake_python_new(minors[v_]);
			struct python_type type;
			uint64_t list = make_list(f, &type, 2, 5);

			assert_told(f, list, &type, "101:[0] 102:[1]");
			fake_word(f, list + PY_OB_SIZE, 0);
			assert_told(f, list, &type, "");
			free(f);
		}
}

static void a_tuple_tells_its_items(void **state)
{
	const uint64_t items[] = { 103, 0, 107 };
	struct fake_python *f = fake_python_new(11);
	struct python_type type;
	uint64_t tuple;

	(void)state;
	(void)fake_type(f, "tuple", PY_TUPLE_SUBCLASS, 24, &type);
	tuple = fake_tuple(f, 3, items);
	assert_told(f, tuple, &type, "103:(0) 107:(2)");
	free(f);
}

static void the_hashes_of_a_set_are_no_references(void **state)
{
	struct fake_python *f = fake_python_new(11);
	struct python_type type;
	uint64_t set, table = fake_alloc(f, 8 * 16);

	(void)state;
	(void)fake_type(f, "set", 0, 200, &type);
	set = fake_object(f, type.address, 200);
	fake_word(f, set + 32, 7);
	fake_word(f, set + 40, table);
	fake_word(f, table + 16, 109);
	fake_word(f, table + 24, 113);
	fake_word(f, table + 40, 127); /* a hash without a key */
	assert_told(f, set, &type, "109:{*}");
	/* A mask that is none. */
	fake_word(f, set + 32, 6);
	{
		struct heard h;

		assert_int_equal(tell(f, set, &type, &h), -EINVAL);
	}
	free(f);
}

static void a_deque_lives_between_its_ends(void **state)
{
	struct fake_python *f = fake_python_new(12);
	struct python_type type;
	uint64_t deque, left = fake_alloc(f, 528), right = fake_alloc(f, 528);

	(void)state;
	(void)fake_type(f, "collections.deque", PY_HEAPTYPE, 56, &type);
	deque = fake_object(f, type.address, 64);
	for (size_t i = 0; i < 64; i++) {
		fake_word(f, left + 8 + 8 * i, 200 + i);
		fake_word(f, right + 8 + 8 * i, 300 + i);
	}
	fake_word(f, left + 520, right);
	fake_word(f, deque + PY_OB_SIZE, 3);
	fake_word(f, deque + 24, left);
	fake_word(f, deque + 32, right);
	fake_word(f, deque + 40, 62);
	fake_word(f, deque + 48, 0);
	assert_told(f, deque, &type, "262:[*] 263:[*] 300:[*]");
	free(f);
}

/* A table of keys with n entries of a key and a value each; @values 0: their values are NULL. */
static uint64_t make_keys(struct fake_python *f, unsigned int kind, size_t n, const uint64_t *keys,
			  const uint64_t *values)
{
	const struct python_layout *l = f->reader.layout;
	uint64_t table = fake_alloc(f, 48 + 64 + 24 * n), entry;
	bool is_old = l->keys_kind == PYTHON_NONE;
	size_t stride = is_old || kind == 0 ? 24 : 16;
	uint8_t head[3] = { 3, 3, (uint8_t)kind };

	if (is_old)
		fake_word(f, table + l->keys_size, 8);
	else
		fake_put(f, table + l->keys_size, head, sizeof(head));
	fake_word(f, table + l->keys_entries, n);
	entry = table + l->keys_indices + 8;
	for (size_t i = 0; i < n; i++, entry += stride) {
		fake_word(f, entry, 997); /* a hash, or the key */
		fake_word(f, entry + stride - 16, keys[i]);
		fake_word(f, entry + stride - 8, values ? values[i] : 0);
	}
	return table;
}

static uint64_t make_dict(struct fake_python *f, struct python_type *type, uint64_t keys,
			  uint64_t values)
{
	uint64_t dict;

	(void)fake_type(f, "dict", PY_DICT_SUBCLASS, 48, type);
	dict = fake_object(f, type->address, 48);
	fake_word(f, dict + f->reader.layout->dict_keys, keys);
	fake_word(f, dict + f->reader.layout->dict_values, values);
	return dict;
}

static uint64_t make_int(struct fake_python *f, int sign, uint32_t low, uint32_t high)
{
	const struct python_layout *l = f->reader.layout;
	uint64_t object = fake_object(f, f->type_of_int, 32), digits = high ? 2 : low ? 1 : 0;

	if (l->long_tag != PYTHON_NONE)
		fake_word(f, object + l->long_tag, digits << 3 | (sign < 0 ? 2 : !digits));
	else
		fake_word(f, object + PY_OB_SIZE, sign < 0 ? -digits : digits);
	fake_word(f, object + l->long_digits, (uint64_t)high << 32 | low);
	return object;
}

static void dicts_of_every_kind_tell_keys(void **state)
{
	(void)state;
	for
		EACH_MINOR(v)
	for (unsigned int kind = 0; kind < 2; kind++) {
		struct fake_python *f = fake_python_new(minors[v_]);
		const uint64_t keys[] = { fake_str(f, "one"), fake_str(f, "gone"),
					  make_int(f, -1, 5, 0), make_int(f, 1, 1, 1) };
		const uint64_t values[] = { 11, 0, 13, 17 };
		struct python_type type;
		char expected[256];
		uint64_t dict = make_dict(f, &type, make_keys(f, kind, 4, keys, values), 0);

		(void)snprintf(expected, sizeof(expected),
			       "11:['one'] %llu:.keys() 13:[-5] %llu:.keys() "
			       "17:[1073741825] %llu:.keys()",
			       (unsigned long long)keys[0], (unsigned long long)keys[2],
			       (unsigned long long)keys[3]);
		assert_told(f, dict, &type, expected);
		free(f);
	}
}

static void a_split_dict_has_its_values_apart(void **state)
{
	(void)state;
	for
		EACH_MINOR(v)
		{
			struct fake_python *f = fake_python_new(minors[v_]);
			const uint64_t keys[] = { fake_str(f, "a"), fake_str(f, "b"),
						  fake_str(f, "c") };
			uint64_t values = fake_alloc(f, 64);
			struct python_type type;
			uint64_t dict = make_dict(f, &type, make_keys(f, 2, 3, keys, NULL), values);

			fake_word(f, values + f->reader.layout->split_values, 19);
			fake_word(f, values + f->reader.layout->split_values + 16, 23);
			assert_told(f, dict, &type, "19:['a'] 23:['c']");
			free(f);
		}
}

static void long_and_odd_keys_are_cut_and_cleaned(void **state)
{
	struct fake_python *f = fake_python_new(11);
	const uint64_t keys[] = { fake_str(f, "0123456789012345678901234567890123456789012345"),
				  fake_str(f, "a\033[1m\nb"), fake_object(f, f->type_of_code, 200),
				  0x13 };
	const uint64_t values[] = { 29, 31, 37, 41 };
	struct python_type type;
	uint64_t dict = make_dict(f, &type, make_keys(f, 0, 4, keys, values), 0);
	struct heard h;

	(void)state;
	assert_int_equal(tell(f, dict, &type, &h), 0);
	assert_non_null(strstr(h.text, "29:['0123456789012345678901234567890123456789…']"));
	assert_non_null(strstr(h.text, "31:['a?[1m?b']"));
	assert_non_null(strstr(h.text, "37:[<code>]"));
	assert_non_null(strstr(h.text, "41:[<?>]"));
	free(f);
}

/* An instance of a class of Python code, whose attributes lie where its version keeps them. */
static void attributes_of_every_version_are_found(void **state)
{
	(void)state;
	for
		EACH_MINOR(v)
		{
			struct fake_python *f = fake_python_new(minors[v_]);
			const uint64_t keys[] = { fake_str(f, "x"), fake_str(f, "y") };
			uint64_t values = fake_alloc(f, 64), object;
			struct python_type type;
			uint32_t flags = PY_HEAPTYPE | (minors[v_] >= 11 ? PY_MANAGED_DICT : 0) |
					 (minors[v_] >= 13 ? PY_INLINE_VALUES : 0);

			(void)fake_type(f, "Thing", flags, minors[v_] >= 11 ? 16 : 32, &type);
			type.cached_keys = make_keys(f, 2, 2, keys, NULL);
			type.dictoffset = minors[v_] >= 11 ? (uint64_t)-1 : 16;
			object = fake_object(f, type.address, 64);
			fake_word(f, values, 43);
			fake_word(f, values + 8, 47);
			if (minors[v_] < 11) {
				fake_word(f, object + 16, 53);
				assert_told(f, object, &type, "53:");
				free(f);
				continue;
			}
			if (minors[v_] == 11)
				fake_word(f, object - 32, values);
			else if (minors[v_] == 12)
				fake_word(f, object - 24, values - 1);
			if (minors[v_] >= 13) {
				const uint8_t head[8] = { 2, 2, 1, 1 }, invalid[8] = { 2, 2, 1, 0 };

				fake_put(f, object + 16, head, sizeof(head));
				fake_word(f, object + 24, 43);
				fake_word(f, object + 32, 47);
				assert_told(f, object, &type, "43:.x 47:.y");
				fake_put(f, object + 16, invalid, sizeof(invalid));
				fake_word(f, object - 24, 59);
				assert_told(f, object, &type, "59:");
			} else {
				assert_told(f, object, &type, "43:.x 47:.y");
				fake_word(f, object - 32, 0);
				fake_word(f, object - 24, 58);
				assert_told(f, object, &type, "58:");
			}
			free(f);
		}
}

static void members_are_named_by_the_type_and_its_bases(void **state)
{
	struct fake_python *f = fake_python_new(13);
	struct python_type base, type;
	uint64_t defs = fake_alloc(f, 3 * 40), object;

	(void)state;
	(void)fake_type(f, "Base", PY_HEAPTYPE, 32, &base);
	fake_word(f, base.address + PY_TP_MEMBERS, defs);
	fake_word(f, defs, fake_text(f, "held"));
	fake_word(f, defs + 8, 16);
	fake_word(f, defs + 16, 16);
	fake_word(f, defs + 40, fake_text(f, "number"));
	fake_word(f, defs + 48, 1);
	fake_word(f, defs + 56, 24);
	(void)fake_type(f, "Derived", PY_HEAPTYPE, 32, &type);
	type.base = base.address;
	object = fake_object(f, type.address, 32);
	fake_word(f, object + 16, 61);
	assert_told(f, object, &type, "61:.held 61:.<+16 of Derived>");
	free(f);
}

static uint64_t make_code(struct fake_python *f)
{
	const struct python_layout *l = f->reader.layout;
	const uint64_t names[] = { fake_str(f, "first"), fake_str(f, "second") };
	uint64_t code = fake_object(f, f->type_of_code, 200), none = fake_tuple(f, 0, NULL);
	uint64_t two = fake_tuple(f, 2, names);

	if (l->code_localsplusnames != PYTHON_NONE) {
		fake_word(f, code + l->code_localsplusnames, two);
		fake_word(f, code + l->code_qualname, fake_str(f, "Hub.run"));
	} else {
		fake_word(f, code + l->code_varnames, fake_tuple(f, 1, names));
		fake_word(f, code + l->code_cellvars, none);
		fake_word(f, code + l->code_freevars, fake_tuple(f, 1, names + 1));
	}
	fake_word(f, code + l->code_name, fake_str(f, "run"));
	fake_word(f, code + l->code_filename, fake_str(f, "/srv/app.py"));
	fake_word(f, code + l->code_firstlineno, 17);
	return code;
}

static void a_coroutine_that_ended_has_no_locals(void **state)
{
	static const unsigned int later[] = { 11, 12, 13 };

	(void)state;
	for (size_t v = 0; v < 3; v++) {
		struct fake_python *f = fake_python_new(later[v]);
		const struct python_layout *l = f->reader.layout;
		struct python_type type;
		uint64_t code = make_code(f), coroutine, frame;
		int8_t state_byte = -1;

		(void)fake_type(f, "coroutine", 0, 64, &type);
		coroutine = fake_object(f, type.address, 256);
		frame = coroutine + l->generator_frame;
		if (l->generator_code != PYTHON_NONE)
			fake_word(f, coroutine + l->generator_code, code);
		fake_word(f, frame + l->frame_code, code);
		fake_word(f, frame + l->frame_locals, 67);
		fake_word(f, frame + l->frame_locals + 8, 71);
		fake_word(f, frame + l->frame_locals + 16, 73); /* the stack, then what was there */
		fake_word(f, frame + l->frame_locals + 24, 79);
		fake_put(f, frame + 64, &(uint32_t){ 3 }, 4);
		fake_put(f, coroutine + l->generator_state, &state_byte, 1);
		assert_told(f, coroutine, &type,
			    "67:.<local first of Hub.run (app.py:17)> "
			    "71:.<local second of Hub.run (app.py:17)> "
			    "73:.<stack of Hub.run (app.py:17)>");
		state_byte = 4;
		fake_put(f, coroutine + l->generator_state, &state_byte, 1);
		assert_told(f, coroutine, &type, "");
		free(f);
	}
}

static void frames_of_old_versions_are_objects(void **state)
{
	static const unsigned int old[] = { 8, 9, 10 };

	(void)state;
	for (size_t v = 0; v < 3; v++) {
		struct fake_python *f = fake_python_new(old[v]);
		const struct python_layout *l = f->reader.layout;
		struct python_type type;
		uint64_t frame;

		(void)fake_type(f, "frame", 0, 400, &type);
		frame = fake_object(f, type.address, 480);
		fake_word(f, frame + l->frame_code, make_code(f));
		fake_word(f, frame + l->frame_locals, 83);
		fake_word(f, frame + l->frame_locals + 8, 89);
		fake_word(f, frame + l->frame_locals + 16, 97);
		assert_told(f, frame, &type,
			    "83:.<local first of run (app.py:17)> "
			    "89:.<local second of run (app.py:17)>");
		free(f);
	}
}

static void exceptions_and_tracebacks_lead_to_frames(void **state)
{
	struct fake_python *f = fake_python_new(9);
	struct python_type error, traceback;
	uint64_t e, t;

	(void)state;
	(void)fake_type(f, "ValueError", PY_EXC_SUBCLASS, 72, &error);
	(void)fake_type(f, "traceback", 0, 48, &traceback);
	error.dictoffset = 16;
	for (unsigned int later = 0; later < 2; later++) {
		f->reader.layout = python_layout_find(3, later ? 13 : 9);
		e = fake_object(f, error.address, 72);
		fake_word(f, e + 24, 3);
		fake_word(f, e + (later ? 40 : 32), 5);
		fake_word(f, e + (later ? 56 : 48), 7);
		{
			struct heard h;

			assert_int_equal(tell(f, e, &error, &h), 0);
			assert_true(strncmp(h.text, "3:.args 5:.__traceback__ 7:.__cause__ ", 38) ==
				    0);
		}
	}
	t = fake_object(f, traceback.address, 48);
	fake_word(f, t + 16, 11);
	fake_word(f, t + 24, 13);
	assert_told(f, t, &traceback, "13:.tb_frame 11:.tb_next");
	free(f);
}

static void c_types_hold_in_words_and_items_but_a_task_not_its_loop(void **state)
{
	struct fake_python *f = fake_python_new(12);
	struct python_type node, task;
	uint64_t o;

	(void)state;
	(void)fake_type(f, "hamt_bitmap_node", 0, 32, &node);
	node.itemsize = 8;
	o = fake_object(f, node.address, 64);
	fake_word(f, o + PY_OB_SIZE, 2);
	fake_word(f, o + 32, 3);
	fake_word(f, o + 40, 5);
	fake_word(f, o + 48, 7); /* behind its items */
	assert_told(f, o, &node,
		    "2:.<+16 of hamt_bitmap_node> 3:.<+32 of hamt_bitmap_node> "
		    "5:.<+40 of hamt_bitmap_node>");
	(void)fake_type(f, "_asyncio.Task", PY_HEAPTYPE, f->reader.layout->task_bytes, &task);
	o = fake_object(f, task.address, 256);
	fake_word(f, o + 16, 11);
	fake_word(f, o + f->reader.layout->task_coro, 13);
	assert_told(f, o, &task, "13:.coro 13:.<+136 of _asyncio.Task>");
	free(f);
}

static void names_of_classes_do_not_make_shapes(void **state)
{
	struct fake_python *f = fake_python_new(11);
	struct python_type set, mine, derived, text;

	(void)state;
	(void)fake_type(f, "set", 0, 200, &set);
	(void)fake_type(f, "set", PY_HEAPTYPE, 200, &mine);
	(void)fake_type(f, "Tasks", PY_HEAPTYPE, 216, &derived);
	(void)fake_type(f, "Name", PY_HEAPTYPE | PY_STR_SUBCLASS, 80, &text);
	derived.base = set.address;
	assert_int_equal(python_shape_of(&f->memory, &set), PYTHON_SET);
	assert_int_equal(python_shape_of(&f->memory, &mine), PYTHON_PLAIN);
	assert_int_equal(python_shape_of(&f->memory, &derived), PYTHON_SET);
	assert_int_equal(python_shape_of(&f->memory, &text), PYTHON_PLAIN);
	/* A base that is its own. */
	fake_word(f, mine.address + PY_TP_BASE, mine.address);
	mine.base = mine.address;
	assert_int_equal(python_shape_of(&f->memory, &mine), PYTHON_PLAIN);
	mine.base = 0x17;
	assert_int_equal(python_shape_of(&f->memory, &mine), PYTHON_PLAIN);
	free(f);
}

static void lengths_that_lie_are_refused_or_end_at_the_memory(void **state)
{
	struct fake_python *f = fake_python_new(11);
	struct python_type list, dict;
	uint64_t at = make_list(f, &list, UINT64_MAX, 2), keys, d;
	const uint64_t one[] = { 3 }, value[] = { 5 };
	const uint8_t wild[] = { 200, 3, 0 }, kind[] = { 3, 3, 7 }, index[] = { 3, 64, 0 };
	struct heard h;

	(void)state;
	assert_int_equal(tell(f, at, &list, &h), -EINVAL);
	fake_word(f, at + PY_OB_SIZE, 1u << 20);
	assert_int_equal(tell(f, at, &list, &h), -EFAULT);
	fake_word(f, at + 24, UINT64_MAX - 4);
	assert_int_equal(tell(f, at, &list, &h), -EFAULT);
	keys = make_keys(f, 0, 1, one, value);
	d = make_dict(f, &dict, keys, 0);
	fake_put(f, keys + 8, wild, sizeof(wild));
	assert_int_equal(tell(f, d, &dict, &h), -EINVAL);
	fake_put(f, keys + 8, kind, sizeof(kind));
	assert_int_equal(tell(f, d, &dict, &h), -EINVAL);
	fake_put(f, keys + 8, index, sizeof(index));
	assert_int_equal(tell(f, d, &dict, &h), -EINVAL);
	fake_word(f, d + 32, 0);
	assert_int_equal(tell(f, d, &dict, &h), -EFAULT);
	free(f);
}

static void rings_and_endless_tables_end_by_the_deadline(void **state)
{
	struct fake_python *f = fake_python_new(11);
	struct python_type deque, object;
	uint64_t block = fake_alloc(f, 528), d, o, defs = fake_alloc(f, 300 * 40);
	struct heard h;

	(void)state;
	(void)fake_type(f, "collections.deque", PY_HEAPTYPE, 56, &deque);
	d = fake_object(f, deque.address, 64);
	fake_word(f, block + 520, block);
	fake_word(f, d + PY_OB_SIZE, 1u << 26);
	fake_word(f, d + 24, block);
	f->reader.deadline_ns = clock_ns(CLOCK_MONOTONIC) - 1;
	assert_int_equal(tell(f, d, &deque, &h), -ETIMEDOUT);
	fake_word(f, d + 40, 64);
	assert_int_equal(tell(f, d, &deque, &h), -EINVAL);

	/* Members without an end, each of them the same word. */
	(void)fake_type(f, "Object", PY_HEAPTYPE, 24, &object);
	for (size_t i = 0; i < 300; i++) {
		fake_word(f, defs + i * 40, FAKE_BASE + 8);
		fake_word(f, defs + i * 40 + 8, 6);
		fake_word(f, defs + i * 40 + 16, 16);
	}
	object.members = defs;
	o = fake_object(f, object.address, 24);
	fake_word(f, o + 16, 7);
	assert_int_equal(tell(f, o, &object, &h), 0);
	assert_int_equal(h.n, 256 + 1);
	free(f);
}

/* Whatever lies there, it ends without a word read outside of what was asked for (the sanitizers watch). */
static void noise_is_survived(void **state)
{
	static const char *const names[] = {
		"set",	    "collections.deque", "generator", "frame",
		"function", "_asyncio.Task",	 "weakref",   "thing"
	};
	uint64_t seed = 7;

	(void)state;
	for
		EACH_MINOR(v)
	for (unsigned int round = 0; round < 400; round++) {
		struct fake_python *f = fake_python_new(minors[v_]);
		struct python_type type;
		uint64_t object;
		struct heard h;

		(void)fake_type(f, names[round % 8], round % 5 ? 0 : 1u << (25 + round % 7), 200,
				&type);
		object = fake_object(f, type.address, 4096);
		for (size_t i = 2; i < 256; i++) {
			seed = seed * 6364136223846793005ull + 1442695040888963407ull;
			fake_word(f, object + 8 * i,
				  seed % 3 ? FAKE_BASE + (seed >> 40) % f->used :
					     seed >> (seed & 63));
		}
		type.members = seed % 7 ? 0 : object;
		type.cached_keys = object + 64;
		type.base = seed % 2 ? object : 0;
		f->reader.deadline_ns = clock_ns(CLOCK_MONOTONIC) + 10000000;
		(void)tell(f, object, &type, &h);
		free(f);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_list_ends_where_its_length_says),
		cmocka_unit_test(a_tuple_tells_its_items),
		cmocka_unit_test(the_hashes_of_a_set_are_no_references),
		cmocka_unit_test(a_deque_lives_between_its_ends),
		cmocka_unit_test(dicts_of_every_kind_tell_keys),
		cmocka_unit_test(a_split_dict_has_its_values_apart),
		cmocka_unit_test(long_and_odd_keys_are_cut_and_cleaned),
		cmocka_unit_test(attributes_of_every_version_are_found),
		cmocka_unit_test(members_are_named_by_the_type_and_its_bases),
		cmocka_unit_test(a_coroutine_that_ended_has_no_locals),
		cmocka_unit_test(frames_of_old_versions_are_objects),
		cmocka_unit_test(exceptions_and_tracebacks_lead_to_frames),
		cmocka_unit_test(c_types_hold_in_words_and_items_but_a_task_not_its_loop),
		cmocka_unit_test(names_of_classes_do_not_make_shapes),
		cmocka_unit_test(lengths_that_lie_are_refused_or_end_at_the_memory),
		cmocka_unit_test(rings_and_endless_tables_end_by_the_deadline),
		cmocka_unit_test(noise_is_survived),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
