// SPDX-License-Identifier: GPL-2.0-or-later
/* Where malloc and free are, and whether they are probed. See allocator.h. */
#include "allocator.h"

#include <dlfcn.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/uio.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "elf/placement.h"
#include "harness.h"
#include "target/procfs.h"

/* Probes go to the first bytes of a function: placement does not look further. */
#define CODE_BYTES 64

#define DEADLINE_NS 10000000000ull

/* The mapping of this process or another that has @address, or that has @offset of @path. */
static int find_mapping(pid_t pid, uint64_t address, const char *path, uint64_t offset,
			struct mapping *ret, char *ret_path, size_t path_bytes)
{
	struct mapping *maps = NULL;
	size_t n = 0;
	int r;

	r = procfs_exec_mappings("/proc", pid, &maps, &n);
	if (r < 0)
		return r;
	r = -ENOENT;
	for (size_t i = 0; i < n && r < 0; i++) {
		const struct mapping *m = &maps[i];

		if (path ? strcmp(m->path, path) != 0 || offset < m->offset ||
				    offset - m->offset >= m->end - m->start :
			   address < m->start || address >= m->end)
			continue;
		*ret = *m;
		ret->path = NULL;
		if (ret_path && snprintf(ret_path, path_bytes, "%s", m->path) >= (int)path_bytes)
			r = -ENAMETOOLONG;
		else
			r = 0;
	}
	mappings_free(maps, n);
	return r;
}

static int find_function(const char *name, bool skips_null, struct function *ret, char *path,
			 size_t path_bytes)
{
	const uint8_t *code = dlsym(RTLD_DEFAULT, name);
	struct mapping m;
	int r;

	if (!code)
		return -ENOENT;
	r = find_mapping(getpid(), (uintptr_t)code, NULL, 0, &m, path, path_bytes);
	if (r < 0)
		return r;
	ret->code = code;
	ret->offset = (uintptr_t)code - m.start + m.offset;
	ret->place = ret->offset + placement_find(code, CODE_BYTES, skips_null);
	return 0;
}

int allocator_find(struct allocator *ret)
{
	int r;

	r = find_function("malloc", false, &ret->malloc, ret->path, sizeof(ret->path));
	if (r < 0)
		return r;
	return find_function("free", true, &ret->free, ret->path, sizeof(ret->path));
}

static int is_probed(const struct allocator *a, const struct function *f, pid_t pid)
{
	uint8_t bytes[CODE_BYTES];
	struct iovec local = { .iov_base = bytes, .iov_len = sizeof(bytes) };
	struct iovec remote = { .iov_len = sizeof(bytes) };
	struct mapping m;
	ssize_t n;
	int r;

	r = find_mapping(pid, 0, a->path, f->offset, &m, NULL, 0);
	if (r < 0)
		return r;
	remote.iov_base = (void *)(uintptr_t)(m.start + (f->offset - m.offset));
	n = process_vm_readv(pid, &local, 1, &remote, 1, 0);
	if (n < 0)
		return -errno;
	return n != sizeof(bytes) ? -EIO : memcmp(bytes, f->code, sizeof(bytes)) != 0;
}

int allocator_is_probed(const struct allocator *a, pid_t pid)
{
	int first = is_probed(a, &a->malloc, pid);

	return first ? first : is_probed(a, &a->free, pid);
}

void allocator_await(const struct allocator *a, pid_t pid, bool probed, const char *what)
{
	uint64_t end = now_ns() + DEADLINE_NS;
	int r;

	while ((r = allocator_is_probed(a, pid)) != probed) {
		if (r < 0)
			die("reading the child's code", r);
		if (now_ns() > end)
			die_of("%s: %s after ten seconds", what,
			       probed ? "no probe is seen" : "probes are still there");
		wait_ms(10);
	}
}
