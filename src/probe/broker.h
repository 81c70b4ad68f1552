/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A process that sets probes for this one, inside of src/probe only.
 *
 * When a process is killed while the kernel registers its uprobes, the registration fails half-way
 * and its own clean-up fails too, since a dying process can no longer write to the target's pages:
 * breakpoints stay in the target for good ("failed to unregister, leaking uprobe"). The same happens to
 * one that is killed while it closes a link. So links are created and closed by a child that ignores
 * every signal. It keeps a copy of each link: when this process is gone, however that came, the child
 * removes them all, many at once, and ends. Unless a copy of this process's end of the socket lies in
 * the service manager's store: then it waits for the next process, which takes it over; and ends when
 * the manager drops that copy.
 *
 * There are two of them: one that answers at once, and hands over the links that it creates; and one
 * for windows, whose links come and go without this process ever waiting for them.
 */
#ifndef SEEP_PROBE_BROKER_H
#define SEEP_PROBE_BROKER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/cleanup.h"
#include "probe/probe.h"

/* To be raised when messages or operations change: the child may be of another build. */
#define BROKER_PROTOCOL 1u

#define LINK_POINTS_MAX 64

enum link_operation {
	LINK_CREATE,	  /* a link, whose descriptor is in the answer; the child keeps one, too */
	LINK_CREATE_OPEN, /* a link that only the child keeps */
	LINK_HOLD,   /* the child shall keep the link whose descriptor comes along; no answer */
	LINK_SEAL,   /* all links of a number have been created; no answer */
	LINK_CLOSE,  /* all links of a number */
	LINK_LIST,   /* an answer with the descriptor of each link; then */
	LINK_LISTED, /* this one. What was to be closed before is closed */
};

/* What to do with one link. */
struct link_request {
	uint64_t number;    /* of a window, or a struct probe_links */
	uint32_t operation; /* enum link_operation */
	uint32_t kind;	    /* enum probe_links_kind; of perf links @n is 1 */
	uint32_t on_return; /* 1: return probes */
	int32_t pid;	    /* 0: every process that maps the file */
	uint32_t slot;	    /* of the file, for who asks later; 0: not known */
	uint32_t n;
	unsigned long offsets[LINK_POINTS_MAX]; /* in the file */
	uint64_t cookies[LINK_POINTS_MAX];	/* multi links only */
};

struct link_answer {
	uint64_t number;
	uint32_t operation;
	int32_t error; /* 0, or a negative errno */
	/* Of LINK_LIST only, as they were asked for. */
	int32_t pid;
	uint32_t slot;
	uint32_t is_sealed;
};

struct broker;

/* @name: of the child. */
int broker_new(const char *name, struct broker **ret);
/* Waits until the child has removed what it has. */
struct broker *broker_free(struct broker *b);
DEFINE_CLEANUP(struct broker *, broker_free)

/*
 * Takes over the child at the other end of @fd, which is the broker's also on failure. @found is called
 * for each link that it has, with its number, pid and slot, and takes over the descriptor. -EPIPE: it is
 * gone; -ETIMEDOUT: it does not answer.
 */
typedef int (*broker_found_fn)(const struct link_answer *answer, int fd, void *userdata);
int broker_take_over(const char *name, int fd, broker_found_fn found, void *userdata,
		     struct broker **ret);

/* Asks the socket: false if the child has died, which a request would show only later. */
bool broker_is_alive(struct broker *b);

/* This process's end of the socket, borrowed; another one once the child was started again. */
int broker_socket(const struct broker *b);
/* How often a child was started; 0: it was taken over. */
uint32_t broker_starts(const struct broker *b);

/* Closes this process's end and leaves the child to who has a copy of that. */
struct broker *broker_leave(struct broker *b);

/*
 * Starts the child again if it has died (killed, for want of memory). Links that only it had went with it.
 * -EAGAIN: not yet, it was started less than a second ago or is not gone altogether (@wait: until it is);
 * -EPIPE: too many of them died within a minute of their start.
 */
int broker_revive(struct broker *b, bool wait);

/*
 * The link's descriptor, or the negative errno of its creation. -EPIPE: the child is gone and could not be
 * started again.
 */
int broker_create_link(struct broker *b, const struct link_request *request, int prog_fd,
		       int file_fd);

/*
 * Gives links to the child, under the number, pid and slot of @of; in any case they are closed here, which
 * costs time only if they could not be given. @wait: else -EAGAIN if too much is waiting.
 */
int broker_hand_over(struct broker *b, const struct link_request *of, int *fds, size_t n,
		     bool wait);

/* Links that are not sealed are of no use to a process that takes the child over. */
void broker_seal(struct broker *b, uint64_t number);

/* Removes the links of these numbers, and waits until they are gone. */
int broker_close(struct broker *b, const uint64_t *numbers, size_t n);

/*
 * Asks without waiting: removing a link takes the kernel tens of milliseconds, and so may creating one.
 * Each request but LINK_HOLD is answered once, those of closings as they are done. -EAGAIN: too many are
 * waiting.
 */
int broker_ask(struct broker *b, const struct link_request *request, int prog_fd, int file_fd);
/* Readable when there are answers; -EAGAIN: there is none now. */
int broker_answer_fd(const struct broker *b);
int broker_read_answer(struct broker *b, struct link_answer *ret);

#endif
