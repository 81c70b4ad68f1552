// SPDX-License-Identifier: GPL-2.0-or-later
/* process_vm_readv(). See memory.h. */
#include "python/memory.h"

#include <errno.h>
#include <stdbool.h>
#include <string.h>
#include <sys/uio.h>

#include "base/utf8.h"
#include "python/layout.h"

#define BATCH 1024 /* IOV_MAX */

static int read_process(const struct python_memory *m, uint64_t address, void *to, size_t n)
{
	struct iovec local = { .iov_base = to, .iov_len = n };
	struct iovec remote = { .iov_base = (void *)address, .iov_len = n };
	ssize_t done = process_vm_readv(m->pid, &local, 1, &remote, 1, 0);

	if (done < 0)
		return -errno;
	return (size_t)done == n ? 0 : -EFAULT;
}

void python_memory_of_process(struct python_memory *m, pid_t pid)
{
	*m = (struct python_memory){ .read = read_process, .pid = pid };
}

int python_read_u64(const struct python_memory *m, uint64_t address, uint64_t *ret)
{
	return python_read(m, address, ret, sizeof(*ret));
}

/*
 * One call. The kernel stops at the first piece that it cannot read, and the bytes tell which one that is;
 * a piece may be read in part.
 */
static ssize_t read_batch(const struct python_memory *m, struct python_run *runs, size_t n)
{
	struct iovec local[BATCH], remote[BATCH];
	ssize_t done;

	for (size_t i = 0; i < n; i++) {
		local[i] = (struct iovec){ .iov_base = runs[i].to, .iov_len = runs[i].n };
		remote[i] =
			(struct iovec){ .iov_base = (void *)runs[i].address, .iov_len = runs[i].n };
	}
	done = process_vm_readv(m->pid, local, n, remote, n, 0);
	return done < 0 ? -errno : done;
}

/* How many runs are dealt with: those that were read, and the one that could not be. */
static size_t share_out(struct python_run *runs, size_t n, size_t done)
{
	for (size_t i = 0; i < n; i++) {
		runs[i].done = done < runs[i].n ? done : runs[i].n;
		done -= runs[i].done;
		if (runs[i].done < runs[i].n)
			return i + 1;
	}
	return n;
}

int python_read_runs(const struct python_memory *m, struct python_run *runs, size_t n)
{
	/* Memory of another kind is read piece by piece. */
	for (size_t i = 0; m->read != read_process && i < n; i++)
		runs[i].done =
			m->read(m, runs[i].address, runs[i].to, runs[i].n) == 0 ? runs[i].n : 0;
	for (size_t at = 0; m->read == read_process && at < n;) {
		size_t batch = n - at < BATCH ? n - at : BATCH;
		ssize_t done = read_batch(m, runs + at, batch);

		if (done == -ESRCH || done == -EPERM)
			return (int)done;
		at += share_out(runs + at, batch, done < 0 ? 0 : (size_t)done);
	}
	return 0;
}

/* The bits of PyASCIIObject.state. */
#define STR_KIND(state)	   ((state) >> 2 & 7) /* bytes of a character */
#define STR_COMPACT(state) ((state) >> 5 & 1)
#define STR_ASCII(state)   ((state) >> 6 & 1)

static uint32_t code_point(const uint8_t *data, size_t i, unsigned int kind)
{
	uint16_t two;
	uint32_t four;

	switch (kind) {
	case 1:
		return data[i];
	case 2:
		memcpy(&two, data + 2 * i, sizeof(two));
		return two;
	default:
		memcpy(&four, data + 4 * i, sizeof(four));
		return four;
	}
}

/* Bytes of @c as UTF-8; what no terminal should get is a '?'. */
static size_t encode(uint32_t c, char to[4])
{
	size_t n;

	if (c < 0x80) {
		to[0] = (char)c;
		n = 1;
	} else if (c < 0x800) {
		to[0] = (char)(0xc0 | c >> 6);
		to[1] = (char)(0x80 | (c & 0x3f));
		n = 2;
	} else if (c < 0x10000) {
		to[0] = (char)(0xe0 | c >> 12);
		to[1] = (char)(0x80 | (c >> 6 & 0x3f));
		to[2] = (char)(0x80 | (c & 0x3f));
		n = 3;
	} else {
		to[0] = (char)(0xf0 | (c >> 18 & 7));
		to[1] = (char)(0x80 | (c >> 12 & 0x3f));
		to[2] = (char)(0x80 | (c >> 6 & 0x3f));
		to[3] = (char)(0x80 | (c & 0x3f));
		n = 4;
	}
	if (c > 0x10ffff || !utf8_is_printable(to, n)) {
		to[0] = '?';
		n = 1;
	}
	return n;
}

int python_read_str(const struct python_memory *m, const struct python_layout *l, uint64_t object,
		    char *to, size_t room)
{
	uint8_t head[40], data[4 * PYTHON_TEXT_MAX];
	uint64_t length;
	uint32_t state;
	size_t n, at = 0;
	int r;

	r = python_read(m, object, head, sizeof(head));
	if (r < 0)
		return r;
	memcpy(&length, head + l->str_length, sizeof(length));
	memcpy(&state, head + l->str_state, sizeof(state));
	if (!room || !STR_COMPACT(state) || length > INT32_MAX ||
	    (STR_KIND(state) != 1 && STR_KIND(state) != 2 && STR_KIND(state) != 4) ||
	    (STR_ASCII(state) && STR_KIND(state) != 1))
		return -EINVAL;
	n = length < PYTHON_TEXT_MAX ? (size_t)length : PYTHON_TEXT_MAX;
	r = python_read(m, object + (STR_ASCII(state) ? l->str_ascii : l->str_compact), data,
			n * STR_KIND(state));
	if (r < 0)
		return r;
	for (size_t i = 0; i < n; i++) {
		char c[4];
		size_t bytes = encode(code_point(data, i, STR_KIND(state)), c);

		if (at + bytes >= room)
			break;
		memcpy(to + at, c, bytes);
		at += bytes;
	}
	to[at] = '\0';
	return 0;
}
