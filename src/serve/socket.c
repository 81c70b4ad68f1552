// SPDX-License-Identifier: GPL-2.0-or-later
/* The listening socket. See socket.h. */
#include "serve/socket.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/cleanup.h"

static int set_address(const char *path, struct sockaddr_un *ret)
{
	size_t n = strlen(path);

	if (n == 0)
		return -EINVAL;
	if (n >= sizeof(ret->sun_path))
		return -ENAMETOOLONG;
	*ret = (struct sockaddr_un){ .sun_family = AF_UNIX };
	memcpy(ret->sun_path, path, n + 1);
	return 0;
}

/* Removes a socket file without a listener. 0 also when there is no file. */
static int remove_stale(const struct sockaddr_un *address)
{
	_cleanup_close_ int fd = -EBADF;
	struct stat st;

	if (lstat(address->sun_path, &st) < 0)
		return errno == ENOENT ? 0 : -errno;
	if (!S_ISSOCK(st.st_mode))
		return -ENOTSOCK;
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0)
		return -errno;
	if (connect(fd, (const struct sockaddr *)address, sizeof(*address)) == 0)
		return -EADDRINUSE;
	/* A full backlog has a listener, too. */
	if (errno == EAGAIN)
		return -EADDRINUSE;
	if (errno != ECONNREFUSED)
		return -errno;
	return unlink(address->sun_path) < 0 && errno != ENOENT ? -errno : 0;
}

/* Gives the bound file its rights. Nobody can connect before listen(2), so nobody is too early. */
static int set_rights(const char *path, mode_t mode, gid_t group, struct socket_name *name)
{
	struct stat st;

	if (group != PEER_NO_GROUP && lchown(path, (uid_t)-1, group) < 0)
		return -errno;
	if (chmod(path, mode) < 0)
		return -errno;
	if (lstat(path, &st) < 0)
		return -errno;
	name->dev = st.st_dev;
	name->inode = st.st_ino;
	return 0;
}

int socket_listen(const char *path, mode_t mode, gid_t group, int backlog, int *ret_fd,
		  struct socket_name *ret_name)
{
	_cleanup_(socket_name_done) struct socket_name name = { 0 };
	_cleanup_close_ int fd = -EBADF;
	_cleanup_free_ char *copy = NULL;
	struct sockaddr_un address;
	int r;

	r = set_address(path, &address);
	if (r < 0)
		return r;
	copy = strdup(path);
	if (!copy)
		return -ENOMEM;
	r = remove_stale(&address);
	if (r < 0)
		return r;
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0)
		return -errno;
	if (bind(fd, (const struct sockaddr *)&address, sizeof(address)) < 0)
		return -errno;
	r = set_rights(path, mode, group, &name);
	name.path = TAKE_PTR(copy);
	if (r < 0) {
		(void)unlink(path);
		return r;
	}
	if (listen(fd, backlog) < 0)
		return -errno;
	*ret_name = name;
	name.path = NULL;
	*ret_fd = TAKE_FD(fd);
	return 0;
}

void socket_name_done(struct socket_name *name)
{
	struct stat st;

	if (name->path && lstat(name->path, &st) == 0 && st.st_dev == name->dev &&
	    st.st_ino == name->inode)
		(void)unlink(name->path);
	free(name->path);
	*name = (struct socket_name){ 0 };
}
