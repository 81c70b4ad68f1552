// SPDX-License-Identifier: GPL-2.0-or-later
/* Counting. See score.h. */
#include "score.h"

#include <math.h>
#include <stdlib.h>

void numbers_add(struct numbers *to, double v)
{
	if (to->n == to->room) {
		to->room = to->room > 0 ? 2 * to->room : 64;
		to->at = realloc(to->at, to->room * sizeof(*to->at));
		if (!to->at)
			abort();
	}
	to->at[to->n++] = v;
}

static int compare(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

double numbers_quantile(struct numbers *n, double share)
{
	if (n->n == 0)
		return 0;
	qsort(n->at, n->n, sizeof(*n->at), compare);
	return n->at[(size_t)(share * (double)(n->n - 1))];
}

void score_add(struct score *to, const struct score *s)
{
	to->lives += s->lives;
	to->leaking += s->leaking;
	to->found += s->found;
	to->false_sites += s->false_sites;
	to->false_episodes += s->false_episodes;
	to->false_focal += s->false_focal;
	to->false_ordinary += s->false_ordinary;
	to->weeks += s->weeks;
	to->ordinary_weeks += s->ordinary_weeks;
	for (size_t i = 0; i < s->shares.n; i++)
		numbers_add(&to->shares, s->shares.at[i]);
	for (size_t i = 0; i < s->delays.n; i++)
		numbers_add(&to->delays, s->delays.at[i]);
}

void score_done(struct score *s)
{
	free(s->shares.at);
	free(s->delays.at);
	*s = (struct score){ 0 };
}

static double share(size_t k, size_t n)
{
	return n > 0 ? (double)k / (double)n : 0;
}

double score_precision(const struct score *s)
{
	return share(s->found, s->found + s->false_sites);
}

double score_recall(const struct score *s)
{
	return share(s->found, s->leaking);
}

double score_f1(const struct score *s)
{
	double p = score_precision(s), r = score_recall(s);

	return p + r > 0 ? 2 * p * r / (p + r) : 0;
}

struct interval wilson(size_t k, size_t n)
{
	double z2 = 1.96 * 1.96, m = (double)n, p = share(k, n);
	double half, middle;

	if (n == 0)
		return (struct interval){ 0, 1 };
	middle = (p + z2 / (2 * m)) / (1 + z2 / m);
	half = sqrt(z2 * (p * (1 - p) / m + z2 / (4 * m * m))) / (1 + z2 / m);
	return (struct interval){ fmax(0, middle - half), fmin(1, middle + half) };
}

void calibration_add(struct calibration *c, double confidence, int leaks)
{
	int bin = confidence >= 1 ? 9 : (int)(confidence * 10);

	c->bins[bin].n++;
	c->bins[bin].confidence += confidence;
	c->bins[bin].leaks += leaks;
	c->squares += (confidence - leaks) * (confidence - leaks);
	c->n++;
}

void calibration_merge(struct calibration *to, const struct calibration *c)
{
	for (int i = 0; i < 10; i++) {
		to->bins[i].n += c->bins[i].n;
		to->bins[i].confidence += c->bins[i].confidence;
		to->bins[i].leaks += c->bins[i].leaks;
	}
	to->squares += c->squares;
	to->n += c->n;
}

double calibration_error(const struct calibration *c)
{
	double sum = 0;

	for (int i = 0; i < 10; i++)
		sum += fabs(c->bins[i].confidence - c->bins[i].leaks);
	return c->n > 0 ? sum / c->n : 0;
}
