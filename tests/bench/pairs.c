// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * What a malloc/free pair costs in every mode.
 *
 * All modes take turns within each round, so that whatever else the machine does hits them alike,
 * and ratios are taken within a round. The order changes from round to round.
 */
#include <math.h>
#include <stdio.h>

#include "allocator.h"
#include "base/cleanup.h"
#include "child.h"
#include "classic.h"
#include "daemon.h"
#include "floor.h"
#include "tables.h"

/* Frames of the program's own between its main loop and the function that allocates. */
#define DEPTH 5

/* Fills caches, seep's table of threads and the first pages of maps; not measured. */
#define WARM_UP_MS 20

enum mode_kind {
	KIND_UNPROBED,
	KIND_FLOOR,
	KIND_SEEP,
	KIND_CLASSIC,
};

struct mode {
	enum mode_kind kind;
	enum mode_id floor;	  /* of KIND_SEEP: what it is compared with */
	enum floor_kind probes;	  /* of KIND_FLOOR */
	const char *arguments[2]; /* of KIND_SEEP: for seepctl track */
};

static const struct mode modes[N_MODES] = {
	[MODE_UNPROBED] = { .kind = KIND_UNPROBED },
	[MODE_FLOOR_SKIPPED] = { .kind = KIND_FLOOR, .probes = FLOOR_SKIPPED },
	[MODE_FLOOR_RETURNS] = { .kind = KIND_FLOOR, .probes = FLOOR_RETURNS },
	[MODE_SEEP_SAMPLED] = { .kind = KIND_SEEP,
				.floor = MODE_FLOOR_SKIPPED,
				.arguments = { "--sample", "64KiB" } },
	[MODE_SEEP_EXACT] = { .kind = KIND_SEEP,
			      .floor = MODE_FLOOR_RETURNS,
			      .arguments = { "--exact" } },
	[MODE_CLASSIC] = { .kind = KIND_CLASSIC },
};

struct bench {
	const struct bench_options *options;
	struct report *report;
	struct allocator allocator;
	struct child child;
	struct daemon daemon;
	struct classic *classic; /* owned */
	struct loop_answer truth;
	double ns[N_MODES][MAX_ROUNDS];
};

/* The last round's stacks: after it, since asking takes time in which nothing else is measured. */
static void look_at_stack(struct bench *b, enum mode_id id)
{
	struct mode_result *result = &b->report->modes[id];
	int r = -ENOENT;

	if (modes[id].kind == KIND_SEEP) {
		json_decref(daemon_next_tick(&b->daemon));
		r = daemon_stack(&b->daemon, b->child.pid, &b->truth, &result->stack);
	} else if (modes[id].kind == KIND_CLASSIC) {
		r = classic_stack(b->classic, &b->truth, &result->stack);
	}
	result->has_stack = r == 0;
}

/* -EOPNOTSUPP: this mode does not exist here; it has been said why. */
static int attach(struct bench *b, enum mode_id id, struct floor_probes *probes)
{
	char why[DAEMON_WHY_BYTES];
	int r = 0;

	switch (modes[id].kind) {
	case KIND_UNPROBED:
		break;
	case KIND_FLOOR:
		r = floor_attach(modes[id].probes, &b->allocator, b->child.pid, probes);
		if (r < 0)
			die("setting empty probes (uprobe_multi, kernel 6.6)", r);
		b->report->has_session = probes->has_session;
		break;
	case KIND_SEEP:
		r = daemon_track(&b->daemon, b->child.pid, modes[id].arguments, why);
		if (r < 0)
			printf("  %s is left out: seepctl says: %s\n", report_mode_name(id), why);
		break;
	case KIND_CLASSIC:
		r = classic_attach(b->classic, &b->allocator, b->child.pid);
		if (r < 0)
			die("setting the classic design's probes", r);
		break;
	}
	return r;
}

static void detach(struct bench *b, enum mode_id id, struct floor_probes *probes)
{
	if (modes[id].kind == KIND_FLOOR)
		floor_detach(probes);
	else if (modes[id].kind == KIND_SEEP)
		daemon_untrack(&b->daemon, b->child.pid);
	else if (modes[id].kind == KIND_CLASSIC)
		classic_detach(b->classic);
	allocator_await(&b->allocator, b->child.pid, false, report_mode_name(id));
}

static void measure(struct bench *b, enum mode_id id, unsigned int round)
{
	struct mode_result *result = &b->report->modes[id];
	struct floor_probes probes;

	if (!result->measured)
		return;
	if (attach(b, id, &probes) < 0) {
		result->measured = false;
		return;
	}
	allocator_await(&b->allocator, b->child.pid, modes[id].kind != KIND_UNPROBED,
			report_mode_name(id));
	(void)child_spin(&b->child, WARM_UP_MS, DEPTH);
	b->ns[id][round] = child_spin(&b->child, b->options->slice_ms, DEPTH);
	if (round + 1 == b->options->rounds)
		look_at_stack(b, id);
	detach(b, id, &probes);
}

/* Median over the rounds of what @a adds by what @b adds; NaN if one of them was not measured. */
static double added_ratio(const struct bench *b, enum mode_id above, enum mode_id below)
{
	double ratios[MAX_ROUNDS];

	if (!b->report->modes[above].measured || !b->report->modes[below].measured)
		return (double)NAN;
	for (unsigned int i = 0; i < b->options->rounds; i++)
		ratios[i] = (b->ns[above][i] - b->ns[MODE_UNPROBED][i]) /
			    (b->ns[below][i] - b->ns[MODE_UNPROBED][i]);
	return median(ratios, b->options->rounds);
}

static void sum_up(struct bench *b)
{
	for (enum mode_id id = 0; id < N_MODES; id++) {
		struct mode_result *result = &b->report->modes[id];
		bool adds = result->measured && id != MODE_UNPROBED;

		result->of_floor = modes[id].kind == KIND_SEEP ?
					   added_ratio(b, id, modes[id].floor) :
					   (double)NAN;
		result->classic_of_it = adds ? added_ratio(b, MODE_CLASSIC, id) : (double)NAN;
	}
	/* Sorts each row, so after the ratios. */
	for (enum mode_id id = 0; id < N_MODES; id++)
		if (b->report->modes[id].measured)
			b->report->modes[id].ns = median(b->ns[id], b->options->rounds);
}

static void print_mode(const struct report *report, enum mode_id id)
{
	const struct mode_result *r = &report->modes[id];

	if (!r->measured)
		return;
	printf("  %-34s %8.0f ns", report_mode_name(id), r->ns);
	if (!isnan(r->of_floor))
		printf("   %5.2f times its floor", r->of_floor);
	else
		printf("   %21s", "");
	if (id == MODE_UNPROBED || id == MODE_CLASSIC)
		printf("   %25s", "");
	else
		printf("   classic: %7.1f times it", r->classic_of_it);
	if (r->has_stack)
		printf("   %u of %u frames, caller %s", r->stack.true_frames, report->frames,
		       r->stack.true_caller ? "right" : "wrong");
	printf("\n");
}

static void print_pairs(const struct bench *b)
{
	printf("one malloc/free pair below a stack of %u frames, median of %u interleaved rounds; "
	       "ratios of what is added\n",
	       b->report->frames, b->options->rounds);
	if (!b->report->has_session)
		printf("  no session links here: the floors are two links, and no return is "
		       "skipped\n");
	for (enum mode_id id = 0; id < N_MODES; id++)
		print_mode(b->report, id);
}

void bench_pairs(const struct bench_options *o, struct report *report)
{
	struct bench b = { .options = o, .report = report };
	int r;

	r = allocator_find(&b.allocator);
	if (r < 0)
		die("finding libc's malloc", r);
	r = classic_new(&b.classic);
	if (r < 0)
		die("loading the classic design", r);
	b.child = child_start(o->build);
	daemon_start(&b.daemon, o->build, "1s", "1048576");
	b.truth = child_ask(&b.child, LOOP_CHAIN, 0, DEPTH);
	report->frames = (unsigned int)b.truth.n_frames;
	for (enum mode_id id = 0; id < N_MODES; id++)
		report->modes[id].measured = true;
	for (unsigned int i = 0; i < o->rounds; i++)
		for (unsigned int k = 0; k < N_MODES; k++)
			measure(&b, (i + k) % N_MODES, i);
	sum_up(&b);
	print_pairs(&b);
	child_end(&b.child);
	daemon_stop(&b.daemon);
	b.classic = classic_free(b.classic);
}
