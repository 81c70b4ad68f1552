// SPDX-License-Identifier: GPL-2.0-or-later
/* The latest events. See events.h. */
#include "alert/events.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/values.h"
#include "base/wall.h"

struct event_follower {
	void (*callback)(void *userdata);
	void *userdata;
	bool is_gone; /* taken away while followers are being called */
	struct event_follower *next;
};

struct events {
	struct event_record kept[EVENTS_KEPT]; /* a ring, the oldest at first */
	size_t first;
	size_t n;
	size_t bytes; /* of their texts */
	uint64_t next_id;
	struct event_follower *followers;
	unsigned calling; /* depth: a follower may cause an event */
};

struct events *events_new(void)
{
	struct events *e = calloc(1, sizeof(*e));

	if (e)
		e->next_id = 1;
	return e;
}

struct events *events_free(struct events *e)
{
	if (!e)
		return NULL;
	for (size_t i = 0; i < EVENTS_KEPT; i++)
		free(e->kept[i].json);
	while (e->followers) {
		struct event_follower *f = e->followers;

		e->followers = f->next;
		free(f);
	}
	free(e);
	return NULL;
}

void events_start_at(struct events *e, uint64_t id)
{
	if (e->n == 0 && id > e->next_id)
		e->next_id = id;
}

static struct event_record *record_at(const struct events *e, size_t i)
{
	return (struct event_record *)&e->kept[(e->first + i) % EVENTS_KEPT];
}

static void drop_oldest(struct events *e)
{
	struct event_record *oldest = record_at(e, 0);

	e->bytes -= strlen(oldest->json);
	free(oldest->json);
	*oldest = (struct event_record){ 0 };
	e->first = (e->first + 1) % EVENTS_KEPT;
	e->n--;
}

/* Takes over the text. The newest is kept whatever its size. */
static void keep(struct events *e, const struct event_record *record)
{
	size_t bytes = strlen(record->json);

	while (e->n == EVENTS_KEPT || (e->n > 0 && e->bytes + bytes > EVENTS_BYTES_KEPT))
		drop_oldest(e);
	*record_at(e, e->n++) = *record;
	e->bytes += bytes;
	e->next_id = record->id + 1;
}

static void call_followers(struct events *e)
{
	e->calling++;
	for (struct event_follower *f = e->followers; f; f = f->next)
		if (!f->is_gone)
			f->callback(f->userdata);
	e->calling--;
	if (e->calling > 0)
		return;
	for (struct event_follower **p = &e->followers; *p;) {
		struct event_follower *f = *p;

		if (f->is_gone) {
			*p = f->next;
			free(f);
		} else {
			p = &f->next;
		}
	}
}

static char *event_text(const struct event_record *record, const struct alert *a)
{
	json_auto_t *o = json_object(), *leak = NULL;
	char id[24], time[WALL_TEXT_MAX];
	int r = 0;

	if (snprintf(id, sizeof(id), "%" PRIu64, record->id) < 0 ||
	    wall_format(record->time_ms, time) < 0 || alert_to_json(a, &leak) < 0)
		return NULL;
	r |= view_put(o, "id", json_string(id));
	r |= view_put(o, "time", json_string(time));
	r |= view_put(o, "event", json_string(alert_event_name(record->event)));
	r |= view_put(o, "leak", TAKE_PTR(leak));
	return r < 0 ? NULL : json_dumps(o, JSON_COMPACT);
}

int events_add(struct events *e, enum alert_event event, const struct alert *a, uint64_t now_ms)
{
	struct event_record record = {
		.id = e->next_id,
		.time_ms = now_ms < WALL_MS_MAX ? now_ms : WALL_MS_MAX,
		.event = event,
		.leak = a->id,
		.uid = a->uid,
	};

	record.json = event_text(&record, a);
	if (record.json)
		keep(e, &record);
	else
		e->next_id++;
	call_followers(e);
	return record.json ? 0 : -ENOMEM;
}

int events_restore(struct events *e, const struct event_record *record)
{
	if (!record->json || record->id < e->next_id || record->id == UINT64_MAX) {
		free(record->json);
		return -EINVAL;
	}
	keep(e, record);
	return 0;
}

const struct event_record *events_next(const struct events *e, uint64_t after, uint64_t *ret_missed)
{
	/* Numbers rise, but need not be next to each other: search by halves. */
	size_t low = 0, high = e->n;

	while (low < high) {
		size_t middle = (low + high) / 2;

		if (record_at(e, middle)->id > after)
			high = middle;
		else
			low = middle + 1;
	}
	if (low < e->n) {
		const struct event_record *record = record_at(e, low);

		*ret_missed = record->id - after - 1;
		return record;
	}
	*ret_missed = e->next_id - 1 > after ? e->next_id - 1 - after : 0;
	return NULL;
}

uint64_t events_last_id(const struct events *e)
{
	return e->next_id - 1;
}

int events_follow(struct events *e, void (*callback)(void *userdata), void *userdata,
		  struct event_follower **ret)
{
	struct event_follower *f = calloc(1, sizeof(*f));

	if (!f)
		return -ENOMEM;
	f->callback = callback;
	f->userdata = userdata;
	f->next = e->followers;
	e->followers = f;
	*ret = f;
	return 0;
}

void events_unfollow(struct events *e, struct event_follower *f)
{
	if (!f)
		return;
	f->is_gone = true;
	if (e->calling > 0)
		return;
	for (struct event_follower **p = &e->followers; *p; p = &(*p)->next) {
		if (*p == f) {
			*p = f->next;
			free(f);
			return;
		}
	}
}
