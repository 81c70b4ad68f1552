/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The configuration: seep.conf with its drop-ins in seep.conf.d, and the targets in targets.d, each in
 * /etc/seep, /run/seep and /usr/lib/seep (config_places.h says which counts).
 *
 * An empty value takes back what an earlier line, or file, has set.
 */
#ifndef SEEP_DAEMON_CONFIG_H
#define SEEP_DAEMON_CONFIG_H

#include "daemon/config_places.h"
#include "daemon/options.h"
#include "daemon/problems.h"
#include "daemon/target_rules.h"

struct config {
	struct seepd_options options;
	struct target_rules rules;
	struct config_paths files; /* in the order they were read */
	struct problems problems;  /* with any, the rest is not to be used */
};

/* The highest priority first. */
extern const char *const config_folders[];
extern const size_t n_config_folders;

/*
 * Reads all of it, and then the arguments, which win. 1: go on, and look at .problems. 0: as of
 * seepd_options_parse(). *ret is to be ended with config_done() in any case.
 */
int config_read(int argc, char **argv, struct config *ret, int *ret_status);

/*
 * The files only. @where: a folder instead of the usual ones, or a file instead of everything; NULL:
 * neither. 0, also with problems; -ENOMEM. *ret is to be ended with config_done() in any case.
 */
int config_load(const char *where, struct config *ret);

/* The same of any folders. */
int config_load_from(const char *const *folders, size_t n_folders, struct config *ret);

void config_done(struct config *c);

#endif
