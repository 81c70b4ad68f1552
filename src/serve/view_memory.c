// SPDX-License-Identifier: GPL-2.0-or-later
/* Memory, what explains its growth, and what may be worth tracking, as JSON. See views.h. */
#include "serve/views.h"

#include <errno.h>
#include <math.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/values.h"
#include "monitor.h"

int view_memory(const struct memory *m, json_t **ret)
{
	json_auto_t *o = json_object();
	json_t *of = m->limit_of == MEMORY_LIMIT_UNKNOWN ?
			     json_null() :
			     view_text(memory_limit_name(m->limit_of));
	int r = 0;

	r |= view_put(o, "anonymous_bytes", view_u64(m->anonymous_bytes));
	r |= view_put(o, "swap_bytes", view_u64(m->swap_bytes));
	r |= view_put(o, "usage_bytes", view_u64_or_null(m->usage_bytes));
	r |= view_put(o, "limit_bytes", view_u64_or_null(m->limit_bytes));
	r |= view_put(o, "limit_of", of);
	r |= view_put(o, "headroom_bytes",
		      m->is_bounded ? view_u64(m->headroom_bytes) : json_null());
	if (r < 0)
		return -ENOMEM;
	*ret = TAKE_PTR(o);
	return 0;
}

static json_t *integer_of(double bytes)
{
	return json_integer(llrint(bytes));
}

static int put_share(json_t *o, const struct reconcile_share *s, double tick_seconds)
{
	int r = 0;

	r |= view_put(o, "seconds", view_real(s->ticks * tick_seconds));
	r |= view_put(o, "growth_bytes", integer_of(s->growth));
	r |= view_put(o, "explained_bytes", integer_of(s->explained));
	r |= view_put(o, "retained_bytes", integer_of(s->retained));
	r |= view_put(o, "error_bytes", integer_of(s->error));
	return r;
}

/* What malloc never sees of Python is not the allocator's to retain. */
static void add_python(const struct target *t, char *text, size_t size)
{
	size_t used = strlen(text);

	if (t->runs_python && (t->reconciliation.verdict == RECONCILE_RETAINED ||
			       t->reconciliation.verdict == RECONCILE_PARTLY))
		(void)snprintf(text + used, size - used,
			       " Python maps memory for its small objects itself: the census "
			       "counts those.");
}

int view_reconciliation(const struct target *t, json_t **ret)
{
	const struct reconciliation *rec = &t->reconciliation;
	double tick_seconds = t->reconcile_tick_seconds;
	json_auto_t *o = json_object(), *day = rec->has_day ? json_object() : json_null();
	char text[RECONCILE_TEXT + 128];
	int r = 0;

	if (!rec->has_total) {
		*ret = json_null();
		return 0;
	}
	(void)reconcile_text(rec, tick_seconds, text, RECONCILE_TEXT);
	add_python(t, text, sizeof(text));
	r |= view_put(o, "verdict", view_text(reconcile_verdict_name(rec->verdict)));
	r |= view_put(o, "text", view_text(text));
	r |= put_share(o, &rec->total, tick_seconds);
	if (rec->has_day)
		r |= put_share(day, &rec->day, tick_seconds);
	r |= view_put(o, "day", TAKE_PTR(day));
	r |= view_put(o, "older_blocks", json_boolean(rec->predates));
	r |= view_put(o, "is_partial", json_boolean(rec->is_partial));
	if (r < 0)
		return -ENOMEM;
	*ret = TAKE_PTR(o);
	return 0;
}

int view_suggestion(const struct monitor_suggestion *s, json_t **ret)
{
	const struct target *t = s->target;
	json_auto_t *o = json_object(), *memory = NULL;
	int r = 0;

	r |= view_put(o, "pid", json_integer(t->pid));
	r |= view_put(o, "start_time", t->started.tv_sec ? view_time(&t->started) : json_null());
	r |= view_put(o, "uid", json_integer(t->uid));
	r |= view_put(o, "comm", view_text(t->comm));
	r |= view_put(o, "exe", view_text(t->exe));
	r |= view_put(o, "command", view_text(t->cmdline));
	r |= view_put(o, "unit", view_text(t->unit));
	r |= view_put(o, "cgroup", view_text(t->cgroup));
	r |= view_put(o, "container", view_text(t->container));
	r |= view_put(o, "rss_bytes", view_u64_or_null(t->rss_bytes));
	r |= view_memory(&t->memory, &memory);
	r |= view_put(o, "memory", TAKE_PTR(memory));
	r |= view_put(o, "bytes_per_hour", view_real(s->bytes_per_hour));
	r |= view_put(o, "since", view_monotonic(s->since_ns));
	r |= view_put(o, "seconds_to_limit", view_real(s->seconds_to_limit));
	r |= view_put(o, "why", view_text(s->why));
	if (r < 0)
		return -ENOMEM;
	*ret = TAKE_PTR(o);
	return 0;
}
