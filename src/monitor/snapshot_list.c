// SPDX-License-Identifier: GPL-2.0-or-later
/* Snapshots by name. See snapshot_list.h. */
#include "monitor/snapshot_list.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "heap/naming.h"
#include "heap/snapshot_pack.h"
#include "history/history.h"

void monitor_snapshot_done(struct monitor_snapshot *s)
{
	snapshot_free(s->taken);
	free(s->packed);
	free(s->head.name);
	*s = (struct monitor_snapshot){ 0 };
}

void snapshot_list_done(struct snapshot_list *l)
{
	for (size_t i = 0; i < l->n; i++)
		monitor_snapshot_done(&l->items[i]);
	free(l->items);
	*l = (struct snapshot_list){ .max = l->max };
}

static struct monitor_snapshot *find(const struct snapshot_list *l, const char *name)
{
	for (size_t i = 0; i < l->n; i++)
		if (strcmp(l->items[i].head.name, name) == 0)
			return &l->items[i];
	return NULL;
}

const struct monitor_snapshot *snapshot_list_find(const struct snapshot_list *l, const char *name)
{
	return find(l, name);
}

int snapshot_list_check(const struct snapshot_list *l, const char *name)
{
	if (snapshot_check_name(name) < 0)
		return -EINVAL;
	if (find(l, name))
		return -EEXIST;
	return l->n >= (l->max ? l->max : SNAPSHOTS_MAX) ? -ENOSPC : 0;
}

static void add_live(struct monitor_snapshot *s, const struct totals *t)
{
	s->sites++;
	s->live_bytes += totals_live_bytes(t);
	s->live_count += totals_live_count(t);
}

/* Takes over what *s owns, also on failure. */
static int append(struct snapshot_list *l, struct monitor_snapshot *s)
{
	struct monitor_snapshot *grown;
	int r;

	r = snapshot_list_check(l, s->head.name);
	grown = r == 0 ? reallocarray(l->items, l->n + 1, sizeof(*grown)) : NULL;
	if (!grown) {
		monitor_snapshot_done(s);
		return r < 0 ? r : -ENOMEM;
	}
	l->items = grown;
	l->items[l->n++] = *s;
	return 0;
}

int snapshot_list_describe(struct snapshot *taken, struct monitor_snapshot *ret)
{
	struct monitor_snapshot s = { .head = taken->head, .taken = taken };

	s.head.name = strdup(taken->head.name);
	if (!s.head.name) {
		monitor_snapshot_done(&s);
		return -ENOMEM;
	}
	for (size_t i = 0; i < taken->n; i++)
		add_live(&s, &taken->sites[i].totals);
	*ret = s;
	return 0;
}

int snapshot_list_add(struct snapshot_list *l, struct snapshot *taken,
		      const struct monitor_snapshot **ret)
{
	struct monitor_snapshot s;
	int r;

	r = snapshot_list_describe(taken, &s);
	if (r == 0)
		r = append(l, &s);
	if (r == 0 && ret)
		*ret = &l->items[l->n - 1];
	return r;
}

static int unpack(const void *value, size_t size, struct kept_snapshot **ret)
{
	_cleanup_free_ void *packed = NULL;
	size_t packed_size;
	int r;

	r = snapshot_inflate(value, size, &packed, &packed_size);
	return r < 0 ? r : snapshot_unpack(packed, packed_size, ret);
}

int snapshot_list_open(const struct monitor_snapshot *s, struct kept_snapshot **ret)
{
	return unpack(s->packed, s->packed_size, ret);
}

static int restore_one(struct snapshot_list *l, const char *name, const void *value, size_t size)
{
	_cleanup_(kept_snapshot_freep) struct kept_snapshot *kept = NULL;
	struct monitor_snapshot s = { .is_kept = true, .packed_size = size };
	int r;

	r = unpack(value, size, &kept);
	if (r == 0 && strcmp(kept->head.name, name) != 0)
		r = -EINVAL;
	if (r < 0)
		return r;
	s.head = kept->head;
	kept->head.name = NULL;
	for (size_t i = 0; i < kept->n; i++)
		add_live(&s, &kept->sites[i].totals);
	s.packed = malloc(size);
	if (!s.packed) {
		monitor_snapshot_done(&s);
		return -ENOMEM;
	}
	memcpy(s.packed, value, size);
	return append(l, &s);
}

static int restore(const char *name, const void *value, size_t size, void *userdata)
{
	struct snapshot_list *l = userdata;
	int r;

	/* The history begins anew when it finds damage on the way. */
	if (find(l, name))
		return 0;
	r = restore_one(l, name, value, size);
	if (r < 0)
		log_warning_errno(r,
				  "the snapshot %s of the history cannot be used, ignoring; "
				  "seepctl snapshot --drop removes it",
				  name);
	return r == -ENOMEM ? r : 0;
}

int snapshot_list_restore(struct snapshot_list *l, struct history *h)
{
	return history_each_snapshot(h, restore, l);
}

/* As the history has it. The caller frees *ret. */
static int pack(const struct snapshot *s, struct symbolizer *symbolizer, void **ret,
		size_t *ret_size)
{
	_cleanup_(naming_freep) struct naming *naming = NULL;
	struct kept_snapshot named = { .head = s->head };
	_cleanup_free_ void *packed = NULL;
	size_t size;
	int r;

	r = naming_of_snapshot(s, &naming);
	if (r == 0)
		r = naming_fill(naming, symbolizer);
	if (r < 0)
		return r;
	named.sites = naming->sites;
	named.n = naming->n;
	r = snapshot_pack(&named, &packed, &size);
	return r < 0 ? r : snapshot_deflate(packed, size, ret, ret_size);
}

int snapshot_list_keep(struct snapshot_list *l, struct history *h, struct symbolizer *symbolizer,
		       const char *name)
{
	struct monitor_snapshot *s = find(l, name);
	_cleanup_free_ void *packed = NULL;
	uint64_t wall_ms;
	size_t size;
	int r;

	if (!s || !s->taken)
		return -ENOENT;
	r = pack(s->taken, symbolizer, &packed, &size);
	if (r < 0)
		return r;
	wall_ms = (uint64_t)s->head.wall.tv_sec * 1000 + (uint64_t)s->head.wall.tv_nsec / 1000000;
	r = history_save_snapshot(h, name, packed, size, wall_ms);
	if (r == 0)
		s->is_kept = true;
	return r;
}

int snapshot_list_drop(struct snapshot_list *l, struct history *h, const char *name)
{
	struct monitor_snapshot *s = find(l, name);
	int r;

	r = h ? history_drop_snapshot(h, name) : -ENOENT;
	if (r < 0 && (r != -ENOENT || !s))
		return r;
	if (!s)
		return 0;
	monitor_snapshot_done(s);
	l->n--;
	memmove(s, s + 1, (size_t)(&l->items[l->n] - s) * sizeof(*s));
	return 0;
}
