// SPDX-License-Identifier: GPL-2.0-or-later
/* Sites as JSON, and the list that a change is as well. See views.h and listing.h. */
#include "serve/views.h"

#include <errno.h>

#include "base/cleanup.h"
#include "monitor.h"
#include "base/clock.h"
#include "heap/naming.h"
#include "serve/listing.h"
#include "serve/verdicts.h"
#include "base/values.h"
#include "symbolize/frame_json.h"
#include "symbolize/symbolizer.h"

/* Sites of the scope, frames not filled in. @verdicts may be NULL. */
static int collect_sites(struct monitor *m, const struct view_scope *scope,
			 const struct verdicts *verdicts, struct naming **ret)
{
	_cleanup_(naming_freep) struct naming *naming = NULL;
	_cleanup_free_ struct site **sites = NULL;
	size_t n;
	int r;

	r = heap_list(monitor_heap(m), scope->target, &sites, &n);
	if (r < 0)
		return r;
	naming = naming_new(n);
	if (!naming)
		return -ENOMEM;
	for (size_t i = 0; i < n; i++) {
		const struct site *s = sites[i];
		struct named_site named = {
			.target = s->target,
			.stack = s->stack,
			.totals = s->totals,
			.oldest_ns = s->oldest_ns,
			.stack_status = s->stack_status,
		};

		if (!view_scope_has(m, scope, s->target))
			continue;
		named.growth = slope_estimate(&s->live);
		if (verdicts)
			named.verdict = verdicts_find(verdicts, s->target, s->stack);
		naming_add(naming, &named, s->frames, s->n_frames);
	}
	*ret = TAKE_PTR(naming);
	return 0;
}

int listing_resolve(struct monitor *m, const struct naming *naming, void (*done)(void *),
		    void *userdata)
{
	struct symbolizer *s = monitor_symbolizer(m);
	_cleanup_free_ uint64_t *frames = NULL;
	size_t n;
	int r;

	r = naming_unknown(naming, s, &frames, &n);
	if (r < 0)
		return r;
	return symbolizer_resolve(s, frames, n, done, userdata);
}

int view_resolve_scope(struct monitor *m, const struct view_scope *scope, void (*done)(void *),
		       void *userdata)
{
	_cleanup_(naming_freep) struct naming *naming = NULL;
	int r;

	r = collect_sites(m, scope, NULL, &naming);
	if (r < 0)
		return r;
	return listing_resolve(m, naming, done, userdata);
}

int view_resolve(struct monitor *m, uint32_t target_key, void (*done)(void *), void *userdata)
{
	const struct view_scope scope = { .target = target_key };

	return view_resolve_scope(m, &scope, done, userdata);
}

static json_t *frame_json(const struct frame *f, enum group_by by)
{
	/* A group's frame is one of many: what is finer than the grouping would be arbitrary. */
	bool has_line = by == GROUP_BY_STACK || by == GROUP_BY_LINE;
	bool has_function = has_line || by == GROUP_BY_FUNCTION;
	bool has_file = has_function || by == GROUP_BY_FILE;
	bool has_offset = by == GROUP_BY_STACK;
	/* What has no module, as frames of Python, is grouped by its file. */
	bool is_file_module = by == GROUP_BY_MODULE && !f->module;
	struct frame shown = *f;
	json_auto_t *o = NULL;

	shown.function = has_function ? f->function : NULL;
	shown.file = has_file || is_file_module ? f->file : NULL;
	shown.line = has_line ? f->line : 0;
	o = frame_to_json(&shown);
	if (!has_offset && view_put(o, "offset", json_null()) < 0)
		return NULL;
	return TAKE_PTR(o);
}

/* An entry of several targets has no one target: each of them is listed, and thus there. */
static json_t *trend_json(const struct listing *l, const struct group *g)
{
	const struct alert *a = l->verdicts ? verdicts_get(l->verdicts, g->verdict) : NULL;
	const struct target *t = g->target ? monitor_target_by_key(l->monitor, g->target) : NULL;

	return view_trend(a, !g->target || (t && t->state == TARGET_TRACED), &g->growth);
}

static int put_totals(json_t *o, const struct listing *l, const struct totals *t, bool average)
{
	json_int_t bytes, count;
	int r = 0;

	if (l->is_change) {
		bytes = totals_change_bytes(t);
		count = totals_change_count(t);
	} else {
		uint64_t live_bytes = totals_live_bytes(t), live_count = totals_live_count(t);

		bytes = live_bytes > INT64_MAX ? INT64_MAX : (json_int_t)live_bytes;
		count = live_count > INT64_MAX ? INT64_MAX : (json_int_t)live_count;
	}
	r |= view_put(o, "live_bytes", json_integer(bytes));
	r |= view_put(o, "live_count", json_integer(count));
	/* Of a change: an average only where bytes and blocks moved the same way. */
	if (average)
		r |= view_put(o, "average_bytes",
			      count && (bytes < 0) == (count < 0) ? json_integer(bytes / count) :
			      l->is_change			  ? json_null() :
								    json_integer(0));
	r |= view_put(o, "allocated_bytes", view_u64(t->allocated_bytes));
	r |= view_put(o, "allocated_count", view_u64(t->allocated_count));
	r |= view_put(o, "freed_bytes", view_u64(t->freed_bytes));
	r |= view_put(o, "freed_count", view_u64(t->freed_count));
	return r;
}

/* Standard error of live_bytes; 0 where every block was taken. */
static json_t *error_bytes(const struct listing *l, const struct totals *t)
{
	return view_u64(l->is_change ? totals_change_error(t) : totals_live_error(t));
}

static json_t *totals_json(const struct listing *l, const struct totals *t)
{
	json_auto_t *o = json_object();
	int r = put_totals(o, l, t, false);

	r |= view_put(o, "error_bytes", error_bytes(l, t));
	return r < 0 ? NULL : TAKE_PTR(o);
}

/* What the filters kept out. */
static json_t *hidden_json(const struct listing *l, const struct group_result *result)
{
	json_auto_t *o = totals_json(l, &result->hidden);

	return o && view_put(o, "sites", view_u64(result->n_hidden)) == 0 ? TAKE_PTR(o) : NULL;
}

static json_t *target_id(struct monitor *m, uint32_t key)
{
	const struct target *t = key ? monitor_target_by_key(m, key) : NULL;

	return view_text(t ? t->id : NULL);
}

static json_t *oldest_seconds(const struct listing *l, uint64_t oldest_ns)
{
	if (!oldest_ns)
		return json_null();
	return view_seconds(l->now_ns > oldest_ns ? l->now_ns - oldest_ns : 0);
}

static json_t *site_json(const struct listing *l, const struct group *g)
{
	json_auto_t *o = json_object(), *frames = json_array();
	int r = 0;

	for (size_t i = 0; i < g->n_frames; i++)
		r |= view_append(frames, frame_json(g->frames[i], l->options->by));
	r |= view_put(o, "site_id", view_hex(g->site_id));
	r |= view_put(o, "leak_id", g->leak_id ? view_hex(g->leak_id) : json_null());
	r |= view_put(o, "target", target_id(l->monitor, g->target));
	r |= put_totals(o, l, &g->totals, true);
	r |= view_put(o, "error_bytes", error_bytes(l, &g->totals));
	r |= view_put(o, "oldest_seconds", oldest_seconds(l, g->oldest_ns));
	r |= view_put(o, "sites", view_u64(g->n_sites));
	r |= view_put(o, "frames", TAKE_PTR(frames));
	r |= view_put(o, "stack_status",
		      view_text(stack_status_name((enum stack_status)g->stack_status)));
	r |= view_put(o, "trend", trend_json(l, g));
	return r < 0 ? NULL : TAKE_PTR(o);
}

/* What is known of the one target that was asked for. */
static int put_target(json_t *o, struct monitor *m, uint32_t key)
{
	const struct target *t = key ? monitor_target_by_key(m, key) : NULL;
	json_auto_t *coverage = NULL;
	int r = 0;

	r |= view_put(o, "target", view_text(t ? t->id : NULL));
	if (!t)
		return r;
	r |= view_coverage(&t->coverage, &coverage);
	r |= view_put(o, "coverage", TAKE_PTR(coverage));
	return r;
}

int listing_put(json_t *o, const struct listing *l, uint32_t target, const struct named_site *sites,
		size_t n)
{
	_cleanup_(group_result_freep) struct group_result *result = NULL;
	json_auto_t *list = json_array();
	int r;

	r = group_sites(sites, n, l->options, &result);
	if (r < 0)
		return r;
	for (size_t i = 0; i < result->n; i++)
		r |= view_append(list, site_json(l, &result->groups[i]));
	r |= view_put(o, "sites", TAKE_PTR(list));
	r |= view_put(o, "total", view_u64(result->n_total));
	r |= view_put(o, "limit", view_u64_or_null(l->options->limit));
	r |= view_put(o, "sum", totals_json(l, &result->sum));
	r |= view_put(o, "hidden", hidden_json(l, result));
	r |= view_put(o, "by", view_text(group_by_name(l->options->by)));
	r |= view_put(o, "sort", view_text(group_sort_name(l->options->sort)));
	r |= put_target(o, l->monitor, target);
	return r;
}

int view_sites_scope(struct monitor *m, const struct view_scope *scope,
		     const struct group_options *options, json_t **ret)
{
	_cleanup_(verdicts_freep) struct verdicts *verdicts = verdicts_new(monitor_alerts(m));
	const struct listing l = {
		.monitor = m,
		.options = options,
		.verdicts = verdicts,
		.now_ns = clock_ns(CLOCK_MONOTONIC),
	};
	_cleanup_(naming_freep) struct naming *naming = NULL;
	json_auto_t *o = json_object();
	int r;

	if (!verdicts)
		return -ENOMEM;

	/* Without ages oldest_seconds is null; the rest is still worth an answer. */
	(void)monitor_scan_ages(m);
	r = collect_sites(m, scope, verdicts, &naming);
	if (r == 0)
		r = naming_fill(naming, monitor_symbolizer(m));
	if (r < 0)
		return r;
	if (listing_put(o, &l, scope->target, naming->sites, naming->n) < 0)
		return -ENOMEM;
	*ret = TAKE_PTR(o);
	return 0;
}

int view_sites(struct monitor *m, uint32_t target_key, const struct group_options *options,
	       json_t **ret)
{
	const struct view_scope scope = { .target = target_key };

	return view_sites_scope(m, &scope, options, ret);
}
