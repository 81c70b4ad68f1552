/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Sites summed up the way a reader asked for: by stack, line, function, file or module.
 *
 * A site's line (function, file, module) is that of its innermost frame that is not allocator
 * plumbing (operator new, std::allocator, g_malloc, xmalloc, strdup, ...: heap/plumbing.c). Python's
 * interpreter is: what it allocates, some line of Python has caused.
 *
 * What is summed up under one entry:
 *	stack	  the frames, in each target apart
 *	line	  file and line; without them as by function
 *	function  module and function; without a name module and offset
 *	file	  the source file; without one the module
 *	module	  the module's path
 * Frames of Python have no module: the source file stands for it.
 * Sites without frames (not read yet) stay apart by stack, line and function, and share one entry
 * without frames by file and module.
 * Pure.
 */
#ifndef SEEP_HEAP_GROUP_H
#define SEEP_HEAP_GROUP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/cleanup.h"
#include "heap/heap.h"
#include "symbolize/frame.h"

enum group_by {
	GROUP_BY_STACK,
	GROUP_BY_LINE,
	GROUP_BY_FUNCTION,
	GROUP_BY_FILE,
	GROUP_BY_MODULE,
};

enum group_sort {
	GROUP_SORT_GROWTH,    /* bytes per hour, unknown ones last and by their live bytes */
	GROUP_SORT_LIVE,      /* totals_change_bytes(): signed, so that a difference sorts right */
	GROUP_SORT_COUNT,     /* totals_change_count() */
	GROUP_SORT_ALLOCATED, /* allocated bytes */
};

/*
 * "stack", "line", ... and "growth", "live", ...: the words of CLI and API. "traceback", as tracemalloc
 * has it, is a stack. -EINVAL.
 */
int group_by_parse(const char *text, enum group_by *ret);
int group_sort_parse(const char *text, enum group_sort *ret);
const char *group_by_name(enum group_by by);
const char *group_sort_name(enum group_sort sort);

/* A site with its frames as people read them, and what it adds. Inputs of a grouping. */
struct named_site {
	uint32_t target;
	uint64_t stack;
	struct totals totals; /* for a difference: what was allocated and freed between */
	uint64_t oldest_ns;   /* 0: unknown */
	uint8_t stack_status;
	struct slope_estimate growth;
	uint32_t verdict; /* the caller's, see struct group */
	const struct frame *const
		*frames; /* innermost first, inlined frames spread out; borrowed */
	size_t n_frames;
};

struct group {
	uint32_t target;  /* 0 when sites of several targets were summed */
	uint64_t site_id; /* by stack group_site_id(), else a hash of what was grouped by */
	uint64_t leak_id; /* by stack only, else 0 */
	struct totals totals;
	uint64_t oldest_ns;   /* of the sites whose oldest block is known; 0: of none */
	uint8_t stack_status; /* by stack complete if any site's is, else the largest site's */
	size_t n_sites;
	struct slope_estimate growth; /* sums of the valid slopes; errors add in squares */
	uint32_t verdict;	      /* the largest number that a site of it has */
	/*
	 * The largest site's, by what is sorted for; by stack all, else the one that it is blamed
	 * on. None when the site has none. Borrowed.
	 */
	const struct frame *const *frames;
	size_t n_frames;
};

struct group_options {
	enum group_by by;
	enum group_sort sort;
	size_t limit; /* 0: no limit */
	/*
	 * glob(7) patterns on function, file and module, the latter two with and without folders; or on
	 * a file and its line, "app.py:42". A site is kept if any include (or there is none) matches,
	 * and dropped if any exclude does. What has to match is the frame that it is blamed on: a
	 * pattern for a library then hides what the library leaks, not what a caller leaks through it.
	 */
	const char *const *include;
	size_t n_include;
	const char *const *exclude;
	size_t n_exclude;
	bool all_frames; /* or any other frame of the stack */
	/*
	 * Also drops what is blamed on Python's import system or on no known file, which is what
	 * tracemalloc's users leave out: "<frozen importlib._bootstrap>" and the like.
	 */
	bool default_excludes;
};

struct group_result {
	struct group *groups; /* sorted, descending; ties by site_id, so that output is stable */
	size_t n;
	size_t n_total;	      /* before the limit */
	struct totals sum;    /* over all groups, also those cut by the limit */
	struct totals hidden; /* what include and exclude kept out, */
	size_t n_hidden;      /* sites of that */
};

/* Borrows @sites and their frames for the life of the result. -ENOMEM. */
int group_sites(const struct named_site *sites, size_t n, const struct group_options *options,
		struct group_result **ret);

struct group_result *group_result_free(struct group_result *r);
DEFINE_CLEANUP(struct group_result *, group_result_free)

/* The frame that a site is blamed on: index into frames, 0 when all are plumbing. n >= 1. */
size_t group_blamed_frame(const struct frame *const *frames, size_t n);
bool frame_is_plumbing(const struct frame *f);

/*
 * site_id: 64-bit hash of the function names and module base names of the frames; survives a
 * rebuild. leak_id: hash of (build-id, offset) of the frames; equal on all hosts with the same
 * binaries. Of a Python frame that is the names of its file and function, and for the leak_id the line, counted
 * from the function's first one. A frame without name or build-id contributes module base name and offset; inlined
 * frames contribute nothing, so that ids are the same with and without debug information. The hash
 * is described in heap/ids.h.
 */
uint64_t group_site_id(const struct frame *const *frames, size_t n);
uint64_t group_leak_id(const struct frame *const *frames, size_t n);

#endif
