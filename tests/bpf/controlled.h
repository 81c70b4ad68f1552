/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A child whose blocks the test knows, and whose calls are taken in this way or that; and the same
 * tests with every kind of links.
 */
#ifndef SEEP_TESTS_CONTROLLED_H
#define SEEP_TESTS_CONTROLLED_H

#include <sys/mman.h>

#include "../bpf/sampling.h"
#include "watched.h"

#define INTERVAL 4096u
#define BLOCKS	 4001u /* sampled: some hundreds of them */
#define SMALL	 307u
#define LARGER	 613u

/* The blocks of the child, seen by both: run_with_best() and run_with_each_kind() make room for them. */
static void **blocks;

static const struct target_control exact = { .mode = CONTROL_EXACT };
static const struct target_control only_counted = { .mode = CONTROL_COUNT };
static const struct target_control sampled = {
	.mode = CONTROL_SAMPLED,
	.interval = INTERVAL,
	.seed = 3,
};

/* --- what children do ------------------------------------------------------------------------------ */

static inline void do_nothing(void)
{
}

/* In the numbers of blocks: from the low half up to the high one. */
#define RANGE(from, to) ((uint64_t)(to) << 32 | (from))

static inline uint32_t first_of(uint64_t range)
{
	return (uint32_t)range;
}

static inline uint32_t end_of(uint64_t range)
{
	return range >> 32;
}

static inline void allocate_small(uint64_t range)
{
	for (uint32_t i = first_of(range); i < end_of(range); i++)
		blocks[i] = malloc(SMALL);
}

static inline void release(uint64_t range)
{
	for (uint32_t i = first_of(range); i < end_of(range); i++)
		free(blocks[i]);
}

static inline void enlarge(uint64_t range)
{
	for (uint32_t i = first_of(range); i < end_of(range); i++)
		blocks[i] = realloc(blocks[i], LARGER);
}

static inline void enlarge_too_much(uint64_t range)
{
	volatile size_t too_much = (size_t)1 << 62;

	for (uint32_t i = first_of(range); i < end_of(range); i++)
		if (realloc(blocks[i], too_much))
			abort();
}

/* glibc frees the block; the standard lets it. */
static inline void shrink_to_nothing(uint64_t range)
{
	volatile size_t nothing = 0;

	for (uint32_t i = first_of(range); i < end_of(range); i++)
		blocks[i] = realloc(blocks[i], nothing);
}

/* --- what is seen of it ---------------------------------------------------------------------------- */

/* What the tests of one kind of links share. */
struct fixture {
	struct probe *probe; /* owned; NULL: there are none of the kind */
	unsigned int unfinished;
};

static inline struct fixture *begin(void **state)
{
	struct fixture *f = *state;

	if (!f->probe) {
		print_message("# skip: the self-test finds no links of this kind that can be "
			      "used\n");
		skip();
	}
	f->unfinished++;
	return f;
}

static inline void end(void **state)
{
	struct fixture *f = *state;

	f->unfinished--;
}

static inline void watch_with(struct watched *w, void **state, const struct target_control *control)
{
	watch_child(w, begin(state)->probe, TARGET_FOLLOW, do_nothing, ARRAY_SIZE(functions));
	control_child(w, *control);
}

static inline void end_watch(struct watched *w, void **state)
{
	forget_child(w);
	end(state);
}

static inline struct target_meter meter_now(struct watched *w, uint32_t id)
{
	struct target_meter m;

	assert_int_equal(probe_read_meter(w->probe, id, &m), 0);
	return m;
}

/* Sums of a target, and which of the shared blocks are live. */
struct taken {
	struct watched *w;
	struct site_totals totals;
	uint32_t n_live;
	struct block live[BLOCKS]; /* size 0: not live */
};

static inline int take_block(const struct block_key *key, const struct block *block, void *userdata)
{
	struct taken *t = userdata;

	if (key->target != t->w->id)
		return 0;
	t->n_live++;
	for (uint32_t i = 0; i < BLOCKS; i++)
		if (blocks[i] == (void *)(uintptr_t)key->address)
			t->live[i] = *block;
	return 0;
}

static inline struct taken *look(struct watched *w)
{
	struct taken *t = calloc(1, sizeof(*t));

	assert_non_null(t);
	t->w = w;
	t->totals = sum_of(w, w->id).totals;
	assert_int_equal(probe_read_blocks(w->probe, take_block, t), 0);
	return t;
}

static inline void assert_sums(struct site_sums sums, uint64_t size, uint32_t extra, uint64_t n)
{
	const struct block b = { .size = size, .extra = extra };

	assert_int_equal(sums.count, n);
	assert_int_equal(sums.bytes, n * size);
	assert_int_equal(sums.extra_bytes, n * extra);
	assert_int_equal(sums.extra_count, n * sampling_extra_count(&b));
	assert_int_equal(sums.variance, n * sampling_variance(&b));
}

static inline void assert_same_sums(const struct site_sums *a, const struct site_sums *b)
{
	assert_memory_equal(a, b, sizeof(*a));
}

/* --- the same with links of each kind ---------------------------------------------------------------- */

static inline int open_with(void **state, struct probe *probe)
{
	struct fixture *f = calloc(1, sizeof(*f));

	assert_non_null(f);
	f->probe = probe;
	*state = f;
	return 0;
}

/* What a probe takes by itself. */
static inline int open_best(void **state)
{
	return open_with(state, open_probe(&defaults));
}

static inline int open_kind(void **state, enum probe_links_kind kind)
{
	return open_with(state, selftest_links(kind, false) == 0 ? open_with_links(kind) : NULL);
}

static inline int open_session(void **state)
{
	return open_kind(state, PROBE_LINKS_SESSION);
}

static inline int open_multi(void **state)
{
	return open_kind(state, PROBE_LINKS_MULTI);
}

static inline int open_perf(void **state)
{
	return open_kind(state, PROBE_LINKS_PERF);
}

/*
 * The child of a test that failed is still there, and has inherited the socket whose end the process
 * waits for that sets the probes: nothing can be freed then.
 */
static inline int close_kind(void **state)
{
	struct fixture *f = *state;

	if (f->unfinished == 0)
		probe_free(f->probe);
	free(f);
	return 0;
}

static inline int make_room(void)
{
	blocks = mmap(NULL, BLOCKS * sizeof(*blocks), PROT_READ | PROT_WRITE,
		      MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	return blocks == MAP_FAILED ? -1 : 0;
}

/* 0: none failed. */
#define run_with_best(tests) \
	(make_room() < 0 || cmocka_run_group_tests_name("best links", tests, open_best, close_kind))

#define run_with_each_kind(tests)                                                            \
	(make_room() < 0 ||                                                                  \
	 cmocka_run_group_tests_name("session links", tests, open_session, close_kind) +     \
		 cmocka_run_group_tests_name("multi links", tests, open_multi, close_kind) + \
		 cmocka_run_group_tests_name("perf links", tests, open_perf, close_kind))

#endif
