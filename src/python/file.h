/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What an ELF file tells of the CPython interpreter in it.
 *
 * Parses hostile input: for a child process.
 */
#ifndef SEEP_PYTHON_FILE_H
#define SEEP_PYTHON_FILE_H

#include <stdbool.h>
#include <stdint.h>

#include "elf/image.h"

/* Addresses as in the file; 0: it has no such symbol. */
struct python_file {
	uint64_t runtime; /* _PyRuntime */
	uint64_t runtime_bytes;
	uint64_t type_type;
	uint64_t code_type;
	uint64_t dict_type;
	uint64_t gc_new; /* _PyObject_GC_New, */
	uint64_t
		gc_new_var; /* _PyObject_GC_NewVar: they make objects of the type that they are given */
	uint64_t new_managed; /* _PyType_NewManagedObject, 3.14: calls what makes instances */
	uint64_t function_type;
	uint64_t function_new[2]; /* PyFunction_New, PyFunction_NewWithQualName */
	uint64_t version;	  /* Py_Version, 3.11 and later: an unsigned long */
	uint64_t eval[2][2];  /* start and end of _PyEval_EvalFrameDefault and of its cold part */
	uint64_t text;	      /* of the first executable segment: its address, */
	uint64_t text_offset; /* and where it is in the file */
	uint32_t minor;	      /* of 3.8 to 3.10, from its cache tag; else 0 */
	uint32_t padding;
};

/*
 * -ENOENT: it defines no interpreter. The cold part is the other function that the eval loop jumps to most
 * often: compilers move what is rarely run there, and give it no symbol.
 */
int python_file_read(const struct image *image, struct python_file *ret);

/* Whether the numbers can be true: they may come from a process that parses hostile files. */
bool python_file_is_sane(const struct python_file *f);

#endif
