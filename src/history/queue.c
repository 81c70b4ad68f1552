// SPDX-License-Identifier: GPL-2.0-or-later
/* Records that wait. See queue.h. */
#include "history/queue.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "history/state.h"

void queue_init(struct queue *q)
{
	*q = (struct queue){ 0 };
	q->last = &q->first;
}

uint64_t queue_clear(struct queue *q)
{
	uint64_t n = 0;

	while (q->first) {
		struct record *r = q->first;

		q->first = r->next;
		free(r);
		n++;
	}
	queue_init(q);
	return n;
}

static bool has_room(struct history *h, size_t bytes)
{
	if (h->queue.bytes + bytes <= QUEUE_BYTES_MAX)
		return true;
	if (h->last_error < 0 || bytes > QUEUE_BYTES_MAX)
		return false;
	return history_commit(h) == 0;
}

int queue_add(struct history *h, const struct record *record, const char *text)
{
	size_t size = strlen(text) + 1;
	size_t bytes = sizeof(*record) + size;
	struct record *copy;

	if (!has_room(h, bytes)) {
		h->lost++;
		return -ENOSPC;
	}
	copy = malloc(bytes);
	if (!copy) {
		h->lost++;
		return -ENOMEM;
	}
	*copy = *record;
	copy->next = NULL;
	copy->size = size;
	memcpy(copy->text, text, size);
	*h->queue.last = copy;
	h->queue.last = &copy->next;
	h->queue.bytes += bytes;
	h->queue.has_profiles |= record->kind == RECORD_PROFILE;
	h->queue.has_events |= record->kind == RECORD_EVENT;
	return 0;
}

static int write_profile(struct history *h, const struct record *record)
{
	sqlite3_stmt *s;
	int64_t service;
	int r;

	r = history_service_id(h, record->text, &service);
	if (r < 0)
		return r;
	s = database_statement(&h->db, PROFILE_PUT);
	sqlite3_bind_int64(s, 1, service);
	sqlite3_bind_int64(s, 2, (int64_t)record->id);
	sqlite3_bind_int64(s, 3, (int64_t)record->with);
	sqlite3_bind_int64(s, 4, (int64_t)record->time_ms);
	sqlite3_bind_blob(s, 5, record->packed, sizeof(record->packed), SQLITE_STATIC);
	return database_run(&h->db, s);
}

static int write_alert(struct history *h, const struct record *record)
{
	sqlite3_stmt *s = database_statement(&h->db, ALERT_PUT);

	sqlite3_bind_int64(s, 1, (int64_t)record->id);
	sqlite3_bind_int(s, 2, record->is_open);
	sqlite3_bind_int64(s, 3, (int64_t)record->time_ms);
	sqlite3_bind_text(s, 4, record->text, -1, SQLITE_STATIC);
	return database_run(&h->db, s);
}

static int forget_alert(struct history *h, const struct record *record)
{
	sqlite3_stmt *s = database_statement(&h->db, ALERT_FORGET);

	sqlite3_bind_int64(s, 1, (int64_t)record->id);
	return database_run(&h->db, s);
}

static int write_event(struct history *h, const struct record *record)
{
	sqlite3_stmt *s = database_statement(&h->db, EVENT_PUT);

	sqlite3_bind_int64(s, 1, (int64_t)record->id);
	sqlite3_bind_int64(s, 2, (int64_t)record->time_ms);
	sqlite3_bind_int(s, 3, record->event);
	sqlite3_bind_int64(s, 4, (int64_t)record->with);
	sqlite3_bind_int64(s, 5, record->uid);
	sqlite3_bind_text(s, 6, record->text, -1, SQLITE_STATIC);
	return database_run(&h->db, s);
}

int queue_write(struct history *h)
{
	static int (*const writers[])(struct history * h, const struct record *record) = {
		[RECORD_PROFILE] = write_profile,
		[RECORD_ALERT] = write_alert,
		[RECORD_ALERT_FORGET] = forget_alert,
		[RECORD_EVENT] = write_event,
	};
	int r = 0;

	for (const struct record *i = h->queue.first; r == 0 && i; i = i->next)
		r = writers[i->kind](h, i);
	if (r == 0 && h->queue.has_events)
		r = database_run(&h->db, database_statement(&h->db, EVENT_TRIM));
	if (r == 0 && h->queue.has_profiles)
		r = database_run(&h->db, database_statement(&h->db, PROFILE_TRIM));
	return r;
}

const struct record *queue_find_profile(const struct queue *q, const char *service,
					uint64_t leak_id, uint64_t site_id)
{
	const struct record *found = NULL;

	for (const struct record *i = q->first; i; i = i->next) {
		if (i->kind != RECORD_PROFILE || strcmp(i->text, service) != 0)
			continue;
		if (leak_id ? i->id == leak_id : i->with == site_id)
			found = i;
	}
	return found;
}
