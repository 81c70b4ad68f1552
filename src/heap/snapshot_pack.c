// SPDX-License-Identifier: GPL-2.0-or-later
/* Snapshots to bytes. See snapshot_pack.h. */
#include "heap/snapshot_pack.h"

#include <errno.h>
#include <stdbool.h>
#include <string.h>
#include <uthash.h>
#include <zlib.h>

#include "heap/snapshot_bytes.h"

/* A text or frame and its number; 0 is for none. */
struct number {
	const void *key;
	uint32_t value;
	UT_hash_handle hh;
};

/* The numbers of what was met so far, and its bytes. */
struct list {
	struct number *numbers; /* owned; a uthash table */
	uint32_t n;
	struct bytes_writer bytes;
};

static void list_done(struct list *l)
{
	struct number *i, *next;

	HASH_ITER(hh, l->numbers, i, next) {
		HASH_DEL(l->numbers, i);
		free(i);
	}
	bytes_done(&l->bytes);
}

static struct number *list_add(struct list *l, const void *key)
{
	struct number *new = calloc(1, sizeof(*new));

	if (!new) {
		l->bytes.failed = true;
		return NULL;
	}
	new->key = key;
	new->value = ++l->n;
	return new;
}

/* The number of a text, by what it says. */
static uint32_t number_of_text(struct list *texts, const char *text)
{
	struct number *found;
	size_t size;

	if (!text)
		return 0;
	size = strlen(text);
	HASH_FIND(hh, texts->numbers, text, size, found);
	if (found)
		return found->value;
	found = list_add(texts, text);
	if (!found)
		return 0;
	HASH_ADD_KEYPTR(hh, texts->numbers, text, size, found);
	bytes_put_text(&texts->bytes, text);
	return found->value;
}

/* The number of a frame, by its address: sites share frames. */
static uint32_t number_of_frame(struct list *frames, struct list *texts, const struct frame *f)
{
	struct number *found;

	HASH_FIND_PTR(frames->numbers, (const void **)&f, found);
	if (found)
		return found->value;
	found = list_add(frames, f);
	if (!found)
		return 0;
	HASH_ADD_PTR(frames->numbers, key, found);
	bytes_put(&frames->bytes,
		  (uint64_t)(f->kind == FRAME_INLINED) | (uint64_t)f->approximate << 1 |
			  (uint64_t)(f->kind == FRAME_PYTHON) << 2,
		  1);
	bytes_put(&frames->bytes, number_of_text(texts, f->function), 4);
	bytes_put(&frames->bytes, number_of_text(texts, f->file), 4);
	bytes_put(&frames->bytes, number_of_text(texts, f->module), 4);
	bytes_put(&frames->bytes, number_of_text(texts, f->build_id), 4);
	bytes_put(&frames->bytes, f->line, 4);
	bytes_put(&frames->bytes, f->offset, 8);
	return found->value;
}

static void put_site(struct bytes_writer *w, const struct named_site *s, struct list *frames,
		     struct list *texts)
{
	const struct totals *t = &s->totals;

	bytes_put(w, t->allocated_bytes, 8);
	bytes_put(w, t->allocated_count, 8);
	bytes_put(w, t->freed_bytes, 8);
	bytes_put(w, t->freed_count, 8);
	bytes_put(w, t->allocated_variance, 8);
	bytes_put(w, t->freed_variance, 8);
	bytes_put(w, s->stack_status, 1);
	bytes_put(w, s->n_frames, 2);
	for (size_t i = 0; i < s->n_frames; i++)
		bytes_put(w, number_of_frame(frames, texts, s->frames[i]), 4);
}

static void put_time(struct bytes_writer *w, const struct timespec *t)
{
	bytes_put(w, (uint64_t)t->tv_sec, 8);
	bytes_put(w, (uint64_t)t->tv_nsec, 4);
}

static void put_header(struct bytes_writer *w, const struct snapshot_head *h)
{
	bytes_put(w, SNAPSHOT_MAGIC, 4);
	bytes_put(w, SNAPSHOT_VERSION, 4);
	bytes_put_text(w, h->name);
	bytes_put_text(w, h->target_id);
	put_time(w, &h->wall);
	put_time(w, &h->since);
	bytes_put(w, (uint64_t)h->pid, 4);
	bytes_put(w, h->start_ticks, 8);
	bytes_put(w, h->uid, 4);
}

static int check(const struct kept_snapshot *s)
{
	const struct snapshot_head *h = &s->head;

	if (snapshot_check_name(h->name) < 0 || h->pid < 0 ||
	    memchr(h->target_id, 0, sizeof(h->target_id)) == NULL ||
	    (h->pid == 0) != (h->target_id[0] == '\0'))
		return -EINVAL;
	for (size_t i = 0; i < s->n; i++)
		if (s->sites[i].n_frames > UINT16_MAX)
			return -EINVAL;
	return s->n > UINT32_MAX ? -EFBIG : 0;
}

static int put_all(struct bytes_writer *w, const struct kept_snapshot *s)
{
	_cleanup_(list_done) struct list texts = { 0 }, frames = { 0 };
	_cleanup_(bytes_done) struct bytes_writer sites = { 0 };

	for (size_t i = 0; i < s->n; i++)
		put_site(&sites, &s->sites[i], &frames, &texts);
	put_header(w, &s->head);
	bytes_put(w, texts.n, 4);
	bytes_put(w, texts.bytes.n, 8);
	bytes_append(w, &texts.bytes);
	bytes_put(w, frames.n, 4);
	bytes_append(w, &frames.bytes);
	bytes_put(w, s->n, 4);
	bytes_append(w, &sites);
	if (w->n > UINT32_MAX)
		return -EFBIG;
	bytes_put(w, crc32_z(0, w->start, w->n), 4);
	return w->failed ? -ENOMEM : 0;
}

int snapshot_pack(const struct kept_snapshot *s, void **ret, size_t *ret_size)
{
	_cleanup_(bytes_done) struct bytes_writer w = { 0 };
	int r;

	r = check(s);
	if (r < 0)
		return r;
	r = put_all(&w, s);
	if (r < 0)
		return r;
	*ret_size = w.n;
	*ret = TAKE_PTR(w.start);
	return 0;
}

struct kept_snapshot *kept_snapshot_free(struct kept_snapshot *s)
{
	if (!s)
		return NULL;
	free(s->texts);
	free(s->frames);
	free(s->pointers);
	free(s->sites);
	free(s->head.name);
	free(s);
	return NULL;
}
