// SPDX-License-Identifier: GPL-2.0-or-later
/* The detector on kinds of Python objects: made-up heaps, census by census. */
#include "kind_model.h"

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

/* The story: tasks, each with a coroutine, a context and a name, are kept for ever. */
static void test_leak_in_step(void **state)
{
	struct heap_model *m = model_new(HEADROOM(11, 528));
	const struct kind_finding *f = &m->last[TASK];
	double names = 0;

	(void)state;
	make(m, TEXT, 10007);
	make(m, OTHER, 2003);
	while (m->tick < 2150)
		leak_in_step(m);
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
