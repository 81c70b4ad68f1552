// SPDX-License-Identifier: GPL-2.0-or-later
/* /proc/pid/maps and /proc/pid/pagemap. See ranges.h. */
#include "python/ranges.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>

#include "base/parse.h"

/* The kernel's default for vm.max_map_count is 65530. */
#define RANGES_MAX 65536

/* Documentation/admin-guide/mm/pagemap.rst */
#define PAGEMAP_PRESENT (1ull << 63)
#define PAGEMAP_SWAPPED (1ull << 62)

#define PATH_BYTES 256

/* "7f12-7f34 rw-p 00001000 fe:01 1234     /path" */
static int parse_range(const char *line, struct python_range *ret, bool *ret_wanted)
{
	const char *p = line;
	uint64_t number;

	if (parse_digits(&p, 16, &ret->start) < 0 || *p++ != '-' ||
	    parse_digits(&p, 16, &ret->end) < 0 || *p++ != ' ' || ret->end <= ret->start)
		return -EBADMSG;
	*ret_wanted = strncmp(p, "rw", 2) == 0 && strlen(p) > 4 && p[3] == 'p';
	if (!*ret_wanted)
		return 0;
	p += 5;
	if (parse_digits(&p, 16, &number) < 0 || *p++ != ' ' || parse_digits(&p, 16, &number) < 0 ||
	    *p++ != ':' || parse_digits(&p, 16, &number) < 0 || *p++ != ' ' ||
	    parse_digits(&p, 10, &number) < 0)
		return -EBADMSG;
	p += strspn(p, " ");
	ret->is_anonymous = number == 0 && strncmp(p, "[stack", 6) != 0;
	ret->is_heap = strncmp(p, "[heap]", 6) == 0;
	return 0;
}

static int add_range(struct python_range **ranges, size_t *n, size_t *room,
		     const struct python_range *r)
{
	struct python_range *last = *n ? &(*ranges)[*n - 1] : NULL;

	if (last && last->end == r->start && last->is_anonymous == r->is_anonymous &&
	    last->is_heap == r->is_heap) {
		last->end = r->end;
		return 0;
	}
	if (*n == RANGES_MAX)
		return -E2BIG;
	if (*n == *room) {
		size_t more = *room ? 2 * *room : 256;
		struct python_range *grown = reallocarray(*ranges, more, sizeof(*grown));

		if (!grown)
			return -ENOMEM;
		*ranges = grown;
		*room = more;
	}
	(*ranges)[(*n)++] = *r;
	return 0;
}

int python_ranges_read(const char *proc, pid_t pid, struct python_range **ret, size_t *ret_n)
{
	_cleanup_free_ struct python_range *ranges = NULL;
	_cleanup_free_ char *line = NULL;
	_cleanup_fclose_ FILE *f = NULL;
	size_t size = 0, n = 0, room = 0;
	char path[PATH_BYTES];
	int r;

	r = snprintf(path, sizeof(path), "%s/%d/maps", proc, (int)pid);
	if (r < 0 || (size_t)r >= sizeof(path))
		return -ENAMETOOLONG;
	f = fopen(path, "re");
	if (!f)
		return errno == ENOENT ? -ESRCH : -errno;
	while (getline(&line, &size, f) > 0) {
		struct python_range range = { 0 };
		bool wanted;

		r = parse_range(line, &range, &wanted);
		if (r == 0 && wanted)
			r = add_range(&ranges, &n, &room, &range);
		if (r < 0)
			return r;
	}
	/* Of a process that has ended nothing can be read, and kernel threads have nothing. */
	if (n == 0)
		return -ESRCH;
	*ret = TAKE_PTR(ranges);
	*ret_n = n;
	return 0;
}

const struct python_range *python_range_find(const struct python_range *ranges, size_t n,
					     uint64_t address)
{
	size_t low = 0, high = n;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (ranges[middle].end <= address)
			low = middle + 1;
		else
			high = middle;
	}
	return low < n && ranges[low].start <= address ? &ranges[low] : NULL;
}

int python_pages_open(const char *proc, pid_t pid)
{
	char path[PATH_BYTES];
	int r;

	r = snprintf(path, sizeof(path), "%s/%d/pagemap", proc, (int)pid);
	if (r < 0 || (size_t)r >= sizeof(path))
		return -ENAMETOOLONG;
	r = open(path, O_RDONLY | O_CLOEXEC);
	return r < 0 ? -errno : r;
}

void python_pages_read(int fd, uint64_t address, uint64_t *entries, uint8_t *ret, size_t n)
{
	size_t bytes = n * sizeof(*entries);
	off_t at = (off_t)(address / PYTHON_PAGE_BYTES * sizeof(*entries));

	if (fd < 0 || pread(fd, entries, bytes, at) != (ssize_t)bytes) {
		memset(ret, PYTHON_PAGE_PRESENT, n);
		return;
	}
	for (size_t i = 0; i < n; i++) {
		if (entries[i] & PAGEMAP_PRESENT)
			ret[i] = PYTHON_PAGE_PRESENT;
		else
			ret[i] = entries[i] & PAGEMAP_SWAPPED ? PYTHON_PAGE_SWAPPED :
								PYTHON_PAGE_NONE;
	}
}
