// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * How right the detector is: families of leaks and look-alikes, simulated; seep and the rules of
 * other tools judge them.
 *
 *	eval --short		some seeds, the gates only, as TAP; for the test runner
 *	eval			many seeds, all tables
 *	eval --cost		time and memory of the detector
 */
#include <getopt.h>
#include <stdlib.h>
#include <string.h>

#include "report.h"

#define SHORT_SEEDS 5 /* some 17 seconds */

struct settings {
	bool is_short, is_cost;
	bool skip_baselines, strong_only;
	int fresh; /* times seeds for the fresh families, which are left out of the gates */
	int seeds; /* for each named family; the other groups in proportion */
	uint64_t first;
	const char *only;
	const char *rows, *errors;
	double patience, confidence; /* in place of the defaults; below 0: not given */
};

static int usage(void)
{
	fprintf(stderr,
		"usage: eval [--short | --cost] [--fresh] [--seeds N] [--first SEED] [--family ID] "
		"[--no-baselines | --strong-baselines]\n"
		"	    [--errors FILE] [--rows FILE] [--patience X] [--confidence X]\n");
	return 2;
}

static int parse_number(const char *text, uint64_t *ret)
{
	char *end;

	*ret = strtoull(text, &end, 10);
	return *end || end == text ? -1 : 0;
}

static int parse_options(int argc, char **argv, struct settings *s)
{
	static const struct option options[] = {
		{ "cost", no_argument, NULL, 'C' },
		{ "fresh", no_argument, NULL, 'F' },
		{ "short", no_argument, NULL, 's' },
		{ "seeds", required_argument, NULL, 'n' },
		{ "first", required_argument, NULL, 'f' },
		{ "family", required_argument, NULL, 'o' },
		{ "rows", required_argument, NULL, 'r' },
		{ "errors", required_argument, NULL, 'e' },
		{ "no-baselines", no_argument, NULL, 'b' },
		{ "strong-baselines", no_argument, NULL, 'B' },
		{ "patience", required_argument, NULL, 'p' },
		{ "confidence", required_argument, NULL, 'c' },
		{ NULL, 0, NULL, 0 },
	};
	uint64_t n;
	int c;

	while ((c = getopt_long(argc, argv, "", options, NULL)) != -1) {
		if (c == 'C') {
			s->is_cost = true;
		} else if (c == 'F') {
			s->fresh = 12;
		} else if (c == 's') {
			s->is_short = true;
		} else if (c == 'B') {
			s->strong_only = true;
		} else if (c == 'b') {
			s->skip_baselines = true;
		} else if (c == 'o') {
			s->only = optarg;
		} else if (c == 'r') {
			s->rows = optarg;
		} else if (c == 'e') {
			s->errors = optarg;
		} else if (c == 'p') {
			s->patience = strtod(optarg, NULL);
		} else if (c == 'c') {
			s->confidence = strtod(optarg, NULL);
		} else if ((c == 'n' || c == 'f') && parse_number(optarg, &n) == 0) {
			if (c == 'f')
				s->first = n;
			else
				s->seeds = (int)n;
		} else {
			return -1;
		}
	}
	return optind == argc ? 0 : -1;
}

static FILE *open_output(const char *path)
{
	FILE *f = path ? fopen(path, "we") : NULL;

	if (path && !f) {
		perror(path);
		exit(2);
	}
	return f;
}

static void close_output(FILE *f)
{
	if (f)
		(void)fclose(f);
}

int main(int argc, char **argv)
{
	struct settings s = { .seeds = 10, .first = 1, .patience = -1, .confidence = -1 };
	struct run_options o = { 0 };
	struct corpus_size size;
	struct corpus *c;
	int failed = 0;

	if (parse_options(argc, argv, &s) < 0)
		return usage();
	if (s.is_cost) {
		report_cost();
		return 0;
	}
	if (s.is_short)
		s.seeds = SHORT_SEEDS;
	size = (struct corpus_size){
		{ s.seeds, s.seeds, 2 * s.seeds, 12 * s.seeds, s.seeds, s.fresh * s.seeds },
	};
	trend_options_init(&o.trend);
	if (s.patience >= 0)
		o.trend.leaking.cold = s.patience;
	if (s.confidence >= 0)
		o.trend.least_confidence = s.confidence;
	if (trend_options_check(&o.trend) < 0)
		return usage();
	o.baselines = !s.is_short && !s.skip_baselines && !s.strong_only;
	o.strong_baselines = s.is_short || s.strong_only;
	o.rows = open_output(s.rows);
	o.errors = open_output(s.errors);
	o.world = world_new();

	c = corpus_new();
	corpus_run(c, &o, &size, s.first, s.only, !s.is_short);
	if (!s.is_short) {
		report_pooled(c);
		report_families(c);
		report_calibration(c);
		if (o.baselines)
			report_baselines(c);
	}
	if (!s.only && !s.skip_baselines)
		failed = report_gates(c, !s.is_short);
	c = corpus_free(c);
	o.world = world_free(o.world);
	close_output(o.rows);
	close_output(o.errors);
	return failed > 0;
}
