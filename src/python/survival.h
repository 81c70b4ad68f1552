/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Which lines make the objects that stay: constructions that were seen, and what is left of them later.
 *
 * An address is used again and again, so of those that were seen at one address only the latest can be there
 * still; what was gone at the end of the burst was freed; and a task at the address of another has another
 * number. What is left of churn are objects that took the place of one that was the last seen there: no more
 * than there are such places. Pure: no process, no clock.
 */
#ifndef SEEP_PYTHON_SURVIVAL_H
#define SEEP_PYTHON_SURVIVAL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "python/kind_objects.h"

/* One construction, in order. */
struct survival_record {
	uint64_t object;
	uint64_t time_ns;
	uint64_t identity; /* as of struct python_object, at the end of the burst; 0: none */
	size_t line;	   /* index into the lines */
	bool may_live;	   /* filled in: it was there at the end of the burst */
};

struct survival_line {
	uint64_t sampled;   /* constructions of which it can be told what became of them */
	uint64_t survivors; /* of these */
	size_t index;	    /* the caller's: the lines are sorted */
	bool is_leaking;
};

/* Share of @n that @k were, with the ends of its interval of two standard errors (Wilson's, 1927). */
void survival_interval(uint64_t k, uint64_t n, double *ret_low, double *ret_high);

/*
 * At the end of the burst, @now being the objects of the type then: marks those that are still there. Of an
 * object that is not listed (a threshold) nothing can be told.
 */
void survival_end(struct survival_record *records, size_t n, const struct python_objects *now);

/*
 * Counts into @lines, @n_lines of them with index 0 .. @n_lines - 1, what is left @now (later; objects of the
 * type, or those of a kind of it). Then sorts them, the largest share of survivors first, and marks those
 * that leak: at least 8 survivors, and a share far above that of the other lines. Returns whether there is
 * one: with a single line, whether most of its objects stay.
 */
bool survival_count(const struct survival_record *records, size_t n,
		    const struct python_objects *end, const struct python_objects *now,
		    struct survival_line *lines, size_t n_lines);

/*
 * The share of all constructions that was seen, by the numbers of those that were there at the end: as many
 * were made between two of them as the numbers are apart. 0: too few are known.
 */
double survival_seen_by_numbers(const struct survival_record *records, size_t n);

/*
 * The same by objects that came between two censuses, @before and @after the burst, of the time between which
 * the burst was @time_share: those that were seen, of all that came during it. 0: too few came.
 */
double survival_seen_by_objects(const struct survival_record *records, size_t n,
				const struct python_objects *before,
				const struct python_objects *after, double time_share);

#endif
