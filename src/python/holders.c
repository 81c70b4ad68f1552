// SPDX-License-Identifier: GPL-2.0-or-later
/* A search, then the paths that it found, the best first. See holders.h. */
#include "python/holders.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "python/paths.h"

#define DEFAULT_DEADLINE_NS (10 * NS_PER_SECOND)
#define PATTERNS	    256
/* Searches, while what is found in one of them has changed before its end. */
#define TRIES		    3

/* Paths that are one but for indices and keys. */
struct pattern {
	struct path path;
	uint32_t container; /* node; when all are there */
	uint64_t mask;	    /* of samples */
};

struct telling {
	struct search *s;
	struct pattern *patterns; /* owned; PATTERNS of them */
	size_t n;
	uint32_t *via;	 /* owned; by node: the edge by which the root reaches it */
	uint32_t *queue; /* owned; nodes */
	uint64_t told;	 /* mask of samples in patterns */
};

static void telling_done(struct telling *t)
{
	free(t->patterns);
	free(t->via);
	free(t->queue);
}

static int telling_init(struct telling *t, struct search *s)
{
	*t = (struct telling){ .s = s };
	t->patterns = calloc(PATTERNS, sizeof(*t->patterns));
	t->via = calloc(GRAPH_NODES, sizeof(*t->via));
	t->queue = calloc(GRAPH_NODES, sizeof(*t->queue));
	return t->patterns && t->via && t->queue ? 0 : -ENOMEM;
}

static bool lives(const struct python_memory *m, const struct python_sample *sample)
{
	uint64_t head[2];

	return python_read(m, sample->object, head, sizeof(head)) == 0 &&
	       head[PY_OB_TYPE / 8] == sample->type && (uint32_t)head[0];
}

static void add_pattern(struct telling *t, const struct path *path, uint64_t sample)
{
	for (size_t i = 0; i < t->n; i++)
		if (path_unify(t->s, &t->patterns[i].path, path)) {
			t->patterns[i].mask |= sample;
			t->told |= sample;
			return;
		}
	if (t->n == PATTERNS)
		return;
	t->patterns[t->n++] = (struct pattern){ .path = *path, .mask = sample };
	t->told |= sample;
}

/* The edges from the root to the end of @last, by which the search came there; how many, 0: too many. */
static size_t edges_by(const struct telling *t, uint32_t root, uint32_t last,
		       uint32_t edges[PATH_STEPS])
{
	const struct graph_edge *all = t->s->graph.edges;
	size_t n = 0;

	edges[n++] = last;
	for (uint32_t at = all[last].parent; at != root; n++) {
		if (n == PATH_STEPS)
			return 0;
		edges[n] = t->via[at];
		at = all[t->via[at]].parent;
	}
	for (size_t i = 0; i < n / 2; i++) {
		uint32_t swap = edges[i];

		edges[i] = edges[n - 1 - i];
		edges[n - 1 - i] = swap;
	}
	return n;
}

static void tell_sample(struct telling *t, enum python_root kind, uint32_t root, uint32_t last)
{
	uint32_t edges[PATH_STEPS];
	struct path path;
	size_t n = edges_by(t, root, last, edges);

	if (n && path_make(t->s, kind, root, edges, n, &path) == 0)
		add_pattern(t, &path, 1ull << t->s->graph.edges[last].child);
}

/* A coroutine is a root by its locals alone, an event loop by all that it has. */
static bool is_frame_root(const struct graph *g, uint32_t edge)
{
	return g->edges[edge].slot.kind == PYTHON_SLOT_LOCAL ||
	       g->nodes[g->edges[edge].parent].object.shape == PYTHON_LOOP;
}

/*
 * Shortest paths from a root to samples, which are the first nodes; by each of its holders, where a sample has
 * several. What is a root itself is told from there; what no root holds may lead back to itself.
 */
static void tell_root(struct telling *t, enum python_root kind, uint32_t root, size_t samples)
{
	const struct graph *g = &t->s->graph;
	size_t head = 0, tail = 0;

	memset(t->via, 0xff, g->n_nodes * sizeof(*t->via));
	t->queue[tail++] = root;
	while (head < tail) {
		uint32_t node = t->queue[head++];

		for (uint32_t e = g->nodes[node].first_edge; e != GRAPH_NONE;
		     e = g->edges[e].next_edge) {
			uint32_t child = g->edges[e].child;
			bool is_new = t->via[child] == GRAPH_NONE;

			if (g->nodes[child].is_root ||
			    (kind < PYTHON_ROOT_UNKNOWN && child == root) ||
			    (kind == PYTHON_ROOT_FRAME && node == root && !is_frame_root(g, e)))
				continue;
			if (is_new && child != root)
				t->queue[tail++] = child;
			/* By way of another sample only if by nothing else. */
			if (child < samples && (t->s->samples >> child & 1) &&
			    (is_new || node >= samples))
				tell_sample(t, kind, root, e);
			if (is_new)
				t->via[child] = e;
		}
	}
}

static bool has_frame_root(const struct graph *g, const struct graph_node *n)
{
	for (uint32_t e = n->first_edge; e != GRAPH_NONE; e = g->edges[e].next_edge)
		if (is_frame_root(g, e))
			return true;
	return false;
}

/*
 * The node that is furthest up from a sample that no root was found for, each time by what was found first.
 */
static uint32_t top_of(struct telling *t, uint32_t node)
{
	const struct graph *g = &t->s->graph;

	memset(t->via, 0, g->n_nodes * sizeof(*t->via));
	while (g->nodes[node].first_holder != GRAPH_NONE && !t->via[node]) {
		uint32_t first = g->nodes[node].first_holder;

		t->via[node] = 1;
		while (g->edges[first].next_holder != GRAPH_NONE)
			first = g->edges[first].next_holder;
		node = g->edges[first].parent;
	}
	return node;
}

/* Whether every reference to what leads to the samples comes from there: nobody else holds them. */
static bool is_island(struct telling *t, uint64_t mask)
{
	const struct graph *g = &t->s->graph;

	if (!t->s->is_exhausted)
		return false;
	for (uint32_t i = 0; i < g->n_nodes; i++) {
		uint64_t count;

		if (!(g->nodes[i].mask & mask))
			continue;
		if (python_read_u64(t->s->reader.memory, g->nodes[i].object.address, &count) < 0 ||
		    (uint32_t)count > g->nodes[i].found)
			return false;
	}
	return true;
}

static void tell_rest(struct telling *t, size_t samples)
{
	uint64_t rest = t->s->samples & ~t->told;
	enum python_root kind = is_island(t, rest) ? PYTHON_ROOT_CYCLE : PYTHON_ROOT_UNKNOWN;

	while (rest) {
		uint32_t sample = (uint32_t)__builtin_ctzll(rest), top = top_of(t, sample);

		if (t->s->graph.nodes[sample].first_holder != GRAPH_NONE)
			tell_root(t, kind, top, samples);
		rest &= ~(1ull << sample) & ~t->told;
	}
}

/* Of a root that lasts, of more samples, shorter. A third of the samples in a module outdo all in a frame. */
static double worth(const struct pattern *p)
{
	static const double weights[] = {
		[PYTHON_ROOT_MODULE] = 1,   [PYTHON_ROOT_CLASS] = 1,
		[PYTHON_ROOT_FRAME] = 0.33, [PYTHON_ROOT_UNKNOWN] = 0.03,
		[PYTHON_ROOT_CYCLE] = 0.03,
	};

	return (double)__builtin_popcountll(p->mask) * weights[p->path.root] -
	       0.001 * (double)(p->path.n + 4 * p->path.n_unnamed) -
	       (p->path.n_shared > 1 ? 0 : 0.01);
}

static int by_worth(const void *a, const void *b)
{
	const struct pattern *p = a, *q = b;
	double x = worth(p), y = worth(q);

	if (x != y)
		return x > y ? -1 : 1;
	/* The same each time. */
	if (strcmp(p->path.head, q->path.head) != 0)
		return strcmp(p->path.head, q->path.head);
	return strcmp(p->path.steps[0].text, q->path.steps[0].text);
}

/* What says less than one that was told: other ways to the same container, and mere frames on the way to it. */
static bool is_told(const struct telling *t, size_t i)
{
	const struct pattern *p = &t->patterns[i];

	for (size_t k = 0; k < i; k++) {
		const struct pattern *better = &t->patterns[k];

		if (better->container == p->container)
			return true;
		if (!(p->mask & ~better->mask) && p->path.root >= PYTHON_ROOT_FRAME &&
		    better->path.root <= p->path.root)
			return true;
	}
	return false;
}

static void tell(struct telling *t, size_t samples, struct python_holders *ret)
{
	const struct graph *g = &t->s->graph;
	char container[sizeof(ret->list[0].container)];
	uint64_t lasting; /* of samples that modules and classes hold */

	for (uint32_t i = 0; i < g->n_nodes; i++)
		if (g->nodes[i].is_root && g->nodes[i].root != PYTHON_ROOT_FRAME)
			tell_root(t, g->nodes[i].root, i, samples);
	lasting = t->told;
	for (uint32_t i = 0; i < g->n_nodes; i++)
		if ((t->s->samples & ~lasting) && has_frame_root(g, &g->nodes[i]))
			tell_root(t, PYTHON_ROOT_FRAME, i, samples);
	tell_rest(t, samples);
	for (size_t i = 0; i < t->n; i++)
		t->patterns[i].container =
			path_container(t->s, &t->patterns[i].path, container, sizeof(container));
	if (t->n)
		qsort(t->patterns, t->n, sizeof(*t->patterns), by_worth);
	for (size_t i = 0; i < t->n && ret->n < PYTHON_HOLDERS; i++) {
		struct python_holder *h = &ret->list[ret->n];

		if (is_told(t, i))
			continue;
		path_write(&t->patterns[i].path, h->path, sizeof(h->path));
		(void)path_container(t->s, &t->patterns[i].path, h->container,
				     sizeof(h->container));
		h->root = t->patterns[i].path.root;
		h->samples = (unsigned int)__builtin_popcountll(t->patterns[i].mask);
		ret->n++;
	}
}

/* Samples that still live become the first nodes, by number. */
static size_t add_samples(struct search *s, const struct python_sample *samples, size_t n)
{
	size_t taken = 0;

	for (size_t i = 0; i < n && taken < PYTHON_SAMPLES; i++) {
		struct python_object_ref o = { .address = samples[i].object };

		if (!lives(s->reader.memory, &samples[i]) ||
		    graph_find(&s->graph, o.address) != GRAPH_NONE)
			continue;
		o.type = python_sweep_type(s->sweep, samples[i].type);
		if (!o.type)
			continue;
		o.shape = search_shape(s, o.type);
		s->graph.nodes[graph_add_node(&s->graph, &o, 0)].mask = 1ull << taken;
		s->samples |= 1ull << taken++;
	}
	return taken;
}

/* Those that ended while their holders were looked for count no more. */
static void drop_dead(struct search *s, size_t n)
{
	for (uint32_t i = 0; i < n; i++) {
		const struct python_object_ref *o = &s->graph.nodes[i].object;
		struct python_sample sample = { o->address, o->type->address };

		if (!lives(s->reader.memory, &sample))
			s->samples &= ~(1ull << i);
	}
}

/* 1: it is told, but some of what was found on the way is not so any more. */
static int find(struct search *s, const struct python_sample *samples, size_t n,
		struct python_holders *ret)
{
	size_t taken = add_samples(s, samples, n);
	struct telling t;
	int r = 0, forgotten;

	if (taken)
		r = search_run(s);
	if (r < 0 && r != -ETIMEDOUT)
		return r;
	forgotten = search_confirm(s);
	if (forgotten < 0 && forgotten != -ETIMEDOUT)
		return forgotten;
	drop_dead(s, taken);
	ret->samples = (unsigned int)__builtin_popcountll(s->samples);
	r = telling_init(&t, s);
	if (r >= 0)
		tell(&t, taken, ret);
	telling_done(&t);
	return r < 0 ? r : forgotten > 0;
}

static bool is_known(const struct python_holders *h)
{
	return h->n && h->list[0].root < PYTHON_ROOT_UNKNOWN;
}

int python_holders_find(const struct python_interpreter *i, const struct python_sample *samples,
			size_t n, uint64_t deadline_ns, struct python_holders *ret,
			const char **ret_why)
{
	uint64_t cpu = clock_ns(CLOCK_THREAD_CPUTIME_ID), now = clock_ns(CLOCK_MONOTONIC);
	uint64_t until = now + (deadline_ns ? deadline_ns : DEFAULT_DEADLINE_NS);
	struct python_holders found = { 0 };
	bool has_answer = false;
	int r = 1;

	for (int tries = 0; tries < TRIES && r > 0 && !is_known(&found); tries++) {
		struct python_holders again = { 0 };
		struct search s;

		r = search_init(&s, i, until, ret_why);
		if (r < 0)
			break;
		r = find(&s, samples, n, &again);
		search_done(&s);
		if (r < 0)
			break;
		/* With what little time was left less may have been found. */
		if (!has_answer || is_known(&again) || again.n > found.n)
			found = again;
		has_answer = true;
	}
	if (!has_answer)
		return r;
	found.cpu_ns = clock_ns(CLOCK_THREAD_CPUTIME_ID) - cpu;
	*ret = found;
	return 0;
}
