// SPDX-License-Identifier: GPL-2.0-or-later
/* Empty probes. See floor.h. */
#include "floor.h"

#include <errno.h>
#include <linux/bpf.h>
#include <stdint.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <bpf/bpf.h>
#include <bpf/libbpf.h>

#include "base/cleanup.h"

/* Newer than the headers of Debian 12. */
#define ATTACH_UPROBE_MULTI   48 /* BPF_TRACE_UPROBE_MULTI, kernel 6.6 */
#define ATTACH_UPROBE_SESSION 57 /* BPF_TRACE_UPROBE_SESSION, kernel 6.13 */
#define UPROBE_MULTI_RETURN   1u /* BPF_F_UPROBE_MULTI_RETURN */

/* A session program's answer at entry: 1 leaves the return side out. */
#define SESSION_SKIP_RETURN 1

/* The part of union bpf_attr that BPF_LINK_CREATE reads for uprobe_multi (kernel 6.6). */
struct link_attr {
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

static int load_empty(uint32_t attach_type, int answer)
{
	const struct bpf_insn code[] = {
		{ .code = BPF_ALU64 | BPF_MOV | BPF_K, .dst_reg = BPF_REG_0, .imm = answer },
		{ .code = BPF_JMP | BPF_EXIT },
	};
	LIBBPF_OPTS(bpf_prog_load_opts, options,
		    .expected_attach_type = (enum bpf_attach_type)attach_type);
	int fd = bpf_prog_load(BPF_PROG_TYPE_KPROBE, "empty", "GPL", code, ARRAY_SIZE(code),
			       &options);

	return fd < 0 ? -errno : fd;
}

static int create_link(int program, uint32_t attach_type, uint32_t flags, const char *path,
		       uint64_t offset, pid_t pid)
{
	const unsigned long offsets[] = { offset };
	const struct link_attr attr = {
		.prog_fd = (uint32_t)program,
		.attach_type = attach_type,
		.path = (uintptr_t)path,
		.offsets = (uintptr_t)offsets,
		.cnt = 1,
		.multi_flags = flags,
		.pid = (uint32_t)pid,
	};
	int fd = (int)syscall(SYS_bpf, BPF_LINK_CREATE, &attr, sizeof(attr));

	return fd < 0 ? -errno : fd;
}

static int attach_session(struct floor_probes *f, enum floor_kind kind, const struct allocator *a,
			  pid_t pid)
{
	f->programs[0] =
		load_empty(ATTACH_UPROBE_SESSION, kind == FLOOR_SKIPPED ? SESSION_SKIP_RETURN : 0);
	if (f->programs[0] < 0)
		return f->programs[0];
	f->links[0] = create_link(f->programs[0], ATTACH_UPROBE_SESSION, 0, a->path,
				  a->malloc.place, pid);
	f->has_session = f->links[0] >= 0;
	return f->has_session ? 0 : f->links[0];
}

static int attach_two_links(struct floor_probes *f, const struct allocator *a, pid_t pid)
{
	f->programs[0] = load_empty(ATTACH_UPROBE_MULTI, 0);
	if (f->programs[0] < 0)
		return f->programs[0];
	f->links[0] = create_link(f->programs[0], ATTACH_UPROBE_MULTI, UPROBE_MULTI_RETURN, a->path,
				  a->malloc.place, pid);
	if (f->links[0] < 0)
		return f->links[0];
	f->links[1] =
		create_link(f->programs[0], ATTACH_UPROBE_MULTI, 0, a->path, a->malloc.place, pid);
	return f->links[1] < 0 ? f->links[1] : 0;
}

int floor_attach(enum floor_kind kind, const struct allocator *a, pid_t pid,
		 struct floor_probes *ret)
{
	struct floor_probes f = { .programs = { -EBADF, -EBADF },
				  .links = { -EBADF, -EBADF, -EBADF } };
	int r = 0;

	/* Whether there are session links is found by setting one; each kernel refuses differently. */
	if (attach_session(&f, kind, a, pid) < 0) {
		f.programs[0] = close_fd(f.programs[0]);
		r = attach_two_links(&f, a, pid);
	}
	if (r == 0)
		r = f.programs[1] = load_empty(ATTACH_UPROBE_MULTI, 0);
	if (r >= 0)
		r = f.links[2] = create_link(f.programs[1], ATTACH_UPROBE_MULTI, 0, a->path,
					     a->free.place, pid);
	if (r < 0) {
		floor_detach(&f);
		return r;
	}
	*ret = f;
	return 0;
}

void floor_detach(struct floor_probes *f)
{
	for (size_t i = 0; i < ARRAY_SIZE(f->links); i++)
		f->links[i] = close_fd(f->links[i]);
	for (size_t i = 0; i < ARRAY_SIZE(f->programs); i++)
		f->programs[i] = close_fd(f->programs[i]);
}
