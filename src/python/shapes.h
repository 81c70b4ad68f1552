/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the objects of a type look like inside: which of the ways to hold others they have.
 */
#ifndef SEEP_PYTHON_SHAPES_H
#define SEEP_PYTHON_SHAPES_H

#include "python/layout.h"
#include "python/memory.h"
#include "python/sweep.h"

enum python_shape {
	PYTHON_OPAQUE, /* str, bytes, int, float: holds nothing */
	PYTHON_PLAIN,  /* attributes and members; of a C type, any word */
	PYTHON_LIST,
	PYTHON_TUPLE,
	PYTHON_DICT,
	PYTHON_SET, /* and frozenset */
	PYTHON_DEQUE,
	PYTHON_CELL,
	PYTHON_FUNCTION,
	PYTHON_METHOD,
	PYTHON_BUILTIN, /* a function of C */
	PYTHON_MODULE,
	PYTHON_GENERATOR, /* and coroutine, asynchronous generator */
	PYTHON_FRAME,
	PYTHON_FUTURE, /* _asyncio.Future, */
	PYTHON_TASK,   /* _asyncio.Task */
	PYTHON_CACHE,  /* functools.lru_cache */
	PYTHON_WEAK,
	PYTHON_EXCEPTION,
	PYTHON_TRACEBACK,
	PYTHON_LOOP, /* an event loop of asyncio: as PLAIN */
	PYTHON_CLASS,
};

/* That of @type or of the nearest of its bases that has one. Reads names and bases. */
enum python_shape python_shape_of(const struct python_memory *m, const struct python_type *type);

#endif
