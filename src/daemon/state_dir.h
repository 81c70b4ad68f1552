/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The folder of what outlives the daemon. */
#ifndef SEEP_DAEMON_STATE_DIR_H
#define SEEP_DAEMON_STATE_DIR_H

/*
 * The path of the history's database in the folder @wanted (NULL: $STATE_DIRECTORY, as systemd sets it,
 * else /var/lib/seep), which is made if its parent is there. *ret is NULL when @wanted is "none".
 * The caller frees it. -EPERM, the folder is somebody else's, -EACCES and the like: it cannot be used, and
 * *ret_folder says which one (the caller's to free).
 */
int state_dir_prepare(const char *wanted, char **ret, char **ret_folder);

#endif
