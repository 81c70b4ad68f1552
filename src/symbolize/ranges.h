/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Address ranges of debugging entries, sorted, for binary search. */
#ifndef SEEP_SYMBOLIZE_RANGES_H
#define SEEP_SYMBOLIZE_RANGES_H

#include <elfutils/libdw.h>
#include <stddef.h>
#include <stdint.h>

struct range {
	uint64_t low;
	uint64_t high;
	uint64_t reach; /* highest end of this and all ranges before it */
	Dwarf_Off die;
};

struct ranges {
	struct range *list; /* owned */
	size_t n;
	size_t capacity;
};

/* Adds all address ranges of an entry; entries without code add none. */
int ranges_add(struct ranges *ranges, Dwarf_Die *die);
void ranges_sort(struct ranges *ranges);
void ranges_done(struct ranges *ranges);

/* The range that holds the address; of several, the one that starts last. NULL: none. */
const struct range *ranges_find(const struct ranges *ranges, uint64_t vaddr);

#endif
