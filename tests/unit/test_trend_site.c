// SPDX-License-Identifier: GPL-2.0-or-later
/* trend/site.c: whole lives, packed state, hostile bytes. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "trend/site.h"

#define LIMIT	   1e9
#define USED	   1e8
#define MOST_TICKS 6000

/* A simulated process with one site: births of 1000 bytes, of which a part never dies. */
struct fixture {
	struct trend_process *process;
	struct trend_site *site;
	struct trend_profile profile;
	bool has_profile;
	struct trend_options options;
	uint32_t live[MOST_TICKS];
	uint64_t freed[LIFETIME_BINS];
	uint64_t allocations, frees, lost, live_blocks;
	double block_bytes;
	uint32_t grain; /* blocks that each one below is cut into */
	uint32_t now;
	struct trend_evidence e;
};

static void begin(struct fixture *f)
{
	f->process = trend_process_new();
	f->site = trend_site_new(0);
	assert_non_null(f->process);
	assert_non_null(f->site);
	memset(f->live, 0, sizeof(f->live));
	memset(f->freed, 0, sizeof(f->freed));
	f->allocations = f->frees = f->lost = f->live_blocks = 0;
	f->now = 0;
}

static struct fixture *set_up(void)
{
	struct fixture *f = calloc(1, sizeof(*f));

	assert_non_null(f);
	trend_options_init(&f->options);
	f->block_bytes = 10000;
	f->grain = 1;
	begin(f);
	return f;
}

static void tear_down(struct fixture *f)
{
	trend_site_free(f->site);
	trend_process_free(f->process);
	free(f);
}

static void free_births(struct fixture *f, uint32_t birth, uint32_t n)
{
	f->live[birth] -= n;
	f->live_blocks -= n;
	f->frees += n;
	f->freed[lifetime_bin(f->now - birth)] += n;
}

/* Ten births, of which all but "leaks" are freed 20 ticks later. */
static void step(struct fixture *f, uint32_t leaks)
{
	uint32_t born = 10 * f->grain;

	f->live[f->now] = born;
	f->live_blocks += born;
	f->allocations += born;
	if (f->now >= 20)
		free_births(f, f->now - 20, f->live[f->now - 20] - leaks * f->grain);
	f->now++;
}

static enum trend_event observe(struct fixture *f)
{
	double bytes = f->block_bytes * (double)f->live_blocks;
	struct trend_process_input in = {
		.allocations = 3 * f->allocations,
		.frees = f->frees,
		.lost_frees = f->lost,
		.usage_bytes = USED + bytes,
		.limit_bytes = LIMIT,
	};
	struct trend_site_input site = { f->allocations, f->live_blocks, bytes };

	assert_int_equal(trend_process_tick(f->process, f->now, &in), 0);
	assert_int_equal(trend_site_tick(f->site, f->process, &site), 0);
	if (!trend_process_evaluation_due(f->process, &f->options))
		return TREND_NOTHING;
	trend_process_evaluate(f->process);
	trend_site_scan_begin(f->site, f->process);
	for (uint32_t t = 0; t < f->now; t++)
		if (f->live[t] > 0)
			trend_site_scan_add(f->site, f->process, t, f->live[t],
					    f->block_bytes * f->live[t]);
	return trend_site_evaluate(f->site, f->process, &f->options,
				   f->has_profile ? &f->profile : NULL, f->freed, &f->e);
}

/* Runs until an event; returns it, or NOTHING at the tick "until". */
static enum trend_event run(struct fixture *f, uint32_t leaks, uint32_t until)
{
	while (f->now < until) {
		enum trend_event event;

		step(f, leaks);
		event = observe(f);
		if (event != TREND_NOTHING)
			return event;
	}
	return TREND_NOTHING;
}

static void end(struct fixture *f, enum trend_end how)
{
	trend_site_end(f->site, f->process, &f->options, how, &f->profile);
	f->has_profile = true;
	assert_int_equal(trend_site_state(f->site), TREND_CLOSED);
	f->site = trend_site_free(f->site);
	f->process = trend_process_free(f->process);
	begin(f);
}

/* One block of ten leaks: 10 kB per tick of 900 MB, which would take 90000 ticks; 20 of them 4500. */
static void test_leak(void **state)
{
	struct fixture *f = set_up();

	(void)state;
	f->block_bytes = 200000;
	assert_int_equal(run(f, 1, 4000), TREND_SUSPECTED);
	assert_int_equal(run(f, 1, 4000), TREND_OPENED);
	assert_int_equal(f->e.state, TREND_LEAKING);
	assert_int_equal(f->e.channel, TREND_BY_COHORTS);
	/* 0.35 of the time to the limit, which gets shorter meanwhile: 0.35 / 1.35 of 4500 ticks. */
	assert_true(f->now > 1000 && f->now < 1400);
	assert_true(fabs(f->e.bytes_per_tick - 200000) < 2000);
	assert_true(f->e.presence.share == 1);
	assert_true(fabs(f->e.window_rate.best - 1) < 0.1);
	/* All die at 20 ticks: the bin from 19.03 to 22.63. */
	assert_true(f->e.longest_lifetime == 23);
	assert_true(f->e.freed_beyond == 0);
	assert_true(f->e.confidence > 0.9);
	assert_true(f->e.since < 200);
	/* The forecast: what is left at this rate. */
	assert_true(fabs(f->e.ticks_to_limit / (f->e.headroom_bytes / 200000) - 1) < 0.1);
	assert_true(f->e.ticks_to_limit_low <= f->e.ticks_to_limit &&
		    f->e.ticks_to_limit <= f->e.ticks_to_limit_high);
	assert_true(fabs(f->e.leaked_blocks - (f->e.until - f->e.since)) < 5);
	tear_down(f);
}

/* A soft limit can be passed: the leak that has done so is no less severe than a moment before. */
static void test_leak_beyond_the_limit(void **state)
{
	struct fixture *f = set_up();

	(void)state;
	f->block_bytes = 200000;
	while (f->now < 5500)
		(void)run(f, 1, 5500);
	assert_int_equal(f->e.state, TREND_LEAKING);
	assert_true(f->e.headroom_bytes == 0);
	assert_true(f->e.ticks_to_limit == 0);
	assert_int_equal(f->e.severity, TREND_CRITICAL);
	tear_down(f);
}

/* The tick and the confidence of the alert of a leak whose blocks are cut so finely. */
static uint32_t alert_at(uint32_t leaks, double bytes, uint32_t grain, double *ret_confidence)
{
	struct fixture *f = set_up();
	uint32_t at;

	f->block_bytes = bytes / grain;
	f->grain = grain;
	assert_int_equal(run(f, leaks, MOST_TICKS), TREND_SUSPECTED);
	assert_int_equal(run(f, leaks, MOST_TICKS), TREND_OPENED);
	at = f->now;
	*ret_confidence = f->e.confidence;
	tear_down(f);
	return at;
}

static void test_blocks_may_be_cut_finely(void **state)
{
	double coarse, fine;

	(void)state;
	/* One of ten stays. */
	assert_int_equal(alert_at(1, 200000, 1, &coarse), alert_at(1, 200000, 1000, &fine));
	assert_true(fabs(coarse - fine) < 1e-6);
	/* All stay. */
	assert_int_equal(alert_at(10, 15000, 1, &coarse), alert_at(10, 15000, 1000, &fine));
	assert_true(fabs(coarse - fine) < 1e-6);
}

/*
 * A site that keeps all it makes may be a cache that fills. The longer it goes on, the surer: 900 MB
 * at 150 kB per tick are 6000 ticks, and the alert comes within two thirds of them.
 */
static void test_growth_gets_surer(void **state)
{
	struct fixture *f = set_up();
	double before = 0;

	(void)state;
	f->block_bytes = 15000;
	assert_int_equal(run(f, 10, 3000), TREND_SUSPECTED);
	assert_true(f->e.longest_lifetime == 1);
	while (f->e.state == TREND_SUSPECT && f->now < 5000) {
		assert_true(f->e.confidence > before - 0.02);
		before = f->e.confidence;
		(void)run(f, 10, f->now + 60);
	}
	assert_int_equal(f->e.state, TREND_LEAKING);
	assert_true(f->now > 2000 && f->now < 4000);
	tear_down(f);
}

static void test_leak_stops_and_is_freed(void **state)
{
	struct fixture *f = set_up();

	(void)state;
	f->block_bytes = 200000;
	assert_int_equal(run(f, 1, 4000), TREND_SUSPECTED);
	assert_int_equal(run(f, 1, 4000), TREND_OPENED);
	assert_int_equal(run(f, 0, 5900), TREND_HAS_STOPPED);
	tear_down(f);

	f = set_up();
	f->block_bytes = 200000;
	assert_int_equal(run(f, 1, 4000), TREND_SUSPECTED);
	assert_int_equal(run(f, 1, 4000), TREND_OPENED);
	for (uint32_t t = 0; t + 100 < f->now; t++)
		free_births(f, t, f->live[t]);
	assert_int_equal(run(f, 1, 5000), TREND_HAS_RESOLVED);
	tear_down(f);
}

static void test_churn_is_quiet(void **state)
{
	struct fixture *f = set_up();

	(void)state;
	f->block_bytes = 2e6; /* 400 MB live */
	assert_int_equal(run(f, 0, MOST_TICKS), TREND_NOTHING);
	assert_int_equal(f->e.state, TREND_QUIET);
	assert_true(f->e.longest_lifetime == 23);
	tear_down(f);
}

/* Growth that slows down: births that stay come ever more rarely. */
static void test_warm_up_is_no_alert(void **state)
{
	struct fixture *f = set_up();
	enum trend_event event;

	(void)state;
	f->block_bytes = 400000;
	while (f->now < 5000) {
		uint32_t stay = (uint32_t)(1000 * (1 - exp(-(f->now + 1) / 300.0))) -
				(uint32_t)(1000 * (1 - exp(-f->now / 300.0)));

		f->live[f->now] = stay;
		f->live_blocks += stay;
		f->allocations += stay;
		f->now++;
		event = observe(f);
		assert_true(event != TREND_OPENED);
	}
	assert_int_equal(f->e.state, TREND_QUIET);
	tear_down(f);
}

/* As many survivors as frees may have been missed: a suspect, and the reason is given. */
static void test_losses_hold(void **state)
{
	struct fixture *f = set_up();

	(void)state;
	f->block_bytes = 200000;
	while (f->now < 3000) {
		step(f, 1);
		f->lost = f->frees /
			  20; /* 5 % of frees, 10 % survive: less than five times as many */
		assert_true(observe(f) != TREND_OPENED);
	}
	assert_int_equal(f->e.state, TREND_SUSPECT);
	assert_int_equal(f->e.hold, TREND_HELD_BY_LOSSES);
	assert_true(f->e.lost_share > 0.047 && f->e.lost_share < 0.05);
	tear_down(f);
}

/* The process lives on: what was growing is as new to the next watch, but lifetimes are known. */
static void test_an_end_of_the_watch_concludes_nothing(void **state)
{
	struct fixture *f = set_up();
	uint32_t first;
	float freed = 0;

	(void)state;
	f->block_bytes = 200000;
	assert_int_equal(run(f, 1, 4000), TREND_SUSPECTED);
	assert_int_equal(run(f, 1, 4000), TREND_OPENED);
	first = f->now;
	tear_down(f);
	f = set_up();
	f->block_bytes = 200000;
	while (f->now < first / 2) {
		step(f, 1);
		(void)observe(f);
	}
	end(f, TREND_UNWATCHED);
	assert_true(f->profile.carry == 0 && f->profile.observed == 0);
	assert_int_equal(f->profile.lives, 0);
	for (unsigned i = 0; i < LIFETIME_BINS; i++)
		freed += f->profile.lifetimes.freed[i];
	assert_true(freed > 0);
	assert_int_equal(run(f, 1, 4000), TREND_SUSPECTED);
	assert_int_equal(run(f, 1, 4000), TREND_OPENED);
	assert_true(f->now > 0.8 * first);
	tear_down(f);
}

/* When frees are not seen at all nothing is told, by no test. */
static void test_blind_to_frees(void **state)
{
	struct fixture *f = set_up();

	(void)state;
	f->block_bytes = 200000;
	while (f->now < 3000) {
		step(f, 5);
		f->lost = f->allocations;
		assert_true(observe(f) != TREND_OPENED);
	}
	assert_int_equal(f->e.hold, TREND_HELD_BY_LOSSES);
	assert_true(f->e.lost_share > 0.5);
	tear_down(f);
}

static void test_later_lives(void **state)
{
	struct fixture *f = set_up();
	uint32_t first;

	(void)state;
	f->block_bytes = 200000;
	while (run(f, 1, 3500) != TREND_OPENED)
		;
	first = f->now;
	(void)run(f, 1, first + 100);
	end(f, TREND_EXHAUSTED);
	assert_int_equal(f->profile.lives, 1);
	assert_int_equal(f->profile.alerts, 1);
	assert_int_equal(f->profile.last_state, TREND_LEAKING);
	/* It looked like a leak, so it is carried on, and nothing of it is proven harmless. */
	assert_true(f->profile.carry > first && f->profile.carry == f->profile.observed);
	assert_true(f->profile.proven[4] == 0);
	assert_true(f->profile.lifetimes.freed[17] > 1000);
	/* The same leak is found at once, and is the alert of before. */
	for (;;) {
		enum trend_event event = run(f, 1, 1000);

		assert_true(event != TREND_NOTHING && event != TREND_OPENED);
		if (event == TREND_CONTINUED)
			break;
	}
	assert_true(f->now < first / 3);
	end(f, TREND_ENDED);
	/* A life without it clears the account. */
	assert_int_equal(run(f, 0, 1500), TREND_NOTHING);
	end(f, TREND_ENDED);
	assert_true(f->profile.carry == 0);
	assert_int_equal(f->profile.lives, 3);
	assert_true(f->profile.peak > 0);
	tear_down(f);
}

/* A daemon that restarts at any evaluation comes to the same verdict at the same time. */
static void test_restart_changes_nothing(void **state)
{
	struct fixture *a = set_up(), *b = set_up();
	uint8_t *site = malloc(trend_site_packed_size());
	uint8_t *process = malloc(trend_process_packed_size());

	(void)state;
	a->block_bytes = b->block_bytes = 200000;
	for (int i = 0; i < 2000; i++) {
		enum trend_event expected, event;

		step(a, 1);
		step(b, 1);
		if (i % 137 == 0) {
			trend_site_pack(b->site, site);
			trend_process_pack(b->process, process);
			b->site = trend_site_free(b->site);
			b->process = trend_process_free(b->process);
			assert_int_equal(
				trend_site_unpack(site, trend_site_packed_size(), &b->site), 0);
			assert_int_equal(trend_process_unpack(process, trend_process_packed_size(),
							      &b->process),
					 0);
		}
		expected = observe(a);
		event = observe(b);
		assert_int_equal(event, expected);
		assert_true(a->e.confidence == b->e.confidence);
		assert_true(a->e.bytes_per_tick == b->e.bytes_per_tick);
		assert_true(a->e.e_value == b->e.e_value);
	}
	assert_int_equal(a->e.state, TREND_LEAKING);
	free(site);
	free(process);
	tear_down(a);
	tear_down(b);
}

static void test_profile_pack(void **state)
{
	struct trend_profile p = { .observed = 1000,
				   .carry = 23,
				   .peak = 1e12,
				   .lives = 7,
				   .alerts = 3,
				   .last_state = TREND_STOPPED };
	struct trend_profile q = { .lives = 99 };
	uint8_t packed[TREND_PROFILE_PACKED + 1] = { 0 };

	(void)state;
	for (unsigned k = 0; k < LIFETIME_BINS; k++) {
		p.lifetimes.freed[k] = (float)(k * 3);
		p.lifetimes.censored[k] = (float)(k * 5 + 1);
	}
	for (unsigned k = 0; k < ENVELOPE_AGES; k++)
		p.proven[k] = (float)(1000 * k);
	trend_profile_pack(&p, packed);
	/* Damaged in any bit, too short or too long: refused, and nothing is written. */
	for (size_t i = 0; i < TREND_PROFILE_PACKED; i++) {
		packed[i] ^= (uint8_t)(1 << i % 8);
		assert_true(trend_profile_unpack(packed, TREND_PROFILE_PACKED, &q) < 0);
		packed[i] ^= (uint8_t)(1 << i % 8);
		assert_true(trend_profile_unpack(packed, i, &q) < 0);
	}
	assert_int_equal(trend_profile_unpack(packed, sizeof(packed), &q), -EINVAL);
	assert_int_equal(q.lives, 99);
	assert_int_equal(trend_profile_unpack(packed, TREND_PROFILE_PACKED, &q), 0);
	assert_int_equal(q.lives, 7);
	assert_int_equal(q.alerts, 3);
	assert_int_equal(q.last_state, TREND_STOPPED);
	assert_true(q.observed == 1000 && q.carry == 23 && q.peak == 1e12);
	assert_memory_equal(&q.lifetimes, &p.lifetimes, sizeof(p.lifetimes));
	assert_memory_equal(q.proven, p.proven, sizeof(p.proven));
	trend_profile_halve(&q);
	assert_true(q.observed == 500 && q.lifetimes.freed[10] == 15 && q.proven[1] == 1000);
}

/* Well-formed, but the numbers make no sense. */
static void test_profile_senseless(void **state)
{
	struct trend_profile bad[5] = { 0 }, q;
	uint8_t packed[TREND_PROFILE_PACKED];

	(void)state;
	bad[0].observed = NAN;
	bad[1].lifetimes.freed[60] = -1;
	bad[2].carry = 1;  /* more than was observed */
	bad[3].alerts = 1; /* more than lives */
	bad[4].last_state = TREND_CLOSED + 1;
	for (int i = 0; i < 5; i++) {
		trend_profile_pack(&bad[i], packed);
		assert_int_equal(trend_profile_unpack(packed, sizeof(packed), &q), -EINVAL);
	}
}

static void test_input_is_checked(void **state)
{
	struct fixture *f = set_up();
	struct trend_process_input in = { .usage_bytes = USED, .limit_bytes = LIMIT };
	struct trend_site_input site = { 1, 1, 100 };
	struct trend_options o = f->options;

	(void)state;
	assert_int_equal(trend_site_tick(f->site, f->process, &site), -EINVAL);
	assert_int_equal(trend_process_tick(f->process, 0, &in), -EINVAL);
	assert_int_equal(trend_process_tick(f->process, 5, &in), 0);
	assert_int_equal(trend_process_tick(f->process, 5, &in), -EINVAL);
	assert_int_equal(trend_process_tick(f->process, 4, &in), -EINVAL);
	in.limit_bytes = 0;
	assert_int_equal(trend_process_tick(f->process, 6, &in), -EINVAL);
	in.limit_bytes = INFINITY;
	assert_int_equal(trend_process_tick(f->process, 6, &in), -EINVAL);
	in.limit_bytes = LIMIT;
	in.usage_bytes = NAN;
	assert_int_equal(trend_process_tick(f->process, 6, &in), -EINVAL);
	site.live_bytes = -1;
	assert_int_equal(trend_site_tick(f->site, f->process, &site), -EINVAL);
	assert_int_equal(trend_options_check(&o), 0);
	o.presence = 1.1;
	assert_int_equal(trend_options_check(&o), -EINVAL);
	o.presence = NAN;
	assert_int_equal(trend_options_check(&o), -EINVAL);
	/* 0.05 % of the first headroom. */
	assert_true(fabs(trend_process_least_bytes(f->process) - 450000) < 1);
	assert_true(trend_process_lost_share(f->process) == 0);
	tear_down(f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_leak),
		cmocka_unit_test(test_leak_beyond_the_limit),
		cmocka_unit_test(test_blocks_may_be_cut_finely),
		cmocka_unit_test(test_growth_gets_surer),
		cmocka_unit_test(test_leak_stops_and_is_freed),
		cmocka_unit_test(test_churn_is_quiet),
		cmocka_unit_test(test_warm_up_is_no_alert),
		cmocka_unit_test(test_losses_hold),
		cmocka_unit_test(test_an_end_of_the_watch_concludes_nothing),
		cmocka_unit_test(test_blind_to_frees),
		cmocka_unit_test(test_later_lives),
		cmocka_unit_test(test_restart_changes_nothing),
		cmocka_unit_test(test_profile_pack),
		cmocka_unit_test(test_profile_senseless),
		cmocka_unit_test(test_input_is_checked),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
