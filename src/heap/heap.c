// SPDX-License-Identifier: GPL-2.0-or-later
/* The sites of all targets. See heap.h. */
#include "heap/heap.h"

#include <errno.h>
#include <math.h>
#include <string.h>

/* A failed insertion leaves the element's table pointer NULL instead of ending the program. */
#define HASH_NONFATAL_OOM 1
#include <uthash.h>

struct heap_target;

struct entry {
	struct site site;   /* first: heap_find() and heap_list() hand it out */
	struct entry *next; /* of the same target */
	UT_hash_handle hh;  /* by site.stack, in heap.sites */
};

struct heap_target {
	uint32_t target;
	struct entry *entries; /* owned, newest first */
	size_t n;
	struct slope live;
	UT_hash_handle hh; /* by target, in heap.targets */
};

struct heap {
	struct entry *sites;	     /* all of them; owned by their targets */
	struct heap_target *targets; /* owned */
};

uint64_t totals_live_bytes(const struct totals *t)
{
	return t->allocated_bytes > t->freed_bytes ? t->allocated_bytes - t->freed_bytes : 0;
}

uint64_t totals_live_count(const struct totals *t)
{
	return t->allocated_count > t->freed_count ? t->allocated_count - t->freed_count : 0;
}

static uint64_t standard_error(double variance)
{
	return (uint64_t)llround(sqrt(variance * TOTALS_VARIANCE_UNIT));
}

uint64_t totals_live_error(const struct totals *t)
{
	if (t->allocated_variance <= t->freed_variance)
		return 0;
	return standard_error((double)(t->allocated_variance - t->freed_variance));
}

uint64_t totals_change_error(const struct totals *t)
{
	return standard_error((double)t->allocated_variance + (double)t->freed_variance);
}

int64_t totals_change_bytes(const struct totals *t)
{
	return (int64_t)(t->allocated_bytes - t->freed_bytes);
}

int64_t totals_change_count(const struct totals *t)
{
	return (int64_t)(t->allocated_count - t->freed_count);
}

void totals_add(struct totals *sum, const struct totals *t)
{
	sum->allocated_bytes += t->allocated_bytes;
	sum->allocated_count += t->allocated_count;
	sum->freed_bytes += t->freed_bytes;
	sum->freed_count += t->freed_count;
	sum->allocated_variance += t->allocated_variance;
	sum->freed_variance += t->freed_variance;
}

static void subtract(uint64_t *from, uint64_t n)
{
	*from = *from > n ? *from - n : 0;
}

void totals_subtract(struct totals *sum, const struct totals *t)
{
	subtract(&sum->allocated_bytes, t->allocated_bytes);
	subtract(&sum->allocated_count, t->allocated_count);
	subtract(&sum->freed_bytes, t->freed_bytes);
	subtract(&sum->freed_count, t->freed_count);
	subtract(&sum->allocated_variance, t->allocated_variance);
	subtract(&sum->freed_variance, t->freed_variance);
}

struct heap *heap_new(void)
{
	return calloc(1, sizeof(struct heap));
}

struct heap *heap_free(struct heap *h)
{
	if (!h)
		return NULL;
	while (h->targets)
		heap_remove_target(h, h->targets->target);
	free(h);
	return NULL;
}

static struct heap_target *find_target(const struct heap *h, uint32_t target)
{
	struct heap_target *t;

	HASH_FIND(hh, h->targets, &target, sizeof(target), t);
	return t;
}

static struct entry *find_entry(const struct heap *h, uint64_t stack)
{
	struct entry *e;

	HASH_FIND(hh, h->sites, &stack, sizeof(stack), e);
	return e;
}

static struct heap_target *make_target(struct heap *h, uint32_t target)
{
	struct heap_target *t = find_target(h, target);

	if (t)
		return t;
	t = calloc(1, sizeof(*t));
	if (!t)
		return NULL;
	t->target = target;
	HASH_ADD(hh, h->targets, target, sizeof(t->target), t);
	if (!t->hh.tbl) {
		free(t);
		return NULL;
	}
	return t;
}

static struct entry *make_entry(struct heap *h, uint32_t target, uint64_t stack, uint64_t now_ns)
{
	struct heap_target *t;
	struct entry *e;

	t = make_target(h, target);
	if (!t)
		return NULL;
	e = calloc(1, sizeof(*e));
	if (!e)
		return NULL;
	e->site.stack = stack;
	e->site.target = target;
	e->site.first_seen_ns = now_ns;
	HASH_ADD(hh, h->sites, site.stack, sizeof(e->site.stack), e);
	if (!e->hh.tbl) {
		free(e);
		return NULL;
	}
	e->next = t->entries;
	t->entries = e;
	t->n++;
	return e;
}

int heap_update(struct heap *h, uint32_t target, uint64_t stack, const struct totals *totals,
		uint64_t now_ns, struct site **ret)
{
	struct entry *e;
	int is_new = 0;

	if (target == 0)
		return -EINVAL;
	e = find_entry(h, stack);
	if (e && e->site.target != target)
		return -EEXIST;
	if (!e) {
		e = make_entry(h, target, stack, now_ns);
		if (!e)
			return -ENOMEM;
		is_new = 1;
	}
	e->site.totals = *totals;
	slope_add(&e->site.live, now_ns, (double)totals_live_bytes(totals));

	if (ret)
		*ret = &e->site;
	return is_new;
}

int heap_set_frames(struct site *s, const uint64_t *frames, uint16_t n, uint8_t stack_status)
{
	uint64_t *copy;

	/* One at least, so that a known stack without frames differs from an unknown one. */
	copy = calloc(n ? n : 1, sizeof(*copy));
	if (!copy)
		return -ENOMEM;
	if (n > 0)
		memcpy(copy, frames, n * sizeof(*copy));
	free(s->frames);
	s->frames = copy;
	s->n_frames = n;
	s->stack_status = stack_status;
	return 0;
}

struct site *heap_find(const struct heap *h, uint64_t stack)
{
	struct entry *e = find_entry(h, stack);

	return e ? &e->site : NULL;
}

/* Visits the sites of a target (0: of all): NULL at the end. */
static struct entry *next_entry(const struct entry *e, uint32_t target)
{
	return target == 0 ? e->hh.next : e->next;
}

static struct entry *first_entry(const struct heap *h, uint32_t target)
{
	struct heap_target *t;

	if (target == 0)
		return h->sites;
	t = find_target(h, target);
	return t ? t->entries : NULL;
}

int heap_list(const struct heap *h, uint32_t target, struct site ***ret, size_t *ret_n)
{
	size_t n = heap_count(h, target);
	struct site **list;
	size_t i = 0;

	list = calloc(n ? n : 1, sizeof(struct site *));
	if (!list)
		return -ENOMEM;
	for (struct entry *e = first_entry(h, target); e; e = next_entry(e, target))
		list[i++] = &e->site;

	*ret = list;
	*ret_n = n;
	return 0;
}

struct totals heap_sum(const struct heap *h, uint32_t target)
{
	struct totals sum = { 0 };

	for (struct entry *e = first_entry(h, target); e; e = next_entry(e, target))
		totals_add(&sum, &e->site.totals);
	return sum;
}

size_t heap_count(const struct heap *h, uint32_t target)
{
	struct heap_target *t;

	if (target == 0)
		return HASH_COUNT(h->sites);
	t = find_target(h, target);
	return t ? t->n : 0;
}

const struct slope *heap_target_slope(const struct heap *h, uint32_t target)
{
	struct heap_target *t = find_target(h, target);

	return t && t->live.n > 0 ? &t->live : NULL;
}

int heap_target_tick(struct heap *h, uint32_t target, uint64_t now_ns)
{
	struct heap_target *t;
	uint64_t live = 0;

	if (target == 0)
		return -EINVAL;
	t = make_target(h, target);
	if (!t)
		return -ENOMEM;
	/* Site by site: a free that a racing read shows early hides nothing of the other sites. */
	for (struct entry *e = t->entries; e; e = e->next)
		live += totals_live_bytes(&e->site.totals);
	slope_add(&t->live, now_ns, (double)live);
	return 0;
}

int heap_restore_site(struct heap *h, uint32_t target, uint64_t stack, uint64_t first_seen_ns,
		      const struct slope *live)
{
	struct entry *e;

	if (target == 0 || live->n > SLOPE_POINTS)
		return -EINVAL;
	if (find_entry(h, stack))
		return -EEXIST;
	e = make_entry(h, target, stack, first_seen_ns);
	if (!e)
		return -ENOMEM;
	e->site.live = *live;
	return 0;
}

int heap_restore_target(struct heap *h, uint32_t target, const struct slope *live)
{
	struct heap_target *t;

	if (target == 0 || live->n > SLOPE_POINTS)
		return -EINVAL;
	t = make_target(h, target);
	if (!t)
		return -ENOMEM;
	t->live = *live;
	return 0;
}

void heap_remove_target(struct heap *h, uint32_t target)
{
	struct heap_target *t = find_target(h, target);

	if (!t)
		return;
	while (t->entries) {
		struct entry *e = t->entries;

		t->entries = e->next;
		HASH_DELETE(hh, h->sites, e);
		free(e->site.frames);
		free(e);
	}
	HASH_DELETE(hh, h->targets, t);
	free(t);
}
