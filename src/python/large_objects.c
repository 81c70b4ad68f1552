// SPDX-License-Identifier: GPL-2.0-or-later
/* What lies at the addresses outside of the pools that were noted: batch by batch, until no new ones come up. */
#include "python/sweep_state.h"

#include <errno.h>

#include "python/running.h"

/* Before the object: the collector's header, or malloc's own. */
#define BEFORE_OBJECT 16

/* Frames of generators: their sizes are next to co_firstlineno from 3.11 on. */
#define CODE_STACK  (-4)
#define CODE_LOCALS 4
#define SLOTS_MAX   (1u << 16)

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

/* Whether @bytes, from before the object on, look like a large object; its size then. */
static const struct python_type *large_object(struct python_sweep *s, const uint8_t *bytes,
					      uint64_t *ret_bytes)
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
	*ret_bytes = size;
	return t;
}

/* Takes @n addresses off the queue; candidates[] has those that may be objects then. How many. */
static int read_candidates(struct python_sweep *s, size_t n)
{
	struct large *l = &s->large;
	size_t found = 0;
	int r;

	l->queue_n -= n;
	for (size_t i = 0; i < n; i++)
		l->runs[i] = (struct python_run){
			.address = l->queue[l->queue_n + i] - BEFORE_OBJECT,
			.to = l->heads + i * HEAD_BYTES,
			.n = HEAD_BYTES,
		};
	r = python_read_runs(s->memory, l->runs, n);
	if (r < 0)
		return r;
	for (size_t i = 0; i < n; i++) {
		struct candidate c = { .address = l->runs[i].address + BEFORE_OBJECT,
				       .bytes = l->runs[i].to };

		if (l->runs[i].done < HEAD_BYTES)
			continue;
		c.type = large_object(s, c.bytes, &c.size);
		if (c.type)
			l->candidates[found++] = c;
	}
	return (int)found;
}

/* By the neighbours in the collector's lists, as heads_check(); the buffer of the pools is free now. */
static int check_candidates(struct python_sweep *s, size_t n)
{
	struct candidate *candidates = s->large.candidates;
	size_t asked = 0;
	int r;

	for (size_t i = 0; i < n; i++) {
		struct candidate *c = &candidates[i];

		if (!(c->type->flags & PY_HAVE_GC) || !head_is_doubtful(c->type, c->bytes))
			continue;
		c->neighbour = asked;
		c->is_doubtful = true;
		s->runs[asked] = (struct python_run){ .address = word_at(c->bytes, 0) & ~3ull,
						      .to = s->buffer + asked * HEAD_READ,
						      .n = HEAD_READ };
		asked++;
	}
	r = python_read_runs(s->memory, s->runs, asked);
	for (size_t i = 0; r >= 0 && i < n; i++) {
		struct candidate *c = &candidates[i];
		const struct python_run *run = &s->runs[c->neighbour];
		uint64_t self = c->address - BEFORE_OBJECT;

		if (c->is_doubtful &&
		    (run->done < HEAD_READ || !head_is_neighbour(s, self, run->address, run->to)) &&
		    head_still_says(s, self, c->bytes))
			c->type = NULL;
	}
	return r < 0 ? r : 0;
}

static int note_contents(struct python_sweep *s, const struct candidate *c,
			 const struct tables *tables)
{
	struct piece inside = { .address = c->address + 16,
				.bytes = c->size - c->type->object_at - 16 };
	int r = large_note_tables(s, c->type, tables);

	if (r < 0 || !large_has_references(c->type))
		return r;
	return large_note_piece(s, &inside);
}

static void find_tables(struct python_sweep *s, const struct candidate *c, struct tables *ret)
{
	const uint8_t *object = c->bytes + BEFORE_OBJECT;
	uint8_t keys[KEYS_HEADER_BYTES];
	uint64_t keys_bytes = 0;

	if (c->type->role == PYTHON_ROLE_DICT && tables_has_distant_keys(s, object) &&
	    python_read(s->memory, word_at(object, s->layout->dict_keys), keys, sizeof(keys)) == 0)
		keys_bytes = keys_table_bytes(s->layout, keys);
	/* Pointers before the collector's header were not read. */
	if (c->type->object_at <= BEFORE_OBJECT)
		tables_of(s, c->type, object, keys_bytes, ret);
}

static int tell_candidate(struct python_sweep *s, const struct candidate *c,
			  python_block_fn callback, void *userdata)
{
	struct python_block b = {
		.address = c->address,
		.bytes = c->size,
		.is_large = true,
		.object = c->address,
		.type = c->type,
		.data = c->bytes + BEFORE_OBJECT,
		.data_bytes = HEAD_BYTES - BEFORE_OBJECT,
	};
	struct tables tables = { .n = 0 };
	int r;

	b.refcount = object_refcount(s, b.data);
	if (b.refcount) {
		find_tables(s, c, &tables);
		r = note_contents(s, c, &tables);
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
	int n = read_candidates(s, l->queue_n < RUNS ? l->queue_n : RUNS);
	int r = n < 0 ? n : check_candidates(s, (size_t)n);

	for (int i = 0; r >= 0 && i < n; i++)
		if (l->candidates[i].type)
			r = tell_candidate(s, &l->candidates[i], callback, userdata);
	return r;
}

/* A piece that is longer than the buffer. */
static int look_at_long(struct python_sweep *s, const struct piece *p)
{
	for (uint64_t at = 0; at < p->bytes; at += BUFFER_BYTES) {
		size_t n = p->bytes - at < BUFFER_BYTES ? p->bytes - at : BUFFER_BYTES;
		struct python_run run = { .address = p->address + at, .to = s->buffer, .n = n };
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

/* As many pieces as the buffer takes. */
static int look_at_pieces(struct python_sweep *s)
{
	struct large *l = &s->large;
	size_t n = 0, at = 0;
	int r;

	while (l->pieces_n && n < RUNS && l->pieces[l->pieces_n - 1].bytes <= BUFFER_BYTES - at) {
		const struct piece *p = &l->pieces[--l->pieces_n];

		s->runs[n] = (struct python_run){ .address = p->address,
						  .to = s->buffer + at,
						  .n = p->bytes };
		at += p->bytes;
		n++;
	}
	if (!n) {
		const struct piece p = l->pieces[--l->pieces_n];

		return look_at_long(s, &p);
	}
	r = python_read_runs(s->memory, s->runs, n);
	for (size_t i = 0; r >= 0 && i < n; i++)
		r = large_note_words(s, s->runs[i].to, s->runs[i].done);
	return r;
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

/* The results of a batch are kept apart from the sweep's own, which a callback may use. */
static int alloc_batch(struct large *l)
{
	if (!l->candidates)
		l->candidates = calloc(RUNS, sizeof(*l->candidates));
	if (!l->runs)
		l->runs = calloc(RUNS, sizeof(*l->runs));
	if (!l->heads)
		l->heads = malloc(RUNS * HEAD_BYTES);
	return l->candidates && l->runs && l->heads ? 0 : -ENOMEM;
}

int python_sweep_large(struct python_sweep *s, python_block_fn callback, void *userdata)
{
	int r = alloc_batch(&s->large);

	if (r == 0)
		r = note_types(s);
	while (r >= 0 && (s->large.queue_n || s->large.pieces_n)) {
		r = sweep_check_deadline(s);
		if (r < 0)
			break;
		/* Addresses first: they are what fills memory. */
		r = s->large.queue_n ? tell_queue(s, callback, userdata) : look_at_pieces(s);
	}
	return r < 0 ? r : 0;
}
