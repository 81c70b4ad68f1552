/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Source lines and inlined functions, from DWARF.
 *
 * libdw's own search for the function of an address walks a whole compilation unit each time, and
 * its list of units needs .debug_aranges, which clang does not write. Here units and functions are
 * indexed by address on first use. Parses hostile input: only the sandboxed child calls it.
 */
#ifndef SEEP_SYMBOLIZE_LINES_H
#define SEEP_SYMBOLIZE_LINES_H

#include <elfutils/libdw.h>
#include <stddef.h>
#include <stdint.h>

#include "base/cleanup.h"
#include "symbolize/protocol.h"

struct lines;

/* One function that an address belongs to. Text is borrowed from the lines. */
struct place {
	const char *function; /* linkage name, else the source's with its scopes; NULL: not known */
	const char *file;     /* NULL: not known */
	const char *directory; /* what a relative file is relative to; NULL: not known */
	uint32_t line;	       /* 0: not known */
};

/* Takes over @dwarf and @alt (may be NULL), also on failure. */
int lines_new(Dwarf *dwarf, Dwarf *alt, struct lines **ret);
struct lines *lines_free(struct lines *lines);
DEFINE_CLEANUP(struct lines *, lines_free)

/* Fills places, innermost first, the function itself last; returns how many, 0 if none is known. */
size_t lines_find(struct lines *lines, uint64_t vaddr, struct place places[INLINE_DEPTH_MAX]);

#endif
