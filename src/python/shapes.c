// SPDX-License-Identifier: GPL-2.0-or-later
/* By flags and by the names of the types that C defines. See shapes.h. */
#include "python/shapes.h"

#include <stdbool.h>
#include <string.h>

#include "base/cleanup.h"

#define MAX_BASES 16

static const struct {
	const char *name;
	enum python_shape shape;
	uint32_t least_bytes; /* tp_basicsize: a check */
} named[] = {
	{ "set", PYTHON_SET, 192 },
	{ "frozenset", PYTHON_SET, 192 },
	{ "collections.deque", PYTHON_DEQUE, 56 },
	{ "cell", PYTHON_CELL, 24 },
	{ "function", PYTHON_FUNCTION, 96 },
	{ "method", PYTHON_METHOD, 32 },
	{ "builtin_function_or_method", PYTHON_BUILTIN, 40 },
	{ "module", PYTHON_MODULE, 24 },
	{ "generator", PYTHON_GENERATOR, 64 },
	{ "coroutine", PYTHON_GENERATOR, 64 },
	{ "async_generator", PYTHON_GENERATOR, 64 },
	{ "frame", PYTHON_FRAME, 64 },
	{ "_asyncio.Future", PYTHON_FUTURE, 72 },
	{ "_asyncio.Task", PYTHON_TASK, 96 },
	{ "functools._lru_cache_wrapper", PYTHON_CACHE, 80 },
	{ "traceback", PYTHON_TRACEBACK, 40 },
	{ "weakref", PYTHON_WEAK, 32 },
	{ "weakref.ReferenceType", PYTHON_WEAK, 32 },
	{ "weakproxy", PYTHON_WEAK, 32 },
	{ "weakref.ProxyType", PYTHON_WEAK, 32 },
	{ "weakcallableproxy", PYTHON_WEAK, 32 },
	{ "weakref.CallableProxyType", PYTHON_WEAK, 32 },
	{ "float", PYTHON_OPAQUE, 24 },
	{ "complex", PYTHON_OPAQUE, 32 },
	{ "bytearray", PYTHON_OPAQUE, 40 },
	{ "array.array", PYTHON_OPAQUE, 40 },
	{ "NoneType", PYTHON_OPAQUE, 16 },
	{ "BaseEventLoop", PYTHON_LOOP, 16 }, /* of Python code */
	{ "uvloop.loop.Loop", PYTHON_LOOP, 16 },
};

struct step {
	uint64_t base;
	uint64_t name;
	uint64_t basicsize;
	uint32_t flags;
};

/*
 * A class of Python code may be called "set" as well, but its tp_name has no dot; those of C that live on
 * the heap have one.
 */
static bool shape_by_name(const struct python_memory *m, const struct step *s,
			  enum python_shape *ret)
{
	char name[48];

	if (python_read(m, s->name, name, sizeof(name)) < 0)
		return false;
	for (size_t i = 0; i < ARRAY_SIZE(named); i++)
		if (!strncmp(name, named[i].name, sizeof(name)) &&
		    s->basicsize >= named[i].least_bytes &&
		    (!(s->flags & PY_HEAPTYPE) || strchr(named[i].name, '.') ||
		     named[i].shape == PYTHON_LOOP)) {
			*ret = named[i].shape;
			return true;
		}
	return false;
}

static bool shape_by_flags(uint32_t flags, enum python_shape *ret)
{
	static const struct {
		uint32_t flag;
		enum python_shape shape;
	} flagged[] = {
		{ PY_LIST_SUBCLASS, PYTHON_LIST },   { PY_TUPLE_SUBCLASS, PYTHON_TUPLE },
		{ PY_DICT_SUBCLASS, PYTHON_DICT },   { PY_TYPE_SUBCLASS, PYTHON_CLASS },
		{ PY_LONG_SUBCLASS, PYTHON_OPAQUE }, { PY_BYTES_SUBCLASS, PYTHON_OPAQUE },
		{ PY_STR_SUBCLASS, PYTHON_OPAQUE },  { PY_EXC_SUBCLASS, PYTHON_EXCEPTION },
	};

	for (size_t i = 0; i < ARRAY_SIZE(flagged); i++)
		if (flags & flagged[i].flag) {
			*ret = flagged[i].shape;
			return true;
		}
	return false;
}

static int read_step(const struct python_memory *m, uint64_t type, struct step *ret)
{
	uint8_t bytes[PY_TP_DICT];
	int r;

	r = python_read(m, type, bytes, sizeof(bytes));
	if (r < 0)
		return r;
	memcpy(&ret->base, bytes + PY_TP_BASE, sizeof(ret->base));
	memcpy(&ret->name, bytes + PY_TP_NAME, sizeof(ret->name));
	memcpy(&ret->basicsize, bytes + PY_TP_BASICSIZE, sizeof(ret->basicsize));
	memcpy(&ret->flags, bytes + PY_TP_FLAGS, sizeof(ret->flags));
	return 0;
}

enum python_shape python_shape_of(const struct python_memory *m, const struct python_type *type)
{
	struct step s = { type->base, type->name, type->basicsize, type->flags };
	enum python_shape shape = PYTHON_PLAIN;

	if (shape_by_flags(type->flags, &shape)) {
		/* A class derived from str or int has attributes. */
		if (shape == PYTHON_OPAQUE && (type->flags & PY_HEAPTYPE))
			return PYTHON_PLAIN;
		return shape;
	}
	for (unsigned int i = 0; i < MAX_BASES; i++) {
		if (shape_by_name(m, &s, &shape))
			return shape == PYTHON_OPAQUE && i ? PYTHON_PLAIN : shape;
		if (!s.base || read_step(m, s.base, &s) < 0)
			break;
	}
	return PYTHON_PLAIN;
}
