/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A small file, read as a whole. */
#ifndef SEEP_DAEMON_WHOLE_FILE_H
#define SEEP_DAEMON_WHOLE_FILE_H

#include <stddef.h>

/*
 * At most @max bytes and a NUL behind them; the caller frees. /dev/null is an empty file; what is
 * neither that nor a regular file is not waited for. -EFBIG: more than @max bytes; -EINVAL: not a file.
 */
int whole_file_read(const char *path, size_t max, char **ret, size_t *ret_size);

#endif
