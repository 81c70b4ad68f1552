/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * How much memory a process has, and how much it may have.
 *
 * The limit that holds is the least memory.max up the unified hierarchy (or memory.limit_in_bytes
 * of cgroup v1), if that is less than what the host has; else the host's memory. By the least limit
 * and not by what is left below it: that choice stays the same from tick to tick, so that its usage
 * is one series. What is left is the least of all levels.
 *
 * Usage does not count what the kernel drops before it kills: file pages on the reclaim lists and
 * reclaimable slab (cgroups: memory.stat; host: MemTotal - MemAvailable, proc(5)). Swap that is
 * free is not counted as room.
 */
#ifndef SEEP_TARGET_MEMORY_H
#define SEEP_TARGET_MEMORY_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

struct target;

enum memory_limit {
	MEMORY_LIMIT_UNKNOWN,
	MEMORY_LIMIT_CGROUP,
	MEMORY_LIMIT_HOST,
};

/* All in bytes. */
struct memory {
	uint64_t rss_bytes;	  /* resident; 0: a zombie */
	uint64_t anonymous_bytes; /* of that, what belongs to no file and is not shared memory */
	uint64_t swap_bytes;	  /* anonymous memory that is swapped out */
	uint64_t usage_bytes;	  /* of the group that the limit is of; 0: unknown */
	uint64_t limit_bytes;	  /* 0: unknown */
	uint64_t headroom_bytes;  /* until the first of all limits is reached; with is_bounded */
	enum memory_limit limit_of;
	bool is_bounded; /* some level's limit and usage are both known */
};

/*
 * Reads all of it. -ESRCH when the process is gone or its pid is another one's; @ret is then
 * unchanged. What cannot be read otherwise is 0. @cgroup_root: "/sys/fs/cgroup".
 */
int target_memory(const struct target *t, const char *proc, const char *cgroup_root,
		  struct memory *ret);

/* The first three members, of whoever has this pid. -ESRCH; -EBADMSG. */
int memory_of_process(const char *proc, pid_t pid, struct memory *ret);

/* The other members, the first three are left alone. -ESRCH; -EBADMSG: nothing is known. */
int memory_bounds(const char *proc, const char *cgroup_root, pid_t pid, struct memory *ret);

const char *memory_limit_name(enum memory_limit limit); /* "unknown", "cgroup", "host" */

#endif
