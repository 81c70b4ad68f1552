// SPDX-License-Identifier: GPL-2.0-or-later
/* The detector on kinds of Python objects: made-up heaps, census by census. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "detect/kind_watch.h"
#include "detect/members.h"

#define SECOND 1000000000ull
#define MIB    (1024.0 * 1024.0)
#define ROOM   400000 /* objects of a kind */

enum {
	TASK = 1,
	COROUTINE,
	CONTEXT,
	TEXT,
	OTHER,
	KINDS_END
};

/* Objects of a kind, oldest first; the heap gives freed addresses again, the last one first. */
struct pile {
	uint64_t *addresses;
	uint64_t *numbers;
	size_t first, n;
	uint64_t bytes; /* of each */
	uint8_t rank;
};

struct heap_model {
	struct kind_watch *kinds;
	struct trend_options trend;
	struct pile piles[KINDS_END];
	uint64_t next_address;
	uint64_t spare[ROOM]; /* freed addresses */
	size_t n_spare;
	uint64_t tasks_made;
	uint64_t work;
	uint32_t tick;
	double limit;
	/* What was ever found, by kind. */
	enum trend_state worst[KINDS_END];
	unsigned int opened[KINDS_END];
	struct kind_finding last[KINDS_END];
};

static struct heap_model *model_new(double headroom)
{
	static const struct {
		uint64_t bytes;
		uint8_t rank;
	} shapes[KINDS_END] = {
		[TASK] = { 192, 0 }, [COROUTINE] = { 208, 2 }, [CONTEXT] = { 64, 6 },
		[TEXT] = { 64, 6 },  [OTHER] = { 480, 3 },
	};
	struct heap_model *m = calloc(1, sizeof(*m));
	struct kind_options options = { .tick_ns = SECOND };

	assert_non_null(m);
	trend_options_init(&m->trend);
	options.trend = &m->trend;
	m->kinds = kind_watch_new(&options);
	assert_non_null(m->kinds);
	m->next_address = 0x7f0000000000ull;
	m->limit = 200 * MIB + headroom;
	for (size_t i = TASK; i < KINDS_END; i++) {
		m->piles[i].addresses = calloc(ROOM, sizeof(uint64_t));
		m->piles[i].numbers = calloc(ROOM, sizeof(uint64_t));
		m->piles[i].bytes = shapes[i].bytes;
		m->piles[i].rank = shapes[i].rank;
		assert_non_null(m->piles[i].addresses);
		assert_non_null(m->piles[i].numbers);
	}
	return m;
}

static void model_free(struct heap_model *m)
{
	for (size_t i = TASK; i < KINDS_END; i++) {
		free(m->piles[i].addresses);
		free(m->piles[i].numbers);
	}
	kind_watch_free(m->kinds);
	free(m);
}

static void make(struct heap_model *m, int kind, size_t n)
{
	struct pile *p = &m->piles[kind];

	for (size_t i = 0; i < n; i++) {
		size_t at = p->first + p->n++;

		assert_true(at < ROOM);
		p->addresses[at] = m->n_spare ? m->spare[--m->n_spare] : (m->next_address += 16);
		p->numbers[at] = kind == TASK ? ++m->tasks_made : 0;
	}
}

/* The oldest ones. */
static void drop(struct heap_model *m, int kind, size_t n)
{
	struct pile *p = &m->piles[kind];

	for (; n && p->n; n--, p->n--)
		m->spare[m->n_spare++] = p->addresses[p->first++];
	if (p->first > ROOM / 2) {
		memmove(p->addresses, p->addresses + p->first, p->n * sizeof(uint64_t));
		memmove(p->numbers, p->numbers + p->first, p->n * sizeof(uint64_t));
		p->first = 0;
	}
}

/* A few that live from one census to the next. */
static void churn(struct heap_model *m, int kind, size_t n)
{
	drop(m, kind, n);
	make(m, kind, n);
}

static int compare_objects(const void *a, const void *b)
{
	const struct python_object *x = a, *y = b;

	return (x->address > y->address) - (x->address < y->address);
}

/* As the other side of the socket does it. */
static struct python_objects list_pile(const struct pile *p, uint64_t threshold)
{
	struct python_objects o = { .count = p->n, .threshold = threshold ?: UINT64_MAX };

	o.list = calloc(p->n + 1, sizeof(*o.list));
	assert_non_null(o.list);
	for (;; o.threshold /= 2) {
		o.n = 0;
		for (size_t i = 0; i < p->n; i++)
			if (python_object_hash(p->addresses[p->first + i]) <= o.threshold)
				o.list[o.n++] = (struct python_object){ p->addresses[p->first + i],
									p->numbers[p->first + i] };
		if (o.n <= KINDS_MEMBERS_MAX)
			break;
	}
	qsort(o.list, o.n, sizeof(*o.list), compare_objects);
	return o;
}

static void give_objects(struct heap_model *m)
{
	struct kind_wanted wanted[KINDS_FOLLOWED_MAX];
	size_t n = kind_watch_wanted(m->kinds, wanted);

	for (size_t i = 0; i < n; i++) {
		struct python_objects o = list_pile(&m->piles[wanted[i].key], wanted[i].threshold);

		assert_int_equal(kind_watch_objects(m->kinds, wanted[i].key, &o), 0);
		free(o.list);
	}
}

static void note_findings(struct heap_model *m)
{
	const struct kind_finding *list;
	size_t n = kind_watch_findings(m->kinds, &list);

	for (size_t i = 0; i < n; i++) {
		enum trend_state state = list[i].evidence.state;

		m->last[list[i].key] = list[i];
		m->opened[list[i].key] += list[i].event == TREND_OPENED;
		if (state == TREND_SUSPECT && m->worst[list[i].key] == TREND_QUIET)
			m->worst[list[i].key] = state;
		if (state == TREND_LEAKING || state == TREND_EXHAUSTION)
			m->worst[list[i].key] = state;
	}
}

static void census(struct heap_model *m)
{
	struct kind_count counts[KINDS_END];
	struct kind_process process = {
		.usage_bytes = 200 * MIB,
		.limit_bytes = m->limit,
		.work = m->work += 10000,
		.tasks_made = m->tasks_made,
	};
	size_t n = 0;
	int r;

	for (uint64_t i = TASK; i < KINDS_END; i++) {
		process.usage_bytes += (double)(m->piles[i].n * m->piles[i].bytes);
		if (m->piles[i].n)
			counts[n++] = (struct kind_count){
				.key = i,
				.count = m->piles[i].n,
				.bytes = m->piles[i].n * m->piles[i].bytes,
				.rank = m->piles[i].rank,
				.is_task = i == TASK,
			};
	}
	assert_int_equal(kind_watch_count(m->kinds, ++m->tick * SECOND, &process, counts, n), 1);
	give_objects(m);
	r = kind_watch_judge(m->kinds);
	assert_true(r >= 0);
	if (r > 0)
		note_findings(m);
}

static void base_load(struct heap_model *m)
{
	make(m, TASK, 53);
	make(m, COROUTINE, 53);
	make(m, CONTEXT, 101);
	make(m, TEXT, 10007);
}

static void work_a_tick(struct heap_model *m)
{
	churn(m, TASK, 53);
	churn(m, COROUTINE, 53);
	churn(m, TEXT, 1009);
}

/* --- tests ---------------------------------------------------------------------------------------- */

/* Two days to the limit, for what nobody ever frees (trend/options.c). */
#define HEADROOM(per_tick, bytes) ((per_tick) * (bytes)*2880.0)

/* The story: tasks, each with a coroutine, a context and a name, are kept for ever. */
static void test_leak_in_step(void **state)
{
	struct heap_model *m = model_new(HEADROOM(11, 528));
	const struct kind_finding *f = &m->last[TASK];
	double names = 0;

	(void)state;
	make(m, TEXT, 10007);
	make(m, OTHER, 2003);
	while (m->tick < 2150) {
		make(m, TASK, 11);
		make(m, COROUTINE, 11);
		make(m, CONTEXT, 11);
		make(m, TEXT, 11);
		churn(m, OTHER, 503);
		census(m);
	}
	assert_int_equal(m->opened[TASK], 1);
	assert_int_equal(m->worst[TASK], TREND_LEAKING);
	for (int i = COROUTINE; i < KINDS_END; i++)
		assert_int_equal(m->opened[i], 0);
	assert_int_equal(f->n_companions, 3);
	for (size_t i = 0; i < f->n_companions; i++) {
		assert_true(fabs(f->companions[i].per_object - 1) < 0.01);
		names += (double)f->companions[i].key;
	}
	assert_int_equal(f->companions[0].key, COROUTINE);
	assert_true(names == COROUTINE + CONTEXT + TEXT);
	assert_true(fabs(f->bytes_per_object - 528) < 1);
	assert_true(fabs(f->evidence.bytes_per_tick - 11 * 528) < 0.05 * 11 * 528);
	assert_int_equal(kind_watch_blamed(m->kinds, TEXT), TASK);
	assert_true(fabs(kind_watch_growth(m->kinds, TASK).per_hour - 3600.0 * 11 * 192) <
		    0.01 * 3600 * 11 * 192);
	model_free(m);
}

/* It stops and is freed: the same name hears of it. */
static void test_leak_that_ends(void **state)
{
	struct heap_model *m = model_new(HEADROOM(13, 464));

	(void)state;
	make(m, TEXT, 1009);
	while (m->opened[TASK] == 0 && m->tick < 2700) {
		make(m, TASK, 13);
		make(m, TEXT, 13);
		make(m, COROUTINE, 13);
		census(m);
	}
	assert_int_equal(m->opened[TASK], 1);
	drop(m, TASK, ROOM);
	drop(m, COROUTINE, ROOM);
	for (int i = 0; i < 300; i++)
		census(m);
	assert_int_equal(m->last[TASK].evidence.state, TREND_RESOLVED);
	model_free(m);
}

/* That most of a kind die young, which no census sees, makes one that stays suspicious sooner. */
static void test_young_deaths(void **state)
{
	uint32_t told_at[2] = { 0 };

	(void)state;
	for (int knows = 0; knows < 2; knows++) {
		struct heap_model *m = model_new(HEADROOM(13, 480));

		while (m->tick < 2500 && m->opened[OTHER] == 0) {
			make(m, OTHER, 13);
			census(m);
			if (knows && m->tick == 300)
				assert_int_equal(kind_watch_died(m->kinds, OTHER, 5003, 1), 0);
		}
		told_at[knows] = m->opened[OTHER] ? m->tick : UINT32_MAX;
		assert_int_equal(kind_watch_died(m->kinds, 99, 1, 1), -ENOENT);
		model_free(m);
	}
	assert_true(told_at[1] < told_at[0]);
}

/* Nothing of these is one, whatever it looked like for a while. */
static void test_look_alikes(void **state)
{
	static const char *const names[] = { "LRU", "warm-up", "pool", "steps" };

	(void)state;
	for (int which = 0; which < 4; which++) {
		struct heap_model *m = model_new(40 * MIB);
		double wanted = 0;

		base_load(m);
		while (m->tick < 1000) {
			uint32_t t = m->tick;

			work_a_tick(m);
			switch (which) {
			case 0: /* full after 60 ticks, then each new entry drops one */
				make(m, OTHER, 503);
				if (m->piles[OTHER].n > 30011)
					drop(m, OTHER, m->piles[OTHER].n - 30011);
				break;
			case 1:
				wanted = 30011 * (1 - exp(-(double)t / 47));
				if (wanted > (double)m->piles[OTHER].n)
					make(m, OTHER, (size_t)wanted - m->piles[OTHER].n);
				break;
			case 2:
				wanted = 5003 + 4001 * sin(t / 17.0);
				churn(m, OTHER, 307);
				if (wanted > (double)m->piles[OTHER].n)
					make(m, OTHER, (size_t)wanted - m->piles[OTHER].n);
				else
					drop(m, OTHER, m->piles[OTHER].n - (size_t)wanted);
				break;
			default:
				if (t % 331 == 7)
					make(m, OTHER, 5003);
			}
			census(m);
		}
		for (int i = TASK; i < KINDS_END; i++)
			if (m->opened[i])
				fail_msg("%s: an alert for kind %d", names[which], i);
		model_free(m);
	}
}

/* Two leaks at the same pace are two, once it is known who holds what. */
static void test_apart(void **state)
{
	struct heap_model *m = model_new(HEADROOM(13, 672));

	(void)state;
	while (m->tick < 2350) {
		make(m, TASK, 13);
		make(m, OTHER, 13);
		census(m);
		if (m->tick == 700) {
			assert_int_equal(m->last[TASK].n_companions, 1);
			assert_int_equal(m->worst[OTHER], TREND_QUIET);
			kind_watch_set_apart(m->kinds, OTHER);
		}
	}
	assert_int_equal(m->worst[TASK], TREND_SUSPECT);
	assert_int_equal(m->worst[OTHER], TREND_SUSPECT);
	assert_int_equal(m->last[TASK].n_companions, 0);
	assert_true(fabs(m->last[TASK].bytes_per_object - 192) < 1);
	assert_true(fabs(m->last[OTHER].bytes_per_object - 480) < 1);
	model_free(m);
}

/* Of more objects than are followed, the sample says how many there are and what was born. */
static void test_sampled_members(void **state)
{
	struct heap_model *m = model_new(200 * MIB);
	struct members members = { 0 };
	struct python_objects o;

	(void)state;
	make(m, OTHER, 100003);
	o = list_pile(&m->piles[OTHER], 0);
	assert_true(o.n <= KINDS_MEMBERS_MAX && o.n > KINDS_MEMBERS_MAX / 4);
	assert_int_equal(members_update(&members, &o, 0, 1, NULL), 0);
	assert_true(members.born == 0);
	free(o.list);
	for (uint32_t t = 2; t <= 31; t++) {
		churn(m, OTHER, 1009);
		make(m, OTHER, 2003);
		o = list_pile(&m->piles[OTHER], members.threshold);
		assert_int_equal(members_update(&members, &o, t - 1, t, NULL), 0);
		free(o.list);
	}
	/* 30 times 2003 that stay; what was freed and whose address was given again at once is not seen. */
	assert_true(fabs(members.born - members.died - 30 * 2003.0) < 0.04 * 160003);
	assert_true(members.threshold < UINT64_MAX / 4);
	members_done(&members);
	model_free(m);
}

/* Deaths by age, and births of tasks by their number although their list came late. */
static void test_ages_and_numbers(void **state)
{
	struct python_object list[50];
	struct python_objects o = { .list = list, .threshold = UINT64_MAX };
	struct members members = { 0 };
	struct task_clock clock = { .n = 0 };
	uint64_t oldest[4];

	(void)state;
	for (uint32_t t = 1; t <= 40; t++)
		task_clock_add(&clock, t, 10ull * t);
	/* Tasks 105, 205, 305: born in ticks 11, 21, 31. Task 3 is as old as the clock. */
	for (size_t i = 0; i < 3; i++)
		list[i] = (struct python_object){ 16 * (i + 1), 105 + 100 * i };
	list[3] = (struct python_object){ 4096, 3 };
	o.n = o.count = 4;
	assert_int_equal(members_update(&members, &o, 39, 40, &clock), 0);
	assert_int_equal(members.list[0].to, 11);
	assert_int_equal(members.list[2].to, 31);
	assert_int_equal(members.list[0].width, 1);
	assert_int_equal(members.list[3].width, 0);
	assert_int_equal(members_oldest(&members, oldest, 4), 3);
	assert_int_equal(oldest[0], 16);
	/* Another task at the same address: one died at 29.5 ticks, one was born. */
	list[0].identity = 401;
	assert_int_equal(members_update(&members, &o, 40, 41, NULL), 0);
	assert_true(members.died == 1 && members.born == 1);
	assert_true(members.freed[lifetime_bin(30.5)] == 1);
	o.n = o.count = 0;
	assert_int_equal(members_update(&members, &o, 41, 44, NULL), 0);
	assert_true(members.died == 5);
	assert_true(members.freed[lifetime_bin(3.5)] == 1);
	members_done(&members);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_leak_in_step),	 cmocka_unit_test(test_leak_that_ends),
		cmocka_unit_test(test_look_alikes),	 cmocka_unit_test(test_apart),
		cmocka_unit_test(test_young_deaths),	 cmocka_unit_test(test_sampled_members),
		cmocka_unit_test(test_ages_and_numbers),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
