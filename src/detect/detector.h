/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The detector on one life of a process: which of its sites leak, and where the blame goes.
 *
 * The same tests run on three keys: each call stack; all stacks with the same three innermost frames
 * outside of allocators' libraries; the process as a whole. What is spread over many stacks shows in the
 * wider keys only. The most specific key that explains most of the growth is blamed, once.
 *
 *	every tick:	  detector_tick(); it says when an evaluation is due. Then
 *	every evaluation: detector_scan_begin(), detector_scan_block() for each live block of the
 *			  process, detector_evaluate(), detector_findings()
 *	at the end:	  detector_end(), which hands out what the life taught
 *
 * Pure: numbers and times are arguments, and so is what earlier lives taught. A key takes about 6 KB
 * from when its live bytes first matter (trend_process_least_bytes()).
 */
#ifndef SEEP_DETECT_DETECTOR_H
#define SEEP_DETECT_DETECTOR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/cleanup.h"
#include "heap/heap.h"
#include "trend/evidence.h"
#include "trend/options.h"
#include "trend/profile.h"
#include "trend/site.h"

struct detector;

/* What is judged, from the most specific on. */
enum detector_scope {
	DETECTOR_STACK,
	DETECTOR_FRAMES,
	DETECTOR_PROCESS,
	DETECTOR_SCOPES
};

#define DETECTOR_FRAMES_SHARED 3

/* Under which ids the history knows a key (heap/group.h); 0: not known. */
struct detector_ids {
	uint64_t leak_id; /* of this build */
	uint64_t site_id; /* of all builds */
};

struct detector_env {
	/* The ids of a key, of which @s is a site (NULL: of the process). False: not known yet. */
	bool (*identify)(void *userdata, enum detector_scope scope, const struct site *s,
			 struct detector_ids *ret);
	/* What earlier lives taught. False: nothing. */
	bool (*recall)(void *userdata, const struct detector_ids *ids, struct trend_profile *ret);
	void *userdata;
};

struct detector_options {
	const struct trend_options *trend; /* borrowed */
	uint64_t tick_ns;
	uint64_t origin_ns; /* monotonic: when the watch began */
	struct detector_env env;
	size_t max_keys; /* followed at once; 0: 12288 */
};

struct detector *detector_new(const struct detector_options *options); /* NULL: no memory */
struct detector *detector_free(struct detector *d);
DEFINE_CLEANUP(struct detector *, detector_free)

/* Of the process, at a tick. */
struct detector_process {
	double usage_bytes; /* of the group with the tightest limit */
	double limit_bytes;
	uint64_t lost_frees;
	double bytes_factor; /* from seen bytes to all, where blocks are seen in windows; else 1. 0: no
				block is seen at present */
};

/*
 * The sites of the process (heap_list()), as of now. 1: an evaluation is due; 0: not, or no tick is over,
 * or a scan is on its way. -EINVAL: an amount is no number above 0; -ENOMEM.
 */
int detector_tick(struct detector *d, uint64_t now_ns, const struct detector_process *in,
		  struct site *const *sites, size_t n);

void detector_scan_begin(struct detector *d);
bool detector_is_scanning(const struct detector *d);
/* A live block: born at @birth_ns (monotonic), standing for @bytes. */
void detector_scan_block(struct detector *d, const struct site *s, uint64_t birth_ns, double bytes);

/* The walk over the blocks failed: what was seen of them is no ground for a verdict. */
void detector_scan_abandon(struct detector *d);

/* Judges every key and settles the blame. Sites as of the tick that asked for it. */
int detector_evaluate(struct detector *d, struct site *const *sites, size_t n);

/* What is blamed, since the last evaluation. */
struct detector_finding {
	enum detector_scope scope;
	uint64_t part; /* tells it from the others, the same in all evaluations; 0: the process */
	uint64_t largest; /* stack of the site that holds most of it; 0: none */
	const uint64_t
		*stacks; /* kernel keys of the sites, by rate; borrowed until the next evaluation */
	size_t n_stacks;
	enum trend_event event;
	const struct trend_evidence *evidence; /* borrowed until the next evaluation */
};

/* All keys that are suspect, leaking, or were: borrowed until the next evaluation. */
size_t detector_findings(const struct detector *d, const struct detector_finding **ret);

/*
 * The life is over (or the watch): for each key that has ids, what to add to the history. @profile is
 * what the history has now, or empty; @save gets it with this life added. No more ticks after this.
 */
void detector_end(struct detector *d, enum trend_end how,
		  void (*save)(void *userdata, const struct detector_ids *ids,
			       const struct trend_profile *profile),
		  void *userdata);

/*
 * A daemon that restarts goes on where it was: what the detector knows, in pieces that are read back in
 * the same order and sizes. Not within a scan. Findings come again with the next evaluation.
 */
typedef void (*detector_put_fn)(void *userdata, const void *data, size_t size);
typedef int (*detector_get_fn)(void *userdata, void *data, size_t size); /* 0, or an error */

int detector_pack(const struct detector *d, detector_put_fn put, void *userdata);
/* -EPROTO: of another version, or of ticks of another length; -EBADMSG; -ENOMEM. */
int detector_unpack(const struct detector_options *options, detector_get_fn get, void *userdata,
		    struct detector **ret);

/* Tick 0 of all evidence, and now, monotonic and in ticks. */
uint64_t detector_origin_ns(const struct detector *d);
uint32_t detector_now(const struct detector *d);
/* The verdict on a stack; TREND_QUIET also for what is not followed. */
enum trend_state detector_state_of(const struct detector *d, uint64_t stack);
/* Keys that there was no room to follow. */
uint64_t detector_left_out(const struct detector *d);
size_t detector_keys(const struct detector *d);

#endif
