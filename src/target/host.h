/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * One pass over the host's processes: who they are and how much memory they have, without probes.
 *
 * Two short files of /proc a process, a third only while the host has something swapped out: 17 us
 * each on the machine of README's figures (tests/unit/test_host.c prints it), so 500 processes take
 * some 9 ms. A pass goes in steps, so that no step takes long. What comes or goes meanwhile is seen
 * or not; kernel threads, zombies and threads are left out.
 */
#ifndef SEEP_TARGET_HOST_H
#define SEEP_TARGET_HOST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

struct host_process {
	pid_t pid;
	pid_t ppid;
	uint64_t start_ticks; /* as in struct proc_stat */
	uint64_t rss_bytes;
	uint64_t anonymous_bytes; /* of that, what belongs to no file and is not shared memory */
	uint64_t swap_bytes;
};

/* Plain values, with one owned array; zeroed: none goes on. */
struct host_pass {
	const char *proc; /* borrowed */
	pid_t *pids;	  /* owned */
	size_t n_pids;
	size_t next;
	bool has_swap;
};

/* -ENOMEM, or what opening @proc gave. Ends the pass that went on before. */
int host_pass_begin(struct host_pass *p, const char *proc);

/* Looks at up to @max processes. Whether there are more. */
bool host_pass_step(struct host_pass *p, size_t max,
		    void (*take)(const struct host_process *process, void *userdata),
		    void *userdata);

bool host_pass_goes_on(const struct host_pass *p);
void host_pass_done(struct host_pass *p);

#endif
