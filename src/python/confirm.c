// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * A second look at what the search has found.
 *
 * It reads the heap once for each level. What is freed from one to the next leaves its address to another
 * object, and the search would go on with who holds that: a path through things that were never there at
 * the same time. So each object is read once more, and what it does not hold any more is forgotten.
 */
#include <errno.h>
#include <stdlib.h>

#include "base/cleanup.h"
#include "python/search.h"

struct confirmed {
	const struct graph *graph;
	uint32_t parent;
	bool *edges; /* by number */
};

static int on_slot(const struct python_slot *slot, void *userdata)
{
	struct confirmed *c = userdata;
	const struct graph *g = c->graph;
	uint32_t child = graph_find(g, slot->value);

	for (uint32_t e = g->nodes[c->parent].first_edge; child != GRAPH_NONE && e != GRAPH_NONE;
	     e = g->edges[e].next_edge)
		if (g->edges[e].child == child)
			c->edges[e] = true;
	return 0;
}

static bool is_same_object(const struct search *s, const struct python_object_ref *o)
{
	uint64_t head[2];

	return python_read(s->reader.memory, o->address, head, sizeof(head)) == 0 &&
	       head[PY_OB_TYPE / 8] == o->type->address && (uint32_t)head[0];
}

static void mark_all(struct confirmed *c)
{
	const struct graph *g = c->graph;

	for (uint32_t e = g->nodes[c->parent].first_edge; e != GRAPH_NONE;
	     e = g->edges[e].next_edge)
		c->edges[e] = true;
}

/* Frames are on the stacks of threads: what ran then may have returned, and was no less true. */
static int confirm_node(const struct search *s, struct confirmed *c)
{
	const struct graph_node *n = &c->graph->nodes[c->parent];
	bool is_frame = !n->object.type, is_same = is_frame || is_same_object(s, &n->object);
	int r = 0;

	for (uint32_t e = n->first_edge; e != GRAPH_NONE; e = c->graph->edges[e].next_edge) {
		const struct python_slot *slot = &c->graph->edges[e].slot;

		/* Found by a word in raw memory, which its type does not tell of. */
		c->edges[e] = is_frame || (is_same && (slot->kind == PYTHON_SLOT_WORD ||
						       slot->kind == PYTHON_SLOT_FIXED));
	}
	if (!is_frame && is_same)
		r = python_slots_each(&s->reader, &n->object, on_slot, c);
	/* What cannot be read says nothing; what is no sane object any more (-EINVAL) holds nothing. */
	if (r == -ENOMEM || r == -EFAULT)
		mark_all(c);
	return r == -ETIMEDOUT || r == -ESRCH ? r : 0;
}

/* Takes those that are not confirmed out of both lists; how many. */
static unsigned int drop_edges(struct graph *g, const bool *confirmed)
{
	unsigned int dropped = 0;

	for (uint32_t i = 0; i < g->n_nodes; i++) {
		uint32_t *at = &g->nodes[i].first_edge;

		while (*at != GRAPH_NONE) {
			struct graph_edge *e = &g->edges[*at];

			if (confirmed[*at]) {
				at = &e->next_edge;
				continue;
			}
			g->nodes[e->child].found--;
			dropped++;
			*at = e->next_edge;
		}
		at = &g->nodes[i].first_holder;
		while (*at != GRAPH_NONE) {
			if (confirmed[*at])
				at = &g->edges[*at].next_holder;
			else
				*at = g->edges[*at].next_holder;
		}
	}
	return dropped;
}

int search_confirm(struct search *s)
{
	_cleanup_free_ bool *edges = calloc(s->graph.n_edges + 1, sizeof(*edges));
	struct confirmed c = { .graph = &s->graph, .edges = edges };
	int r = 0;

	if (!edges)
		return -ENOMEM;
	for (; c.parent < s->graph.n_nodes && r == 0; c.parent++)
		if (s->graph.nodes[c.parent].first_edge != GRAPH_NONE)
			r = confirm_node(s, &c);
	/* What there was no time to look at stays as it was found. */
	if (r < 0)
		return r;
	return (int)drop_edges(&s->graph, edges);
}
