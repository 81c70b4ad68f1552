// SPDX-License-Identifier: GPL-2.0-or-later
/* Opens files whose names other people chose, and the files behind mappings. */
#include "elf/open_file.h"

#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <linux/openat2.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>

#include "base/cleanup.h"
#include "elf/files.h"

static int format_path(char *buffer, size_t size, const char *format, ...)
	__attribute__((format(printf, 3, 4)));

static int format_path(char *buffer, size_t size, const char *format, ...)
{
	va_list args;
	int n;

	va_start(args, format);
	n = vsnprintf(buffer, size, format, args);
	va_end(args);
	if (n < 0)
		return -EINVAL;
	return (size_t)n < size ? 0 : -ENAMETOOLONG;
}

/* Turns an O_PATH descriptor into one for reading, if it is a regular file. */
static int reopen_regular(int path_fd, struct stat *ret_stat, int *ret)
{
	char name[64];
	struct stat st;
	int fd, r;

	if (fstat(path_fd, &st) < 0)
		return -errno;
	if (!S_ISREG(st.st_mode))
		return -EINVAL;
	r = format_path(name, sizeof(name), "/proc/self/fd/%d", path_fd);
	if (r < 0)
		return r;
	/* O_NONBLOCK: a lease on the file must not make us wait. */
	fd = open(name, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	if (fd < 0)
		return -errno;
	if (ret_stat)
		*ret_stat = st;
	*ret = fd;
	return 0;
}

int open_below_root(int root_fd, const char *path, struct stat *ret_stat, int *ret)
{
	_cleanup_close_ int own_root = -EBADF, path_fd = -EBADF;
	struct open_how how = {
		.flags = O_PATH | O_CLOEXEC,
		.resolve = RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS,
	};

	if (root_fd < 0) {
		own_root = open("/", O_PATH | O_DIRECTORY | O_CLOEXEC);
		if (own_root < 0)
			return -errno;
		root_fd = own_root;
	}
	path_fd = (int)syscall(SYS_openat2, root_fd, path, &how, sizeof(how));
	if (path_fd < 0)
		return -errno;
	return reopen_regular(path_fd, ret_stat, ret);
}

int open_proc_link(const char *path, struct stat *ret_stat, int *ret)
{
	_cleanup_close_ int path_fd = open(path, O_PATH | O_CLOEXEC);

	if (path_fd < 0)
		return -errno;
	return reopen_regular(path_fd, ret_stat, ret);
}

/* The kernel's own numbers, as /proc/PID/maps prints them, against those of stat(2). */
static bool same_identity(const struct stat *st, uint64_t dev, uint64_t inode)
{
	uint64_t st_dev = (uint64_t)major(st->st_dev) << 20 | minor(st->st_dev);

	return st_dev == dev && st->st_ino == inode;
}

/* Whether the process still has that mapping of that file. */
static bool is_mapped(const char *proc, pid_t pid, uint64_t start, uint64_t end, uint64_t dev,
		      uint64_t inode)
{
	_cleanup_fclose_ FILE *maps = NULL;
	_cleanup_free_ char *line = NULL;
	char name[PATH_MAX];
	size_t size = 0;

	if (format_path(name, sizeof(name), "%s/%d/maps", proc, (int)pid) < 0)
		return false;
	maps = fopen(name, "re");
	if (!maps)
		return false;
	while (getline(&line, &size, maps) > 0) {
		uint64_t from, to, file_inode;
		unsigned int maj, min;

		if (sscanf(line, "%" SCNx64 "-%" SCNx64 " %*4s %*x %x:%x %" SCNu64, &from, &to,
			   &maj, &min, &file_inode) == 5 &&
		    from == start && to == end)
			return ((uint64_t)maj << 20 | min) == dev && file_inode == inode;
	}
	return false;
}

/*
 * The kernel follows the link to the mapping's file itself. Some file systems (btrfs, overlayfs)
 * tell stat(2) other numbers than they show in maps; there, the mapping is looked at once more.
 */
static int open_map_files(const char *proc, pid_t pid, uint64_t start, uint64_t end, uint64_t dev,
			  uint64_t inode, int *ret)
{
	_cleanup_close_ int fd = -EBADF;
	char name[PATH_MAX];
	struct stat st;
	int r;

	r = format_path(name, sizeof(name), "%s/%d/map_files/%" PRIx64 "-%" PRIx64, proc, (int)pid,
			start, end);
	if (r < 0)
		return r;
	r = open_proc_link(name, &st, &fd);
	if (r < 0)
		return r;
	if (!same_identity(&st, dev, inode) && !is_mapped(proc, pid, start, end, dev, inode))
		return -ESTALE;
	*ret = TAKE_FD(fd);
	return 0;
}

/* Whether both names lead to the same inode; false when one of them cannot be looked at. */
static bool is_same_file(const char *a, const char *b)
{
	struct stat sa, sb;

	if (stat(a, &sa) < 0 || stat(b, &sb) < 0)
		return false;
	return sa.st_dev == sb.st_dev && sa.st_ino == sb.st_ino;
}

/* *ret: the process's root directory, -EBADF if it is the caller's, in the same namespace. */
static int open_root(const char *proc, pid_t pid, int *ret)
{
	char root[PATH_MAX], ns[PATH_MAX];
	int fd, r;

	r = format_path(root, sizeof(root), "%s/%d/root", proc, (int)pid);
	if (r < 0)
		return r;
	r = format_path(ns, sizeof(ns), "%s/%d/ns/mnt", proc, (int)pid);
	if (r < 0)
		return r;
	if (is_same_file(root, "/") && is_same_file(ns, "/proc/self/ns/mnt")) {
		*ret = -EBADF;
		return 0;
	}
	fd = open(root, O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	*ret = fd;
	return 0;
}

static int open_by_path(int root_fd, const char *path, uint64_t dev, uint64_t inode, int *ret)
{
	_cleanup_close_ int fd = -EBADF;
	struct stat st;
	int r;

	if (path[0] != '/')
		return -ENOENT;
	r = open_below_root(root_fd, path, &st, &fd);
	if (r < 0)
		return r;
	if (!same_identity(&st, dev, inode))
		return -ESTALE;
	*ret = TAKE_FD(fd);
	return 0;
}

int file_open_mapped(const char *proc, pid_t pid, uint64_t start, uint64_t end, const char *path,
		     uint64_t dev, uint64_t inode, int *ret_fd, int *ret_root_fd)
{
	_cleanup_close_ int fd = -EBADF, root_fd = -EBADF;
	int r, root_error;

	root_error = open_root(proc, pid, &root_fd);
	r = open_map_files(proc, pid, start, end, dev, inode, &fd);
	if (r < 0 && root_error < 0)
		return r;
	if (r < 0)
		r = open_by_path(root_fd, path, dev, inode, &fd);
	if (r < 0)
		return r;
	/* A root that cannot be opened costs the search for debug files, which are verified. */
	*ret_fd = TAKE_FD(fd);
	*ret_root_fd = TAKE_FD(root_fd);
	return 0;
}
