/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Opens files whose names other people chose.
 *
 * A name is first opened as a bare path, then looked at, then opened for reading, so that no FIFO
 * blocks and no device is touched.
 */
#ifndef SEEP_ELF_OPEN_FILE_H
#define SEEP_ELF_OPEN_FILE_H

#include <sys/stat.h>

/*
 * Opens a regular file below a root directory for reading; symbolic links and ".." cannot leave
 * that root. @root_fd: -EBADF for the caller's own root. -EINVAL: not a regular file. @ret_stat
 * may be NULL.
 */
int open_below_root(int root_fd, const char *path, struct stat *ret_stat, int *ret);

/* Opens a path of procfs that leads to a file; magic links are followed. */
int open_proc_link(const char *path, struct stat *ret_stat, int *ret);

#endif
