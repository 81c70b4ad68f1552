// SPDX-License-Identifier: GPL-2.0-or-later
/* What a census counts by, on memory made by hand: kinds, names of types, numbers of tasks; and mappings. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "fake_proc.h"
#include "fixtures/python_heap.h"
#include "python/kinds.h"
#include "python/tasks.h"

static struct python_type types[3] = { { .address = 4096 },
				       { .address = 8192 },
				       { .address = 12288 } };

static void count(struct kinds *k, const struct python_type *t, uint64_t code, bool done,
		  uint64_t bytes)
{
	struct kind *kind = kinds_get(k, t, code, done);

	kind->count++;
	kind->bytes += bytes;
}

static void test_kinds(void **state)
{
	_cleanup_(kinds_freep) struct kinds *k = kinds_new();
	const struct kind *list;

	(void)state;
	count(k, &types[0], 0, false, 100);
	count(k, &types[1], 7, true, 300);
	count(k, &types[1], 7, false, 200);
	count(k, &types[1], 7, true, 300);
	count(k, &types[2], 0, false, 10);
	kinds_get(k, &types[0], 0, false)->cached += 5;
	assert_int_equal(kinds_sort(k, 3, &list), 4);
	assert_ptr_equal(list[0].type, &types[1]);
	assert_true(list[0].done && list[0].count == 2 && list[0].bytes == 600);
	assert_true(!list[1].done && list[1].bytes == 200);
	assert_true(list[2].type == &types[0] && list[2].cached == 5);
	/* What is left goes together. */
	assert_null(list[3].type);
	assert_true(list[3].count == 1 && list[3].bytes == 10);
}

/* A heap may tell of any number of codes. */
static void test_kinds_are_bounded(void **state)
{
	_cleanup_(kinds_freep) struct kinds *k = kinds_new();
	const struct kind *list;
	uint64_t objects = 0;
	size_t n;

	(void)state;
	for (uint64_t i = 0; i < KINDS_MAX + 1009; i++)
		count(k, &types[i % 2], 16 * (i + 1), false, 1 + i % 3);
	n = kinds_sort(k, 2 * KINDS_MAX, &list);
	assert_int_equal(n, KINDS_MAX + 1);
	assert_null(list[n - 1].type);
	assert_int_equal(list[n - 1].count, 1009);
	for (size_t i = 0; i < n; i++)
		objects += list[i].count;
	assert_int_equal(objects, KINDS_MAX + 1009);
}

/* An ASCII str of 3.11. */
static uint64_t add_str(struct heap *h, uint64_t at, const char *text)
{
	heap_put(h, at, 1);
	heap_put(h, at + 8, heap_type(HEAP_STR));
	heap_put(h, at + 16, strlen(text));
	heap_put32(h, at + 32, 1u << 2 | 1u << 5 | 1u << 6);
	memcpy(heap_at(h, at + 48), text, strlen(text) + 1);
	return at;
}

static struct python_sweep *new_sweep(struct heap *h)
{
	struct python_sweep *s = NULL;
	const char *why = NULL;

	heap_add_pool(h, 0, 32, 1);
	heap_add_object(h, heap_block(0, 32, 0), HEAP_FLOAT);
	assert_int_equal(heap_sweep(h, 0, &s, &why), 0);
	return s;
}

static const char *name_of(struct python_sweep *s, int number, char *to, size_t room)
{
	const struct python_type *t = python_sweep_type(s, heap_type(number));

	assert_non_null(t);
	assert_int_equal(python_sweep_type_name(s, t, to, room), 0);
	return to;
}

static void test_names_of_types(void **state)
{
	const uint64_t at = heap_type(HEAP_TYPES), dict = MALLOC_AT, keys = MALLOC_AT + 256;
	struct heap *h = heap_new();
	struct python_sweep *s;
	char name[128];

	(void)state;
	heap_add_type(h, HEAP_TYPES, "Item", 32, 0, PY_HEAPTYPE);
	heap_put(h, at + 864, add_str(h, MALLOC_AT + 1024, "Shop.Item"));
	heap_put(h, at + PY_TP_DICT, dict);
	heap_put(h, dict + 32, keys);
	/* Eight entries of two words each behind 8 bytes of indices; the second one it is. */
	heap_at(h, keys)[8] = 3;
	heap_at(h, keys)[9] = 3;
	heap_at(h, keys)[10] = 1;
	heap_put(h, keys + 24, 2);
	heap_put(h, keys + 40, add_str(h, MALLOC_AT + 1152, "__doc__"));
	heap_put(h, keys + 56, add_str(h, MALLOC_AT + 1280, "__module__"));
	heap_put(h, keys + 64, add_str(h, MALLOC_AT + 1408, "market.stall"));
	heap_add_type(h, HEAP_TYPES + 1, "_asyncio.Thing", 32, 0, PY_HEAPTYPE);
	heap_put(h, heap_type(HEAP_TYPES + 1) + 864, add_str(h, MALLOC_AT + 1536, "Thing"));

	s = new_sweep(h);
	assert_string_equal(name_of(s, HEAP_TYPES, name, sizeof(name)), "market.stall.Shop.Item");
	assert_string_equal(name_of(s, HEAP_TYPES + 1, name, sizeof(name)), "_asyncio.Thing");
	assert_string_equal(name_of(s, HEAP_LIST, name, sizeof(name)), "list");
	/* Of a dict that cannot be read the rest. */
	heap_put(h, dict + 32, 8);
	assert_string_equal(name_of(s, HEAP_TYPES, name, sizeof(name)), "Shop.Item");
	python_sweep_free(s);
	heap_free(h);
}

/* One that lives, and has this name. */
static struct python_task add_task(struct heap *h, uint64_t name)
{
	const struct python_layout *l = &h->interpreter.layout;
	const uint64_t object = MALLOC_AT + 4096;
	struct python_task task;

	heap_put(h, object, 1);
	heap_put(h, object + l->task_name, name);
	python_task_init(l, heap_at(h, object), &task);
	task.object = object;
	return task;
}

static void test_numbers_of_tasks(void **state)
{
	static const struct {
		const char *name;
		uint64_t number;
	} names[] = {
		{ "Task-17", 17 }, { "Task-123456789", 123456789 },
		{ "Task-", 0 },	   { "Task-1x", 0 },
		{ "task-17", 0 },  { "worker", 0 },
		{ "", 0 },	   { "Task-12345678901234567890123", 0 },
		{ "Task--1", 0 },
	};
	struct heap *h = heap_new();
	struct python_sweep *s = new_sweep(h);

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		struct python_task task = add_task(h, add_str(h, MALLOC_AT, names[i].name));

		assert_int_equal(python_tasks_read(s, &task, 1), 0);
		assert_true(task.number == names[i].number);
		assert_true(task.code == 0);
	}
	/* An int, as from 3.12 on: of one digit, of two, and of more than a number of tasks has. */
	for (uint64_t digits = 0; digits < 4; digits++) {
		static const uint64_t numbers[] = { 0, 5, 7ull << 30 | 5, 0 };
		struct python_task task = add_task(h, MALLOC_AT);

		heap_add_object(h, MALLOC_AT, HEAP_INT);
		heap_put(h, MALLOC_AT + 16, digits);
		heap_put32(h, MALLOC_AT + 24, 5);
		heap_put32(h, MALLOC_AT + 28, 7);
		assert_int_equal(python_tasks_read(s, &task, 1), 0);
		assert_true(task.number == numbers[digits]);
	}
	python_sweep_free(s);
	heap_free(h);
}

static void test_ranges(void **state)
{
	struct fake f = fake_new();
	struct python_range *ranges = NULL;
	size_t n = 0;

	(void)state;
	fake_text(&f, "23/maps",
		  "00400000-00401000 r-xp 00000000 fe:01 1234   /usr/bin/python3\n"
		  "00601000-00602000 rw-p 00001000 fe:01 1234   /usr/bin/python3\n"
		  "00602000-00604000 rw-p 00000000 00:00 0\n"
		  "00900000-00a00000 rw-p 00000000 00:00 0                          [heap]\n"
		  "7f0000000000-7f0000100000 rw-p 00000000 00:00 0\n"
		  "7f0000100000-7f0000200000 rw-p 00000000 00:00 0                  [anon:arena]\n"
		  "7f0000200000-7f0000300000 rw-s 00000000 00:01 77                 /dev/shm/x\n"
		  "7f0000300000-7f0000400000 ---p 00000000 00:00 0\n"
		  "7ffd00000000-7ffd00021000 rw-p 00000000 00:00 0                  [stack]\n");
	assert_int_equal(python_ranges_read(f.root, 23, &ranges, &n), 0);
	assert_int_equal(n, 5);
	assert_true(!ranges[0].is_anonymous && ranges[0].start == 0x601000);
	assert_true(ranges[1].is_anonymous && !ranges[1].is_heap && ranges[1].end == 0x604000);
	assert_true(ranges[2].is_heap && ranges[2].is_anonymous);
	assert_true(ranges[3].start == 0x7f0000000000 && ranges[3].end == 0x7f0000200000);
	assert_true(!ranges[4].is_anonymous);
	assert_ptr_equal(python_range_find(ranges, n, 0x7f00001fffff), &ranges[3]);
	assert_ptr_equal(python_range_find(ranges, n, 0x601000), &ranges[0]);
	assert_null(python_range_find(ranges, n, 0x7f0000200000));
	assert_null(python_range_find(ranges, n, 0));
	assert_null(python_range_find(ranges, n, UINT64_MAX));
	free(ranges);

	fake_text(&f, "29/maps", "");
	assert_int_equal(python_ranges_read(f.root, 29, &ranges, &n), -ESRCH);
	assert_int_equal(python_ranges_read(f.root, 31, &ranges, &n), -ESRCH);
	fake_text(&f, "29/maps", "no mapping\n");
	assert_int_equal(python_ranges_read(f.root, 29, &ranges, &n), -EBADMSG);
	fake_done(&f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_kinds),	       cmocka_unit_test(test_kinds_are_bounded),
		cmocka_unit_test(test_names_of_types), cmocka_unit_test(test_numbers_of_tasks),
		cmocka_unit_test(test_ranges),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
