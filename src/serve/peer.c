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

/* The highest level that a group gives. */
static enum access_level level_of(gid_t gid, const struct peer_groups *groups)
{
	for (int level = ACCESS_LEVELS - 1; level > ACCESS_OWN; level--)
		if (groups->of[level] != PEER_NO_GROUP && groups->of[level] == gid)
			return (enum access_level)level;
	return ACCESS_OWN;
}

/* By supplementary groups: SO_PEERCRED carries only the primary one. */
static int read_groups(int fd, const struct peer_groups *groups, enum access_level *level)
{
	_cleanup_free_ gid_t *list = NULL;
	socklen_t bytes = 0;

	/* The kernel answers ERANGE and the size it needs; they cannot change after connect(2). */
	if (getsockopt(fd, SOL_SOCKET, SO_PEERGROUPS, NULL, &bytes) == 0)
		return 0;
	if (errno != ERANGE)
		return -errno;
	list = malloc(bytes);
	if (!list)
		return -ENOMEM;
	if (getsockopt(fd, SOL_SOCKET, SO_PEERGROUPS, list, &bytes) < 0)
		return -errno;
	for (size_t i = 0; i < bytes / sizeof(*list); i++) {
		enum access_level by = level_of(list[i], groups);

		*level = by > *level ? by : *level;
	}
	return 0;
}

static int read_family(int fd, int *ret)
{
	socklen_t bytes = sizeof(*ret);

	return getsockopt(fd, SOL_SOCKET, SO_DOMAIN, ret, &bytes) < 0 ? -errno : 0;
}

int peer_read(int fd, const struct peer_groups *groups, struct peer *ret)
{
	struct ucred c = { 0 };
	socklen_t bytes = sizeof(c);
	enum access_level level;
	int family, r;

	r = read_family(fd, &family);
	if (r < 0)
		return r;
	if (family != AF_UNIX) {
		*ret = (struct peer){ .uid = (uid_t)-1, .is_remote = true, .level = ACCESS_READ };
		return 0;
	}
	if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &c, &bytes) < 0)
		return -errno;
	level = c.uid == 0 || c.uid == geteuid() ? ACCESS_OPERATE : level_of(c.gid, groups);
	r = level == ACCESS_OPERATE ? 0 : read_groups(fd, groups, &level);
	if (r < 0)
		return r;
	*ret = (struct peer){ .pid = c.pid, .uid = c.uid, .level = level };
	return 0;
}

bool peer_may(const struct peer *p, enum access_level level, uid_t uid)
{
	return p->level >= level || (!p->is_remote && p->uid == uid);
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
