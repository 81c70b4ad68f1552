/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The search for the holders of samples, level by level: what refers to them, what refers to that, and so on
 * until modules, classes or running frames are reached. For holders.c and its parts.
 *
 * Each level reads the heap anew. A hit in raw memory (a table in a pool) is a target of the next level,
 * which finds the owner; the owner then says which of its references lives. So the graph has objects only.
 */
#ifndef SEEP_PYTHON_SEARCH_H
#define SEEP_PYTHON_SEARCH_H

#include "python/frontier.h"
#include "python/graph.h"

#define SEARCH_LEVELS	   16
#define SEARCH_LEVEL_NODES 256 /* objects of one level whose holders are looked for */
#define SEARCH_LEVEL_RAW   32768
#define SEARCH_ALIKE \
	4 /* objects of one type that refer to the same object: more tell nothing new */
#define SEARCH_ALIKE_SLOTS 8192
#define SEARCH_ALIKE_KEYS  6144 /* of them in use */
#define SEARCH_MODULES	   4096
#define SEARCH_LARGE	   65536
#define SEARCH_LARGE_BYTES 16384 /* of a large object; the rest only in what its type knows of */

struct search_module {
	uint64_t object;
	uint64_t dict;
	uint64_t name; /* str */
};

struct search_large {
	struct python_object_ref object;
	uint64_t bytes; /* from object.type->object_at before it on */
};

struct path_step;

struct search {
	const struct python_interpreter *interpreter;
	struct python_reader reader;
	struct python_sweep *sweep; /* owned */
	struct graph graph;
	struct frontier frontier;
	struct frontier_target *raw; /* owned; found in this level */
	size_t n_raw;
	uint64_t *
		alike; /* owned; keys of what was found in this level, SEARCH_ALIKE_SLOTS of them */
	uint8_t *alike_counts; /* owned */
	size_t n_alike;
	uint8_t *shapes; /* owned; enum python_shape + 1 by number of the type, 0: not known */
	size_t n_shapes;
	struct search_module *modules; /* owned */
	size_t n_modules;
	struct search_large *large; /* owned */
	size_t n_large;
	bool has_large; /* they are all there */
	struct path_step **
		steps; /* owned, as what they point to; by edge, and by whether it is an attribute */
	uint8_t level;
	uint64_t samples; /* mask of all */
	uint64_t held;	  /* of those that a module or class holds */
	uint64_t running; /* of those that a frame holds */
	uint64_t blocks;
	bool is_exhausted; /* nothing is left that has not been looked for */
};

int search_init(struct search *s, const struct python_interpreter *i, uint64_t deadline_ns,
		const char **ret_why);
void search_done(struct search *s);
/* After the samples are nodes of the graph. -ETIMEDOUT with what was found until then. */
int search_run(struct search *s);

/*
 * confirm.c: forgets what the objects that were found do not hold any more. How many references that were, or
 * -ETIMEDOUT (nothing is forgotten), -ESRCH, -ENOMEM.
 */
int search_confirm(struct search *s);

enum python_shape search_shape(struct search *s, const struct python_type *t);

/* roots.c: the modules of all interpreters; and the frames of all threads, each as an object without type. */
int search_read_modules(struct search *s);
/* Index of the module whose dict, or which itself, is at @address; GRAPH_NONE. */
uint32_t search_module_at(const struct search *s, uint64_t address);
typedef int (*search_frame_fn)(uint64_t frame, void *userdata);
int search_each_frame(struct search *s, search_frame_fn fn, void *userdata);

#endif
