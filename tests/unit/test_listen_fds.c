// SPDX-License-Identifier: GPL-2.0-or-later
/* Descriptors from the service manager: each test is the life of a child with its own descriptors. */
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include <cmocka.h>

#include "daemon/listen_fds.h"

#define FIRST 3 /* SD_LISTEN_FDS_START */

static bool is_open(int fd)
{
	return fcntl(fd, F_GETFD) >= 0;
}

/* As a service manager starts a program: @n descriptors from 3 on, each a pipe of its own. */
static int offer(const char *names, size_t n)
{
	char text[32];

	for (size_t i = 0; i < n; i++) {
		int fds[2];

		if (pipe(fds) < 0 || dup2(fds[0], FIRST + 20 + (int)i) < 0)
			return -errno;
	}
	for (size_t i = 0; i < n; i++)
		if (dup2(FIRST + 20 + (int)i, FIRST + (int)i) < 0)
			return -errno;
	(void)snprintf(text, sizeof(text), "%d", (int)getpid());
	(void)setenv("LISTEN_PID", text, 1);
	(void)snprintf(text, sizeof(text), "%zu", n);
	(void)setenv("LISTEN_FDS", text, 1);
	(void)setenv("LISTEN_FDNAMES", names, 1);
	return 0;
}

/* The line of the first check that fails, 0 for none. */
#define CHECK(condition)                 \
	do {                             \
		if (!(condition))        \
			return __LINE__; \
	} while (0)

static int sorts_by_name(void)
{
	struct listen_fds *l = NULL;

	CHECK(offer("api:http:stored:stored:api", 5) == 0);
	CHECK(listen_fds_new(&l) == 0);
	CHECK(!getenv("LISTEN_FDS") && !getenv("LISTEN_PID") && !getenv("LISTEN_FDNAMES"));
	CHECK(listen_fds_count(l, "api") == 2);
	CHECK(listen_fds_count(l, NULL) == 5);
	CHECK(strcmp(listen_fds_name(l, 1), "http") == 0);
	CHECK(listen_fds_take(l, "api") == FIRST);
	CHECK(listen_fds_take(l, "api") == FIRST + 4);
	CHECK(listen_fds_take(l, "api") == -ENOENT);
	CHECK(listen_fds_take(l, "stored") == FIRST + 2);
	CHECK(fcntl(FIRST, F_GETFD) == FD_CLOEXEC);
	CHECK(listen_fds_count(l, NULL) == 2);
	CHECK(strcmp(listen_fds_name(l, 0), "http") == 0);
	CHECK(strcmp(listen_fds_name(l, 1), "stored") == 0);
	CHECK(!listen_fds_name(l, 2));
	listen_fds_free(l);
	return 0;
}

static int closes_the_rest(void)
{
	struct listen_fds *l = NULL;

	CHECK(offer("api:other:other", 3) == 0);
	CHECK(listen_fds_new(&l) == 0);
	CHECK(listen_fds_take(l, "api") == FIRST);
	listen_fds_free(l);
	CHECK(is_open(FIRST));
	CHECK(!is_open(FIRST + 1));
	CHECK(!is_open(FIRST + 2));
	return 0;
}

/* Variables that were meant for another process, as those of a shell under the manager. */
static int leaves_others_alone(void)
{
	struct listen_fds *l = NULL;

	CHECK(offer("api", 1) == 0);
	(void)setenv("LISTEN_PID", "1", 1);
	CHECK(listen_fds_new(&l) == 0);
	CHECK(listen_fds_count(l, NULL) == 0);
	CHECK(listen_fds_take(l, "api") == -ENOENT);
	listen_fds_free(l);
	CHECK(is_open(FIRST));
	return 0;
}

static int works_with_none(void)
{
	struct listen_fds *l = NULL;

	(void)unsetenv("LISTEN_FDS");
	CHECK(listen_fds_new(&l) == 0);
	CHECK(listen_fds_count(l, NULL) == 0);
	CHECK(!listen_fds_name(l, 0));
	listen_fds_free(l);
	return 0;
}

static void in_child(void **state)
{
	int (*life)(void) = *(int (**)(void))state;
	int status;
	pid_t pid;

	pid = fork();
	assert_true(pid >= 0);
	if (pid == 0)
		_exit(life() & 0xff);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFEXITED(status));
	assert_int_equal(WEXITSTATUS(status), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		{ "sorts_by_name", in_child, NULL, NULL, (void *)sorts_by_name },
		{ "closes_the_rest", in_child, NULL, NULL, (void *)closes_the_rest },
		{ "leaves_others_alone", in_child, NULL, NULL, (void *)leaves_others_alone },
		{ "works_with_none", in_child, NULL, NULL, (void *)works_with_none },
	};

	return cmocka_run_group_tests_name("listen_fds", tests, NULL, NULL);
}
