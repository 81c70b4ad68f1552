/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A made-up /proc (or cgroup tree) in a temporary folder, for tests of target/.
 * Include after cmocka.h.
 */
#ifndef SEEP_TESTS_FAKE_PROC_H
#define SEEP_TESTS_FAKE_PROC_H

#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

struct fake {
	char root[64];
};

static inline struct fake fake_new(void)
{
	struct fake f = { "/tmp/seep-test-XXXXXX" };

	assert_non_null(mkdtemp(f.root));
	return f;
}

static inline int fake_remove_one(const char *path, const struct stat *st, int flag,
				  struct FTW *ftw)
{
	(void)st;
	(void)flag;
	(void)ftw;
	return remove(path);
}

static inline void fake_done(struct fake *f)
{
	assert_int_equal(nftw(f->root, fake_remove_one, 16, FTW_DEPTH | FTW_PHYS), 0);
}

/* The full path of @name, with the folders above it made. In a buffer of PATH_MAX. */
static inline void fake_path(const struct fake *f, const char *name, char *path)
{
	int n = snprintf(path, PATH_MAX, "%s/%s", f->root, name);

	assert_in_range(n, 1, PATH_MAX - 1);
	for (char *slash = strchr(path + 1, '/'); slash; slash = strchr(slash + 1, '/')) {
		*slash = '\0';
		assert_true(mkdir(path, 0755) == 0 || errno == EEXIST);
		*slash = '/';
	}
}

static inline void fake_bytes(const struct fake *f, const char *name, const void *data, size_t n)
{
	char path[PATH_MAX];
	FILE *file;

	fake_path(f, name, path);
	file = fopen(path, "w");
	assert_non_null(file);
	assert_int_equal(fwrite(data, 1, n, file), n);
	assert_int_equal(fclose(file), 0);
}

static inline void fake_text(const struct fake *f, const char *name, const char *text)
{
	fake_bytes(f, name, text, strlen(text));
}

static inline void fake_link(const struct fake *f, const char *name, const char *target)
{
	char path[PATH_MAX];

	fake_path(f, name, path);
	assert_int_equal(symlink(target, path), 0);
}

static inline void fake_delete(const struct fake *f, const char *name)
{
	char path[PATH_MAX];

	fake_path(f, name, path);
	assert_int_equal(unlink(path), 0);
}

/* /proc/PID/stat of a process with this name, state, flags and start time. */
static inline void fake_stat(const struct fake *f, int pid, const char *comm, char state,
			     unsigned flags, unsigned long long start)
{
	char name[32];
	char text[512];
	int n;

	snprintf(name, sizeof(name), "%d/stat", pid);
	n = snprintf(text, sizeof(text),
		     "%d (%s) %c 7 11 11 0 -1 %u 17 0 0 0 1 2 0 0 20 0 1 0 %llu 4096 23 "
		     "18446744073709551615 1 1 0 0 0 0 0 0 0 0 0 0 17 1 0 0 0 0 0\n",
		     pid, comm, state, flags, start);
	assert_in_range(n, 1, sizeof(text) - 1);
	fake_bytes(f, name, text, (size_t)n);
}

#endif
