// SPDX-License-Identifier: GPL-2.0-or-later
/* Hours that have points. See hours.h. */
#include "history/hours.h"

#include <stdlib.h>
#include <string.h>

void hours_done(struct hours *h)
{
	free(h->list);
	*h = (struct hours){ 0 };
}

size_t hours_from(const struct hours *h, int64_t start)
{
	size_t low = 0;
	size_t high = h->n;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (h->list[middle].start < start)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

struct hour *hours_find(const struct hours *h, int64_t start)
{
	size_t i = hours_from(h, start);

	return i < h->n && h->list[i].start == start ? &h->list[i] : NULL;
}

struct hour *hours_get(struct hours *h, int64_t start)
{
	size_t i = hours_from(h, start);

	if (i < h->n && h->list[i].start == start)
		return &h->list[i];
	if (h->n == h->room) {
		size_t room = h->room ? h->room * 2 : 64;
		struct hour *more = realloc(h->list, room * sizeof(*more));

		if (!more)
			return NULL;
		h->list = more;
		h->room = room;
	}
	memmove(&h->list[i + 1], &h->list[i], (h->n - i) * sizeof(*h->list));
	h->list[i] = (struct hour){ .start = start };
	h->n++;
	return &h->list[i];
}

void hours_remove(struct hours *h, int64_t start)
{
	size_t i = hours_from(h, start);

	if (i >= h->n || h->list[i].start != start)
		return;
	h->n--;
	memmove(&h->list[i], &h->list[i + 1], (h->n - i) * sizeof(*h->list));
}
