// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * What becomes of points with time: a bounded share of it at each flush.
 *
 * Nothing is remembered of work that is under way: chunks are taken from the finer level as they go
 * to the coarser one, and what is left is what is to do.
 */
#include "history/state.h"

#include <errno.h>

#include "base/cleanup.h"

/* Chunks that one flush reads and writes or drops: some 25 ms. */
#define CHUNKS_PER_FLUSH 3072
#define OWNERS_AT_ONCE	 64

/*
 * Above the second part of all pages nothing is kept for as long any more: a tenth less, as often as
 * needed, but ticks for 5 minutes at least. Below the first, for longer again. Above the third the
 * oldest hours go, whatever else is to do.
 */
#define ROOMY_PART     (5.0 / 8)
#define CROWDED_PART   (3.0 / 4)
#define FULL_PART      (15.0 / 16)
#define KEEP_LESS      0.9
#define KEEP_MORE      1.02
#define KEEP_RATIO_MIN (1.0 / 256)

/* Pages that go back to the file system at a time, when the file is too large from earlier. */
#define VACUUM "PRAGMA incremental_vacuum(256)"

#define NOTHING (-1)
#define DROP	CHUNK_LEVELS

struct job {
	int level; /* whose chunks become coarser; DROP: all goes */
	int64_t start, end;
};

static bool is_aged(const struct history *h, int64_t recorded, int level)
{
	return (double)(h->clock_ms - recorded) >
	       (double)chunk_levels[level].kept_ms * h->keep_ratio;
}

/* The hours of one day, from index i to before *end. */
static struct hour day_of(const struct history *h, size_t i, size_t *end)
{
	struct hour day = { .start = time_floor(h->hours.list[i].start, DAY_MS),
			    .recorded = INT64_MIN };

	for (; i < h->hours.n && h->hours.list[i].start < day.start + DAY_MS; i++) {
		const struct hour *hour = &h->hours.list[i];

		day.levels |= hour->levels;
		if (hour->recorded > day.recorded)
			day.recorded = hour->recorded;
	}
	*end = i;
	return day;
}

/* What is due of a day as a whole. */
static int due_of_day(const struct history *h, const struct hour *day)
{
	if (day->levels & 1)
		return NOTHING;
	if (day->levels & 2)
		return is_aged(h, day->recorded, 1) ? 1 : NOTHING;
	return is_aged(h, day->recorded, 2) ? DROP : NOTHING;
}

static bool find_due(const struct history *h, struct job *ret)
{
	size_t end;

	for (size_t i = 0; i < h->hours.n; i = end) {
		struct hour day = day_of(h, i, &end);

		*ret = (struct job){ due_of_day(h, &day), day.start, day.start + DAY_MS };
		if (ret->level != NOTHING && !series_has_unsaved_in(h, ret->start, ret->end))
			return true;
		for (; i < end; i++) {
			const struct hour *hour = &h->hours.list[i];

			if (!(hour->levels & 1) || !is_aged(h, hour->recorded, 0) ||
			    series_has_unsaved_in(h, hour->start, hour->start + HOUR_MS))
				continue;
			*ret = (struct job){ 0, hour->start, hour->start + HOUR_MS };
			return true;
		}
	}
	return false;
}

/* The hour that was recorded longest ago, if there is more than one. */
static bool find_oldest(const struct history *h, struct job *ret)
{
	int64_t recorded = INT64_MAX;

	for (size_t i = 0; i < h->hours.n; i++) {
		const struct hour *hour = &h->hours.list[i];

		if (hour->recorded >= recorded)
			continue;
		recorded = hour->recorded;
		*ret = (struct job){ DROP, hour->start, hour->start + HOUR_MS };
	}
	return h->hours.n > 1 && !series_has_unsaved_in(h, ret->start, ret->end);
}

/* Too much of it. */
static bool find_excess(const struct history *h, double part, struct job *ret)
{
	return (part > FULL_PART || h->hours.n > HOURS_MAX) && find_oldest(h, ret);
}

/* When nothing is due. */
static bool adapt(struct history *h, double part, struct job *ret)
{
	if (part < ROOMY_PART && h->keep_ratio < 1)
		h->keep_ratio = h->keep_ratio * KEEP_MORE < 1 ? h->keep_ratio * KEEP_MORE : 1;
	if (part <= CROWDED_PART || h->keep_ratio <= KEEP_RATIO_MIN)
		return false;
	h->keep_ratio *= KEEP_LESS;
	return find_due(h, ret);
}

static int find_job(struct history *h, struct job *ret)
{
	uint64_t used;
	double part;
	int r;

	r = database_used_pages(&h->db, &used);
	if (r < 0)
		return r;
	part = (double)used / (double)h->db.pages_max;
	return find_excess(h, part, ret) || find_due(h, ret) || adapt(h, part, ret);
}

static int coarsen_series(struct history *h, const struct job *job, int64_t series)
{
	const struct chunk_id into = { job->level + 1, job->start, series };
	int64_t step = chunk_levels[job->level].span_ms;
	_cleanup_(chunk_done) struct chunk coarse = { 0 };
	int r;

	r = stored_get(h, &into, &coarse);
	for (int64_t t = job->start; r == 0 && t < job->end; t += step) {
		const struct chunk_id from = { job->level, t, series };
		_cleanup_(chunk_done) struct chunk fine = { 0 };

		r = stored_get(h, &from, &fine);
		if (r == 0)
			r = chunk_coarsen(&coarse, into.level, into.start, &fine, t, h->tick_ms);
	}
	/* First the new one: a series without any chunk is dropped. */
	if (r == 0)
		r = stored_put(h, &into, &coarse);
	for (int64_t t = job->start; r == 0 && t < job->end; t += step) {
		const struct chunk_id from = { job->level, t, series };

		r = stored_drop(h, &from);
	}
	return r;
}

/* Some series that have a chunk at @start. */
static int list_owners(struct history *h, int level, int64_t start, int64_t ret[OWNERS_AT_ONCE],
		       size_t *ret_n)
{
	sqlite3_stmt *s = database_statement(&h->db, CHUNK_OWNERS);
	size_t n = 0;
	int r;

	sqlite3_bind_int(s, 1, level);
	sqlite3_bind_int64(s, 2, start);
	sqlite3_bind_int(s, 3, OWNERS_AT_ONCE);
	while ((r = database_step(&h->db, s)) > 0 && n < OWNERS_AT_ONCE)
		ret[n++] = sqlite3_column_int64(s, 0);
	sqlite3_reset(s);
	*ret_n = n;
	return r < 0 ? r : 0;
}

/* The job's hours have no chunks of that level any more; those of the coarser one are as old. */
static int end_coarsening(struct history *h, const struct job *job)
{
	int64_t recorded = INT64_MIN;
	struct hour *hour;
	int r = 0;

	for (size_t i = hours_from(&h->hours, job->start);
	     r == 0 && i < h->hours.n && h->hours.list[i].start < job->end;) {
		hour = &h->hours.list[i];
		hour->levels &= (uint8_t) ~(1 << job->level);
		if (hour->recorded > recorded)
			recorded = hour->recorded;
		if (hour->levels) {
			r = stored_put_hour(h, hour);
			i++;
		} else {
			r = stored_drop_hour(h, hour->start);
		}
	}
	hour = hours_find(&h->hours, job->start);
	if (r < 0 || !hour || hour->recorded == recorded)
		return r;
	hour->recorded = recorded;
	return stored_put_hour(h, hour);
}

static int coarsen(struct history *h, const struct job *job, int *budget)
{
	int64_t step = chunk_levels[job->level].span_ms;
	int64_t owners[OWNERS_AT_ONCE];
	size_t n;
	int r;

	series_forget_in(h, job->start, job->end);
	for (int64_t t = job->start; t < job->end;) {
		r = list_owners(h, job->level, t, owners, &n);
		if (r < 0)
			return r;
		if (n == 0) {
			t += step;
			continue;
		}
		for (size_t i = 0; i < n; i++) {
			if (*budget <= 0)
				return 0;
			r = coarsen_series(h, job, owners[i]);
			if (r < 0)
				return r;
			*budget -= (int)((job->end - job->start) / step);
		}
	}
	return end_coarsening(h, job);
}

static int drop_chunks(struct history *h, int level, int64_t start, int *budget)
{
	sqlite3_stmt *s = database_statement(&h->db, CHUNK_DROP_SOME);
	int r;

	sqlite3_bind_int(s, 1, level);
	sqlite3_bind_int64(s, 2, start);
	sqlite3_bind_int(s, 3, *budget);
	r = database_run(&h->db, s);
	if (r == 0)
		*budget -= sqlite3_changes(h->db.handle);
	return r;
}

static int drop_hour(struct history *h, const struct hour *hour, int *budget)
{
	int r = 0;

	for (int level = 0; level < CHUNK_LEVELS; level++) {
		int64_t step = chunk_levels[level].span_ms;

		if (!(hour->levels >> level & 1))
			continue;
		for (int64_t t = hour->start; r == 0 && t<hour->start + HOUR_MS && * budget> 0;
		     t += step)
			r = drop_chunks(h, level, t, budget);
	}
	return r;
}

static int drop(struct history *h, const struct job *job, int *budget)
{
	int r = 0;

	/* Series may go with their last chunks. */
	h->generation++;
	series_forget_in(h, job->start, job->end);
	for (size_t i = hours_from(&h->hours, job->start);
	     i < h->hours.n && h->hours.list[i].start < job->end;) {
		struct hour hour = h->hours.list[i];

		r = drop_hour(h, &hour, budget);
		if (r < 0 || *budget <= 0)
			return r;
		r = stored_drop_hour(h, hour.start);
		if (r < 0)
			return r;
	}
	return 0;
}

static int shrink_file(struct history *h)
{
	int64_t pages = 0;
	int r;

	r = database_pragma(&h->db, "PRAGMA page_count", &pages);
	if (r < 0 || (uint64_t)pages <= h->db.pages_max)
		return r;
	return database_exec(&h->db, VACUUM);
}

static int work(struct history *h, struct job job)
{
	int budget = CHUNKS_PER_FLUSH;
	int r;

	r = history_begin(h);
	while (r == 0 && budget > 0) {
		int before = budget;

		if (job.level == DROP)
			r = drop(h, &job, &budget);
		else
			r = coarsen(h, &job, &budget);
		if (budget == before || !find_due(h, &job))
			break;
	}
	return history_end(h, r);
}

int compact(struct history *h)
{
	struct job job;
	int r, q;

	r = find_job(h, &job);
	if (r < 0)
		return r;
	if (r == 0)
		return shrink_file(h);
	/* Coarse chunks need a page here and there before those of the fine ones are free. */
	r = database_limit(&h->db, true);
	if (r < 0)
		return r;
	r = work(h, job);
	if (r == -EUCLEAN)
		return r;
	q = database_limit(&h->db, false);
	return r < 0 ? r : q;
}
