// SPDX-License-Identifier: GPL-2.0-or-later
/* How a person would write a path. See paths.h. */
#include "python/paths.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/utf8.h"

static const struct graph_edge *edge_at(const struct search *s, uint32_t edge)
{
	return &s->graph.edges[edge];
}

static const struct python_object_ref *parent_of(const struct search *s, uint32_t edge)
{
	return &s->graph.nodes[edge_at(s, edge)->parent].object;
}

/* Cuts a text that did not fit back to a whole character. */
static void mend(char *text)
{
	size_t n = strlen(text);

	while (n && !utf8_is_valid(text, n))
		text[--n] = '\0';
}

static void type_name(struct search *s, const struct python_object_ref *o, char *to, size_t room)
{
	if (!o->type)
		(void)snprintf(to, room, "frame");
	else if (python_sweep_type_name(s->sweep, o->type, to, room) < 0)
		(void)snprintf(to, room, "?");
}

/* The class that a class object is: its own name, not that of its type. */
static void class_name(struct search *s, uint64_t address, char *to, size_t room)
{
	const struct python_type *t = python_sweep_type(s->sweep, address);

	if (!t || python_sweep_type_name(s->sweep, t, to, room) < 0)
		(void)snprintf(to, room, "?");
}

static void name_root(struct search *s, enum python_root root, uint32_t node, char *to, size_t room)
{
	const struct graph_node *n = &s->graph.nodes[node];
	char text[128];

	to[0] = '\0';
	if (root == PYTHON_ROOT_MODULE && n->module != GRAPH_NONE) {
		if (python_read_str(s->reader.memory, s->reader.layout, s->modules[n->module].name,
				    to, room) < 0)
			(void)snprintf(to, room, "?");
	} else if (root == PYTHON_ROOT_CLASS) {
		class_name(s, n->object.address, to, room);
	} else if (n->object.shape == PYTHON_LOOP) {
		(void)snprintf(to, room, "<event loop>");
	} else if (root != PYTHON_ROOT_FRAME) {
		type_name(s, &n->object, text, sizeof(text));
		(void)snprintf(to, room, "<%s>", text);
		mend(to);
	}
}

/* An instance's, a class's or a module's dict: its keys are attributes. */
static bool is_namespace(const struct search *s, const uint32_t *edges, size_t i,
			 uint32_t root_node)
{
	const struct graph_edge *e = edge_at(s, edges[i]);

	if (e->slot.kind != PYTHON_SLOT_KEY)
		return false;
	if (i)
		return edge_at(s, edges[i - 1])->slot.kind == PYTHON_SLOT_NAMESPACE;
	return s->graph.nodes[root_node].is_root &&
	       s->graph.nodes[root_node].root == PYTHON_ROOT_MODULE;
}

/* From a task or an exception to a frame. */
static bool is_way_to_frame(const struct graph_edge *e)
{
	static const char *const texts[] = { ".gi_frame", ".coro", ".tb_frame", ".tb_next" };

	if (e->slot.kind == PYTHON_SLOT_STACK)
		return true;
	for (size_t i = 0; e->slot.kind == PYTHON_SLOT_FIXED && i < ARRAY_SIZE(texts); i++)
		if (!strcmp(e->slot.text, texts[i]))
			return true;
	return false;
}

static bool leads_to_local(const struct search *s, const uint32_t *edges, size_t i, size_t n)
{
	for (i++; i < n; i++) {
		const struct graph_edge *e = edge_at(s, edges[i]);

		if (e->slot.kind == PYTHON_SLOT_LOCAL)
			return true;
		if (!is_way_to_frame(e))
			return false;
	}
	return false;
}

/* What is written by the next step, or goes without saying. */
static bool is_silent(const struct search *s, const uint32_t *edges, size_t i, size_t n)
{
	const struct graph_edge *e = edge_at(s, edges[i]);
	enum python_shape shape = parent_of(s, edges[i])->shape;

	if (e->slot.kind == PYTHON_SLOT_NAMESPACE)
		return i + 1 < n;
	if (shape == PYTHON_CELL)
		return i && edge_at(s, edges[i - 1])->slot.kind == PYTHON_SLOT_LOCAL;
	return is_way_to_frame(e) && leads_to_local(s, edges, i, n);
}

static bool is_generator(const struct search *s, uint32_t node)
{
	return s->graph.nodes[node].object.shape == PYTHON_GENERATOR;
}

static void make_step(struct search *s, uint32_t edge, bool is_attribute, struct path_step *ret)
{
	const struct graph_edge *e = edge_at(s, edge);
	struct python_slot slot = e->slot;

	*ret = (struct path_step){ .is_counted = slot.kind == PYTHON_SLOT_INDEX };
	if (is_attribute)
		slot.kind = PYTHON_SLOT_ATTRIBUTE;
	else if (slot.kind == PYTHON_SLOT_KEY)
		ret->is_counted = true;
	if (slot.kind == PYTHON_SLOT_NAMESPACE)
		(void)snprintf(ret->text, sizeof(ret->text), ".__dict__");
	else if (slot.kind == PYTHON_SLOT_STACK && is_generator(s, e->parent) &&
		 is_generator(s, e->child))
		(void)snprintf(ret->text, sizeof(ret->text), ".cr_await");
	else
		python_slot_name(&s->reader, parent_of(s, edge), &slot, ret->text,
				 sizeof(ret->text));
}

/* Many paths have the same steps, and each takes some looks into the process. */
static const struct path_step *step_of(struct search *s, uint32_t edge, bool is_attribute)
{
	struct path_step **step = &s->steps[2 * edge + is_attribute];

	if (!*step) {
		*step = malloc(sizeof(**step));
		if (*step)
			make_step(s, edge, is_attribute, *step);
	}
	return *step;
}

static bool grows(enum python_shape shape)
{
	return shape == PYTHON_LIST || shape == PYTHON_DICT || shape == PYTHON_SET ||
	       shape == PYTHON_DEQUE || shape == PYTHON_CACHE;
}

/*
 * The last list, dict, set, deque or cache that all samples have in common: what grows, and not the tuple or
 * the task in it. A namespace is its owner's.
 */
static size_t container_edge(const struct search *s, const struct path *p)
{
	size_t at = p->n_edges - 1;

	for (size_t n = p->n_shared, pass = 0; pass < 2; n = p->n_edges, pass++)
		for (size_t i = n; i-- > 0;)
			if (grows(parent_of(s, p->edges[i])->shape) &&
			    !is_namespace(s, p->edges, i, p->root_node)) {
				at = i;
				pass = 2;
				break;
			}
	if (at && (edge_at(s, p->edges[at - 1])->slot.kind == PYTHON_SLOT_NAMESPACE ||
		   parent_of(s, p->edges[at - 1])->shape == PYTHON_CACHE))
		at--;
	return at;
}

uint32_t path_container(struct search *s, const struct path *p, char *to, size_t room)
{
	uint32_t edge = p->edges[container_edge(s, p)], node = edge_at(s, edge)->parent;
	const struct graph_node *n = &s->graph.nodes[node];

	if (n->is_root && n->root == PYTHON_ROOT_MODULE)
		(void)snprintf(to, room, "module");
	else if (n->object.shape == PYTHON_CLASS)
		(void)snprintf(to, room, "class");
	else
		type_name(s, &n->object, to, room);
	return node;
}

/* A step that repeats the last: of a list that is linked, or of tables in tables. */
static bool is_repeated(const struct path *p, const struct path_step *next, bool same_type)
{
	const struct path_step *last = p->n ? &p->steps[p->n - 1] : NULL;

	if (!last || !same_type || last->is_counted != next->is_counted)
		return false;
	return last->is_counted ? false : !strcmp(last->text, next->text);
}

int path_make(struct search *s, enum python_root root, uint32_t root_node, const uint32_t *edges,
	      size_t n, struct path *ret)
{
	uint64_t last_type = 0;

	memset(ret, 0, sizeof(*ret));
	ret->root = root;
	ret->root_node = root_node;
	ret->n_edges = ret->n_shared = n;
	memcpy(ret->edges, edges, n * sizeof(*edges));
	name_root(s, root, root_node, ret->head, sizeof(ret->head));
	for (size_t i = 0; i < n; i++) {
		const struct python_object_ref *parent = parent_of(s, edges[i]);
		uint64_t type = parent->type ? parent->type->address : 0;
		const struct path_step *step;

		if (is_silent(s, edges, i, n))
			continue;
		/* The owner of a namespace is what repeats, not its dict. */
		if (i && edge_at(s, edges[i - 1])->slot.kind == PYTHON_SLOT_NAMESPACE &&
		    parent_of(s, edges[i - 1])->type)
			type = parent_of(s, edges[i - 1])->type->address;
		step = step_of(s, edges[i], is_namespace(s, edges, i, root_node));
		if (!step)
			return -ENOMEM;
		if (is_repeated(ret, step, type == last_type)) {
			ret->steps[ret->n - 1].repeats = true;
			continue;
		}
		if (ret->n == PATH_STEPS)
			return -E2BIG;
		ret->steps[ret->n++] = *step;
		ret->n_unnamed += edge_at(s, edges[i])->slot.kind == PYTHON_SLOT_WORD ||
				  edge_at(s, edges[i])->slot.kind == PYTHON_SLOT_STACK;
		last_type = type;
	}
	return 0;
}

bool path_unify(const struct search *s, struct path *p, const struct path *other)
{
	size_t shared = 0;

	if (p->root != other->root || p->n != other->n || strcmp(p->head, other->head) != 0)
		return false;
	for (size_t i = 0; i < p->n; i++) {
		const struct path_step *a = &p->steps[i], *b = &other->steps[i];

		if (a->is_counted != b->is_counted ||
		    (!a->is_counted && strcmp(a->text, b->text) != 0))
			return false;
	}
	for (size_t i = 0; i < p->n; i++) {
		if (strcmp(p->steps[i].text, other->steps[i].text) != 0)
			p->steps[i].differs = true;
		if (other->steps[i].repeats)
			p->steps[i].repeats = true;
	}
	while (shared < p->n_shared && shared < other->n_edges &&
	       edge_at(s, p->edges[shared])->parent == edge_at(s, other->edges[shared])->parent)
		shared++;
	p->n_shared = shared;
	return true;
}

void path_write(const struct path *p, char *to, size_t room)
{
	static const char cut[] = "…";
	size_t at = (size_t)snprintf(to, room, "%s", p->head);

	for (size_t i = 0; i < p->n && at < room; i++) {
		const struct path_step *step = &p->steps[i];
		const char *text = step->differs ? "[…]" : step->text;

		/* A path that begins with a local has no root before its dot. */
		if (!i && !p->head[0] && text[0] == '.')
			text++;
		at += (size_t)snprintf(to + at, room - at, "%s%s", text, step->repeats ? "…" : "");
	}
	if (at >= room && room > sizeof(cut)) {
		to[room - sizeof(cut)] = '\0';
		mend(to);
		memcpy(to + strlen(to), cut, sizeof(cut));
	}
}
