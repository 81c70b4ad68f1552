// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Objects above 512 bytes come from malloc: they are found by following references. Every word of a block,
 * or of a table, that leads out of the pools into anonymous memory is noted once, to be looked at
 * (large_objects.c).
 */
#include "python/sweep_state.h"

#include <errno.h>

#define RECENT_SLOTS 4096 /* a power of two */

/* 8 bytes each, twice over: 64 MiB at most, for two million objects of more than 512 bytes each. */
#define ADDRESSES_MAX (2u << 20)
#define PIECES_MAX    (2u << 20)

/* What all tables and objects can have in memory; a hostile heap may tell of the same ones over and over. */
#define PIECE_BYTES_FACTOR 2

/* Links of a deque's block: the right one comes after 64 items. */
#define DEQUE_RIGHT (8 + 64 * 8)

void large_done(struct large *l)
{
	free(l->seen.slots);
	free(l->recent);
	free(l->queue);
	free(l->pieces);
	free(l->candidates);
	free(l->runs);
	free(l->heads);
	*l = (struct large){ .is_wanted = l->is_wanted };
}

void large_reset(struct large *l)
{
	large_done(l);
}

void python_sweep_want_large(struct python_sweep *s)
{
	s->large.is_wanted = true;
}

void python_sweep_forget_large(struct python_sweep *s)
{
	s->large.is_wanted = false;
	large_done(&s->large);
}

bool large_has_references(const struct python_type *t)
{
	return t->role != PYTHON_ROLE_STR && t->role != PYTHON_ROLE_BYTES &&
	       t->role != PYTHON_ROLE_BYTEARRAY && t->role != PYTHON_ROLE_INT;
}

static uint64_t *seen_slot(uint64_t *slots, size_t mask, uint64_t address)
{
	size_t at = hash_address(address) & mask;

	while (slots[at] && slots[at] != address)
		at = (at + 1) & mask;
	return &slots[at];
}

static int grow_seen(struct address_set *seen)
{
	size_t mask = seen->mask ? 2 * seen->mask + 1 : 4095;
	uint64_t *slots = calloc(mask + 1, sizeof(*slots));

	if (!slots)
		return -ENOMEM;
	for (size_t i = 0; seen->slots && i <= seen->mask; i++)
		if (seen->slots[i])
			*seen_slot(slots, mask, seen->slots[i]) = seen->slots[i];
	free(seen->slots);
	seen->slots = slots;
	seen->mask = mask;
	return 0;
}

static int note_address(struct python_sweep *s, uint64_t address)
{
	struct large *l = &s->large;
	uint64_t *slot;

	if (2 * l->seen.n >= l->seen.mask && grow_seen(&l->seen) < 0)
		return -ENOMEM;
	slot = seen_slot(l->seen.slots, l->seen.mask, address);
	if (*slot)
		return 0;
	if (l->seen.n >= ADDRESSES_MAX) {
		s->stats.unread_large++;
		return 0;
	}
	if (l->queue_n == l->queue_room) {
		size_t room = l->queue_room ? 2 * l->queue_room : 1024;
		uint64_t *grown = reallocarray(l->queue, room, sizeof(*grown));

		if (!grown)
			return -ENOMEM;
		l->queue = grown;
		l->queue_room = room;
	}
	*slot = address;
	l->seen.n++;
	l->queue[l->queue_n++] = address;
	return 0;
}

int large_note_words(struct python_sweep *s, const uint8_t *data, size_t bytes)
{
	uint64_t span = s->high - s->low;
	struct large *l = &s->large;

	if (!l->recent) {
		l->recent = calloc(RECENT_SLOTS, sizeof(*l->recent));
		if (!l->recent)
			return -ENOMEM;
	}
	for (size_t at = 0; at + 8 <= bytes; at += 8) {
		uint64_t word = word_at(data, at);
		const struct python_range *range;
		uint64_t *recent;

		if (word % BLOCK_UNIT || word - s->low >= span || pools_at(s, word))
			continue;
		recent = &l->recent[hash_address(word) & (RECENT_SLOTS - 1)];
		if (*recent == word)
			continue;
		*recent = word;
		range = python_range_find(s->ranges, s->n_ranges, word);
		if (range && range->is_anonymous && note_address(s, word) < 0)
			return -ENOMEM;
	}
	return 0;
}

int large_note_piece(struct python_sweep *s, const struct piece *p)
{
	struct large *l = &s->large;

	if (l->pieces_n >= PIECES_MAX ||
	    l->piece_bytes + p->bytes > PIECE_BYTES_FACTOR * s->present_bytes + BUFFER_BYTES) {
		s->stats.unread_large++;
		return 0;
	}
	if (l->pieces_n == l->pieces_room) {
		size_t room = l->pieces_room ? 2 * l->pieces_room : 256;
		struct piece *grown = reallocarray(l->pieces, room, sizeof(*grown));

		if (!grown)
			return -ENOMEM;
		l->pieces = grown;
		l->pieces_room = room;
	}
	l->piece_bytes += p->bytes;
	l->pieces[l->pieces_n++] = *p;
	return 0;
}

/* The blocks of a deque behind the first, by their links. */
static int note_deque(struct python_sweep *s, const struct tables *tables)
{
	struct piece p = tables->pieces[0];
	uint64_t blocks = tables->bytes / DEQUE_BLOCK_BYTES;

	for (uint64_t i = 1; i < blocks; i++) {
		int r;

		if (python_read_u64(s->memory, p.address + DEQUE_RIGHT, &p.address) < 0)
			return 0;
		r = large_note_piece(s, &p);
		if (r < 0)
			return r;
		if (i % RUNS == 0 && sweep_check_deadline(s) < 0)
			return -ETIMEDOUT;
	}
	return 0;
}

int large_note_tables(struct python_sweep *s, const struct python_type *t,
		      const struct tables *tables)
{
	for (unsigned int i = 0; i < tables->n; i++) {
		int r = t->role == PYTHON_ROLE_BYTEARRAY ? 0 :
							   large_note_piece(s, &tables->pieces[i]);

		if (r < 0)
			return r;
	}
	return t->role == PYTHON_ROLE_DEQUE && tables->n ? note_deque(s, tables) : 0;
}
