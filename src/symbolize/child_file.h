/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A file in the symbolizer's child: the ELF file, its debug files, and what was made of them; or a
 * perf map, the names of generated code, in which addresses stand for themselves.
 *
 * Symbols and lines are read when they are first asked for.
 */
#ifndef SEEP_SYMBOLIZE_CHILD_FILE_H
#define SEEP_SYMBOLIZE_CHILD_FILE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "elf/image.h"
#include "elf/symbols.h"
#include "symbolize/lines.h"
#include "symbolize/perf_map.h"
#include "symbolize/protocol.h"
#include "symbolize/symbolizer.h"

struct child_file {
	uint32_t slot;
	uint64_t used;		   /* when, in requests: the least recently used one is closed */
	struct perf_map *perf_map; /* owned; NULL: an ELF file */
	struct image *image;	   /* owned; NULL: a perf map */
	struct image *debug;	   /* owned; NULL: none */
	struct image *alt;	   /* owned; NULL: none */
	struct image *mini;	   /* owned; out of .gnu_debugdata; NULL: none */
	struct symbols symbols;
	bool has_symbols;
	struct lines *lines; /* owned; NULL: none, or not tried */
	bool has_lines;
};

/* All take over @fd, also on failure. */
int child_file_open(uint32_t slot, int fd, struct child_file **ret);
struct child_file *child_file_free(struct child_file *f);
DEFINE_CLEANUP(struct child_file *, child_file_free)

/* -ESTALE is never returned. -EBADMSG: not the debug file of this file. */
int child_file_add_debug(struct child_file *f, int fd);
int child_file_add_alt(struct child_file *f, int fd);

/* What the parent needs to know to look for debug files; after add_debug, of the debug file. */
void child_file_describe(const struct child_file *f, struct about_file *ret);

/* One answer of child_file_resolve(). Text is borrowed. */
struct child_name {
	const char *function; /* mangled; NULL: none */
	size_t function_length;
	const struct place *place; /* NULL: none */
	bool approximate;
};

/*
 * Names of an address, a file offset with or without ADDRESS_EXACT. Fills @names, innermost first,
 * and returns how many, at least 1. @places is memory for them to point into.
 */
size_t child_file_resolve(struct child_file *f, uint64_t address,
			  struct place places[INLINE_DEPTH_MAX],
			  struct child_name names[INLINE_DEPTH_MAX]);

/*
 * Hook points for @n names. Returns how many were found; -EOVERFLOW: more than HOOK_POINTS_MAX; -ENOEXEC: of
 * a perf map.
 */
int child_file_find_hooks(struct child_file *f, const char *const *names, uint32_t n,
			  struct hook_point points[HOOK_POINTS_MAX]);

#endif
