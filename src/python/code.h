/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Python code as people read it: file, name, and from a code unit to a line.
 *
 * Line tables are hostile bytes; nothing here reads past them. Their forms: Objects/lnotab_notes.txt of
 * CPython 3.8 to 3.10, Objects/locations.md (Objects/codeobject.c in 3.11) later.
 */
#ifndef SEEP_PYTHON_CODE_H
#define SEEP_PYTHON_CODE_H

#include <stddef.h>
#include <stdint.h>

#include "base/cleanup.h"
#include "python/layout.h"

struct python_code {
	char *file;	     /* UTF-8 without control characters, owned; NULL: unknown */
	char *name;	     /* the qualified one from 3.11 on; the same */
	uint32_t first_line; /* of the def or class; 0: unknown */
	enum python_line_table kind;
	uint8_t *table; /* owned */
	size_t n;
};

struct python_code *python_code_free(struct python_code *c);
DEFINE_CLEANUP(struct python_code *, python_code_free)

/*
 * The line that a code unit (two bytes) is of. 0: the table gives it none, or does not reach so far.
 * @first_line is where the table begins to count.
 */
uint32_t python_line_of_unit(enum python_line_table kind, const uint8_t *table, size_t n,
			     uint32_t first_line, uint32_t unit);

/* The same of a code; its first line where the table says nothing. */
uint32_t python_code_line(const struct python_code *c, uint32_t unit);

/*
 * A str of which @bytes of data were copied, and its length in characters and its state, as UTF-8. NULL in *ret
 * for one of no characters. -EINVAL: no sane compact string; -ENOMEM.
 */
int python_text(const struct python_layout *l, uint64_t length, uint32_t state, const uint8_t *data,
		size_t bytes, char **ret);

#endif
