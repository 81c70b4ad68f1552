/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Streams of events: answers that are written as the client takes them, and mostly do not end.
 *
 * Nothing is queued for a client. Each stream has the number of the last event that was written, and
 * reads on in the ring of events when what was written is on its way; so no more than
 * FOLLOW_OUTPUT_BYTES and one event wait in memory. A client that is so slow that the ring overtakes
 * it is told how many it has missed, and one that takes nothing for the server's idle timeout is left.
 */
#ifndef SEEP_SERVE_FOLLOW_H
#define SEEP_SERVE_FOLLOW_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/queue.h>
#include <sys/time.h>

#define FOLLOWERS_MAX	    16
/* Of one uid that is no operator, so that one user cannot keep all others out. */
#define FOLLOWERS_PER_UID   4
#define FOLLOW_OUTPUT_BYTES 65536u

struct exchange;
struct follower;

LIST_HEAD(follower_list, follower);

/* All streams of a server. */
struct followers {
	struct follower_list list;
	struct timeval heartbeat; /* how often something is sent when there are no events */
	struct timeval idle;	  /* how long a client may take nothing */
};

enum follow_format {
	FOLLOW_LINES,  /* application/x-ndjson: an event a line; an empty line is a heartbeat */
	FOLLOW_STREAM, /* text/event-stream; a comment is a heartbeat */
};

struct follow_options {
	enum follow_format format;
	uint64_t after; /* events with larger numbers are sent */
	bool is_endless;
};

/* Answers with the events. As a handler. */
int follow_start(struct exchange *x, const struct follow_options *options);

/*
 * Ends all streams where they are, as far as that goes without waiting. The connections are to be
 * freed right after, before the event loop runs again.
 */
void follow_end_all(struct followers *f);

#endif
