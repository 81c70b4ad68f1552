// SPDX-License-Identifier: GPL-2.0-or-later
/* A census as JSON. See view_census.h. */
#include "serve/view_census.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "alert/alert.h"
#include "alert/book.h"
#include "base/cleanup.h"
#include "base/values.h"
#include "monitor.h"
#include "python/census.h"
#include "trend/evidence.h"

/* A line of the listing: a kind, or all of one type. */
struct row {
	const struct python_kind *kind; /* the largest */
	uint64_t id;			/* 0: not known */
	uint64_t leak;
	uint64_t count, bytes, cached;
	double per_hour;
	double error; /* squared while it is summed up */
	uint64_t since_ns;
	bool has_growth;
	const struct trend_evidence *evidence; /* the gravest; NULL: none */
};

static const char *const sorts[] = {
	[CENSUS_BY_BYTES] = "bytes",
	[CENSUS_BY_COUNT] = "count",
	[CENSUS_BY_GROWTH] = "growth",
};

int census_sort_parse(const char *text, enum census_sort *ret)
{
	for (size_t i = 0; i < ARRAY_SIZE(sorts); i++)
		if (strcmp(sorts[i], text) == 0) {
			*ret = (enum census_sort)i;
			return 0;
		}
	return -EINVAL;
}

/* --- rows ---------------------------------------------------------------------------------------- */

static struct row row_of(const struct monitor *m, const struct census_view *v, size_t i)
{
	const struct python_kind *k = &v->census->kinds[i];
	struct row row = { .kind = k, .count = k->count, .bytes = k->bytes, .cached = k->cached };
	struct monitor_kind known;

	if (!v->target || monitor_census_kind(m, v->target, i, &known) < 0)
		return row;
	row.id = known.id;
	row.evidence = known.evidence;
	row.leak = known.leak;
	row.has_growth = known.growth.valid;
	row.per_hour = known.growth.per_hour;
	row.error = known.growth.per_hour_error * known.growth.per_hour_error;
	row.since_ns = known.growth.since_ns;
	return row;
}

static int gravity(const struct trend_evidence *e)
{
	static const int of[] = {
		[TREND_QUIET] = 0,   [TREND_CLOSED] = 0,  [TREND_RESOLVED] = 1,
		[TREND_STOPPED] = 2, [TREND_SUSPECT] = 3, [TREND_EXHAUSTION] = 4,
		[TREND_LEAKING] = 5,
	};

	return e ? of[e->state] : 0;
}

static void add_row(struct row *to, const struct row *from)
{
	to->count += from->count;
	to->bytes += from->bytes;
	to->cached += from->cached;
	to->per_hour += from->has_growth ? from->per_hour : 0;
	to->error += from->has_growth ? from->error : 0;
	to->has_growth = to->has_growth || from->has_growth;
	if (from->since_ns && (!to->since_ns || from->since_ns < to->since_ns))
		to->since_ns = from->since_ns;
	if (gravity(from->evidence) > gravity(to->evidence)) {
		to->evidence = from->evidence;
		to->leak = from->leak;
	}
}

static int compare_types(const void *a, const void *b)
{
	const struct row *x = a, *y = b;
	int r = strcmp(x->kind->type, y->kind->type);

	return r ? r : (x->bytes < y->bytes) - (x->bytes > y->bytes);
}

static size_t merge_types(struct row *rows, size_t n)
{
	size_t kept = 0;

	qsort(rows, n, sizeof(*rows), compare_types);
	for (size_t i = 0; i < n; i++) {
		if (kept && strcmp(rows[kept - 1].kind->type, rows[i].kind->type) == 0)
			add_row(&rows[kept - 1], &rows[i]);
		else
			rows[kept++] = rows[i];
	}
	return kept;
}

static int compare_bytes(const void *a, const void *b)
{
	const struct row *x = a, *y = b;

	if (x->bytes != y->bytes)
		return x->bytes < y->bytes ? 1 : -1;
	return strcmp(x->kind->type, y->kind->type);
}

static int compare_counts(const void *a, const void *b)
{
	const struct row *x = a, *y = b;

	return x->count != y->count ? (x->count < y->count ? 1 : -1) : compare_bytes(a, b);
}

static int compare_growth(const void *a, const void *b)
{
	const struct row *x = a, *y = b;

	if (x->has_growth != y->has_growth)
		return x->has_growth ? -1 : 1;
	if (x->has_growth && (x->per_hour < y->per_hour || x->per_hour > y->per_hour))
		return x->per_hour < y->per_hour ? 1 : -1;
	return compare_bytes(a, b);
}

/* NULL: no memory. */
static struct row *make_rows(const struct monitor *m, const struct census_view *v,
			     const struct census_options *o, size_t *ret_n)
{
	static int (*const compare[])(const void *, const void *) = {
		[CENSUS_BY_BYTES] = compare_bytes,
		[CENSUS_BY_COUNT] = compare_counts,
		[CENSUS_BY_GROWTH] = compare_growth,
	};
	struct row *rows = calloc(v->census->n + 1, sizeof(*rows));
	size_t n = 0;

	if (!rows)
		return NULL;
	for (size_t i = 0; i < v->census->n; i++)
		rows[n++] = row_of(m, v, i);
	if (o->by_type)
		n = merge_types(rows, n);
	qsort(rows, n, sizeof(*rows), compare[o->sort]);
	*ret_n = n;
	return rows;
}

/* --- JSON ---------------------------------------------------------------------------------------- */

static json_t *growth_or_null(const struct row *row, double value)
{
	return row->has_growth && isfinite(value) ? json_integer((json_int_t)llround(value)) :
						    json_null();
}

/* The alert's word, where there is one: people have a say in it. */
static const char *verdict_of(struct monitor *m, const struct row *row, double *ret_confidence)
{
	const struct alert *a =
		row->evidence ? alert_book_find(monitor_alerts(m), row->leak) : NULL;

	*ret_confidence = NAN;
	if (!row->id)
		return "unknown";
	if (!row->evidence || row->evidence->state == TREND_QUIET)
		return alert_state_name(TREND_QUIET);
	*ret_confidence = row->evidence->confidence;
	return alert_state_name(a ? a->state : row->evidence->state);
}

static json_t *trend_json(struct monitor *m, const struct row *row)
{
	json_auto_t *o = json_object();
	double confidence;
	int r = 0;

	r |= view_put(o, "verdict", json_string(verdict_of(m, row, &confidence)));
	r |= view_put(o, "bytes_per_hour", growth_or_null(row, row->per_hour));
	r |= view_put(o, "bytes_per_hour_error", growth_or_null(row, sqrt(row->error)));
	r |= view_put(o, "confidence", view_real(confidence));
	r |= view_put(o, "since", view_monotonic(row->since_ns));
	return r < 0 ? NULL : TAKE_PTR(o);
}

static json_t *runs_json(const struct row *row, bool by_type)
{
	const struct python_kind *k = row->kind;
	json_auto_t *o = json_object();
	int r = 0;

	if (by_type || !k->function)
		return json_null();
	r |= view_put(o, "function", view_text(k->function));
	r |= view_put(o, "file", view_text(k->file));
	r |= view_put(o, "line", k->line > 0 ? json_integer(k->line) : json_null());
	r |= view_put(o, "done", json_boolean(k->done));
	return r < 0 ? NULL : TAKE_PTR(o);
}

static bool is_told(struct monitor *m, const struct row *row)
{
	return row->evidence && alert_book_find(monitor_alerts(m), row->leak);
}

static json_t *row_json(struct monitor *m, const struct row *row, bool by_type)
{
	json_auto_t *o = json_object();
	int r = 0;

	r |= view_put(o, "type", view_text(row->kind->type));
	r |= view_put(o, "runs", runs_json(row, by_type));
	r |= view_put(o, "count", view_u64(row->count));
	r |= view_put(o, "bytes", view_u64(row->bytes));
	r |= view_put(o, "average_bytes", view_u64(row->count ? row->bytes / row->count : 0));
	r |= view_put(o, "cached", view_u64(row->cached));
	r |= view_put(o, "trend", trend_json(m, row));
	r |= view_put(o, "leak", is_told(m, row) ? view_hex(row->leak) : json_null());
	return r < 0 ? NULL : TAKE_PTR(o);
}

static json_t *target_json(struct monitor *m, const struct census_view *v)
{
	const struct target *t = v->target ? monitor_target_by_key(m, v->target) : NULL;

	return view_text(t ? t->id : NULL);
}

static int put_reading(json_t *o, const struct python_census *c)
{
	int r = 0;

	r |= view_put(o, "objects", view_u64(c->objects));
	r |= view_put(o, "bytes", view_u64(c->bytes));
	r |= view_put(o, "large_objects", view_u64(c->large_objects));
	r |= view_put(o, "raw_blocks", view_u64(c->raw_blocks));
	r |= view_put(o, "raw_bytes", view_u64(c->raw_bytes));
	r |= view_put(o, "tasks_made", view_u64_or_null(c->tasks_made));
	r |= view_put(o, "error_ratio", view_real(c->error_ratio));
	r |= view_put(o, "pools", view_u64(c->pools));
	r |= view_put(o, "unread_pools", view_u64(c->unread_pools));
	r |= view_put(o, "unread_blocks", view_u64(c->unread_blocks));
	r |= view_put(o, "skipped_bytes", view_u64(c->skipped_bytes));
	r |= view_put(o, "cpu_seconds", view_seconds(c->cpu_ns));
	r |= view_put(o, "wall_seconds", view_seconds(c->wall_ns));
	return r;
}

int view_census(struct monitor *m, const struct census_view *v, const struct census_options *o,
		json_t **ret)
{
	json_auto_t *object = json_object(), *list = json_array();
	size_t n = 0;
	_cleanup_free_ struct row *rows = make_rows(m, v, o, &n);
	int r = rows ? 0 : -ENOMEM;

	for (size_t i = 0; i < n && i < o->limit; i++)
		r |= view_append(list, row_json(m, &rows[i], o->by_type));
	r |= view_put(object, "target", target_json(m, v));
	r |= view_put(object, "pid", json_integer(v->pid));
	r |= view_put(object, "taken_at", view_monotonic(v->taken_ns));
	r |= view_put(object, "interval_seconds",
		      v->interval_ns ? view_seconds(v->interval_ns) : json_null());
	r |= view_put(object, "types", TAKE_PTR(list));
	r |= view_put(object, "total", view_u64(n));
	r |= view_put(object, "limit", view_u64(o->limit));
	r |= view_put(object, "by", json_string(o->by_type ? "type" : "code"));
	r |= view_put(object, "sort", json_string(sorts[o->sort]));
	r |= put_reading(object, v->census);
	if (r < 0)
		return -ENOMEM;
	*ret = TAKE_PTR(object);
	return 0;
}

/* --- as sites ------------------------------------------------------------------------------------ */

static json_t *type_frames(const struct row *row)
{
	json_auto_t *frames = json_array(), *f = json_object();
	int r = 0;

	r |= view_put(f, "kind", json_string("python"));
	r |= view_put(f, "function", view_text(row->kind->type));
	r |= view_put(f, "file", json_null());
	r |= view_put(f, "line", json_null());
	r |= view_put(f, "module", json_null());
	r |= view_put(f, "build_id", json_null());
	r |= view_put(f, "offset", json_null());
	r |= view_put(f, "approximate", json_false());
	r |= view_append(frames, TAKE_PTR(f));
	return r < 0 ? NULL : TAKE_PTR(frames);
}

static json_t *site_json(struct monitor *m, const struct census_view *v, const struct row *row)
{
	static const char *const unknown[] = { "allocated_bytes", "allocated_count", "freed_bytes",
					       "freed_count", "oldest_seconds" };
	json_auto_t *o = json_object();
	int r = 0;

	r |= view_put(o, "site_id", row->id ? view_hex(row->id) : json_null());
	r |= view_put(o, "leak_id", json_null());
	r |= view_put(o, "target", target_json(m, v));
	r |= view_put(o, "live_bytes", view_u64(row->bytes));
	r |= view_put(o, "live_count", view_u64(row->count));
	r |= view_put(o, "average_bytes", view_u64(row->count ? row->bytes / row->count : 0));
	for (size_t i = 0; i < ARRAY_SIZE(unknown); i++)
		r |= view_put(o, unknown[i], json_null());
	r |= view_put(o, "error_bytes",
		      view_u64((uint64_t)(v->census->error_ratio * (double)row->bytes)));
	r |= view_put(o, "frames", type_frames(row));
	r |= view_put(o, "stack_status", json_string("complete"));
	r |= view_put(o, "trend", trend_json(m, row));
	return r < 0 ? NULL : TAKE_PTR(o);
}

int view_census_sites(struct monitor *m, const struct census_view *v,
		      const struct census_options *o, json_t **ret)
{
	json_auto_t *object = json_object(), *list = json_array(), *sum = json_object();
	size_t n = 0;
	_cleanup_free_ struct row *rows = make_rows(m, v, o, &n);
	int r = rows ? 0 : -ENOMEM;

	for (size_t i = 0; i < n && i < o->limit; i++)
		r |= view_append(list, site_json(m, v, &rows[i]));
	r |= view_put(sum, "live_bytes", view_u64(v->census->bytes));
	r |= view_put(sum, "live_count", view_u64(v->census->objects));
	r |= view_put(object, "sites", TAKE_PTR(list));
	r |= view_put(object, "total", view_u64(n));
	r |= view_put(object, "limit", view_u64(o->limit));
	r |= view_put(object, "sum", TAKE_PTR(sum));
	r |= view_put(object, "by", json_string("type"));
	r |= view_put(object, "sort", json_string(sorts[o->sort]));
	r |= view_put(object, "target", target_json(m, v));
	if (r < 0)
		return -ENOMEM;
	*ret = TAKE_PTR(object);
	return 0;
}
