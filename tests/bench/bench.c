// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * What tracing costs: ns per malloc/free pair in every mode, what the default mode lets a process
 * lose, time of a tick, memory of the maps; at the end all of it as a table for the README.
 *
 * A program of its own is measured (loop.c); seep is driven from outside, as its users do
 * (daemon.h). Ratios can be compared, single numbers belong to the machine.
 */
#include <getopt.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/utsname.h>

#include "base/log.h"
#include "base/parse.h"
#include "tables.h"

static const char usage[] = "Usage: bench [OPTION...]\n"
			    "\n"
			    "  --build DIR      folder of the programs (default: build)\n"
			    "  --rounds N       of the interleaved tables, 1 to 101 (default: 7)\n"
			    "  --slice MS       of one measurement, 10 to 10000 ms (default: 200)\n"
			    "  --burst SECONDS  that the default mode is pressed, 0 (not at all) "
			    "to 3600 (default: 10)\n";

enum option_value {
	OPT_BUILD = 256,
	OPT_ROUNDS,
	OPT_SLICE,
	OPT_BURST,
	OPT_TARGETS,
	OPT_HELP,
};

static const struct option long_options[] = {
	{ "build", required_argument, NULL, OPT_BUILD },
	{ "rounds", required_argument, NULL, OPT_ROUNDS },
	{ "slice", required_argument, NULL, OPT_SLICE },
	{ "burst", required_argument, NULL, OPT_BURST },
	{ "targets", required_argument, NULL, OPT_TARGETS },
	{ "help", no_argument, NULL, OPT_HELP },
	{ NULL, 0, NULL, 0 },
};

static uint32_t number(const char *text, uint64_t min, uint64_t max)
{
	uint64_t value;

	if (parse_u64_range(text, min, max, &value) < 0)
		die_of("'%s' is no number from %llu to %llu", text, (unsigned long long)min,
		       (unsigned long long)max);
	return (uint32_t)value;
}

/* 1: go on. Else *ret_status is the program's exit status. */
static int parse_options(int argc, char **argv, struct bench_options *o, int *ret_status)
{
	int option;

	while ((option = getopt_long(argc, argv, "", long_options, NULL)) != -1) {
		switch (option) {
		case OPT_BUILD:
			o->build = optarg;
			break;
		case OPT_ROUNDS:
			o->rounds = number(optarg, 1, MAX_ROUNDS);
			break;
		case OPT_SLICE:
			o->slice_ms = number(optarg, 10, 10000);
			break;
		case OPT_BURST:
			o->burst_seconds = number(optarg, 0, 3600);
			break;
		case OPT_TARGETS:
			o->targets = number(optarg, 0, 500);
			break;
		default:
			*ret_status = option == OPT_HELP ? 0 : 2;
			(void)fputs(usage, option == OPT_HELP ? stdout : stderr);
			return 0;
		}
	}
	return 1;
}

/* Who measures beside others measures them. */
static void warn_of_others(void)
{
	double load;

	if (getloadavg(&load, 1) == 1 && load > 0.5)
		printf("others use the CPU now (load %.1f): the figures will wander\n", load);
}

int main(int argc, char **argv)
{
	struct bench_options options = {
		.build = "build",
		.rounds = 7,
		.slice_ms = 200,
		.burst_seconds = 10,
		.targets = 500,
	};
	struct report report = { .n_ticks = 0 };
	struct utsname u;
	int status;

	if (!parse_options(argc, argv, &options, &status))
		return status;
	log_set_level(LOG_WARNING);
	/* A child that ends is found by its missing answer. */
	(void)signal(SIGPIPE, SIG_IGN);
	/* Each line at once, also into a file: the run takes a minute or two. */
	(void)setvbuf(stdout, NULL, _IOLBF, 0);
	if (uname(&u) == 0)
		printf("Linux %s, %s\n", u.release, u.machine);
	warn_of_others();
	printf("\n");
	bench_pairs(&options, &report);
	bench_burst(&options, &report);
	bench_frames(&options, &report);
	bench_unwind_tables();
	bench_census();
	bench_ticks(&options, &report);
	bench_evaluations(&options, &report);
	bench_scale(&options, &report);
	printf("\n");
	report_print(&report);
	return 0;
}
