// SPDX-License-Identifier: GPL-2.0-or-later
/* Which functions make the objects of a type. See constructors.h. */
#include "python/constructors.h"

#include <errno.h>
#include <stdbool.h>
#include <string.h>

#include "base/cleanup.h"
#include "elf/placement.h"

/* Enough of a function for the place of a probe; of the last ones in a mapping there may be less. */
#define CODE_BYTES     256
#define CODE_BYTES_MIN 64

/* call rel32 */
#define CALL_OPCODE	0xe8
#define CALL_INSN_BYTES 5
#define CALL_BYTES	32

/* What decides, of a type. */
struct slots {
	uint64_t base;
	uint64_t init;
	uint64_t alloc;
	uint64_t maker;
	uint64_t itemsize;
	uint64_t flags;
};

static int read_slots(const struct python_memory *m, uint64_t type, struct slots *ret)
{
	uint64_t words[PY_TYPE_BYTES / sizeof(uint64_t)];
	int r = type % 8 ? -EFAULT : python_read(m, type, words, sizeof(words));

	if (r < 0)
		return r;
	*ret = (struct slots){
		.base = words[PY_TP_BASE / 8],
		.init = words[PY_TP_INIT / 8],
		.alloc = words[PY_TP_ALLOC / 8],
		.maker = words[PY_TP_NEW / 8],
		.itemsize = words[PY_TP_ITEMSIZE / 8],
		.flags = words[PY_TP_FLAGS / 8],
	};
	return ret->flags & PY_READY ? 0 : -EFAULT;
}

/* The place of the probe in a function. False: there is no code to read. */
static bool place(const struct python_memory *m, uint64_t function, struct python_constructor *ret)
{
	uint8_t code[CODE_BYTES];
	size_t n = sizeof(code), at;

	while (n >= CODE_BYTES_MIN && python_read(m, function, code, n) < 0)
		n /= 2;
	if (n < CODE_BYTES_MIN)
		return false;
	at = placement_find(code, n, false);
	ret->address = function + at;
	ret->is_emulated = placement_is_emulated(code + at, n - at);
	return true;
}

static void add(const struct python_memory *m, struct python_constructors *to, uint64_t function,
		enum python_constructor_shape shape)
{
	struct python_constructor c = { .shape = shape };

	if (!function || to->n == PYTHON_CONSTRUCTORS_MAX || !place(m, function, &c))
		return;
	for (uint32_t i = 0; i < to->n; i++)
		if (to->list[i].address == c.address)
			return;
	to->list[to->n++] = c;
}

/* Where the first call in a short function goes; 0: there is none. */
static uint64_t first_call(const struct python_memory *m, uint64_t function)
{
	uint8_t code[CALL_BYTES];
	int32_t distance;

	if (!function || python_read(m, function, code, sizeof(code)) < 0)
		return 0;
	for (size_t i = 0; i + CALL_INSN_BYTES <= sizeof(code); i++) {
		if (code[i] != CALL_OPCODE)
			continue;
		memcpy(&distance, code + i + 1, sizeof(distance));
		return function + i + CALL_INSN_BYTES + (uint64_t)(int64_t)distance;
	}
	return 0;
}

/*
 * Link time optimization calls copies of the generic allocators that have no names. Debian's 3.14 does so even
 * for classes, but a small function that it exports calls one of them, and that the other. (If these are
 * other functions, their first argument is not the type.)
 */
static void add_inner(const struct python_memory *m, struct python_constructors *to,
		      uint64_t new_managed)
{
	uint64_t generic = first_call(m, new_managed), inner = first_call(m, generic);

	add(m, to, inner, PYTHON_TAKES_TYPE);
	add(m, to, generic, PYTHON_TAKES_TYPE);
}

int python_constructors_find(const struct python_interpreter *i, uint64_t type,
			     struct python_constructors *ret)
{
	const struct python_memory *m = &i->memory;
	struct slots metatype, object, dict = { 0 }, t;
	int r;

	*ret = (struct python_constructors){ .n = 0 };
	r = read_slots(m, type, &t);
	if (r == 0)
		r = read_slots(m, i->type_type, &metatype);
	if (r == 0)
		r = read_slots(m, metatype.base, &object);
	if (r == 0 && i->dict_type)
		r = read_slots(m, i->dict_type, &dict);
	if (r < 0)
		return r;
	for (size_t n = 0; type == i->function_type && n < ARRAY_SIZE(i->function_new); n++)
		add(m, ret, i->function_new[n], PYTHON_RETURNS);
	/* No return probe, and of a type written in C no calls for others. */
	if (t.init != object.init)
		add(m, ret, t.init, PYTHON_TAKES_OBJECT);
	if (t.maker != object.maker)
		add(m, ret, t.maker, PYTHON_TAKES_TYPE);
	if (t.maker && i->new_managed)
		add_inner(m, ret, i->new_managed);
	/* What cannot be called has no tp_new, and is not made by its tp_alloc. */
	if (t.maker)
		add(m, ret, t.alloc, PYTHON_TAKES_TYPE);
	/*
	 * Where PyType_GenericAlloc is inlined into its callers (3.13 with link time optimization), what they
	 * call is what dict has as tp_alloc.
	 */
	if (t.maker && t.flags & PY_HAVE_GC)
		add(m, ret, dict.alloc, PYTHON_TAKES_TYPE);
	if (t.flags & PY_HAVE_GC)
		add(m, ret, t.itemsize ? i->gc_new_var : i->gc_new, PYTHON_TAKES_TYPE);
	return 0;
}
