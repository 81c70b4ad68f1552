// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Raw memory can hold words that look like an object: a count and the address of a type. Objects of types
 * that the collector knows are in its lists, so they are told by their neighbours.
 *
 * PyGC_Head, 16 bytes before the object: next and previous, with flags in the low bits. While a collection
 * runs, the previous one is a count; the next one stays what it is. Objects that it does not follow
 * have neither.
 */
#include "python/sweep_state.h"

#include <errno.h>

#define FLAGS 3ull

#define HEAD_NEXT     0
#define HEAD_PREVIOUS 8
#define HEAD_OBJECT   16

static uint64_t link_at(const uint8_t *head, size_t at)
{
	return word_at(head, at) & ~FLAGS;
}

bool head_is_doubtful(const struct python_type *t, const uint8_t *head)
{
	/* Objects of Python's own classes are in a list from the first moment to the last. */
	return t->flags & PY_MANAGED_DICT || word_at(head, HEAD_NEXT) != 0 ||
	       link_at(head, HEAD_PREVIOUS) != 0;
}

/* What was read of an address; NULL: it is not in the buffer. */
static const uint8_t *in_buffer(const struct python_sweep *s, uint64_t address, size_t n)
{
	const struct pool *p = pools_at(s, address);
	size_t i, at;

	if (!p)
		return NULL;
	i = (size_t)(p - s->pools) - s->buffer_first;
	at = address - p->address;
	if (i >= s->buffer_pools || at + n > s->layout->pool_bytes)
		return NULL;
	return s->buffer + (i << s->pool_shift) + at;
}

bool head_is_neighbour(struct python_sweep *s, uint64_t self, uint64_t next, const uint8_t *bytes)
{
	const struct python_type *t;

	if (link_at(bytes, HEAD_PREVIOUS) == self)
		return true;
	t = types_find(s, word_at(bytes, HEAD_OBJECT + PY_OB_TYPE));
	if (t && t->flags & PY_HAVE_GC)
		return true;
	/* The head of a list is in the interpreter, or on the collector's stack. */
	return !pools_at(s, next) &&
	       python_range_find(s->ranges, s->n_ranges, link_at(bytes, HEAD_PREVIOUS));
}

enum answer {
	YES,
	NO,
	UNKNOWN
};

/* By what is in the buffer. */
static enum answer ask_buffer(struct python_sweep *s, uint64_t self, const uint8_t *head)
{
	uint64_t next = link_at(head, HEAD_NEXT);
	const uint8_t *other;

	if (!next)
		return NO;
	other = in_buffer(s, link_at(head, HEAD_PREVIOUS), HEAD_OBJECT);
	if (other && link_at(other, HEAD_NEXT) == self)
		return YES;
	other = in_buffer(s, next, HEAD_READ);
	if (other)
		return head_is_neighbour(s, self, next, other) ? YES : NO;
	if (!python_range_find(s->ranges, s->n_ranges, next))
		return NO;
	return UNKNOWN;
}

/*
 * A head that has changed since it was read is the collector's: only then may its neighbour have been
 * another one.
 */
bool head_still_says(const struct python_sweep *s, uint64_t self, const uint8_t *head)
{
	uint8_t now[HEAD_OBJECT];

	return python_read(s->memory, self, now, sizeof(now)) < 0 ||
	       memcmp(now, head, sizeof(now)) == 0;
}

static const uint8_t *head_of(const struct python_sweep *s, const struct found *f)
{
	return s->buffer + f->at + s->before + f->type->object_at - HEAD_OBJECT;
}

static uint64_t address_of(const struct python_sweep *s, const uint8_t *head)
{
	size_t at = (size_t)(head - s->buffer);

	return s->pools[s->buffer_first + (at >> s->pool_shift)].address +
	       (at & (s->layout->pool_bytes - 1));
}

static void refuse(struct python_sweep *s, struct found *f)
{
	const uint8_t *head = head_of(s, f);

	if (!head_still_says(s, address_of(s, head), head))
		return;
	f->type = NULL;
	s->stats.refused_blocks++;
}

/* Reads the neighbours of @n of the found ones, whose numbers are in doubts[]. */
static int ask_memory(struct python_sweep *s, size_t n)
{
	int r;

	for (size_t i = 0; i < n; i++)
		s->runs[i] = (struct python_run){
			.address = link_at(head_of(s, &s->found[s->doubts[i]]), HEAD_NEXT),
			.to = s->heads + i * HEAD_BYTES,
			.n = HEAD_READ,
		};
	r = python_read_runs(s->memory, s->runs, n);
	if (r < 0)
		return r;
	for (size_t i = 0; i < n; i++) {
		struct found *f = &s->found[s->doubts[i]];

		if (s->runs[i].done < HEAD_READ ||
		    !head_is_neighbour(s, address_of(s, head_of(s, f)), s->runs[i].address,
				       s->runs[i].to))
			refuse(s, f);
	}
	return 0;
}

int heads_check(struct python_sweep *s)
{
	size_t n = 0;
	int r;

	for (size_t i = 0; i < s->n_doubts; i++) {
		struct found *f = &s->found[s->doubts[i]];
		const uint8_t *head = head_of(s, f);
		enum answer answer = ask_buffer(s, address_of(s, head), head);

		if (answer == NO)
			refuse(s, f);
		if (answer != UNKNOWN)
			continue;
		/* Never ahead of what is still to be looked at. */
		s->doubts[n++] = s->doubts[i];
		if (n == RUNS) {
			r = ask_memory(s, n);
			if (r < 0)
				return r;
			n = 0;
		}
	}
	return ask_memory(s, n);
}
