/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Which functions see the objects of a type when they are made.
 *
 * They are read from the type itself, in the live process: what a build calls, inlines or calls past differs,
 * so each of them is a candidate, the cheapest and most likely one first. Whether one sees all constructions
 * is found out by trying.
 */
#ifndef SEEP_PYTHON_CONSTRUCTORS_H
#define SEEP_PYTHON_CONSTRUCTORS_H

#include <stdint.h>

#include "python/interpreter.h"

#define PYTHON_CONSTRUCTORS_MAX 10

enum python_constructor_shape {
	PYTHON_TAKES_OBJECT, /* its first argument is the object: tp_init */
	PYTHON_TAKES_TYPE, /* its first argument is the type, its result the object: tp_alloc, tp_new */
	PYTHON_RETURNS, /* its result is an object, of one of some types */
};

struct python_constructor {
	uint64_t address;     /* in the process: where a probe is cheapest (elf/placement.h) */
	uint32_t shape;	      /* enum python_constructor_shape */
	uint32_t is_emulated; /* the instruction there */
};

struct python_constructors {
	uint32_t n;
	uint32_t zero;
	struct python_constructor list[PYTHON_CONSTRUCTORS_MAX];
};

/*
 * Reads only the process's memory. 0, also if there is none; -EFAULT: no type can be read there; -ESRCH.
 * Addresses are the process's word: whoever uses one looks which file is mapped there.
 */
int python_constructors_find(const struct python_interpreter *i, uint64_t type,
			     struct python_constructors *ret);

#endif
