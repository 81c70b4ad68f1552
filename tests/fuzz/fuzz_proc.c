// SPDX-License-Identifier: GPL-2.0-or-later
/* Files of /proc and of cgroups. The first byte says which file the rest is. */
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "target/memory.h"
#include "target/procfs.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const char *const names[] = { "stat", "statm", "status", "maps", "cgroup", "cmdline" };

/* A process with one file, in memory. */
static const char *root_folder(void)
{
	static char root[64];

	if (!root[0]) {
		char process[80];

		snprintf(root, sizeof(root), "/dev/shm/seep-fuzz-XXXXXX");
		if (!mkdtemp(root))
			abort();
		snprintf(process, sizeof(process), "%s/7", root);
		if (mkdir(process, 0700) < 0)
			abort();
	}
	return root;
}

static void read_all(const char *proc)
{
	_cleanup_free_ char *cmdline = NULL, *cgroup = NULL, *unit = NULL, *container = NULL;
	struct mapping *mappings = NULL;
	struct proc_stat stat;
	struct memory memory;
	uint64_t number;
	size_t n = 0;
	pid_t pid;
	uid_t uid;

	(void)procfs_stat(proc, 7, &stat);
	(void)procfs_rss(proc, 7, &number);
	(void)procfs_uid(proc, 7, &uid);
	(void)procfs_ns_pid(proc, 7, &pid);
	(void)procfs_cmdline(proc, 7, &cmdline);
	if (procfs_cgroup(proc, 7, &cgroup) == 0)
		(void)cgroup_names(cgroup, &unit, &container);
	(void)memory_of_process(proc, 7, &memory);
	(void)memory_bounds(proc, proc, 7, &memory);
	if (procfs_exec_mappings(proc, 7, &mappings, &n) == 0)
		mappings_free(mappings, n);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const char *root = root_folder();
	char path[96];
	int fd;

	if (!size)
		return 0;
	snprintf(path, sizeof(path), "%s/7/%s", root,
		 names[data[0] % (sizeof(names) / sizeof(names[0]))]);
	fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	if (fd < 0 || write(fd, data + 1, size - 1) != (ssize_t)(size - 1))
		abort();
	close(fd);
	read_all(root);
	(void)unlink(path);
	return 0;
}
