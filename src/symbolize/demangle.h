/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Readable names of C++ and Rust functions. */
#ifndef SEEP_SYMBOLIZE_DEMANGLE_H
#define SEEP_SYMBOLIZE_DEMANGLE_H

#include <stddef.h>

/*
 * A copy of the first @length bytes of a symbol's name, demangled if it is a mangled one. The hash
 * at the end of old Rust names goes. Caller frees; NULL: no memory.
 */
char *demangle(const char *name, size_t length);

#endif
