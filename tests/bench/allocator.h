/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * libc's malloc and free: where in the file they are, and whether a process has probes in them.
 */
#ifndef SEEP_BENCH_ALLOCATOR_H
#define SEEP_BENCH_ALLOCATOR_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

/* A function of libc. */
struct function {
	uint64_t offset; /* of its first byte, in the file */
	uint64_t place;	 /* where seep puts its probe, likewise */
	const uint8_t *code;
};

struct allocator {
	char path[512]; /* of libc */
	struct function malloc;
	struct function free;
};

/* Finds them in this process's own libc. Negative errno. */
int allocator_find(struct allocator *ret);

/*
 * Whether the first bytes of malloc or free differ between @pid's memory and this process's, which
 * nobody probes: a breakpoint is there. Negative errno, -ENOENT if it does not use this libc.
 */
int allocator_is_probed(const struct allocator *a, pid_t pid);

/* Waits until allocator_is_probed() is @probed; ends the benchmark if that takes over 10 s. */
void allocator_await(const struct allocator *a, pid_t pid, bool probed, const char *what);

#endif
