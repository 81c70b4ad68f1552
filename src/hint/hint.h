/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What usually mends a leak of this pattern, in one sentence.
 *
 * A small table of recognisers, the most specific first; where none is sure there is no hint, which is
 * better than a wrong one. Pure.
 */
#ifndef SEEP_HINT_HINT_H
#define SEEP_HINT_HINT_H

#include <stdbool.h>
#include <stddef.h>

#include "symbolize/frame.h"

/* What keeps Python objects alive, as far as it was looked for. */
enum hint_holding {
	HINT_HOLDING_UNKNOWN, /* not looked for, or further away than was looked */
	HINT_HELD_BY_ROOT,    /* a module or class, where the path begins */
	HINT_HELD_BY_FRAME,   /* a local variable of a running function */
	HINT_HELD_BY_NOBODY,  /* but they each other */
};

/* Of tasks, coroutines and generators. */
enum hint_ending {
	HINT_ENDING_UNKNOWN,
	HINT_ENDED,
	HINT_NOT_ENDED,
};

/* All that a recogniser sees of a leak. Texts may be NULL where nothing is known; all are borrowed. */
struct hint_facts {
	/* Of Python objects; type is NULL if the leak is of native memory. */
	const char *type; /* "_asyncio.Task" */
	enum hint_ending ending;
	enum hint_holding holding;
	const char *path;      /* "app.hub._tasks{*}" */
	const char *container; /* type of what holds them: "set" */

	const struct frame *frames; /* innermost first */
	size_t n_frames;

	double births;	  /* blocks allocated in the intervals that were judged; 0: not known */
	double survivors; /* blocks of these that are live */
	double freed_old; /* blocks that were freed at an age at which survivors count */
	bool is_steady;	  /* the rate neither rises nor falls */
	bool few_blocks;  /* few blocks, each time larger ones */
};

struct hint {
	const char *pattern;  /* a word or two, for tests and logs: "task-in-set" */
	const char *sentence; /* static */
};

/* False, and nothing set: none of the patterns. */
bool hint_find(const struct hint_facts *f, struct hint *ret);

#endif
