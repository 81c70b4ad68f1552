// SPDX-License-Identifier: GPL-2.0-or-later
/* GET /v1/events: what has happened to leaks, and what happens. */
#include "serve/handlers.h"

#include <string.h>

#include "alert/events.h"
#include "base/parse.h"
#include "monitor.h"
#include "serve/exchange.h"
#include "serve/follow.h"

const struct query_rule events_query[] = {
	{ .name = "follow" },
	{ .name = "since" },
	{ 0 },
};

static bool read_follow(struct exchange *x, struct follow_options *o)
{
	const char *text = query_get(&x->query, "follow");

	o->is_endless = text && (strcmp(text, "1") == 0 || strcmp(text, "true") == 0);
	if (!text || o->is_endless || strcmp(text, "0") == 0 || strcmp(text, "false") == 0)
		return true;
	(void)exchange_refuse(x, PROBLEM_BAD_PARAMETER, "follow=%.32s is not known; use 1 or 0.",
			      text);
	return false;
}

/* What is older is not asked for, so it is not missed. */
static uint64_t before_oldest(struct exchange *x)
{
	uint64_t missed;
	const struct event_record *oldest = events_next(monitor_events(x->monitor), 0, &missed);

	return oldest ? oldest->id - 1 : events_last_id(monitor_events(x->monitor));
}

/* Whoever only wants to follow gets what comes; whoever names an event, or only asks, what is kept. */
static bool read_since(struct exchange *x, struct follow_options *o)
{
	const char *text = query_get(&x->query, "since"), *header = NULL;
	uint64_t last = events_last_id(monitor_events(x->monitor));

	/* From a browser that connects again: later than what its page asked for. */
	if (o->format == FOLLOW_STREAM)
		header = exchange_get_header(x, "Last-Event-ID");
	if (header)
		text = header;
	o->after = o->is_endless ? last : before_oldest(x);
	if (text && parse_u64(text, &o->after) < 0) {
		(void)exchange_refuse(x, PROBLEM_BAD_PARAMETER,
				      "%s%.32s is no number of an event; give the \"id\" of the "
				      "last one that you have.",
				      header ? "Last-Event-ID: " : "since=", text);
		return false;
	}
	/* Of a daemon that kept no history and has gone: none of the present ones is known. */
	if (o->after > last)
		o->after = 0;
	return true;
}

int events_get(struct exchange *x)
{
	const char *accept = exchange_get_header(x, "Accept");
	struct follow_options o = {
		.format = accept && strcasestr(accept, "text/event-stream") ? FOLLOW_STREAM :
									      FOLLOW_LINES,
	};

	if (!read_follow(x, &o) || !read_since(x, &o))
		return EXCHANGE_ANSWERED;
	return follow_start(x, &o);
}
