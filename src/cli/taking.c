// SPDX-License-Identifier: GPL-2.0-or-later
/* How much of a process is traced. See taking.h. */
#include "cli/taking.h"

#include "cli/render.h"

bool taking_check(const struct taking *t)
{
	if (t->exact + (t->interval != 0) + (t->budget_ratio > 0) <= 1)
		return true;
	cli_error("--exact, --sample and --budget exclude one another");
	return false;
}

struct track_options taking_options(const struct taking *t, bool follow)
{
	return (struct track_options){
		.follow = follow,
		.mode = t->exact    ? TRACK_EXACT :
			t->interval ? TRACK_SAMPLED :
				      TRACK_GOVERNED,
		.sampling_interval = (uint32_t)t->interval,
		.budget_ratio = t->budget_ratio,
	};
}

void taking_print_price(double pair_ns)
{
	/* 10 000 pairs a second, in percent of a second. */
	cli_info("every block is taken: malloc and free cost about %.1f us more here, %.1f %% of a "
		 "processor for each 10000 pairs a second",
		 pair_ns / 1000, pair_ns / 1000);
}
