// SPDX-License-Identifier: GPL-2.0-or-later
/* Slices of birth time. See window.h. */
#include "trend/window.h"

#include <math.h>
#include <string.h>

#define ACTIVE		      0.1
#define POSITIVE	      0.2
#define RATIO_AT_MOST	      99.0
/* Above this survival, births and survivors are the same thing. */
#define SURVIVAL_SAYS_NOTHING 0.5

#define PARTS	      16
#define PARTS_SKIP    4 /* the first quarter of a life is start-up */
#define PARTS_OLD     8
#define SHORTEST_LIFE 64

static struct slice between(const struct life *life, struct cohort_mark a, struct cohort_mark b)
{
	const struct cohort_sums *s = life->sums;
	struct slice slice = {
		.bytes = cohort_sum_at(s->bytes, b) - cohort_sum_at(s->bytes, a),
		.blocks = cohort_sum_at(s->live, b) - cohort_sum_at(s->live, a),
		.births = cohort_sum_at(s->births, b) - cohort_sum_at(s->births, a),
	};

	slice.work = cohort_sum_at(life->work, b) - cohort_sum_at(life->work, a) - slice.births;
	if (slice.work < 0)
		slice.work = 0;
	return slice;
}

struct slice life_slice(const struct life *life, double from, double to)
{
	return between(life, cohort_mark(life->layout, from), cohort_mark(life->layout, to));
}

static void add(struct slice *sum, const struct slice *s)
{
	sum->bytes += s->bytes;
	sum->blocks += s->blocks;
	sum->births += s->births;
	sum->work += s->work;
}

static struct slice total(const struct window *w, unsigned from, unsigned to)
{
	struct slice sum = { 0 };

	for (unsigned i = from; i < to; i++)
		add(&sum, &w->slices[i]);
	return sum;
}

bool window_take(const struct life *life, uint32_t width, double maturity, unsigned least,
		 struct window *ret)
{
	double end = floor((life->layout->now - maturity) / width);
	struct cohort_mark a, b;
	unsigned n;

	if (!(end >= least) || end <= 0)
		return false;
	n = end < WINDOW_SLICES ? (unsigned)end : WINDOW_SLICES;
	*ret = (struct window){ .from = ((uint32_t)end - n) * width, .width = width, .n = n };
	a = cohort_mark(life->layout, ret->from);
	for (unsigned i = 0; i < n; i++) {
		b = cohort_mark(life->layout, (double)ret->from + (i + 1.0) * width);
		ret->slices[i] = between(life, a, b);
		a = b;
	}
	ret->sum = total(ret, 0, n);
	return true;
}

static void insert_sorted(double *sorted, unsigned n, double v)
{
	while (n > 0 && sorted[n - 1] > v) {
		sorted[n] = sorted[n - 1];
		n--;
	}
	sorted[n] = v;
}

static double median(const double *sorted, unsigned n)
{
	return n % 2 == 1 ? sorted[n / 2] : (sorted[n / 2 - 1] + sorted[n / 2]) / 2;
}

static bool is_active(const struct window *w, unsigned i)
{
	return w->slices[i].births > 0 && w->slices[i].births >= ACTIVE * w->sum.births / w->n;
}

struct presence window_presence(const struct window *w)
{
	double sorted[WINDOW_SLICES], gaps[WINDOW_SLICES];
	struct presence p = { 0 };
	double middle;

	for (unsigned i = 0; i < w->n; i++)
		if (is_active(w, i))
			insert_sorted(sorted, p.active++, w->slices[i].bytes);
	if (p.active == 0)
		return p;
	middle = median(sorted, p.active);
	if (!(middle > 0))
		return p;
	for (unsigned i = 0; i < w->n; i++) {
		if (!is_active(w, i) || w->slices[i].bytes < POSITIVE * middle)
			continue;
		if (p.positive > 0)
			insert_sorted(gaps, p.positive - 1, i - p.last);
		p.last = i;
		p.positive++;
	}
	if (p.positive > 1)
		p.gap = (unsigned)median(gaps, p.positive - 1);
	p.share = (double)p.positive / p.active;
	return p;
}

/* How the young part's rates compare; bytes may be trimmed, and both parts scaled to one length. */
static struct steadiness compare(double old_bytes, const struct slice *old, double young_bytes,
				 const struct slice *young)
{
	struct steadiness s = { .time = old_bytes > 0 ? young_bytes / old_bytes : RATIO_AT_MOST };
	double born = old->births + young->births;

	if (old_bytes > 0 && young->work > 0)
		s.work = s.time * old->work / young->work;
	if (born > 0 && old->blocks > 0 && young->births > 0 &&
	    old->blocks + young->blocks < SURVIVAL_SAYS_NOTHING * born)
		s.survival = (young->blocks / young->births) / (old->blocks / old->births);
	s.best = fmin(RATIO_AT_MOST, fmax(s.time, fmax(s.work, s.survival)));
	return s;
}

struct steadiness window_steadiness(const struct window *w)
{
	unsigned half = w->n / 2;
	struct slice old = total(w, 0, half);
	struct slice young = total(w, w->n - half, w->n);

	return compare(old.bytes, &old, young.bytes, &young);
}

double window_survival(const struct window *w)
{
	unsigned half = w->n / 2;
	struct slice old = total(w, 0, half);
	struct slice young = total(w, w->n - half, w->n);

	if (!(young.blocks > 0) || !(young.births > 0) || !(old.births > 0))
		return RATIO_AT_MOST;
	return (old.blocks / old.births) / (young.blocks / young.births);
}

/* The parts from..to of the mature life: their sum scaled to one part, and the mean of the bytes
 * without the largest. */
static struct slice parts_of(const struct life *life, double length, unsigned from, unsigned to,
			     double *ret_mean)
{
	struct slice sum = { 0 };
	double largest = 0;
	unsigned n = to - from;

	for (unsigned i = from; i < to; i++) {
		struct slice part = life_slice(life, floor(i * length / PARTS),
					       floor((i + 1) * length / PARTS));

		add(&sum, &part);
		largest = fmax(largest, part.bytes);
	}
	*ret_mean = (sum.bytes - largest) / (n - 1);
	sum.work /= n;
	sum.births /= n;
	sum.blocks /= n;
	return sum;
}

struct steadiness life_steadiness(const struct life *life, double maturity)
{
	double length = life->layout->now - maturity;
	double old_mean, young_mean;
	struct slice old, young;

	if (!(length > SHORTEST_LIFE))
		return (struct steadiness){ .time = RATIO_AT_MOST, .best = RATIO_AT_MOST };
	old = parts_of(life, length, PARTS_SKIP, PARTS_OLD, &old_mean);
	young = parts_of(life, length, PARTS_OLD, PARTS, &young_mean);
	return compare(old_mean, &old, young_mean, &young);
}
