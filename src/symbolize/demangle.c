// SPDX-License-Identifier: GPL-2.0-or-later
/* Readable names, by libiberty (whose header redefines a macro of base/cleanup.h). */
#include "symbolize/demangle.h"

#include <libiberty/demangle.h>
#include <stdlib.h>
#include <string.h>

char *demangle(const char *name, size_t length)
{
	char *copy = strndup(name, length), *readable = NULL;

	if (!copy || copy[0] != '_')
		return copy;
	/* Old Rust names are valid C++ names too, so Rust comes first. */
	if (copy[1] == 'Z' || copy[1] == 'R')
		readable = rust_demangle(copy, DMGL_PARAMS);
	if (!readable && copy[1] == 'Z')
		readable = cplus_demangle_v3(copy, DMGL_PARAMS | DMGL_ANSI);
	if (!readable)
		return copy;
	free(copy);
	return readable;
}
