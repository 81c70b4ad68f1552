// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Sampling with real probes: what is estimated from the blocks that were taken, and how sure it says
 * to be, against what a child is known to have done.
 *
 * The child makes a million allocations of six sizes over five decades under 512 call stacks. It
 * stays on one CPU and the choice has a seed, so that every run takes the same blocks. Another seed
 * can be tried by hand: SEED=7 test_sampling.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <math.h>
#include <time.h>

#include "../bpf/sampling.h"
#include "elf/unwind_table.h"
#include "probe/object.h"
#include "planned.h"
#include "watched.h"

#define CHUNK_MS   400 /* of a machine on which a million are not worth the wait */
#define FIRST_SEED 1

static void do_nothing(void)
{
}

/* --- what is seen of it ---------------------------------------------------------------------------- */

struct seen {
	struct watched w;
	uint16_t slot; /* of this program */
	uint64_t zero_at, one_at;
	unsigned int n_sites;
	struct site_totals sites[SITES];
};

static uint64_t file_offset(const void *function, struct own_mapping *ret)
{
	assert_int_equal(selftest_own_mapping(function, ret), 0);
	return (uintptr_t)function - ret->start + ret->offset;
}

/* Makes this program's stacks known as far as main(): the sites differ above it. */
static void publish_program(struct seen *s)
{
	_cleanup_(unwind_table_freep) struct unwind_table *table = NULL;
	_cleanup_close_ int fd = open("/proc/self/exe", O_RDONLY | O_CLOEXEC);
	struct probe_mapping mapping = { 0 };
	struct own_mapping own;

	s->zero_at = file_offset(zero, &own);
	s->one_at = file_offset(one, &own);
	assert_int_equal(unwind_table_compile(fd, &table), 0);
	assert_int_equal(probe_file_slot(s->w.probe, own.dev, own.inode, &s->slot), 0);
	assert_int_equal(probe_publish_table(s->w.probe, s->slot, table), 0);
	mapping.start = own.start;
	mapping.end = own.end;
	mapping.offset = own.offset;
	mapping.slot = s->slot;
	assert_int_equal(probe_publish_mappings(s->w.probe, s->w.id, &mapping, 1), 0);
}

/* The number that made the functions call each other so: its highest bit chose the innermost. */
static uint32_t site_of(const struct seen *s, uint64_t key)
{
	struct stack stack;
	uint32_t site = 0;

	assert_int_equal(probe_read_stack(s->w.probe, key, &stack), 0);
	assert_true(stack.n > SITE_BITS);
	for (unsigned int i = 0; i < SITE_BITS; i++) {
		uint64_t offset = stack.frames[i] & FRAME_OFFSET_MASK;
		bool is_one = s->one_at > s->zero_at ? offset > s->one_at : offset < s->zero_at;

		assert_int_equal(stack.frames[i] >> FRAME_SLOT_SHIFT & FRAME_SLOT_MASK, s->slot);
		site = site << 1 | is_one;
	}
	return site;
}

static int take_site(uint64_t key, const struct site_totals *totals, void *userdata)
{
	struct seen *s = userdata;
	uint32_t site;

	if (totals->target != s->w.id)
		return 0;
	site = site_of(s, key);
	assert_int_equal(s->sites[site].target, 0);
	s->sites[site] = *totals;
	s->n_sites++;
	return 0;
}

static void look(struct seen *s)
{
	memset(s->sites, 0, sizeof(s->sites));
	s->n_sites = 0;
	assert_int_equal(probe_read_sites(s->w.probe, take_site, s), 0);
}

/* Of a process's own time: others may keep the machine busy. */
static uint64_t ran_ms(pid_t pid)
{
	struct timespec t;
	clockid_t clock;

	assert_int_equal(clock_getcpuclockid(pid, &clock), 0);
	assert_int_equal(clock_gettime(clock, &t), 0);
	return (uint64_t)t.tv_sec * 1000 + (uint64_t)t.tv_nsec / 1000000;
}

/* A child that has allocated and freed by plan, sampled. */
static void watch_sampled(struct seen *s, struct probe *probe, uint64_t seed, uint32_t n)
{
	const struct target_control control = {
		.mode = CONTROL_SAMPLED,
		.interval = INTERVAL,
		.seed = seed,
	};

	watch_child(&s->w, probe, 0, do_nothing, ARRAY_SIZE(functions));
	publish_program(s);
	control_child(&s->w, control);
	for (uint32_t at = 0; at < n; at += CHUNK) {
		uint64_t begin = ran_ms(s->w.child.pid);

		child_ask(&s->w.child, allocate, at);
		if (at == 0 && ran_ms(s->w.child.pid) - begin > CHUNK_MS) {
			print_message("# skip: a million probed calls take minutes here\n");
			skip();
		}
	}
	child_ask(&s->w.child, free_last, n);
	assert_nothing_lost(&s->w);
	look(s);
}

/* --- estimates ------------------------------------------------------------------------------------- */

/* How estimates compare with the truth, over many sites. */
struct tally {
	unsigned int n;
	unsigned int within;   /* 1.96 of its own standard errors */
	double squares;	       /* of errors in standard errors */
	double error;	       /* of the sum, bytes */
	double variance;       /* that it is said to have */
	double count_error;    /* of the sum, blocks */
	double count_variance; /* that it has */
};

static void add_tally(struct tally *t, const struct site_sums *plus, const struct site_sums *minus,
		      const struct known *known)
{
	double bytes = (double)(plus->bytes - minus->bytes) +
		       (double)(plus->extra_bytes - minus->extra_bytes);
	double count = (double)(plus->count - minus->count) +
		       ldexp(plus->extra_count - minus->extra_count, -SAMPLING_COUNT_SHIFT);
	double variance = ldexp(plus->variance - minus->variance, SAMPLING_VARIANCE_SHIFT);
	double error = bytes - known->bytes;

	t->n++;
	t->within += fabs(error) <= 1.96 * sqrt(variance);
	t->squares += error * error / variance;
	t->error += error;
	t->variance += variance;
	t->count_error += count - known->count;
	t->count_variance += known->count_variance;
}

static void check_totals(const struct tally *t)
{
	assert_true(fabs(t->error) <= 3 * sqrt(t->variance));
	assert_true(fabs(t->count_error) <= 3 * sqrt(t->count_variance));
}

/*
 * Of a normal variable, 95 % lie within; a site of a hundred samples is nearly one. The squares' mean is
 * 1, and says whether the errors are as large as is said, and not only rarely too large.
 */
static void check_tally(const char *what, const struct tally *t)
{
	double share = (double)t->within / t->n, squares = t->squares / t->n;

	print_message("# %s: %.2f %% of %u within, squares %.3f, sum %+.2f, count %+.2f errors\n",
		      what, 100 * share, t->n, squares, t->error / sqrt(t->variance),
		      t->count_error / sqrt(t->count_variance));
	assert_true(share >= 0.93 && share <= 0.97);
	assert_true(squares > 0.9 && squares < 1.15);
	check_totals(t);
}

static void add_all(struct tally *to, const struct tally *t)
{
	to->n += t->n;
	to->within += t->within;
	to->squares += t->squares;
	to->error += t->error;
	to->variance += t->variance;
	to->count_error += t->count_error;
	to->count_variance += t->count_variance;
}

static void compare(const struct seen *s, const struct truth *truth, struct tally *allocated,
		    struct tally *live)
{
	static const struct site_sums none;
	struct tally a = { 0 }, l = { 0 };

	assert_int_equal(s->n_sites, SITES);
	for (uint32_t i = 0; i < SITES; i++) {
		const struct site_totals *t = &s->sites[i];

		add_tally(&a, &t->allocated, &none, &truth->allocated[i]);
		add_tally(&l, &t->allocated, &t->freed, &truth->live[i]);
	}
	check_totals(&a);
	check_totals(&l);
	add_all(allocated, &a);
	add_all(live, &l);
}

static void check_meter(struct watched *w, const struct truth *truth)
{
	struct target_meter m;
	struct sum sum = sum_of(w, w->id);

	assert_int_equal(probe_read_meter(w->probe, w->id, &m), 0);
	assert_int_equal(m.allocations, truth->all_allocated.count);
	assert_int_equal(m.bytes, truth->all_allocated.bytes);
	assert_int_equal(m.frees, truth->n_freed);
	assert_int_equal(m.taken, sum.totals.allocated.count);
	assert_int_equal(m.timed, (m.taken + METER_TIMED_EACH - 1) / METER_TIMED_EACH);
	assert_true(m.timed_ns > 0);
	assert_int_equal(counters_of(w).frees_of_unknown_blocks, 0);
}

struct live_blocks {
	uint32_t target;
	uint64_t n;
	uint64_t n_large;
	uint64_t bytes;
};

static int take_block(const struct block_key *key, const struct block *block, void *userdata)
{
	struct live_blocks *l = userdata;

	if (key->target != l->target)
		return 0;
	l->n++;
	l->bytes += block->size;
	l->n_large += block->size >= INTERVAL;
	assert_int_equal(block->extra,
			 block->size >= INTERVAL ? 0 : sampling_extra(block->size, INTERVAL));
	return 0;
}

/* Each block carries the weight of its size; large ones are all there and stand for themselves. */
static void check_blocks(struct watched *w, const struct truth *truth)
{
	struct live_blocks l = { .target = w->id };
	struct sum sum = sum_of(w, w->id);

	assert_int_equal(probe_read_blocks(w->probe, take_block, &l), 0);
	assert_int_equal(l.n_large, truth->n_large_live);
	assert_int_equal(l.n, sum.totals.allocated.count - sum.totals.freed.count);
	assert_int_equal(l.bytes, sum.totals.allocated.bytes - sum.totals.freed.bytes);
}

/* After all is freed, each site has had everything back that it gave, to the last bit. */
static void check_balance(struct seen *s, uint32_t n)
{
	child_ask(&s->w.child, free_rest, n);
	look(s);
	assert_int_equal(s->n_sites, SITES);
	for (uint32_t i = 0; i < SITES; i++)
		assert_memory_equal(&s->sites[i].allocated, &s->sites[i].freed,
				    sizeof(struct site_sums));
	assert_nothing_lost(&s->w);
}

static uint64_t first_seed(void)
{
	const char *seed = getenv("SEED");

	return seed ? strtoull(seed, NULL, 10) : FIRST_SEED;
}

static void check_estimates(enum probe_links_kind kind, unsigned int n_seeds)
{
	_cleanup_free_ struct truth *truth = malloc(sizeof(*truth));
	_cleanup_free_ struct seen *s = calloc(1, sizeof(*s));
	_cleanup_(probe_freep) struct probe *probe = NULL;
	struct tally allocated = { 0 }, live = { 0 };

	assert_non_null(truth);
	assert_non_null(s);
	probe = open_with_links(kind);
	tell_truth(truth, ALLOCATIONS);
	for (unsigned int i = 0; i < n_seeds; i++) {
		watch_sampled(s, probe, first_seed() + i, ALLOCATIONS);
		compare(s, truth, &allocated, &live);
		check_meter(&s->w, truth);
		check_blocks(&s->w, truth);
		check_balance(s, ALLOCATIONS);
		forget_child(&s->w);
	}
	check_tally("allocated", &allocated);
	check_tally("live", &live);
}

static void estimates_with_session_links(void **state)
{
	(void)state;
	check_estimates(PROBE_LINKS_SESSION, 4);
}

static void estimates_with_multi_links(void **state)
{
	(void)state;
	check_estimates(PROBE_LINKS_MULTI, 1);
}

static void estimates_with_perf_links(void **state)
{
	(void)state;
	check_estimates(PROBE_LINKS_PERF, 1);
}

/* What is taken of the first blocks. */
static void take_first(struct seen *s, struct probe *probe, uint64_t seed)
{
	watch_sampled(s, probe, seed, CHUNK);
	forget_child(&s->w);
}

static bool same_sums(const struct seen *a, const struct seen *b)
{
	for (uint32_t i = 0; i < SITES; i++)
		if (memcmp(&a->sites[i].allocated, &b->sites[i].allocated,
			   sizeof(struct site_sums)) != 0 ||
		    memcmp(&a->sites[i].freed, &b->sites[i].freed, sizeof(struct site_sums)) != 0)
			return false;
	return true;
}

static void seeds_decide_what_is_taken(void **state)
{
	_cleanup_(probe_freep) struct probe *probe = open_probe(&defaults);
	_cleanup_free_ struct seen *s = calloc(2, sizeof(*s));

	(void)state;
	assert_non_null(s);
	take_first(&s[0], probe, first_seed());
	take_first(&s[1], probe, first_seed());
	assert_true(same_sums(&s[0], &s[1]));
	take_first(&s[1], probe, first_seed() + 1);
	assert_false(same_sums(&s[0], &s[1]));
	/* No seed: a random one each time. */
	take_first(&s[0], probe, 0);
	take_first(&s[1], probe, 0);
	assert_false(same_sums(&s[0], &s[1]));
}

/* The choice is of the calls, not of how they are seen. */
static void links_do_not_decide(void **state)
{
	static const enum probe_links_kind kinds[] = { PROBE_LINKS_PERF, PROBE_LINKS_MULTI,
						       PROBE_LINKS_SESSION };
	_cleanup_free_ struct seen *s = calloc(ARRAY_SIZE(kinds), sizeof(*s));

	(void)state;
	assert_non_null(s);
	for (size_t i = 0; i < ARRAY_SIZE(kinds); i++) {
		_cleanup_(probe_freep) struct probe *probe = open_with_links(kinds[i]);

		take_first(&s[i], probe, first_seed());
		assert_true(same_sums(&s[0], &s[i]));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(seeds_decide_what_is_taken),
		cmocka_unit_test(links_do_not_decide),
		cmocka_unit_test(estimates_with_session_links),
		cmocka_unit_test(estimates_with_multi_links),
		cmocka_unit_test(estimates_with_perf_links),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
