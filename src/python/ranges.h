/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The writable memory of a process, and which of it is there: what is swapped out, or was never touched, is
 * left alone, since reading it would bring it in.
 */
#ifndef SEEP_PYTHON_RANGES_H
#define SEEP_PYTHON_RANGES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/cleanup.h"

struct python_range {
	uint64_t start;
	uint64_t end;
	bool is_anonymous; /* of no file */
	bool is_heap;	   /* malloc's, by brk() */
};

/*
 * Readable and writable private mappings in order of addresses, adjacent ones joined. -ESRCH; -E2BIG for
 * more than a kernel allows by default. Caller frees.
 */
int python_ranges_read(const char *proc, pid_t pid, struct python_range **ret, size_t *ret_n);

/* The range that an address lies in; NULL: none. */
const struct python_range *python_range_find(const struct python_range *ranges, size_t n,
					     uint64_t address);

#define PYTHON_PAGE_BYTES 4096

enum python_page {
	PYTHON_PAGE_NONE, /* never touched */
	PYTHON_PAGE_PRESENT,
	PYTHON_PAGE_SWAPPED,
};

/* /proc/pid/pagemap; a negative errno if the kernel does not show it. */
int python_pages_open(const char *proc, pid_t pid);
/*
 * The state of @n pages from @address on (enum python_page); all of them present if @fd is negative or
 * what is read does not tell. @entries is room for as many words.
 */
void python_pages_read(int fd, uint64_t address, uint64_t *entries, uint8_t *ret, size_t n);

#endif
