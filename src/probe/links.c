// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Probes on one file: uprobe_multi links by the raw system call (libbpf 1.1 has no call for them),
 * or perf uprobes, one event per probe.
 */
#include <fcntl.h>
#include <linux/bpf.h>
#include <linux/perf_event.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>

#include <bpf/bpf.h>
#include <bpf/libbpf.h>

#include "base/log.h"
#include "base/parse.h"
#include "probe/object.h"

#define UPROBE_MULTI_RETURN 1u /* BPF_F_UPROBE_MULTI_RETURN */
#define PMU_FOLDER	    "/sys/bus/event_source/devices/uprobe/"

struct probe_links {
	size_t n;
	int fds[]; /* owned */
};

/* The part of union bpf_attr that BPF_LINK_CREATE reads for uprobe_multi (kernel 6.6). */
struct link_create_attr {
	uint32_t prog_fd;
	uint32_t target_fd;
	uint32_t attach_type;
	uint32_t flags;
	uint64_t path;
	uint64_t offsets;
	uint64_t ref_ctr_offsets;
	uint64_t cookies;
	uint32_t cnt;
	uint32_t multi_flags;
	uint32_t pid;
	uint32_t padding;
};

int link_create_multi(int prog_fd, const char *path, const unsigned long *offsets,
		      const uint64_t *cookies, uint32_t n, bool on_return, pid_t pid)
{
	struct link_create_attr attr = {
		.prog_fd = (uint32_t)prog_fd,
		.attach_type = ATTACH_UPROBE_MULTI,
		.path = (uintptr_t)path,
		.offsets = (uintptr_t)offsets,
		.cookies = (uintptr_t)cookies,
		.cnt = n,
		.multi_flags = on_return ? UPROBE_MULTI_RETURN : 0,
		.pid = (uint32_t)pid,
	};
	int fd;

	fd = (int)syscall(SYS_bpf, BPF_LINK_CREATE, &attr, sizeof(attr));
	return fd < 0 ? -errno : fd;
}

/* A number from a file below the uprobe PMU's folder: "7" or "config:0". */
static int read_pmu_number(const char *name, const char *prefix, uint64_t *ret)
{
	_cleanup_fclose_ FILE *f = NULL;
	char path[128], line[64];

	if (snprintf(path, sizeof(path), PMU_FOLDER "%s", name) >= (int)sizeof(path))
		return -ENAMETOOLONG;
	f = fopen(path, "re");
	if (!f)
		return -errno;
	if (!fgets(line, sizeof(line), f))
		return -EIO;
	line[strcspn(line, "\n")] = '\0';
	if (strncmp(line, prefix, strlen(prefix)) != 0)
		return -EIO;
	return parse_u64(line + strlen(prefix), ret);
}

int link_create_perf(int prog_fd, const char *path, uint64_t offset, bool on_return, pid_t pid)
{
	struct perf_event_attr attr = { .size = sizeof(attr) };
	_cleanup_close_ int fd = -EBADF;
	uint64_t type, return_bit;
	int r;

	r = read_pmu_number("type", "", &type);
	if (r < 0)
		return r;
	r = read_pmu_number("format/retprobe", "config:", &return_bit);
	if (r < 0)
		return r;
	attr.type = (uint32_t)type;
	attr.config = on_return ? 1ull << return_bit : 0;
	attr.uprobe_path = (uintptr_t)path;
	attr.probe_offset = offset;
	fd = (int)syscall(SYS_perf_event_open, &attr, pid > 0 ? pid : -1, pid > 0 ? -1 : 0, -1,
			  PERF_FLAG_FD_CLOEXEC);
	if (fd < 0)
		return -errno;
	if (ioctl(fd, PERF_EVENT_IOC_SET_BPF, prog_fd) < 0 ||
	    ioctl(fd, PERF_EVENT_IOC_ENABLE, 0) < 0)
		return -errno;
	return TAKE_FD(fd);
}

struct probe_links *probe_links_free(struct probe_links *l)
{
	if (!l)
		return NULL;
	for (size_t i = 0; i < l->n; i++)
		close_fd(l->fds[i]);
	free(l);
	return NULL;
}

static int add_multi(struct probe_links *l, const struct bpf_program *prog, const char *path,
		     const unsigned long *offsets, const uint64_t *cookies, uint32_t n,
		     bool on_return, pid_t pid)
{
	int fd;

	if (!n)
		return 0;
	fd = link_create_multi(bpf_program__fd(prog), path, offsets, cookies, n, on_return, pid);
	if (fd < 0)
		return fd;
	l->fds[l->n++] = fd;
	return 0;
}

/* Three links for all functions. Frees first: a block that is seen must have its free seen. */
static int attach_multi(struct probe *p, pid_t pid, const char *path,
			const struct probe_point *points, size_t n, struct probe_links *l)
{
	_cleanup_free_ unsigned long *offsets = calloc(n, sizeof(*offsets));
	_cleanup_free_ unsigned long *frees = calloc(n, sizeof(*frees));
	_cleanup_free_ uint64_t *cookies = calloc(n, sizeof(*cookies));
	uint32_t n_allocs = 0, n_frees = 0;
	int r;

	if (!offsets || !frees || !cookies)
		return -ENOMEM;
	for (size_t i = 0; i < n; i++) {
		if (points[i].kind == HOOK_FREE) {
			frees[n_frees++] = points[i].offset;
			continue;
		}
		cookies[n_allocs] = points[i].kind;
		offsets[n_allocs++] = points[i].offset;
	}
	r = add_multi(l, p->skel->progs.free_enter, path, frees, NULL, n_frees, false, pid);
	if (r < 0)
		return r;
	r = add_multi(l, p->skel->progs.alloc_exit, path, offsets, NULL, n_allocs, true, pid);
	if (r < 0)
		return r;
	return add_multi(l, p->skel->progs.alloc_enter, path, offsets, cookies, n_allocs, false,
			 pid);
}

static const struct bpf_program *program_of(const struct probe *p, enum hook_kind kind)
{
	switch (kind) {
	case HOOK_MALLOC:
		return p->skel->progs.malloc_enter;
	case HOOK_CALLOC:
		return p->skel->progs.calloc_enter;
	case HOOK_REALLOC:
		return p->skel->progs.realloc_enter;
	case HOOK_REALLOCARRAY:
		return p->skel->progs.reallocarray_enter;
	case HOOK_POSIX_MEMALIGN:
		return p->skel->progs.posix_memalign_enter;
	case HOOK_ALIGNED:
		return p->skel->progs.aligned_enter;
	case HOOK_FREE:
		return p->skel->progs.free_enter;
	}
	return NULL;
}

static int add_perf(struct probe_links *l, const struct bpf_program *prog, const char *path,
		    uint64_t offset, bool on_return, pid_t pid)
{
	int fd = link_create_perf(bpf_program__fd(prog), path, offset, on_return, pid);

	if (fd < 0)
		return fd;
	l->fds[l->n++] = fd;
	return 0;
}

/* The order is that of attach_multi(): frees, returns, entries. */
static int attach_perf(struct probe *p, pid_t pid, const char *path,
		       const struct probe_point *points, size_t n, struct probe_links *l)
{
	int r;

	for (size_t i = 0; i < n; i++) {
		if (points[i].kind != HOOK_FREE)
			continue;
		r = add_perf(l, p->skel->progs.free_enter, path, points[i].offset, false, pid);
		if (r < 0)
			return r;
	}
	for (size_t i = 0; i < n; i++) {
		if (points[i].kind == HOOK_FREE)
			continue;
		r = add_perf(l, p->skel->progs.alloc_exit, path, points[i].offset, true, pid);
		if (r < 0)
			return r;
	}
	for (size_t i = 0; i < n; i++) {
		if (points[i].kind == HOOK_FREE)
			continue;
		r = add_perf(l, program_of(p, points[i].kind), path, points[i].offset, false, pid);
		if (r < 0)
			return r;
	}
	return 0;
}

/* Aliases (free and cfree, aligned_alloc and memalign) share an offset and are probed once. */
static size_t drop_aliases(const struct probe_point *points, size_t n, struct probe_point *ret)
{
	size_t kept = 0;

	for (size_t i = 0; i < n; i++) {
		size_t j = 0;

		while (j < kept && ret[j].offset != points[i].offset)
			j++;
		if (j == kept)
			ret[kept++] = points[i];
	}
	return kept;
}

/* The kernel reads the instruction through the page cache; a cold page there is a known trap. */
static void warm_up(int fd, const struct probe_point *points, size_t n)
{
	uint8_t bytes[16];

	for (size_t i = 0; i < n; i++)
		if (pread(fd, bytes, sizeof(bytes), (off_t)points[i].offset) < 0)
			log_debug_errno(-errno, "failed to read the probed instruction, ignoring");
}

int probe_attach(struct probe *p, pid_t pid, int fd, const struct probe_point *points, size_t n,
		 struct probe_links **ret)
{
	_cleanup_(probe_links_freep) struct probe_links *l = NULL;
	_cleanup_free_ struct probe_point *unique = NULL;
	char path[32];
	int r;

	if (!n || n > 1024)
		return -EINVAL;
	unique = calloc(n, sizeof(*unique));
	l = calloc(1, sizeof(*l) + 2 * n * sizeof(l->fds[0]));
	if (!unique || !l)
		return -ENOMEM;
	n = drop_aliases(points, n, unique);
	warm_up(fd, unique, n);
	r = snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	if (r < 0 || (size_t)r >= sizeof(path))
		return -ENAMETOOLONG;
	if (p->features.links == PROBE_LINKS_MULTI)
		r = attach_multi(p, pid, path, unique, n, l);
	else
		r = attach_perf(p, pid, path, unique, n, l);
	if (r < 0)
		return r;
	*ret = TAKE_PTR(l);
	return 0;
}
