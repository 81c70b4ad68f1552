/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The CPython interpreter in a process: which version, where its structures are.
 *
 * Found in the files that the process maps, read through /proc/PID/map_files (the path may by now name
 * another file): _PyRuntime, PyType_Type and PyCode_Type are exported by every version.
 */
#ifndef SEEP_PYTHON_INTERPRETER_H
#define SEEP_PYTHON_INTERPRETER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "python/layout.h"
#include "python/memory.h"

struct python_interpreter {
	struct python_memory memory;
	struct python_layout layout; /* of this very interpreter */
	unsigned int micro;	     /* 3.MINOR.micro; 0: the version does not tell (before 3.11) */
	uint64_t runtime;	     /* addresses in the process, of _PyRuntime, */
	uint64_t type_type;	     /* PyType_Type, */
	uint64_t code_type;	     /* PyCode_Type, */
	uint64_t dict_type;	     /* PyDict_Type, */
	uint64_t gc_new;	     /* _PyObject_GC_New, */
	uint64_t gc_new_var;	     /* _PyObject_GC_NewVar, */
	uint64_t new_managed;	     /* _PyType_NewManagedObject, */
	uint64_t function_type;	     /* PyFunction_Type, */
	uint64_t function_new[2];    /* and what makes functions; from dict_type on 0: not known */
	uint64_t eval[2][2]; /* start and end of the eval loop and of its cold part; 0: unknown */
	/*
	 * Where a thread keeps its state, by the C library's pthread_getspecific(): in the word at
	 * thread_slot[0] from pthread_self(); if thread_slot[1] is not PYTHON_NONE, that word points to a
	 * table and the state is in the word at thread_slot[1] of it. thread_slot[0] is 0 while no thread
	 * has one.
	 */
	uint32_t thread_slot[2];
	/*
	 * Up to 3.11: address of the word with the state that runs, of whichever thread; 0: unknown. In a
	 * sub-interpreter a thread's slot still holds its first state.
	 */
	uint64_t running;
	uint64_t file_dev; /* of the file that holds the interpreter */
	uint64_t file_inode;
	uint64_t file_bias; /* address - offset in the file, of its executable mapping */
};

struct python_file;

/*
 * What python_interpreter_find() does once it has found @file, whose executable mapping begins at @start with
 * what is at @offset in the file; the same errors. Reads only the process's memory. file_dev and file_inode
 * are the caller's to fill.
 */
int python_interpreter_read(pid_t pid, const struct python_file *file, uint64_t start,
			    uint64_t offset, struct python_interpreter *ret, const char **ret_why);

/* Whether a mapping may be of a file with an interpreter, by its name. */
bool python_is_interpreter_path(const char *path);

/*
 * -ESRCH: no such process; -ENOENT: it runs no Python; -EOPNOTSUPP: one that is not supported, or that
 * contradicts the tables, and *ret_why is a static sentence; -EAGAIN: the same, or the dynamic linker is still
 * at it; -EPERM.
 */
int python_interpreter_find(pid_t pid, struct python_interpreter *ret, const char **ret_why);

#endif
