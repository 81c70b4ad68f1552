/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Tasks of _asyncio: the code that they run, and the number in their default names ("Task-17"), which counts
 * all tasks that the process ever made.
 */
#ifndef SEEP_PYTHON_TASKS_H
#define SEEP_PYTHON_TASKS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "python/sweep.h"

#define TASKS_AT_ONCE 512

struct python_task {
	uint64_t object;
	uint64_t bytes; /* what the caller counts for it */
	const struct python_type *type;
	uint64_t coroutine; /* address */
	uint64_t name;	    /* address: a str, or from 3.12 on an int until somebody asks for it */
	bool done;
	/* Filled in: */
	uint64_t code;	   /* address; 0: its coroutine is none of Python's */
	uint64_t qualname; /* address of a str */
	uint64_t number;   /* 0: another name */
};

/* From the object's first bytes, layout.task_bytes of them. */
void python_task_init(const struct python_layout *l, const uint8_t *object,
		      struct python_task *ret);

/* Reads coroutines and names of up to TASKS_AT_ONCE tasks, whose object is known. */
int python_tasks_read(struct python_sweep *s, struct python_task *tasks, size_t n);

#endif
