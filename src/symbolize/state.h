/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the two halves of the symbolizer's parent side share.
 *
 * symbolizer.c owns the queue of jobs and calls back; exchange.c talks to the child about the job
 * at the head of the queue. All user callbacks come out of symbolizer.c's kick event, so that a
 * callback may do anything, even free the symbolizer.
 */
#ifndef SEEP_SYMBOLIZE_STATE_H
#define SEEP_SYMBOLIZE_STATE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/worker.h"
#include "elf/files.h"
#include "symbolize/codes.h"
#include "symbolize/debug_files.h"
#include "symbolize/names.h"
#include "symbolize/protocol.h"
#include "symbolize/symbolizer.h"

/* A file that has cost us this many children is left alone. */
#define KILLS_MAX 2

/* What is known of a file. */
struct file_state {
	char *module;	    /* owned; the path, made printable */
	char *build_id;	    /* owned; NULL: none, or not known yet */
	int error;	    /* why it is left alone; 0: it is not */
	unsigned int kills; /* children that it has cost */
	uint64_t open_in;   /* generation of the child that has it open; 0: none */
};

/* One request of a user. */
struct job {
	struct job *next;
	enum message_type type; /* MESSAGE_RESOLVE, _HOOKS, _UNWIND or _PYTHON */
	uint16_t slot;		/* of what is asked for now */
	bool finished;
	int error;
	unsigned int stale; /* how often the child had not got the file any more */
	void *userdata;

	/* Resolve. Frames are sorted by file; a chunk of them is asked for at a time. */
	symbolizer_done_fn resolved;
	uint64_t *frames; /* owned */
	size_t n_frames;
	size_t next_frame; /* the first one that was in no chunk yet */
	uint64_t chunk[RESOLVE_MAX];
	uint32_t n_chunk; /* 0: the next chunk is to be made */
	uint32_t n_named; /* of the chunk */
	struct names_builder building;

	/* Hooks. */
	symbolizer_hooks_fn found;
	const char *const *names; /* borrowed */
	size_t n_names;
	struct hook_point *points; /* owned */
	size_t n_points;

	/* Unwind table. */
	symbolizer_unwind_fn compiled;
	struct unwind_table *table; /* owned */

	/* Python. */
	symbolizer_python_fn read;
	struct python_file python;
};

/* What the child is doing for us. */
enum exchange {
	EXCHANGE_NONE,
	EXCHANGE_HELLO, /* it is shutting itself in */
	EXCHANGE_OPEN,
	EXCHANGE_DEBUG,
	EXCHANGE_ALT,
	EXCHANGE_WORK,
};

struct symbolizer {
	struct event_base *base;		      /* borrowed */
	struct file_table *files;		      /* borrowed */
	struct names *names;			      /* owned */
	struct codes *codes;			      /* owned */
	struct file_state *states[FILE_SLOT_MAX + 1]; /* owned */
	struct symbolizer_stats stats;
	uint64_t request_timeout_ns;
	uint64_t idle_timeout_ns;

	struct job *first; /* owned; the head is being worked on */
	struct job *last;
	struct event *kick; /* owned; looks at the head of the queue */

	struct worker *worker; /* NULL: none */
	struct worker_list stopped;
	uint64_t generation; /* of the worker */
	uint64_t worker_started_ns;
	enum exchange exchange;
	uint32_t request_id;
	int rows_fd; /* owned; where the child writes rows */
	struct debug_search search;
	char debug_folder[PATH_MAX]; /* of the candidate that was sent last */
	struct event *deadline;	     /* owned */
	struct event *idle;	     /* owned */
};

/* The state of a file, made when it is first asked for. NULL: no memory. */
struct file_state *symbolizer_file_state(struct symbolizer *s, const struct file *file);

/* Looks at the head of the queue again, from the event loop. */
void symbolizer_kick(struct symbolizer *s);

/*
 * Starts the next exchange for a job, or settles it: afterwards either an exchange is under way
 * (and ends in a kick), or the job is finished, or a kick is due.
 */
void exchange_next(struct symbolizer *s, struct job *job);

/* The exchange is over; on with the job, or the next one. */
void exchange_end(struct symbolizer *s);

/* The child is of no more use; what it was working on fails, and the file remembers. */
void exchange_lose(struct symbolizer *s, int error);

/*
 * What is asked for now fails: the job, or for frames the chunk, which then has no names.
 * @provisional: another request may try again.
 */
void exchange_fail(struct symbolizer *s, struct job *job, int error, bool provisional);

/* Sends the child the next candidate of s->search; without one, the file is ready. */
void exchange_search(struct symbolizer *s, enum exchange exchange);

/* Ends the worker and whatever it was doing. */
void exchange_stop(struct symbolizer *s);

/* A message of the child (answers.c), and the end of its time. */
void exchange_on_message(const struct message *header, const uint8_t *body, size_t size,
			 void *userdata);
void exchange_on_deadline(int fd, short what, void *userdata);

uint64_t symbolizer_now_ns(void);

#endif
