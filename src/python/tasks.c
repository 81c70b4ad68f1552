// SPDX-License-Identifier: GPL-2.0-or-later
/* See tasks.h. */
#include "python/tasks.h"

#include "base/parse.h"
#include "python/running.h"
#include "python/sweep_state.h"

/* A str with "Task-" and a number of 9 digits, or an int of two digits. */
#define NAME_READ 64
#define PREFIX	  "Task-"

#define TASK_STATE_BITS 3u

#define INT_DIGIT_BITS 30

void python_task_init(const struct python_layout *l, const uint8_t *object, struct python_task *ret)
{
	*ret = (struct python_task){
		.coroutine = word_at(object, l->task_coro),
		.name = word_at(object, l->task_name),
		.done = (half_at(object, l->task_state) & TASK_STATE_BITS) != 0,
	};
}

/* The number in a str object of which @n bytes were read. */
static uint64_t number_of_str(const struct python_layout *l, const uint8_t *object, size_t n)
{
	uint64_t length = word_at(object, l->str_length), number;
	const char *text = (const char *)object + l->str_ascii;
	char copy[NAME_READ];
	const char *p = copy + strlen(PREFIX);

	if (length <= strlen(PREFIX) || l->str_ascii + length > n)
		return 0;
	memcpy(copy, text, length);
	copy[length] = '\0';
	if (strncmp(copy, PREFIX, strlen(PREFIX)) != 0 || parse_digits(&p, 10, &number) < 0 || *p)
		return 0;
	return number;
}

static uint64_t number_of_int(const struct python_layout *l, const uint8_t *object)
{
	uint64_t digits = l->long_tag == PYTHON_NONE ? word_at(object, PY_OB_SIZE) :
						       word_at(object, l->long_tag) >> 3;

	switch (digits) {
	case 1:
		return half_at(object, l->long_digits);
	case 2:
		return half_at(object, l->long_digits) |
		       (uint64_t)half_at(object, l->long_digits + 4u) << INT_DIGIT_BITS;
	default:
		return 0;
	}
}

static void take_name(struct python_sweep *s, const uint8_t *object, size_t n,
		      struct python_task *task)
{
	const struct python_type *t;

	/* An int of one digit is shorter than what was asked for, and may end its mapping. */
	if (n < NAME_READ)
		return;
	t = types_find(s, word_at(object, PY_OB_TYPE));
	if (t && t->role == PYTHON_ROLE_STR)
		task->number = number_of_str(s->layout, object, n);
	else if (t && t->role == PYTHON_ROLE_INT)
		task->number = number_of_int(s->layout, object);
}

static void take_coroutine(struct python_sweep *s, const uint8_t *object, size_t n,
			   struct python_task *task)
{
	const struct python_type *t;

	if (n < PYTHON_GENERATOR_READ)
		return;
	t = types_find(s, word_at(object, PY_OB_TYPE));
	if (!t || t->role != PYTHON_ROLE_GENERATOR)
		return;
	task->code = python_code_of_generator(s->layout, object);
	if (s->layout->generator_qualname != PYTHON_NONE)
		task->qualname = word_at(object, s->layout->generator_qualname);
}

/*
 * A task that has ended meanwhile has given back its name, and what lies there now may be any other int or
 * str. One that is still there with the same name had it all the time.
 */
static int confirm_numbers(struct python_sweep *s, struct python_task *tasks, size_t n)
{
	const struct python_layout *l = s->layout;
	struct python_run *runs = s->runs;
	size_t bytes = l->task_name + sizeof(uint64_t), n_runs = 0;
	int r;

	for (size_t i = 0; i < n; i++)
		if (tasks[i].number)
			runs[n_runs++] = (struct python_run){ .address = tasks[i].object,
							      .to = s->heads + i * HEAD_BYTES,
							      .n = bytes };
	r = python_read_runs(s->memory, runs, n_runs);
	n_runs = 0;
	for (size_t i = 0; i < n && r == 0; i++) {
		const uint8_t *object = s->heads + i * HEAD_BYTES;

		if (!tasks[i].number)
			continue;
		if (runs[n_runs++].done < bytes || !object_refcount(s, object) ||
		    word_at(object, l->task_name) != tasks[i].name)
			tasks[i].number = 0;
	}
	return r;
}

int python_tasks_read(struct python_sweep *s, struct python_task *tasks, size_t n)
{
	struct python_run *runs = s->runs;
	int r;

	for (size_t i = 0; i < n; i++) {
		runs[2 * i] = (struct python_run){ .address = tasks[i].coroutine,
						   .to = s->heads + 2 * i * HEAD_BYTES,
						   .n = PYTHON_GENERATOR_READ };
		runs[2 * i + 1] = (struct python_run){ .address = tasks[i].name,
						       .to = s->heads + (2 * i + 1) * HEAD_BYTES,
						       .n = NAME_READ };
	}
	r = python_read_runs(s->memory, runs, 2 * n);
	if (r < 0)
		return r;
	for (size_t i = 0; i < n; i++) {
		take_coroutine(s, runs[2 * i].to, runs[2 * i].done, &tasks[i]);
		take_name(s, runs[2 * i + 1].to, runs[2 * i + 1].done, &tasks[i]);
	}
	return confirm_numbers(s, tasks, n);
}
