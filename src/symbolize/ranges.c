// SPDX-License-Identifier: GPL-2.0-or-later
/* Address ranges of debugging entries. See ranges.h. */
#include "symbolize/ranges.h"

#include "base/cleanup.h"

/* Ranges that overlap: code that the linker dropped all starts at 0. */
#define MAX_OVERLAPS 64

int ranges_add(struct ranges *ranges, Dwarf_Die *die)
{
	Dwarf_Addr base, low, high;
	ptrdiff_t at = 0;

	while ((at = dwarf_ranges(die, at, &base, &low, &high)) > 0) {
		if (high <= low)
			continue;
		if (ranges->n == ranges->capacity) {
			size_t capacity = ranges->capacity ? 2 * ranges->capacity : 64;
			struct range *list = reallocarray(ranges->list, capacity, sizeof(*list));

			if (!list)
				return -ENOMEM;
			ranges->list = list;
			ranges->capacity = capacity;
		}
		ranges->list[ranges->n++] = (struct range){
			.low = low,
			.high = high,
			.die = dwarf_dieoffset(die),
		};
	}
	return 0;
}

static int compare(const void *a, const void *b)
{
	const struct range *x = a, *y = b;

	if (x->low != y->low)
		return x->low < y->low ? -1 : 1;
	if (x->high != y->high)
		return x->high > y->high ? -1 : 1;
	return x->die < y->die ? -1 : x->die > y->die;
}

void ranges_sort(struct ranges *ranges)
{
	uint64_t reach = 0;

	if (ranges->n == 0)
		return;
	qsort(ranges->list, ranges->n, sizeof(*ranges->list), compare);
	for (size_t i = 0; i < ranges->n; i++) {
		if (ranges->list[i].high > reach)
			reach = ranges->list[i].high;
		ranges->list[i].reach = reach;
	}
}

void ranges_done(struct ranges *ranges)
{
	free(ranges->list);
	*ranges = (struct ranges){ 0 };
}

const struct range *ranges_find(const struct ranges *ranges, uint64_t vaddr)
{
	size_t low = 0, high = ranges->n;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (ranges->list[middle].low <= vaddr)
			low = middle + 1;
		else
			high = middle;
	}
	for (size_t i = low; i > 0 && low - i < MAX_OVERLAPS; i--) {
		const struct range *r = &ranges->list[i - 1];

		if (r->reach <= vaddr)
			return NULL;
		if (vaddr < r->high)
			return r;
	}
	return NULL;
}
