// SPDX-License-Identifier: GPL-2.0-or-later
/* The folder of what outlives the daemon. See state_dir.h. */
#include "daemon/state_dir.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "daemon/options.h"

#define DATABASE "history.db"

/* systemd separates several folders by colons; the first one is ours. */
static char *choose_folder(const char *wanted)
{
	const char *folder = wanted ?: getenv("STATE_DIRECTORY");

	if (!folder || !*folder)
		folder = DEFAULT_STATE_DIR;
	return wanted ? strdup(folder) : strndup(folder, strcspn(folder, ":"));
}

/* Others must not read what services are called and where their memory goes. */
static int make_folder(const char *folder)
{
	struct stat st;

	if (mkdir(folder, 0700) < 0 && errno != EEXIST)
		return -errno;
	if (stat(folder, &st) < 0)
		return -errno;
	if (!S_ISDIR(st.st_mode))
		return -ENOTDIR;
	/* Its owner could exchange the files; and capabilities that would allow to write are dropped. */
	if (st.st_uid != geteuid())
		return -EPERM;
	return access(folder, R_OK | W_OK | X_OK) < 0 ? -errno : 0;
}

int state_dir_prepare(const char *wanted, char **ret, char **ret_folder)
{
	_cleanup_free_ char *folder = NULL;
	char *path;
	int r;

	*ret = NULL;
	*ret_folder = NULL;
	if (wanted && strcmp(wanted, "none") == 0)
		return 0;
	folder = choose_folder(wanted);
	if (!folder)
		return -ENOMEM;
	r = make_folder(folder);
	if (r < 0) {
		*ret_folder = TAKE_PTR(folder);
		return r;
	}
	if (asprintf(&path, "%s/" DATABASE, folder) < 0)
		return -ENOMEM;
	*ret = path;
	return 0;
}
