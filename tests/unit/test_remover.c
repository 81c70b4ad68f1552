// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * probe/remover.c: descriptors that take a while to close are closed at the same time.
 *
 * They are TCP sockets that linger: what they have sent is never read.
 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <arpa/inet.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "probe/remover.h"

#define SLOW_SECONDS   1
#define SLOWER_SECONDS 4 /* than what is quick, on a busy machine, too */
#define N_SLOW	       23

struct fixture {
	struct remover remover;
	int sockets[2]; /* for answers: ours, the remover's */
	int listener;
	struct sockaddr_in address;
};

static void begin(struct fixture *f)
{
	socklen_t size = sizeof(f->address);

	assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, f->sockets), 0);
	remover_init(&f->remover, f->sockets[1]);
	f->listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	f->address = (struct sockaddr_in){ .sin_family = AF_INET,
					   .sin_addr = { htonl(INADDR_LOOPBACK) } };
	assert_int_equal(bind(f->listener, (void *)&f->address, sizeof(f->address)), 0);
	assert_int_equal(listen(f->listener, N_SLOW), 0);
	assert_int_equal(getsockname(f->listener, (void *)&f->address, &size), 0);
}

static void end(struct fixture *f)
{
	remover_wait(&f->remover);
	close_fd(f->listener);
	close_fd(f->sockets[0]);
	close_fd(f->sockets[1]);
}

/* Closing it takes so long. */
static int slow_fd(const struct fixture *f, int seconds)
{
	const struct linger linger = { .l_onoff = 1, .l_linger = seconds };
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	char bytes[4096] = { 0 };

	assert_int_equal(connect(fd, (const void *)&f->address, sizeof(f->address)), 0);
	assert_int_equal(setsockopt(fd, SOL_SOCKET, SO_LINGER, &linger, sizeof(linger)), 0);
	while (send(fd, bytes, sizeof(bytes), MSG_DONTWAIT) > 0)
		continue;
	return fd;
}

static void add(struct fixture *f, uint64_t number, const int *fds, size_t n)
{
	const struct link_answer answer = { .operation = LINK_CLOSE, .number = number };
	int *copy = calloc(n + 1, sizeof(*copy));

	assert_non_null(copy);
	for (size_t i = 0; i < n; i++)
		copy[i] = fds[i];
	remover_add(&f->remover, &answer, copy, n);
}

static uint64_t next_answer(struct fixture *f)
{
	struct link_answer answer = { 0 };

	assert_int_equal(recv(f->sockets[0], &answer, sizeof(answer), 0), sizeof(answer));
	assert_int_equal(answer.operation, LINK_CLOSE);
	assert_int_equal(answer.error, 0);
	return answer.number;
}

static void test_at_once(void **state)
{
	struct fixture f;
	int fds[N_SLOW];
	uint64_t start;

	(void)state;
	begin(&f);
	for (size_t i = 0; i < N_SLOW; i++)
		fds[i] = slow_fd(&f, SLOW_SECONDS);
	start = clock_ns(CLOCK_MONOTONIC);
	/* Within one answer, and one answer each. */
	add(&f, 7, fds, N_SLOW / 2);
	for (size_t i = N_SLOW / 2; i < N_SLOW; i++)
		add(&f, 100, &fds[i], 1);
	for (size_t i = 0; i < 1 + N_SLOW - N_SLOW / 2; i++)
		(void)next_answer(&f);
	assert_in_range((clock_ns(CLOCK_MONOTONIC) - start) / 1000000, 900 * SLOW_SECONDS,
			1000 * SLOW_SECONDS * N_SLOW / 3);
	for (size_t i = 0; i < N_SLOW; i++)
		assert_int_equal(fcntl(fds[i], F_GETFD), -1);
	end(&f);
}

/* Who asks for something quick does not wait for what is slow; nothing is answered before it is done. */
static void test_answers(void **state)
{
	struct fixture f;
	int slow, quick[2];

	(void)state;
	begin(&f);
	slow = slow_fd(&f, SLOWER_SECONDS);
	assert_int_equal(pipe(quick), 0);
	add(&f, 11, &slow, 1);
	add(&f, 12, quick, 2);
	add(&f, 13, NULL, 0);
	assert_int_equal(next_answer(&f) + next_answer(&f), 12 + 13);
	assert_int_equal(next_answer(&f), 11);
	end(&f);
}

static void test_wait(void **state)
{
	struct fixture f;
	int slow;

	(void)state;
	begin(&f);
	remover_wait(&f.remover);
	slow = slow_fd(&f, SLOW_SECONDS);
	add(&f, 17, &slow, 1);
	remover_wait(&f.remover);
	assert_int_equal(fcntl(slow, F_GETFD), -1);
	assert_int_equal(next_answer(&f), 17);
	end(&f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_at_once),
		cmocka_unit_test(test_answers),
		cmocka_unit_test(test_wait),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
