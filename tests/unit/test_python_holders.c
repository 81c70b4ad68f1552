// SPDX-License-Identifier: GPL-2.0-or-later
/* What the search for holders is made of: sets of addresses, the graph, paths. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "fixtures/python_memory.h"
#include "python/frontier.h"
#include "python/paths.h"

#define OBJECT 0x7f1200001000ull
#define BLOCK  0x7f1200002000ull

static void look(const struct frontier *f, uint64_t word, uint32_t node)
{
	const struct frontier_target *t =
		frontier_may_hold(f, word) ? frontier_look_up(f, word) : NULL;

	if (node == GRAPH_NONE) {
		assert_null(t);
		return;
	}
	assert_non_null(t);
	assert_int_equal(t->node, node);
}

static void words_refer_to_objects_at_their_start_and_into_tables(void **state)
{
	struct frontier f = { 0 };

	(void)state;
	assert_int_equal(frontier_add(&f, (struct frontier_target){ OBJECT, 0, 3 }), 0);
	assert_int_equal(frontier_add(&f, (struct frontier_target){ BLOCK, 128, 5 }), 0);
	assert_int_equal(frontier_build(&f), 0);
	look(&f, OBJECT, 3);
	look(&f, OBJECT | 1, 3); /* 3.14 */
	look(&f, OBJECT + 8, GRAPH_NONE);
	look(&f, OBJECT - 16, GRAPH_NONE);
	look(&f, BLOCK, 5);
	look(&f, BLOCK + 31, 5); /* 3.12 */
	look(&f, BLOCK + 63, 5);
	look(&f, BLOCK + 128, GRAPH_NONE);
	look(&f, BLOCK - 1, GRAPH_NONE);
	look(&f, 0, GRAPH_NONE);
	look(&f, UINT64_MAX, GRAPH_NONE);
	frontier_clear(&f);
	assert_int_equal(frontier_build(&f), 0);
	look(&f, OBJECT, GRAPH_NONE);
	assert_null(frontier_look_up(&f, OBJECT));
	frontier_done(&f);
}

static void a_set_of_many_finds_each(void **state)
{
	const uint32_t n = 20011;
	struct frontier f = { 0 };

	(void)state;
	for (uint32_t i = 0; i < n; i++)
		assert_int_equal(frontier_add(&f, (struct frontier_target){ OBJECT + i * 64ull,
									    i % 2 ? 64 : 0, i }),
				 0);
	assert_int_equal(frontier_build(&f), 0);
	for (uint32_t i = 0; i < n; i++) {
		look(&f, OBJECT + i * 64ull, i);
		look(&f, OBJECT + i * 64ull + 40, i % 2 ? i : GRAPH_NONE);
	}
	frontier_done(&f);
}

static void a_graph_is_bounded_and_joins_what_is_the_same(void **state)
{
	const struct python_slot slot = { .kind = PYTHON_SLOT_ANY };
	struct python_object_ref o = { .address = OBJECT };
	struct graph g;
	uint32_t a, b;

	(void)state;
	assert_int_equal(graph_init(&g), 0);
	assert_int_equal(graph_find(&g, OBJECT), GRAPH_NONE);
	a = graph_add_node(&g, &o, 0);
	g.nodes[a].mask = 5;
	assert_int_equal(graph_add_node(&g, &o, 3), a);
	o.address = BLOCK;
	b = graph_add_node(&g, &o, 1);
	assert_int_equal(graph_find(&g, BLOCK), b);
	assert_true(graph_add_edge(&g, b, a, &slot));
	assert_false(graph_add_edge(&g, b, a, &slot));
	assert_true(graph_add_edge(&g, a, b, &slot));
	assert_int_equal(g.nodes[b].mask, 5);
	for (uint32_t i = 2; i < GRAPH_NODES; i++) {
		o.address = BLOCK + 16ull * i;
		assert_int_equal(graph_add_node(&g, &o, 1), i);
	}
	assert_false(g.is_full);
	o.address++;
	assert_int_equal(graph_add_node(&g, &o, 1), GRAPH_NONE);
	assert_true(g.is_full);
	assert_int_equal(graph_find(&g, BLOCK + 32), 2);
	graph_done(&g);
}

/* A search with the graph of: module dict 0 -> list 1 -> instance's dict 2 -> ... -> sample. */
struct made {
	struct fake_python *python;
	struct search search;
	struct python_type list, dict, node;
	struct search_module module;
};

static uint32_t add(struct made *m, struct python_type *type, enum python_shape shape)
{
	struct python_object_ref o = { fake_object(m->python, type->address, 64), type, shape };

	return graph_add_node(&m->search.graph, &o, 1);
}

static uint32_t join(struct made *m, uint32_t parent, uint32_t child, struct python_slot slot)
{
	assert_true(graph_add_edge(&m->search.graph, parent, child, &slot));
	return m->search.graph.n_edges - 1;
}

static struct made *made_new(void)
{
	struct made *m = calloc(1, sizeof(*m));

	assert_non_null(m);
	m->python = fake_python_new(11);
	m->search.reader = m->python->reader;
	assert_int_equal(graph_init(&m->search.graph), 0);
	m->search.steps = calloc(2 * GRAPH_EDGES, sizeof(*m->search.steps));
	assert_non_null(m->search.steps);
	m->search.modules = &m->module;
	m->search.n_modules = 1;
	m->module.name = fake_str(m->python, "app");
	(void)fake_type(m->python, "list", PY_LIST_SUBCLASS, 40, &m->list);
	(void)fake_type(m->python, "dict", PY_DICT_SUBCLASS, 48, &m->dict);
	(void)fake_type(m->python, "Node", PY_HEAPTYPE, 32, &m->node);
	return m;
}

static void made_free(struct made *m)
{
	for (size_t i = 0; i < m->search.graph.n_edges * 2; i++)
		free(m->search.steps[i]);
	free(m->search.steps);
	graph_done(&m->search.graph);
	free(m->python);
	free(m);
}

static uint32_t add_module(struct made *m)
{
	uint32_t root = add(m, &m->dict, PYTHON_DICT);

	m->search.graph.nodes[root].is_root = true;
	m->search.graph.nodes[root].root = PYTHON_ROOT_MODULE;
	return root;
}

static struct python_slot key_slot(struct made *m, const char *key)
{
	return (struct python_slot){ .kind = PYTHON_SLOT_KEY, .key = fake_str(m->python, key) };
}

static void assert_path(const struct path *p, const char *expected)
{
	char text[256];

	path_write(p, text, sizeof(text));
	assert_string_equal(text, expected);
}

static void keys_are_attributes_where_a_person_writes_them_so(void **state)
{
	struct made *m = made_new();
	uint32_t root = add_module(m), node = add(m, &m->node, PYTHON_PLAIN);
	uint32_t names = add(m, &m->dict, PYTHON_DICT), table = add(m, &m->dict, PYTHON_DICT);
	uint32_t sample = add(m, &m->node, PYTHON_PLAIN);
	const uint32_t edges[] = {
		join(m, root, node, key_slot(m, "service")),
		join(m, node, names, (struct python_slot){ .kind = PYTHON_SLOT_NAMESPACE }),
		join(m, names, table, key_slot(m, "table")),
		join(m, table, sample, key_slot(m, "k4")),
	};
	struct path p;

	(void)state;
	assert_int_equal(path_make(&m->search, PYTHON_ROOT_MODULE, root, edges, 4, &p), 0);
	assert_path(&p, "app.service.table['k4']");
	assert_int_equal(path_make(&m->search, PYTHON_ROOT_MODULE, root, edges, 2, &p), 0);
	assert_path(&p, "app.service.__dict__");
	made_free(m);
}

static void indices_that_differ_are_told_once(void **state)
{
	struct made *m = made_new();
	uint32_t root = add_module(m), list = add(m, &m->list, PYTHON_LIST);
	uint32_t edges[2] = { join(m, root, list, key_slot(m, "rows")) };
	struct path p, other;

	(void)state;
	for (uint64_t i = 0; i < 3; i++) {
		uint32_t sample = add(m, &m->node, PYTHON_PLAIN);

		edges[1] = join(m, list, sample,
				(struct python_slot){ .kind = PYTHON_SLOT_INDEX, .index = 4 + i });
		assert_int_equal(
			path_make(&m->search, PYTHON_ROOT_MODULE, root, edges, 2, i ? &other : &p),
			0);
		if (i)
			assert_true(path_unify(&m->search, &p, &other));
		assert_path(&p, i ? "app.rows[…]" : "app.rows[4]");
		assert_int_equal(p.n_shared, 2);
	}
	/* Another attribute is another path. */
	list = add(m, &m->list, PYTHON_LIST);
	edges[0] = join(m, root, list, key_slot(m, "columns"));
	edges[1] = join(m, list, add(m, &m->node, PYTHON_PLAIN),
			(struct python_slot){ .kind = PYTHON_SLOT_INDEX });
	assert_int_equal(path_make(&m->search, PYTHON_ROOT_MODULE, root, edges, 2, &other), 0);
	assert_false(path_unify(&m->search, &p, &other));
	assert_path(&p, "app.rows[…]");
	made_free(m);
}

static void a_chain_is_collapsed(void **state)
{
	struct made *m = made_new();
	uint32_t root = add_module(m), at = add(m, &m->node, PYTHON_PLAIN);
	uint32_t edges[PATH_STEPS] = { join(m, root, at, key_slot(m, "head")) };
	struct path p;

	(void)state;
	for (size_t i = 1; i < PATH_STEPS; i++) {
		uint32_t next = add(m, &m->node, PYTHON_PLAIN);
		struct python_slot slot = { .kind = PYTHON_SLOT_ATTRIBUTE,
					    .key = fake_str(m->python, "next") };

		edges[i] = join(m, at, next, slot);
		at = next;
	}
	assert_int_equal(path_make(&m->search, PYTHON_ROOT_MODULE, root, edges, 2, &p), 0);
	assert_path(&p, "app.head.next");
	assert_int_equal(path_make(&m->search, PYTHON_ROOT_MODULE, root, edges, PATH_STEPS, &p), 0);
	assert_path(&p, "app.head.next…");
	made_free(m);
}

static void long_paths_are_cut_at_a_character(void **state)
{
	struct path p = { .head = "app", .n = 3 };
	char text[24];

	(void)state;
	for (size_t i = 0; i < 3; i++)
		strcpy(p.steps[i].text, ".attribute…");
	for (size_t room = 8; room <= sizeof(text); room++) {
		path_write(&p, text, room);
		assert_true(strlen(text) < room);
		assert_string_equal(text + strlen(text) - strlen("…"), "…");
		assert_true(strncmp(text, "app.attribute….attribute…",
				    strlen(text) - strlen("…")) == 0);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(words_refer_to_objects_at_their_start_and_into_tables),
		cmocka_unit_test(a_set_of_many_finds_each),
		cmocka_unit_test(a_graph_is_bounded_and_joins_what_is_the_same),
		cmocka_unit_test(keys_are_attributes_where_a_person_writes_them_so),
		cmocka_unit_test(indices_that_differ_are_told_once),
		cmocka_unit_test(a_chain_is_collapsed),
		cmocka_unit_test(long_paths_are_cut_at_a_character),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
