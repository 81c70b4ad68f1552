/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Reading one process from /proc.
 *
 * The root directory is a parameter ("/proc" in the programs, a made-up tree in tests). Everything
 * read is hostile: names are kept as bytes, numbers are checked, lines may be missing.
 * Every function returns 0 or a negative errno; -ESRCH when the process is gone, -EBADMSG for text
 * that no kernel writes, -E2BIG for more of it than is taken.
 */
#ifndef SEEP_TARGET_PROCFS_H
#define SEEP_TARGET_PROCFS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

/* proc(5) /proc/pid/stat; comm may hold blanks and parentheses. */
struct proc_stat {
	char comm[16];
	char state; /* R, S, D, Z, T, ... */
	pid_t ppid;
	uint64_t
		start_ticks; /* since boot, in clock ticks: with the pid, the identity of a process */
	bool kernel_thread;
};

int procfs_stat(const char *proc, pid_t pid, struct proc_stat *ret);

/* Resident set in bytes, from /proc/pid/statm. */
int procfs_rss(const char *proc, pid_t pid, uint64_t *ret_bytes);

/*
 * Target of /proc/pid/exe, with a trailing " (deleted)" kept off and reported. -ENOENT for kernel
 * threads and zombies. Caller frees.
 */
int procfs_exe(const char *proc, pid_t pid, char **ret, bool *ret_deleted);

/*
 * Arguments joined by blanks, control bytes replaced by '?'. "" for kernel threads. Of a line over
 * 64 KiB the beginning, with "[...]" at its end. Caller frees.
 */
int procfs_cmdline(const char *proc, pid_t pid, char **ret);

/* Effective uid of the process (second number of "Uid:" in status). */
int procfs_uid(const char *proc, pid_t pid, uid_t *ret);

/* The pid that the process has in its own pid namespace. */
int procfs_ns_pid(const char *proc, pid_t pid, pid_t *ret);

/*
 * Path in the unified hierarchy ("0::" line) or, without one, of the systemd or memory hierarchy
 * of cgroup v1. On hosts with both, processes may be left at the root of the unified hierarchy:
 * then the first of the others that names more than "/". Caller frees.
 */
int procfs_cgroup(const char *proc, pid_t pid, char **ret);

/*
 * From a cgroup path: the innermost systemd unit ("x.service", "x.scope") and the id of the
 * innermost container, 64 hex digits as docker, podman, containerd and cri-o write them (conmon,
 * which watches a container, is not in it). Results are NULL when the path names none. Caller frees
 * both. -ENOMEM only.
 */
int cgroup_names(const char *cgroup, char **ret_unit, char **ret_container);

/*
 * Walks the units that a cgroup path lies in, slices included, from the outermost: start with
 * *state = @cgroup. Returns the unit's name and its length, NULL after the last; systemd's escape
 * of names that the kernel reserves ("_memory.service") is taken off.
 */
const char *cgroup_next_unit(const char **state, size_t *ret_length);

/* One executable mapping: a line of /proc/pid/maps. */
struct mapping {
	uint64_t start;
	uint64_t end;
	uint64_t offset; /* in the file, bytes */
	uint32_t major;	 /* device */
	uint32_t minor;
	uint64_t inode; /* 0 for anonymous memory ([vdso], JIT code) */
	bool deleted;
	char *path; /* as the target names it, " (deleted)" kept off; "[vdso]", "[vsyscall]", or "" for other anonymous memory */
};

/*
 * Executable mappings in address order. -E2BIG for more than 65536 or for more than 16 MiB of
 * paths, which only a process that means harm has. Caller frees with mappings_free().
 */
int procfs_exec_mappings(const char *proc, pid_t pid, struct mapping **ret, size_t *ret_n);

struct mapping *mappings_free(struct mapping *mappings, size_t n);

/* Pids below @proc in ascending order, kernel threads included. Caller frees. */
int procfs_pids(const char *proc, pid_t **ret, size_t *ret_n);

/* Wall clock at boot in seconds since the epoch, from the host's /proc/stat. */
int procfs_boot_time(const char *proc, uint64_t *ret_seconds);

/*
 * The memory limit that holds for a process: the least of memory.max up the unified hierarchy
 * mounted at @cgroup_root (or memory.limit_in_bytes of cgroup v1) and of the host's MemTotal.
 */
int procfs_memory_limit(const char *proc, const char *cgroup_root, pid_t pid, uint64_t *ret_bytes);

#endif
