// SPDX-License-Identifier: GPL-2.0-or-later
/* /v1/leaks: verdicts as people are told them, and what people answer. */
#include "serve/handlers.h"

#include <errno.h>
#include <fnmatch.h>
#include <inttypes.h>
#include <string.h>

#include "alert/alert.h"
#include "alert/book.h"
#include "base/clock.h"
#include "base/parse.h"
#include "base/values.h"
#include "monitor.h"
#include "serve/body.h"
#include "serve/exchange.h"

#define LIMIT_DEFAULT  100
#define LIMIT_MAX      1000
#define ID_DIGITS      16
#define NOTE_BYTES_MAX 1000
#define NS_PER_MS      1000000u

const struct query_rule leaks_query[] = {
	{ .name = "target" },
	{ .name = "state", .repeats = true },
	{ .name = "service" },
	{ .name = "told" },
	{ .name = "id" },
	{ .name = "limit" },
	{ 0 },
};

/* Which entries are asked for. Texts are borrowed from the query. */
struct wanted {
	const char *target;  /* NULL: all */
	uint32_t target_key; /* 0: the target is gone, or none is asked for */
	const char *service; /* pattern; NULL: all */
	const char *id;	     /* its first digits; NULL: all */
	unsigned states;     /* bit by enum trend_state; 0: all */
	bool has_told, told;
	uint64_t limit;
};

static bool is_open(const struct alert *a)
{
	return a->is_told && !a->closed_ms && !a->is_acknowledged && !a->suppressed_by;
}

static bool id_begins(uint64_t id, const char *digits)
{
	char text[ID_DIGITS + 1];
	int n = snprintf(text, sizeof(text), "%016" PRIx64, id);

	return n == ID_DIGITS && strncmp(text, digits, strlen(digits)) == 0;
}

static bool is_wanted(const struct wanted *w, const struct alert *a)
{
	if (w->target && w->target_key ? a->target != w->target_key :
	    w->target		       ? strcmp(a->target_id, w->target) != 0 :
					 false)
		return false;
	if (w->service && (!a->service || fnmatch(w->service, a->service, 0) != 0))
		return false;
	if (w->id && !id_begins(a->id, w->id))
		return false;
	if (w->states && !(w->states & 1u << a->state))
		return false;
	return !w->has_told || w->told == a->is_told;
}

static bool read_states(struct exchange *x, struct wanted *w)
{
	for (size_t i = 0; i < x->query.n; i++) {
		const struct query_item *item = &x->query.items[i];
		enum trend_state state;

		if (strcmp(item->name, "state") != 0)
			continue;
		if (alert_state_parse(item->value, &state) < 0) {
			(void)exchange_refuse(x, PROBLEM_BAD_PARAMETER,
					      "state=%.32s is not known; use suspect, leaking, "
					      "exhaustion, stopped, resolved, closed or quiet.",
					      item->value);
			return false;
		}
		w->states |= 1u << state;
	}
	return true;
}

static bool read_told(struct exchange *x, struct wanted *w)
{
	w->has_told = query_get(&x->query, "told") != NULL;
	return query_read_boolean(x, "told", false, &w->told);
}

static bool read_id(struct exchange *x, struct wanted *w)
{
	w->id = query_get(&x->query, "id");
	if (!w->id || (*w->id && strlen(w->id) <= ID_DIGITS &&
		       strspn(w->id, "0123456789abcdef") == strlen(w->id)))
		return true;
	(void)exchange_refuse(x, PROBLEM_BAD_PARAMETER,
			      "id=%.32s is no beginning of an id; use 1 to 16 hexadecimal digits, "
			      "small letters.",
			      w->id);
	return false;
}

/* A target is known by its leaks also when it is gone. */
static bool read_target(struct exchange *x, const struct alert *const *list, size_t n,
			struct wanted *w)
{
	const struct target *t;

	w->target = query_get(&x->query, "target");
	if (!w->target)
		return true;
	if (!monitor_find_target(x->monitor, w->target))
		for (size_t i = 0; i < n; i++)
			if (access_has_alert(x, list[i]) &&
			    strcmp(list[i]->target_id, w->target) == 0)
				return true;
	t = access_find_target(x, w->target);
	w->target_key = t ? t->key : 0;
	return t != NULL;
}

static int put_leaks(struct exchange *x, json_t *o, const struct wanted *w,
		     const struct alert *const *list, size_t n)
{
	json_auto_t *leaks = json_array();
	uint64_t total = 0, open = 0;
	int r = 0;

	for (size_t i = 0; i < n; i++) {
		json_t *leak = NULL;

		if (!access_has_alert(x, list[i]))
			continue;
		open += is_open(list[i]);
		if (!is_wanted(w, list[i]) || total++ >= w->limit)
			continue;
		r |= alert_to_json(list[i], &leak);
		r |= access_trim(x, list[i]->uid, leak);
		r |= view_append(leaks, leak);
	}
	r |= view_put(o, "leaks", TAKE_PTR(leaks));
	r |= view_put(o, "total", view_u64(total));
	r |= view_put(o, "limit", view_u64(w->limit));
	r |= view_put(o, "open", view_u64(open));
	r |= view_put(o, "lost", view_u64(alert_book_lost(monitor_alerts(x->monitor))));
	return r;
}

int leaks_get(struct exchange *x)
{
	_cleanup_free_ const struct alert **list = NULL;
	json_auto_t *o = json_object();
	struct wanted w = { .service = query_get(&x->query, "service") };
	size_t n;
	int r;

	r = alert_book_list(monitor_alerts(x->monitor), &list, &n);
	if (r < 0)
		return r;
	if (!read_states(x, &w) || !read_told(x, &w) || !read_id(x, &w) ||
	    !query_read_limit(x, "limit", LIMIT_DEFAULT, LIMIT_MAX, &w.limit) ||
	    !read_target(x, list, n, &w))
		return EXCHANGE_ANSWERED;
	r = put_leaks(x, o, &w, list, n);
	return exchange_reply(x, 200, r < 0 ? NULL : TAKE_PTR(o));
}

static int reply_leak(struct exchange *x, const struct alert *a)
{
	json_t *o = NULL;

	if (alert_to_json(a, &o) == 0 && access_trim(x, a->uid, o) == 0)
		return exchange_reply(x, 200, o);
	json_decref(o);
	return exchange_reply(x, 200, NULL);
}

int leak_get(struct exchange *x)
{
	const struct alert *a = access_find_leak(x, x->segment);

	return a ? reply_leak(x, a) : EXCHANGE_ANSWERED;
}

/* What is said is of this leak, by an operator, in these fields. NULL: answered. */
static const struct alert *begin_answer(struct exchange *x, const char *what,
					const struct body_field *fields)
{
	if (x->peer.level < ACCESS_OPERATE) {
		(void)access_refuse(x, what);
		return NULL;
	}
	return body_read(x, fields) ? access_find_leak(x, x->segment) : NULL;
}

/* The book has taken it, or @r says why not. The entry may be another one in memory by now. */
static int end_answer(struct exchange *x, int r, uint64_t id, const char *what)
{
	const struct alert *a = alert_book_find(monitor_alerts(x->monitor), id);

	if (r < 0)
		return r;
	if (!a)
		return -ENOENT;
	exchange_set_deed(x, "%s leak %016" PRIx64, what, id);
	return reply_leak(x, a);
}

static uint64_t now_ms(void)
{
	return clock_ns(CLOCK_REALTIME) / NS_PER_MS;
}

/* {"on"}, which is true where it is left out. */
static bool is_on(const struct exchange *x)
{
	return !body_has(x, "on") || body_get_boolean(x, "on");
}

int leak_acknowledge(struct exchange *x)
{
	static const struct body_field fields[] = {
		{ .name = "note" },
		{ .name = "on", .type = BODY_BOOLEAN },
		{ 0 },
	};
	const struct alert *a = begin_answer(x, "acknowledge leaks", fields);
	struct alert_book *book = monitor_alerts(x->monitor);
	const char *note;
	uint64_t id;
	int r;

	if (!a)
		return EXCHANGE_ANSWERED;
	note = body_get_string(x, "note");
	if (note && strlen(note) > NOTE_BYTES_MAX)
		return exchange_refuse(x, PROBLEM_OUT_OF_RANGE,
				       "The field \"note\" has %zu bytes; at most %d are kept.",
				       strlen(note), NOTE_BYTES_MAX);
	id = a->id;
	r = alert_book_acknowledge(book, id, note, is_on(x), now_ms());
	return end_answer(x, r, id,
			  is_on(x) ? "acknowledges" : "takes back the acknowledgement of");
}

int leak_suppress(struct exchange *x)
{
	static const struct body_field fields[] = {
		{ .name = "on", .type = BODY_BOOLEAN },
		{ 0 },
	};
	const struct alert *a = begin_answer(x, "suppress leaks", fields);
	uint64_t id;
	int r;

	if (!a)
		return EXCHANGE_ANSWERED;
	id = a->id;
	r = alert_book_suppress(monitor_alerts(x->monitor), id, is_on(x), now_ms());
	return end_answer(x, r, id, is_on(x) ? "suppresses" : "no longer suppresses");
}

int leak_mark(struct exchange *x)
{
	static const struct body_field fields[] = {
		{ .name = "mark", .is_required = true },
		{ 0 },
	};
	const struct alert *a = begin_answer(x, "mark leaks", fields);
	enum alert_mark mark;
	uint64_t id;
	int r;

	if (!a)
		return EXCHANGE_ANSWERED;
	if (alert_mark_parse(body_get_string(x, "mark"), &mark) < 0)
		return exchange_refuse(x, PROBLEM_OUT_OF_RANGE,
				       "The field \"mark\" must be \"true\", \"false\" or "
				       "\"unmarked\".");
	id = a->id;
	r = alert_book_mark(monitor_alerts(x->monitor), id, mark, now_ms());
	return end_answer(x, r, id, "marks");
}
