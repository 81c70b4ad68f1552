/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The ELF files that targets map, each with a small number, its slot.
 *
 * Owns one open descriptor per file, which pins the inode: a package upgrade does not change what
 * is symbolized, and a deleted file stays readable. Identity is device and inode of the mapping,
 * never the path. Nothing here parses ELF: that is the sandboxed child's work.
 */
#ifndef SEEP_ELF_FILES_H
#define SEEP_ELF_FILES_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/cleanup.h"

#define FILE_SLOT_MAX 4095u

struct file_table;

struct file {
	uint16_t slot; /* 1 .. FILE_SLOT_MAX */
	uint64_t dev;  /* as the kernel's s_dev encodes it: major << 20 | minor */
	uint64_t inode;
	char *path;  /* as the target names it; owned */
	int fd;	     /* read-only; owned. -EBADF: the file could not be opened */
	int root_fd; /* O_PATH to the target's root directory; owned. -EBADF: the host's own root */
};

struct file_table *file_table_new(void); /* NULL: no memory */
struct file_table *file_table_free(struct file_table *t);
DEFINE_CLEANUP(struct file_table *, file_table_free)

const struct file *file_table_find(const struct file_table *t, uint64_t dev, uint64_t inode);
const struct file *file_table_get(const struct file_table *t, uint16_t slot);

/*
 * Adds a file under the given slot; takes over @fd and @root_fd, also on failure. -EEXIST: the
 * slot or the identity is taken; -ERANGE: no such slot.
 */
int file_table_add(struct file_table *t, uint16_t slot, uint64_t dev, uint64_t inode,
		   const char *path, int fd, int root_fd, const struct file **ret);

/*
 * Opens the file behind a mapping of a live process: /proc/PID/map_files first (exact even when the
 * file was deleted or lies in another mount namespace), then /proc/PID/root/PATH if device and
 * inode agree. Only regular files are opened. *ret_root_fd is an O_PATH descriptor of the process's
 * root, or -EBADF when that is the caller's own root.
 */
int file_open_mapped(const char *proc, pid_t pid, uint64_t start, uint64_t end, const char *path,
		     uint64_t dev, uint64_t inode, int *ret_fd, int *ret_root_fd);

#endif
