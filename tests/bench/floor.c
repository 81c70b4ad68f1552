// SPDX-License-Identifier: GPL-2.0-or-later
/* Empty probes. See floor.h. */
#include "floor.h"

#include <errno.h>
#include <linux/bpf.h>
#include <stdint.h>
#include <unistd.h>

#include <bpf/bpf.h>
#include <bpf/libbpf.h>

#include "base/cleanup.h"
#include "probe/object.h"

/* A session program's answer at entry: 1 leaves the return side out. */
#define SESSION_SKIP_RETURN 1

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

static int create_link(enum probe_links_kind kind, int program, bool on_return, const char *path,
		       uint64_t offset, pid_t pid)
{
	return link_create_multi(kind, program, path, (unsigned long[]){ offset }, NULL, 1,
				 on_return, pid);
}

static int attach_session(struct floor_probes *f, enum floor_kind kind, const struct allocator *a,
			  pid_t pid)
{
	f->programs[0] =
		load_empty(ATTACH_UPROBE_SESSION, kind == FLOOR_SKIPPED ? SESSION_SKIP_RETURN : 0);
	if (f->programs[0] < 0)
		return f->programs[0];
	f->links[0] = create_link(PROBE_LINKS_SESSION, f->programs[0], false, a->path,
				  a->malloc.place, pid);
	f->has_session = f->links[0] >= 0;
	return f->has_session ? 0 : f->links[0];
}

static int attach_two_links(struct floor_probes *f, const struct allocator *a, pid_t pid)
{
	f->programs[0] = load_empty(ATTACH_UPROBE_MULTI, 0);
	if (f->programs[0] < 0)
		return f->programs[0];
	f->links[0] =
		create_link(PROBE_LINKS_MULTI, f->programs[0], true, a->path, a->malloc.place, pid);
	if (f->links[0] < 0)
		return f->links[0];
	f->links[1] = create_link(PROBE_LINKS_MULTI, f->programs[0], false, a->path,
				  a->malloc.place, pid);
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
		r = f.links[2] = create_link(PROBE_LINKS_MULTI, f.programs[1], false, a->path,
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
