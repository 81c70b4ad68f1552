// SPDX-License-Identifier: GPL-2.0-or-later
/* python/tasks.h: numbers of tasks, which end while they are read. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "fixtures/python_seen.h"
#include "python/tasks.h"

#define TASK	  (MALLOC_AT + 4096)
#define NAME	  (MALLOC_AT + 8192)
#define TEXT	  (MALLOC_AT + 12288)
#define NUMBER	  17
#define OF_OTHERS 123456789

static const struct python_layout *layout(void)
{
	return python_layout_find(3, 11);
}

static void put_int(struct heap *h, uint32_t value)
{
	heap_put(h, NAME, 1);
	heap_put(h, NAME + PY_OB_TYPE, heap_type(HEAP_INT));
	heap_put(h, NAME + PY_OB_SIZE, 1);
	heap_put32(h, NAME + layout()->long_digits, value);
}

static void put_text(struct heap *h, const char *text)
{
	heap_put(h, TEXT, 1);
	heap_put(h, TEXT + PY_OB_TYPE, heap_type(HEAP_STR));
	heap_put(h, TEXT + layout()->str_length, strlen(text));
	memcpy(heap_at(h, TEXT + layout()->str_ascii), text, strlen(text));
}

/* Its name was an int when it was found; then @meanwhile is called before each read. */
static uint64_t number_of(void (*meanwhile)(struct heap *h, uint64_t address))
{
	struct heap *h = heap_new();
	struct python_sweep *s = NULL;
	struct python_task task;
	const char *why;

	add_lists(h, 0);
	heap_put(h, TASK, 1);
	heap_put(h, TASK + layout()->task_name, NAME);
	put_int(h, NUMBER);
	put_text(h, "Task-17");
	python_task_init(layout(), heap_at(h, TASK), &task);
	task.object = TASK;
	assert_int_equal(heap_sweep(h, 0, &s, &why), 0);
	h->meanwhile = meanwhile;
	assert_int_equal(python_tasks_read(s, &task, 1), 0);
	python_sweep_free(s);
	heap_free(h);
	return task.number;
}

static void test_that_lives(void **state)
{
	(void)state;
	assert_int_equal(number_of(NULL), NUMBER);
}

static void end_before_the_name(struct heap *h, uint64_t address)
{
	if (address != NAME)
		return;
	heap_put(h, TASK, 0);
	put_int(h, OF_OTHERS);
}

static void end_after_the_name(struct heap *h, uint64_t address)
{
	if (address != TASK)
		return;
	heap_put(h, TASK, 0);
}

/* Somebody asks for its name. */
static void name_it(struct heap *h, uint64_t address)
{
	if (address != NAME)
		return;
	heap_put(h, TASK + layout()->task_name, TEXT);
	put_int(h, OF_OTHERS);
}

static void test_that_ends(void **state)
{
	(void)state;
	assert_int_equal(number_of(end_before_the_name), 0);
	assert_int_equal(number_of(end_after_the_name), 0);
	assert_int_equal(number_of(name_it), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_that_lives),
		cmocka_unit_test(test_that_ends),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
