/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Survivor sampling: which lines make the Python objects that stay.
 *
 *	objects of the type ── burst of probes on its constructors ── objects again ── wait ── what is left
 *	                             └── too few were seen: the next constructor        └── longer: not clear yet
 *
 * One kind of one target at a time, in steps of the event loop. A burst is short, bounded in time, hits and
 * constructions by what the target's budget grants in a minute, and its probes come and go by a window
 * (probe/probe.h). What is known of the kind then shows the lines (monitor_python_set_origin()).
 */
#ifndef SEEP_MONITOR_SURVIVORS_H
#define SEEP_MONITOR_SURVIVORS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "../bpf/abi.h"
#include "python/constructors.h"
#include "python/kind_objects.h"
#include "python/survival.h"

struct alert_python;
struct event;
struct monitor;
struct survivors;
struct tracked;

/* Windows with these numbers are bursts', see survivors_answer(). */
#define SURVIVORS_WINDOW (1ull << 63)

/*
 * The end: created_at and constructions_seen of @origin, which is taken over; or a negative errno and NULL.
 * -ENODATA: no constructor that is called was found; -ESRCH: the target went away.
 */
typedef void (*survivors_fn)(struct monitor *m, uint32_t target, uint64_t kind, int error,
			     struct alert_python *origin);

/* Whose creation is looked for. Texts are copied. */
struct survivors_wanted {
	uint64_t kind;		    /* its key */
	uint64_t type_address;	    /* of all that are sampled */
	struct python_wanted later; /* those that count as survivors */
	const char *function;	    /* of the code that they run; NULL: none */
	unsigned int looks;	    /* at most; each wait is twice the one before */
	survivors_fn done;
};

/*
 * -EBUSY: another kind is being looked into, ask again later; -ENODATA: nothing can be seen of this target
 * (its calls are not traced, or its Python frames cannot be walked).
 */
int survivors_begin(struct monitor *m, const struct tracked *t, const struct survivors_wanted *w);

int survivors_start(struct monitor *m);
void survivors_stop(struct monitor *m);

/* The window's links were set, or not, or all are gone. */
void survivors_answer(struct monitor *m, uint64_t window, bool is_closed, int error);
/* All windows are gone by themselves. */
void survivors_lose_windows(struct monitor *m);

/* --- inside of survivors*.c ----------------------------------------------------------------------- */

enum survivors_step {
	SURVIVORS_IDLE,
	SURVIVORS_ASKING,  /* which functions are the constructors */
	SURVIVORS_BEFORE,  /* objects before the burst */
	SURVIVORS_OPENING, /* the probes are being set */
	SURVIVORS_BURST,
	SURVIVORS_CLOSING, /* they are being removed */
	SURVIVORS_AFTER,   /* objects after it */
	SURVIVORS_WAITING, /* for what will be left */
	SURVIVORS_LOOKING, /* at that */
};

struct survivors_burst {
	struct construction *list; /* owned */
	size_t n;
	size_t room;
	struct survival_record *records; /* owned, the same number */
	double seen;			 /* share of all constructions; 0: not known */
	uint64_t opened_ns;
	uint64_t gone;		     /* constructions of which nothing was left at the last look */
	struct python_objects after; /* owned */
};

struct survivors {
	struct monitor *monitor; /* borrowed */
	struct event *timer;	 /* owned */
	enum survivors_step step;
	uint32_t target;
	uint64_t kind;
	char *function; /* owned */
	uint64_t type_address;
	struct python_wanted later;

	struct python_constructors constructors;
	size_t at;	 /* the one that is tried */
	uint64_t window; /* number */
	size_t awaited;	 /* answers */
	bool is_open;
	/* What a hit costs the target, and what more a construction that is taken. */
	double hit_ns;
	double taken_ns;

	struct python_objects before; /* owned */
	uint64_t before_ns;
	uint64_t opened_ns;
	uint64_t burst_ns; /* how long it was */
	struct survivors_burst now, best;

	survivors_fn done;
	unsigned int looks, looks_max;
	uint64_t wait_ns;

	/* What was asked for last, see monitor_find_origin(). */
	struct survivors_ask {
		uint32_t target;
		char *type; /* owned; NULL: nothing was */
		bool is_over;
		int error;
		struct alert_python *origin; /* owned */
	} ask;
};

/* survivors_burst.c */
/* Asks for the probe of a constructor; s->awaited answers will come. -ENOENT: in no file that is known. */
int survivors_open_window(struct survivors *s, const struct tracked *t,
			  const struct python_constructor *c);
bool survivors_is_over(const struct burst *b, uint64_t for_ns);
/* What the burst has seen, into s->now; @t, NULL if it is gone, pays for it. */
int survivors_take_burst(struct survivors *s, struct tracked *t);
/* The same of a burst of which nothing is wanted any more. */
void survivors_drop_burst(struct survivors *s, struct tracked *t);
void survivors_burst_done(struct survivors_burst *b);

/* survivors_lines.c: grouping by line; names are known, or asked for here. */
void survivors_ask_names(struct survivors *s);
/* What is left of the best burst. 1: clear enough, and in *ret; 0: not yet. @is_last: in any case. */
int survivors_find_lines(struct survivors *s, const struct python_objects *now, bool is_last,
			 struct alert_python **ret);

/* survivors_ask.c */
void survivors_drop_ask(struct survivors *s);

#endif
