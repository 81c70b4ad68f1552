// SPDX-License-Identifier: GPL-2.0-or-later
/* A detector on kinds that is packed and unpacked goes on as if nothing had been. */
#include "kind_model.h"
#include "pieces.h"

static struct store *store_new(void)
{
	struct store *s = calloc(1, sizeof(*s));

	assert_non_null(s);
	return s;
}

static struct kind_options options_of(const struct heap_model *m)
{
	return (struct kind_options){ .trend = &m->trend, .tick_ns = SECOND };
}

static void restart(struct heap_model *m, struct store *s)
{
	const struct kind_options options = options_of(m);
	size_t followed = kind_watch_followed(m->kinds);

	s->n = s->at = 0;
	assert_int_equal(kind_watch_pack(m->kinds, put, s), 0);
	m->kinds = kind_watch_free(m->kinds);
	assert_int_equal(kind_watch_unpack(&options, get, s, &m->kinds), 0);
	assert_int_equal(s->at, s->n);
	assert_int_equal(kind_watch_followed(m->kinds), followed);
}

static struct heap_model *leaking(void)
{
	struct heap_model *m = model_new(HEADROOM(11, 528));

	make(m, TEXT, 10007);
	make(m, OTHER, 2003);
	return m;
}

/* Told at the same tick, with the same numbers. */
static void test_goes_on(void **state)
{
	struct heap_model *still = leaking(), *moved = leaking();
	struct store *s = store_new();

	(void)state;
	while (still->tick < 2150) {
		leak_in_step(still);
		leak_in_step(moved);
		if (moved->tick == 1 || moved->tick == 7 || moved->tick % 401 == 0)
			restart(moved, s);
		assert_int_equal(still->opened[TASK], moved->opened[TASK]);
		assert_int_equal(still->worst[TASK], moved->worst[TASK]);
	}
	assert_int_equal(moved->opened[TASK], 1);
	assert_memory_equal(&still->last[TASK].evidence, &moved->last[TASK].evidence,
			    sizeof(struct trend_evidence));
	assert_true(kind_watch_growth(moved->kinds, TASK).per_hour ==
		    kind_watch_growth(still->kinds, TASK).per_hour);
	assert_int_equal(kind_watch_blamed(moved->kinds, TEXT), TASK);
	restart(moved, s);
	assert_int_equal(kind_watch_blamed(moved->kinds, TEXT), TASK);
	assert_non_null(kind_watch_evidence(moved->kinds, TASK));
	model_free(still);
	model_free(moved);
	free(s);
}

/* Killed between the counts and the objects of a census, each time. */
static void test_within_a_census(void **state)
{
	struct heap_model *m = leaking();
	struct store *s = store_new();

	(void)state;
	while (m->tick < 2500 && !m->opened[TASK]) {
		leak_in_step(m);
		if (m->tick % 101 == 0) {
			count_kinds(m);
			restart(m, s);
		}
	}
	assert_int_equal(m->opened[TASK], 1);
	model_free(m);
	free(s);
}

/* Of another version, cut off anywhere, or damaged: an error, or numbers that are wrong, and nothing else. */
static void test_hostile(void **state)
{
	struct heap_model *m = leaking();
	const struct kind_options options = options_of(m);
	struct kind_options other = options;
	struct kind_watch *k = NULL;
	struct store *s = store_new();
	size_t n;

	(void)state;
	while (m->tick < 307)
		leak_in_step(m);
	assert_true(kind_watch_followed(m->kinds) > 0);
	assert_int_equal(kind_watch_pack(m->kinds, put, s), 0);
	n = s->n;
	other.tick_ns++;
	assert_int_equal(kind_watch_unpack(&other, get, s, &k), -EPROTO);
	for (s->n = 0; s->n < n; s->n += 997) {
		s->at = 0;
		assert_int_equal(kind_watch_unpack(&options, get, s, &k), -EBADMSG);
		assert_null(k);
	}
	s->n = n;
	for (size_t i = 0; i < n; i += i < 4096 ? 5 : 977) {
		uint8_t was = s->bytes[i];

		s->bytes[i] ^= 0xff;
		s->at = 0;
		(void)kind_watch_unpack(&options, get, s, &k);
		k = kind_watch_free(k);
		s->bytes[i] = was;
	}
	model_free(m);
	free(s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_goes_on),
		cmocka_unit_test(test_within_a_census),
		cmocka_unit_test(test_hostile),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
