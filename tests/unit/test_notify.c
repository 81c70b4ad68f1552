// SPDX-License-Identifier: GPL-2.0-or-later
/* What the service manager is told, read from its end of the socket. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/cleanup.h"
#include "daemon/notify.h"

#define SECOND_NS 1000000000ull

/* A manager with a name of its own in the abstract space, which sd_notify() knows as "@...". */
static int start_manager(void **state)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	static int fd;
	char name[64];

	(void)snprintf(name, sizeof(name), "@seep-test-notify-%d", (int)getpid());
	memcpy(address.sun_path + 1, name + 1, strlen(name) - 1);
	fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0 || bind(fd, (struct sockaddr *)&address,
			   (socklen_t)(offsetof(struct sockaddr_un, sun_path) + strlen(name))) < 0)
		return -1;
	(void)setenv("NOTIFY_SOCKET", name, 1);
	(void)unsetenv("WATCHDOG_USEC");
	(void)unsetenv("WATCHDOG_PID");
	*state = &fd;
	return 0;
}

static int stop_manager(void **state)
{
	close_fd(*(int *)*state);
	(void)unsetenv("NOTIFY_SOCKET");
	return 0;
}

static void assert_told(void **state, const char *expected)
{
	char message[1024];
	ssize_t n = recv(*(int *)*state, message, sizeof(message) - 1, 0);

	assert_true(n >= 0);
	message[n] = '\0';
	assert_string_equal(message, expected);
}

static void assert_silent(void **state)
{
	char byte;

	assert_int_equal(recv(*(int *)*state, &byte, 1, 0), -1);
}

static void test_ready(void **state)
{
	struct notify n;

	notify_init(&n);
	assert_silent(state);
	notify_ready(&n, 10 * SECOND_NS);
	assert_told(state, "READY=1");
	assert_silent(state);
	notify_stopping(&n);
	assert_told(state, "STOPPING=1\nSTATUS=Removing probes.");
}

static void test_status_is_told_when_it_changes(void **state)
{
	struct notify n;

	notify_init(&n);
	notify_tick(&n, "Targets: 1.");
	assert_told(state, "WATCHDOG=1\nSTATUS=Targets: 1.");
	notify_tick(&n, "Targets: 1.");
	assert_told(state, "WATCHDOG=1");
	notify_tick(&n, "Targets: 17.");
	assert_told(state, "WATCHDOG=1\nSTATUS=Targets: 17.");
	assert_silent(state);
}

static void test_long_status_is_cut(void **state)
{
	char status[2 * NOTIFY_STATUS_MAX], expected[2 * NOTIFY_STATUS_MAX];
	struct notify n;

	memset(status, 's', sizeof(status) - 1);
	status[sizeof(status) - 1] = '\0';
	notify_init(&n);
	notify_tick(&n, status);
	(void)snprintf(expected, sizeof(expected), "WATCHDOG=1\nSTATUS=%.*s", NOTIFY_STATUS_MAX - 1,
		       status);
	assert_told(state, expected);
	notify_tick(&n, status);
	assert_told(state, "WATCHDOG=1");
}

static void test_reload_tells_when(void **state)
{
	unsigned long long usec;
	char message[256];
	struct notify n;
	ssize_t size;

	notify_init(&n);
	notify_reloading(&n);
	size = recv(*(int *)*state, message, sizeof(message) - 1, 0);
	assert_true(size > 0);
	message[size] = '\0';
	assert_int_equal(sscanf(message, "RELOADING=1\nMONOTONIC_USEC=%llu", &usec), 1);
	assert_true(usec > 0);
	notify_ready(&n, 10 * SECOND_NS);
	assert_told(state, "READY=1");
}

static void test_watchdog_waits_for_three_ticks(void **state)
{
	struct notify n;
	char pid[16];

	(void)snprintf(pid, sizeof(pid), "%d", (int)getpid());
	(void)setenv("WATCHDOG_USEC", "30000000", 1);
	(void)setenv("WATCHDOG_PID", pid, 1);
	notify_init(&n);
	notify_ready(&n, 10 * SECOND_NS);
	assert_told(state, "READY=1");
	/* As after a reload with a longer tick. */
	notify_ready(&n, 60 * SECOND_NS);
	assert_told(state, "WATCHDOG_USEC=180000000");
	assert_told(state, "READY=1");
	notify_ready(&n, 60 * SECOND_NS);
	assert_told(state, "READY=1");
	assert_silent(state);
}

static void test_watchdog_of_another_process(void **state)
{
	struct notify n;

	(void)setenv("WATCHDOG_USEC", "30000000", 1);
	(void)setenv("WATCHDOG_PID", "1", 1);
	notify_init(&n);
	notify_ready(&n, 60 * SECOND_NS);
	assert_told(state, "READY=1");
	assert_silent(state);
}

static void test_without_manager(void **state)
{
	struct notify n;

	(void)unsetenv("NOTIFY_SOCKET");
	notify_init(&n);
	notify_ready(&n, SECOND_NS);
	notify_tick(&n, "Targets: 1.");
	notify_stopping(&n);
	assert_silent(state);
}

#define WITH_MANAGER(f) cmocka_unit_test_setup_teardown(f, start_manager, stop_manager)

int main(void)
{
	const struct CMUnitTest tests[] = {
		WITH_MANAGER(test_ready),
		WITH_MANAGER(test_status_is_told_when_it_changes),
		WITH_MANAGER(test_long_status_is_cut),
		WITH_MANAGER(test_reload_tells_when),
		WITH_MANAGER(test_watchdog_waits_for_three_ticks),
		WITH_MANAGER(test_watchdog_of_another_process),
		WITH_MANAGER(test_without_manager),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
