// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Which object lies in a piece of memory: told by a count of references and a type where that type's
 * objects have them, and by a size that fits.
 *
 * Where an object starts: the collector's header of 16 bytes comes before it, and before that, for types
 * with a managed dict or weak references, two pointers (_PyType_PreHeaderSize()).
 */
#include "python/sweep_state.h"

#define STARTS 3 /* objects start at 0, 16 or 32 */

/* Reference counts of objects that never die, and what of them is counted by mistake (3.12). */
#define IMMORTAL_MIN 0x40000000u

/* PyASCIIObject.state */
#define STR_KIND(state)	   ((state) >> 2 & 7)
#define STR_COMPACT(state) ((state) >> 5 & 1)
#define STR_ASCII(state)   ((state) >> 6 & 1)

/* 3.14: 32 bits of count, 16 of overflow, 16 of flags. */
#define FLAGS_314_MAX 0x100u

uint64_t object_refcount(const struct python_sweep *s, const uint8_t *object)
{
	uint64_t word = word_at(object, PY_OB_REFCNT);

	return s->layout->minor >= 14 ? (uint32_t)word : word;
}

bool object_has_sane_header(const struct python_sweep *s, const uint8_t *object)
{
	uint64_t refs = word_at(object, PY_OB_REFCNT);
	uint64_t type = word_at(object, PY_OB_TYPE);

	if (s->layout->minor >= 14) {
		if ((refs >> 32 & 0xffff) != 0 || refs >> 48 >= FLAGS_314_MAX)
			return false;
		refs = (uint32_t)refs;
	}
	if (refs > UINT32_MAX ||
	    (refs > s->max_refs && (refs < IMMORTAL_MIN || s->layout->minor < 12)))
		return false;
	return type != 0 && type % 8 == 0;
}

static uint64_t int_digits(const struct python_layout *l, const uint8_t *object)
{
	uint64_t size = word_at(object, PY_OB_SIZE);

	/* Negative for negative numbers. */
	if (l->long_tag != PYTHON_NONE)
		size = word_at(object, l->long_tag) >> 3;
	else if (size >> 63)
		size = -size;
	/* Zero has room for one digit as well. */
	return size ? size : 1;
}

/* 0: no state that a string has. */
static uint64_t str_size(const struct python_layout *l, const struct python_type *t,
			 const uint8_t *object)
{
	uint64_t length = word_at(object, l->str_length);
	uint32_t state = half_at(object, l->str_state);
	uint32_t kind = STR_KIND(state);

	/* Strings of subclasses, and those that an extension made by the old interface. */
	if (!STR_COMPACT(state))
		return t->basicsize;
	if (length > INT64_MAX / 8 || (kind != 1 && kind != 2 && kind != 4))
		return 0;
	if (STR_ASCII(state))
		return kind == 1 ? l->str_ascii + length + 1 : 0;
	return l->str_compact + (length + 1) * kind;
}

uint64_t object_size(const struct python_sweep *s, const struct python_type *t,
		     const uint8_t *object)
{
	uint64_t n;

	switch (t->role) {
	case PYTHON_ROLE_STR:
		return str_size(s->layout, t, object);
	case PYTHON_ROLE_INT:
		n = int_digits(s->layout, object);
		break;
	case PYTHON_ROLE_TUPLE:
	case PYTHON_ROLE_BYTES:
	case PYTHON_ROLE_TYPE:
	case PYTHON_ROLE_CODE:
		n = word_at(object, PY_OB_SIZE);
		break;
	default:
		/* Not all types with items say how many at the same place. */
		return t->basicsize;
	}
	return n <= INT64_MAX / 8192 ? t->basicsize + n * t->itemsize : 0;
}

/*
 * Whether a block of @bytes can hold @needed of them. The allocator leaves a shrunk object where it is as
 * long as it takes more than three quarters (pymalloc_realloc()); numbers shrink by any amount, and
 * what has values inside is longer than its type says.
 */
static bool fits(const struct python_sweep *s, const struct python_type *t, uint64_t needed,
		 size_t bytes)
{
	bool is_exact = (needed + BLOCK_UNIT - 1) / BLOCK_UNIT * BLOCK_UNIT == bytes;

	if (t->has_own_allocator)
		return bytes * 2 >= needed;
	if (needed > bytes)
		return false;
	if (s->layout->minor >= 13 && t->flags & PY_INLINE_VALUES)
		return true;
	switch (t->role) {
	case PYTHON_ROLE_STR:
	case PYTHON_ROLE_TUPLE:
	case PYTHON_ROLE_BYTES:
		/* Subclasses have one item more, as an end. */
		return needed * 4 + 4 * t->itemsize + 4 * BLOCK_UNIT > 3 * bytes;
	default:
		return t->itemsize || is_exact;
	}
}

const struct python_type *object_in(struct python_sweep *s, const uint8_t *data, size_t bytes)
{
	for (size_t i = 0; i < STARTS; i++) {
		size_t at = s->before + 16 * i;
		const uint8_t *object = data + at;
		const struct python_type *t;
		uint64_t size;

		/* The header, and the word behind it that tells a size. */
		if (at + 16 > bytes)
			return NULL;
		if (!object_has_sane_header(s, object))
			continue;
		t = types_find(s, word_at(object, PY_OB_TYPE));
		if (!t || t->object_at != 16 * i)
			continue;
		if (at + 16 + (t->role == PYTHON_ROLE_STR ? 24 : 8) > bytes && t->basicsize > 16)
			continue;
		size = object_size(s, t, object);
		if (size && fits(s, t, at + size + s->behind, bytes))
			return t;
	}
	return NULL;
}
