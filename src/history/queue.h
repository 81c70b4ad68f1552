/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Records that wait to be written, in the order in which they came.
 */
#ifndef SEEP_HISTORY_QUEUE_H
#define SEEP_HISTORY_QUEUE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "trend/profile.h"

struct history;

enum record_kind {
	RECORD_PROFILE,
	RECORD_ALERT,
	RECORD_ALERT_FORGET,
	RECORD_EVENT,
};

struct record {
	struct record *next;
	enum record_kind kind;
	uint64_t id;   /* of the alert or event; a profile's leak_id */
	uint64_t with; /* an event's leak; a profile's site_id */
	uint64_t time_ms;
	int event;
	uint32_t uid;
	bool is_open;
	uint8_t packed[TREND_PROFILE_PACKED];
	size_t size;
	char text[]; /* JSON; a profile's service */
};

struct queue {
	struct record *first; /* owned */
	struct record **last;
	size_t bytes;
	bool has_profiles, has_events;
};

#define QUEUE_BYTES_MAX ((size_t)16 << 20)

void queue_init(struct queue *q);
/* Drops all. Returns how many. */
uint64_t queue_clear(struct queue *q);
/*
 * Takes a copy of @record, all but its text, and of @text. When there is no room it tries to write
 * what waits; -ENOSPC: to no avail, and the record is lost and counted. -ENOMEM likewise.
 */
int queue_add(struct history *h, const struct record *record, const char *text);
/* In a transaction. */
int queue_write(struct history *h);
/* The last profile of these keys that waits; by @site_id if @leak_id is 0. NULL: none. */
const struct record *queue_find_profile(const struct queue *q, const char *service,
					uint64_t leak_id, uint64_t site_id);

#endif
