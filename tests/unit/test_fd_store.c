// SPDX-License-Identifier: GPL-2.0-or-later
/* What is sent to a service manager, and what it hands over: in a child, whose descriptors are few. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>

#include "base/fd_store.h"

/* As the manager: 3 and 4 and 5 are handed over under these names. */
#define NAMES "seep-one:api:seep-two"

static int memory_file(const char *name)
{
	int fd = memfd_create(name, 0);

	if (fd < 0 || write(fd, name, strlen(name)) != (ssize_t)strlen(name))
		_exit(97);
	return fd;
}

static void expect(bool condition, int status)
{
	if (!condition)
		_exit(status);
}

static bool is_named(int fd, const char *name)
{
	char text[32] = "";

	return fd >= 0 && pread(fd, text, sizeof(text) - 1, 0) > 0 && strcmp(text, name) == 0 &&
	       (fcntl(fd, F_GETFD) & FD_CLOEXEC);
}

static void hand_over(void)
{
	static const char *const names[] = { "seep-one", "api", "seep-two" };
	char pid[16];

	for (int i = 0; i < 3; i++)
		expect(dup2(memory_file(names[i]), 3 + i) == 3 + i, 90);
	(void)snprintf(pid, sizeof(pid), "%d", (int)getpid());
	expect(setenv("LISTEN_PID", pid, 1) == 0 && setenv("LISTEN_FDS", "3", 1) == 0 &&
		       setenv("LISTEN_FDNAMES", NAMES, 1) == 0,
	       91);
}

static int in_child(void (*function)(void))
{
	int status = 0;
	pid_t pid = fork();

	if (pid == 0) {
		function();
		_exit(0);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	return WIFEXITED(status) ? WEXITSTATUS(status) : 99;
}

static void take_all(void)
{
	struct fd_store *s = NULL;

	hand_over();
	expect(fd_store_new(&s) == 0, 1);
	expect(!getenv("LISTEN_FDS") && !getenv("LISTEN_PID") && !getenv("LISTEN_FDNAMES"), 2);
	expect(!fd_store_keeps(s), 3);
	expect(fd_store_has(s, "api") && !fd_store_has(s, "ap") && !fd_store_has(s, "seep-"), 4);
	expect(fd_store_has_any(s, "seep-") && !fd_store_has_any(s, "other"), 5);
	expect(is_named(fd_store_take(s, "api"), "api"), 6);
	expect(fd_store_take(s, "api") == -ENOENT && !fd_store_has(s, "api"), 7);
	expect(is_named(fd_store_take(s, "seep-two"), "seep-two"), 8);
	fd_store_free(s);
	/* The one that nobody has taken is closed. */
	expect(fcntl(3, F_GETFD) < 0 && fcntl(4, F_GETFD) >= 0 && fcntl(5, F_GETFD) >= 0, 9);
}

static void test_taking(void **state)
{
	(void)state;
	assert_int_equal(in_child(take_all), 0);
}

/* --- what is sent --------------------------------------------------------------------------------- */

static int bind_notify_socket(const char *folder)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	(void)snprintf(address.sun_path, sizeof(address.sun_path), "%s/notify", folder);
	expect(fd >= 0 && bind(fd, (struct sockaddr *)&address, sizeof(address)) == 0, 80);
	expect(setenv("NOTIFY_SOCKET", address.sun_path, 1) == 0, 81);
	(void)unsetenv("FDSTORE");
	return fd;
}

/* The next message; *ret_fd is the descriptor that came along, or -1. */
static bool receives(int socket, const char *expected, int *ret_fd)
{
	union {
		struct cmsghdr header;
		char bytes[256];
	} control;
	char text[512] = "";
	struct iovec iov = { .iov_base = text, .iov_len = sizeof(text) - 1 };
	struct msghdr message = {
		.msg_iov = &iov,
		.msg_iovlen = 1,
		.msg_control = control.bytes,
		.msg_controllen = sizeof(control.bytes),
	};
	struct cmsghdr *header;

	*ret_fd = -1;
	if (recvmsg(socket, &message, MSG_DONTWAIT | MSG_CMSG_CLOEXEC) < 0)
		return false;
	for (header = CMSG_FIRSTHDR(&message); header; header = CMSG_NXTHDR(&message, header))
		if (header->cmsg_type == SCM_RIGHTS)
			memcpy(ret_fd, CMSG_DATA(header), sizeof(*ret_fd));
	return strcmp(text, expected) == 0;
}

static void send_all(void)
{
	char folder[] = "/tmp/seep-test-XXXXXX", path[64];
	struct fd_store *s = NULL;
	int socket, fd;

	hand_over();
	expect(mkdtemp(folder), 10);
	socket = bind_notify_socket(folder);
	expect(fd_store_new(&s) == 0 && fd_store_keeps(s), 11);
	expect(fd_store_put(s, "seep-new", memory_file("new")) == 0, 12);
	expect(receives(socket, "FDSTORE=1\nFDPOLL=0\nFDNAME=seep-new", &fd), 13);
	expect(is_named(fd, "new"), 14);
	expect(fd_store_drop(s, "seep-new") == 0, 15);
	expect(receives(socket, "FDSTOREREMOVE=1\nFDNAME=seep-new", &fd) && fd < 0, 16);
	fd_store_drop_all(s, "seep-");
	expect(receives(socket, "FDSTOREREMOVE=1\nFDNAME=seep-one", &fd), 17);
	expect(receives(socket, "FDSTOREREMOVE=1\nFDNAME=seep-two", &fd), 18);
	expect(!receives(socket, "", &fd), 19);
	expect(fd_store_has(s, "api") && !fd_store_has_any(s, "seep-"), 20);
	fd_store_free(s);
	(void)snprintf(path, sizeof(path), "%s/notify", folder);
	(void)unlink(path);
	(void)rmdir(folder);
}

static void test_sending(void **state)
{
	(void)state;
	assert_int_equal(in_child(send_all), 0);
}

static void without_manager(void)
{
	struct fd_store *s = NULL;

	(void)unsetenv("NOTIFY_SOCKET");
	expect(fd_store_new(&s) == 0 && !fd_store_keeps(s), 30);
	expect(fd_store_put(s, "seep-x", 0) == -EOPNOTSUPP, 31);
	expect(fd_store_drop(s, "seep-x") == -EOPNOTSUPP, 32);
	fd_store_free(s);
	/* One that says that it keeps nothing. */
	expect(setenv("NOTIFY_SOCKET", "/nowhere", 1) == 0 && setenv("FDSTORE", "0", 1) == 0, 33);
	expect(fd_store_new(&s) == 0 && !fd_store_keeps(s), 34);
	fd_store_free(s);
}

static void test_nobody(void **state)
{
	(void)state;
	assert_int_equal(in_child(without_manager), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_taking),
		cmocka_unit_test(test_sending),
		cmocka_unit_test(test_nobody),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
