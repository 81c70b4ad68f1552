// SPDX-License-Identifier: GPL-2.0-or-later
/* A detector that is packed and unpacked goes on as if nothing had been. */
#include "detector_process.h"
#include "pieces.h"

static struct detector_options options_of(struct process *p)
{
	return (struct detector_options){
		.trend = &p->trend,
		.tick_ns = TICK_NS,
		.origin_ns = 1,
		.env = { .identify = identify, .recall = recall, .userdata = p },
	};
}

static void pack(const struct process *p, struct store *s)
{
	s->n = s->at = 0;
	assert_int_equal(detector_pack(p->detector, put, s), 0);
}

static void restart(struct process *p, struct store *s)
{
	const struct detector_options options = options_of(p);
	size_t keys = detector_keys(p->detector);
	uint32_t now = detector_now(p->detector);

	pack(p, s);
	p->detector = detector_free(p->detector);
	assert_int_equal(detector_unpack(&options, get, s, &p->detector), 0);
	assert_int_equal(s->at, s->n);
	assert_int_equal(detector_keys(p->detector), keys);
	assert_int_equal(detector_now(p->detector), now);
	assert_int_equal(detector_origin_ns(p->detector), ORIGIN_NS);
}

static struct store *new_store(void)
{
	struct store *s = calloc(1, sizeof(*s));

	assert_non_null(s);
	return s;
}

static void add_sources(struct process *p)
{
	struct source *leak = add_source(p, 3, 5), *churn;

	leak->births = 29;
	leak->leaked = 17;
	churn = add_source(p, 3, 7);
	churn->births = 41;
	churn = add_source(p, 11, 13);
	churn->births = 41;
	churn->lifetime = 31;
}

/* The tick of the alert, with a restart each so many ticks (0: none). */
static uint32_t tick_of_alert(struct process *p, struct store *s, uint32_t each)
{
	const struct detector_finding *f;

	p->n = 0;
	add_sources(p);
	begin_life(p);
	while (live_bytes(p) + BASE < LIMIT) {
		bool was_judged = step(p);
		size_t n = was_judged ? detector_findings(p->detector, &f) : 0;

		for (size_t i = 0; i < n; i++)
			if (f[i].evidence->state == TREND_LEAKING) {
				assert_int_equal(f[i].largest, p->sources[0].site.stack);
				return p->now;
			}
		if (each && p->now % each == 0)
			restart(p, s);
	}
	return 0;
}

static void an_alert_comes_at_the_same_tick(void **state)
{
	static const uint32_t each[] = { 1, 7, 10, 31 };
	struct process *p = *state;
	struct store *s = new_store();
	uint32_t undisturbed = tick_of_alert(p, s, 0);

	assert_true(undisturbed > 60);
	for (size_t i = 0; i < sizeof(each) / sizeof(each[0]); i++) {
		p->detector = detector_free(p->detector);
		assert_int_equal(tick_of_alert(p, s, each[i]), undisturbed);
	}
	free(s);
}

/* What was told is not told anew: the finding after it says that it goes on. */
static void a_verdict_stands(void **state)
{
	struct process *p = *state;
	const struct detector_finding *f;
	struct store *s = new_store();

	assert_true(tick_of_alert(p, s, 0) > 0);
	restart(p, s);
	assert_int_equal(detector_state_of(p->detector, p->sources[0].site.stack), TREND_LEAKING);
	assert_int_equal(detector_state_of(p->detector, p->sources[1].site.stack), TREND_QUIET);
	while (!step(p))
		continue;
	assert_int_equal(detector_findings(p->detector, &f), 1);
	assert_int_equal(f[0].evidence->state, TREND_LEAKING);
	assert_int_not_equal(f[0].event, TREND_OPENED);
	free(s);
}

static void what_is_cut_or_foreign_is_refused(void **state)
{
	struct process *p = *state;
	struct detector_options options = options_of(p);
	struct detector *d = NULL;
	struct store *s = new_store();
	size_t whole;

	add_sources(p);
	begin_life(p);
	while (p->now < 61)
		(void)step(p);
	pack(p, s);
	whole = s->n;
	for (s->n = 0; s->n < whole; s->n += s->n < 200 ? 1 : 997) {
		s->at = 0;
		assert_int_equal(detector_unpack(&options, get, s, &d), -EBADMSG);
	}
	s->n = whole;
	s->at = 0;
	options.tick_ns++;
	assert_int_equal(detector_unpack(&options, get, s, &d), -EPROTO);
	options.tick_ns--;
	s->at = 0;
	s->bytes[0] ^= 1;
	assert_int_equal(detector_unpack(&options, get, s, &d), -EPROTO);
	s->bytes[0] ^= 1;
	s->at = 0;
	assert_int_equal(detector_unpack(&options, get, s, &d), 0);
	detector_free(d);
	free(s);
}

int main(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)
	const struct CMUnitTest tests[] = {
		TEST(an_alert_comes_at_the_same_tick),
		TEST(a_verdict_stands),
		TEST(what_is_cut_or_foreign_is_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
