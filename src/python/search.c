// SPDX-License-Identifier: GPL-2.0-or-later
/* One level after the other. See search.h. */
#include "python/search.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"

/*
 * Levels that are still looked at for a module when frames already hold every sample: from a coroutine by way
 * of its task, a set, and an instance with that set.
 */
#define LEVELS_BEYOND_FRAMES 6

#define DEADLINE_BLOCKS 8192 /* looked at the clock so often */

int search_init(struct search *s, const struct python_interpreter *i, uint64_t deadline_ns,
		const char **ret_why)
{
	int r;

	*s = (struct search){ .interpreter = i };
	s->reader = (struct python_reader){ &i->memory, &i->layout, i->code_type, deadline_ns };
	r = graph_init(&s->graph);
	if (r >= 0) {
		s->raw = calloc(SEARCH_LEVEL_RAW, sizeof(*s->raw));
		s->alike = calloc(SEARCH_ALIKE_SLOTS, sizeof(*s->alike));
		s->alike_counts = calloc(SEARCH_ALIKE_SLOTS, sizeof(*s->alike_counts));
		s->modules = calloc(SEARCH_MODULES + 1, sizeof(*s->modules));
		s->large = calloc(SEARCH_LARGE, sizeof(*s->large));
		s->steps = calloc(2 * GRAPH_EDGES, sizeof(*s->steps));
		if (!s->raw || !s->alike || !s->alike_counts || !s->modules || !s->large ||
		    !s->steps)
			r = -ENOMEM;
	}
	if (r >= 0)
		r = python_sweep_new(i, deadline_ns, &s->sweep, ret_why);
	if (r >= 0)
		r = search_read_modules(s);
	if (r < 0)
		search_done(s);
	else
		python_sweep_want_large(s->sweep);
	return r;
}

void search_done(struct search *s)
{
	(void)python_sweep_free(s->sweep);
	for (size_t i = 0; s->steps && i < 2 * GRAPH_EDGES; i++)
		free(s->steps[i]);
	free(s->steps);
	free(s->large);
	free(s->modules);
	free(s->shapes);
	free(s->alike_counts);
	free(s->alike);
	free(s->raw);
	frontier_done(&s->frontier);
	graph_done(&s->graph);
	*s = (struct search){ 0 };
}

enum python_shape search_shape(struct search *s, const struct python_type *t)
{
	if (t->id >= s->n_shapes) {
		size_t n = (size_t)t->id + 256;
		uint8_t *grown = realloc(s->shapes, n);

		if (!grown)
			return PYTHON_OPAQUE;
		memset(grown + s->n_shapes, 0, n - s->n_shapes);
		s->shapes = grown;
		s->n_shapes = n;
	}
	if (!s->shapes[t->id])
		s->shapes[t->id] = (uint8_t)(python_shape_of(s->reader.memory, t) + 1);
	return s->shapes[t->id] - 1;
}

/* How often the like was found in this level: an object of this type that refers so to this one. */
static unsigned int count_alike(struct search *s, const struct python_object_ref *o, uint32_t child,
				const struct python_slot *slot)
{
	uint64_t type = o->type ? o->type->address : o->address;
	uint64_t key = (type ^ (uint64_t)slot->kind << 56 ^ child) * FRONTIER_HASH | 1;
	size_t at = (size_t)(key >> 40) % SEARCH_ALIKE_SLOTS;

	while (s->alike[at] && s->alike[at] != key)
		at = (at + 1) % SEARCH_ALIKE_SLOTS;
	if (!s->alike[at]) {
		if (s->n_alike == SEARCH_ALIKE_KEYS)
			return UINT8_MAX;
		s->n_alike++;
		s->alike[at] = key;
	}
	if (s->alike_counts[at] < UINT8_MAX)
		s->alike_counts[at]++;
	return s->alike_counts[at];
}

static bool is_root_object(const struct search *s, const struct python_object_ref *o)
{
	return !o->type || o->shape == PYTHON_CLASS || o->shape == PYTHON_MODULE ||
	       o->shape == PYTHON_LOOP || search_module_at(s, o->address) != GRAPH_NONE;
}

static void mark_root(struct search *s, struct graph_node *n)
{
	n->module = search_module_at(s, n->object.address);
	n->is_root = is_root_object(s, &n->object);
	if (!n->object.type || n->object.shape == PYTHON_LOOP)
		n->root = PYTHON_ROOT_FRAME;
	else if (n->object.shape == PYTHON_CLASS)
		n->root = PYTHON_ROOT_CLASS;
	else
		n->root = PYTHON_ROOT_MODULE;
}

struct examined {
	struct search *s;
	const struct python_object_ref *object;
	uint32_t node;
	bool has_match;
};

/* Takes a reference to a node into the graph, if it is worth it. */
static void take(struct examined *x, uint32_t child, const struct python_slot *slot)
{
	struct search *s = x->s;
	struct graph_node *n;

	s->graph.nodes[child].found++;
	if (x->node == GRAPH_NONE)
		x->node = graph_find(&s->graph, x->object->address);
	if (x->node == GRAPH_NONE) {
		if (count_alike(s, x->object, child, slot) > SEARCH_ALIKE &&
		    !is_root_object(s, x->object)) {
			s->graph.is_full = true;
			return;
		}
		x->node = graph_add_node(&s->graph, x->object, (uint8_t)(s->level + 1));
		if (x->node == GRAPH_NONE)
			return;
		mark_root(s, &s->graph.nodes[x->node]);
	}
	if (!graph_add_edge(&s->graph, x->node, child, slot)) {
		s->graph.nodes[child].found--;
		return;
	}
	n = &s->graph.nodes[x->node];
	if (n->is_root && n->root != PYTHON_ROOT_FRAME)
		s->held |= n->mask;
	else if (n->is_root || x->object->shape == PYTHON_GENERATOR)
		s->running |= n->mask;
}

static int on_slot(const struct python_slot *slot, void *userdata)
{
	struct examined *x = userdata;
	const struct graph *g = &x->s->graph;
	uint32_t child = graph_find(g, slot->value);

	/* What was found in this very level waits, or who is found would hang on the order of addresses. */
	if (child == GRAPH_NONE || g->nodes[child].level > x->s->level ||
	    slot->value == x->object->address)
		return 0;
	x->has_match = true;
	take(x, child, slot);
	return 0;
}

/*
 * What the object holds of the graph. @hit: a word of it refers to a target of this level, at @offset from
 * its start; where the type does not tell which reference lives in raw memory, that word names it.
 */
static int examine(struct search *s, const struct python_object_ref *o,
		   const struct frontier_target *hit, uint64_t offset)
{
	struct examined x = { .s = s, .object = o, .node = GRAPH_NONE };
	int r = python_slots_each(&s->reader, o, on_slot, &x);

	if (hit && hit->bytes && !x.has_match && offset >= PY_OB_SIZE &&
	    offset < o->type->basicsize &&
	    (o->shape == PYTHON_PLAIN || o->shape == PYTHON_LOOP || o->shape == PYTHON_MODULE)) {
		struct python_slot slot = { .kind = PYTHON_SLOT_WORD, .index = offset };

		if (o->shape == PYTHON_MODULE)
			slot = (struct python_slot){ .kind = PYTHON_SLOT_FIXED,
						     .text = ".<state>" };
		take(&x, hit->node, &slot);
	}
	/* What changed while it was read, or is not sane, holds nothing as far as can be told. */
	return r == -ETIMEDOUT || r == -ESRCH ? r : 0;
}

static int examine_frame(uint64_t frame, void *userdata)
{
	struct search *s = userdata;
	struct python_object_ref o = { .address = frame, .shape = PYTHON_FRAME };
	struct examined x = { .s = s, .object = &o, .node = GRAPH_NONE };
	int r = python_frame_slots_each(&s->reader, frame, on_slot, &x);

	return r == -ETIMEDOUT || r == -ESRCH ? r : 0;
}

/* The first word that refers to a target, or NULL; *ret_at is its place. */
static const struct frontier_target *scan(const struct frontier *f, const uint8_t *data, size_t n,
					  size_t *ret_at)
{
	for (size_t at = 0; at + sizeof(uint64_t) <= n; at += sizeof(uint64_t)) {
		const struct frontier_target *t;
		uint64_t word;

		memcpy(&word, data + at, sizeof(word));
		if (!frontier_may_hold(f, word))
			continue;
		t = frontier_look_up(f, word);
		if (t) {
			*ret_at = at;
			return t;
		}
	}
	return NULL;
}

static void take_raw(struct search *s, const struct python_block *b,
		     const struct frontier_target *t)
{
	if (s->n_raw == SEARCH_LEVEL_RAW) {
		s->graph.is_full = true;
		return;
	}
	s->raw[s->n_raw++] = (struct frontier_target){ .address = b->address,
						       .bytes = (uint32_t)b->bytes,
						       .node = t->node };
}

/* A table in no pool is read by way of its owner. One that is empty may be shared by all. */
static bool has_distant_table(const struct search *s, const struct python_object_ref *o,
			      const uint8_t *object, size_t n)
{
	uint64_t table = python_table_of(s->reader.layout, o, object, n), used = 0, start;
	uint32_t bytes;

	if (!table || table - o->address < n || n < PY_OB_SIZE + sizeof(used))
		return false;
	if (o->shape == PYTHON_LIST || o->shape == PYTHON_DICT || o->shape == PYTHON_DEQUE)
		memcpy(&used, object + PY_OB_SIZE, sizeof(used));
	else
		used = 1;
	return used && !python_sweep_block_of(s->sweep, table, &start, &bytes);
}

static int look_at_object(struct search *s, const struct python_object_ref *o, const uint8_t *data,
			  size_t n, size_t start)
{
	const struct frontier_target *hit;
	size_t at = 0;

	if (o->shape == PYTHON_OPAQUE || start > n)
		return 0;
	hit = scan(&s->frontier, data, n, &at);
	if (hit || has_distant_table(s, o, data + start, n - start))
		return examine(s, o, hit, at - start);
	return 0;
}

static int on_block(const struct python_block *b, void *userdata)
{
	struct search *s = userdata;
	const struct frontier_target *hit;
	struct python_object_ref o;
	size_t at;

	if (++s->blocks % DEADLINE_BLOCKS == 0 && clock_ns(CLOCK_MONOTONIC) > s->reader.deadline_ns)
		return -ETIMEDOUT;
	if (!b->type) {
		hit = scan(&s->frontier, b->data, b->data_bytes, &at);
		if (hit)
			take_raw(s, b, hit);
		return 0;
	}
	/* What the interpreter keeps for the next object holds nothing. */
	if (!b->refcount)
		return 0;
	o = (struct python_object_ref){ b->object, b->type, search_shape(s, b->type) };
	return look_at_object(s, &o, b->data, b->data_bytes, b->object - b->address);
}

static int look_at_large(struct search *s, const struct search_large *l)
{
	uint8_t data[SEARCH_LARGE_BYTES];
	size_t before = l->object.type->object_at;
	int r;

	/* What is behind the bytes that would be read, its type has to tell. */
	if (l->bytes > sizeof(data))
		return examine(s, &l->object, NULL, 0);
	r = python_read(s->reader.memory, l->object.address - before, data, l->bytes);
	if (r < 0)
		return r == -ESRCH ? r : 0;
	return look_at_object(s, &l->object, data, l->bytes, before);
}

static int on_large(const struct python_block *b, void *userdata)
{
	struct search *s = userdata;
	struct search_large *l = &s->large[s->n_large];

	if (!b->type || !b->refcount || s->n_large == SEARCH_LARGE)
		return 0;
	l->object = (struct python_object_ref){ b->object, b->type, search_shape(s, b->type) };
	l->bytes = b->bytes;
	if (l->object.shape != PYTHON_OPAQUE)
		s->n_large++;
	return 0;
}

/* Found once: that takes longer than a level, and modules and classes do not move. */
static int look_at_large_ones(struct search *s)
{
	int r = 0;

	if (!s->has_large) {
		r = python_sweep_large(s->sweep, on_large, s);
		s->has_large = r >= 0;
		python_sweep_forget_large(s->sweep);
	}
	for (size_t i = 0; r >= 0 && i < s->n_large; i++) {
		r = look_at_large(s, &s->large[i]);
		if (i % 1024 == 0 && clock_ns(CLOCK_MONOTONIC) > s->reader.deadline_ns)
			return -ETIMEDOUT;
	}
	return r;
}

static int scan_level(struct search *s)
{
	int r;

	r = frontier_build(&s->frontier);
	if (r < 0)
		return r;
	s->n_raw = 0;
	s->n_alike = 0;
	memset(s->alike, 0, SEARCH_ALIKE_SLOTS * sizeof(*s->alike));
	memset(s->alike_counts, 0, SEARCH_ALIKE_SLOTS * sizeof(*s->alike_counts));
	r = search_each_frame(s, examine_frame, s);
	if (r >= 0)
		r = python_sweep_blocks(s->sweep, on_block, s);
	if (r >= 0)
		r = look_at_large_ones(s);
	return r;
}

static int by_samples(const void *a, const void *b)
{
	const struct frontier_target *x = a, *y = b;

	/* bytes: the number of samples, while they are sorted. */
	return x->bytes > y->bytes ? -1 : x->bytes < y->bytes;
}

/* What is looked for next: what was found in this level, those objects first that lead to most samples. */
static int next_frontier(struct search *s)
{
	struct frontier *f = &s->frontier;
	int r = 0;

	frontier_clear(f);
	for (uint32_t i = 0; r >= 0 && i < s->graph.n_nodes; i++) {
		const struct graph_node *n = &s->graph.nodes[i];
		struct frontier_target t = { n->object.address, 0, i };

		t.bytes = (uint32_t)__builtin_popcountll(n->mask);
		if (n->level == s->level && !n->is_root)
			r = frontier_add(f, t);
	}
	if (f->n)
		qsort(f->targets, f->n, sizeof(*f->targets), by_samples);
	if (f->n > SEARCH_LEVEL_NODES) {
		f->n = SEARCH_LEVEL_NODES;
		s->graph.is_full = true;
	}
	for (size_t i = 0; i < f->n; i++)
		f->targets[i].bytes = 0;
	for (size_t i = 0; r >= 0 && i < s->n_raw; i++)
		r = frontier_add(f, s->raw[i]);
	return r;
}

int search_run(struct search *s)
{
	unsigned int beyond = 0;
	int r = 0;

	for (s->level = 0; s->level < SEARCH_LEVELS; s->level++) {
		r = next_frontier(s);
		if (r < 0)
			return r;
		s->is_exhausted = !s->frontier.n && !s->graph.is_full;
		if (!s->frontier.n || (s->held & s->samples) == s->samples)
			return 0;
		if (((s->held | s->running) & s->samples) == s->samples &&
		    beyond++ == LEVELS_BEYOND_FRAMES)
			return 0;
		r = scan_level(s);
		if (r < 0)
			return r;
	}
	return 0;
}
