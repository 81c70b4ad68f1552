/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Python objects of targets: a census on a schedule, kinds that grow, who holds them.
 *
 *	tick ── due? ── census ── count ── objects of kinds that grow ── judge ── findings
 *						    └── holders of what is found ── alert
 *
 * Everything is read by the inspector's child (python/inspect.h), one step after the other; a round of one
 * target ends before its next one begins. What a round costs sets when the next one may come.
 */
#ifndef SEEP_MONITOR_PYTHON_H
#define SEEP_MONITOR_PYTHON_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "alert/python.h"
#include "detect/kind_watch.h"
#include "python/inspect.h"
#include "trend/site.h"

struct monitor;
struct tracked;

#define PYTHON_NOTES_MAX 64

/* What is kept of a kind that was found to grow, also when no census has it any more. */
struct kind_note {
	uint64_t key;
	char *type; /* owned as all texts */
	char *function;
	char *file;
	uint32_t line;
	bool done;
	uint64_t type_address;
	bool is_searched; /* for holders */
	uint64_t searched_ns;
	bool wants_sample;   /* the lines that make them are to be looked for */
	uint64_t sampled_ns; /* when they were; 0: never */
	struct python_holders holders;
	struct alert_python *origin; /* owned: lines that make such objects; NULL: not known */
};

struct python_watch {
	struct monitor *monitor; /* borrowed */
	struct tracked *tracked; /* borrowed; NULL: its life is over, and an answer is awaited */
	struct python_watch *next;
	bool is_busy;	    /* a round is on its way */
	uint64_t began_ns;  /* the round */
	uint64_t cost_ns;   /* CPU time of the round */
	uint64_t due_ns;    /* the next one */
	uint64_t looked_at; /* hash of the mappings when it was found to be no Python */

	struct python_census census; /* the latest */
	uint64_t *keys;		     /* owned: of its kinds */
	uint64_t taken_ns;	     /* 0: none yet */
	int error;		     /* of the last round */
	char *why;		     /* owned */

	struct kind_watch *kinds; /* owned; NULL: no census yet */
	struct kind_note notes[PYTHON_NOTES_MAX];
	size_t n_notes;
	struct kinds_to_tell {
		struct kind_finding *list; /* owned */
		size_t n, at;
		unsigned int searches; /* in this round */
		uint64_t searching;    /* key of the kind whose holders are looked for */
	} telling;
};

int python_start(struct monitor *m);
void python_stop(struct monitor *m);
/* At each tick of the detector. */
void python_tick(struct monitor *m);
/* The life or the watch of a target is over. False: it had no census. */
bool python_end(struct monitor *m, struct tracked *t, enum trend_end how);
int python_add_points(struct monitor *m, const struct tracked *t, uint64_t now_ms);

/*
 * For who finds out where objects are made: the lines of a kind of a target, which alerts show from now on.
 * Takes over @origin (its lines and constructions_seen count), also on failure. -ENOENT: no such target, or
 * the kind was never found to grow.
 */
int monitor_python_set_origin(struct monitor *m, uint32_t target, uint64_t key,
			      struct alert_python *origin);

/* What is known of kinds, over a restart of the daemon: kind_watch_pack(). */
bool python_has_trends(const struct tracked *t);
int python_pack(const struct tracked *t, detector_put_fn put, void *userdata);
/* @t NULL: it is no more, and what there is is dropped. */
int python_unpack(struct monitor *m, struct tracked *t, detector_get_fn get, void *userdata);

/* Of an answer that comes after the end of the target: the watch is over now. */
void python_forget(struct python_watch *w);

/*
 * For the same: objects of the kind that were seen to be made, and were gone when looked for after so many
 * seconds. -ENOENT.
 */
int monitor_python_note_deaths(struct monitor *m, uint32_t target, uint64_t key, uint64_t count,
			       double seconds);

/* python_kinds.c */
uint64_t python_kind_key(const struct python_kind *k);
/* Which of kinds that grow in step names them: a task before a coroutine before an instance before text. */
uint8_t python_kind_rank(const char *type);
/* Counts of the latest census into the detector. As kind_watch_count(). */
int python_count(struct python_watch *w, uint64_t now_ns);
/* The kind of a key in the latest census, its largest part; NULL: it has none. */
const struct python_kind *python_find_kind(const struct python_watch *w, uint64_t key);
uint64_t python_alert_id(const struct tracked *t, uint64_t key);

/* python_tell.c: tells the findings of a round, then calls python_end_round(). */
int python_begin_telling(struct python_watch *w);
void python_end_telling(struct python_watch *w);
struct kind_note *python_find_note(struct python_watch *w, uint64_t key);
void python_notes_done(struct python_watch *w);
void python_end_round(struct python_watch *w);

/* python_ask.c */
void python_drop_asks(struct monitor *m);

#endif
