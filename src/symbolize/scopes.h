/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Full names of functions that have none in their debug information but that of the source.
 *
 * Compilers write no linkage name for lambdas and what is in anonymous namespaces, and then
 * "operator()" could be any of them: the scopes around the function are put before its name.
 * Parses hostile input: only the sandboxed child calls it.
 */
#ifndef SEEP_SYMBOLIZE_SCOPES_H
#define SEEP_SYMBOLIZE_SCOPES_H

#include <elfutils/libdw.h>

/* Names found so far; starts as NULL, owns their text. */
struct scoped_name;

/* The name of a function (an inlined call, an instance, a declaration); NULL: it has none. */
const char *scopes_name(struct scoped_name **names, Dwarf_Die *function);
void scopes_done(struct scoped_name **names);

#endif
