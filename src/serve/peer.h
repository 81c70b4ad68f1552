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

/* What a peer may do with processes of others; each level has those before it. */
enum access_level {
	ACCESS_OWN,	/* nothing; with its own, all that concerns one process */
	ACCESS_READ,	/* figures and verdicts, of all processes */
	ACCESS_DETAIL,	/* stacks, paths and command lines, too */
	ACCESS_OPERATE, /* track, untrack, snapshots, what people say of leaks */
	ACCESS_LEVELS
};

/* Whose members have a level, by the level; PEER_NO_GROUP: nobody has it by a group. */
struct peer_groups {
	gid_t of[ACCESS_LEVELS];
};

struct peer {
	pid_t pid; /* for messages only */
	uid_t uid;
	bool is_remote; /* over the loopback interface: the kernel does not say who, it owns nothing */
	enum access_level level;
};

/*
 * uid 0 and the uid of this process may operate; others have the highest level that one of their
 * groups has. Over the loopback interface it is ACCESS_READ. Fails with what getsockopt(2) says.
 */
int peer_read(int fd, const struct peer_groups *groups, struct peer *ret);

/* Whether it may do what needs @level with a process of @uid. */
bool peer_may(const struct peer *p, enum access_level level, uid_t uid);

/* NULL in *ret: there is no group, or none with a name. Caller frees. -ENOMEM. */
int peer_group_name(gid_t group, char **ret);

#endif
