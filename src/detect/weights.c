// SPDX-License-Identifier: GPL-2.0-or-later
/* What blocks stand for that are seen in windows. See weights.h. */
#include "detect/weights.h"

#include <math.h>

#define DIFFERS 0.1

/* Births are taken to be even: a share 1/factor of them was seen. */
static struct weight_run merge(const struct weight_run *a, const struct weight_run *b, uint32_t end)
{
	double first = b->from - a->from, second = end - b->from;
	double seen = first / (double)a->factor + second / (double)b->factor;

	return (struct weight_run){
		.from = a->from,
		.factor = seen > 0 ? (float)((first + second) / seen) : b->factor,
	};
}

/* The older half becomes a quarter. */
static void make_room(struct weights *w)
{
	size_t kept = 0;

	for (size_t i = 0; i < w->n; i++) {
		if (i + 1 < WEIGHT_RUNS / 2) {
			w->runs[kept++] = merge(&w->runs[i], &w->runs[i + 1], w->runs[i + 2].from);
			i++;
		} else {
			w->runs[kept++] = w->runs[i];
		}
	}
	w->n = kept;
}

void weights_add(struct weights *w, uint32_t from, double factor)
{
	double last = w->n ? (double)w->runs[w->n - 1].factor : 0;

	if (w->n && fabs(factor - last) < DIFFERS * last)
		return;
	if (w->n == WEIGHT_RUNS)
		make_room(w);
	w->runs[w->n++] = (struct weight_run){ from, (float)factor };
}

double weights_at(const struct weights *w, uint32_t tick)
{
	size_t low = 0, high = w->n;

	while (low < high) {
		size_t middle = (low + high) / 2;

		if (w->runs[middle].from <= tick)
			low = middle + 1;
		else
			high = middle;
	}
	if (!w->n)
		return 1;
	return (double)w->runs[low ? low - 1 : 0].factor;
}
