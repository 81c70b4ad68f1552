// SPDX-License-Identifier: GPL-2.0-or-later
/* From sites and blocks to findings: which key is blamed, and what lives teach one another. */
#include "detector_process.h"

/* --- tests ------------------------------------------------------------------------------------------ */

static void a_leaking_stack_is_blamed_and_its_neighbour_is_not(void **state)
{
	struct process *p = *state;
	const struct detector_finding *f;
	struct source *leak, *churn;

	leak = add_source(p, 3, 5);
	leak->births = 29;
	leak->leaked = 17;
	churn = add_source(p, 3, 7);
	churn->births = 41;
	churn->lifetime = 13;
	begin_life(p);
	assert_int_not_equal(run_to_alert(p, 9000), 0);
	assert_int_equal(detector_findings(p->detector, &f), 1);
	assert_int_equal(f->scope, DETECTOR_STACK);
	assert_int_equal(f->event, TREND_OPENED);
	assert_int_equal(f->largest, leak->site.stack);
	assert_int_equal(f->n_stacks, 1);
	assert_int_equal(f->stacks[0], leak->site.stack);
	assert_true(fabs(f->evidence->bytes_per_tick - 17.0 * BLOCK_BYTES) <
		    0.05 * 17 * BLOCK_BYTES);
	assert_int_equal(detector_state_of(p->detector, leak->site.stack), TREND_LEAKING);
	assert_int_equal(detector_state_of(p->detector, churn->site.stack), TREND_QUIET);
}

static void what_is_spread_over_stacks_is_blamed_on_what_they_share(void **state)
{
	struct process *p = *state;
	const struct detector_finding *f;

	/* Each alone is far too small to be followed. */
	for (uint64_t i = 0; i < 199; i++)
		leak_slowly(add_source(p, 11, 1000 + i), 11 + (unsigned)i % 7);
	add_source(p, 13, 17)->lifetime = 29;
	begin_life(p);
	assert_int_not_equal(run_to_alert(p, 9000), 0);
	assert_int_equal(detector_findings(p->detector, &f), 1);
	assert_int_equal(f->scope, DETECTOR_FRAMES);
	assert_int_equal(f->largest / 100003, 11);
	assert_int_equal(f->n_stacks, 199);
	for (size_t i = 0; i < f->n_stacks; i++)
		assert_int_equal(f->stacks[i] / 100003, 11);
}

/* None of the stacks has ever been judged: it is told of what they share. */
static void a_suspicion_of_what_stacks_share_is_taken_back(void **state)
{
	struct process *p = *state;
	const struct detector_finding *f;

	for (uint64_t i = 0; i < 199; i++)
		leak_slowly(add_source(p, 11, 1000 + i), 11 + (unsigned)i % 7);
	add_source(p, 13, 17)->lifetime = 29;
	begin_life(p);
	while (p->now < 3000 && (!step(p) || !detector_findings(p->detector, &f)))
		;
	assert_int_equal(f->scope, DETECTOR_FRAMES);
	assert_int_equal(f->event, TREND_SUSPECTED);
	/* All of it is freed. */
	for (size_t i = 0; i < 199; i++) {
		struct source *s = &p->sources[i];

		s->leaked = 0;
		s->site.totals.freed_bytes = s->site.totals.allocated_bytes;
		s->site.totals.freed_count = s->site.totals.allocated_count;
		s->site.seen.freed = s->site.seen.allocated;
	}
	while (p->now < 3000 && f->event != TREND_CLEARED) {
		if (!step(p))
			continue;
		assert_int_equal(detector_findings(p->detector, &f), 1);
		assert_int_not_equal(f->evidence->state, TREND_LEAKING);
	}
	assert_int_equal(f->event, TREND_CLEARED);
	assert_int_equal(f->evidence->state, TREND_QUIET);
}

static void what_is_spread_over_everything_is_blamed_on_the_process(void **state)
{
	struct process *p = *state;
	const struct detector_finding *f;

	for (uint64_t i = 0; i < 199; i++)
		leak_slowly(add_source(p, 1000 + i, 1000 + i), 13);
	begin_life(p);
	assert_int_not_equal(run_to_alert(p, 9000), 0);
	assert_int_equal(detector_findings(p->detector, &f), 1);
	assert_int_equal(f->scope, DETECTOR_PROCESS);
}

/* Two places may have one name: who tells people needs to tell them apart. */
static void findings_keep_their_parts(void **state)
{
	struct process *p = *state;
	const struct detector_finding *f;
	uint64_t parts[2] = { 0 };
	struct source *s;

	for (uint64_t leaf = 3; leaf <= 5; leaf += 2) {
		s = add_source(p, leaf, 7);
		s->births = 29;
		s->leaked = 17;
	}
	begin_life(p);
	assert_int_not_equal(run_to_alert(p, 9000), 0);
	for (unsigned evaluations = 0; evaluations < 3; evaluations += step(p)) {
		assert_int_equal(detector_findings(p->detector, &f), 2);
		for (size_t i = 0; i < 2; i++) {
			size_t k = f[i].largest == p->sources[0].site.stack ? 0 : 1;

			parts[k] = parts[k] ?: f[i].part;
			assert_int_equal(f[i].part, parts[k]);
		}
	}
	assert_int_not_equal(parts[0], 0);
	assert_int_not_equal(parts[0], parts[1]);
}

/* Their sum grows steadily for long: that alone is nobody's leak. */
static void a_leak_beside_a_warm_up_is_not_the_process(void **state)
{
	struct process *p = *state;
	const struct detector_finding *f;
	struct source *leak, *warm;

	leak = add_source(p, 3, 5);
	leak->births = 29;
	leak->leaked = 11;
	warm = add_source(p, 7, 11);
	warm->births = warm->leaked = 13;
	warm->until = 2500;
	begin_life(p);
	while (p->now < 4000 && detector_state_of(p->detector, leak->site.stack) != TREND_LEAKING) {
		if (!step(p))
			continue;
		for (size_t i = 0, n = detector_findings(p->detector, &f); i < n; i++)
			assert_int_not_equal(f[i].scope, DETECTOR_PROCESS);
	}
	assert_int_equal(detector_state_of(p->detector, leak->site.stack), TREND_LEAKING);
	assert_int_not_equal(detector_state_of(p->detector, warm->site.stack), TREND_LEAKING);
}

static void churn_and_what_stops_growing_are_nobodys_alert(void **state)
{
	struct process *p = *state;
	struct source *warm;

	add_source(p, 3, 5)->lifetime = 3;
	p->sources[0].births = 997;
	warm = add_source(p, 7, 11);
	warm->births = 61;
	warm->leaked = 61;
	warm->until = 300;
	add_source(p, 13, 17)->lifetime = 600;
	p->sources[2].births = 29;
	begin_life(p);
	assert_int_equal(run_to_alert(p, 7001), 0);
}

static void a_later_life_is_judged_sooner(void **state)
{
	struct process *p = *state;
	uint32_t first, second;
	struct source *s;

	s = add_source(p, 3, 5);
	s->births = 29;
	s->leaked = 17;
	begin_life(p);
	first = run_to_alert(p, 9000);
	assert_int_not_equal(first, 0);
	detector_end(p->detector, TREND_ENDED, save, p);
	p->detector = detector_free(p->detector);
	/* The stack and the process; its frames are no other than the stack's. */
	assert_int_equal(p->n_profiles, 2);
	begin_life(p);
	second = run_to_alert(p, 9000);
	assert_int_not_equal(second, 0);
	assert_true(second < first / 3);
}

static void losses_hold_an_alert_back(void **state)
{
	struct process *p = *state;
	struct source *s = add_source(p, 3, 5);

	s->births = 29;
	s->leaked = 17;
	/* For all that is known most frees were missed. */
	p->lost_frees = 1u << 20;
	begin_life(p);
	assert_int_equal(run_to_alert(p, 9000), 0);
}

static void an_abandoned_walk_judges_nothing(void **state)
{
	struct process *p = *state;
	const struct detector_finding *f;
	uint32_t tick;

	add_source(p, 3, 5)->births = 29;
	p->sources[0].leaked = 17;
	begin_life(p);
	tick = run_to_alert(p, 9000);
	assert_int_not_equal(tick, 0);
	detector_scan_begin(p->detector);
	detector_scan_abandon(p->detector);
	assert_int_equal(detector_evaluate(p->detector, p->list, p->n), -EINVAL);
	/* Nothing of it is left in the next one. */
	while (!step(p))
		;
	assert_int_equal(detector_findings(p->detector, &f), 1);
	assert_int_equal(f->evidence->state, TREND_LEAKING);
}

/* The governor changes what it sees; what was lost does not become less by it. */
static void a_leak_is_not_resolved_by_another_mode(void **state)
{
	static const double factors[] = { 1, 0, 40, 3 };
	struct process *p = *state;
	const struct detector_finding *f;
	uint32_t from;

	add_source(p, 3, 5)->births = 29;
	p->sources[0].leaked = 7;
	begin_life(p);
	p->bytes_factor = 10;
	assert_int_not_equal(run_to_alert(p, 9000), 0);
	for (size_t k = 0; k < 4; k++) {
		p->bytes_factor = factors[k];
		for (from = p->now; p->now < from + 30;) {
			if (!step(p))
				continue;
			assert_int_equal(detector_findings(p->detector, &f), 1);
			assert_int_equal(f->evidence->state, TREND_LEAKING);
		}
	}
	assert_true(f->evidence->leaked_bytes > 7.0 * 10 * BLOCK_BYTES * 0.5 * f->evidence->until);
}

static void keys_that_find_no_room_are_counted(void **state)
{
	struct process *p = *state;
	struct detector_options options = {
		.trend = &p->trend,
		.tick_ns = TICK_NS,
		.origin_ns = ORIGIN_NS,
		.max_keys = 3,
	};

	for (uint64_t i = 0; i < 7; i++)
		add_source(p, 100 + i, 100 + i)->births = 97;
	begin_life(p);
	detector_free(p->detector);
	p->detector = detector_new(&options);
	for (unsigned evaluations = 0; evaluations < 2; evaluations += step(p))
		;
	/* Seven stacks and the process: each is counted once, however long it is left out. */
	assert_int_equal(detector_keys(p->detector), 3);
	assert_int_equal(detector_left_out(p->detector), 5);
}

static void bad_amounts_are_refused(void **state)
{
	struct process *p = *state;
	struct detector_process in = { .usage_bytes = 1, .limit_bytes = NAN, .bytes_factor = 1 };

	add_source(p, 3, 5);
	begin_life(p);
	assert_int_equal(detector_tick(p->detector, ORIGIN_NS + TICK_NS, &in, p->list, p->n),
			 -EINVAL);
	in.limit_bytes = LIMIT;
	assert_int_equal(detector_tick(p->detector, ORIGIN_NS + TICK_NS, &in, p->list, p->n), 0);
	/* The same moment again is no tick. */
	in.usage_bytes = NAN;
	assert_int_equal(detector_tick(p->detector, ORIGIN_NS + TICK_NS, &in, p->list, p->n), 0);
}

int main(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)
	const struct CMUnitTest tests[] = {
		TEST(a_leaking_stack_is_blamed_and_its_neighbour_is_not),
		TEST(what_is_spread_over_stacks_is_blamed_on_what_they_share),
		TEST(a_suspicion_of_what_stacks_share_is_taken_back),
		TEST(what_is_spread_over_everything_is_blamed_on_the_process),
		TEST(findings_keep_their_parts),
		TEST(a_leak_beside_a_warm_up_is_not_the_process),
		TEST(churn_and_what_stops_growing_are_nobodys_alert),
		TEST(a_later_life_is_judged_sooner),
		TEST(losses_hold_an_alert_back),
		TEST(an_abandoned_walk_judges_nothing),
		TEST(a_leak_is_not_resolved_by_another_mode),
		TEST(keys_that_find_no_room_are_counted),
		TEST(bad_amounts_are_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
