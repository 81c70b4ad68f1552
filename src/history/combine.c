// SPDX-License-Identifier: GPL-2.0-or-later
/* Points of several processes and levels to one sequence. See combine.h. */
#include "history/combine.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

void readings_done(struct readings *r)
{
	free(r->list);
	*r = (struct readings){ 0 };
}

int readings_add(struct readings *r, const struct chunk *c, int level, int64_t start,
		 int64_t series)
{
	if (r->n + c->n > r->room) {
		size_t room = (r->n + c->n) * 2;
		struct reading *more = realloc(r->list, room * sizeof(*more));

		if (!more)
			return -ENOMEM;
		r->list = more;
		r->room = room;
	}
	for (size_t i = 0; i < c->n; i++) {
		const struct sample *s = &c->samples[i];
		struct reading *to = &r->list[r->n++];

		*to = (struct reading){ .time_ms = start + s->at_ms,
					.series = series,
					.level = level,
					.covered = s->covered };
		memcpy(to->value, s->value, sizeof(to->value));
	}
	return 0;
}

void combined_done(struct combined *c)
{
	free(c->list);
	*c = (struct combined){ 0 };
}

static double mean(double a, double wa, double b, double wb)
{
	return (a * wa + b * wb) / (wa + wb);
}

/* One that is unknown, as 0, does not count. */
static double mean_of_known(double a, double wa, double b, double wb)
{
	if (a <= 0 || b <= 0)
		return a + b;
	return mean(a, wa, b, wb);
}

static void average(struct combined_point *into, const struct combined_point *p)
{
	struct history_point *a = &into->point;
	const struct history_point *b = &p->point;

	a->live_bytes = mean(a->live_bytes, into->weight, b->live_bytes, p->weight);
	a->live_count = mean(a->live_count, into->weight, b->live_count, p->weight);
	a->rss_bytes = mean_of_known(a->rss_bytes, into->weight, b->rss_bytes, p->weight);
	a->limit_bytes = mean_of_known(a->limit_bytes, into->weight, b->limit_bytes, p->weight);
	into->weight += p->weight;
}

/* Counted from the first point, so that a width is enough sometime. */
static bool is_neighbour(const struct combined *c, const struct combined_point *a,
			 const struct combined_point *b)
{
	uint64_t start = c->list[0].point.time_ms;
	uint64_t width = (uint64_t)c->width;

	return (a->point.time_ms - start) / width == (b->point.time_ms - start) / width;
}

static void widen(struct combined *c)
{
	size_t n = 1;

	c->width *= 2;
	for (size_t i = 1; i < c->n; i++) {
		if (is_neighbour(c, &c->list[n - 1], &c->list[i]))
			average(&c->list[n - 1], &c->list[i]);
		else
			c->list[n++] = c->list[i];
	}
	c->n = n;
}

static int emit(struct combined *c, const struct combined_point *p)
{
	int64_t time_ms = (int64_t)p->point.time_ms;

	if (time_ms < c->from_ms || time_ms >= c->to_ms)
		return 0;
	if (c->n > 0 && is_neighbour(c, &c->list[c->n - 1], p)) {
		average(&c->list[c->n - 1], p);
		return 0;
	}
	if (c->n == c->room) {
		size_t room = c->room ? c->room * 2 : 64;
		struct combined_point *more = realloc(c->list, room * sizeof(*more));

		if (!more)
			return -ENOMEM;
		c->list = more;
		c->room = room;
	}
	c->list[c->n++] = *p;
	while (c->n > c->max)
		widen(c);
	return 0;
}

/* The widths of the hour's buckets: the whole hour, or by 5 minutes that or ticks. */
struct widths {
	bool is_hour;
	bool is_five[HOUR_MS / (5 * MINUTE_MS)];
	int64_t tick_ms;
};

static struct widths widths_of(const struct reading *list, size_t n, int64_t hour_ms,
			       int64_t tick_ms)
{
	struct widths w = { .tick_ms = tick_ms };

	for (size_t i = 0; i < n; i++) {
		if (list[i].level == 2)
			w.is_hour = true;
		if (list[i].level == 1)
			w.is_five[(list[i].time_ms - hour_ms) / (5 * MINUTE_MS)] = true;
	}
	return w;
}

static int64_t width_at(const struct widths *w, int64_t offset)
{
	if (w->is_hour)
		return HOUR_MS;
	return w->is_five[offset / (5 * MINUTE_MS)] ? 5 * MINUTE_MS : w->tick_ms;
}

static int compare(const void *pa, const void *pb)
{
	const struct reading *a = pa;
	const struct reading *b = pb;

	if (a->bucket != b->bucket)
		return a->bucket < b->bucket ? -1 : 1;
	if (a->series != b->series)
		return a->series < b->series ? -1 : 1;
	return (a->time_ms > b->time_ms) - (a->time_ms < b->time_ms);
}

/* One process within a bucket. */
struct share {
	uint64_t covered;
	double weight[CHUNK_VALUES];
	double sum[CHUNK_VALUES];
};

static void share_add(struct share *s, const struct reading *r, int64_t width, int64_t tick_ms)
{
	int64_t own = chunk_width(r->level, tick_ms);
	double weight = (double)own * __builtin_popcountll(r->covered) / COVER_PARTS;

	s->covered |= own >= width ? r->covered :
				     cover_of_parts(r->covered, r->time_ms - r->bucket, own, width);
	for (int i = 0; i < CHUNK_VALUES; i++) {
		if ((i == CHUNK_RSS || i == CHUNK_LIMIT) && r->value[i] <= 0)
			continue;
		s->sum[i] += r->value[i] * weight;
		s->weight[i] += weight;
	}
}

static double share_mean(const struct share *s, int value)
{
	return s->weight[value] > 0 ? s->sum[value] / s->weight[value] : 0;
}

/* The sum over the processes of one bucket, whose readings are list[0..n). */
static struct combined_point sum_up(const struct reading *list, size_t n, int64_t width,
				    int64_t tick_ms)
{
	struct combined_point p = { .point.time_ms = (uint64_t)list[0].bucket };
	uint64_t covered = 0;
	double sum[CHUNK_VALUES] = { 0 };
	double all;

	for (size_t i = 0; i < n;) {
		int64_t series = list[i].series;
		struct share s = { 0 };
		double limit;

		for (; i < n && list[i].series == series; i++)
			share_add(&s, &list[i], width, tick_ms);
		covered |= s.covered;
		for (int v = 0; v < CHUNK_LIMIT; v++)
			sum[v] += share_mean(&s, v) * __builtin_popcountll(s.covered);
		/* Processes of a service share its limit. */
		limit = share_mean(&s, CHUNK_LIMIT);
		if (limit > sum[CHUNK_LIMIT])
			sum[CHUNK_LIMIT] = limit;
	}
	all = __builtin_popcountll(covered);
	p.point.live_bytes = sum[CHUNK_LIVE_BYTES] / all;
	p.point.live_count = sum[CHUNK_LIVE_COUNT] / all;
	p.point.rss_bytes = sum[CHUNK_RSS] / all;
	p.point.limit_bytes = sum[CHUNK_LIMIT];
	p.weight = (double)width * all / COVER_PARTS;
	return p;
}

int combine_hour(struct combined *c, struct reading *list, size_t n, int64_t hour_ms,
		 int64_t tick_ms)
{
	const struct widths w = widths_of(list, n, hour_ms, tick_ms);
	int r = 0;

	if (n == 0)
		return 0;
	for (size_t i = 0; i < n; i++) {
		int64_t offset = list[i].time_ms - hour_ms;

		list[i].bucket = hour_ms + time_floor(offset, width_at(&w, offset));
	}
	qsort(list, n, sizeof(*list), compare);
	for (size_t i = 0; r == 0 && i < n;) {
		struct combined_point p;
		size_t first = i;

		while (i < n && list[i].bucket == list[first].bucket)
			i++;
		p = sum_up(&list[first], i - first, width_at(&w, list[first].bucket - hour_ms),
			   tick_ms);
		r = emit(c, &p);
	}
	return r;
}
