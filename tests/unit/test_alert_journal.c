// SPDX-License-Identifier: GPL-2.0-or-later
/* alert/journal.c against a journal's socket of our own, in a mount namespace of our own. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <syslog.h>

#include "alert/journal.h"
#include "unit/alert_fixture.h"

static int make_namespace(void **state)
{
	int *usable = *state = calloc(1, sizeof(int));

	*usable = unshare(CLONE_NEWNS) == 0 &&
		  mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL) == 0 &&
		  mount("tmpfs", "/run", "tmpfs", 0, NULL) == 0 &&
		  mkdir("/run/systemd", 0755) == 0 && mkdir("/run/systemd/journal", 0755) == 0;
	return 0;
}

static int free_state(void **state)
{
	free(*state);
	return 0;
}

static void need_namespace(void **state)
{
	if (!*(int *)*state) {
		print_message("# skip: needs the right to mount\n");
		skip();
	}
}

static int open_socket(void)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX, .sun_path = JOURNAL_SOCKET };
	int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

	assert_true(fd >= 0);
	(void)unlink(JOURNAL_SOCKET);
	assert_int_equal(bind(fd, (struct sockaddr *)&address, sizeof(address)), 0);
	return fd;
}

/* The value of a field of an entry of the native protocol; NULL: there is none. The caller's. */
static char *field(const char *entry, size_t size, const char *name)
{
	size_t length = strlen(name);

	for (size_t at = 0; at < size;) {
		const char *line = entry + at, *end = memchr(line, '\n', size - at);
		const char *equal = memchr(line, '=', (size_t)(end - line));
		uint64_t bytes;

		if (equal) {
			if ((size_t)(equal - line) == length && memcmp(line, name, length) == 0)
				return strndup(equal + 1, (size_t)(end - equal - 1));
			at = (size_t)(end - entry) + 1;
			continue;
		}
		memcpy(&bytes, end + 1, sizeof(bytes));
		if ((size_t)(end - line) == length && memcmp(line, name, length) == 0)
			return strndup(end + 1 + sizeof(bytes), bytes);
		at = (size_t)(end - entry) + 1 + sizeof(bytes) + bytes + 1;
	}
	return NULL;
}

struct entry_text {
	char text[65536];
	size_t size;
};

static void receive(int fd, struct entry_text *ret)
{
	ssize_t n = recv(fd, ret->text, sizeof(ret->text), 0);

	assert_true(n > 0);
	ret->size = (size_t)n;
}

static void assert_field(const struct entry_text *entry, const char *name, const char *expected)
{
	_cleanup_free_ char *value = field(entry->text, entry->size, name);

	if (expected && !value)
		fail_msg("no field %s", name);
	if (expected)
		assert_string_equal(value, expected);
	else if (value)
		fail_msg("field %s is %s", name, value);
}

static void test_entry(void **state)
{
	_cleanup_(alert_freep) struct alert *a = fixture_alert(0xabc, 5);
	_cleanup_free_ struct entry_text *entry = malloc(sizeof(*entry));
	_cleanup_free_ char *evidence = NULL;
	_cleanup_close_ int fd = -EBADF;

	need_namespace(state);
	fd = open_socket();
	assert_int_equal(journal_write(ALERT_OPENED, a), 0);
	receive(fd, entry);
	assert_field(entry, "MESSAGE",
		     "leak in server.service: 56.0 MiB in 8,210 blocks, +2.0 MiB per hour, "
		     "session_open (libserver.so.1), memory limit in 21 d");
	assert_field(entry, "MESSAGE_ID", journal_message_id(ALERT_OPENED));
	assert_field(entry, "PRIORITY", "4");
	assert_field(entry, "OBJECT_PID", "1005");
	assert_field(entry, "OBJECT_SYSTEMD_UNIT", NULL);
	assert_field(entry, "SEEP_EVENT", "opened");
	assert_field(entry, "SEEP_LEAK_ID", "0000000000000abc");
	assert_field(entry, "SEEP_SERVICE", "server.service");
	assert_field(entry, "SEEP_TARGET", "1005-5");
	assert_field(entry, "SEEP_CONFIDENCE", "0.970");
	assert_field(entry, "SEEP_LEAKED_BYTES", "58720256");
	assert_field(entry, "SEEP_BYTES_PER_HOUR", "2097152");
	assert_field(entry, "SEEP_SECONDS_TO_LIMIT", "1843200");
	assert_field(entry, "SEEP_FUNCTION", "session_open");
	assert_field(entry, "SEEP_LINE", "42");
	assert_field(entry, "SEEP_BUILD_ID", "00ff");
	assert_field(entry, "SEEP_STACK",
		     "#0  xmalloc (/src/server/session.c:42) /usr/lib/libserver.so.1+0x1234\n"
		     "#1  session_open (/src/server/session.c:42) /usr/lib/libserver.so.1+0x1234");
	evidence = field(entry->text, entry->size, "SEEP_EVIDENCE");
	assert_non_null(evidence);
	assert_non_null(strstr(evidence, "\nSurvivors in 14 of 14 intervals of 2 h.\n"));
	assert_field(entry, "CODE_FILE", NULL);
}

/* Of a process that is gone nothing is looked up by its number; its unit's log still has it. */
static void test_gone(void **state)
{
	_cleanup_(alert_freep) struct alert *a = fixture_alert(1, 5);
	_cleanup_free_ struct entry_text *entry = malloc(sizeof(*entry));
	_cleanup_close_ int fd = -EBADF;

	need_namespace(state);
	fd = open_socket();
	a->state = TREND_CLOSED;
	a->target = 0;
	assert_int_equal(journal_write(ALERT_CLOSED, a), 0);
	receive(fd, entry);
	assert_field(entry, "OBJECT_PID", NULL);
	assert_field(entry, "OBJECT_SYSTEMD_UNIT", "server.service");
	assert_field(entry, "SEEP_TARGET", NULL);
	assert_field(entry, "SEEP_SECONDS_TO_LIMIT", NULL);
	assert_field(entry, "SEEP_WOULD_DISPROVE", NULL);
	assert_field(entry, "PRIORITY", "5");
	assert_field(entry, "MESSAGE",
		     "gone with its process: leak in server.service: 56.0 MiB in 8,210 blocks, "
		     "session_open (libserver.so.1)");
}

/* A name with a line of its own makes no field of its own. */
static void test_hostile(void **state)
{
	_cleanup_(alert_freep) struct alert *a = fixture_alert(1, 5);
	_cleanup_free_ struct entry_text *entry = malloc(sizeof(*entry));
	_cleanup_close_ int fd = -EBADF;

	need_namespace(state);
	fd = open_socket();
	free((char *)a->frames[1].function);
	a->frames[1].function = strdup("f\nPRIORITY=0\nOBJECT_PID=1\n\033[2J");
	free(a->service);
	a->service = strdup("s\nEVIL=1");
	assert_int_equal(journal_write(ALERT_GREW, a), 0);
	receive(fd, entry);
	assert_field(entry, "PRIORITY", "4");
	assert_field(entry, "OBJECT_PID", "1005");
	assert_field(entry, "EVIL", NULL);
	assert_field(entry, "SEEP_SERVICE", "s?EVIL=1");
	assert_field(entry, "SEEP_FUNCTION", "f?PRIORITY=0?OBJECT_PID=1??[2J");
}

/* Nobody is told of suspects. */
static void test_suspects(void **state)
{
	_cleanup_(alert_freep) struct alert *a = fixture_alert(1, 5);
	_cleanup_close_ int fd = -EBADF;
	char byte;

	need_namespace(state);
	fd = open_socket();
	assert_int_equal(journal_write(ALERT_SUSPECTED, a), 0);
	assert_int_equal(journal_write(ALERT_CLEARED, a), 0);
	assert_true(recv(fd, &byte, 1, 0) < 0 && errno == EAGAIN);
}

/* Standard error while something is written. */
static void capture(enum alert_event event, const struct alert *a, char *ret, size_t size)
{
	_cleanup_close_ int fd = memfd_create("stderr", MFD_CLOEXEC), old = dup(STDERR_FILENO);
	ssize_t n;

	assert_true(fd >= 0 && old >= 0);
	(void)fflush(stderr);
	assert_true(dup2(fd, STDERR_FILENO) >= 0);
	assert_int_equal(journal_write(event, a), 0);
	(void)fflush(stderr);
	assert_true(dup2(old, STDERR_FILENO) >= 0);
	n = pread(fd, ret, size - 1, 0);
	assert_true(n >= 0);
	ret[n] = '\0';
}

static void test_without_journal(void **state)
{
	_cleanup_(alert_freep) struct alert *a = fixture_alert(1, 5);
	char text[1024];

	need_namespace(state);
	(void)unlink(JOURNAL_SOCKET);
	capture(ALERT_OPENED, a, text, sizeof(text));
	assert_string_equal(text,
			    "seep: leak in server.service: 56.0 MiB in 8,210 blocks, +2.0 MiB per "
			    "hour, session_open (libserver.so.1), memory limit in 21 d\n");
}

static void test_ids_and_priorities(void **state)
{
	_cleanup_(alert_freep) struct alert *a = fixture_alert(1, 5);

	(void)state;
	for (int i = ALERT_SUSPECTED; i <= ALERT_MARKED; i++) {
		const char *id = journal_message_id((enum alert_event)i);

		assert_int_equal(strlen(id), 32);
		assert_int_equal(strspn(id, "0123456789abcdef"), 32);
		for (int k = ALERT_SUSPECTED; k < i; k++)
			assert_string_not_equal(id, journal_message_id((enum alert_event)k));
	}
	a->severity = TREND_CRITICAL;
	assert_int_equal(journal_priority(ALERT_OPENED, a), LOG_CRIT);
	assert_int_equal(journal_priority(ALERT_STOPPED, a), LOG_NOTICE);
	assert_int_equal(journal_priority(ALERT_MARKED, a), LOG_INFO);
	a->severity = TREND_LOW;
	assert_int_equal(journal_priority(ALERT_GREW, a), LOG_NOTICE);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_entry),		cmocka_unit_test(test_gone),
		cmocka_unit_test(test_hostile),		cmocka_unit_test(test_suspects),
		cmocka_unit_test(test_without_journal), cmocka_unit_test(test_ids_and_priorities),
	};

	return cmocka_run_group_tests(tests, make_namespace, free_state);
}
