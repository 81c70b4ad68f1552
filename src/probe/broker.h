/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A process that sets probes for this one, inside of src/probe only.
 *
 * When a process is killed while the kernel registers its uprobes, the registration fails half-way
 * and its own clean-up fails too, since a dying process can no longer write to the target's pages:
 * breakpoints stay in the target for good ("failed to unregister, leaking uprobe"). The same happens to
 * one that is killed while it closes a link. So links are created and closed by a child that ignores
 * every signal and ends by itself when this process is gone.
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

#define LINK_POINTS_MAX 64

enum link_operation {
	LINK_CREATE,	   /* a link, whose descriptor is the answer */
	LINK_CREATE_OPEN,  /* a link that the child keeps, under a window's number */
	LINK_CLOSE_WINDOW, /* all links of a window */
	LINK_HOLD,	   /* a link whose descriptor comes with the request: kept likewise */
};

/* What to do with one link. */
struct link_request {
	uint64_t window;
	uint32_t operation; /* enum link_operation */
	uint32_t kind;	    /* enum probe_links_kind; of perf links @n is 1 */
	uint32_t on_return; /* 1: return probes */
	int32_t pid;	    /* 0: every process that maps the file */
	uint32_t n;
	unsigned long offsets[LINK_POINTS_MAX]; /* in the file */
	uint64_t cookies[LINK_POINTS_MAX];	/* multi links only */
};

struct link_answer {
	uint64_t window;
	uint32_t operation;
	int32_t error; /* 0, or a negative errno */
};

struct broker;

int broker_new(struct broker **ret);
struct broker *broker_free(struct broker *b);
DEFINE_CLEANUP(struct broker *, broker_free)

/* The link's descriptor, or the negative errno of its creation. -EPIPE: the child is gone. */
int broker_create_link(struct broker *b, const struct link_request *request, int prog_fd,
		       int file_fd);

/*
 * Has the child close links, whose descriptors are taken over. @wait: until they are gone. What cannot be
 * handed over is closed here.
 */
void broker_close_links(struct broker *b, int *fds, size_t n, bool wait);

/*
 * The same without waiting: removing a link takes the kernel tens of milliseconds, and so may creating
 * one. Answers come in the order of the requests, one each. -EAGAIN: too many are waiting.
 */
int broker_ask(struct broker *b, const struct link_request *request, int prog_fd, int file_fd);
/* Readable when there are answers; -EAGAIN: there is none now. */
int broker_answer_fd(const struct broker *b);
int broker_read_answer(struct broker *b, struct link_answer *ret);

#endif
