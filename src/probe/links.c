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

/* What BPF_LINK_CREATE reads of union bpf_attr for uprobe_multi (kernel 6.6) and sessions. */
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

int link_create_multi(enum probe_links_kind kind, int prog_fd, const char *path,
		      const unsigned long *offsets, const uint64_t *cookies, uint32_t n,
		      bool on_return, pid_t pid)
{
	struct link_create_attr attr = {
		.prog_fd = (uint32_t)prog_fd,
		.attach_type =
			kind == PROBE_LINKS_SESSION ? ATTACH_UPROBE_SESSION : ATTACH_UPROBE_MULTI,
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

void links_enlist(struct probe_links *l)
{
	l->after = l->probe->links;
	if (l->after)
		l->after->before = l;
	l->probe->links = l;
}

void links_free(struct probe_links *l)
{
	if (!l)
		return;
	if (l->before)
		l->before->after = l->after;
	else if (l->probe->links == l)
		l->probe->links = l->after;
	if (l->after)
		l->after->before = l->before;
	free(l);
}

int links_hand_over_again(struct probe *p)
{
	int r = 0;

	for (struct probe_links *l = p->links; l && r == 0; l = l->after) {
		const struct link_request of = {
			.number = l->number,
			.pid = l->pid,
			.slot = l->slot,
		};

		for (size_t i = 0; i < l->n && r == 0; i++) {
			int copy = fcntl(l->fds[i], F_DUPFD_CLOEXEC, 0);

			r = copy < 0 ? -errno : broker_hand_over(p->broker, &of, &copy, 1, true);
		}
	}
	return r;
}

void probe_links_free_all(struct probe *p, struct probe_links **links, size_t n)
{
	_cleanup_free_ uint64_t *numbers = calloc(n + 1, sizeof(*numbers));
	size_t n_numbers = 0;
	int r = 0;

	for (size_t i = 0; i < n; i++) {
		struct probe_links *l = links[i];

		/* Copies, of what stays. */
		for (size_t k = 0; l && !l->window && p->is_left && k < l->n; k++)
			l->fds[k] = close_fd(l->fds[k]);
		if (l && !l->window && !p->is_left) {
			/* A child that was started since they were made has no copies yet. */
			const struct link_request all = { .number = l->number };

			r = broker_hand_over(p->broker, &all, l->fds, l->n, true);
			if (!numbers)
				r = broker_close(p->broker, &l->number, 1);
			else
				numbers[n_numbers++] = l->number;
		}
		links_free(l);
		links[i] = NULL;
	}
	if (n_numbers > 0)
		r = broker_close(p->broker, numbers, n_numbers);
	if (r < 0)
		log_debug_errno(r, "links are removed without help");
}

struct probe_links *probe_links_free(struct probe_links *l)
{
	if (l)
		probe_links_free_all(l->probe, &l, 1);
	return NULL;
}

/* Entry only, or entry and return: what the functions of a kind need. */
static bool returns_block(enum hook_kind kind)
{
	return kind != HOOK_FREE && kind != HOOK_LINK_MAP && kind != HOOK_OBJECT &&
	       kind != HOOK_MAKER;
}

static bool is_free(enum hook_kind kind)
{
	return kind == HOOK_FREE;
}

static bool is_link_map(enum hook_kind kind)
{
	return kind == HOOK_LINK_MAP;
}

static bool is_object(enum hook_kind kind)
{
	return kind == HOOK_OBJECT;
}

static bool is_maker(enum hook_kind kind)
{
	return kind == HOOK_MAKER;
}

static int add_link(struct probe *p, struct probe_links *l, const struct bpf_program *prog,
		    int file_fd, const struct link_request *request)
{
	struct link_request asked = *request;
	int fd;

	if (request->n == 0)
		return 0;
	if (l->window) {
		asked.operation = LINK_CREATE_OPEN;
		asked.number = l->window;
		l->n++;
		return broker_ask(p->windows, &asked, bpf_program__fd(prog), file_fd);
	}
	asked.number = l->number;
	asked.slot = l->slot;
	fd = broker_create_link(p->broker, &asked, bpf_program__fd(prog), file_fd);
	if (fd < 0)
		return fd;
	l->fds[l->n++] = fd;
	return 0;
}

/* One link for all points of some kinds. The cookie tells each one's kind. */
static int add_multi(struct probe *p, struct probe_links *l, enum probe_links_kind kind,
		     const struct bpf_program *prog, int file_fd, const struct probe_point *points,
		     size_t n, bool (*wanted)(enum hook_kind), bool on_return, pid_t pid)
{
	struct link_request request = { .kind = kind, .on_return = on_return, .pid = pid };

	for (size_t i = 0; i < n; i++) {
		if (!wanted(points[i].kind))
			continue;
		request.cookies[request.n] = points[i].kind |
					     (points[i].calls_hooks ? COOKIE_CALLS_HOOKS : 0) |
					     (uint64_t)l->meter << COOKIE_METER_SHIFT;
		request.offsets[request.n++] = points[i].offset;
	}
	return add_link(p, l, prog, file_fd, &request);
}

/* Frees before allocations: a block that is seen must have its free seen. */
static int attach_multi(struct probe *p, pid_t pid, int file_fd, const struct probe_point *points,
			size_t n, struct probe_links *l)
{
	const struct {
		const struct bpf_program *prog;
		bool (*wanted)(enum hook_kind);
		enum probe_links_kind kind;
		bool on_return;
	} links[] = {
		{ p->skel->progs.link_map_enter, is_link_map, PROBE_LINKS_MULTI, false },
		{ p->skel->progs.free_enter, is_free, PROBE_LINKS_MULTI, false },
		{ p->skel->progs.alloc_session, returns_block, PROBE_LINKS_SESSION, false },
		{ p->skel->progs.alloc_exit, returns_block, PROBE_LINKS_MULTI, true },
		{ p->skel->progs.alloc_enter, returns_block, PROBE_LINKS_MULTI, false },
		{ p->skel->progs.object_enter, is_object, PROBE_LINKS_MULTI, false },
		{ p->skel->progs.maker_session, is_maker, PROBE_LINKS_SESSION, false },
		{ p->skel->progs.maker_exit, is_maker, PROBE_LINKS_MULTI, true },
		{ p->skel->progs.maker_enter, is_maker, PROBE_LINKS_MULTI, false },
	};
	int r = 0;

	for (size_t i = 0; i < ARRAY_SIZE(links) && r == 0; i++) {
		/* What was not loaded is not attached: either the session or the two others. */
		if (bpf_program__fd(links[i].prog) < 0)
			continue;
		r = add_multi(p, l, links[i].kind, links[i].prog, file_fd, points, n,
			      links[i].wanted, links[i].on_return, pid);
	}
	return r;
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
	case HOOK_LINK_MAP:
		return p->skel->progs.link_map_enter;
	case HOOK_OBJECT:
		return p->skel->progs.object_enter;
	case HOOK_MAKER:
		return p->skel->progs.maker_enter;
	}
	return NULL;
}

static int add_perf(struct probe *p, struct probe_links *l, const struct bpf_program *prog,
		    int file_fd, uint64_t offset, bool on_return, pid_t pid)
{
	const struct link_request request = {
		.kind = PROBE_LINKS_PERF,
		.on_return = on_return,
		.pid = pid,
		.n = 1,
		.offsets = { offset },
	};

	return add_link(p, l, prog, file_fd, &request);
}

/* With its return probe first, so that each entry that is seen has one. */
static int add_perf_with_return(struct probe *p, struct probe_links *l,
				const struct bpf_program *on_return, int file_fd,
				const struct probe_point *point, pid_t pid)
{
	int r = add_perf(p, l, on_return, file_fd, point->offset, true, pid);

	return r < 0 ? r :
		       add_perf(p, l, program_of(p, point->kind), file_fd, point->offset, false,
				pid);
}

/* The order is that of attach_multi(). */
static int attach_perf(struct probe *p, pid_t pid, int file_fd, const struct probe_point *points,
		       size_t n, struct probe_links *l)
{
	int r = 0;

	for (size_t i = 0; i < n && r == 0; i++)
		if (is_maker(points[i].kind))
			r = add_perf_with_return(p, l, p->skel->progs.maker_exit, file_fd,
						 &points[i], pid);
		else if (!returns_block(points[i].kind))
			r = add_perf(p, l, program_of(p, points[i].kind), file_fd, points[i].offset,
				     false, pid);
	for (size_t i = 0; i < n && r == 0; i++)
		if (returns_block(points[i].kind))
			r = add_perf(p, l, p->skel->progs.alloc_exit, file_fd, points[i].offset,
				     true, pid);
	for (size_t i = 0; i < n && r == 0; i++)
		if (returns_block(points[i].kind))
			r = add_perf(p, l, program_of(p, points[i].kind), file_fd, points[i].offset,
				     false, pid);
	return r;
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

int links_attach(struct probe *p, uint32_t target, pid_t pid, uint16_t slot, int fd,
		 const struct probe_point *points, size_t n, uint64_t window,
		 struct probe_links **ret)
{
	_cleanup_(probe_links_freep) struct probe_links *l = NULL;
	_cleanup_free_ struct probe_point *unique = NULL;
	int r;

	if (!n || n > LINK_POINTS_MAX)
		return -EINVAL;
	unique = calloc(n, sizeof(*unique));
	l = calloc(1, sizeof(*l) + 2 * n * sizeof(l->fds[0]));
	if (!unique || !l)
		return -ENOMEM;
	l->probe = p;
	l->window = window;
	l->number = ++p->last_number;
	l->pid = pid;
	l->slot = slot;
	/* A target that has no meter, or none yet, is found by its process. */
	if (target && meter_of(p, target, &l->meter) < 0)
		l->meter = 0;
	n = drop_aliases(points, n, unique);
	warm_up(fd, unique, n);
	if (p->features.links != PROBE_LINKS_PERF)
		r = attach_multi(p, pid, fd, unique, n, l);
	else
		r = attach_perf(p, pid, fd, unique, n, l);
	if (r < 0)
		return r;
	if (!window) {
		broker_seal(p->broker, l->number);
		links_enlist(l);
	}
	*ret = TAKE_PTR(l);
	return 0;
}

int probe_attach(struct probe *p, uint32_t target, pid_t pid, int fd,
		 const struct probe_point *points, size_t n, struct probe_links **ret)
{
	return links_attach(p, target, pid, 0, fd, points, n, 0, ret);
}

int probe_attach_slot(struct probe *p, uint32_t target, pid_t pid, uint16_t slot, int fd,
		      const struct probe_point *points, size_t n, struct probe_links **ret)
{
	return links_attach(p, target, pid, slot, fd, points, n, 0, ret);
}
