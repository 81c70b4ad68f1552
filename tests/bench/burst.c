// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The default mode, which keeps a budget, and a process that calms it with a thousand pairs a second
 * and then makes as many as it can.
 */
#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "allocator.h"
#include "child.h"
#include "daemon.h"
#include "tables.h"

#define CALM_MS	  3000
#define SLICE_MS  50
#define BARE_RUNS 10
#define DEPTH	  5

/* A slice that loses less than this is one in which the budget is kept: seepd allows a second so. */
#define BACKED_OFF_LOSS 0.15

/* The last second's slices, to find the worst one. */
struct window {
	double bare_ns[2 * 1000 / SLICE_MS]; /* that the slice's pairs take unprobed */
	double ns[2 * 1000 / SLICE_MS];
	size_t first;
	size_t n;
	double bare_sum;
	double sum;
};

/* The loss over the last second, or NaN before there is one. */
static double window_add(struct window *w, double bare_ns, double ns)
{
	size_t size = sizeof(w->ns) / sizeof(w->ns[0]), at = (w->first + w->n) % size;

	w->bare_ns[at] = bare_ns;
	w->ns[at] = ns;
	w->n++;
	w->bare_sum += bare_ns;
	w->sum += ns;
	while (w->n == size || (w->n > 1 && w->sum - w->ns[w->first] >= 1e9)) {
		w->bare_sum -= w->bare_ns[w->first];
		w->sum -= w->ns[w->first];
		w->first = (w->first + 1) % size;
		w->n--;
	}
	return w->sum >= 0.99e9 ? 1 - w->bare_sum / w->sum : (double)NAN;
}

/* Adds what a pair takes in a few slices without probes. */
static void add_bare(struct child *c, double *values, size_t *n)
{
	for (size_t i = 0; i < BARE_RUNS; i++)
		values[(*n)++] = child_spin(c, SLICE_MS, DEPTH);
}

struct slice {
	double ns;
	double pairs;
};

/* Presses for so many seconds; how many slices that were. @slices has room for all. */
static size_t press(struct child *c, uint32_t seconds, struct slice *slices)
{
	uint64_t start = now_ns();
	size_t n = 0;

	while (now_ns() - start < seconds * 1000000000ull) {
		struct loop_answer a = child_ask(c, LOOP_SPIN, SLICE_MS, DEPTH);

		slices[n++] = (struct slice){ .ns = (double)a.ns, .pairs = (double)a.pairs };
	}
	return n;
}

static void evaluate(const struct slice *slices, size_t n, double bare, struct burst_result *ret)
{
	struct window window = { .n = 0 };
	double bare_sum = 0, sum = 0;

	ret->back_off_seconds = (double)NAN;
	for (size_t i = 0; i < n; i++) {
		double bare_ns = slices[i].pairs * bare, loss;

		bare_sum += bare_ns;
		sum += slices[i].ns;
		if (isnan(ret->back_off_seconds) && 1 - bare_ns / slices[i].ns < BACKED_OFF_LOSS)
			ret->back_off_seconds = (sum - slices[i].ns) / 1e9;
		if (sum - slices[i].ns < 1e9)
			continue;
		loss = window_add(&window, bare_ns, slices[i].ns);
		if (!isnan(loss) && !(loss <= ret->worst_second))
			ret->worst_second = loss;
	}
	ret->seconds = sum / 1e9;
	ret->loss = 1 - bare_sum / sum;
}

static void print_burst(const struct burst_result *r, double bare)
{
	printf("\nthe default mode under as many pairs as a process can make, after %d s of a "
	       "thousand a second\n",
	       CALM_MS / 1000);
	printf("  %-34s %8.0f ns\n", "a pair, unprobed", bare);
	printf("  %-34s %8s\n", "mode at the end", r->mode);
	if (isnan(r->back_off_seconds))
		printf("  %-34s %8s in %.0f s\n", "backed off", "never", r->seconds);
	else
		printf("  %-34s %8.2f s\n", "backed off after", r->back_off_seconds);
	printf("  %-34s %8.1f %% of %.0f s\n", "loss of throughput", 100 * r->loss, r->seconds);
	if (!isnan(r->worst_second))
		printf("  %-34s %8.1f %%\n", "worst second but the first", 100 * r->worst_second);
	if (!isnan(r->estimated_ratio))
		printf("  %-34s %8.1f %% of a core\n", "seepd's own estimate",
		       100 * r->estimated_ratio);
}

void bench_burst(const struct bench_options *o, struct report *report)
{
	static const char *const no_arguments[2] = { NULL, NULL };
	struct burst_result *result = &report->burst;
	char why[DAEMON_WHY_BYTES];
	double bare[2 * BARE_RUNS];
	struct daemon_target target;
	struct allocator allocator;
	struct slice *slices;
	struct daemon d;
	struct child c;
	size_t n, n_bare = 0;

	if (!o->burst_seconds)
		return;
	/* A slice is at least as long as SLICE_MS. */
	slices = calloc((size_t)o->burst_seconds * 1000 / SLICE_MS + 1, sizeof(*slices));
	if (!slices || allocator_find(&allocator) < 0)
		die("preparing the burst", ENOMEM);
	c = child_start(o->build);
	daemon_start(&d, o->build, "10s", "1048576");
	add_bare(&c, bare, &n_bare);
	if (daemon_track(&d, c.pid, no_arguments, why) < 0)
		die_of("seepctl track: %s", why);
	(void)child_ask(&c, LOOP_PACE, CALM_MS, DEPTH);
	n = press(&c, o->burst_seconds, slices);
	daemon_target(&d, c.pid, &target);
	daemon_untrack(&d, c.pid);
	allocator_await(&allocator, c.pid, false, "the default mode");
	add_bare(&c, bare, &n_bare);

	*result = (struct burst_result){ .measured = true, .worst_second = (double)NAN };
	evaluate(slices, n, median(bare, n_bare), result);
	(void)snprintf(result->mode, sizeof(result->mode), "%s", target.mode);
	result->estimated_ratio = target.estimated_ratio;
	print_burst(result, bare[n_bare / 2]);
	free(slices);
	child_end(&c);
	daemon_stop(&d);
}
