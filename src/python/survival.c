// SPDX-License-Identifier: GPL-2.0-or-later
/* Constructions that were seen, and what is left of them. See survival.h. */
#include "python/survival.h"

#include <math.h>
#include <stdlib.h>

#include "base/cleanup.h"

/* A line that leaks. */
#define SURVIVORS_MIN 8
#define APART	      3.0 /* times the share of all other lines together */
#define MOST	      0.5 /* of a line that has no other to be compared with */

/* Without less of them a share of constructions means nothing. */
#define CAME_MIN 32

void survival_interval(uint64_t k, uint64_t n, double *ret_low, double *ret_high)
{
	const double z = 2, z2 = z * z;
	double p, middle, half, count = (double)n;

	*ret_low = 0;
	*ret_high = 1;
	if (!n)
		return;
	p = (double)k / count;
	middle = (p + z2 / (2 * count)) / (1 + z2 / count);
	half = z * sqrt(p * (1 - p) / count + z2 / (4 * count * count)) / (1 + z2 / count);
	*ret_low = fmax(0, middle - half);
	*ret_high = fmin(1, middle + half);
}

static int by_address(const void *a, const void *b)
{
	const struct python_object *x = a, *y = b;

	return (x->address > y->address) - (x->address < y->address);
}

static const struct python_object *find(const struct python_objects *o, uint64_t address)
{
	const struct python_object key = { .address = address };

	return o->n ? bsearch(&key, o->list, o->n, sizeof(key), by_address) : NULL;
}

/* Whether an object would be in the list if it were there. */
static bool would_be_listed(const struct python_objects *o, uint64_t address)
{
	return python_object_hash(address) <= o->threshold;
}

void survival_end(struct survival_record *records, size_t n, const struct python_objects *now)
{
	_cleanup_free_ bool *taken = calloc(now->n + 1, sizeof(*taken));

	/* From the latest on: each object that is there was made by the last who got its address. */
	for (size_t i = n; i-- > 0;) {
		const struct python_object *o = find(now, records[i].object);
		bool *is_taken = o && taken ? &taken[o - now->list] : NULL;

		records[i].may_live = is_taken && !*is_taken;
		records[i].identity = records[i].may_live ? o->identity : 0;
		if (is_taken)
			*is_taken = true;
	}
}

static bool is_left(const struct survival_record *r, const struct python_objects *now)
{
	const struct python_object *o = r->may_live ? find(now, r->object) : NULL;

	return o && o->identity == r->identity;
}

/* Those with enough survivors, by the share that surely stays. */
static int by_share(const void *a, const void *b)
{
	const struct survival_line *x = a, *y = b;

	double low, other_low, high;

	if ((x->survivors < SURVIVORS_MIN) != (y->survivors < SURVIVORS_MIN))
		return x->survivors < SURVIVORS_MIN ? 1 : -1;
	survival_interval(x->survivors, x->sampled, &low, &high);
	survival_interval(y->survivors, y->sampled, &other_low, &high);
	if (low < other_low || low > other_low)
		return low < other_low ? 1 : -1;
	return (x->index > y->index) - (x->index < y->index);
}

/* Lines that were found to leak are nobody's measure; @others are those that follow, together. */
static bool is_apart(const struct survival_line *line, const struct survival_line *others)
{
	double low, high, other_low, other_high;

	survival_interval(line->survivors, line->sampled, &low, &high);
	if (line->survivors < SURVIVORS_MIN)
		return false;
	if (!others->sampled)
		return low > MOST;
	survival_interval(others->survivors, others->sampled, &other_low, &other_high);
	return low > APART * (double)others->survivors / (double)others->sampled &&
	       low > other_high;
}

/*
 * Lines whose objects all stay are told from those whose objects go: down the list of shares, at the first
 * gap that is wide enough.
 */
static bool mark(struct survival_line *lines, size_t n)
{
	struct survival_line others = { 0 };
	size_t cut = 0;

	for (size_t i = n; i-- > 0;) {
		lines[i].is_leaking = false;
		if (is_apart(&lines[i], &others) && (others.sampled || n == 1))
			cut = i + 1;
		others.sampled += lines[i].sampled;
		others.survivors += lines[i].survivors;
	}
	for (size_t i = 0; i < cut; i++) {
		double share = (double)lines[i].survivors / (double)(lines[i].sampled ?: 1);
		double least =
			(double)lines[cut - 1].survivors / (double)(lines[cut - 1].sampled ?: 1);

		lines[i].is_leaking = lines[i].survivors >= SURVIVORS_MIN && 2 * share >= least;
	}
	return cut > 0;
}

bool survival_count(const struct survival_record *records, size_t n,
		    const struct python_objects *end, const struct python_objects *now,
		    struct survival_line *lines, size_t n_lines)
{
	for (size_t i = 0; i < n_lines; i++)
		lines[i] = (struct survival_line){ .index = i };
	for (size_t i = 0; i < n; i++) {
		struct survival_line *line = &lines[records[i].line];

		if (!would_be_listed(end, records[i].object) ||
		    !would_be_listed(now, records[i].object))
			continue;
		line->sampled++;
		line->survivors += is_left(&records[i], now);
	}
	if (n_lines)
		qsort(lines, n_lines, sizeof(*lines), by_share);
	return mark(lines, n_lines);
}

double survival_seen_by_numbers(const struct survival_record *records, size_t n)
{
	size_t first = n, last = n;
	uint64_t made;

	for (size_t i = 0; i < n; i++) {
		if (!records[i].identity)
			continue;
		first = first == n ? i : first;
		last = i;
	}
	if (first == n || last - first < CAME_MIN ||
	    records[last].identity <= records[first].identity)
		return 0;
	made = records[last].identity - records[first].identity;
	return fmin(1, (double)(last - first) / (double)made);
}

double survival_seen_by_objects(const struct survival_record *records, size_t n,
				const struct python_objects *before,
				const struct python_objects *after, double time_share)
{
	uint64_t came = 0, seen = 0;

	for (size_t i = 0; i < after->n; i++)
		if (would_be_listed(before, after->list[i].address) &&
		    !find(before, after->list[i].address))
			came++;
	for (size_t i = 0; i < n; i++)
		if (records[i].may_live && would_be_listed(before, records[i].object) &&
		    !find(before, records[i].object))
			seen++;
	if ((double)came * time_share < CAME_MIN)
		return 0;
	return fmin(1, (double)seen / ((double)came * time_share));
}
