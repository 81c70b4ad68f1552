// SPDX-License-Identifier: GPL-2.0-or-later
/* The governor in a loop with simulated processes: budgets are kept, and not by doing nothing. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "base/cleanup.h"
#include "governor_process.h"

#define BEGIN (1000 * SECOND)

/* As measured on a machine with slow traps; a pair costs 940 ns, with its block 2190 ns. */
static const struct governor_prices prices = { .skip_ns = 460,
					       .return_ns = 250,
					       .block_ns = 1000,
					       .free_ns = 480,
					       .attach_ns = 2e6 };

static struct process make_process(void)
{
	return (struct process){
		.size_bytes = 100,
		.prices = prices,
		.removal_ns = 60 * MS,
		.attach_ns = 20 * MS,
		.react_ns = 3 * MS,
	};
}

/* Runs it alone, under the default limits. */
static void run(struct process *p, uint64_t length_ns)
{
	struct governor_limits limits = governor_default_limits(2);

	process_start(p, &limits, &prices, NULL, BEGIN, length_ns);
	process_until(p, NEVER);
}

static void assert_below(const char *what, double value, double limit)
{
	if (!(value <= limit))
		fail_msg("%s: %g is above %g", what, value, limit);
}

static double constant(uint64_t t_ns, void *userdata)
{
	(void)t_ns;
	return *(double *)userdata;
}

static void test_constant(void **state)
{
	static const struct {
		double pairs_per_second;
		enum governor_mode mode;
		double least_duty;
	} cases[] = {
		{ 10, GOVERNOR_EXACT, 0.999 },	   { 100, GOVERNOR_EXACT, 0.999 },
		{ 1e3, GOVERNOR_EXACT, 0.999 },	   { 7e3, GOVERNOR_EXACT, 0.999 },
		{ 1e4, GOVERNOR_SAMPLED, 0.999 },  { 1.6e4, GOVERNOR_SAMPLED, 0.999 },
		{ 2e4, GOVERNOR_WINDOWED, 0.5 },   { 1e5, GOVERNOR_WINDOWED, 0.1 },
		{ 1e6, GOVERNOR_WINDOWED, 0.015 }, { 1e7, GOVERNOR_NONE, 0 },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct process p = make_process();
		double rate = cases[i].pairs_per_second, cores = rate * 940e-9;
		struct governor_report r;

		p.pairs_per_second = constant;
		p.userdata = &rate;
		run(&p, 300 * SECOND);
		r = governor_report(&p.g, p.now_ns);
		if (r.mode != cases[i].mode || r.duty_ratio < cases[i].least_duty)
			fail_msg("%g: %s, duty %g", rate, governor_mode_name(r.mode), r.duty_ratio);
		assert_below("minute", process_worst_minute(&p), 0.02);
		/* Several cores at once cost what they cost until the probes are gone. */
		assert_below("second", process_worst_second(&p), fmax(0.15, cores * 0.08));
		/* It reports what was spent, up to the last measurement. */
		assert_below("report",
			     fabs(r.cost_ratio -
				  largest_sum(p.spent_ns, p.n, p.n - 60000, 60000) / MINUTE),
			     0.1 * r.cost_ratio + 1e-4);
		process_end(&p);
	}
}

/*
 * Pairs as fast as possible, 30 ns each on one core: what it loses in its worst minute is the budget
 * at most, and in a second not more than the burst.
 */
static void test_closed_loop(void **state)
{
	static const uint64_t removal_ms[] = { 0, 20, 60, 100 };

	(void)state;
	for (size_t i = 0; i < 2 * ARRAY_SIZE(removal_ms); i++) {
		struct governor_limits limits = governor_default_limits(2);
		struct process p = make_process();
		struct governor_report r;

		p.bare_ns = 30;
		p.removal_ns = removal_ms[i / 2] * MS;
		limits.watch_ratio = i % 2 ? 0.5 : 0;
		process_start(&p, &limits, &prices, NULL, BEGIN, 400 * SECOND);
		process_until(&p, NEVER);
		assert_below("loss", 1 - process_fewest_pairs(&p, 60000) * 30 / MINUTE, 0.02);
		assert_below("loss in a second", 1 - process_fewest_pairs(&p, 1000) * 30 / SECOND,
			     0.152);
		r = governor_report(&p.g, p.now_ns);
		assert_int_equal(r.mode, GOVERNOR_WINDOWED);
		assert_true(r.cost_ratio > 0.01);
		assert_true(p.windows > 30);
		process_end(&p);
	}
}

static double burst(uint64_t t_ns, void *userdata)
{
	return t_ns < *(uint64_t *)userdata ? 1e3 : 1e6;
}

static void test_burst(void **state)
{
	static const uint64_t removal_ms[] = { 0, 20, 60, 100 };

	(void)state;
	for (size_t i = 0; i < 4 * ARRAY_SIZE(removal_ms); i++) {
		uint64_t at = BEGIN + 100 * SECOND + i % 4 * 271 * MS;
		struct process p = make_process();

		p.pairs_per_second = burst;
		p.userdata = &at;
		p.cores = 1;
		p.removal_ns = removal_ms[i / 4] * MS;
		p.watch_from_ns = at;
		run(&p, 300 * SECOND);
		assert_true(p.gone_ns > at);
		assert_below("backed off after", (double)(p.gone_ns - at) / SECOND, 0.25);
		assert_below("second", process_worst_second(&p), 0.152);
		assert_below("minute", process_worst_minute(&p), 0.02);
		assert_int_equal(p.g.plan.mode, GOVERNOR_WINDOWED);
		process_end(&p);
	}
}

/* Eight threads: the burst cannot be paid for in one second, but is backed off all the same. */
static void test_burst_of_many_cores(void **state)
{
	struct process p = make_process();
	uint64_t at = BEGIN + 100 * SECOND;

	(void)state;
	p.pairs_per_second = burst;
	p.userdata = &at;
	p.cores = 8;
	p.watch_from_ns = at;
	run(&p, 300 * SECOND);
	assert_true(p.gone_ns > at);
	assert_below("backed off after", (double)(p.gone_ns - at) / SECOND, 0.25);
	assert_below("minute", process_worst_minute(&p), 0.02);
	process_end(&p);
}

static double falling(uint64_t t_ns, void *userdata)
{
	return t_ns < *(uint64_t *)userdata ? 1e6 : 100;
}

static void test_back_up(void **state)
{
	struct process p = make_process();
	uint64_t at = BEGIN + 100 * SECOND;

	(void)state;
	p.pairs_per_second = falling;
	p.userdata = &at;
	p.cores = 1;
	run(&p, 160 * SECOND);
	assert_int_equal(p.g.plan.mode, GOVERNOR_EXACT);
	process_end(&p);
}

struct wave {
	double low, high;
	double seconds;
	bool is_square;
	uint64_t seed;
	double now;
	uint64_t stepped_ns;
};

static double wave(uint64_t t_ns, void *userdata)
{
	const struct wave *w = userdata;
	double phase = fmod((double)t_ns / SECOND, w->seconds) / w->seconds;

	if (w->is_square)
		return phase < 0.5 ? w->low : w->high;
	return w->low + (w->high - w->low) * phase;
}

static uint64_t random_number(uint64_t *seed)
{
	*seed ^= *seed << 13;
	*seed ^= *seed >> 7;
	*seed ^= *seed << 17;
	return *seed;
}

/* A random walk of the logarithm. */
static double walk(uint64_t t_ns, void *userdata)
{
	struct wave *w = userdata;

	if (t_ns - w->stepped_ns < w->seconds * SECOND)
		return w->now;
	w->stepped_ns = t_ns;
	w->now *= exp2((double)(random_number(&w->seed) % 2001) / 1000 - 1);
	return w->now = fmin(fmax(w->now, w->low), w->high);
}

/*
 * A rate that jumps just after the last look can add to a second what the removal costs then, and
 * that debt to a minute; see governor.h.
 */
static void assert_kept_roughly(const struct process *p)
{
	assert_below("minute", process_worst_minute(p), 0.0205);
	assert_below("second", process_worst_second(p), 0.15 + 0.065);
}

static void test_waves(void **state)
{
	static const double periods[] = { 0.13, 0.9, 2.7, 11, 47 };
	static const double highs[] = { 2e4, 1e5, 1e6 };

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(periods) * ARRAY_SIZE(highs) * 2; i++) {
		struct wave w = { .low = 100,
				  .high = highs[i / 2 % ARRAY_SIZE(highs)],
				  .seconds = periods[i / 2 / ARRAY_SIZE(highs)],
				  .is_square = i % 2 };
		struct process p = make_process();

		p.pairs_per_second = wave;
		p.userdata = &w;
		p.cores = 1;
		run(&p, 200 * SECOND);
		assert_kept_roughly(&p);
		process_end(&p);
	}
}

static void test_random_walk(void **state)
{
	static const double sizes[] = { 16, 1000, 300e3 };
	bool seen[GOVERNOR_MODES] = { false };

	(void)state;
	for (uint64_t i = 0; i < 24; i++) {
		struct wave w = { .low = 10, .high = 2e6, .now = 1e3, .seed = 12345 + i * 7919 };
		struct process p = make_process();

		w.seconds = 0.1 * (double)(1 + i % 8);
		p.pairs_per_second = walk;
		p.userdata = &w;
		p.cores = 1;
		p.size_bytes = sizes[i % ARRAY_SIZE(sizes)];
		run(&p, 200 * SECOND);
		seen[p.g.plan.mode] = true;
		assert_kept_roughly(&p);
		process_end(&p);
	}
	assert_true(seen[GOVERNOR_EXACT] && seen[GOVERNOR_WINDOWED]);
}

/* Told prices are half or double the true ones, until they are measured after ten seconds. */
static void test_wrong_prices(void **state)
{
	static const double factors[] = { 0.5, 2 };
	static const double rates[] = { 3e3, 1e4, 1e5, 1e6 };

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(factors) * ARRAY_SIZE(rates); i++) {
		struct governor_limits limits = governor_default_limits(2);
		double rate = rates[i / 2], f = factors[i % 2];
		struct governor_prices told = { .skip_ns = f * prices.skip_ns,
						.return_ns = f * prices.return_ns,
						.block_ns = f * prices.block_ns,
						.free_ns = f * prices.free_ns,
						.attach_ns = f * prices.attach_ns };
		struct process p = make_process();

		p.pairs_per_second = constant;
		p.userdata = &rate;
		p.cores = 1;
		process_start(&p, &limits, &told, NULL, BEGIN, 300 * SECOND);
		process_until(&p, BEGIN + 10 * SECOND);
		governor_set_prices(&p.g, &prices);
		process_until(&p, NEVER);
		/* Ten seconds at twice the price, and the reserve at its half. */
		assert_below("first minute", process_worst_minute(&p), f < 1 ? 0.03 : 0.02);
		assert_below("later", largest_sum(p.spent_ns, p.n, 70000, 60000) / MINUTE, 0.02);
		assert_int_equal(p.g.plan.mode, rate < 5e3 ? GOVERNOR_EXACT :
						rate < 5e4 ? GOVERNOR_SAMPLED :
							     GOVERNOR_WINDOWED);
		process_end(&p);
	}
}

static struct governor_prices times(double factor)
{
	return (struct governor_prices){
		.skip_ns = factor * prices.skip_ns,
		.return_ns = factor * prices.return_ns,
		.block_ns = factor * prices.block_ns,
		.free_ns = factor * prices.free_ns,
		.attach_ns = factor * prices.attach_ns,
	};
}

/* The machine is busy from 100 s to 130 s: hits cost ten times as much. */
static double busy_factor(uint64_t t_ns)
{
	return t_ns >= BEGIN + 100 * SECOND && t_ns < BEGIN + 130 * SECOND ? 10 : 1;
}

/* Prices are measured every two seconds, and now and then a measurement is off by 20 times. */
static void test_dear_for_a_while(void **state)
{
	static const struct {
		double rate;
		enum governor_mode mode;
	} cases[] = {
		{ 1e3, GOVERNOR_EXACT },    { 5e3, GOVERNOR_EXACT },	{ 1e4, GOVERNOR_SAMPLED },
		{ 1e5, GOVERNOR_WINDOWED }, { 1e6, GOVERNOR_WINDOWED },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct governor_limits limits = governor_default_limits(2);
		double rate = cases[i].rate, believed = 1, last = 1, measured;
		struct process p = make_process();
		struct governor_prices told;

		p.pairs_per_second = constant;
		p.userdata = &rate;
		p.cores = 1;
		process_start(&p, &limits, &prices, NULL, BEGIN, 300 * SECOND);
		for (uint64_t n = 0; n < 150; n++) {
			process_until(&p, p.now_ns + 2 * SECOND);
			measured = busy_factor(p.now_ns) * (n % 13 == 5 ? 20 : 1);
			believed = governor_follow(believed, 1, last, measured);
			last = measured;
			p.prices = times(busy_factor(p.now_ns));
			told = times(believed);
			governor_set_prices(&p.g, &told);
			if (p.now_ns == BEGIN + 98 * SECOND)
				assert_int_equal(p.g.plan.mode, cases[i].mode);
		}
		assert_below("minute", process_worst_minute(&p), 0.02);
		assert_below("second", process_worst_second(&p), 0.15);
		assert_int_equal(p.g.plan.mode, cases[i].mode);
		process_end(&p);
	}
}

enum {
	TARGETS = 500,
	SECONDS = 600
};

/* Many targets, 500 of them, in a total of 5 %. */
struct many {
	struct process all[TARGETS];
	double spent_ns[SECONDS * 1000]; /* together, per millisecond */
	struct governor_total total;
	uint64_t measurements; /* in the last minute */
};

static void run_many(struct many *m)
{
	struct governor_limits limits = governor_default_limits(2);
	uint64_t before = 0;

	governor_total_init(&m->total, 0.05, BEGIN);
	for (size_t i = 0; i < TARGETS; i++)
		process_start(&m->all[i], &limits, &prices, &m->total, BEGIN, 0);
	for (size_t ms = 0; ms < SECONDS * 1000; ms++) {
		for (size_t i = 0; i < TARGETS; i++) {
			struct process *p = &m->all[i];

			/* Without probes it costs nothing, and nobody looks at it. */
			if (p->in_force.probes == GOVERNOR_PROBES_NONE &&
			    BEGIN + ms * MS < process_wakes_ns(p))
				continue;
			p->now_ns = BEGIN + ms * MS;
			process_step(p);
			m->spent_ns[ms] += p->step_ns;
		}
		if (ms == (SECONDS - 60) * 1000) {
			for (size_t i = 0; i < TARGETS; i++)
				before += m->all[i].measurements;
		}
	}
	for (size_t i = 0; i < TARGETS; i++)
		m->measurements += m->all[i].measurements;
	m->measurements -= before;
}

static void end_many(struct many *m)
{
	for (size_t i = 0; i < TARGETS; i++)
		process_end(&m->all[i]);
	assert_true(isinf(governor_total_share(&m->total)));
	free(m);
}

static struct many *make_many(double *busy, size_t n_busy, double *quiet)
{
	struct many *m = calloc(1, sizeof(*m));

	assert_non_null(m);
	for (size_t i = 0; i < TARGETS; i++) {
		m->all[i] = make_process();
		m->all[i].pairs_per_second = constant;
		m->all[i].userdata = i < n_busy ? busy : quiet;
	}
	return m;
}

/* Each would cost 9 % of a core all the time, together 47 cores. They take turns. */
static void test_many_busy(void **state)
{
	double busy = 1e5;
	struct many *m = make_many(&busy, TARGETS, NULL);
	uint64_t fewest = UINT64_MAX, most = 0;
	double late;

	(void)state;
	run_many(m);
	for (size_t i = 0; i < TARGETS; i++) {
		assert_int_equal(m->all[i].g.plan.mode, GOVERNOR_WINDOWED);
		fewest = m->all[i].windows < fewest ? m->all[i].windows : fewest;
		most = m->all[i].windows > most ? m->all[i].windows : most;
	}
	/* The count, and a window or two more for some than for others. */
	assert_true(fewest >= 3);
	assert_in_range(most - fewest, 0, 2);
	late = largest_sum(m->spent_ns, SECONDS * 1000, 300000, 60000) / MINUTE;
	assert_below("minute", largest_sum(m->spent_ns, SECONDS * 1000, 0, 60000) / MINUTE, 0.05);
	assert_true(late > 0.03);
	assert_below("measurements per second", (double)m->measurements / 60, 200);
	end_many(m);
}

/* Ten are busy; those that make few calls are traced whole, and the ten share what is left. */
static void test_many_quiet(void **state)
{
	double busy = 1e5, quiet = 10;
	struct many *m = make_many(&busy, 10, &quiet);
	uint64_t fewest = UINT64_MAX, most = 0;

	(void)state;
	run_many(m);
	for (size_t i = 0; i < TARGETS; i++) {
		const struct process *p = &m->all[i];

		assert_int_equal(p->g.plan.mode, i < 10 ? GOVERNOR_WINDOWED : GOVERNOR_EXACT);
		if (i >= 10)
			continue;
		fewest = p->windows < fewest ? p->windows : fewest;
		most = p->windows > most ? p->windows : most;
	}
	assert_true(fewest > 40 && most < fewest * 5 / 4);
	assert_below("minute", largest_sum(m->spent_ns, SECONDS * 1000, 0, 60000) / MINUTE, 0.05);
	assert_below("measurements per second", (double)m->measurements / 60, 200);
	end_many(m);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_constant),
		cmocka_unit_test(test_closed_loop),
		cmocka_unit_test(test_burst),
		cmocka_unit_test(test_burst_of_many_cores),
		cmocka_unit_test(test_back_up),
		cmocka_unit_test(test_waves),
		cmocka_unit_test(test_random_walk),
		cmocka_unit_test(test_wrong_prices),
		cmocka_unit_test(test_dear_for_a_while),
		cmocka_unit_test(test_many_busy),
		cmocka_unit_test(test_many_quiet),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
