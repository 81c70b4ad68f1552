// SPDX-License-Identifier: GPL-2.0-or-later
/* Which files make up the configuration. See config_places.h. */
#include "daemon/config_places.h"

#include <dirent.h>
#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SUFFIX ".conf"

void config_paths_done(struct config_paths *p)
{
	for (size_t i = 0; i < p->n; i++)
		free(p->paths[i]);
	free(p->paths);
	*p = (struct config_paths){ .n = 0 };
}

/* Takes over @path. */
static int add_path(struct config_paths *p, char *path)
{
	char **grown = path ? reallocarray(p->paths, p->n + 1, sizeof(*grown)) : NULL;

	if (!grown) {
		free(path);
		return -ENOMEM;
	}
	p->paths = grown;
	p->paths[p->n++] = path;
	return 0;
}

int config_paths_add(struct config_paths *p, const char *path)
{
	return add_path(p, strdup(path));
}

static char *join(const char *folder, const char *name)
{
	char *path = NULL;

	return asprintf(&path, "%s/%s", folder, name) < 0 ? NULL : path;
}

int config_places_main(const char *const *folders, size_t n_folders, const char *name,
		       struct config_paths *paths)
{
	for (size_t i = 0; i < n_folders; i++) {
		_cleanup_free_ char *path = join(folders[i], name);

		if (!path)
			return -ENOMEM;
		if (access(path, F_OK) == 0)
			return add_path(paths, TAKE_PTR(path));
		if (errno != ENOENT && errno != ENOTDIR)
			return -errno;
	}
	return 0;
}

static const char *base_of(const char *path)
{
	return strrchr(path, '/') + 1; /* as join() made it */
}

static bool has_name(const struct config_paths *p, const char *name)
{
	for (size_t i = 0; i < p->n; i++)
		if (strcmp(base_of(p->paths[i]), name) == 0)
			return true;
	return false;
}

static bool is_drop_in(const char *name)
{
	size_t n = strlen(name);

	return name[0] != '.' && n > strlen(SUFFIX) &&
	       strcmp(name + n - strlen(SUFFIX), SUFFIX) == 0;
}

static void close_folder(DIR **d)
{
	if (*d)
		(void)closedir(*d);
}

static int add_folder(const char *folder, struct config_paths *found)
{
	_cleanup_(close_folder) DIR *d = opendir(folder);
	const struct dirent *entry;
	int r;

	if (!d)
		return errno == ENOENT || errno == ENOTDIR ? 0 : -errno;
	while ((entry = readdir(d))) {
		if (!is_drop_in(entry->d_name) || has_name(found, entry->d_name))
			continue;
		r = add_path(found, join(folder, entry->d_name));
		if (r < 0)
			return r;
	}
	return 0;
}

static int compare_names(const void *a, const void *b)
{
	return strcmp(base_of(*(char *const *)a), base_of(*(char *const *)b));
}

int config_places_drop_ins(const char *const *folders, size_t n_folders, const char *subfolder,
			   struct config_paths *paths)
{
	_cleanup_(config_paths_done) struct config_paths found = { .n = 0 };
	int r;

	for (size_t i = 0; i < n_folders; i++) {
		_cleanup_free_ char *folder = join(folders[i], subfolder);

		r = folder ? add_folder(folder, &found) : -ENOMEM;
		if (r < 0)
			return r;
	}
	if (found.n > 0)
		qsort(found.paths, found.n, sizeof(*found.paths), compare_names);
	for (size_t i = 0; i < found.n; i++) {
		r = add_path(paths, TAKE_PTR(found.paths[i]));
		if (r < 0)
			return r;
	}
	return 0;
}
