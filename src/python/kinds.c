// SPDX-License-Identifier: GPL-2.0-or-later
/* An open hash table. See kinds.h. */
#include "python/kinds.h"

#include <stdlib.h>

#include "python/sweep.h"

#define FIRST_SLOTS 1024

struct kinds {
	struct kind *slots; /* owned */
	size_t mask;
	size_t n;
	struct kind others;
	struct kind *last; /* that was asked for; objects of one type lie together */
};

struct kinds *kinds_new(void)
{
	_cleanup_(kinds_freep) struct kinds *k = calloc(1, sizeof(*k));

	if (!k)
		return NULL;
	/* One more, for all others when they are sorted. */
	k->slots = calloc(FIRST_SLOTS + 1, sizeof(*k->slots));
	if (!k->slots)
		return NULL;
	k->mask = FIRST_SLOTS - 1;
	return TAKE_PTR(k);
}

struct kinds *kinds_free(struct kinds *k)
{
	if (k)
		free(k->slots);
	free(k);
	return NULL;
}

static bool is_same(const struct kind *kind, const struct python_type *type, uint64_t code,
		    bool done)
{
	return kind->type == type && kind->code == code && kind->done == done;
}

static struct kind *slot_of(struct kind *slots, size_t mask, const struct python_type *type,
			    uint64_t code, bool done)
{
	uint64_t hash = (type->address ^ code * 3 ^ done) * 0x9e3779b97f4a7c15ull;
	size_t at = (size_t)(hash >> 24) & mask;

	while (slots[at].type && !is_same(&slots[at], type, code, done))
		at = (at + 1) & mask;
	return &slots[at];
}

static bool grow(struct kinds *k)
{
	size_t mask = 2 * k->mask + 1;
	struct kind *slots = calloc(mask + 2, sizeof(*slots));

	if (!slots)
		return false;
	for (size_t i = 0; i <= k->mask; i++) {
		const struct kind *old = &k->slots[i];

		if (old->type)
			*slot_of(slots, mask, old->type, old->code, old->done) = *old;
	}
	free(k->slots);
	k->slots = slots;
	k->mask = mask;
	return true;
}

struct kind *kinds_get(struct kinds *k, const struct python_type *type, uint64_t code, bool done)
{
	struct kind *slot;

	if (k->last && is_same(k->last, type, code, done))
		return k->last;
	slot = slot_of(k->slots, k->mask, type, code, done);
	if (!slot->type) {
		if (k->n >= KINDS_MAX || (2 * k->n > k->mask && !grow(k)))
			return &k->others;
		slot = slot_of(k->slots, k->mask, type, code, done);
		*slot = (struct kind){ .type = type, .code = code, .done = done };
		k->n++;
	}
	k->last = slot;
	return slot;
}

static int by_bytes(const void *a, const void *b)
{
	const struct kind *x = a, *y = b;

	if (x->bytes != y->bytes)
		return x->bytes < y->bytes ? 1 : -1;
	if (x->count != y->count)
		return x->count < y->count ? 1 : -1;
	return x->type->address > y->type->address ? 1 : -1;
}

static void add_up(struct kind *to, const struct kind *from)
{
	to->count += from->count;
	to->bytes += from->bytes;
	to->cached += from->cached;
}

size_t kinds_sort(struct kinds *k, size_t max, const struct kind **ret)
{
	size_t n = 0;

	for (size_t i = 0; i <= k->mask; i++)
		if (k->slots[i].type)
			k->slots[n++] = k->slots[i];
	qsort(k->slots, n, sizeof(*k->slots), by_bytes);
	for (; n > max; n--)
		add_up(&k->others, &k->slots[n - 1]);
	if (k->others.count || k->others.cached)
		k->slots[n++] = k->others;
	*ret = k->slots;
	return n;
}
