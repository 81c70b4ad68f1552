// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Executable memory without a file behind it: generated code and the vDSO.
 *
 * Both get a slot as if they were files. The vDSO is an ELF image that is the same in all processes
 * of a kernel, so a copy of this one's is unwound and named like a library. Generated code has a slot
 * per target, in which an address stands for itself; its names come from a perf map, and it is left by
 * frame pointers where the runtime is known to keep them.
 */
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/mman.h>
#include <sys/stat.h>

#include "base/log.h"
#include "elf/open_file.h"
#include "monitor/state.h"

/* Devices that no file is on. */
#define DEVICE_GENERATED (~0ull)
#define DEVICE_VDSO	 (~0ull - 1)

#define VDSO_PATH "[vdso]"

static int copy_vdso(uint64_t bytes)
{
	const char *image = (const char *)getauxval(AT_SYSINFO_EHDR);
	_cleanup_close_ int fd = -EBADF;
	int r;

	if (!image)
		return -ENOENT;
	fd = memfd_create("seep-vdso", MFD_CLOEXEC);
	if (fd < 0)
		return -errno;
	for (uint64_t at = 0; at < bytes;) {
		ssize_t n = write(fd, image + at, bytes - at);

		if (n < 0) {
			r = -errno;
			return r;
		}
		at += (uint64_t)n;
	}
	return TAKE_FD(fd);
}

/* How large this process's own vDSO is: that much can be copied. 0: it has none. */
static uint64_t own_vdso_bytes(void)
{
	struct mapping *maps = NULL;
	uint64_t bytes = 0;
	size_t n = 0;

	if (procfs_exec_mappings(PROC_ROOT, getpid(), &maps, &n) < 0)
		return 0;
	for (size_t i = 0; i < n; i++)
		if (strcmp(maps[i].path, VDSO_PATH) == 0)
			bytes = maps[i].end - maps[i].start;
	mappings_free(maps, n);
	return bytes;
}

static uint16_t vdso_slot(struct monitor *m)
{
	uint64_t bytes;
	uint16_t slot;
	int fd;

	if (probe_file_slot(m->probe, DEVICE_VDSO, 1, &slot) < 0)
		return 0;
	if (file_table_get(m->files, slot))
		return slot;
	bytes = own_vdso_bytes();
	fd = copy_vdso(bytes);
	if (fd < 0)
		log_debug_errno(fd, "failed to copy the vDSO, stacks end there");
	if (file_table_add(m->files, slot, DEVICE_VDSO, 1, VDSO_PATH, fd < 0 ? -EBADF : fd, -EBADF,
			   NULL) < 0)
		return 0;
	probe_set_vdso(m->probe, slot, (uint32_t)bytes);
	return slot;
}

void anonymous_prepare(struct monitor *m)
{
	uint16_t slot = vdso_slot(m);

	if (slot && files_learn(m, slot) < 0)
		log_debug("failed to look at the vDSO, stacks end there");
}

/* The perf map of a process: in its own /tmp, under its own pid, written by its own user. */
static int open_perf_map(const struct target *target, char *path, size_t size)
{
	_cleanup_close_ int root_fd = -EBADF, fd = -EBADF;
	char root[64];
	struct stat st;
	pid_t pid;
	int r;

	r = procfs_ns_pid(PROC_ROOT, target->pid, &pid);
	if (r < 0)
		return r;
	r = snprintf(root, sizeof(root), PROC_ROOT "/%d/root", (int)target->pid);
	if (r < 0 || (size_t)r >= sizeof(root))
		return -ENAMETOOLONG;
	r = snprintf(path, size, "/tmp/perf-%d.map", (int)pid);
	if (r < 0 || (size_t)r >= size)
		return -ENAMETOOLONG;
	root_fd = open(root, O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (root_fd < 0)
		return -errno;
	r = open_below_root(root_fd, path, &st, &fd);
	if (r < 0)
		return r;
	if (st.st_uid != target->uid && st.st_uid != 0)
		return -EPERM;
	return TAKE_FD(fd);
}

/* Runtimes whose generated code keeps frame pointers: V8 and .NET, and the JVM when it is told to. */
static bool keeps_frame_pointers(const struct target *target)
{
	const char *base = target->exe ? strrchr(target->exe, '/') : NULL;

	base = base ? base + 1 : "";
	if (strcmp(base, "node") == 0 || strcmp(base, "nodejs") == 0 || strcmp(base, "dotnet") == 0)
		return true;
	if (strcmp(base, "java") == 0)
		return target->cmdline && strstr(target->cmdline, "-XX:+PreserveFramePointer");
	return false;
}

static uint16_t generated_slot(struct monitor *m, const struct target *target)
{
	char path[64] = "[generated code]";
	uint16_t slot;
	int fd, r;

	if (probe_file_slot(m->probe, DEVICE_GENERATED, target->key, &slot) < 0)
		return 0;
	if (file_table_get(m->files, slot))
		return slot;
	fd = open_perf_map(target, path, sizeof(path));
	if (fd < 0) {
		log_debug_errno(fd, "no perf map of pid %d: its generated code has no names",
				(int)target->pid);
		(void)snprintf(path, sizeof(path), "[generated code]");
	}
	r = probe_set_unwind_mode(m->probe, slot,
				  keeps_frame_pointers(target) ? UNWIND_FRAME_POINTER :
								 UNWIND_OPAQUE);
	if (r == 0)
		r = file_table_add(m->files, slot, DEVICE_GENERATED, target->key, path,
				   fd < 0 ? -EBADF : fd, -EBADF, NULL);
	return r < 0 ? 0 : slot;
}

uint16_t anonymous_slot(struct monitor *m, const struct target *target, const struct mapping *map)
{
	if (strcmp(map->path, VDSO_PATH) == 0)
		return vdso_slot(m);
	/* [vsyscall] holds no code that calls anybody. */
	if (map->path[0] == '[')
		return 0;
	return generated_slot(m, target);
}

bool anonymous_is_generated(const struct monitor *m, uint16_t slot)
{
	const struct file *file = file_table_get(m->files, slot);

	return file && file->dev == DEVICE_GENERATED;
}
