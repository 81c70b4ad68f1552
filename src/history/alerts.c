// SPDX-License-Identifier: GPL-2.0-or-later
/* Alerts and events, as JSON texts. */
#include "history/state.h"

#include <string.h>

int history_save_alert(struct history *h, uint64_t id, const char *json, bool is_open,
		       uint64_t now_ms)
{
	const struct record record = {
		.kind = RECORD_ALERT,
		.id = id,
		.is_open = is_open,
		.time_ms = now_ms,
	};

	return queue_add(h, &record, json);
}

int history_forget_alert(struct history *h, uint64_t id)
{
	const struct record record = { .kind = RECORD_ALERT_FORGET, .id = id };

	return queue_add(h, &record, "");
}

/* Alerts behind number *last, which moves on with each that was told. */
static int each_alert(struct history *h, int64_t *last,
		      int (*callback)(uint64_t id, const char *json, void *userdata),
		      void *userdata)
{
	sqlite3_stmt *s = database_statement(&h->db, ALERT_NEXT);
	int r;

	sqlite3_bind_int64(s, 1, *last);
	while ((r = database_step(&h->db, s)) > 0) {
		const char *json = (const char *)sqlite3_column_text(s, 2);

		*last = sqlite3_column_int64(s, 0);
		r = json ? callback((uint64_t)sqlite3_column_int64(s, 1), json, userdata) : 0;
		if (r < 0) {
			sqlite3_reset(s);
			break;
		}
	}
	return r;
}

int history_each_alert(struct history *h,
		       int (*callback)(uint64_t id, const char *json, void *userdata),
		       void *userdata)
{
	int64_t last = 0;
	int r;

	/* What waits comes too, unless it cannot be written; the next flush tells. */
	(void)history_commit(h);
	do
		r = each_alert(h, &last, callback, userdata);
	while (r == -EUCLEAN && history_repair(h) == 0);
	return r;
}

int history_save_event(struct history *h, const struct history_event *event)
{
	const struct record record = {
		.kind = RECORD_EVENT,
		.id = event->id,
		.with = event->leak,
		.time_ms = event->time_ms,
		.event = event->event,
		.uid = event->uid,
	};

	return event->id == 0 || event->id > INT64_MAX ? -EINVAL :
							 queue_add(h, &record, event->json);
}

/* The id of the last but n - 1. */
static int first_of_last(struct history *h, size_t n, int64_t *ret)
{
	sqlite3_stmt *s = database_statement(&h->db, EVENT_LAST);
	int r;

	sqlite3_bind_int64(s, 1, n < INT64_MAX ? (int64_t)n : INT64_MAX);
	r = database_step(&h->db, s);
	if (r > 0)
		*ret = sqlite3_column_int64(s, 0);
	sqlite3_reset(s);
	return r < 0 ? r : 0;
}

static int each_event(struct history *h, int64_t *next,
		      int (*callback)(const struct history_event *event, void *userdata),
		      void *userdata)
{
	sqlite3_stmt *s = database_statement(&h->db, EVENT_NEXT);
	int r;

	sqlite3_bind_int64(s, 1, *next);
	while ((r = database_step(&h->db, s)) > 0) {
		const struct history_event event = {
			.id = (uint64_t)sqlite3_column_int64(s, 0),
			.time_ms = (uint64_t)sqlite3_column_int64(s, 1),
			.event = sqlite3_column_int(s, 2),
			.leak = (uint64_t)sqlite3_column_int64(s, 3),
			.uid = (uint32_t)sqlite3_column_int64(s, 4),
			.json = (const char *)sqlite3_column_text(s, 5),
		};

		*next = (int64_t)event.id + 1;
		r = event.json ? callback(&event, userdata) : 0;
		if (r < 0) {
			sqlite3_reset(s);
			break;
		}
	}
	return r;
}

int history_each_event(struct history *h, size_t n,
		       int (*callback)(const struct history_event *event, void *userdata),
		       void *userdata)
{
	int64_t next = 0;
	int r;

	(void)history_commit(h);
	r = first_of_last(h, n, &next);
	if (r == -EUCLEAN && history_repair(h) == 0)
		r = first_of_last(h, n, &next);
	if (r < 0 || n == 0)
		return r;
	do
		r = each_event(h, &next, callback, userdata);
	while (r == -EUCLEAN && history_repair(h) == 0);
	return r;
}
