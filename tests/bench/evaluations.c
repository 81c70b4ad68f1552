// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * What judging takes: 10 007 sites of one target that are all large enough to be followed, with ever more
 * live blocks to walk over.
 */
#include <stdio.h>

#include "base/cleanup.h"
#include "child.h"
#include "daemon.h"
#include "tables.h"

#define SITES 10007u

/* So that 98 000 bytes matter. */
#define LIMIT "--limit=128M"

/* Of a few the quickest: what others do on the machine is not what is measured. */
#define TIMES 7

static void quickest(struct daemon *d, struct evaluation_result *ret)
{
	/* The first one may have begun before the blocks were there. */
	for (int i = 0; i <= TIMES; i++) {
		json_t *info = daemon_next_evaluation(d);
		const json_t *detector = json_object_get(info, "detector");
		const json_t *usage = json_object_get(info, "usage");
		double ms = 1e3 *
			    json_number_value(json_object_get(detector, "last_evaluation_seconds"));
		double walk_ms =
			1e3 * json_number_value(json_object_get(detector, "last_walk_seconds"));

		if (i == 1 || (i > 1 && ms < ret->ms))
			ret->ms = ms;
		if (i == 1 || (i > 1 && walk_ms < ret->walk_ms))
			ret->walk_ms = walk_ms;
		ret->judged =
			(unsigned long long)json_integer_value(json_object_get(detector, "judged"));
		ret->live_blocks = (unsigned long long)json_integer_value(
			json_object_get(usage, "live_blocks"));
		json_decref(info);
	}
	ret->resident_mb = daemon_resident_mb(d);
}

void bench_evaluations(const struct bench_options *o, struct report *report)
{
	static const uint32_t blocks[EVALUATION_RESULTS] = { SITES, 100000, 1000000 };
	static const char *const how[2] = { "--exact", LIMIT };
	struct child c = child_start(o->build);
	char why[DAEMON_WHY_BYTES];
	uint32_t there = 0;
	struct daemon d;
	int r;

	daemon_start_detector(&d, o->build, "1s", "100ms", "2097152");
	r = daemon_track(&d, c.pid, how, why);
	if (r < 0)
		die_of("seepctl track: %s", why);
	printf("\njudging\n");
	for (size_t i = 0; i < EVALUATION_RESULTS; i++) {
		struct evaluation_result *e = &report->evaluations[i];

		(void)child_ask(&c, i ? LOOP_BLOCKS : LOOP_LARGE, blocks[i] - there, 0);
		there = blocks[i];
		json_decref(daemon_next_tick(&d));
		quickest(&d, e);
		printf("  %6llu keys, %8llu live blocks %8.1f ms, the walk %8.1f ms, %6.1f MB "
		       "resident\n",
		       e->judged, e->live_blocks, e->ms, e->walk_ms, e->resident_mb);
	}
	child_end(&c);
	daemon_stop(&d);
}
