// SPDX-License-Identifier: GPL-2.0-or-later
/* Minima over a life. See floors.h. */
#include "trend/floors.h"

#include <math.h>

static struct floor_point least(struct floor_point a, struct floor_point b)
{
	return (struct floor_point){
		.bytes = fminf(a.bytes, b.bytes),
		.blocks = fminf(a.blocks, b.blocks),
		.old_bytes = fminf(a.old_bytes, b.old_bytes),
	};
}

static void halve(struct floors *f)
{
	for (uint32_t i = 0; 2 * i < f->n; i++)
		f->at[i] = 2 * i + 1 < f->n ? least(f->at[2 * i], f->at[2 * i + 1]) : f->at[2 * i];
	f->n = (f->n + 1) / 2;
	f->spacing *= 2;
}

void floors_add(struct floors *f, uint32_t tick, struct floor_point now)
{
	uint32_t i;

	if (f->spacing == 0)
		f->spacing = 1;
	while (tick / f->spacing >= FLOOR_POINTS)
		halve(f);
	i = tick / f->spacing;
	if (i < f->n) {
		f->at[i] = least(f->at[i], now);
		return;
	}
	while (f->n <= i)
		f->at[f->n++] = now;
}

struct floor_point floors_least(const struct floors *f, uint32_t from, uint32_t to)
{
	struct floor_point p = { 0 };
	uint32_t first, last;

	if (f->n == 0)
		return p;
	first = from / f->spacing;
	last = to / f->spacing;
	if (last >= f->n)
		last = f->n - 1;
	if (first > last)
		first = last;
	p = f->at[first];
	for (uint32_t i = first + 1; i <= last; i++)
		p = least(p, f->at[i]);
	return p;
}
