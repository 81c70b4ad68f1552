// SPDX-License-Identifier: GPL-2.0-or-later
/* A record that is replaced as a whole: what is left of a writer that was killed at any byte. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/stat.h>

#include <cmocka.h>

#include "base/twin.h"

#define BYTES 1009

static void write_record(struct twin *t, char fill)
{
	char data[BYTES];

	for (size_t i = 0; i < sizeof(data); i++)
		data[i] = (char)(fill + i % 17);
	assert_int_equal(twin_begin(t), 0);
	twin_write(t, data, sizeof(data));
	assert_int_equal(twin_commit(t), 0);
}

static struct twin *copy_of(const struct twin *t)
{
	struct twin *copy = NULL;
	int fds[2];

	for (size_t i = 0; i < 2; i++)
		fds[i] = dup(twin_fd(t, i));
	assert_int_equal(twin_from(fds, &copy), 0);
	return copy;
}

static void check_record(struct twin *t, char fill)
{
	char data[BYTES], more;

	assert_int_equal(twin_open(t), 0);
	assert_int_equal(twin_read(t, data, sizeof(data)), 0);
	for (size_t i = 0; i < sizeof(data); i++)
		assert_int_equal(data[i], (char)(fill + i % 17));
	assert_int_equal(twin_read(t, &more, 1), -EBADMSG);
	twin_close(t);
}

static void test_newest_is_read(void **state)
{
	struct twin *t, *next;

	(void)state;
	assert_int_equal(twin_new("test", &t), 0);
	assert_int_equal(twin_open(t), -ENODATA);
	for (char fill = 'a'; fill < 'f'; fill++) {
		write_record(t, fill);
		next = copy_of(t);
		check_record(next, fill);
		twin_free(next);
	}
	/* The next writer goes on. */
	next = copy_of(t);
	write_record(next, 'm');
	twin_free(t);
	t = copy_of(next);
	check_record(t, 'm');
	twin_free(next);
	twin_free(t);
}

static void test_not_committed(void **state)
{
	struct twin *t, *next;

	(void)state;
	assert_int_equal(twin_new("test", &t), 0);
	write_record(t, 'a');
	assert_int_equal(twin_begin(t), 0);
	twin_write(t, "half", 4);
	next = copy_of(t);
	check_record(next, 'a');
	twin_free(next);
	write_record(t, 'b');
	check_record(t, 'b');
	twin_free(t);
}

/* The file of the newest record: the second one was written last. */
static void cut(struct twin *t, off_t size)
{
	assert_int_equal(ftruncate(twin_fd(t, 0), size), 0);
}

static void test_cut_anywhere(void **state)
{
	struct twin *t, *next;
	struct stat st;

	(void)state;
	assert_int_equal(twin_new("test", &t), 0);
	write_record(t, 'a');
	write_record(t, 'b');
	assert_int_equal(fstat(twin_fd(t, 0), &st), 0);
	for (off_t size = st.st_size - 1; size >= 0; size--) {
		cut(t, size);
		next = copy_of(t);
		check_record(next, 'a');
		twin_free(next);
	}
	twin_free(t);
}

static void test_damaged_anywhere(void **state)
{
	struct twin *t, *next;
	struct stat st;
	char byte, other, data[BYTES];

	(void)state;
	assert_int_equal(twin_new("test", &t), 0);
	write_record(t, 'a');
	write_record(t, 'b');
	assert_int_equal(fstat(twin_fd(t, 0), &st), 0);
	/* Behind gzip's own header, of which not every byte is checked. */
	for (off_t at = 10; at < st.st_size; at++) {
		assert_int_equal(pread(twin_fd(t, 0), &byte, 1, at), 1);
		other = (char)(byte ^ 0x55);
		assert_int_equal(pwrite(twin_fd(t, 0), &other, 1, at), 1);
		next = copy_of(t);
		assert_int_equal(twin_open(next), 0);
		assert_int_equal(twin_read(next, data, sizeof(data)), 0);
		assert_int_equal(data[0], 'a');
		twin_free(next);
		assert_int_equal(pwrite(twin_fd(t, 0), &byte, 1, at), 1);
	}
	twin_free(t);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_newest_is_read),
		cmocka_unit_test(test_not_committed),
		cmocka_unit_test(test_cut_anywhere),
		cmocka_unit_test(test_damaged_anywhere),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
