// SPDX-License-Identifier: GPL-2.0-or-later
/* Kept ticks, and the difference of two. See snapshot.h. */
#include "heap/snapshot.h"

#include <errno.h>
#include <stdbool.h>
#include <string.h>

#define NAME_BYTES_MAX 64

int snapshot_check_name(const char *name)
{
	size_t n = strspn(name, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
				"0123456789._-");

	if (n == 0 || n > NAME_BYTES_MAX || name[n] != '\0' || name[0] == '.' || name[0] == '-')
		return -EINVAL;
	return 0;
}

static int compare_sites(const void *pa, const void *pb)
{
	const struct snapshot_site *a = pa;
	const struct snapshot_site *b = pb;

	return (a->stack > b->stack) - (a->stack < b->stack);
}

static int copy_site(const struct site *site, struct snapshot_site *ret)
{
	uint64_t *frames = NULL;

	if (site->frames) {
		frames = calloc(site->n_frames ? site->n_frames : 1, sizeof(*frames));
		if (!frames)
			return -ENOMEM;
		memcpy(frames, site->frames, site->n_frames * sizeof(*frames));
	}
	*ret = (struct snapshot_site){
		.stack = site->stack,
		.target = site->target,
		.totals = site->totals,
		.n_frames = site->n_frames,
		.stack_status = site->stack_status,
		.frames = frames,
	};
	return 0;
}

int snapshot_take(const struct heap *h, uint32_t target, const char *name, struct timespec wall,
		  uint64_t now_ns, struct snapshot **ret)
{
	_cleanup_(snapshot_freep) struct snapshot *s = NULL;
	_cleanup_free_ struct site **sites = NULL;
	size_t n;
	int r;

	r = snapshot_check_name(name);
	if (r < 0)
		return r;
	r = heap_list(h, target, &sites, &n);
	if (r < 0)
		return r;
	s = calloc(1, sizeof(*s));
	if (!s)
		return -ENOMEM;
	s->head.name = strdup(name);
	s->sites = calloc(n ? n : 1, sizeof(*s->sites));
	if (!s->head.name || !s->sites)
		return -ENOMEM;
	for (; s->n < n; s->n++) {
		r = copy_site(sites[s->n], &s->sites[s->n]);
		if (r < 0)
			return r;
	}
	qsort(s->sites, s->n, sizeof(*s->sites), compare_sites);
	s->head.wall = wall;
	s->time_ns = now_ns;
	s->target = target;

	*ret = TAKE_PTR(s);
	return 0;
}

struct snapshot *snapshot_free(struct snapshot *s)
{
	if (!s)
		return NULL;
	for (size_t i = 0; i < s->n; i++)
		free(s->sites[i].frames);
	free(s->sites);
	free(s->head.name);
	free(s);
	return NULL;
}

/* What happened between the two ticks; NULL where the stack was not there (yet, or any more). */
static struct snapshot_change change_between(const struct snapshot_site *from,
					     const struct snapshot_site *to)
{
	const struct snapshot_site *any = to ? to : from;
	const struct snapshot_site *framed = any->frames || !from ? any : from;
	struct snapshot_change c = {
		.stack = any->stack,
		.target = any->target,
		.n_frames = framed->n_frames,
		.stack_status = framed->stack_status,
		.frames = framed->frames,
	};

	if (!to) {
		c.between.freed_bytes = totals_live_bytes(&from->totals);
		c.between.freed_count = totals_live_count(&from->totals);
		return c;
	}
	c.between = to->totals;
	if (from)
		totals_subtract(&c.between, &from->totals);
	return c;
}

static bool is_change(const struct totals *t)
{
	return t->allocated_bytes || t->allocated_count || t->freed_bytes || t->freed_count;
}

/* The next site of @target (0: of any) at or behind *i; NULL at the end. */
static const struct snapshot_site *next_site(const struct snapshot *s, size_t *i, uint32_t target)
{
	while (*i < s->n && target && s->sites[*i].target != target)
		(*i)++;
	return *i < s->n ? &s->sites[*i] : NULL;
}

int snapshot_diff(const struct snapshot *from, const struct snapshot *to,
		  struct snapshot_change **ret, size_t *ret_n)
{
	_cleanup_free_ struct snapshot_change *changes = NULL;
	/* One of all targets against one of a single target: compare what both looked at. */
	uint32_t target = from->target ? from->target : to->target;
	const struct snapshot_site *a, *b;
	size_t i = 0;
	size_t j = 0;
	size_t n = 0;

	if (to->target && to->target != target)
		return -EINVAL;
	changes = calloc(from->n + to->n + 1, sizeof(*changes));
	if (!changes)
		return -ENOMEM;
	for (;;) {
		struct snapshot_change c;

		a = next_site(from, &i, target);
		b = next_site(to, &j, target);
		if (!a && !b)
			break;
		if (a && b && a->stack != b->stack) {
			/* The lower one alone; the other's turn comes. */
			if (a->stack < b->stack)
				b = NULL;
			else
				a = NULL;
		}
		i += a != NULL;
		j += b != NULL;
		c = change_between(a, b);
		if (is_change(&c.between))
			changes[n++] = c;
	}

	*ret = TAKE_PTR(changes);
	*ret_n = n;
	return 0;
}
