// SPDX-License-Identifier: GPL-2.0-or-later
/* All families. See corpus.h. */
#include "corpus.h"

#include <stdlib.h>
#include <string.h>

static void add_families(struct corpus *c, struct family_list list)
{
	for (size_t i = 0; i < list.n; i++) {
		struct run_scores *s = &c->scores[c->n];

		s->at = calloc(SEEP_ANSWERS + n_baselines, sizeof(*s->at));
		if (c->n == MOST_FAMILIES || !s->at)
			abort();
		c->families[c->n++] = &list.at[i];
	}
}

struct corpus *corpus_new(void)
{
	struct corpus *c = calloc(1, sizeof(*c));

	if (!c)
		abort();
	add_families(c, leak_families());
	add_families(c, benign_families());
	add_families(c, blind_families());
	add_families(c, fuzz_families());
	add_families(c, fresh_families());
	return c;
}

struct corpus *corpus_free(struct corpus *c)
{
	for (size_t i = 0; i < c->n; i++) {
		for (size_t a = 0; a < SEEP_ANSWERS + n_baselines; a++)
			for (int p = 0; p < PHASES; p++)
				score_done(&c->scores[i].at[a][p]);
		free(c->scores[i].at);
	}
	free(c);
	return NULL;
}

void corpus_run(struct corpus *c, const struct run_options *o, const struct corpus_size *size,
		uint64_t first, const char *only, bool progress)
{
	for (size_t i = 0; i < c->n; i++) {
		const struct family *f = c->families[i];

		if (only && strcmp(only, f->id) != 0)
			continue;
		for (int k = 0; k < size->seeds[f->group]; k++)
			run_family(o, f, first + (uint64_t)k, &c->scores[i]);
		if (progress)
			fprintf(stderr, "\r# %zu of %zu families, %s   ", i + 1, c->n, f->id);
	}
	if (progress)
		fprintf(stderr, "\n");
}

struct score corpus_score(const struct corpus *c, size_t answer, unsigned groups, unsigned phases)
{
	struct score sum = { 0 };

	for (size_t i = 0; i < c->n; i++)
		for (unsigned p = 0; p < PHASES; p++)
			if ((groups >> c->families[i]->group & 1) && (phases >> p & 1))
				score_add(&sum, &c->scores[i].at[answer][p]);
	return sum;
}

struct calibration corpus_calibration(const struct corpus *c, unsigned groups)
{
	struct calibration sum = { 0 };

	for (size_t i = 0; i < c->n; i++)
		if (groups >> c->families[i]->group & 1)
			calibration_merge(&sum, &c->scores[i].calibration);
	return sum;
}

int corpus_best_baseline(const struct corpus *c, int rule)
{
	double best_f1 = -1;
	int best = -1;

	for (size_t b = 0; b < n_baselines; b++) {
		struct score s;

		if (rule >= 0 && (int)baselines[b].rule != rule)
			continue;
		s = corpus_score(c, SEEP_ANSWERS + b, 1u << DEVELOPMENT, PHASE_BOTH);
		if (score_f1(&s) > best_f1) {
			best_f1 = score_f1(&s);
			best = (int)b;
		}
		score_done(&s);
	}
	return best;
}
