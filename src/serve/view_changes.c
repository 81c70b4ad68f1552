// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * What changed between two snapshots, as JSON. See views.h.
 *
 * Within one life of the daemon stacks are told by their keys, and what came and went in between counts.
 * Of an earlier life only names are left: live blocks are compared by what their frames are called.
 *
 * Nothing is filtered by uid here: others than operators see snapshots of one target of theirs only.
 */
#include "serve/views.h"

#include <errno.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/values.h"
#include "heap/naming.h"
#include "heap/snapshot_pack.h"
#include "monitor.h"
#include "serve/listing.h"

static bool is_live_only(const struct view_ends *ends)
{
	return !ends->from->taken || !ends->to->taken;
}

/* Of two of this life. Frames are not filled in; they are borrowed from the snapshots. */
static int collect_changes(const struct view_ends *ends, struct naming **ret)
{
	_cleanup_(naming_freep) struct naming *naming = NULL;
	_cleanup_free_ struct snapshot_change *changes = NULL;
	size_t n;
	int r;

	r = snapshot_diff(ends->from->taken, ends->to->taken, &changes, &n);
	if (r < 0)
		return r;
	naming = naming_new(n);
	if (!naming)
		return -ENOMEM;
	for (size_t i = 0; i < n; i++) {
		const struct snapshot_change *c = &changes[i];
		const struct named_site named = {
			.target = c->target,
			.stack = c->stack,
			.totals = c->between,
			.stack_status = c->stack_status,
		};

		naming_add(naming, &named, c->frames, c->n_frames);
	}
	*ret = TAKE_PTR(naming);
	return 0;
}

/* What lacks names: the changes, or all of the end that is of this life. */
static int collect_unnamed(const struct view_ends *ends, struct naming **ret)
{
	if (!is_live_only(ends))
		return collect_changes(ends, ret);
	if (ends->from->taken)
		return naming_of_snapshot(ends->from->taken, ret);
	if (ends->to->taken)
		return naming_of_snapshot(ends->to->taken, ret);
	*ret = naming_new(0);
	return *ret ? 0 : -ENOMEM;
}

int view_resolve_changes(struct monitor *m, const struct view_ends *ends, void (*done)(void *),
			 void *userdata)
{
	_cleanup_(naming_freep) struct naming *naming = NULL;
	int r;

	r = collect_unnamed(ends, &naming);
	if (r < 0)
		return r;
	return listing_resolve(m, naming, done, userdata);
}

/*
 * A snapshot with names, of whichever life: @naming has those of this one, *ret_opened owns those of an
 * earlier one.
 */
static int name_end(const struct monitor_snapshot *s, const struct naming *naming,
		    struct kept_snapshot **ret_opened, struct kept_snapshot *ret)
{
	int r;

	if (s->taken) {
		*ret = (struct kept_snapshot){ .sites = naming->sites, .n = naming->n };
		return 0;
	}
	r = monitor_open_snapshot(s, ret_opened);
	if (r == 0)
		*ret = **ret_opened;
	return r;
}

/* What @sites borrow from. */
struct opened {
	struct kept_snapshot *from, *to; /* owned; NULL: of this life */
};

static void opened_done(struct opened *o)
{
	kept_snapshot_free(o->from);
	kept_snapshot_free(o->to);
}

/* @naming: of the end that is of this life, if one is. The caller frees the array, and *opened. */
static int compare_live(const struct view_ends *ends, const struct naming *naming,
			struct opened *opened, struct named_site **ret, size_t *ret_n)
{
	struct kept_snapshot from, to;
	int r;

	r = name_end(ends->from, naming, &opened->from, &from);
	if (r == 0)
		r = name_end(ends->to, naming, &opened->to, &to);
	if (r == 0)
		r = kept_snapshot_difference(&from, &to, ret, ret_n);
	if (r < 0)
		return r;
	for (size_t i = 0; i < *ret_n; i++)
		(*ret)[i].target = ends->target_key;
	return 0;
}

/* Between the two, when blocks began to be followed anew. */
static json_t *counted_since(const struct view_ends *ends)
{
	const struct timespec *taken = &ends->from->head.wall, *since = &ends->to->head.since;
	bool is_between = since->tv_sec > taken->tv_sec ||
			  (since->tv_sec == taken->tv_sec && since->tv_nsec > taken->tv_nsec);

	return is_between ? view_time(since) : json_null();
}

static int put_ends(json_t *o, const struct view_ends *ends)
{
	json_t *from = NULL, *to = NULL;
	int r = 0;

	r |= view_snapshot(ends->from, &from);
	r |= view_put(o, "from", from);
	r |= view_snapshot(ends->to, &to);
	r |= view_put(o, "to", to);
	r |= view_put(o, "live_only", json_boolean(is_live_only(ends)));
	r |= view_put(o, "counted_since", counted_since(ends));
	return r;
}

int view_changes(struct monitor *m, const struct view_ends *ends,
		 const struct group_options *options, json_t **ret)
{
	const struct listing l = {
		.monitor = m,
		.options = options,
		.is_change = true,
		.now_ns = clock_ns(CLOCK_MONOTONIC),
	};
	_cleanup_(naming_freep) struct naming *naming = NULL;
	_cleanup_(opened_done) struct opened opened = { 0 };
	_cleanup_free_ struct named_site *live = NULL;
	json_auto_t *o = json_object();
	size_t n_live;
	int r;

	r = collect_unnamed(ends, &naming);
	if (r == 0)
		r = naming_fill(naming, monitor_symbolizer(m));
	if (r == 0 && is_live_only(ends))
		r = compare_live(ends, naming, &opened, &live, &n_live);
	if (r < 0)
		return r;
	if (put_ends(o, ends) < 0 || listing_put(o, &l, ends->target_key, live ?: naming->sites,
						 live ? n_live : naming->n) < 0)
		return -ENOMEM;
	*ret = TAKE_PTR(o);
	return 0;
}
