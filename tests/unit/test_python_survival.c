// SPDX-License-Identifier: GPL-2.0-or-later
/* What is left of constructions that were seen, by line; and which functions see constructions. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "fixtures/python_memory.h"
#include "python/constructors.h"
#include "python/survival.h"

#define RECORDS	   2048
#define ADDRESS(i) (0x7f0000000000ull + 64 * (uint64_t)(i))

struct seen {
	struct survival_record records[RECORDS];
	size_t n;
	struct python_object end[RECORDS], later[RECORDS];
	struct python_objects at_end, at_last;
	struct survival_line lines[4];
};

static struct seen *seen_new(void)
{
	struct seen *s = calloc(1, sizeof(*s));

	if (!s)
		abort();
	s->at_end = (struct python_objects){ .list = s->end, .threshold = UINT64_MAX };
	s->at_last = (struct python_objects){ .list = s->later, .threshold = UINT64_MAX };
	return s;
}

static void put(struct python_objects *to, uint64_t address, uint64_t identity)
{
	to->list[to->n++] = (struct python_object){ address, identity };
	to->count++;
}

/* A construction at the @i-th address: whether it is there at the end of the burst, and later. */
static void make(struct seen *s, size_t i, size_t line, bool at_end, bool later)
{
	s->records[s->n++] = (struct survival_record){ .object = ADDRESS(i), .line = line };
	if (at_end)
		put(&s->at_end, ADDRESS(i), 0);
	if (later)
		put(&s->at_last, ADDRESS(i), 0);
}

/* @n constructions in a line, of which @left stay. */
static void make_many(struct seen *s, size_t line, size_t n, size_t left)
{
	for (size_t i = 0; i < n; i++)
		make(s, s->n, line, i < left, i < left);
}

static bool count(struct seen *s, size_t n_lines)
{
	survival_end(s->records, s->n, &s->at_end);
	return survival_count(s->records, s->n, &s->at_end, &s->at_last, s->lines, n_lines);
}

static void a_line_whose_objects_stay_is_told_from_one_whose_go(void **state)
{
	struct seen *s = seen_new();

	(void)state;
	make_many(s, 0, 300, 4);
	make_many(s, 1, 300, 300);
	make_many(s, 2, 300, 15);
	assert_true(count(s, 3));
	assert_int_equal(s->lines[0].index, 1);
	assert_int_equal(s->lines[0].sampled, 300);
	assert_int_equal(s->lines[0].survivors, 300);
	assert_true(s->lines[0].is_leaking);
	assert_false(s->lines[1].is_leaking);
	assert_false(s->lines[2].is_leaking);
	free(s);
}

static void the_share_counts_and_not_the_number(void **state)
{
	struct seen *s = seen_new();

	(void)state;
	make_many(s, 0, 1500, 90);
	make_many(s, 1, 40, 40);
	assert_true(count(s, 2));
	assert_int_equal(s->lines[0].index, 1);
	assert_true(s->lines[0].is_leaking);
	assert_false(s->lines[1].is_leaking);
	free(s);
}

static void several_lines_may_leak(void **state)
{
	struct seen *s = seen_new();

	(void)state;
	make_many(s, 0, 200, 200);
	make_many(s, 1, 200, 0);
	make_many(s, 2, 100, 100);
	assert_true(count(s, 3));
	assert_int_equal(s->lines[0].index, 0);
	assert_int_equal(s->lines[1].index, 2);
	assert_true(s->lines[0].is_leaking && s->lines[1].is_leaking);
	assert_false(s->lines[2].is_leaking);
	free(s);
}

/* (Objects of both may just live longer than was waited.) */
static void lines_that_are_alike_are_not_told_apart(void **state)
{
	struct seen *s = seen_new();

	(void)state;
	make_many(s, 0, 200, 200);
	make_many(s, 1, 200, 190);
	assert_false(count(s, 2));
	assert_false(s->lines[0].is_leaking || s->lines[1].is_leaking);
	free(s);
}

static void a_line_alone_leaks_if_most_of_its_objects_stay(void **state)
{
	struct seen *s = seen_new();

	(void)state;
	make_many(s, 0, 100, 100);
	assert_true(count(s, 1));
	s->n = s->at_end.n = s->at_last.n = 0;
	make_many(s, 0, 100, 30);
	assert_false(count(s, 1));
	/* Too few to say anything. */
	s->n = s->at_end.n = s->at_last.n = 0;
	make_many(s, 0, 7, 7);
	assert_false(count(s, 1));
	free(s);
}

static void of_an_address_only_the_latest_owner_can_be_left(void **state)
{
	struct seen *s = seen_new();

	(void)state;
	for (size_t i = 0; i < 100; i++) {
		make(s, i % 10, 0, false, false);
		make(s, 500 + i, 1, true, true);
	}
	/* Who had the ten addresses last, in the other line. */
	for (size_t i = 0; i < 10; i++)
		s->records[s->n++] =
			(struct survival_record){ .object = ADDRESS(500 + i), .line = 0 };
	assert_true(count(s, 2));
	assert_int_equal(s->lines[0].index, 1);
	assert_int_equal(s->lines[0].sampled, 100);
	assert_int_equal(s->lines[0].survivors, 90);
	assert_int_equal(s->lines[1].sampled, 110);
	assert_int_equal(s->lines[1].survivors, 10);
	free(s);
}

static void another_task_at_the_address_is_none_of_them(void **state)
{
	struct seen *s = seen_new();

	(void)state;
	for (size_t i = 0; i < 100; i++) {
		s->records[s->n++] =
			(struct survival_record){ .object = ADDRESS(i), .line = i % 2 };
		put(&s->at_end, ADDRESS(i), 1000 + i);
		/* Those of line 0 were freed, and their places taken. */
		put(&s->at_last, ADDRESS(i), i % 2 ? 1000 + i : 5000 + i);
	}
	assert_true(count(s, 2));
	assert_int_equal(s->lines[0].index, 1);
	assert_int_equal(s->lines[0].survivors, 50);
	assert_int_equal(s->lines[1].survivors, 0);
	assert_int_equal(s->lines[1].sampled, 50);
	free(s);
}

static void what_could_not_be_listed_does_not_count(void **state)
{
	struct seen *s = seen_new();
	size_t expected = 0;

	(void)state;
	s->at_last.threshold = UINT64_MAX / 4;
	for (size_t i = 0; i < 1000; i++) {
		bool is_listed = python_object_hash(ADDRESS(i)) <= s->at_last.threshold;

		make(s, i, 0, true, is_listed);
		expected += is_listed;
	}
	assert_in_range(expected, 200, 300);
	assert_true(count(s, 1));
	assert_int_equal(s->lines[0].sampled, expected);
	assert_int_equal(s->lines[0].survivors, expected);
	free(s);
}

static void numbers_tell_how_many_were_not_seen(void **state)
{
	struct seen *s = seen_new();

	(void)state;
	for (size_t i = 0; i < 301; i++) {
		s->records[s->n++] = (struct survival_record){ .object = ADDRESS(i) };
		/* Some have died since; of four that were made three were seen. */
		if (i % 3 == 0)
			put(&s->at_end, ADDRESS(i), 10000 + i / 3 * 4);
	}
	survival_end(s->records, s->n, &s->at_end);
	assert_float_equal(survival_seen_by_numbers(s->records, s->n), 0.75, 1e-9);
	assert_float_equal(survival_seen_by_numbers(s->records, 20), 0, 0);
	free(s);
}

static void objects_that_came_tell_it_too(void **state)
{
	struct seen *s = seen_new();
	struct python_object old[] = { { ADDRESS(0), 0 }, { ADDRESS(1), 0 } };
	const struct python_objects before = { .list = old, .n = 2, .threshold = UINT64_MAX };

	(void)state;
	for (size_t i = 0; i < 402; i++)
		put(&s->at_end, ADDRESS(i), 0);
	/* 400 came, half of them during the burst; 150 of those were seen. */
	for (size_t i = 0; i < 150; i++)
		s->records[s->n++] = (struct survival_record){ .object = ADDRESS(50 + i) };
	survival_end(s->records, s->n, &s->at_end);
	assert_float_equal(survival_seen_by_objects(s->records, s->n, &before, &s->at_end, 0.5),
			   0.75, 1e-9);
	assert_float_equal(survival_seen_by_objects(s->records, s->n, &before, &s->at_end, 0.01), 0,
			   0);
	free(s);
}

/* Of 8 in 10, z = 2: middle (0.8 + 0.2) / 1.4, half 2 * sqrt(0.016 + 0.01) / 1.4. */
static void an_interval_is_wilsons(void **state)
{
	double low, high;

	(void)state;
	survival_interval(8, 10, &low, &high);
	assert_float_equal(low, 0.483934, 1e-5);
	assert_float_equal(high, 0.944637, 1e-5);
	survival_interval(0, 0, &low, &high);
	assert_float_equal(low, 0, 0);
	assert_float_equal(high, 1, 0);
	survival_interval(5, 5, &low, &high);
	assert_float_equal(high, 1, 1e-9);
}

/* --- constructors ---------------------------------------------------------------------------------- */

static const uint8_t cheap[] = { 0xf3, 0x0f, 0x1e, 0xfa, 0x55, 0x48, 0x89, 0xe5, 0x5d, 0xc3 };

struct slots {
	struct fake_python *f;
	struct python_interpreter i;
	uint64_t object, dict;
	uint64_t generic_alloc, inner_alloc, object_new, object_init, gc_new;
};

/* endbr64, then a push: the probe belongs to the push. */
static uint64_t function(struct fake_python *f)
{
	uint64_t address = fake_alloc(f, 256);

	for (size_t i = 0; i < 256; i++)
		fake_put(f, address + i, "\xc3", 1);
	fake_put(f, address, cheap, sizeof(cheap));
	return address;
}

static void set_slots(struct slots *s, uint64_t type, uint64_t init, uint64_t new, uint64_t alloc)
{
	fake_word(s->f, type + PY_TP_INIT, init);
	fake_word(s->f, type + PY_TP_NEW, new);
	fake_word(s->f, type + PY_TP_ALLOC, alloc);
	fake_word(s->f, type + PY_TP_BASE, s->object);
}

static void slots_init(struct slots *s)
{
	uint64_t type;

	s->f = fake_python_new(13);
	s->generic_alloc = function(s->f);
	s->inner_alloc = function(s->f);
	s->object_new = function(s->f);
	s->object_init = function(s->f);
	s->gc_new = function(s->f);
	s->object = fake_type(s->f, "object", 0, 16, NULL);
	set_slots(s, s->object, s->object_init, s->object_new, s->generic_alloc);
	type = fake_type(s->f, "type", PY_TYPE_SUBCLASS, 880, NULL);
	fake_word(s->f, type + PY_TP_BASE, s->object);
	s->dict = fake_type(s->f, "dict", PY_DICT_SUBCLASS | PY_HAVE_GC, 48, NULL);
	set_slots(s, s->dict, function(s->f), function(s->f), s->inner_alloc);
	s->i = (struct python_interpreter){
		.memory = s->f->memory,
		.type_type = type,
		.dict_type = s->dict,
		.gc_new = s->gc_new,
	};
}

static void expect(const struct python_constructors *c, size_t i, uint64_t slot,
		   enum python_constructor_shape shape)
{
	assert_true(i < c->n);
	assert_int_equal(c->list[i].address, slot + 4);
	assert_int_equal(c->list[i].shape, shape);
	assert_true(c->list[i].is_emulated);
}

static void a_type_of_c_has_its_own_functions(void **state)
{
	struct python_constructors c;
	struct slots s;
	uint64_t task, init;

	(void)state;
	slots_init(&s);
	init = function(s.f);
	task = fake_type(s.f, "_asyncio.Task", PY_HAVE_GC, 216, NULL);
	set_slots(&s, task, init, s.object_new, s.generic_alloc);
	assert_int_equal(python_constructors_find(&s.i, task, &c), 0);
	assert_int_equal(c.n, 4);
	expect(&c, 0, init, PYTHON_TAKES_OBJECT);
	expect(&c, 1, s.generic_alloc, PYTHON_TAKES_TYPE);
	expect(&c, 2, s.inner_alloc, PYTHON_TAKES_TYPE);
	expect(&c, 3, s.gc_new, PYTHON_TAKES_TYPE);
	free(s.f);
}

/* In a function, behind its push. */
static void call(struct fake_python *f, uint64_t from, uint64_t to)
{
	int32_t distance = (int32_t)(to - (from + 5 + 5));

	fake_put(f, from + 5, "\xe8", 1);
	fake_put(f, from + 6, &distance, sizeof(distance));
}

static void a_class_without_init_is_seen_by_its_allocator(void **state)
{
	struct python_constructors c;
	struct slots s;
	uint64_t plain, inner, generic;

	(void)state;
	slots_init(&s);
	plain = fake_type(s.f, "Plain", PY_HAVE_GC | PY_HEAPTYPE, 48, NULL);
	set_slots(&s, plain, s.object_init, s.object_new, s.generic_alloc);
	assert_int_equal(python_constructors_find(&s.i, plain, &c), 0);
	assert_int_equal(c.n, 3);
	expect(&c, 0, s.generic_alloc, PYTHON_TAKES_TYPE);
	/* By a function without a name that one with a name calls, and by what that calls. */
	s.i.new_managed = function(s.f);
	inner = function(s.f);
	generic = function(s.f);
	call(s.f, s.i.new_managed, generic);
	call(s.f, generic, inner);
	assert_int_equal(python_constructors_find(&s.i, plain, &c), 0);
	assert_int_equal(c.n, 5);
	expect(&c, 0, inner, PYTHON_TAKES_TYPE);
	expect(&c, 1, generic, PYTHON_TAKES_TYPE);
	expect(&c, 2, s.generic_alloc, PYTHON_TAKES_TYPE);
	free(s.f);
}

static void what_cannot_be_called_is_made_by_the_collectors_allocator(void **state)
{
	struct python_constructors c;
	struct slots s;
	uint64_t coroutine;

	(void)state;
	slots_init(&s);
	coroutine = fake_type(s.f, "coroutine", PY_HAVE_GC, 80, NULL);
	set_slots(&s, coroutine, s.object_init, 0, s.generic_alloc);
	assert_int_equal(python_constructors_find(&s.i, coroutine, &c), 0);
	assert_int_equal(c.n, 1);
	expect(&c, 0, s.gc_new, PYTHON_TAKES_TYPE);
	/* Of a size of its own each, by a function that this interpreter was not found to have. */
	fake_word(s.f, coroutine + PY_TP_ITEMSIZE, 8);
	assert_int_equal(python_constructors_find(&s.i, coroutine, &c), 0);
	assert_int_equal(c.n, 0);
	free(s.f);
}

static void functions_come_from_a_function_of_their_own(void **state)
{
	struct python_constructors c;
	struct slots s;
	uint64_t type;

	(void)state;
	slots_init(&s);
	type = fake_type(s.f, "function", PY_HAVE_GC, 144, NULL);
	set_slots(&s, type, s.object_init, 0, s.generic_alloc);
	s.i.function_type = type;
	s.i.function_new[0] = function(s.f);
	s.i.function_new[1] = function(s.f);
	assert_int_equal(python_constructors_find(&s.i, type, &c), 0);
	assert_int_equal(c.n, 3);
	expect(&c, 0, s.i.function_new[0], PYTHON_RETURNS);
	expect(&c, 1, s.i.function_new[1], PYTHON_RETURNS);
	expect(&c, 2, s.gc_new, PYTHON_TAKES_TYPE);
	free(s.f);
}

static void slots_that_lead_nowhere_are_left_out(void **state)
{
	struct python_constructors c;
	struct slots s;
	uint64_t bad;

	(void)state;
	slots_init(&s);
	bad = fake_type(s.f, "Bad", 0, 48, NULL);
	set_slots(&s, bad, 0xdead, UINT64_MAX - 3, s.generic_alloc);
	assert_int_equal(python_constructors_find(&s.i, bad, &c), 0);
	assert_int_equal(c.n, 1);
	expect(&c, 0, s.generic_alloc, PYTHON_TAKES_TYPE);
	assert_int_equal(python_constructors_find(&s.i, 0x10, &c), -EFAULT);
	assert_int_equal(python_constructors_find(&s.i, bad + 1, &c), -EFAULT);
	/* Not a type that is ready. */
	assert_int_equal(python_constructors_find(&s.i, fake_object(s.f, 0, PY_TYPE_BYTES), &c),
			 -EFAULT);
	free(s.f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_line_whose_objects_stay_is_told_from_one_whose_go),
		cmocka_unit_test(the_share_counts_and_not_the_number),
		cmocka_unit_test(several_lines_may_leak),
		cmocka_unit_test(lines_that_are_alike_are_not_told_apart),
		cmocka_unit_test(a_line_alone_leaks_if_most_of_its_objects_stay),
		cmocka_unit_test(of_an_address_only_the_latest_owner_can_be_left),
		cmocka_unit_test(another_task_at_the_address_is_none_of_them),
		cmocka_unit_test(what_could_not_be_listed_does_not_count),
		cmocka_unit_test(numbers_tell_how_many_were_not_seen),
		cmocka_unit_test(objects_that_came_tell_it_too),
		cmocka_unit_test(an_interval_is_wilsons),
		cmocka_unit_test(a_type_of_c_has_its_own_functions),
		cmocka_unit_test(a_class_without_init_is_seen_by_its_allocator),
		cmocka_unit_test(what_cannot_be_called_is_made_by_the_collectors_allocator),
		cmocka_unit_test(functions_come_from_a_function_of_their_own),
		cmocka_unit_test(slots_that_lead_nowhere_are_left_out),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
