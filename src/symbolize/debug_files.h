/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Where separate debug files may be, and descriptors of those that are there.
 *
 * Runs in the parent: it opens files and looks at no byte of them. The child decides whether a file
 * belongs to the one it has.
 */
#ifndef SEEP_SYMBOLIZE_DEBUG_FILES_H
#define SEEP_SYMBOLIZE_DEBUG_FILES_H

#include <limits.h>
#include <sys/types.h>

#include "elf/files.h"
#include "symbolize/protocol.h"

struct debug_search {
	const struct file *file;       /* borrowed */
	char id[2 * BUILD_ID_MAX + 1]; /* of the wanted file, hex; empty: not known */
	char link[PATH_MAX];	       /* .gnu_debuglink or .gnu_debugaltlink; empty: none */
	char folder[PATH_MAX];	       /* what a relative link is relative to; empty: not known */
	bool is_alt;		       /* the link is a path of its own */
	unsigned int next;
};

/* Lower-case hex of a build-id, "" for none. */
void debug_files_format_id(const uint8_t *id, size_t bytes, char ret[2 * BUILD_ID_MAX + 1]);

/* Looks for the debug file of @file. */
void debug_search_init(struct debug_search *s, const struct file *file, const char *id,
		       const char *link);

/*
 * Looks for the file with shared parts that the debug file at @folder (or, if that is empty, the
 * file itself) links to.
 */
void debug_search_init_alt(struct debug_search *s, const struct file *file, const char *folder,
			   const char *id, const char *link);

/*
 * Opens the next candidate. 0: *ret_fd is one, *ret_folder (PATH_MAX bytes) its directory;
 * -ENOENT: there are no more.
 */
int debug_search_next(struct debug_search *s, int *ret_fd, char *ret_folder);

#endif
