// SPDX-License-Identifier: GPL-2.0-or-later
/* What the daemon itself takes with many targets in its default mode. */
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>

#include "allocator.h"
#include "base/cleanup.h"
#include "base/limits.h"
#include "child.h"
#include "daemon.h"
#include "tables.h"

#define SITES_EACH  10
#define BLOCKS_EACH 200
#define SECONDS	    30 /* three ticks */

/* The default mode first counts a target's calls with probes that it takes away again. */
#define STEADY_MS   1000
#define DEADLINE_NS 120000000000ull

static void start_children(const struct bench_options *o, struct child *children)
{
	for (uint32_t i = 0; i < o->targets; i++)
		children[i] = child_start(o->build);
}

/* BLOCKS_EACH live blocks at SITES_EACH sites in each of them. */
static void fill(const struct bench_options *o, struct child *children)
{
	for (uint32_t i = 0; i < o->targets; i++)
		for (int k = 0; k < BLOCKS_EACH / SITES_EACH; k++)
			(void)child_ask(&children[i], LOOP_SITES, SITES_EACH, 0);
}

static uint32_t count_probed(const struct bench_options *o, const struct allocator *a,
			     const struct child *children)
{
	uint32_t n = 0;

	for (uint32_t i = 0; i < o->targets; i++)
		n += allocator_is_probed(a, children[i].pid) == 1;
	return n;
}

/* Until all have probes, and still have them a while later. Says it if that is not reached. */
static void await_probes(const struct bench_options *o, const struct child *children)
{
	uint64_t end = now_ns() + DEADLINE_NS;
	struct allocator allocator;
	unsigned int steady = 0;
	uint32_t n = 0;
	int r;

	r = allocator_find(&allocator);
	if (r < 0)
		die("finding libc's malloc", r);
	while (steady < 2 && now_ns() < end) {
		n = count_probed(o, &allocator, children);
		steady = n == o->targets ? steady + 1 : 0;
		wait_ms(STEADY_MS);
	}
	if (steady < 2)
		printf("  of %u targets %u have probes after %llu s\n", o->targets, n,
		       DEADLINE_NS / 1000000000ull);
}

/* The program of the children: no other process on this machine has it. */
static void make_selector(const struct bench_options *o, char *ret, size_t bytes)
{
	char path[PATH_MAX], whole[PATH_MAX];

	if (snprintf(path, sizeof(path), "%s/bench/loop", o->build) >= (int)sizeof(path) ||
	    !realpath(path, whole))
		die("finding the program loop", ENOENT);
	if (snprintf(ret, bytes, "exe=%s", whole) >= (int)bytes)
		die("the selector of the program loop", ENAMETOOLONG);
}

static void measure(struct daemon *d, struct scale_result *ret)
{
	json_t *info = daemon_next_tick(d);
	const json_t *usage = json_object_get(info, "usage");
	double cpu = daemon_cpu_seconds(d);
	uint64_t start = now_ns();

	wait_ms(SECONDS * 1000);
	ret->cpu_ratio = (daemon_cpu_seconds(d) - cpu) * 1e9 / (double)(now_ns() - start);
	ret->resident_mb = daemon_resident_mb(d);
	ret->targets = (unsigned long long)json_integer_value(json_object_get(usage, "targets"));
	ret->sites = (unsigned long long)json_integer_value(json_object_get(usage, "sites"));
	ret->live_blocks =
		(unsigned long long)json_integer_value(json_object_get(usage, "live_blocks"));
	json_decref(info);
}

void bench_scale(const struct bench_options *o, struct report *report)
{
	_cleanup_free_ struct child *children = calloc(o->targets, sizeof(*children));
	struct scale_result *r = &report->scale;
	char selector[512];
	struct daemon d;
	uint64_t start;

	if (!o->targets)
		return;
	if (!children || limits_raise_descriptors(NULL) < 0)
		die("preparing many targets", ENOMEM);
	make_selector(o, selector, sizeof(selector));
	start_children(o, children);
	daemon_start(&d, o->build, "10s", "1048576");
	daemon_track_many(&d, selector, o->targets);
	await_probes(o, children);
	fill(o, children);
	measure(&d, r);
	printf("\nthe daemon with %llu targets, %llu sites, %llu live blocks, over %d s\n",
	       r->targets, r->sites, r->live_blocks, SECONDS);
	printf("  %-34s %8.2f %%\n", "of one core", 100 * r->cpu_ratio);
	printf("  %-34s %8.1f MB\n", "resident", r->resident_mb);
	start = now_ns();
	daemon_stop(&d);
	printf("  %-34s %8.1f s\n", "to stop", (double)(now_ns() - start) / 1e9);
	for (uint32_t i = 0; i < o->targets; i++)
		child_end(&children[i]);
}
