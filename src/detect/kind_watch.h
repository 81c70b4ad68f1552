/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The detector on the kinds of Python objects (python/census.h) of one life of a process. Kinds are judged
 * as stacks are (trend/site.h), by what a census counts instead of by blocks:
 *
 *	each census:	kind_watch_count(); kind_watch_wanted() says of which kinds the objects should be listed;
 *			kind_watch_objects() for each of them; kind_watch_judge(), then kind_watch_findings()
 *	at the end:	kind_watch_end()
 *
 * A kind has its objects followed (members.h) from when it matters and was seen to grow over four
 * censuses. Kinds that grow in step (a task, its coroutine, its context, its name) are one leak.
 *
 * Births are those that lived from one census to the next; the work of the process, which the detector
 * compares growth with, is what the caller measures (such as CPU time).
 *
 * Pure: numbers and times are arguments. About 400 bytes per kind, and of those that are followed 6 KB and
 * 16 bytes per object.
 */
#ifndef SEEP_DETECT_KIND_WATCH_H
#define SEEP_DETECT_KIND_WATCH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/cleanup.h"
#include "detect/detector.h"
#include "python/kind_objects.h"
#include "trend/evidence.h"
#include "trend/slope.h"

struct kind_watch;

#define KINDS_FOLLOWED_MAX   32
#define KINDS_MEMBERS_MAX    16384 /* objects of a kind that are followed */
#define KINDS_COMPANIONS_MAX 8

struct kind_options {
	const struct trend_options *trend; /* borrowed */
	uint64_t tick_ns;
	uint64_t origin_ns;	 /* monotonic: when the watch began */
	struct detector_env env; /* recall() alone; ids are the key of the kind */
	size_t max_kinds;	 /* 0: 4096 */
};

struct kind_watch *kind_watch_new(const struct kind_options *options); /* NULL: no memory */
struct kind_watch *kind_watch_free(struct kind_watch *k);
DEFINE_CLEANUP(struct kind_watch *, kind_watch_free)

/* What a census says of a kind. */
struct kind_count {
	uint64_t key; /* tells it from others, the same in all lives; not 0 */
	uint64_t count;
	uint64_t bytes;
	uint8_t rank;	/* of kinds that grow in step the one with the lowest is blamed */
	bool is_task;	/* identities of its objects are numbers of tasks */
	bool has_ended; /* what its objects run has ended: nothing will come of them any more */
};

struct kind_process {
	double usage_bytes; /* as in struct detector_process */
	double limit_bytes;
	uint64_t work;	     /* never goes back */
	uint64_t tasks_made; /* 0: not known */
};

/*
 * A census at @now_ns (monotonic). 0: no tick is over since the last one, or no limit is known: it is not
 * taken, nor are objects of it; 1: taken. -ENOMEM.
 */
int kind_watch_count(struct kind_watch *k, uint64_t now_ns, const struct kind_process *in,
		     const struct kind_count *list, size_t n);

struct kind_wanted {
	uint64_t key;
	uint64_t threshold; /* for python_wanted */
};

/* At most KINDS_FOLLOWED_MAX; how many. */
size_t kind_watch_wanted(const struct kind_watch *k, struct kind_wanted ret[KINDS_FOLLOWED_MAX]);

/* Its objects as of the census. -ENOENT: it is not followed; -ENOMEM. */
int kind_watch_objects(struct kind_watch *k, uint64_t key, const struct python_objects *objects);

/* 1: kinds were judged, and there are new findings; 0: it is not time yet. -ENOMEM. */
int kind_watch_judge(struct kind_watch *k);

struct kind_companion {
	uint64_t key;
	double per_object; /* how many come with each object of the kind that is blamed */
};

struct kind_finding {
	uint64_t key; /* what is blamed */
	enum trend_event event;
	struct trend_evidence evidence; /* bytes are of the object with its companions */
	struct kind_companion companions[KINDS_COMPANIONS_MAX]; /* largest growth first */
	size_t n_companions;
	double bytes_per_object; /* with companions */
	double prior_odds;	 /* behind the confidence, as in struct trend_options */
};

/* Borrowed until the next kind_watch_judge(). */
size_t kind_watch_findings(const struct kind_watch *k, const struct kind_finding **ret);

/*
 * Objects of a kind that were seen to be made and are gone: so many died at that age or earlier, which no
 * census sees. They tell that its objects are not all meant to stay. -ENOENT: it is not followed.
 */
int kind_watch_died(struct kind_watch *k, uint64_t key, double count, double age_ticks);

/* The kind is held by something else than what it grows with: it is a leak of its own. */
void kind_watch_set_apart(struct kind_watch *k, uint64_t key);

/* Of the oldest objects of a kind, up to @max addresses; how many. 0: it is not followed. */
size_t kind_watch_oldest(const struct kind_watch *k, uint64_t key, uint64_t *addresses, size_t max);

/* How a kind's bytes move. .valid is false for one that is not known. */
struct slope_estimate kind_watch_growth(const struct kind_watch *k, uint64_t key);
/* NULL: nothing is thought of it. Borrowed until the next kind_watch_judge(). */
const struct trend_evidence *kind_watch_evidence(const struct kind_watch *k, uint64_t key);
/* The kind under whose name it is judged, itself in most cases. */
uint64_t kind_watch_blamed(const struct kind_watch *k, uint64_t key);

/* As detector_end(). */
void kind_watch_end(struct kind_watch *k, enum trend_end how,
		    void (*save)(void *userdata, const struct detector_ids *ids,
				 const struct trend_profile *profile),
		    void *userdata);

/*
 * As detector_pack() and detector_unpack(). Between kind_watch_count() and kind_watch_judge(), too: then it is
 * as if the objects could not have been listed.
 */
int kind_watch_pack(const struct kind_watch *k, detector_put_fn put, void *userdata);
int kind_watch_unpack(const struct kind_options *options, detector_get_fn get, void *userdata,
		      struct kind_watch **ret);

uint64_t kind_watch_origin_ns(const struct kind_watch *k);
size_t kind_watch_followed(const struct kind_watch *k);
/* Kinds that there was no room to follow. */
uint64_t kind_watch_left_out(const struct kind_watch *k);

#endif
