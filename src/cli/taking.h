/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The options by which people say how much of a process is traced: the same for track, trace and run.
 */
#ifndef SEEP_CLI_TAKING_H
#define SEEP_CLI_TAKING_H

#include "cli/options.h"
#include "monitor.h"

struct taking {
	bool exact;	     /* every block, whatever it costs */
	uint64_t interval;   /* sampled with this, whatever it costs; 0: not asked for */
	double budget_ratio; /* 0: not asked for */
};

/* Rows of a table of struct cli_option; @type has a struct taking called @member. */
#define TAKING_EXACT_OPTION(type, member)                                                \
	{                                                                                \
		"exact", 0, OPTION_FLAG, offsetof(type, member.exact), NULL, NULL, 0, 0, \
			"take every block, whatever it costs"                            \
	}

#define TAKING_SAMPLE_OPTION(type, member)                                                     \
	{                                                                                      \
		"sample", 0, OPTION_SIZE, offsetof(type, member.interval), "SIZE", NULL, 1024, \
			1u << 30, "sample a block each SIZE bytes, whatever it costs"          \
	}

#define TAKING_BUDGET_OPTION(type, member)                                                         \
	{                                                                                          \
		"budget", 0, OPTION_PERCENT, offsetof(type, member.budget_ratio), "PERCENT", NULL, \
			0, 0, "of one processor that tracing may cost a process (default: 2)"      \
	}

/* False: they exclude one another, which has been said. */
bool taking_check(const struct taking *t);

struct track_options taking_options(const struct taking *t, bool follow);

/* "a malloc/free pair costs ...": on standard error, before every block is taken. */
void taking_print_price(double pair_ns);

#endif
