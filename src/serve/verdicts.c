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
	uint64_t stack;
};

struct verdicts {
	const struct alert **alerts; /* owned array; the worst first */
	size_t n_alerts;
	struct entry *entries; /* owned; sorted, each stack once with its worst */
	size_t n;
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

static int fill(struct verdicts *v)
{
	size_t room = 1, kept = 0;

	for (size_t i = 0; i < v->n_alerts; i++)
		room += v->alerts[i]->n_stacks;
	v->entries = calloc(room, sizeof(*v->entries));
	if (!v->entries)
		return -ENOMEM;
	for (size_t i = 0; i < v->n_alerts; i++) {
		const struct alert *a = v->alerts[i];

		for (size_t k = 0; a->target && k < a->n_stacks; k++)
			v->entries[v->n++] = (struct entry){
				.target = a->target,
				.number = (uint32_t)(v->n_alerts - i),
				.stack = a->stacks[k],
			};
	}
	qsort(v->entries, v->n, sizeof(*v->entries), compare_entries);
	for (size_t i = 0; i < v->n; i++)
		if (i == 0 || compare_keys(&v->entries[i], &v->entries[kept - 1]) != 0)
			v->entries[kept++] = v->entries[i];
	v->n = kept;
	return 0;
}

struct verdicts *verdicts_new(const struct alert_book *book)
{
	_cleanup_(verdicts_freep) struct verdicts *v = calloc(1, sizeof(*v));

	if (!v || alert_book_list(book, &v->alerts, &v->n_alerts) < 0 || fill(v) < 0)
		return NULL;
	return TAKE_PTR(v);
}

struct verdicts *verdicts_free(struct verdicts *v)
{
	if (!v)
		return NULL;
	free(v->entries);
	free(v->alerts);
	free(v);
	return NULL;
}

uint32_t verdicts_find(const struct verdicts *v, uint32_t target, uint64_t stack)
{
	const struct entry key = { .target = target, .stack = stack };
	const struct entry *e = bsearch(&key, v->entries, v->n, sizeof(key), compare_to_key);

	return e ? e->number : 0;
}

const struct alert *verdicts_get(const struct verdicts *v, uint32_t number)
{
	return number ? v->alerts[v->n_alerts - number] : NULL;
}

const struct alert *verdicts_of_target(const struct verdicts *v, uint32_t target)
{
	for (size_t i = 0; i < v->n_alerts; i++)
		if (v->alerts[i]->target == target)
			return v->alerts[i];
	return NULL;
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
