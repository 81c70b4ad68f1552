// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Objects above 512 bytes come from malloc: they are found by following references. Every word of a block,
 * or of a table, that leads out of the pools into anonymous memory is looked at once.
 */
#include "python/sweep_state.h"

#include <errno.h>

#include "python/running.h"

#define RECENT_SLOTS 4096 /* a power of two */

/* 8 bytes each, twice over: 64 MiB at most, for two million objects of more than 512 bytes each. */
#define ADDRESSES_MAX (2u << 20)
#define PIECES_MAX    (2u << 20)

/* What all tables and objects can have in memory; a hostile heap may tell of the same ones over and over. */
#define PIECE_BYTES_FACTOR 2

/* Before the object: the collector's header, or malloc's own. */
#define BEFORE_OBJECT 16

/* Links of a deque's block: the right one comes after 64 items. */
#define DEQUE_RIGHT (8 + 64 * 8)

/* Frames of generators: their sizes are next to co_firstlineno from 3.11 on. */
#define CODE_STACK  (-4)
#define CODE_LOCALS 4
#define SLOTS_MAX   (1u << 16)

void large_done(struct large *l)
{
	free(l->seen.slots);
	free(l->recent);
	free(l->queue);
	free(l->pieces);
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

static int note_piece(struct python_sweep *s, const struct piece *p)
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
		r = note_piece(s, &p);
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
		int r = t->role == PYTHON_ROLE_BYTEARRAY ? 0 : note_piece(s, &tables->pieces[i]);

		if (r < 0)
			return r;
	}
	return t->role == PYTHON_ROLE_DEQUE && tables->n ? note_deque(s, tables) : 0;
}

/* Bytes of a generator's frame that its type does not tell of; 0: they cannot be read. */
static uint64_t frame_bytes(const struct python_sweep *s, const uint8_t *object)
{
	const struct python_layout *l = s->layout;
	uint32_t stack, locals;
	uint64_t code;

	if (l->minor < 11)
		return 0;
	code = python_code_of_generator(l, object);
	if (python_read(s->memory, code + l->code_firstlineno + CODE_STACK, &stack, sizeof(stack)) <
		    0 ||
	    python_read(s->memory, code + l->code_firstlineno + CODE_LOCALS, &locals,
			sizeof(locals)) < 0 ||
	    stack > SLOTS_MAX || locals > SLOTS_MAX)
		return 0;
	return 8ull * (stack + locals);
}

static bool is_in_list(struct python_sweep *s, const struct python_type *t, uint64_t object,
		       const uint8_t *head)
{
	uint64_t self = object - BEFORE_OBJECT;
	uint8_t other[HEAD_READ];
	uint64_t next;

	if (!(t->flags & PY_HAVE_GC) || !head_is_doubtful(t, head))
		return true;
	next = word_at(head, 0) & ~3ull;
	if (python_range_find(s->ranges, s->n_ranges, next) &&
	    python_read(s->memory, next, other, sizeof(other)) == 0 &&
	    head_is_neighbour(s, self, next, other))
		return true;
	return !head_still_says(s, self, head);
}

/* Whether @bytes, from before the object on, are a large object; its size then. */
static const struct python_type *large_object(struct python_sweep *s, uint64_t address,
					      const uint8_t *bytes, uint64_t *ret_bytes)
{
	const uint8_t *object = bytes + BEFORE_OBJECT;
	const struct python_type *t;
	uint64_t size;

	if (!object_has_sane_header(s, object))
		return NULL;
	t = types_find(s, word_at(object, PY_OB_TYPE));
	/* Types in C that are part of a library are static: not on the heap. */
	if (!t || (t->role == PYTHON_ROLE_TYPE && !(half_at(object, PY_TP_FLAGS) & PY_HEAPTYPE)))
		return NULL;
	size = object_size(s, t, object);
	if (!size)
		return NULL;
	if (t->role == PYTHON_ROLE_GENERATOR)
		size += frame_bytes(s, object);
	size += t->object_at;
	/*
	 * Smaller ones are in pools. Subclasses have an item more, as an end; of items that are not
	 * understood the size is a guess.
	 */
	if (size + t->itemsize + s->before + s->behind <= SMALL_MAX &&
	    !(t->itemsize && t->role == PYTHON_ROLE_OTHER) && t->role != PYTHON_ROLE_FRAME &&
	    !(t->flags & PY_INLINE_VALUES))
		return NULL;
	if (!is_in_list(s, t, address, bytes))
		return NULL;
	*ret_bytes = size;
	return t;
}

static int note_object(struct python_sweep *s, const struct python_type *t, uint64_t address,
		       uint64_t size, const struct tables *tables)
{
	struct piece inside = { .address = address + 16, .bytes = size - 16 };
	int r = large_note_tables(s, t, tables);

	if (r < 0 || !large_has_references(t))
		return r;
	return note_piece(s, &inside);
}

static int tell_large(struct python_sweep *s, uint64_t address, const struct python_run *run,
		      python_block_fn callback, void *userdata)
{
	const uint8_t *bytes = run->to;
	uint8_t keys[KEYS_HEADER_BYTES];
	struct tables tables = { .n = 0 };
	const struct python_type *t;
	struct python_block b = { .address = address, .object = address, .is_large = true };
	uint64_t size, keys_bytes = 0;
	int r = 0;

	if (run->done < HEAD_BYTES)
		return 0;
	t = large_object(s, address, bytes, &size);
	if (!t)
		return 0;
	b.data = bytes + BEFORE_OBJECT;
	b.data_bytes = HEAD_BYTES - BEFORE_OBJECT;
	b.type = t;
	b.bytes = size;
	b.refcount = object_refcount(s, b.data);
	if (b.refcount) {
		if (t->role == PYTHON_ROLE_DICT && tables_has_distant_keys(s, b.data) &&
		    python_read(s->memory, word_at(b.data, s->layout->dict_keys), keys,
				sizeof(keys)) == 0)
			keys_bytes = keys_table_bytes(s->layout, keys);
		if (t->object_at <= BEFORE_OBJECT)
			tables_of(s, t, b.data, keys_bytes, &tables);
		r = note_object(s, t, address, size - t->object_at, &tables);
		if (r < 0)
			return r;
	}
	b.table_bytes = tables.bytes;
	b.table_pool_bytes = tables.pool_bytes;
	b.table_blocks = tables.pool_blocks;
	return callback(&b, userdata);
}

static int tell_queue(struct python_sweep *s, python_block_fn callback, void *userdata)
{
	struct large *l = &s->large;
	uint64_t addresses[RUNS];
	size_t n = l->queue_n < RUNS ? l->queue_n : RUNS;
	int r;

	l->queue_n -= n;
	memcpy(addresses, l->queue + l->queue_n, n * sizeof(*addresses));
	for (size_t i = 0; i < n; i++)
		s->runs[i] = (struct python_run){ .address = addresses[i] - BEFORE_OBJECT,
						  .to = s->heads + i * HEAD_BYTES,
						  .n = HEAD_BYTES };
	r = python_read_runs(s->memory, s->runs, n);
	for (size_t i = 0; r >= 0 && i < n; i++)
		r = tell_large(s, addresses[i], &s->runs[i], callback, userdata);
	return r < 0 ? r : 0;
}

static int look_at_piece(struct python_sweep *s)
{
	struct piece p = s->large.pieces[--s->large.pieces_n];

	for (uint64_t at = 0; at < p.bytes; at += BUFFER_BYTES) {
		size_t n = p.bytes - at < BUFFER_BYTES ? p.bytes - at : BUFFER_BYTES;
		struct python_run run = { .address = p.address + at, .to = s->buffer, .n = n };
		int r = python_read_runs(s->memory, &run, 1);

		if (r == 0)
			r = large_note_words(s, s->buffer, run.done);
		if (r == 0)
			r = sweep_check_deadline(s);
		if (r < 0)
			return r;
		if (run.done < n)
			return 0;
	}
	return 0;
}

/* Types are known by their objects, whether something refers to them or not. */
static int note_types(struct python_sweep *s)
{
	for (size_t i = 0; i <= s->types.mask; i++) {
		const struct python_type *t = s->types.slots[i];
		uint64_t address = t ? t->address : 0;

		if (address && large_note_words(s, (const uint8_t *)&address, 8) < 0)
			return -ENOMEM;
	}
	return 0;
}

int python_sweep_large(struct python_sweep *s, python_block_fn callback, void *userdata)
{
	int r = note_types(s);

	while (r >= 0 && (s->large.queue_n || s->large.pieces_n)) {
		r = sweep_check_deadline(s);
		if (r < 0)
			break;
		/* Addresses first: they are what fills memory. */
		r = s->large.queue_n ? tell_queue(s, callback, userdata) : look_at_piece(s);
	}
	return r < 0 ? r : 0;
}
