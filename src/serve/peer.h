/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Who is at the other end of a connection, and what that allows.
 *
 * The kernel fixes the credentials at connect(2). They stay binary: nothing that the peer can
 * write is ever mixed with them, and neither its pid nor its executable decides anything.
 */
#ifndef SEEP_SERVE_PEER_H
#define SEEP_SERVE_PEER_H

#include <stdbool.h>
#include <sys/types.h>

#define PEER_NO_GROUP ((gid_t)-1)

struct peer {
	pid_t pid; /* for messages only */
	uid_t uid;
	bool is_operator; /* may see and do all; others only what concerns processes of their uid */
};

/*
 * Operators are uid 0, the uid of this process, and members of @group (PEER_NO_GROUP: no group).
 * Fails with what getsockopt(2) says.
 */
int peer_read(int fd, gid_t group, struct peer *ret);

/* NULL in *ret: there is no group, or none with a name. Caller frees. -ENOMEM. */
int peer_group_name(gid_t group, char **ret);

#endif
