// SPDX-License-Identifier: GPL-2.0-or-later
/* Bytes to snapshots: nothing of them is believed. See snapshot_pack.h and snapshot_bytes.h. */
#include "heap/snapshot_pack.h"

#include <errno.h>
#include <stdbool.h>
#include <string.h>
#include <zlib.h>

#include "base/utf8.h"
#include "heap/snapshot_bytes.h"

struct input {
	const uint8_t *at, *end;
	bool failed; /* too short, or a number out of its bounds */
};

static uint64_t get(struct input *in, size_t n)
{
	uint64_t v = 0;

	if ((size_t)(in->end - in->at) < n) {
		in->failed = true;
		return 0;
	}
	for (size_t i = 0; i < n; i++)
		v |= (uint64_t)*in->at++ << (8 * i);
	return v;
}

/* How many follow, of at least @size bytes each. */
static size_t get_count(struct input *in, size_t size)
{
	uint64_t n = get(in, 4);

	if (n > (size_t)(in->end - in->at) / size) {
		in->failed = true;
		return 0;
	}
	return n;
}

/* Copies a text to *to, with its end, and moves that behind it. */
static void get_text(struct input *in, char **to)
{
	size_t n = get(in, 2);

	if ((size_t)(in->end - in->at) < n || !utf8_is_printable((const char *)in->at, n)) {
		in->failed = true;
		n = 0;
	}
	memcpy(*to, in->at, n);
	(*to)[n] = '\0';
	*to += n + 1;
	in->at += n;
}

static struct timespec get_time(struct input *in)
{
	struct timespec t = { .tv_sec = (time_t)get(in, 8) };
	uint64_t nanoseconds = get(in, 4);

	in->failed |= nanoseconds >= 1000000000;
	t.tv_nsec = (long)nanoseconds;
	return t;
}

static int get_header(struct input *in, struct snapshot_head *h)
{
	char name[UINT16_MAX + 1], target[UINT16_MAX + 1];
	char *at = name;
	uint64_t pid;

	get_text(in, &at);
	at = target;
	get_text(in, &at);
	h->wall = get_time(in);
	h->since = get_time(in);
	pid = get(in, 4);
	h->start_ticks = get(in, 8);
	h->uid = (uid_t)get(in, 4);
	if (in->failed || snapshot_check_name(name) < 0 || strlen(target) >= sizeof(h->target_id) ||
	    pid > INT32_MAX || (pid == 0) != (target[0] == '\0'))
		return -EINVAL;
	h->pid = (pid_t)pid;
	memcpy(h->target_id, target, strlen(target) + 1);
	h->name = strdup(name);
	return h->name ? 0 : -ENOMEM;
}

/* *ret: by number; the first is for none. */
static int get_texts(struct input *in, struct kept_snapshot *s, const char ***ret, size_t *ret_n)
{
	_cleanup_free_ const char **texts = NULL;
	size_t n = get_count(in, 2);
	uint64_t bytes = get(in, 8);
	char *at;

	if (in->failed || bytes > (size_t)(in->end - in->at))
		return -EINVAL;
	/* Two bytes of length become one of an end. */
	s->texts = malloc(bytes + n + 1);
	texts = calloc(n + 1, sizeof(*texts));
	if (!s->texts || !texts)
		return -ENOMEM;
	at = s->texts;
	for (size_t i = 1; i <= n; i++) {
		texts[i] = at;
		if ((size_t)(in->end - in->at) < 2 ||
		    (uint64_t)(at - s->texts) + (uint64_t)(in->at[0] | in->at[1] << 8) > bytes)
			return -EINVAL;
		get_text(in, &at);
		if (in->failed)
			return -EINVAL;
	}
	*ret = TAKE_PTR(texts);
	*ret_n = n;
	return 0;
}

static const char *text_of(struct input *in, const char **texts, size_t n)
{
	uint64_t number = get(in, 4);

	if (number > n) {
		in->failed = true;
		return NULL;
	}
	return texts[number];
}

static int get_frames(struct input *in, struct kept_snapshot *s, size_t *ret_n)
{
	_cleanup_free_ const char **texts = NULL;
	size_t n_texts, n;
	int r;

	r = get_texts(in, s, &texts, &n_texts);
	if (r < 0)
		return r;
	n = get_count(in, SNAPSHOT_FRAME);
	s->frames = calloc(n + 1, sizeof(*s->frames));
	if (!s->frames)
		return -ENOMEM;
	for (size_t i = 0; i < n; i++) {
		struct frame *f = &s->frames[i];
		uint64_t flags = get(in, 1);

		in->failed |= flags > 7 || (flags & 5) == 5;
		f->kind = flags & 1 ? FRAME_INLINED : flags & 4 ? FRAME_PYTHON : FRAME_NATIVE;
		f->approximate = flags >> 1 & 1;
		f->function = text_of(in, texts, n_texts);
		f->file = text_of(in, texts, n_texts);
		f->module = text_of(in, texts, n_texts);
		f->build_id = text_of(in, texts, n_texts);
		f->line = (uint32_t)get(in, 4);
		f->offset = get(in, 8);
	}
	*ret_n = n;
	return in->failed ? -EINVAL : 0;
}

static void get_site(struct input *in, struct kept_snapshot *s, size_t n_frames,
		     const struct frame ***pointers)
{
	struct named_site *site = &s->sites[s->n++];
	struct totals *t = &site->totals;

	t->allocated_bytes = get(in, 8);
	t->allocated_count = get(in, 8);
	t->freed_bytes = get(in, 8);
	t->freed_count = get(in, 8);
	t->allocated_variance = get(in, 8);
	t->freed_variance = get(in, 8);
	site->stack_status = (uint8_t)get(in, 1);
	site->n_frames = get(in, 2);
	site->frames = *pointers;
	if ((size_t)(in->end - in->at) / 4 < site->n_frames) {
		in->failed = true;
		return;
	}
	for (size_t i = 0; i < site->n_frames; i++) {
		uint64_t number = get(in, 4);

		if (number == 0 || number > n_frames) {
			in->failed = true;
			return;
		}
		*(*pointers)++ = &s->frames[number - 1];
	}
}

static int get_sites(struct input *in, struct kept_snapshot *s, size_t n_frames)
{
	size_t n = get_count(in, SNAPSHOT_SITE);
	const struct frame **at;

	s->sites = calloc(n + 1, sizeof(*s->sites));
	/* Each takes four bytes. */
	s->pointers = calloc((size_t)(in->end - in->at) / 4 + 1, sizeof(*s->pointers));
	if (!s->sites || !s->pointers)
		return -ENOMEM;
	at = s->pointers;
	while (!in->failed && s->n < n)
		get_site(in, s, n_frames, &at);
	return in->failed || in->at != in->end ? -EINVAL : 0;
}

static int check(const void *packed, size_t size, struct input *ret)
{
	struct input in = { packed, (const uint8_t *)packed + size, false };
	struct input tail;

	if (size < 12)
		return -EINVAL;
	in.end -= 4;
	tail = (struct input){ in.end, in.end + 4, false };
	if (get(&in, 4) != SNAPSHOT_MAGIC || get(&tail, 4) != crc32_z(0, packed, size - 4))
		return -EINVAL;
	if (get(&in, 4) != SNAPSHOT_VERSION)
		return -EPROTO;
	*ret = in;
	return 0;
}

int snapshot_unpack(const void *packed, size_t size, struct kept_snapshot **ret)
{
	_cleanup_(kept_snapshot_freep) struct kept_snapshot *s = NULL;
	struct input in;
	size_t n_frames;
	int r;

	r = check(packed, size, &in);
	if (r < 0)
		return r;
	s = calloc(1, sizeof(*s));
	if (!s)
		return -ENOMEM;
	r = get_header(&in, &s->head);
	if (r == 0)
		r = get_frames(&in, s, &n_frames);
	if (r == 0)
		r = get_sites(&in, s, n_frames);
	if (r < 0)
		return r;
	*ret = TAKE_PTR(s);
	return 0;
}
