// SPDX-License-Identifier: GPL-2.0-or-later
/* Writing reports to files: whole or not at all, and never in the place of what is no file. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "cli/render.h"
#include "cli/report.h"

/* As on a terminal: none of this may reach a file. */
static const struct render_options options = {
	.colour = true,
	.ascii = true,
	.legend = true,
	.indent_json = true,
	.columns = 19,
};

#define JSON_TEXT \
	"{\"target\": {\"comm\": \"s\u00e9rver\", \"pid\": 7, \"id\": \"7-1\"}, \"sites\": []}\n"
#define PLAIN_TEXT \
	"s\u00e9rver (pid 7, target 7-1)\nlive 0 B in 0 blocks\n\n\nNo allocation was seen yet.\n"

struct fixture {
	char dir[64];
	char path[96];
	json_t *report;
};

static int setup(void **state)
{
	struct fixture *f = calloc(1, sizeof(*f));

	assert_non_null(f);
	snprintf(f->dir, sizeof(f->dir), "/tmp/test_cli_report.XXXXXX");
	assert_non_null(mkdtemp(f->dir));
	snprintf(f->path, sizeof(f->path), "%s/report", f->dir);
	f->report = json_pack("{s:{s:s,s:i,s:s},s:[]}", "target", "comm", "s\u00e9rver", "pid", 7,
			      "id", "7-1", "sites");
	assert_non_null(f->report);
	*state = f;
	return 0;
}

/* Files in the directory; all are removed. */
static int clear(const struct fixture *f)
{
	DIR *dir = opendir(f->dir);
	struct dirent *entry;
	int n = 0;

	assert_non_null(dir);
	while ((entry = readdir(dir))) {
		if (entry->d_name[0] == '.')
			continue;
		n++;
		assert_return_code(unlinkat(dirfd(dir), entry->d_name, 0), errno);
	}
	closedir(dir);
	return n;
}

static int teardown(void **state)
{
	struct fixture *f = *state;

	clear(f);
	rmdir(f->dir);
	json_decref(f->report);
	free(f);
	return 0;
}

static void expect_file(const char *path, const char *expected)
{
	char text[4096];
	FILE *file = fopen(path, "re");
	size_t n;

	assert_non_null(file);
	n = fread(text, 1, sizeof(text) - 1, file);
	fclose(file);
	text[n] = '\0';
	assert_string_equal(text, expected);
}

static void a_new_file_is_plain(void **state)
{
	struct fixture *f = *state;
	mode_t old = umask(027);
	struct stat st;

	assert_int_equal(report_write(f->path, f->report, false, &options), 0);
	umask(old);
	expect_file(f->path, PLAIN_TEXT);
	assert_return_code(stat(f->path, &st), errno);
	assert_int_equal(st.st_mode & 07777, 0640);
	assert_int_equal(report_write(f->path, f->report, true, &options), 0);
	expect_file(f->path, JSON_TEXT);
	assert_int_equal(clear(f), 1);
}

static void a_link_stays_a_link(void **state)
{
	struct fixture *f = *state;
	char link[112];
	struct stat st;

	snprintf(link, sizeof(link), "%s.link", f->path);
	assert_return_code(symlink("report", link), errno);
	assert_int_equal(report_write(f->path, f->report, true, &options), 0);
	assert_int_equal(report_write(link, f->report, false, &options), 0);
	expect_file(f->path, PLAIN_TEXT);
	assert_return_code(lstat(link, &st), errno);
	assert_true(S_ISLNK(st.st_mode));
	assert_int_equal(clear(f), 2);
}

static void a_pipe_stays_a_pipe(void **state)
{
	struct fixture *f = *state;
	char text[4096];
	struct stat st;
	ssize_t n;
	int fd;

	assert_return_code(mkfifo(f->path, 0600), errno);
	fd = open(f->path, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
	assert_true(fd >= 0);
	assert_int_equal(report_write(f->path, f->report, true, &options), 0);
	n = read(fd, text, sizeof(text) - 1);
	close(fd);
	assert_true(n > 0);
	text[n] = '\0';
	assert_string_equal(text, JSON_TEXT);
	assert_return_code(lstat(f->path, &st), errno);
	assert_true(S_ISFIFO(st.st_mode));
	assert_int_equal(clear(f), 1);
}

static void failures_leave_nothing_behind(void **state)
{
	struct fixture *f = *state;
	char path[128];

	snprintf(path, sizeof(path), "%s/none/report", f->dir);
	assert_int_equal(report_write(path, f->report, true, &options), -ENOENT);
	assert_int_equal(report_write(f->dir, f->report, true, &options), -EISDIR);
	assert_int_equal(report_write("/dev/full", f->report, true, &options), -ENOSPC);
	assert_int_equal(report_write("/dev/full", f->report, false, &options), -EIO);
	assert_int_equal(clear(f), 0);
}

/* Somebody else's file with the temporary's name is not written to. */
static void a_planted_temporary_is_refused(void **state)
{
	struct fixture *f = *state;
	char path[128];

	snprintf(path, sizeof(path), "%s.%d.tmp", f->path, (int)getpid());
	assert_return_code(symlink("/dev/full", path), errno);
	assert_int_equal(report_write(f->path, f->report, true, &options), -EEXIST);
	assert_int_equal(clear(f), 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(a_new_file_is_plain, setup, teardown),
		cmocka_unit_test_setup_teardown(a_link_stays_a_link, setup, teardown),
		cmocka_unit_test_setup_teardown(a_pipe_stays_a_pipe, setup, teardown),
		cmocka_unit_test_setup_teardown(failures_leave_nothing_behind, setup, teardown),
		cmocka_unit_test_setup_teardown(a_planted_temporary_is_refused, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
