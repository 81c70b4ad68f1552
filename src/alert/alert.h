/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A verdict as it is told to people: one per leak and service, over all lives of the service.
 *
 * Everything that is needed to show it is in here, so that it outlives its process, its daemon and
 * its symbols. Suspects have one, too: they are shown, and nobody is told.
 */
#ifndef SEEP_ALERT_ALERT_H
#define SEEP_ALERT_ALERT_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "alert/python.h"
#include "base/cleanup.h"
#include "symbolize/frame.h"
#include "trend/evidence.h"

/* What is blamed: the most specific that explains most of the growth. */
enum alert_scope {
	ALERT_STACK,   /* one call stack */
	ALERT_FRAMES,  /* all stacks with the same three innermost frames outside of allocators */
	ALERT_PROCESS, /* the process: too many places share the growth */
	ALERT_TYPE,    /* Python objects of one type (and code) */
};

/* What a person said of it; later confidences learn from it. */
enum alert_mark {
	ALERT_UNMARKED,
	ALERT_TRUE,  /* it does leak */
	ALERT_FALSE, /* it does not */
};

/* A life of the process, told by the first tick of its watch. Times are wall clock, milliseconds. */
struct alert_life {
	uint64_t began_ms; /* tick 0 of the evidence's ticks */
	double tick_seconds;
};

struct alert_survivors {
	uint64_t from_ms; /* births in a slice of this start */
	double births;	  /* blocks */
	double blocks;	  /* still live */
	double bytes;
};

#define ALERT_BARS	 WINDOW_SLICES
#define ALERT_FRAMES_MAX 512 /* of JSON; deeper ones are left out */
#define ALERT_TEXT_MAX \
	4096 /* bytes of any text in JSON, without the NUL; longer ones are refused */

struct alert {
	uint64_t id;   /* of the service and what is blamed; the same in every life */
	char *service; /* owned: the unit, or the program's path */
	enum alert_scope scope;

	/* The process that showed it last. */
	uint32_t target;    /* key; 0: gone, or of an earlier daemon */
	uint64_t part;	    /* which of its findings, of several that have this id; not in JSON */
	char target_id[32]; /* "PID-KEY" */
	pid_t pid;
	uid_t uid;
	char comm[16];
	char *exe;	 /* owned as all below; NULL: unknown */
	char *unit;	 /* NULL: none */
	char *cgroup;	 /* NULL: unknown */
	char *container; /* NULL: none */

	enum trend_state state;
	enum trend_severity severity;
	bool is_told;	     /* people were told; else it is a suspect, or was one */
	uint64_t opened_ms;  /* told first; 0: never */
	uint64_t changed_ms; /* state or severity */
	uint64_t closed_ms;  /* stopped, resolved, or the process ended; 0: open */
	uint64_t times_told;

	struct trend_evidence evidence;
	double prior_odds; /* trend_options.prior_odds behind its confidence; 0: 1, the corpus' */
	struct alert_life life;
	struct alert_survivors bars[ALERT_BARS];
	size_t n_bars;

	struct frame *frames; /* owned with all strings: of the largest stack, innermost first */
	size_t n_frames;
	uint64_t *stacks; /* owned: keys of its sites while the target is watched, largest first */
	size_t n_stacks;
	double sampling_error_bytes; /* of the live bytes, standard error; 0: exact */

	struct alert_python *python; /* owned; NULL: it is not of Python objects */

	/* The process' memory since its watch began: how much of its growth is explained by live bytes
	 * (of all sites); both 0 while unknown. */
	double growth_bytes;
	double explained_bytes;

	bool is_acknowledged;
	char *note;	     /* owned: what was said with the acknowledgement, NULL: nothing */
	char *suppressed_by; /* owned: "leak:PATTERN", or "id"; NULL: not suppressed */
	enum alert_mark mark;
};

struct alert *alert_new(void); /* NULL: no memory */
struct alert *alert_free(struct alert *a);
DEFINE_CLEANUP(struct alert *, alert_free)

/* Words of API and CLI: "stack", "frames", "process", "type"; "true", ...; "quiet", "leaking", ... */
const char *alert_scope_name(enum alert_scope scope);
const char *alert_mark_name(enum alert_mark mark);
const char *alert_state_name(enum trend_state state);
const char *alert_severity_name(enum trend_severity severity);
int alert_scope_parse(const char *text, enum alert_scope *ret);
int alert_mark_parse(const char *text, enum alert_mark *ret);
int alert_state_parse(const char *text, enum trend_state *ret);
int alert_severity_parse(const char *text, enum trend_severity *ret);

/* From the ticks of the evidence to people's units. */
double alert_seconds(const struct alert *a, double ticks);
uint64_t alert_wall_ms(const struct alert *a, double ticks); /* 0: unknown, or out of range */
double alert_bytes_per_hour(const struct alert *a, double bytes_per_tick);

/* Suspect, leaking or exhaustion: forecasts make sense. */
bool alert_is_growing(const struct alert *a);

/* The innermost frame that is not allocator plumbing; NULL without frames. Borrowed. */
const struct frame *alert_line(const struct alert *a);

/* "possible", "likely" (from 0.8), "almost certain" (from 0.95); NULL for 0, without a finding. */
const char *alert_confidence_word(double confidence);

/*
 * The object that the API shows, commands get and the history keeps. New reference; -ENOMEM. What
 * is shown only (sentences, forecasts) is derived from the rest.
 */
int alert_to_json(const struct alert *a, json_t **ret);

/*
 * The way back, of what alert_to_json() made. Not trusted: -EINVAL, and *ret is untouched. Target
 * and stacks are those of a daemon that is gone and come back as 0 and none.
 */
int alert_from_json(const json_t *json, struct alert **ret);

#endif
