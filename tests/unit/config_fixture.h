/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Folders of configuration, made for a test. */
#ifndef SEEP_TESTS_CONFIG_FIXTURE_H
#define SEEP_TESTS_CONFIG_FIXTURE_H

#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <ftw.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "daemon/config.h"

/* Three folders as /etc/seep, /run/seep and /usr/lib/seep. */
struct fixture {
	char root[64];
	char paths[3][80];
	const char *folders[3];
};

static inline int set_up(void **state)
{
	struct fixture *f = calloc(1, sizeof(*f));

	assert_non_null(f);
	snprintf(f->root, sizeof(f->root), "/tmp/seep-config-XXXXXX");
	assert_non_null(mkdtemp(f->root));
	for (size_t i = 0; i < 3; i++) {
		snprintf(f->paths[i], sizeof(f->paths[i]), "%s/%zu", f->root, i);
		f->folders[i] = f->paths[i];
	}
	*state = f;
	return 0;
}

static inline int remove_one(const char *path, const struct stat *st, int flag, struct FTW *walk)
{
	(void)st;
	(void)flag;
	(void)walk;
	return remove(path);
}

static inline int tear_down(void **state)
{
	struct fixture *f = *state;

	assert_int_equal(nftw(f->root, remove_one, 16, FTW_DEPTH | FTW_PHYS), 0);
	free(f);
	return 0;
}

static inline void make_folders(const struct fixture *f, size_t folder, const char *name)
{
	char path[256];
	const char *slash = strchr(name, '/');

	(void)mkdir(f->paths[folder], 0755);
	if (!slash)
		return;
	snprintf(path, sizeof(path), "%s/%.*s", f->paths[folder], (int)(slash - name), name);
	(void)mkdir(path, 0755);
}

static inline void put_file(const struct fixture *f, size_t folder, const char *name,
			    const char *text)
{
	char path[256];
	FILE *file;

	make_folders(f, folder, name);
	snprintf(path, sizeof(path), "%s/%s", f->paths[folder], name);
	file = fopen(path, "we");
	assert_non_null(file);
	assert_true(fputs(text, file) >= 0);
	assert_int_equal(fclose(file), 0);
}

static inline void load(const struct fixture *f, struct config *c)
{
	assert_int_equal(config_load_from(f->folders, 3, c), 0);
}

static inline void check_fine(const struct config *c)
{
	if (problems_count(&c->problems) > 0)
		fail_msg("%s", c->problems.n ? c->problems.lines[0] : "(no memory)");
}

/* The problems are these, in this order; each is the end of a path, a line, and the rest's begin. */
static inline void check_problems(const struct config *c, const char *const *expected, size_t n)
{
	for (size_t i = 0; i < n && i < c->problems.n; i++)
		if (!strstr(c->problems.lines[i], expected[i]))
			fail_msg("'%s' is not '%s'", c->problems.lines[i], expected[i]);
	if (c->problems.n != n)
		fail_msg("%zu problems of %zu; last: %s", c->problems.n, n,
			 c->problems.n ? c->problems.lines[c->problems.n - 1] : "none");
}

#endif
