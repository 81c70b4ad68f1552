// SPDX-License-Identifier: GPL-2.0-or-later
/* How long a tick takes, and how much memory the maps do. */
#include <stdio.h>

#include "base/cleanup.h"
#include "child.h"
#include "daemon.h"
#include "tables.h"

#define MILLION 1000000u

/* seepd ticks once a second here, so that this is seconds, too. */
#define TIMES 7

/* Over the next few ticks. */
static struct tick_result next_ticks(struct daemon *d)
{
	struct tick_result result = { .ms = 0 };
	double times[TIMES];

	for (int i = 0; i < TIMES; i++) {
		json_t *info = daemon_next_tick(d);
		const json_t *usage = json_object_get(info, "usage");

		times[i] = 1e3 * json_number_value(json_object_get(info, "last_tick_seconds"));
		result.sites =
			(unsigned long long)json_integer_value(json_object_get(usage, "sites"));
		result.live_blocks = (unsigned long long)json_integer_value(
			json_object_get(usage, "live_blocks"));
		json_decref(info);
	}
	result.ms = median(times, TIMES);
	return result;
}

static void measure(struct daemon *d, struct report *report)
{
	struct tick_result *r = &report->ticks[report->n_ticks++];

	*r = next_ticks(d);
	printf("  %6llu sites, %8llu live blocks %8.2f ms\n", r->sites, r->live_blocks, r->ms);
}

void bench_ticks(const struct bench_options *o, struct report *report)
{
	static const uint32_t counts[] = { 10, 1000, 10000 };
	struct child c = child_start(o->build);
	const struct tick_result *last;
	struct daemon d;

	daemon_start(&d, o->build, "1s", "2097152");
	report->idle_map_mb = daemon_map_mb(&d);
	report->resident_mb = daemon_resident_mb(&d);
	daemon_track_exact(&d, c.pid);
	printf("\ntime of a tick\n");
	for (size_t i = 0; i < ARRAY_SIZE(counts); i++) {
		(void)child_ask(&c, LOOP_SITES, counts[i], 0);
		measure(&d, report);
	}
	(void)child_ask(&c, LOOP_BLOCKS, MILLION, 0);
	measure(&d, report);
	report->full_map_mb = daemon_map_mb(&d);
	last = &report->ticks[report->n_ticks - 1];
	printf("\nmemory of the maps\n");
	printf("  %-34s %8.1f MB\n", "idle", report->idle_map_mb);
	printf("  %8llu live blocks, %6llu sites    %8.1f MB\n", last->live_blocks, last->sites,
	       report->full_map_mb);
	child_end(&c);
	daemon_stop(&d);
}
