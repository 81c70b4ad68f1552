// SPDX-License-Identifier: GPL-2.0-or-later
/* Clients that are slow, in what they send and in what they take. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "base/clock.h"
#include "serve/connections.h"
#include "serve_clients.h"

/* Half a request, and no more. */
static void test_slow_sender(void **state)
{
	struct fixture *f = *state;
	int fds[7];

	for (size_t i = 0; i < ARRAY_SIZE(fds); i++) {
		fds[i] = client_connect(f);
		client_send(f, fds[i], "GET /v1/si", i);
		turn(f);
	}
	wait_for_connections(f, 0);
	for (size_t i = 0; i < ARRAY_SIZE(fds); i++) {
		assert_status(client_read(f, fds[i], false), 0, NULL);
		close(fds[i]);
	}
}

static int set_up_strict(void **state)
{
	return set_up_with(state, (struct server_options){ .mode = 0666,
							   .gid = SERVER_NO_GROUP,
							   .request_timeout_ns = 397 * MS,
							   .answer_timeout_ns = 701 * MS });
}

/* A byte now and then is never silence: the request as a whole takes too long. */
static void test_trickling_sender(void **state)
{
	struct fixture *f = *state;
	time_t end = time(NULL) + DEADLINE_SECONDS;
	struct server_status status;
	int fd = client_connect(f), other = client_connect(f);
	struct answer a;

	client_send(f, fd, "GET /healthz HTTP/1.1\r\nX: ", 26);
	while (open_connections(f) > 0) {
		const struct timespec pause = { .tv_nsec = 5 * MS };

		assert_true(time(NULL) < end);
		(void)send(fd, "x", 1, MSG_NOSIGNAL);
		nanosleep(&pause, NULL);
		turn(f);
	}
	server_get_status(f->server, &status);
	assert_int_equal(status.ended_connections, 2);
	a = client_read(f, fd, false);
	assert_int_equal(a.status, 0);
	answer_done(&a);
	close(fd);
	close(other);
	assert_healthy(f);
}

/* One that asks again and again is not slow, however long it stays. */
static void test_busy_client_stays(void **state)
{
	static const char request[] = "GET /healthz HTTP/1.1\r\n\r\n";
	struct fixture *f = *state;
	uint64_t end = clock_ns(CLOCK_MONOTONIC) + 1501 * MS;
	int fd = client_connect(f);

	while (clock_ns(CLOCK_MONOTONIC) < end) {
		const struct timespec pause = { .tv_nsec = 50 * MS };

		client_send(f, fd, request, strlen(request));
		assert_status(client_read(f, fd, false), 200, NULL);
		nanosleep(&pause, NULL);
		turn(f);
	}
	assert_int_equal(open_connections(f), 1);
	close(fd);
	wait_for_connections(f, 0);
}

/* Takes a byte now and then. */
static void test_trickling_reader(void **state)
{
	static const char request[] = "GET /v1/sites?limit=1000 HTTP/1.1\r\n\r\n";
	struct fixture *f = *state;
	time_t end = time(NULL) + DEADLINE_SECONDS;
	int fd = client_connect(f);
	char byte;

	add_many_sites(f);
	client_send(f, fd, request, strlen(request));
	turn(f);
	fake_answer(f->monitor);
	while (open_connections(f) > 0) {
		const struct timespec pause = { .tv_nsec = 5 * MS };

		assert_true(time(NULL) < end);
		(void)recv(fd, &byte, 1, MSG_DONTWAIT);
		nanosleep(&pause, NULL);
		turn(f);
	}
	close(fd);
}

/* Answers that nobody takes keep others of the same user waiting, before they fill the memory. */
static void test_answers_that_wait(void **state)
{
	static const char request[] = "GET /v1/sites?limit=1000 HTTP/1.1\r\n\r\n";
	struct fixture *f = *state;
	int fds[CONNECTIONS_MAX - 1];
	size_t n = 0;
	bool is_refused = false;

	add_many_sites(f);
	while (n < ARRAY_SIZE(fds) && !is_refused) {
		struct answer a;

		fds[n] = client_connect(f);
		client_send(f, fds[n++], request, strlen(request));
		turn(f);
		fake_answer(f->monitor);
		turn(f);
		a = get(f, "/healthz");
		is_refused = a.status == 503;
		if (is_refused)
			assert_string_equal(answer_code(&a), "busy");
		answer_done(&a);
	}
	assert_true(is_refused);
	assert_true(n > 1);
	for (size_t i = 0; i < n; i++)
		close(fds[i]);
	wait_for_connections(f, 0);
	assert_healthy(f);
}

/* Asks for much and takes nothing. */
static void test_slow_reader(void **state)
{
	static const char request[] = "GET /v1/sites?limit=1000 HTTP/1.1\r\n\r\n";
	struct fixture *f = *state;
	int fd = client_connect(f);

	add_many_sites(f);
	client_send(f, fd, request, strlen(request));
	turn(f);
	fake_answer(f->monitor);
	turn(f);
	assert_int_equal(open_connections(f), 1);
	wait_for_connections(f, 0);
	close(fd);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_slow_sender, set_up_impatient, tear_down),
		cmocka_unit_test_setup_teardown(test_slow_reader, set_up_impatient, tear_down),
		cmocka_unit_test_setup_teardown(test_trickling_sender, set_up_strict, tear_down),
		cmocka_unit_test_setup_teardown(test_busy_client_stays, set_up_strict, tear_down),
		cmocka_unit_test_setup_teardown(test_trickling_reader, set_up_strict, tear_down),
		cmocka_unit_test_setup_teardown(test_answers_that_wait, set_up, tear_down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
