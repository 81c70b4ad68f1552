// SPDX-License-Identifier: GPL-2.0-or-later
/* Points that come in: each goes to its chunk of ticks in memory, which is stored as a whole. */
#include "history/state.h"

#include <errno.h>
#include <float.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <uthash.h>

#include "base/cleanup.h"

/* 12.8 MB: 10 000 series with the 30 ticks of 5 minutes each. */
#define SAMPLES_MAX 400000

/* Commits without a new point after which a chunk leaves memory. */
#define IDLE_COMMITS 8

#define SERVICE_BYTES_MAX 4096

/* What tells a chunk of ticks from all others, as the hash table wants it: bytes in a row. */
struct open_key {
	int64_t start;
	int64_t pid;
	uint64_t site;
	char service[];
};

struct open_chunk {
	struct open_key *key; /* owned */
	struct chunk chunk;
	int64_t series;	     /* its id, if generation is the present one */
	uint64_t generation; /* 0: not known */
	uint64_t touched;    /* h->commits then */
	uint32_t n_unsaved;  /* points; 0: as stored */
	bool is_whole;	     /* what was stored before is in it */
	UT_hash_handle hh;
};

static struct open_chunk *open_chunk_free(struct open_chunk *o)
{
	if (!o)
		return NULL;
	chunk_done(&o->chunk);
	free(o->key);
	free(o);
	return NULL;
}
DEFINE_CLEANUP(struct open_chunk *, open_chunk_free)

static void forget(struct history *h, struct open_chunk *o)
{
	h->n_samples -= o->chunk.n;
	HASH_DEL(h->open, o);
	(void)open_chunk_free(o);
}

static bool is_in(const struct open_chunk *o, int64_t from_ms, int64_t to_ms)
{
	return o->key->start >= from_ms && o->key->start < to_ms;
}

bool series_has_unsaved(const struct history *h)
{
	for (const struct open_chunk *o = h->open; o; o = o->hh.next)
		if (o->n_unsaved > 0)
			return true;
	return false;
}

bool series_has_unsaved_in(const struct history *h, int64_t from_ms, int64_t to_ms)
{
	for (const struct open_chunk *o = h->open; o; o = o->hh.next)
		if (o->n_unsaved > 0 && is_in(o, from_ms, to_ms))
			return true;
	return false;
}

void series_forget_in(struct history *h, int64_t from_ms, int64_t to_ms)
{
	struct open_chunk *o, *next;

	HASH_ITER(hh, h->open, o, next)
		if (is_in(o, from_ms, to_ms))
			forget(h, o);
}

void series_saved(struct history *h)
{
	bool is_crowded = h->n_samples > SAMPLES_MAX;
	struct open_chunk *o, *next;

	HASH_ITER(hh, h->open, o, next) {
		o->n_unsaved = 0;
		if (is_crowded || h->commits - o->touched > IDLE_COMMITS)
			forget(h, o);
	}
}

uint64_t series_done(struct history *h)
{
	struct open_chunk *o, *next;
	uint64_t n = 0;

	HASH_ITER(hh, h->open, o, next) {
		n += o->n_unsaved;
		forget(h, o);
	}
	return n;
}

int history_check_service(const char *service)
{
	size_t n = strlen(service);

	return n == 0 || n > SERVICE_BYTES_MAX ? -EINVAL : 0;
}

/* Writes at most once per flush while there is no room. */
static bool has_room(struct history *h)
{
	if (h->n_samples < SAMPLES_MAX)
		return true;
	if (h->full_at != h->commits) {
		(void)history_commit(h);
		h->full_at = h->commits;
	}
	return h->n_samples < SAMPLES_MAX;
}

static int make_key(const struct history_key *key, int64_t start, struct open_key **ret,
		    size_t *ret_size)
{
	size_t text = strlen(key->service) + 1;
	struct open_key *k = malloc(sizeof(*k) + text);

	if (!k)
		return -ENOMEM;
	k->start = start;
	k->pid = key->pid;
	k->site = key->site;
	memcpy(k->service, key->service, text);
	*ret = k;
	*ret_size = sizeof(*k) + text;
	return 0;
}

static int open_chunk_get(struct history *h, const struct history_key *key, int64_t start,
			  struct open_chunk **ret)
{
	_cleanup_(open_chunk_freep) struct open_chunk *new = NULL;
	_cleanup_free_ struct open_key *k = NULL;
	struct open_chunk *o;
	size_t size;
	int r;

	r = make_key(key, start, &k, &size);
	if (r < 0)
		return r;
	HASH_FIND(hh, h->open, k, size, o);
	if (o) {
		*ret = o;
		return 0;
	}
	new = calloc(1, sizeof(*new));
	if (!new)
		return -ENOMEM;
	new->key = TAKE_PTR(k);
	o = TAKE_PTR(new);
	HASH_ADD_KEYPTR(hh, h->open, o->key, size, o);
	*ret = o;
	return 0;
}

static int check_point(const struct history_key *key, const struct history_point *p)
{
	const double values[CHUNK_VALUES] = { p->live_bytes, p->live_count, p->rss_bytes,
					      p->limit_bytes };

	if (p->time_ms > TIME_MS_MAX || key->pid < 0)
		return -EINVAL;
	for (size_t i = 0; i < CHUNK_VALUES; i++)
		if (!isfinite(values[i]) || values[i] < 0 || values[i] > (double)FLT_MAX)
			return -EINVAL;
	return history_check_service(key->service);
}

int history_add_point(struct history *h, const struct history_key *key,
		      const struct history_point *point)
{
	struct sample s = {
		.n = 1,
		.covered = COVER_ALL,
		.value = { (float)point->live_bytes, (float)point->live_count,
			   (float)point->rss_bytes, (float)point->limit_bytes },
	};
	struct open_chunk *o;
	int64_t start;
	size_t before;
	int r;

	r = check_point(key, point);
	if (r < 0)
		return r;
	if (!has_room(h)) {
		h->lost++;
		return -ENOSPC;
	}
	start = time_floor((int64_t)point->time_ms, chunk_levels[0].span_ms);
	s.at_ms = (uint32_t)time_floor((int64_t)point->time_ms - start, h->tick_ms);
	r = open_chunk_get(h, key, start, &o);
	if (r == 0) {
		before = o->chunk.n;
		r = chunk_add(&o->chunk, &s);
		h->n_samples += o->chunk.n - before;
	}
	if (r < 0) {
		h->lost++;
		return r;
	}
	o->touched = h->commits;
	o->n_unsaved++;
	return 0;
}

static int add_series(struct history *h, const struct open_key *k, int64_t *ret)
{
	int64_t service;
	sqlite3_stmt *s;
	int r;

	r = history_service_id(h, k->service, &service);
	if (r < 0)
		return r;
	s = database_statement(&h->db, SERIES_ADD);
	sqlite3_bind_int64(s, 1, service);
	sqlite3_bind_int64(s, 2, (int64_t)k->site);
	sqlite3_bind_int64(s, 3, k->pid);
	r = database_run(&h->db, s);
	if (r < 0)
		return r;
	*ret = sqlite3_last_insert_rowid(h->db.handle);
	return 0;
}

static int find_series(struct history *h, struct open_chunk *o)
{
	sqlite3_stmt *s;
	int r;

	if (o->generation == h->generation)
		return 0;
	s = database_statement(&h->db, SERIES_FIND);
	sqlite3_bind_text(s, 1, o->key->service, -1, SQLITE_STATIC);
	sqlite3_bind_int64(s, 2, (int64_t)o->key->site);
	sqlite3_bind_int64(s, 3, o->key->pid);
	r = database_step(&h->db, s);
	if (r > 0) {
		o->series = sqlite3_column_int64(s, 0);
		sqlite3_reset(s);
	} else if (r == 0) {
		r = add_series(h, o->key, &o->series);
	}
	if (r < 0)
		return r;
	o->generation = h->generation;
	return 0;
}

static int write_chunk(struct history *h, struct open_chunk *o)
{
	struct chunk_id id = { .start = o->key->start };
	size_t before = o->chunk.n;
	int r;

	r = find_series(h, o);
	if (r < 0)
		return r;
	id.series = o->series;
	if (!o->is_whole) {
		r = stored_get(h, &id, &o->chunk);
		h->n_samples += o->chunk.n - before;
		if (r < 0)
			return r;
		o->is_whole = true;
	}
	return stored_put(h, &id, &o->chunk);
}

int series_write(struct history *h)
{
	int r = 0;

	for (struct open_chunk *o = h->open; r == 0 && o; o = o->hh.next)
		if (o->n_unsaved > 0)
			r = write_chunk(h, o);
	return r;
}

void series_distrust(struct history *h)
{
	for (struct open_chunk *o = h->open; o; o = o->hh.next)
		if (o->n_unsaved == 0)
			o->n_unsaved = (uint32_t)o->chunk.n;
}
