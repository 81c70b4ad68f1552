// SPDX-License-Identifier: GPL-2.0-or-later
/* See graph.h. */
#include "python/graph.h"

#include <errno.h>
#include <stdlib.h>

#define SLOTS (4 * GRAPH_NODES)
#define HASH  0x9e3779b97f4a7c15ull

int graph_init(struct graph *g)
{
	*g = (struct graph){ .lowest = UINT64_MAX };
	g->nodes = calloc(GRAPH_NODES, sizeof(*g->nodes));
	g->edges = calloc(GRAPH_EDGES, sizeof(*g->edges));
	g->slots = calloc(SLOTS, sizeof(*g->slots));
	if (g->nodes && g->edges && g->slots)
		return 0;
	graph_done(g);
	return -ENOMEM;
}

void graph_done(struct graph *g)
{
	free(g->nodes);
	free(g->edges);
	free(g->slots);
	*g = (struct graph){ 0 };
}

static size_t slot_of(const struct graph *g, uint64_t address)
{
	size_t at = (size_t)((address >> 3) * HASH >> 32) % SLOTS;

	while (g->slots[at] && g->nodes[g->slots[at] - 1].object.address != address)
		at = (at + 1) % SLOTS;
	return at;
}

uint32_t graph_find(const struct graph *g, uint64_t address)
{
	uint32_t found;

	if (address < g->lowest || address > g->highest)
		return GRAPH_NONE;
	found = g->slots[slot_of(g, address)];
	return found ? found - 1 : GRAPH_NONE;
}

uint32_t graph_add_node(struct graph *g, const struct python_object_ref *o, uint8_t level)
{
	size_t at = slot_of(g, o->address);

	if (g->slots[at])
		return g->slots[at] - 1;
	if (g->n_nodes == GRAPH_NODES) {
		g->is_full = true;
		return GRAPH_NONE;
	}
	g->nodes[g->n_nodes] = (struct graph_node){
		.object = *o, .level = level, .first_edge = GRAPH_NONE, .first_holder = GRAPH_NONE
	};
	g->slots[at] = ++g->n_nodes;
	if (o->address < g->lowest)
		g->lowest = o->address;
	if (o->address > g->highest)
		g->highest = o->address;
	return g->n_nodes - 1;
}

bool graph_add_edge(struct graph *g, uint32_t parent, uint32_t child,
		    const struct python_slot *slot)
{
	struct graph_node *p = &g->nodes[parent], *c = &g->nodes[child];

	for (uint32_t e = p->first_edge; e != GRAPH_NONE; e = g->edges[e].next_edge)
		if (g->edges[e].child == child)
			return false;
	if (g->n_edges == GRAPH_EDGES) {
		g->is_full = true;
		return false;
	}
	g->edges[g->n_edges] = (struct graph_edge){ .slot = *slot,
						    .parent = parent,
						    .child = child,
						    .next_edge = p->first_edge,
						    .next_holder = c->first_holder };
	p->first_edge = c->first_holder = g->n_edges++;
	p->mask |= c->mask;
	return true;
}
