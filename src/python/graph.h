/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Objects that lead to the samples, and the references between them, as the search for holders finds them.
 * Bounded: what does not fit is left out.
 */
#ifndef SEEP_PYTHON_GRAPH_H
#define SEEP_PYTHON_GRAPH_H

#include "python/containers.h"
#include "python/holders.h"

#define GRAPH_NODES 16384
#define GRAPH_EDGES 32768
#define GRAPH_NONE  UINT32_MAX

struct graph_node {
	struct python_object_ref object; /* type NULL: a frame on a thread's stack */
	uint64_t mask;			 /* of samples that it leads to */
	uint32_t found;			 /* references to it */
	uint32_t first_edge;		 /* of those that it holds */
	uint32_t first_holder;		 /* edge, of those that hold it */
	uint32_t module;		 /* number of its module, for a root */
	uint8_t level;			 /* samples are of level 0 */
	bool is_root;
	enum python_root root;
};

struct graph_edge {
	struct python_slot slot;
	uint32_t parent;
	uint32_t child;
	uint32_t next_edge;
	uint32_t next_holder;
};

struct graph {
	struct graph_node *nodes; /* owned */
	uint32_t n_nodes;
	struct graph_edge *edges; /* owned */
	uint32_t n_edges;
	uint32_t *slots; /* owned; nodes by address */
	uint64_t lowest; /* address of a node */
	uint64_t highest;
	bool is_full; /* something was left out */
};

int graph_init(struct graph *g);
void graph_done(struct graph *g);

/* Node number, or GRAPH_NONE. */
uint32_t graph_find(const struct graph *g, uint64_t address);
uint32_t graph_add_node(struct graph *g, const struct python_object_ref *o, uint8_t level);
/* True: it is new. A pair has one edge, its first. */
bool graph_add_edge(struct graph *g, uint32_t parent, uint32_t child,
		    const struct python_slot *slot);

#endif
