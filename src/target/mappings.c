// SPDX-License-Identifier: GPL-2.0-or-later
/* The executable mappings of a process, from /proc/pid/maps. See procfs.h. */
#include "target/procfs.h"

#include <errno.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/parse.h"
#include "target/read.h"

/* The kernel's default for vm.max_map_count is 65530. */
#define MAPPINGS_MAX 65536
#define PATHS_MAX    (16u << 20)

struct list {
	struct mapping *items; /* owned */
	size_t n;
	size_t capacity;
	size_t paths_bytes;
};

static void list_done(struct list *list)
{
	list->items = mappings_free(list->items, list->n);
}

struct mapping *mappings_free(struct mapping *mappings, size_t n)
{
	for (size_t i = 0; mappings && i < n; i++)
		free(mappings[i].path);
	free(mappings);
	return NULL;
}

static bool skip(const char **p, char c)
{
	if (**p != c)
		return false;
	(*p)++;
	return true;
}

/*
 * "7f12-7f34 r-xp 00001000 fe:01 1234     /path". *ret_executable is set for every line; of others
 * than executable ones nothing more is read. *ret_path is borrowed from @line.
 */
static int parse_line(const char *line, struct mapping *ret, bool *ret_executable,
		      const char **ret_path)
{
	const char *p = line;
	uint64_t major, minor;

	if (parse_digits(&p, 16, &ret->start) < 0 || !skip(&p, '-') ||
	    parse_digits(&p, 16, &ret->end) < 0 || !skip(&p, ' ') || ret->end <= ret->start)
		return -EBADMSG;
	/* "rwxp" */
	if (strspn(p, "rwxps-") != 4 || p[4] != ' ')
		return -EBADMSG;
	*ret_executable = p[2] == 'x';
	if (!*ret_executable)
		return 0;
	p += 5;
	if (parse_digits(&p, 16, &ret->offset) < 0 || !skip(&p, ' ') ||
	    parse_digits(&p, 16, &major) < 0 || !skip(&p, ':') ||
	    parse_digits(&p, 16, &minor) < 0 || !skip(&p, ' ') ||
	    parse_digits(&p, 10, &ret->inode) < 0 || major > UINT32_MAX || minor > UINT32_MAX)
		return -EBADMSG;
	if (*p != ' ' && *p != '\0')
		return -EBADMSG;
	ret->major = (uint32_t)major;
	ret->minor = (uint32_t)minor;
	*ret_path = p + strspn(p, " ");
	return 0;
}

/* The kernel writes a newline in a path as "\012", and nothing else in such a way. */
static void unescape(char *path)
{
	static const char escaped[] = "\\012";
	char *from = path;
	char *to = path;

	while (*from) {
		if (strncmp(from, escaped, sizeof(escaped) - 1) == 0) {
			*to++ = '\n';
			from += sizeof(escaped) - 1;
		} else {
			*to++ = *from++;
		}
	}
	*to = '\0';
}

static int copy_path(const char *path, struct mapping *m)
{
	static const char suffix[] = " (deleted)";
	const size_t suffix_n = sizeof(suffix) - 1;
	size_t n = strlen(path);

	/* No paths. The names of the kernel's own pages are kept, "[anon:...]" is the target's word. */
	if (m->inode == 0 && strcmp(path, "[vdso]") != 0 && strcmp(path, "[vsyscall]") != 0)
		n = 0;
	if (n > suffix_n && strcmp(path + n - suffix_n, suffix) == 0) {
		m->deleted = true;
		n -= suffix_n;
	}
	m->path = strndup(path, n);
	if (!m->path)
		return -ENOMEM;
	unescape(m->path);
	return 0;
}

static int add_line(struct list *list, const char *line)
{
	struct mapping m = { 0 };
	const char *path;
	bool executable;
	int r;

	r = parse_line(line, &m, &executable, &path);
	if (r < 0 || !executable)
		return r;
	list->paths_bytes += strlen(path);
	if (list->n == MAPPINGS_MAX || list->paths_bytes > PATHS_MAX)
		return -E2BIG;
	if (list->n == list->capacity) {
		size_t capacity = list->capacity ? 2 * list->capacity : 32;
		struct mapping *larger = reallocarray(list->items, capacity, sizeof(m));

		if (!larger)
			return -ENOMEM;
		list->items = larger;
		list->capacity = capacity;
	}
	r = copy_path(path, &m);
	if (r < 0)
		return r;
	list->items[list->n++] = m;
	return 0;
}

int procfs_exec_mappings(const char *proc, pid_t pid, struct mapping **ret, size_t *ret_n)
{
	_cleanup_(list_done) struct list list = { 0 };
	_cleanup_fclose_ FILE *f = NULL;
	_cleanup_free_ char *line = NULL;
	size_t capacity = 0;
	ssize_t n;
	int r;

	r = open_proc(proc, pid, "maps", &f);
	if (r < 0)
		return r;
	for (;;) {
		errno = 0;
		n = getline(&line, &capacity, f);
		if (n < 0)
			break;
		/* A last line without its end was cut, and a NUL is in no path. */
		if (line[n - 1] != '\n' || strlen(line) != (size_t)n)
			return -EBADMSG;
		line[n - 1] = '\0';
		r = add_line(&list, line);
		if (r < 0)
			return r;
	}
	if (ferror(f) || !feof(f))
		return errno ? -errno : -EIO;

	*ret = TAKE_PTR(list.items);
	*ret_n = list.n;
	list.n = 0;
	return 0;
}
