// SPDX-License-Identifier: GPL-2.0-or-later
/* Names of generated code. See perf_map.h. */
#include "symbolize/perf_map.h"

#include <stdbool.h>
#include <string.h>
#include <sys/stat.h>

struct entry {
	uint64_t start;
	uint64_t end;
	uint32_t line;	  /* where it was written: addresses are used again */
	const char *name; /* into the text */
};

struct perf_map {
	int fd;		       /* owned */
	off_t size;	       /* of the file when it was read */
	char *text;	       /* owned; names end with NUL */
	struct entry *entries; /* owned, by start, then by line */
	size_t n;
};

struct perf_map *perf_map_free(struct perf_map *m)
{
	if (!m)
		return NULL;
	free(m->entries);
	free(m->text);
	close_fd(m->fd);
	free(m);
	return NULL;
}

static int read_text(int fd, char **ret, off_t *ret_size)
{
	_cleanup_free_ char *text = NULL;
	size_t size, n = 0;
	struct stat st;

	if (fstat(fd, &st) < 0)
		return -errno;
	if (st.st_size > PERF_MAP_BYTES_MAX)
		return -EFBIG;
	size = (size_t)st.st_size;
	text = malloc(size + 1);
	if (!text)
		return -ENOMEM;
	while (n < size) {
		ssize_t got = pread(fd, text + n, size - n, (off_t)n);

		if (got < 0)
			return -errno;
		if (got == 0)
			break;
		n += (size_t)got;
	}
	text[n] = '\0';
	*ret_size = st.st_size;
	*ret = TAKE_PTR(text);
	return 0;
}

/* Hexadecimal digits, then a blank. False, if it is anything else or too long. */
static bool take_hex(const char **at, uint64_t *ret)
{
	const char *p = *at;
	uint64_t value = 0;
	int digits = 0;

	for (;; p++, digits++) {
		unsigned int digit;

		if (*p >= '0' && *p <= '9')
			digit = (unsigned int)(*p - '0');
		else if ((*p | 0x20) >= 'a' && (*p | 0x20) <= 'f')
			digit = (unsigned int)((*p | 0x20) - 'a') + 10;
		else
			break;
		value = value << 4 | digit;
	}
	if (digits == 0 || digits > 16 || *p != ' ')
		return false;
	*at = p + 1;
	*ret = value;
	return true;
}

static bool parse_line(const char *line, struct entry *ret)
{
	uint64_t size;

	if (!take_hex(&line, &ret->start) || !take_hex(&line, &size) || !*line ||
	    size > UINT64_MAX - ret->start)
		return false;
	ret->end = ret->start + size;
	ret->name = line;
	return true;
}

static int compare_entries(const void *a, const void *b)
{
	const struct entry *x = a, *y = b;

	if (x->start != y->start)
		return x->start < y->start ? -1 : 1;
	return x->line < y->line ? -1 : x->line > y->line;
}

static int parse_text(struct perf_map *m)
{
	size_t capacity = 0;
	uint32_t number = 0;
	char *rest = m->text, *line;

	while ((line = strsep(&rest, "\n"))) {
		struct entry e = { .line = number++ };

		if (!parse_line(line, &e))
			continue;
		if (m->n == capacity) {
			size_t larger = capacity ? 2 * capacity : 256;
			struct entry *grown = reallocarray(m->entries, larger, sizeof(*grown));

			if (!grown)
				return -ENOMEM;
			m->entries = grown;
			capacity = larger;
		}
		m->entries[m->n++] = e;
	}
	if (!m->n)
		return -ENOEXEC;
	qsort(m->entries, m->n, sizeof(*m->entries), compare_entries);
	return 0;
}

int perf_map_read(int fd, struct perf_map **ret)
{
	_cleanup_(perf_map_freep) struct perf_map *m = calloc(1, sizeof(*m));
	int r;

	if (!m) {
		close_fd(fd);
		return -ENOMEM;
	}
	m->fd = fd;
	r = read_text(m->fd, &m->text, &m->size);
	if (r == 0)
		r = parse_text(m);
	if (r < 0)
		return r;
	*ret = TAKE_PTR(m);
	return 0;
}

void perf_map_refresh(struct perf_map *m)
{
	struct perf_map fresh = { .fd = -EBADF };
	struct stat st;

	if (fstat(m->fd, &st) < 0 || st.st_size == m->size)
		return;
	if (read_text(m->fd, &fresh.text, &fresh.size) < 0 || parse_text(&fresh) < 0) {
		free(fresh.entries);
		free(fresh.text);
		return;
	}
	free(m->entries);
	free(m->text);
	m->text = fresh.text;
	m->entries = fresh.entries;
	m->n = fresh.n;
	m->size = fresh.size;
}

const char *perf_map_find(const struct perf_map *m, uint64_t address)
{
	size_t low = 0, high = m->n;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (m->entries[middle].start <= address)
			low = middle + 1;
		else
			high = middle;
	}
	if (low == 0 || address >= m->entries[low - 1].end)
		return NULL;
	return m->entries[low - 1].name;
}
