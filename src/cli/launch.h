/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Starting a command so that not one of its allocations is missed, nor one of its children's.
 *
 * The probes must be there before the first instruction. A probe can be filtered to one process,
 * but a child exists only after its fork, when it runs already. So the command gets a mount
 * namespace of its own, in which the allocator's file is covered by a private copy: that copy is
 * mapped by the command and its descendants only, and can be probed for everyone who maps it. Where
 * mounting is not permitted, the command itself is probed, and its children as soon as they are
 * noticed.
 */
#ifndef SEEP_CLI_LAUNCH_H
#define SEEP_CLI_LAUNCH_H

#include <signal.h>
#include <stdbool.h>
#include <stddef.h>
#include <sys/resource.h>
#include <sys/types.h>

#include "base/cleanup.h"

/*
 * The files that a command is going to map, links resolved: its executable (for a script, the
 * interpreter's) and what the dynamic linker loads for it. *ret ends with NULL; free with
 * launch_files_free(). -ENOENT, -EACCES, -ENOEXEC as execvp(3).
 */
int launch_files(const char *command, char ***ret);
char **launch_files_free(char **files);
DEFINE_CLEANUP(char **, launch_files_free)

/* struct sigaction as the kernel has it. */
struct launch_kernel_action {
	void *handler;
	unsigned long flags;
	void *restorer;
	unsigned long mask;
};

/* What the command shall find as if it had been started directly. */
struct launch_surroundings {
	sigset_t mask;
	struct sigaction child_action; /* of SIGCHLD */
	struct rlimit descriptors;
	struct launch_kernel_action setxid_action;
};

/* To be called before anything else: some of it changes with the first thread. */
void launch_note_surroundings(struct launch_surroundings *ret);

struct launch {
	pid_t pid;
	int control_fd;	 /* socket to the child until it executes the command; owned */
	bool is_private; /* allocator files are covered by private copies */
};

/*
 * Forks the process that will become the command. It covers @private_files (ends with NULL) and
 * waits. On failure nothing is left running.
 */
int launch_start(char *const argv[], char *const private_files[],
		 const struct launch_surroundings *surroundings, struct launch *ret);

/* Lets it execute the command. 0, or the negative errno of execvp(3). */
int launch_go(struct launch *l);

/* Ends a child that did not execute the command, and closes the socket. */
void launch_done(struct launch *l);

#endif
