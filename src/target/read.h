/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Files of /proc and of cgroups, read whole: private to target/. */
#ifndef SEEP_TARGET_READ_H
#define SEEP_TARGET_READ_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/types.h>

/*
 * Reads at most @max bytes. With more in the file: -E2BIG, or, if @ret_cut is wanted, the first
 * @max of them. A NUL is added behind them. Caller frees.
 */
int read_file(const char *path, size_t max, char **ret, size_t *ret_n, bool *ret_cut);

/* The same for a file of a process; -ESRCH when the process is gone. */
int read_proc(const char *proc, pid_t pid, const char *name, size_t max, char **ret, size_t *ret_n,
	      bool *ret_cut);
int open_proc(const char *proc, pid_t pid, const char *name, FILE **ret);

/* -ENAMETOOLONG if it does not fit. */
int proc_path(const char *proc, pid_t pid, const char *name, char *path, size_t size);

/* What an -ENOENT below a process's folder means: -ESRCH if the folder is gone, too. */
int proc_error(const char *proc, pid_t pid, int r);

/* The number after a line's "Key:" or "key " in a file of such lines. -EBADMSG without one. */
int find_number(const char *text, const char *key, uint64_t *ret);

#endif
