// SPDX-License-Identifier: GPL-2.0-or-later
/* Where objects are made, for who asks. See monitor.h. */
#include <errno.h>
#include <string.h>

#include "alert/python.h"
#include "base/cleanup.h"
#include "monitor/python.h"
#include "monitor/state.h"
#include "monitor/survivors.h"

/* Somebody waits: 20, 40 and 80 seconds with the detector's usual tick. */
#define LOOKS_ASKED 3

void survivors_drop_ask(struct survivors *s)
{
	free(s->ask.type);
	alert_python_free(s->ask.origin);
	s->ask = (struct survivors_ask){ .type = NULL };
}

static void on_origin(struct monitor *m, uint32_t target, uint64_t kind, int error,
		      struct alert_python *origin)
{
	struct survivors_ask *ask = &m->survivors->ask;

	(void)target;
	(void)kind;
	ask->is_over = true;
	ask->error = error;
	ask->origin = origin;
}

/* The largest kind of a type in the latest census; NULL: it has none. */
static const struct python_kind *find_type(const struct python_watch *w, const char *type)
{
	for (size_t i = 0; i < w->census.n; i++)
		if (strcmp(w->census.kinds[i].type, type) == 0)
			return &w->census.kinds[i];
	return NULL;
}

int monitor_find_origin(struct monitor *m, uint32_t target, const char *type)
{
	struct survivors_wanted wanted = { .looks = LOOKS_ASKED, .done = on_origin };
	const struct tracked *t = tracked_find(m, target);
	_cleanup_free_ char *copy = NULL;
	const struct python_kind *k;
	int r;

	if (!t || !t->objects || !t->objects->taken_ns)
		return -EAGAIN;
	k = find_type(t->objects, type);
	if (!k || !k->type_address)
		return -ENOENT;
	copy = strdup(type);
	if (!copy)
		return -ENOMEM;
	wanted.type_address = wanted.later.type_address = k->type_address;
	r = survivors_begin(m, t, &wanted);
	if (r < 0)
		return r;
	survivors_drop_ask(m->survivors);
	m->survivors->ask.target = target;
	m->survivors->ask.type = TAKE_PTR(copy);
	return 0;
}

int monitor_origin(const struct monitor *m, uint32_t target, const char *type,
		   const struct alert_python **ret)
{
	const struct survivors_ask *ask = &m->survivors->ask;

	*ret = NULL;
	if (!ask->type || ask->target != target || strcmp(ask->type, type) != 0)
		return -ENOENT;
	if (!ask->is_over)
		return -EINPROGRESS;
	*ret = ask->origin;
	return ask->error;
}
