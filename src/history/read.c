// SPDX-License-Identifier: GPL-2.0-or-later
/* Series read back: day by day, so that it takes little memory whatever the range. */
#include "history/state.h"

#include <errno.h>
#include <stdlib.h>

#include "base/cleanup.h"
#include "history/combine.h"

struct found_series {
	int64_t id;
	int64_t first, last; /* starts of chunks */
};

struct found {
	struct found_series *list; /* owned */
	size_t n, room;
};

static void found_done(struct found *f)
{
	free(f->list);
}

static int found_add(struct found *f, const struct found_series *s)
{
	if (f->n == f->room) {
		size_t room = f->room ? f->room * 2 : 8;
		struct found_series *more = realloc(f->list, room * sizeof(*more));

		if (!more)
			return -ENOMEM;
		f->list = more;
		f->room = room;
	}
	f->list[f->n++] = *s;
	return 0;
}

static int find_series(struct history *h, const struct history_key *key, struct found *ret)
{
	sqlite3_stmt *s = database_statement(&h->db, SERIES_OF_SITE);
	int r;

	ret->n = 0;
	sqlite3_bind_text(s, 1, key->service, -1, SQLITE_STATIC);
	sqlite3_bind_int64(s, 2, (int64_t)key->site);
	sqlite3_bind_int64(s, 3, key->pid);
	while ((r = database_step(&h->db, s)) > 0) {
		const struct found_series one = { sqlite3_column_int64(s, 0),
						  sqlite3_column_int64(s, 1),
						  sqlite3_column_int64(s, 2) };

		r = found_add(ret, &one);
		if (r < 0) {
			sqlite3_reset(s);
			return r;
		}
	}
	return r;
}

/* What all series have in the time of one chunk. */
static int read_chunks(struct history *h, const struct found *f, int level, int64_t start,
		       struct readings *ret)
{
	int r = 0;

	for (size_t i = 0; r == 0 && i < f->n; i++) {
		const struct chunk_id id = { level, start, f->list[i].id };
		_cleanup_(chunk_done) struct chunk c = { 0 };

		if (start < f->list[i].first || start > f->list[i].last)
			continue;
		r = stored_get(h, &id, &c);
		if (r == 0)
			r = readings_add(ret, &c, level, start, id.series);
	}
	return r;
}

static int read_hour(struct history *h, const struct found *f, const struct hour *hour,
		     struct readings *ret)
{
	int r = 0;

	if (hour->levels & 2)
		r = read_chunks(h, f, 1, hour->start, ret);
	for (int64_t t = hour->start; r == 0 && hour->levels & 1 && t < hour->start + HOUR_MS;
	     t += chunk_levels[0].span_ms)
		r = read_chunks(h, f, 0, t, ret);
	return r;
}

/* Those of the day's hourly points that are of the hour. */
static int pick_hour(const struct readings *day, int64_t hour, struct readings *ret)
{
	int r = 0;

	for (size_t i = 0; r == 0 && i < day->n; i++) {
		const struct reading *d = &day->list[i];
		struct sample s = {
			0, 1, d->covered, { d->value[0], d->value[1], d->value[2], d->value[3] }
		};
		const struct chunk c = { &s, 1, 1 };

		if (time_floor(d->time_ms, HOUR_MS) == hour)
			r = readings_add(ret, &c, d->level, d->time_ms, d->series);
	}
	return r;
}

static int read_day(struct history *h, const struct found *f, int64_t day, struct combined *ret)
{
	_cleanup_(readings_done) struct readings coarse = { 0 };
	const struct hour *first = hours_find(&h->hours, day);
	int r = 0;

	if (first && first->levels & 4)
		r = read_chunks(h, f, 2, day, &coarse);
	for (int64_t t = day; r == 0 && t < day + DAY_MS; t += HOUR_MS) {
		_cleanup_(readings_done) struct readings readings = { 0 };
		const struct hour *hour = hours_find(&h->hours, t);

		r = pick_hour(&coarse, t, &readings);
		if (r == 0 && hour)
			r = read_hour(h, f, hour, &readings);
		if (r == 0)
			r = combine_hour(ret, readings.list, readings.n, t, h->tick_ms);
	}
	return r;
}

static int read_all(struct history *h, const struct history_key *key, struct combined *ret)
{
	_cleanup_(found_done) struct found f = { 0 };
	int64_t done = INT64_MIN;
	int r;

	r = find_series(h, key, &f);
	if (r < 0)
		return r;
	if (f.n == 0)
		return -ENOENT;
	ret->n = 0;
	for (size_t i = hours_from(&h->hours, time_floor(ret->from_ms, DAY_MS));
	     r == 0 && i < h->hours.n && h->hours.list[i].start < ret->to_ms; i++) {
		int64_t day = time_floor(h->hours.list[i].start, DAY_MS);

		if (day == done)
			continue;
		r = read_day(h, &f, day, ret);
		done = day;
	}
	return r;
}

static int take_points(const struct combined *c, struct history_point **ret, size_t *ret_n)
{
	struct history_point *points = calloc(c->n ? c->n : 1, sizeof(*points));

	if (!points)
		return -ENOMEM;
	for (size_t i = 0; i < c->n; i++)
		points[i] = c->list[i].point;
	*ret = points;
	*ret_n = c->n;
	return 0;
}

int history_read(struct history *h, const struct history_key *key, uint64_t from_ms, uint64_t to_ms,
		 size_t max, struct history_point **ret, size_t *ret_n)
{
	_cleanup_(combined_done) struct combined c = {
		.max = max,
		.from_ms = from_ms < TIME_MS_MAX ? (int64_t)from_ms : TIME_MS_MAX,
		.to_ms = to_ms < TIME_MS_MAX ? (int64_t)to_ms : TIME_MS_MAX,
		.width = h->tick_ms,
	};
	int r;

	if (max == 0 || key->pid < 0)
		return -EINVAL;
	/* What waits comes too, unless it cannot be written; the next flush tells. */
	(void)history_commit(h);
	do
		r = read_all(h, key, &c);
	while (r == -EUCLEAN && history_repair(h) == 0);
	return r < 0 ? r : take_points(&c, ret, ret_n);
}
