// SPDX-License-Identifier: GPL-2.0-or-later
/* What one frame more on the stack costs. */
#include <stdio.h>

#include "child.h"
#include "daemon.h"
#include "tables.h"

#define SHALLOW 3
#define DEEP	40 /* with main() and start-up code still below the default limit of 48 frames */

void bench_frames(const struct bench_options *o, struct report *report)
{
	double shallow[MAX_ROUNDS], deep[MAX_ROUNDS];
	struct daemon d;
	struct child c = child_start(o->build);

	daemon_start(&d, o->build, "10s", "1048576");
	daemon_track_exact(&d, c.pid);
	for (unsigned int i = 0; i < o->rounds; i++) {
		shallow[i] = child_spin(&c, o->slice_ms, SHALLOW);
		deep[i] = child_spin(&c, o->slice_ms, DEEP);
	}
	report->frame_ns =
		(median(deep, o->rounds) - median(shallow, o->rounds)) / (DEEP - SHALLOW);
	printf("\none frame more on the stack, hot (pairs below %d and %d frames)\n", SHALLOW,
	       DEEP);
	printf("  %-34s %8.0f ns\n", "unwinding a frame", report->frame_ns);
	child_end(&c);
	daemon_stop(&d);
}
