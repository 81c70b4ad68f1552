/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the daemon may do once it runs: capabilities(7) that it does not need are dropped, for good.
 *
 * Always kept:
 *	CAP_BPF, CAP_PERFMON	maps, programs, uprobe_multi links
 *	CAP_SYS_PTRACE		/proc/PID/maps, exe and root of other users' processes
 *	CAP_DAC_READ_SEARCH	what only its owner may read, below /proc/PID/root
 *	CAP_CHECKPOINT_RESTORE	/proc/PID/map_files: files that were deleted or replaced
 */
#ifndef SEEP_DAEMON_PRIVILEGES_H
#define SEEP_DAEMON_PRIVILEGES_H

#include <stdbool.h>

enum privilege {
	PRIVILEGE_PERF_UPROBES = 1 << 0, /* CAP_SYS_ADMIN: where there are no uprobe_multi links */
	PRIVILEGE_COMMANDS = 1 << 1,	 /* CAP_SETUID, CAP_SETGID, CAP_KILL: alert/command.h */
	/* CAP_CHOWN, to give a socket file to a group, and CAP_SETPCAP, to drop both for good later. */
	PRIVILEGE_OWN_SOCKET = 1 << 2,
};

/*
 * Drops all capabilities but those always kept and those of @privileges (enum privilege), of which there
 * may be fewer from the start: from the effective, the permitted, the inheritable and, as far as
 * that is allowed, the bounding set. No program that is executed from then on gets any back. Children
 * that were forked before keep theirs. Negative errno.
 */
int privileges_keep(unsigned privileges);

/* Is all of @privileges (enum privilege) there? */
bool privileges_have(unsigned privileges);

#endif
