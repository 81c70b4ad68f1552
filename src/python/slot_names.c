// SPDX-License-Identifier: GPL-2.0-or-later
/* Names of references, as a person would write them. See containers.h. */
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/utf8.h"
#include "python/container_tables.h"

#define NAME_ROOM 128
#define KEY_ROOM  41 /* a longer key says no more */

static void put(char *to, size_t room, const char *format, ...)
	__attribute__((format(printf, 3, 4)));

static void put(char *to, size_t room, const char *format, ...)
{
	va_list args;

	if (!room)
		return;
	va_start(args, format);
	if (vsnprintf(to, room, format, args) >= (int)room)
		/* Cut inside of a character: back to its start. */
		for (size_t n = room - 1; n && !utf8_is_valid(to, n); n--)
			to[n - 1] = '\0';
	va_end(args);
}

/* A name in C of another process; what no terminal should get is a '?'. */
static int read_c_name(const struct python_reader *r, uint64_t address, char *to, size_t room)
{
	size_t n = 0;

	while (n + 1 < room) {
		if (python_read(r->memory, address + n, to + n, 1) < 0)
			return -EFAULT;
		if (!to[n])
			break;
		if (to[n] < ' ' || to[n] > '~')
			to[n] = '?';
		n++;
	}
	to[n] = '\0';
	return n ? 0 : -EINVAL;
}

static uint32_t flags_of_object(const struct python_reader *r, uint64_t object, uint64_t *ret_type)
{
	uint64_t flags;

	if (python_read_u64(r->memory, object + PY_OB_TYPE, ret_type) < 0 ||
	    python_read_u64(r->memory, *ret_type + PY_TP_FLAGS, &flags) < 0)
		return 0;
	return (uint32_t)flags;
}

#define DIGIT_BITS 30

/* An int of at most two digits, which is what keys are. */
static int read_int(const struct python_reader *r, uint64_t object, int64_t *ret)
{
	const struct python_layout *l = r->layout;
	uint32_t digits[2] = { 0 };
	uint64_t word, n;
	bool negative;

	if (l->long_tag != PYTHON_NONE) {
		if (python_read_u64(r->memory, object + l->long_tag, &word) < 0)
			return -EFAULT;
		n = word >> 3;
		negative = (word & 3) == 2;
	} else {
		if (python_read_u64(r->memory, object + PY_OB_SIZE, &word) < 0)
			return -EFAULT;
		negative = (int64_t)word < 0;
		n = negative ? -word : word;
	}
	if (n > 2)
		return -ERANGE;
	if (python_read(r->memory, object + l->long_digits, digits, n * sizeof(digits[0])) < 0)
		return -EFAULT;
	*ret = (int64_t)((uint64_t)digits[1] << DIGIT_BITS | digits[0]);
	if (negative)
		*ret = -*ret;
	return 0;
}

/* "'text'", with an ellipsis if it is long. */
static int put_str_key(const struct python_reader *r, uint64_t key, char *to, size_t room)
{
	char text[KEY_ROOM];
	uint64_t length = 0;
	int result = python_read_str(r->memory, r->layout, key, text, sizeof(text));

	if (result < 0)
		return result;
	(void)python_read_u64(r->memory, key + r->layout->str_length, &length);
	put(to, room, "['%s%s']", text, length >= sizeof(text) ? "…" : "");
	return 0;
}

static void put_key(const struct python_reader *r, uint64_t key, char *to, size_t room)
{
	uint64_t type = 0, name;
	uint32_t flags = flags_of_object(r, key, &type);
	char text[NAME_ROOM];
	int64_t number;

	if ((flags & PY_STR_SUBCLASS) && put_str_key(r, key, to, room) == 0)
		return;
	if ((flags & PY_LONG_SUBCLASS) && read_int(r, key, &number) == 0) {
		put(to, room, "[%lld]", (long long)number);
		return;
	}
	if (!flags || python_read_u64(r->memory, type + PY_TP_NAME, &name) < 0 ||
	    read_c_name(r, name, text, sizeof(text)) < 0)
		(void)snprintf(text, sizeof(text), "?");
	put(to, room, "[<%s>]", text);
}

static void put_attribute(const struct python_reader *r, uint64_t key, char *to, size_t room)
{
	char text[NAME_ROOM];

	if (python_read_str(r->memory, r->layout, key, text, sizeof(text)) < 0)
		put_key(r, key, to, room);
	else
		put(to, room, ".%s", text);
}

/* "main (leak.py:34)": what the code is called and where it begins. */
static int code_text(const struct python_reader *r, uint64_t code, char *to, size_t room)
{
	const struct python_layout *l = r->layout;
	char name[NAME_ROOM], file[PYTHON_TEXT_MAX];
	uint64_t name_at, file_at;
	const char *last;
	int32_t line;

	if (python_read_u64(
		    r->memory,
		    code + (l->code_qualname != PYTHON_NONE ? l->code_qualname : l->code_name),
		    &name_at) < 0 ||
	    python_read_u64(r->memory, code + l->code_filename, &file_at) < 0 ||
	    python_read(r->memory, code + l->code_firstlineno, &line, sizeof(line)) < 0 ||
	    python_read_str(r->memory, l, name_at, name, sizeof(name)) < 0 ||
	    python_read_str(r->memory, l, file_at, file, sizeof(file)) < 0)
		return -EINVAL;
	last = strrchr(file, '/');
	put(to, room, "%s (%s:%d)", name, last ? last + 1 : file, line);
	return 0;
}

static int item_of_tuple(const struct python_reader *r, uint64_t field, uint64_t *index,
			 uint64_t *ret)
{
	uint64_t tuple, n;

	if (r->layout->tuple_items == PYTHON_NONE ||
	    python_read_u64(r->memory, field, &tuple) < 0 ||
	    python_read_u64(r->memory, tuple + PY_OB_SIZE, &n) < 0)
		return -EFAULT;
	if (*index >= n) {
		*index -= n;
		return -ENOENT;
	}
	return python_read_u64(r->memory,
			       tuple + r->layout->tuple_items + *index * sizeof(uint64_t), ret);
}

/* The name of the local at @index: up to 3.10 those of variables, cells and free variables in turn. */
static int local_name(const struct python_reader *r, uint64_t code, uint64_t index, char *to,
		      size_t room)
{
	const struct python_layout *l = r->layout;
	const uint16_t old[] = { l->code_varnames, l->code_cellvars, l->code_freevars };
	uint64_t name;
	int result = -ENOENT;

	if (l->code_localsplusnames != PYTHON_NONE)
		result = item_of_tuple(r, code + l->code_localsplusnames, &index, &name);
	else
		for (size_t i = 0; i < sizeof(old) / sizeof(old[0]) && result == -ENOENT; i++)
			result = item_of_tuple(r, code + old[i], &index, &name);
	if (result < 0)
		return result;
	return python_read_str(r->memory, l, name, to, room);
}

static void put_local(const struct python_reader *r, const struct python_slot *slot, char *to,
		      size_t room)
{
	char name[NAME_ROOM], code[2 * NAME_ROOM];

	if (code_text(r, slot->key, code, sizeof(code)) < 0)
		(void)snprintf(code, sizeof(code), "?");
	if (slot->kind == PYTHON_SLOT_STACK)
		put(to, room, ".<stack of %s>", code);
	else if (local_name(r, slot->key, slot->index, name, sizeof(name)) < 0)
		put(to, room, ".<local %llu of %s>", (unsigned long long)slot->index, code);
	else
		put(to, room, ".<local %s of %s>", name, code);
}

void python_slot_name(const struct python_reader *r, const struct python_object_ref *o,
		      const struct python_slot *slot, char *to, size_t room)
{
	char name[NAME_ROOM];

	switch (slot->kind) {
	case PYTHON_SLOT_KEY:
		put_key(r, slot->key, to, room);
		break;
	case PYTHON_SLOT_KEY_ITSELF:
		put(to, room, ".keys()");
		break;
	case PYTHON_SLOT_ATTRIBUTE:
		put_attribute(r, slot->key, to, room);
		break;
	case PYTHON_SLOT_MEMBER:
		if (read_c_name(r, slot->key, name, sizeof(name)) < 0)
			(void)snprintf(name, sizeof(name), "?");
		put(to, room, ".%s", name);
		break;
	case PYTHON_SLOT_INDEX:
		put(to, room, "[%llu]", (unsigned long long)slot->index);
		break;
	case PYTHON_SLOT_ITEM:
		put(to, room, "(%llu)", (unsigned long long)slot->index);
		break;
	case PYTHON_SLOT_ANY:
		put(to, room, "{*}");
		break;
	case PYTHON_SLOT_QUEUED:
		put(to, room, "[*]");
		break;
	case PYTHON_SLOT_LOCAL:
	case PYTHON_SLOT_STACK:
		put_local(r, slot, to, room);
		break;
	case PYTHON_SLOT_NAMESPACE:
		put(to, room, "%s", "");
		break;
	case PYTHON_SLOT_FIXED:
		put(to, room, "%s", slot->text);
		break;
	case PYTHON_SLOT_WORD:
		if (read_c_name(r, o->type->name, name, sizeof(name)) < 0)
			(void)snprintf(name, sizeof(name), "?");
		put(to, room, ".<+%llu of %s>", (unsigned long long)slot->index, name);
		break;
	}
}
