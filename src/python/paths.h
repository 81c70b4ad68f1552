/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * From a search's graph to what is told: paths from roots to samples, those of one pattern together. For
 * holders.c.
 */
#ifndef SEEP_PYTHON_PATHS_H
#define SEEP_PYTHON_PATHS_H

#include "python/search.h"

#define PATH_STEPS 32
#define PATH_STEP  96 /* bytes of the name of one */

/* One reference of a path, as it is written. */
struct path_step {
	char text[PATH_STEP];
	bool is_counted; /* an index or a key, which may differ from sample to sample */
	bool differs;	 /* it does */
	bool repeats;	 /* written once for several in a row */
};

struct path {
	enum python_root root;
	char head[160]; /* the root's name */
	struct path_step steps[PATH_STEPS];
	size_t n;
	uint32_t edges[PATH_STEPS]; /* all, those that are not written too */
	size_t n_edges;
	size_t n_shared; /* of the edges, from the root on: whose holders are the same for all samples */
	size_t n_unnamed; /* steps that no name was found for */
	uint32_t root_node;
};

/*
 * The path along @n edges from the first to the last, which leads to a sample. -E2BIG: it is too
 * long to tell; -ENOMEM.
 */
int path_make(struct search *s, enum python_root root, uint32_t root_node, const uint32_t *edges,
	      size_t n, struct path *ret);

/* Whether both are one but for indices and keys, which are marked in @p then. */
bool path_unify(const struct search *s, struct path *p, const struct path *other);

/* The node that grows, see struct python_holder; its type's name. */
uint32_t path_container(struct search *s, const struct path *p, char *to, size_t room);

/* Written out; UTF-8, cut with an ellipsis where @room ends. */
void path_write(const struct path *p, char *to, size_t room);

#endif
