// SPDX-License-Identifier: GPL-2.0-or-later
/* One pass over the heap for the objects of some kinds. See kind_objects.h. */
#include "python/kind_objects.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "python/running.h"
#include "python/sweep_state.h"
#include "python/tasks.h"

#define DEADLINE_NS (10 * NS_PER_SECOND)

struct list {
	const struct python_wanted *wanted; /* borrowed */
	struct python_objects *to;	    /* borrowed */
	size_t room;
};

struct collect {
	const struct python_interpreter *interpreter;
	struct python_sweep *sweep;
	struct list lists[PYTHON_WANTED_MAX];
	size_t n;
	size_t max;
	bool wants_tasks;
	struct python_task tasks[TASKS_AT_ONCE];
	size_t n_tasks;
};

void python_objects_done(struct python_objects *o)
{
	free(o->list);
	*o = (struct python_objects){ .n = 0 };
}

/* Of what is listed so far, those below half of the threshold stay. */
static void halve(struct python_objects *o)
{
	size_t kept = 0;

	o->threshold /= 2;
	for (size_t i = 0; i < o->n; i++)
		if (python_object_hash(o->list[i].address) <= o->threshold)
			o->list[kept++] = o->list[i];
	o->n = kept;
}

static int add(const struct collect *c, struct list *l, uint64_t address, uint64_t identity)
{
	struct python_objects *o = l->to;

	o->count++;
	if (python_object_hash(address) > o->threshold)
		return 0;
	while (o->n == c->max && o->threshold)
		halve(o);
	if (python_object_hash(address) > o->threshold || o->n == c->max)
		return 0;
	if (o->n == l->room) {
		size_t room = l->room ? 2 * l->room : 256;
		struct python_object *grown = reallocarray(o->list, room, sizeof(*grown));

		if (!grown)
			return -ENOMEM;
		o->list = grown;
		l->room = room;
	}
	o->list[o->n++] = (struct python_object){ address, identity };
	return 0;
}

/* To each list that wants such an object. */
static int add_to_lists(struct collect *c, uint64_t type, uint64_t code, bool done,
			uint64_t address, uint64_t identity)
{
	int r = 0;

	for (size_t i = 0; i < c->n && r == 0; i++) {
		const struct python_wanted *w = c->lists[i].wanted;

		if (w->type_address == type &&
		    (!w->of_code || (w->code_address == code && w->done == done)))
			r = add(c, &c->lists[i], address, identity);
	}
	return r;
}

static int flush_tasks(struct collect *c)
{
	int r = c->n_tasks ? python_tasks_read(c->sweep, c->tasks, c->n_tasks) : 0;

	for (size_t i = 0; i < c->n_tasks && r == 0; i++) {
		const struct python_task *t = &c->tasks[i];

		r = add_to_lists(c, t->type->address, t->code, t->done, t->object, t->number);
	}
	c->n_tasks = 0;
	return r;
}

static int add_task(struct collect *c, const struct python_block *b, const uint8_t *object)
{
	struct python_task *t = &c->tasks[c->n_tasks];

	python_task_init(&c->interpreter->layout, object, t);
	t->object = b->object;
	t->type = b->type;
	return ++c->n_tasks < TASKS_AT_ONCE ? 0 : flush_tasks(c);
}

static bool is_wanted(const struct collect *c, uint64_t type)
{
	for (size_t i = 0; i < c->n; i++)
		if (c->lists[i].wanted->type_address == type)
			return true;
	return false;
}

static int take_block(const struct python_block *b, void *userdata)
{
	struct collect *c = userdata;
	const struct python_layout *l = &c->interpreter->layout;
	const uint8_t *object;
	size_t room;

	if (!b->type || !b->refcount || !is_wanted(c, b->type->address))
		return 0;
	object = b->data + (b->is_large ? 0 : b->object - b->address);
	room = b->data_bytes - (size_t)(object - b->data);
	if (b->type->role == PYTHON_ROLE_TASK && room >= l->task_bytes)
		return add_task(c, b, object);
	if (b->type->role == PYTHON_ROLE_GENERATOR && room >= PYTHON_GENERATOR_READ)
		return add_to_lists(c, b->type->address, python_code_of_generator(l, object),
				    python_generator_has_ended(l, object), b->object, 0);
	if (b->type->role == PYTHON_ROLE_FRAME && room >= PYTHON_FRAME_READ)
		return add_to_lists(c, b->type->address,
				    python_code_of_frame(l, c->sweep->memory, object), false,
				    b->object, 0);
	return add_to_lists(c, b->type->address, 0, false, b->object, 0);
}

static int by_address(const void *a, const void *b)
{
	const struct python_object *x = a, *y = b;

	return (x->address > y->address) - (x->address < y->address);
}

/* Sorted; an address that was seen twice while the heap changed is there once. */
static void sort(struct python_objects *o)
{
	size_t kept = 0;

	if (o->n)
		qsort(o->list, o->n, sizeof(*o->list), by_address);
	for (size_t i = 0; i < o->n; i++)
		if (!kept || o->list[kept - 1].address != o->list[i].address)
			o->list[kept++] = o->list[i];
	o->n = kept;
}

static int collect(struct collect *c, uint64_t deadline_ns, const char **ret_why)
{
	int r;

	r = python_sweep_new(c->interpreter, deadline_ns, &c->sweep, ret_why);
	if (r < 0)
		return r;
	python_sweep_want_large(c->sweep);
	r = python_sweep_blocks(c->sweep, take_block, c);
	if (r == 0)
		r = python_sweep_large(c->sweep, take_block, c);
	return r < 0 ? r : flush_tasks(c);
}

int python_objects_collect(const struct python_interpreter *i, const struct python_wanted *wanted,
			   size_t n, size_t max, uint64_t deadline_ns, struct python_objects *ret,
			   const char **ret_why)
{
	_cleanup_free_ struct collect *c = calloc(1, sizeof(*c));
	uint64_t time = deadline_ns ? deadline_ns : DEADLINE_NS;
	int r;

	*ret_why = NULL;
	if (!c)
		return -ENOMEM;
	if (n > PYTHON_WANTED_MAX)
		return -E2BIG;
	c->interpreter = i;
	c->n = n;
	c->max = max;
	for (size_t k = 0; k < n; k++) {
		ret[k] = (struct python_objects){ .threshold = wanted[k].threshold ?
								       wanted[k].threshold :
								       UINT64_MAX };
		c->lists[k] = (struct list){ .wanted = &wanted[k], .to = &ret[k] };
	}
	r = collect(c, clock_ns(CLOCK_MONOTONIC) + time, ret_why);
	c->sweep = python_sweep_free(c->sweep);
	for (size_t k = 0; k < n; k++) {
		if (r < 0)
			python_objects_done(&ret[k]);
		else
			sort(&ret[k]);
	}
	return r;
}
