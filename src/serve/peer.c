// SPDX-License-Identifier: GPL-2.0-or-later
/* Peer credentials. See peer.h. */
#include "serve/peer.h"

#include <errno.h>
#include <grp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/cleanup.h"

/* Supplementary groups: SO_PEERCRED carries only the primary one. */
static int has_group(int fd, gid_t group)
{
	_cleanup_free_ gid_t *groups = NULL;
	socklen_t bytes = 0;

	/* The kernel answers ERANGE and the size it needs; they cannot change after connect(2). */
	if (getsockopt(fd, SOL_SOCKET, SO_PEERGROUPS, NULL, &bytes) == 0)
		return 0;
	if (errno != ERANGE)
		return -errno;
	groups = malloc(bytes);
	if (!groups)
		return -ENOMEM;
	if (getsockopt(fd, SOL_SOCKET, SO_PEERGROUPS, groups, &bytes) < 0)
		return -errno;
	for (size_t i = 0; i < bytes / sizeof(*groups); i++)
		if (groups[i] == group)
			return 1;
	return 0;
}

int peer_read(int fd, gid_t group, struct peer *ret)
{
	struct ucred c = { 0 };
	socklen_t bytes = sizeof(c);
	bool is_operator;
	int r;

	if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &c, &bytes) < 0)
		return -errno;
	is_operator = c.uid == 0 || c.uid == geteuid();
	if (!is_operator && group != PEER_NO_GROUP) {
		r = c.gid == group ? 1 : has_group(fd, group);
		if (r < 0)
			return r;
		is_operator = r > 0;
	}
	*ret = (struct peer){ .pid = c.pid, .uid = c.uid, .is_operator = is_operator };
	return 0;
}

int peer_group_name(gid_t group, char **ret)
{
	const struct group *g = group == PEER_NO_GROUP ? NULL : getgrgid(group);
	char *name = NULL;

	if (g) {
		name = strdup(g->gr_name);
		if (!name)
			return -ENOMEM;
	}
	*ret = name;
	return 0;
}
