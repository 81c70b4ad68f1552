/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The command line of seepd. */
#ifndef SEEP_DAEMON_OPTIONS_H
#define SEEP_DAEMON_OPTIONS_H

#include <stdbool.h>
#include <stddef.h>

#include "monitor.h"

#define DEFAULT_SOCKET	  "/run/seep/seep.sock"
#define DEFAULT_STATE_DIR "/var/lib/seep"
#define MAX_SELECTORS	  64

enum {
	EXIT_STATUS_OK = 0,
	EXIT_STATUS_ERROR = 1,
	EXIT_STATUS_USAGE = 2,
};

/* All texts are the arguments' or the environment's. */
struct seepd_options {
	const char *socket_path;
	struct monitor_options monitor;
	const char *state_dir;
	const char *on_alert; /* a command; NULL: none */
	const char *on_alert_user;
	const char *suppressions; /* a file; NULL: none */
	const char *selectors[MAX_SELECTORS];
	size_t n_selectors;
	bool verbose;
};

/*
 * 1: go on. 0: *ret_status is the program's exit status; what is to be said about it has been said.
 */
int seepd_options_parse(int argc, char **argv, struct seepd_options *o, int *ret_status);

#endif
