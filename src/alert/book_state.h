/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The inside of the book, for src/alert only. See book.h. */
#ifndef SEEP_ALERT_BOOK_STATE_H
#define SEEP_ALERT_BOOK_STATE_H

#define HASH_NONFATAL_OOM	     1
#define uthash_nonfatal_oom(element) ((element)->failed = true)
#include <uthash.h>

#include "alert/book.h"
#include "alert/suppressions.h"

struct entry {
	uint64_t id;
	struct alert *a;	  /* owned; its .target is the process that it shows */
	struct showing *showings; /* owned, with their stacks */
	size_t n_showings;
	size_t room;
	bool is_matched; /* with the frames that it has, and the patterns that there are */
	bool failed;	 /* by uthash: no memory */
	UT_hash_handle hh;
};

struct alert_book {
	struct entry *entries; /* by id */
	size_t n;
	uint64_t lost;
	struct suppressions *suppressions; /* owned; NULL: none */
	alert_listener_fn listener;
	void *userdata;
	alert_forgotten_fn forgotten;
	void *forgotten_userdata;
	alert_silent_fn silent;
	void *silent_userdata;
};

struct entry *book_find(const struct alert_book *b, uint64_t id);

/* Forgets it. */
void book_drop(struct alert_book *b, struct entry *e);

/* A new entry with @a, which it takes over also on failure; makes room. -ENOSPC, -ENOMEM. */
int book_add(struct alert_book *b, struct alert *a, struct entry **ret);

/* To the listener, unless the entry is suppressed and it is not about what people said. */
void book_emit(struct alert_book *b, enum alert_event event, const struct entry *e);

/* People are told, for the first time or again. */
void book_tell(struct alert_book *b, enum alert_event event, struct entry *e, uint64_t now_ms);

/*
 * Sets which pattern suppresses it, and tells the listener of a change in what is known already; one
 * that is suppressed by its id stays so. -ENOMEM: nothing is changed.
 */
int book_match(struct alert_book *b, struct entry *e);

/*
 * Adds or changes what a process shows, with a copy of the stacks; quiet and closed parts show nothing any
 * more. -ENOMEM.
 */
int showings_note(struct entry *e, const struct showing *s);
void showings_drop(struct entry *e, uint32_t target); /* all that it shows */
void showings_done(struct entry *e);
bool showings_have(const struct entry *e, uint32_t target);
struct showing *showings_find(const struct entry *e, uint32_t target, uint64_t part);
/* The gravest state that anything shows, but for what @but (NULL: nothing) does; TREND_QUIET for none. */
enum trend_state showings_state(const struct entry *e, const struct alert *but);
/* Gravest first: leaking, exhaustion, suspect, stopped, resolved. */
int state_rank(enum trend_state state);

static inline bool state_is_alert(enum trend_state state)
{
	return state == TREND_LEAKING || state == TREND_EXHAUSTION;
}

static inline bool state_is_open(enum trend_state state)
{
	return state_is_alert(state) || state == TREND_SUSPECT;
}

#endif
