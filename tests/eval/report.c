// SPDX-License-Identifier: GPL-2.0-or-later
/* Tables. See report.h. */
#include "report.h"

#include <stdio.h>

struct row {
	const char *name;
	unsigned groups, phases;
};

static const struct row rows[] = {
	{ "all", POOLED_GROUPS, PHASE_BOTH },
	{ "first life", POOLED_GROUPS, PHASE_FIRST },
	{ "later lives", POOLED_GROUPS, PHASE_LATER },
	{ "development", 1u << DEVELOPMENT, PHASE_BOTH },
	{ "held out", 1u << HELD_OUT, PHASE_BOTH },
	{ "blind", 1u << BLIND, PHASE_BOTH },
	{ "fuzz", 1u << FUZZ, PHASE_BOTH },
	{ "deploy", 1u << DEPLOY, PHASE_BOTH },
	{ "fresh", 1u << FRESH, PHASE_BOTH },
};

static void print_score(const char *name, struct score *s)
{
	struct interval p = wilson(s->found, s->found + s->false_sites);
	struct interval r = wilson(s->found, s->leaking);

	printf("  %-14s P %.3f (%.3f-%.3f)  R %.3f (%.3f-%.3f)  F1 %.3f  found %zu of %zu, false "
	       "%zu"
	       "  share %.2f / %.2f  delay %.0f / %.0f h  false per week %.3f\n",
	       name, score_precision(s), p.low, p.high, score_recall(s), r.low, r.high, score_f1(s),
	       s->found, s->leaking, s->false_sites, numbers_quantile(&s->shares, 0.5),
	       numbers_quantile(&s->shares, 0.9), numbers_quantile(&s->delays, 0.5),
	       numbers_quantile(&s->delays, 0.9),
	       s->weeks > 0 ? (double)s->false_episodes / s->weeks : 0);
}

void report_pooled(const struct corpus *c)
{
	static const char *const answers[SEEP_ANSWERS] = { "leak alerts",
							   "leak or exhaustion alerts",
							   "suspects (no alert)" };

	printf("Precision, recall (intervals of 95 %%), share of the headroom leaked at the alert "
	       "and "
	       "delay (50 %% / 90 %%)\n");
	for (size_t a = 0; a < SEEP_ANSWERS; a++) {
		struct score all = corpus_score(c, a, ALL_GROUPS, PHASE_BOTH);

		printf("%s: %zu on ordinary sites in %.0f site-weeks\n", answers[a],
		       all.false_ordinary, all.ordinary_weeks);
		score_done(&all);
		for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
			struct score s = corpus_score(c, a, rows[i].groups, rows[i].phases);

			print_score(rows[i].name, &s);
			score_done(&s);
		}
	}
}

static void print_family(const struct family *f, const struct run_scores *scores)
{
	printf("  %-4s %-44s", f->id, f->title);
	for (size_t a = 0; a < SEEP_ANSWERS; a++) {
		for (int p = 0; p < PHASES; p++) {
			const struct score *s = &scores->at[a][p];

			if (f->leaks)
				printf(" %4zu/%-4zu", s->found, s->leaking);
			else
				printf(" %4zu:%-4zu", s->false_focal, s->lives);
		}
		printf(" |");
	}
	printf("\n");
}

void report_families(const struct corpus *c)
{
	printf("By family: found/leaking, or false:lives; first and later lives; leak, any alert, "
	       "suspect\n");
	for (size_t i = 0; i < c->n; i++)
		print_family(c->families[i], &c->scores[i]);
}

void report_baselines(const struct corpus *c)
{
	printf("Best setting of each rule, chosen on the development families\n");
	for (int rule = SLOPE; rule <= LAPLACE; rule++) {
		int b = corpus_best_baseline(c, rule);
		struct score s =
			corpus_score(c, SEEP_ANSWERS + (size_t)b, POOLED_GROUPS, PHASE_BOTH);
		char name[80];

		(void)snprintf(name, sizeof(name), "%s %g %g %g", baseline_name(baselines[b].rule),
			       baselines[b].a, baselines[b].b, baselines[b].c);
		printf("%s\n", name);
		print_score("", &s);
		score_done(&s);
	}
}

void report_calibration(const struct corpus *c)
{
	static const struct row groups[] = {
		{ "development", 1u << DEVELOPMENT, 0 },
		{ "held out", 1u << HELD_OUT, 0 },
		{ "blind", 1u << BLIND, 0 },
		{ "fuzz", 1u << FUZZ, 0 },
		{ "all", POOLED_GROUPS, 0 },
		{ "fresh", 1u << FRESH, 0 },
	};

	printf("Calibration: expected error, Brier, and per tenth: confidence, share of leaks "
	       "(n)\n");
	for (size_t i = 0; i < sizeof(groups) / sizeof(groups[0]); i++) {
		struct calibration k = corpus_calibration(c, groups[i].groups);

		printf("  %-12s %.3f %.3f ", groups[i].name, calibration_error(&k),
		       k.n > 0 ? k.squares / k.n : 0);
		for (int b = 0; b < 10; b++)
			if (k.bins[b].n > 0)
				printf(" %.2f %.2f (%.0f)", k.bins[b].confidence / k.bins[b].n,
				       k.bins[b].leaks / k.bins[b].n, k.bins[b].n);
		printf("\n");
	}
}
