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
	char container[128];
	uint32_t container_node; /* GRAPH_NONE: the root itself */
};

/*
 * The path along @n edges from the first to the last, which leads to a sample. -E2BIG: it is too
 * long to tell; -ENOMEM.
 */
int path_make(struct search *s, enum python_root root, uint32_t root_node, const uint32_t *edges,
	      size_t n, struct path *ret);

/* Whether both are one but for indices and keys, which are marked in @p then. */
bool path_unify(struct path *p, const struct path *other);

/* Written out; UTF-8, cut with an ellipsis where @room ends. */
void path_write(const struct path *p, char *to, size_t room);

#endif
