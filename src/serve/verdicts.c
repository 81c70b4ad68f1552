// SPDX-License-Identifier: GPL-2.0-or-later
/* The alerts of sites. See verdicts.h. */
#include "serve/verdicts.h"

#include <stdlib.h>

#include "alert/book.h"
#include "base/values.h"
#include "trend/slope.h"

struct entry {
	uint32_t target;
	uint32_t number;
	uint64_t stack; /* 0 where it is of the whole target */
};

/* Sorted; each key once, with its worst. */
struct entries {
	struct entry *list; /* owned */
	size_t n;
};

struct verdicts {
	const struct alert **alerts; /* owned array; the worst first */
	size_t n_alerts;
	struct entries stacks;
	struct entries targets;
};

static int compare_keys(const struct entry *x, const struct entry *y)
{
	if (x->target != y->target)
		return x->target < y->target ? -1 : 1;
	return (x->stack > y->stack) - (x->stack < y->stack);
}

static int compare_entries(const void *a, const void *b)
{
	const struct entry *x = a;
	const struct entry *y = b;
	int r = compare_keys(x, y);

	return r ? r : (x->number < y->number) - (x->number > y->number);
}

static int compare_to_key(const void *a, const void *b)
{
	return compare_keys(a, b);
}

static void settle(struct entries *e)
{
	size_t kept = 0;

	qsort(e->list, e->n, sizeof(*e->list), compare_entries);
	for (size_t i = 0; i < e->n; i++)
		if (i == 0 || compare_keys(&e->list[i], &e->list[kept - 1]) != 0)
			e->list[kept++] = e->list[i];
	e->n = kept;
}

static void add(struct verdicts *v, const struct showing *s, uint32_t number)
{
	v->targets.list[v->targets.n++] = (struct entry){
		.target = s->target,
		.number = number,
	};
	for (size_t i = 0; i < s->n_stacks; i++)
		v->stacks.list[v->stacks.n++] = (struct entry){
			.target = s->target,
			.number = number,
			.stack = s->stacks[i],
		};
}

/* Of every process that shows an alert, not only of the one that its entry is about. */
static int fill(struct verdicts *v, const struct alert_book *book)
{
	size_t n_stacks = 1, n_targets = 1, n;
	const struct showing *shown;

	for (size_t i = 0; i < v->n_alerts; i++) {
		n = alert_book_showings(book, v->alerts[i]->id, &shown);
		n_targets += n;
		for (size_t k = 0; k < n; k++)
			n_stacks += shown[k].n_stacks;
	}
	v->stacks.list = calloc(n_stacks, sizeof(*v->stacks.list));
	v->targets.list = calloc(n_targets, sizeof(*v->targets.list));
	if (!v->stacks.list || !v->targets.list)
		return -ENOMEM;
	for (size_t i = 0; i < v->n_alerts; i++) {
		n = alert_book_showings(book, v->alerts[i]->id, &shown);
		for (size_t k = 0; k < n; k++)
			add(v, &shown[k], (uint32_t)(v->n_alerts - i));
	}
	settle(&v->stacks);
	settle(&v->targets);
	return 0;
}

struct verdicts *verdicts_new(const struct alert_book *book)
{
	_cleanup_(verdicts_freep) struct verdicts *v = calloc(1, sizeof(*v));

	if (!v || alert_book_list(book, &v->alerts, &v->n_alerts) < 0 || fill(v, book) < 0)
		return NULL;
	return TAKE_PTR(v);
}

struct verdicts *verdicts_free(struct verdicts *v)
{
	if (!v)
		return NULL;
	free(v->stacks.list);
	free(v->targets.list);
	free(v->alerts);
	free(v);
	return NULL;
}

static uint32_t find(const struct entries *e, uint32_t target, uint64_t stack)
{
	const struct entry key = { .target = target, .stack = stack }, *found;

	found = bsearch(&key, e->list, e->n, sizeof(key), compare_to_key);
	return found ? found->number : 0;
}

uint32_t verdicts_find(const struct verdicts *v, uint32_t target, uint64_t stack)
{
	return find(&v->stacks, target, stack);
}

const struct alert *verdicts_get(const struct verdicts *v, uint32_t number)
{
	return number ? v->alerts[v->n_alerts - number] : NULL;
}

const struct alert *verdicts_of_target(const struct verdicts *v, uint32_t target)
{
	return verdicts_get(v, find(&v->targets, target, 0));
}

json_t *view_trend(const struct alert *a, bool is_watched, const struct slope_estimate *growth)
{
	const char *verdict = a				  ? alert_state_name(a->state) :
			      growth->valid && is_watched ? "quiet" :
							    "unknown";
	json_auto_t *o = json_object();
	int r = 0;

	r |= view_put(o, "verdict", view_text(verdict));
	r |= view_put(o, "bytes_per_hour",
		      growth->valid ? view_real(growth->per_hour) : json_null());
	r |= view_put(o, "bytes_per_hour_error",
		      growth->valid ? view_real(growth->per_hour_error) : json_null());
	r |= view_put(o, "confidence", a ? view_real(a->evidence.confidence) : json_null());
	r |= view_put(o, "since", growth->valid ? view_monotonic(growth->since_ns) : json_null());
	return r < 0 ? NULL : TAKE_PTR(o);
}
