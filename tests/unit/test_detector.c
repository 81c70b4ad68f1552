// SPDX-License-Identifier: GPL-2.0-or-later
/* From sites and blocks to findings: which key is blamed, and what lives teach one another. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "detect/detector.h"
#include "trend/lifetimes.h"

#define TICK_NS	  60000000000ull
#define ORIGIN_NS (7 * TICK_NS + 11)
#define BASE	  (50.0 * (1 << 20))
#define LIMIT	  (1050.0 * (1 << 20))
#define SITES_MAX 211
#define PROFILES  499

/*
 * A site that makes blocks of one size at a constant pace. So many of each batch live for ever, the
 * others for so many ticks.
 */
struct source {
	struct site site;
	uint64_t frames[6];
	unsigned period; /* a batch each so many ticks */
	unsigned births; /* blocks in a batch */
	unsigned leaked; /* of these */
	unsigned lifetime;
	unsigned until; /* tick of the last birth; 0: goes on */
};

struct remembered {
	struct detector_ids ids;
	struct trend_profile profile;
};

struct process {
	struct source sources[SITES_MAX];
	struct site *list[SITES_MAX];
	size_t n;
	uint32_t now;
	struct trend_options trend;
	struct detector *detector;
	struct remembered profiles[PROFILES];
	size_t n_profiles;
	uint64_t lost_frees;
	double bytes_factor;
};

static bool identify(void *userdata, enum detector_scope scope, const struct site *s,
		     struct detector_ids *ret)
{
	(void)userdata;
	ret->leak_id = scope == DETECTOR_PROCESS ? 1 : s->stack + (uint64_t)scope * 1000003;
	ret->site_id = ret->leak_id;
	return true;
}

static bool recall(void *userdata, const struct detector_ids *ids, struct trend_profile *ret)
{
	const struct process *p = userdata;

	for (size_t i = 0; i < p->n_profiles; i++) {
		if (p->profiles[i].ids.leak_id != ids->leak_id)
			continue;
		*ret = p->profiles[i].profile;
		return true;
	}
	return false;
}

static void save(void *userdata, const struct detector_ids *ids,
		 const struct trend_profile *profile)
{
	struct process *p = userdata;
	size_t i = 0;

	while (i < p->n_profiles && p->profiles[i].ids.leak_id != ids->leak_id)
		i++;
	assert_true(i < PROFILES);
	p->profiles[i] = (struct remembered){ .ids = *ids, .profile = *profile };
	if (i == p->n_profiles)
		p->n_profiles++;
}

static struct source *add_source(struct process *p, uint64_t leaf, uint64_t root)
{
	struct source *s = &p->sources[p->n];

	assert_true(p->n < SITES_MAX);
	*s = (struct source){ .births = 1, .period = 1, .lifetime = 7 };
	/* Three shared at the leaf, then what tells stacks apart. */
	for (unsigned i = 0; i < 3; i++)
		s->frames[i] = leaf * 100 + i;
	for (unsigned i = 3; i < 6; i++)
		s->frames[i] = root * 100 + i;
	s->site.stack = leaf * 100003 + root;
	s->site.target = 1;
	s->site.frames = s->frames;
	s->site.n_frames = 6;
	p->list[p->n++] = &s->site;
	return s;
}

static void leak_slowly(struct source *s, unsigned period)
{
	s->period = period;
	s->births = 3;
	s->leaked = 1;
}

static void begin_life(struct process *p)
{
	const struct detector_options options = {
		.trend = &p->trend,
		.tick_ns = TICK_NS,
		.origin_ns = ORIGIN_NS,
		.env = { .identify = identify, .recall = recall, .userdata = p },
	};

	p->now = 0;
	for (size_t i = 0; i < p->n; i++) {
		p->sources[i].site.seen = (struct site_seen){ 0 };
		p->sources[i].site.totals = (struct totals){ 0 };
		p->sources[i].site.first_seen_ns = ORIGIN_NS;
	}
	p->detector = detector_new(&options);
	assert_non_null(p->detector);
}

static unsigned births_at(const struct source *s, uint32_t tick)
{
	if (s->until && tick > s->until)
		return 0;
	return tick % s->period == 0 ? s->births : 0;
}

#define BLOCK_BYTES 10007

/* The tick that ends at p->now. */
static void live_on(struct process *p, struct source *s)
{
	unsigned born = births_at(s, p->now), died = 0;

	if (p->now > s->lifetime)
		died = births_at(s, p->now - s->lifetime);
	died -= died ? s->leaked : 0;
	s->site.seen.allocated += born;
	s->site.seen.freed += died;
	s->site.seen.freed_by_age[lifetime_bin(s->lifetime)] += died;
	s->site.totals.allocated_count += born;
	s->site.totals.allocated_bytes += (uint64_t)born * BLOCK_BYTES;
	s->site.totals.freed_count += died;
	s->site.totals.freed_bytes += (uint64_t)died * BLOCK_BYTES;
}

static double live_bytes(const struct process *p)
{
	double sum = 0;

	for (size_t i = 0; i < p->n; i++)
		sum += (double)totals_live_bytes(&p->sources[i].site.totals);
	return sum;
}

static void scan(struct process *p)
{
	detector_scan_begin(p->detector);
	assert_true(detector_is_scanning(p->detector));
	for (size_t i = 0; i < p->n; i++) {
		const struct source *s = &p->sources[i];

		for (uint32_t tick = 1; tick <= p->now; tick++) {
			unsigned born = births_at(s, tick);
			bool is_old = tick + s->lifetime <= p->now;

			for (unsigned k = born && is_old ? s->leaked : born; k > 0; k--)
				detector_scan_block(p->detector, &s->site,
						    ORIGIN_NS + (tick - 1) * TICK_NS + TICK_NS / 2,
						    BLOCK_BYTES);
		}
	}
}

/* One more tick; true if there was an evaluation. */
static bool step(struct process *p)
{
	struct detector_process in = { .limit_bytes = LIMIT, .bytes_factor = p->bytes_factor };
	int r;

	p->now++;
	for (size_t i = 0; i < p->n; i++)
		live_on(p, &p->sources[i]);
	in.usage_bytes = BASE + live_bytes(p);
	in.lost_frees = p->lost_frees;
	r = detector_tick(p->detector, ORIGIN_NS + p->now * TICK_NS, &in, p->list, p->n);
	assert_true(r >= 0);
	if (r == 0)
		return false;
	scan(p);
	assert_int_equal(detector_evaluate(p->detector, p->list, p->n), 0);
	return true;
}

/* Until an alert opens: its tick, 0: none up to @last. */
static uint32_t run_to_alert(struct process *p, uint32_t last)
{
	const struct detector_finding *f;

	while (p->now < last && live_bytes(p) + BASE < LIMIT) {
		if (!step(p))
			continue;
		for (size_t i = 0, n = detector_findings(p->detector, &f); i < n; i++)
			if (f[i].evidence->state == TREND_LEAKING)
				return p->now;
	}
	return 0;
}

static int set_up(void **state)
{
	struct process *p = calloc(1, sizeof(*p));

	if (!p)
		return -1;
	trend_options_init(&p->trend);
	p->bytes_factor = 1;
	*state = p;
	return 0;
}

static int tear_down(void **state)
{
	struct process *p = *state;

	detector_free(p->detector);
	free(p);
	return 0;
}

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
