// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * How a target's calls are taken: modes and what happens to blocks between them, alarms, and the
 * meters that targets have, inherit and give back.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "controlled.h"

/* --- modes ----------------------------------------------------------------------------------------- */

static void counting_takes_nothing(void **state)
{
	struct target_meter m;
	struct watched w;
	struct sum sum;

	watch_with(&w, state, &only_counted);
	child_ask(&w.child, allocate_small, RANGE(0, 23));
	child_ask(&w.child, release, RANGE(0, 17));
	m = meter_now(&w, w.id);
	assert_int_equal(m.allocations, 23);
	assert_int_equal(m.bytes, 23 * SMALL);
	assert_int_equal(m.frees, 17);
	assert_int_equal(m.taken, 0);
	assert_int_equal(sum_of(&w, w.id).sites, 0);
	assert_int_equal(counters_of(&w).frees_of_unknown_blocks, 0);
	/* Then everything is taken; what was only counted is not known. */
	control_child(&w, exact);
	child_ask(&w.child, allocate_small, RANGE(100, 131));
	child_ask(&w.child, release, RANGE(100, 113));
	child_ask(&w.child, release, RANGE(17, 23));
	m = meter_now(&w, w.id);
	assert_int_equal(m.allocations, 23 + 31);
	assert_int_equal(m.frees, 17 + 13 + 6);
	assert_int_equal(m.taken, 31);
	assert_int_equal(m.timed, 2);
	sum = sum_of(&w, w.id);
	assert_sums(sum.totals.allocated, SMALL, 0, 31);
	assert_sums(sum.totals.freed, SMALL, 0, 13);
	assert_int_equal(counters_of(&w).frees_of_unknown_blocks, 6);
	assert_nothing_lost(&w);
	end_watch(&w, state);
}

/* Calls that are only counted still end blocks that were taken before. */
static void counting_ends_blocks(void **state)
{
	struct watched w;
	struct sum sum;

	watch_with(&w, state, &exact);
	child_ask(&w.child, allocate_small, RANGE(0, 41));
	control_child(&w, only_counted);
	child_ask(&w.child, release, RANGE(0, 11));
	assert_sums(sum_of(&w, w.id).totals.freed, SMALL, 0, 11);
	child_ask(&w.child, enlarge_too_much, RANGE(11, 41));
	assert_sums(sum_of(&w, w.id).totals.freed, SMALL, 0, 11);
	child_ask(&w.child, enlarge, RANGE(11, 30));
	assert_sums(sum_of(&w, w.id).totals.freed, SMALL, 0, 30);
	child_ask(&w.child, shrink_to_nothing, RANGE(30, 41));
	sum = sum_of(&w, w.id);
	assert_sums(sum.totals.allocated, SMALL, 0, 41);
	assert_same_sums(&sum.totals.allocated, &sum.totals.freed);
	assert_int_equal(meter_now(&w, w.id).taken, 41);
	assert_nothing_lost(&w);
	end_watch(&w, state);
}

static uint32_t missing(const struct taken *t, uint32_t from, uint32_t to)
{
	uint32_t n = 0;

	for (uint32_t i = from; i < to; i++)
		n += t->live[i].size == 0;
	return n;
}

/* Each block keeps the weight that it was taken with. */
static void weights_outlast_modes(void **state)
{
	const uint32_t extra = sampling_extra(SMALL, INTERVAL);
	_cleanup_free_ struct taken *t = NULL;
	struct watched w;
	uint32_t chosen;
	struct sum sum;

	watch_with(&w, state, &exact);
	child_ask(&w.child, allocate_small, RANGE(0, 100));
	control_child(&w, sampled);
	child_ask(&w.child, release, RANGE(0, 50));
	child_ask(&w.child, allocate_small, RANGE(100, 4000));
	sum = sum_of(&w, w.id);
	assert_int_equal(sum.totals.freed.count, 50);
	chosen = sum.totals.allocated.count - 100;
	/* Of 3900, with 7.2 %: 282 +- 16. */
	assert_true(chosen > 200 && chosen < 360);
	assert_int_equal(sum.totals.allocated.extra_bytes, (uint64_t)chosen * extra);
	control_child(&w, exact);
	child_ask(&w.child, allocate_small, RANGE(4000, BLOCKS));
	t = look(&w);
	for (uint32_t i = 50; i < BLOCKS; i++)
		if (t->live[i].size)
			assert_int_equal(t->live[i].extra, i < 100 || i >= 4000 ? 0 : extra);
	assert_int_equal(t->n_live, 50 + chosen + 1);
	child_ask(&w.child, release, RANGE(50, 2000));
	control_child(&w, sampled);
	child_ask(&w.child, release, RANGE(2000, BLOCKS));
	sum = sum_of(&w, w.id);
	assert_int_equal(sum.totals.allocated.count, 100 + chosen + 1);
	assert_same_sums(&sum.totals.allocated, &sum.totals.freed);
	/* While sampling, nobody can say what a free of an unknown block was. */
	assert_int_equal(counters_of(&w).frees_of_unknown_blocks, missing(t, 100, 2000));
	assert_nothing_lost(&w);
	end_watch(&w, state);
}

/* --- alarms ---------------------------------------------------------------------------------------- */

struct heard {
	uint32_t alarms;
	uint32_t forks;
	uint32_t exits;
	struct note last_alarm;
	struct note last_fork;
};

static void hear(const struct note *note, void *userdata)
{
	struct heard *h = userdata;

	if (note->type == NOTE_ALARM) {
		h->alarms++;
		h->last_alarm = *note;
	} else if (note->type == NOTE_FORK) {
		h->forks++;
		h->last_fork = *note;
	} else if (note->type == NOTE_EXIT) {
		h->exits++;
	}
}

static uint32_t alarms_after(struct watched *w, struct heard *h, child_step_fn step, uint64_t range)
{
	child_ask(&w->child, step, range);
	assert_true(probe_read_notes(w->probe) >= 0);
	return h->alarms;
}

static void check_alarms(void **state, const struct target_control *control)
{
	struct target_control c = *control;
	struct heard h = { 0 };
	struct watched w;

	c.alarm_hits = 101;
	watch_with(&w, state, &c);
	assert_int_equal(probe_listen(w.probe, hear, &h), 0);
	assert_int_equal(alarms_after(&w, &h, allocate_small, RANGE(0, 60)), 0);
	assert_int_equal(alarms_after(&w, &h, release, RANGE(0, 40)), 0);
	assert_int_equal(alarms_after(&w, &h, allocate_small, RANGE(60, 61)), 1);
	assert_int_equal(h.last_alarm.target, w.id);
	assert_int_equal(h.last_alarm.other, 101);
	assert_int_equal(alarms_after(&w, &h, allocate_small, RANGE(61, 161)), 1);
	assert_int_equal(alarms_after(&w, &h, release, RANGE(40, 41)), 2);
	assert_int_equal(alarms_after(&w, &h, allocate_small, RANGE(161, 666)), 7);
	c.alarm_hits = 0;
	control_child(&w, c);
	assert_int_equal(alarms_after(&w, &h, allocate_small, RANGE(666, 1666)), 7);
	assert_int_equal(probe_listen(w.probe, NULL, NULL), 0);
	assert_nothing_lost(&w);
	end_watch(&w, state);
}

static void alarms_come_in_every_mode(void **state)
{
	check_alarms(state, &exact);
	check_alarms(state, &sampled);
	check_alarms(state, &only_counted);
}

/* --- meters ---------------------------------------------------------------------------------------- */

/* A child's child does some work each time that it is told to. */
#define WORK 'w'
#define END  'e'

struct gate {
	int orders[2];
	int answers[2];
};

static struct gate gate;

static void fork_one(uint64_t unused)
{
	char order;

	(void)unused;
	if (fork() != 0)
		return;
	close(gate.orders[1]);
	while (read(gate.orders[0], &order, 1) == 1 && order == WORK) {
		allocate_small(RANGE(0, 29));
		release(RANGE(0, 19));
		(void)!write(gate.answers[1], "a", 1);
	}
	_exit(0);
}

static void reap(uint64_t unused)
{
	(void)unused;
	while (wait(NULL) > 0)
		continue;
}

static void open_gate(void)
{
	assert_int_equal(pipe2(gate.orders, O_CLOEXEC), 0);
	assert_int_equal(pipe2(gate.answers, O_CLOEXEC), 0);
}

static void close_gate(void)
{
	for (int i = 0; i < 2; i++) {
		close(gate.orders[i]);
		close(gate.answers[i]);
	}
}

static void work(void)
{
	struct pollfd p = { .fd = gate.answers[0], .events = POLLIN };
	char order = WORK;

	assert_int_equal(write(gate.orders[1], &order, 1), 1);
	assert_int_equal(poll(&p, 1, DEADLINE_MS), 1);
	assert_int_equal(read(gate.answers[0], &order, 1), 1);
}

static void end_work(struct watched *w)
{
	const char order = END;

	assert_int_equal(write(gate.orders[1], &order, 1), 1);
	child_ask(&w->child, reap, 0);
}

static void assert_unused(struct watched *w, uint32_t id)
{
	const struct target_meter none = { 0 };
	struct target_meter m = meter_now(w, id);

	assert_memory_equal(&m, &none, sizeof(m));
}

static void children_inherit_controls(void **state)
{
	struct target_control c = sampled, control;
	_cleanup_(probe_links_freep) struct probe_links *links = NULL;
	struct heard h = { 0 };
	struct target_meter m;
	struct watched w;

	c.alarm_hits = 7919;
	c.epoch = 5;
	open_gate();
	watch_with(&w, state, &c);
	child_ask(&w.child, allocate_small, RANGE(0, 7));
	assert_true(probe_read_notes(w.probe) >= 0);
	assert_int_equal(probe_listen(w.probe, hear, &h), 0);
	child_ask(&w.child, fork_one, 0);
	assert_true(probe_read_notes(w.probe) >= 0);
	assert_int_equal(h.forks, 1);
	assert_int_equal(h.last_fork.other, w.id);
	assert_int_equal(probe_get_control(w.probe, w.id, &c), 0);
	assert_int_equal(probe_get_control(w.probe, h.last_fork.target, &control), 0);
	assert_memory_equal(&control, &c, sizeof(c));
	assert_unused(&w, h.last_fork.target);
	links = set_probes(&w, 0, h.last_fork.tgid, ARRAY_SIZE(functions));
	work();
	m = meter_now(&w, h.last_fork.target);
	assert_int_equal(m.allocations, 29);
	assert_int_equal(m.bytes, 29 * SMALL);
	assert_int_equal(m.frees, 19);
	/* From now on each goes its own way. */
	assert_int_equal(probe_set_control(w.probe, h.last_fork.target, &exact), 0);
	work();
	assert_int_equal(meter_now(&w, h.last_fork.target).taken, m.taken + 29);
	assert_int_equal(meter_now(&w, w.id).allocations, 7);
	assert_int_equal(meter_now(&w, w.id).frees, 0);
	assert_int_equal(probe_get_control(w.probe, w.id, &control), 0);
	assert_memory_equal(&control, &c, sizeof(c));
	end_work(&w);
	assert_true(probe_read_notes(w.probe) >= 0);
	assert_int_equal(h.exits, 1);
	assert_int_equal(probe_listen(w.probe, NULL, NULL), 0);
	forget_target(w.probe, h.last_fork.target);
	end_watch(&w, state);
	close_gate();
}

#define MAX_TARGETS 5u
#define METERS	    (2 * MAX_TARGETS + 1)

/* As many as there are, and then an error. */
static void take_meters(struct probe *probe, uint32_t n, uint32_t *ids)
{
	uint32_t id;

	for (uint32_t i = 0; i < n; i++)
		assert_int_equal(probe_new_target(probe, &ids[i]), 0);
	assert_int_equal(probe_new_target(probe, &id), -ENOSPC);
}

static uint32_t meter_index(struct probe *probe, uint32_t id)
{
	struct target_counters c;

	assert_int_equal(probe_read_counters(probe, id, &c), 0);
	return c.meter;
}

static void check_fork_without_room(struct watched *w)
{
	child_ask(&w->child, fork_one, 0);
	work();
	end_work(w);
	assert_int_equal(counters_of(w).lost[LOSS_TARGETS_FULL], 1);
}

/* The only meter that is left serves one child after the other. */
static void check_forks(struct watched *w, uint32_t meter)
{
	struct heard h = { 0 };

	assert_int_equal(probe_listen(w->probe, hear, &h), 0);
	for (uint32_t i = 1; i <= 3; i++) {
		_cleanup_(probe_links_freep) struct probe_links *links = NULL;

		child_ask(&w->child, fork_one, 0);
		assert_true(probe_read_notes(w->probe) >= 0);
		assert_int_equal(h.forks, i);
		assert_int_equal(meter_index(w->probe, h.last_fork.target), meter);
		assert_unused(w, h.last_fork.target);
		links = set_probes(w, h.last_fork.target, h.last_fork.tgid, ARRAY_SIZE(functions));
		work();
		assert_int_equal(meter_now(w, h.last_fork.target).allocations, 29);
		end_work(w);
		forget_target(w->probe, h.last_fork.target);
	}
	assert_int_equal(counters_of(w).lost[LOSS_TARGETS_FULL], 1);
}

static void meters_are_used_again(void **state)
{
	_cleanup_(probe_freep) struct probe *probe = NULL;
	struct probe_options options = defaults;
	struct target_control control, none = { 0 };
	uint32_t ids[METERS], meter;
	bool found = false;
	struct watched w;

	options.max_targets = MAX_TARGETS;
	options.force_links = probe_links_name(probe_get_features(begin(state)->probe)->links);
	probe = open_probe(&options);
	open_gate();
	watch_child(&w, probe, TARGET_FOLLOW, do_nothing, ARRAY_SIZE(functions));
	control_child(&w, only_counted);
	child_ask(&w.child, allocate_small, RANGE(0, 31));
	take_meters(probe, METERS - 1, ids);
	check_fork_without_room(&w);
	meter = meter_index(probe, ids[0]);
	forget_target(probe, ids[0]);
	check_forks(&w, meter);
	assert_int_equal(meter_now(&w, w.id).allocations, 31);
	meter = meter_index(probe, w.id);
	forget_child(&w);
	assert_int_equal(probe_read_meter(probe, w.id, &(struct target_meter){ 0 }), -ENOENT);
	assert_int_equal(probe_set_control(probe, w.id, &none), -ENOENT);
	take_meters(probe, 2, ids);
	for (uint32_t i = 0; i < 2; i++) {
		found = found || meter_index(probe, ids[i]) == meter;
		assert_int_equal(probe_get_control(probe, ids[i], &control), 0);
		assert_memory_equal(&control, &none, sizeof(control));
		w.id = ids[i];
		assert_unused(&w, w.id);
	}
	assert_true(found);
	close_gate();
	end(state);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(counting_takes_nothing),
		cmocka_unit_test(counting_ends_blocks),
		cmocka_unit_test(weights_outlast_modes),
		cmocka_unit_test(alarms_come_in_every_mode),
		cmocka_unit_test(children_inherit_controls),
		cmocka_unit_test(meters_are_used_again),
	};
	return run_with_best(tests);
}
