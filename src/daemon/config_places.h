/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Which files make up the configuration, in the order of systemd-analyze cat-config: the main file of
 * the first folder that has one, then drop-ins by name, where of several files of one name only that of
 * the first folder counts. So an empty file, or a link to /dev/null, masks what a later folder has.
 */
#ifndef SEEP_DAEMON_CONFIG_PLACES_H
#define SEEP_DAEMON_CONFIG_PLACES_H

#include <stddef.h>

#include "base/cleanup.h"

struct config_paths {
	char **paths; /* owned */
	size_t n;
};

int config_paths_add(struct config_paths *p, const char *path); /* copied; -ENOMEM */
void config_paths_done(struct config_paths *p);

/*
 * Adds NAME of the first of @folders that has it, if any. 0, also without; -ENOMEM; others as of
 * access(2): the file is there, it seems, and out of reach.
 */
int config_places_main(const char *const *folders, size_t n_folders, const char *name,
		       struct config_paths *paths);

/* Adds the files *.conf in @subfolder of each folder, by name. As above. */
int config_places_drop_ins(const char *const *folders, size_t n_folders, const char *subfolder,
			   struct config_paths *paths);

#endif
