/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The latest events, numbered, for followers that come and go.
 *
 * Each is one JSON object: {"id","time","event","leak":{...}}. Numbers rise by one and go on after
 * a restart of the daemon. Who asks for an event that is gone is told how many were missed.
 */
#ifndef SEEP_ALERT_EVENTS_H
#define SEEP_ALERT_EVENTS_H

#include <stddef.h>
#include <stdint.h>

#include "alert/book.h"
#include "base/cleanup.h"

struct events;

struct event_record {
	uint64_t id;	  /* 1 for the first ever */
	uint64_t time_ms; /* wall clock */
	enum alert_event event;
	uint64_t leak;
	uid_t uid;  /* of the process, for who may see it */
	char *json; /* owned: one line, without the newline */
};

#define EVENTS_KEPT	  1024
#define EVENTS_BYTES_KEPT (8u << 20) /* of their texts, all together */

struct events *events_new(void); /* NULL: no memory */
struct events *events_free(struct events *e);
DEFINE_CLEANUP(struct events *, events_free)

/* The next number, when the history knows older ones: only before the first event. */
void events_start_at(struct events *e, uint64_t id);

/* -ENOMEM: the event is lost, and its number with it, which followers see as a gap. */
int events_add(struct events *e, enum alert_event event, const struct alert *a, uint64_t now_ms);
/* As kept by the history; numbers must rise. Takes over record->json, also on failure. -EINVAL. */
int events_restore(struct events *e, const struct event_record *record);

/*
 * The first kept one with a number over @after; NULL: there is none yet. *ret_missed: how many with
 * a number over @after, and below the one that is returned, are gone (with NULL: up to the last).
 * Borrowed until the next event.
 */
const struct event_record *events_next(const struct events *e, uint64_t after,
				       uint64_t *ret_missed);
uint64_t events_last_id(const struct events *e); /* 0: none */

/*
 * Followers: called after each new event, in no order. The handle is valid until it is taken away, which
 * a follower may do from inside its call.
 */
struct event_follower;
int events_follow(struct events *e, void (*callback)(void *userdata), void *userdata,
		  struct event_follower **ret);
void events_unfollow(struct events *e, struct event_follower *f);

#endif
