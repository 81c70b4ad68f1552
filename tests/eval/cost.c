// SPDX-License-Identifier: GPL-2.0-or-later
/* What an evaluation costs: time for ten thousand sites of one process. See report.h. */
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "random.h"
#include "report.h"
#include "trend/site.h"

#define COST_SITES 10000
#define TICKS	   3000
/* A site's live blocks, spread over its ages as a leak's and as churn's are. */
#define BLOCKS	   40

static double seconds(void)
{
	struct timespec t;

	(void)clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static void scan(struct trend_site *s, const struct trend_process *p, struct random *r, bool leaks)
{
	trend_site_scan_begin(s, p);
	for (int i = 0; i < BLOCKS; i++) {
		double age = leaks ? draw_uniform(r, 0, TICKS) : 30 * draw_exponential(r);
		uint32_t birth = age < TICKS ? (uint32_t)(TICKS - age) : 0;

		trend_site_scan_add(s, p, birth, 1, 1000);
	}
}

static void live(struct trend_process *p, struct trend_site **sites)
{
	struct trend_process_input in = { .usage_bytes = 5e8, .limit_bytes = 1e9 };

	for (uint32_t t = 1; t <= TICKS; t += 10) {
		in.allocations += 10000;
		if (trend_process_tick(p, t, &in) < 0)
			abort();
		for (int i = 0; i < COST_SITES; i++) {
			struct trend_site_input site = { 7ull * t, BLOCKS, 1000.0 * BLOCKS };

			if (trend_site_tick(sites[i], p, &site) < 0)
				abort();
		}
	}
}

void report_cost(void)
{
	struct trend_site **sites = calloc(COST_SITES, sizeof(*sites));
	struct trend_process *p = trend_process_new();
	uint64_t freed[LIFETIME_BINS] = { [10] = 9000, [20] = 7000, [26] = 20 };
	struct random r = random_stream(1, 1);
	struct trend_options o;
	double begin, scanned, judged;

	if (!sites || !p)
		abort();
	trend_options_init(&o);
	for (int i = 0; i < COST_SITES; i++) {
		sites[i] = trend_site_new(0);
		if (!sites[i])
			abort();
	}
	begin = seconds();
	live(p, sites);
	printf("tick: %.0f ns for a site\n", (seconds() - begin) / COST_SITES / (TICKS / 10) * 1e9);
	trend_process_evaluate(p);
	begin = seconds();
	/* One site in ten leaks: that is what takes the long way through the tests. */
	for (int i = 0; i < COST_SITES; i++)
		scan(sites[i], p, &r, i % 10 == 0);
	scanned = seconds();
	for (int i = 0; i < COST_SITES; i++)
		trend_site_evaluate(sites[i], p, &o, NULL, freed, NULL);
	judged = seconds();
	printf("scan: %.0f ns for a block; evaluation: %.2f us for a site, %.1f ms for %d sites\n",
	       (scanned - begin) / COST_SITES / BLOCKS * 1e9, (judged - scanned) / COST_SITES * 1e6,
	       (judged - scanned) * 1e3, COST_SITES);
	printf("packed: a site %zu bytes, a process %zu, a profile %d\n", trend_site_packed_size(),
	       trend_process_packed_size(), TREND_PROFILE_PACKED);
	for (int i = 0; i < COST_SITES; i++)
		sites[i] = trend_site_free(sites[i]);
	free(sites);
	p = trend_process_free(p);
}
