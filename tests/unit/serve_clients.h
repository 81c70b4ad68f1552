/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What tests of difficult clients share. */
#ifndef SEEP_TESTS_SERVE_CLIENTS_H
#define SEEP_TESTS_SERVE_CLIENTS_H

#include "serve_fixture.h"
#include "totals.h"

#define MS 1000000ull

static inline int set_up_impatient(void **state)
{
	return set_up_with(state, (struct server_options){ .mode = 0666,
							   .gid = SERVER_NO_GROUP,
							   .idle_timeout_ns = 997 * MS,
							   .hold_timeout_ns = 31 * MS });
}

static inline size_t open_connections(const struct fixture *f)
{
	struct server_status status;

	server_get_status(f->server, &status);
	return status.connections;
}

/* Turns the loop until so many connections are open. */
static inline void wait_for_connections(struct fixture *f, size_t n)
{
	time_t end = time(NULL) + DEADLINE_SECONDS;

	while (open_connections(f) != n) {
		assert_true(time(NULL) < end);
		event_base_loop(f->base, EVLOOP_ONCE | EVLOOP_NONBLOCK);
	}
}

static inline void assert_healthy(struct fixture *f)
{
	struct answer a = get(f, "/healthz");

	assert_int_equal(a.status, 200);
	answer_done(&a);
}

static inline void assert_status(struct answer a, int status, const char *code)
{
	assert_int_equal(a.status, status);
	if (code)
		assert_string_equal(answer_code(&a), code);
	answer_done(&a);
}

/* Enough that an answer does not fit any socket buffer: 463 different stacks of 31 frames. */
static inline void add_many_sites(struct fixture *f)
{
	uint64_t frames[31], stack[31];
	const size_t n = ARRAY_SIZE(frames);

	fake_target(f->monitor, 1, 4243, 0);
	for (size_t i = 0; i < n; i++)
		frames[i] = fake_frame(f->monitor, 0x1000 * (i + 1), "function_with_a_long_name",
				       (uint32_t)i + 1);
	for (uint64_t i = 0; i < 463; i++) {
		for (size_t k = 0; k < n; k++)
			stack[k] = frames[(i + k * (1 + i / n)) % n];
		fake_site(f->monitor, 1, i + 1, totals_of(100 * i, i, 0, 0), stack, (uint16_t)n);
	}
}

#endif
