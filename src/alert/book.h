/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * All alerts and suspects: what is open, what was told, what people answered.
 *
 * One entry per leak and service, whatever number of its processes or lives shows it. The book
 * decides what is an event; sinks only carry it. No I/O, and time is an argument.
 */
#ifndef SEEP_ALERT_BOOK_H
#define SEEP_ALERT_BOOK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "alert/alert.h"
#include "alert/confidence_prior.h"
#include "base/cleanup.h"

enum alert_event {
	ALERT_SUSPECTED,
	ALERT_CLEARED, /* a suspect no more */
	ALERT_OPENED,
	ALERT_GREW,    /* the rate doubled, severity rose, or a week passed */
	ALERT_STOPPED, /* what has leaked stays lost */
	ALERT_RESUMED,
	ALERT_RESOLVED, /* half of what had leaked was freed */
	ALERT_CLOSED,	/* the last process that showed it has ended */
	ALERT_ACKNOWLEDGED,
	ALERT_SUPPRESSED,
	ALERT_MARKED,
};

const char *alert_event_name(enum alert_event event); /* "opened", ... */

struct alert_book;

#define ALERT_BOOK_MAX 4096 /* entries; the oldest closed one makes room */

struct alert_book *alert_book_new(void); /* NULL: no memory */
struct alert_book *alert_book_free(struct alert_book *b);
DEFINE_CLEANUP(struct alert_book *, alert_book_free)

/* Called for each event, after the entry has changed. One listener. */
typedef void (*alert_listener_fn)(enum alert_event event, const struct alert *a, void *userdata);
void alert_book_listen(struct alert_book *b, alert_listener_fn callback, void *userdata);

/*
 * Called when an entry is gone from the book: it made room, or alert_is_kept() said no when it was over.
 * Not by alert_book_free().
 */
typedef void (*alert_forgotten_fn)(uint64_t id, void *userdata);
void alert_book_listen_forgotten(struct alert_book *b, alert_forgotten_fn callback, void *userdata);

/*
 * Called when the state of a suppressed entry has changed, of which the listener does not hear: for who
 * keeps entries. Not for one that is forgotten right then.
 */
typedef void (*alert_silent_fn)(const struct alert *a, void *userdata);
void alert_book_listen_silent(struct alert_book *b, alert_silent_fn callback, void *userdata);

/*
 * What an evaluation found. Takes over @found, also on failure; what people said before, opened_ms and
 * the like are kept from the entry that has its id. One that has been told already in an earlier
 * life, and is still open, is not told again unless it grew; one that was closed in between has
 * resumed. While a leak is shown by several processes of a service, the entry shows the one with the
 * largest rate (another one takes over by a quarter more), in the gravest of their states; and so with several parts (alert.h) of one
 * process. A suppressed entry is kept up to date, and tells nobody: its listener is only called for what people
 * say. An evaluation without a finding leaves the last one to be read. Frames that are known should
 * be in @found: patterns decide by them whether it is told.
 * -ENOSPC: the book is full of open entries. -ENOMEM.
 */
int alert_book_take(struct alert_book *b, struct alert *found, enum trend_event event,
		    uint64_t now_ms);

/* A process has ended (or is watched no more): entries that only it showed are closed. */
void alert_book_target_ended(struct alert_book *b, uint32_t target, uint64_t now_ms);

/*
 * Those that are open, and that no process shows (since they were restored), are closed as well, but for
 * those of services that @spares (NULL: none) says yes to.
 */
typedef bool (*alert_spares_fn)(const char *service, void *userdata);
void alert_book_close_unseen(struct alert_book *b, alert_spares_fn spares, void *userdata,
			     uint64_t now_ms);

/*
 * As the history has it, before anything else. Takes over @a, also on failure. -EEXIST, -ENOSPC,
 * -ENOMEM.
 */
int alert_book_restore(struct alert_book *b, struct alert *a);

/* Borrowed until the next change. */
const struct alert *alert_book_find(const struct alert_book *b, uint64_t id);
/* All entries: open ones first, by severity, then by the time to the limit; then the latest. The array
 * is the caller's. -ENOMEM. */
int alert_book_list(const struct alert_book *b, const struct alert ***ret, size_t *ret_n);
/*
 * A process of the service in which the leak is seen, in whatever state; several times where it has several
 * places of one name, such as two lines of a function.
 */
struct showing {
	uint32_t target;
	uint64_t part; /* of alert.h */
	enum trend_state state;
	double bytes_per_hour;
	uint64_t *stacks; /* owned by the book: kernel keys of its sites */
	size_t n_stacks;
};

/* All that show an entry, borrowed until the next change; 0: nobody, or no such entry. */
size_t alert_book_showings(const struct alert_book *b, uint64_t id, const struct showing **ret);

/*
 * After alert_book_restore(), by a daemon that goes on with the same processes: what one of them showed of an entry. @target_id: it
 * is the one that the entry shows; else NULL. -ENOENT: there is no such entry, or it is closed; -ENOMEM.
 */
int alert_book_resume(struct alert_book *b, uint64_t id, const struct showing *s,
		      const char *target_id);

/* Told, open, and neither acknowledged nor suppressed. */
size_t alert_book_count_open(const struct alert_book *b);
/* Entries that could not be taken so far. */
uint64_t alert_book_lost(const struct alert_book *b);

/*
 * Is it worth keeping once it is over? Suspects that nobody was told of and nobody answered to are
 * forgotten by the book, right after the listener was called for their end.
 */
bool alert_is_kept(const struct alert *a);

/*
 * What people say. -ENOENT: no such entry. @note may be NULL, and -E2BIG: has over ALERT_TEXT_MAX
 * bytes. What opened while it was suppressed is told when it is no more.
 */
int alert_book_acknowledge(struct alert_book *b, uint64_t id, const char *note, bool on,
			   uint64_t now_ms);
int alert_book_suppress(struct alert_book *b, uint64_t id, bool on, uint64_t now_ms);
int alert_book_mark(struct alert_book *b, uint64_t id, enum alert_mark mark, uint64_t now_ms);
/*
 * What has come to be known of an entry's Python objects, with no change of its state: lines and holders of
 * @p, which it takes over, also on failure, replace those that were known. Its listener for silent
 * changes is called. -ENOENT.
 */
int alert_book_describe(struct alert_book *b, uint64_t id, struct alert_python *p);
/* Over all entries, whatever their state. */
void alert_book_count_marks(const struct alert_book *b, struct confidence_marks *ret);

#define ALERT_BY_ID "id" /* suppressed_by of what a person suppressed */

/*
 * Patterns of LeakSanitizer's suppression files: lines "leak:PATTERN", '#' comments; a pattern matches
 * a part of a frame's function, source file or module, with * for any text, ^ and $ for the ends. Lines
 * "type:PATTERN" do the same with the type of Python objects.
 * Entries whose frames match are suppressed from then on; those of a file that was given before and
 * are not in this one are no more, and told with their next evaluation if nobody was told. @text is
 * the whole file. -EINVAL: *ret_line is the line that is wrong, *ret_why a static text, and nothing is
 * changed. -ENOMEM.
 */
int alert_book_set_suppressions(struct alert_book *b, const char *text, size_t size,
				unsigned *ret_line, const char **ret_why);

#endif
