// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Real probes on real processes: the kernel side's counts, for both kinds of links.
 *
 * Each test forks a child that waits on a pipe, sets the probes, lets the child make a prime number
 * of calls, and compares what the maps say.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <malloc.h>
#include <poll.h>
#include <time.h>
#include <sys/wait.h>

#include "probe/object.h"
#include "trend/lifetimes.h"
#include "watched.h"

static void *volatile sink; /* keeps the compiler from removing allocations */

static uint64_t now_ns(void)
{
	struct timespec now;

	(void)clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000000000ull + (uint64_t)now.tv_nsec;
}

/* --- what children do ------------------------------------------------------------------------------ */

static void malloc_23_free_17(void)
{
	void *blocks[23];

	for (int i = 0; i < 23; i++)
		blocks[i] = sink = malloc(101);
	for (int i = 0; i < 17; i++)
		free(blocks[i]);
	free(NULL);
}

static void whole_family(void)
{
	volatile size_t too_many = (size_t)1 << 62;
	void *p = NULL;

	sink = calloc(3, 7); /* 21 */
	sink = malloc(11);
	sink = realloc(sink, 13);		      /* 11 freed, 13 */
	sink = reallocarray(NULL, 5, 9);	      /* 45 */
	sink = realloc(sink, (size_t)1 << 62);	      /* fails: 45 stays */
	sink = reallocarray(malloc(17), too_many, 8); /* fails: 17 stays */
	sink = realloc(malloc(19), 0);		      /* 19 freed */
	if (posix_memalign(&p, 64, 1009) != 0)	      /* 1009 */
		abort();
	if (posix_memalign(&p, 3, 10) == 0) /* fails */
		abort();
	sink = aligned_alloc(64, 128); /* 128 */
	sink = memalign(64, 192);      /* 192 */
	sink = valloc(29);	       /* 29 */
	sink = pvalloc(31);	       /* 31 */
	sink = calloc(too_many, 8);    /* fails */
	sink = malloc(0);	       /* 0 */
}

static void free_foreign(void)
{
	extern void *inherited[7];

	for (int i = 0; i < 7; i++)
		free(inherited[i]);
}

void *inherited[7];

static void malloc_101(void)
{
	for (int i = 0; i < 101; i++)
		sink = malloc(32);
}

static void malloc_and_free_7(void)
{
	for (int i = 0; i < 7; i++) {
		sink = malloc(67);
		free(sink);
	}
}

static void fork_and_free(void)
{
	void *mine[5];
	pid_t pid;

	for (int i = 0; i < 5; i++)
		mine[i] = sink = malloc(53);
	pid = fork();
	if (pid == 0) {
		for (int i = 0; i < 3; i++)
			free(mine[i]);
		_exit(0);
	}
	while (waitpid(pid, NULL, 0) < 0)
		continue;
}

static void storm(void)
{
	for (int i = 0; i < 211; i++) {
		pid_t pid = fork();

		if (pid == 0)
			_exit(0);
		while (waitpid(pid, NULL, 0) < 0)
			continue;
	}
}

/* --- tests ------------------------------------------------------------------------------------------ */

static void check_counts(const char *links)
{
	struct probe_options options = defaults;
	struct watched w;
	struct sum sum;

	options.force_links = links;
	watch(&w, &options, 0, malloc_23_free_17);
	child_run(&w.child);
	sum = sum_of(&w, w.id);
	assert_int_equal(sum.sites, 1);
	assert_int_equal(sum.totals.allocated.count, 23);
	assert_int_equal(sum.totals.allocated.bytes, 23 * 101);
	assert_int_equal(sum.totals.freed.count, 17);
	assert_int_equal(sum.totals.freed.bytes, 17 * 101);
	assert_int_equal(counters_of(&w).frees_of_unknown_blocks, 0);
	assert_nothing_lost(&w);
	unwatch(&w);
}

static void counts_with_multi_links(void **state)
{
	(void)state;
	if (selftest_links(PROBE_LINKS_MULTI, false) < 0) {
		print_message("# skip: the self-test finds no uprobe_multi links that can be "
			      "used\n");
		skip();
	}
	check_counts("multi");
}

static void counts_with_perf_links(void **state)
{
	(void)state;
	check_counts("perf");
}

/* The programs for old kernels work on new ones, too. */
static void counts_with_legacy_programs(void **state)
{
	struct probe_options options = defaults;
	struct watched w;
	struct sum sum;

	(void)state;
	options.force_links = "perf";
	options.force_legacy = true;
	watch(&w, &options, TARGET_FOLLOW, fork_and_free);
	child_run(&w.child);
	sum = sum_of(&w, w.id);
	assert_int_equal(sum.totals.allocated.count, 5);
	assert_int_equal(sum.totals.freed.count, 0);
	assert_nothing_lost(&w);
	unwatch(&w);
}

static void family_is_counted_exactly(void **state)
{
	struct target_counters c;
	struct watched w;
	struct sum sum;

	(void)state;
	watch(&w, &defaults, 0, whole_family);
	child_run(&w.child);
	sum = sum_of(&w, w.id);
	assert_int_equal(sum.totals.allocated.count, 12);
	assert_int_equal(sum.totals.allocated.bytes,
			 21 + 11 + 13 + 45 + 17 + 19 + 1009 + 128 + 192 + 29 + 31);
	assert_int_equal(sum.totals.freed.count, 2);
	assert_int_equal(sum.totals.freed.bytes, 11 + 19);
	c = counters_of(&w);
	assert_int_equal(c.failed_allocations, 4);
	assert_int_equal(c.frees_of_unknown_blocks, 0);
	assert_nothing_lost(&w);
	unwatch(&w);
}

static void frees_of_earlier_blocks_are_unknown(void **state)
{
	struct watched w;

	(void)state;
	for (int i = 0; i < 7; i++)
		inherited[i] = malloc(71);
	watch(&w, &defaults, 0, free_foreign);
	child_run(&w.child);
	assert_int_equal(sum_of(&w, w.id).totals.freed.count, 0);
	assert_int_equal(counters_of(&w).frees_of_unknown_blocks, 7);
	unwatch(&w);
	for (int i = 0; i < 7; i++)
		free(inherited[i]);
}

static void full_map_is_counted(void **state)
{
	struct probe_options options = defaults;
	struct watched w;
	struct sum sum;

	(void)state;
	options.max_blocks = 64;
	watch(&w, &options, 0, malloc_101);
	child_run(&w.child);
	sum = sum_of(&w, w.id);
	assert_int_equal(sum.totals.allocated.count, 64);
	assert_int_equal(counters_of(&w).lost[LOSS_LIVE_FULL], 101 - 64);
	unwatch(&w);
}

/* One address again and again, whose frees nobody sees: each block retires the one before. */
static void missed_frees_are_counted(void **state)
{
	struct target_counters c;
	struct watched w;
	struct sum sum;

	(void)state;
	watch_some(&w, &defaults, 0, malloc_and_free_7, 1);
	child_run(&w.child);
	sum = sum_of(&w, w.id);
	assert_int_equal(sum.totals.allocated.count, 7);
	assert_int_equal(sum.totals.freed.count, 6);
	assert_int_equal(sum.totals.freed.bytes, 6 * 67);
	c = counters_of(&w);
	assert_int_equal(c.lost[LOSS_MISSED_FREE], 6);
	c.lost[LOSS_MISSED_FREE] = 0;
	for (unsigned int i = 0; i < LOSS_REASONS; i++)
		assert_int_equal(c.lost[i], 0);
	unwatch(&w);
}

#define AGE_TICKS 7

static void free_29_later_and_31_at_once(void)
{
	uint64_t end = now_ns() + (AGE_TICKS + 1) * AGE_TICK_MIN_NS;
	void *blocks[29];

	for (int i = 0; i < 29; i++)
		blocks[i] = sink = malloc(37);
	/* Time must pass: what is tested is age. */
	while (now_ns() < end)
		poll(NULL, 0, 1);
	for (int i = 0; i < 29; i++)
		free(blocks[i]);
	for (int i = 0; i < 31; i++) {
		sink = malloc(41);
		free(sink);
	}
}

static uint64_t count_ages(const struct sum *sum, unsigned from, unsigned to)
{
	uint64_t n = 0;

	for (unsigned i = from; i < to; i++)
		n += sum->totals.freed_by_age[i];
	return n;
}

/* A busy machine may make the young ones older, and the old ones older still. */
static void ages_at_free_are_counted(void **state)
{
	struct probe_options options = defaults;
	unsigned old = lifetime_bin(AGE_TICKS);
	struct watched w;
	struct sum sum;

	(void)state;
	options.age_tick_ns = AGE_TICK_MIN_NS;
	watch(&w, &options, 0, free_29_later_and_31_at_once);
	child_run(&w.child);
	sum = sum_of(&w, w.id);
	assert_int_equal(sum.totals.freed.count, 29 + 31);
	assert_int_equal(count_ages(&sum, 0, AGE_BINS), 29 + 31);
	assert_in_range(count_ages(&sum, old, AGE_BINS), 29, 29 + 31);
	assert_true(count_ages(&sum, 0, 1) > 0);
	unwatch(&w);
}

static int find_child(pid_t tgid, const struct target_entry *entry, void *userdata)
{
	(void)tgid;
	(void)entry;
	++*(unsigned int *)userdata;
	return 0;
}

static void child_frees_of_inherited_blocks_touch_nothing(void **state)
{
	unsigned int armed = 0;
	struct watched w;
	struct sum sum;

	(void)state;
	watch(&w, &defaults, TARGET_FOLLOW, fork_and_free);
	child_run(&w.child);
	sum = sum_of(&w, w.id);
	assert_int_equal(sum.totals.allocated.count, 5);
	assert_int_equal(sum.totals.freed.count, 0);
	/* The grandchild was a target of its own and is gone. */
	assert_int_equal(probe_each_target(w.probe, find_child, &armed), 0);
	assert_int_equal(armed, 1);
	unwatch(&w);
}

static void count_note(const struct note *note, void *userdata)
{
	unsigned int *counts = userdata;

	if (note->type <= NOTE_FILE)
		counts[note->type]++;
}

static void life_is_noted(void **state)
{
	unsigned int counts[NOTE_FILE + 1] = { 0 };
	struct watched w;

	(void)state;
	watch(&w, &defaults, TARGET_FOLLOW, storm);
	assert_int_equal(probe_listen(w.probe, count_note, counts), 0);
	child_run(&w.child);
	assert_true(probe_read_notes(w.probe) >= 0);
	assert_int_equal(counts[NOTE_FORK], 211);
	assert_int_equal(counts[NOTE_EXIT], 211);
	assert_nothing_lost(&w);
	unwatch(&w);
}

static void lost_notes_are_counted(void **state)
{
	unsigned int counts[NOTE_FILE + 1] = { 0 };
	struct probe_options options = defaults;
	struct watched w;

	(void)state;
	options.ring_bytes = 4096;
	watch(&w, &options, TARGET_FOLLOW, storm);
	assert_int_equal(probe_listen(w.probe, count_note, counts), 0);
	child_run(&w.child);
	assert_true(probe_read_notes(w.probe) >= 0);
	/* A lost fork is its parent's loss; lost exits are the children's own. */
	assert_true(counts[NOTE_FORK] < 211);
	assert_int_equal(counters_of(&w).lost[LOSS_NOTE], 211 - counts[NOTE_FORK]);
	unwatch(&w);
}

static void purged_blocks_are_gone(void **state)
{
	unsigned int blocks = 0;
	struct watched w;
	int r;

	(void)state;
	watch(&w, &defaults, 0, malloc_101);
	child_run(&w.child);
	assert_int_equal(probe_disarm(w.probe, w.child.pid, w.id), 0);
	assert_int_equal(probe_purge_start(w.probe, w.id), 0);
	while ((r = probe_purge_step(w.probe)) > 0)
		blocks++;
	assert_int_equal(r, 0);
	assert_int_equal(sum_of(&w, w.id).sites, 0);
	assert_true(probe_read_counters(w.probe, w.id, &(struct target_counters){ 0 }) < 0);
	unwatch(&w);
}

static void every_file_has_a_slot_of_its_own(void **state)
{
	_cleanup_(probe_freep) struct probe *probe = NULL;
	bool used[FRAME_SLOTS] = { true };
	uint16_t slot;

	(void)state;
	assert_int_equal(probe_new(&defaults, &probe, NULL), 0);
	for (unsigned int i = 1; i < FRAME_SLOTS; i++) {
		assert_int_equal(probe_file_slot(probe, 7, i, &slot), 0);
		assert_true(slot < FRAME_SLOTS);
		assert_false(used[slot]);
		used[slot] = true;
	}
	assert_int_equal(probe_file_slot(probe, 8, 1, &slot), -ENOSPC);
	assert_int_equal(probe_file_slot(probe, 7, 1, &slot), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(counts_with_multi_links),
		cmocka_unit_test(counts_with_perf_links),
		cmocka_unit_test(counts_with_legacy_programs),
		cmocka_unit_test(family_is_counted_exactly),
		cmocka_unit_test(frees_of_earlier_blocks_are_unknown),
		cmocka_unit_test(full_map_is_counted),
		cmocka_unit_test(missed_frees_are_counted),
		cmocka_unit_test(ages_at_free_are_counted),
		cmocka_unit_test(child_frees_of_inherited_blocks_touch_nothing),
		cmocka_unit_test(life_is_noted),
		cmocka_unit_test(lost_notes_are_counted),
		cmocka_unit_test(purged_blocks_are_gone),
		cmocka_unit_test(every_file_has_a_slot_of_its_own),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
