// SPDX-License-Identifier: GPL-2.0-or-later
/* Files of /proc and of cgroups, read whole. See read.h. */
#include "target/read.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/parse.h"

#define CHUNK 4096

static int read_fd(int fd, size_t max, char **ret, size_t *ret_n, bool *ret_cut)
{
	_cleanup_free_ char *text = NULL;
	size_t capacity = 0;
	size_t n = 0;
	ssize_t k;

	/* One byte more than is taken tells whether there is more. The sizes of these files are 0. */
	do {
		if (n + 1 >= capacity) {
			char *larger;

			capacity = capacity ? 2 * capacity : CHUNK;
			if (capacity > max + 2)
				capacity = max + 2;
			larger = realloc(text, capacity);
			if (!larger)
				return -ENOMEM;
			text = larger;
		}
		k = read(fd, text + n, capacity - 1 - n);
		if (k < 0 && errno == EINTR)
			continue;
		if (k < 0)
			return -errno;
		n += (size_t)k;
	} while (k != 0 && n <= max);

	if (n > max) {
		if (!ret_cut)
			return -E2BIG;
		n = max;
	}
	text[n] = '\0';

	if (ret_cut)
		*ret_cut = k != 0;
	*ret = TAKE_PTR(text);
	*ret_n = n;
	return 0;
}

int read_file(const char *path, size_t max, char **ret, size_t *ret_n, bool *ret_cut)
{
	_cleanup_close_ int fd = -EBADF;

	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	return read_fd(fd, max, ret, ret_n, ret_cut);
}

int proc_path(const char *proc, pid_t pid, const char *name, char *path, size_t size)
{
	int n = snprintf(path, size, "%s/%d/%s", proc, (int)pid, name);

	return n < 0 || (size_t)n >= size ? -ENAMETOOLONG : 0;
}

int proc_error(const char *proc, pid_t pid, int r)
{
	char path[PATH_MAX];

	if (r != -ENOENT)
		return r;
	if (proc_path(proc, pid, "", path, sizeof(path)) < 0 || access(path, F_OK) == 0)
		return r;
	return errno == ENOENT ? -ESRCH : r;
}

int read_proc(const char *proc, pid_t pid, const char *name, size_t max, char **ret, size_t *ret_n,
	      bool *ret_cut)
{
	char path[PATH_MAX];
	int r;

	r = proc_path(proc, pid, name, path, sizeof(path));
	if (r < 0)
		return r;
	return proc_error(proc, pid, read_file(path, max, ret, ret_n, ret_cut));
}

int open_proc(const char *proc, pid_t pid, const char *name, FILE **ret)
{
	char path[PATH_MAX];
	FILE *f;
	int r;

	r = proc_path(proc, pid, name, path, sizeof(path));
	if (r < 0)
		return r;
	f = fopen(path, "re");
	if (!f) {
		r = -errno;
		return proc_error(proc, pid, r);
	}

	*ret = f;
	return 0;
}

int find_number(const char *text, const char *key, uint64_t *ret)
{
	size_t length = strlen(key);

	for (const char *line = text; *line; line += strcspn(line, "\n"), line += *line == '\n') {
		if (strncmp(line, key, length) != 0)
			continue;
		line += length;
		line += strspn(line, " \t");
		return parse_digits(&line, 10, ret) < 0 ? -EBADMSG : 0;
	}
	return -EBADMSG;
}
