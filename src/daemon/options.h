/* SPDX-License-Identifier: GPL-2.0-or-later */
/* All that seepd can be told, and its command line. */
#ifndef SEEP_DAEMON_OPTIONS_H
#define SEEP_DAEMON_OPTIONS_H

#include <stdbool.h>
#include <stddef.h>

#include "daemon/setting.h"
#include "monitor.h"

#define DEFAULT_SOCKET	  "/run/seep/seep.sock"
#define DEFAULT_STATE_DIR "/var/lib/seep"
#define DEFAULT_GROUP	  "seep"
#define MAX_SELECTORS	  64

enum {
	EXIT_STATUS_OK = 0,
	EXIT_STATUS_ERROR = 1,
	EXIT_STATUS_USAGE = 2,
	EXIT_STATUS_CONFIG = 78, /* EX_CONFIG of sysexits.h: a restart would not help */
};

/* Places of the words of LogLevel. */
enum {
	LOG_LEVEL_ERROR = 1,
	LOG_LEVEL_WARNING,
	LOG_LEVEL_INFO,
	LOG_LEVEL_DEBUG,
};

/* Texts are owned; NULL where nothing was said. */
struct seepd_options {
	char *socket_path; /* NULL: $SEEP_SOCKET, else DEFAULT_SOCKET */
	struct monitor_options monitor;
	unsigned links;	 /* place in monitor_link_words, from 1 on; 0: what works */
	char *state_dir; /* NULL: $STATE_DIRECTORY, else DEFAULT_STATE_DIR */
	char *on_alert;	 /* a command; NULL: none */
	char *on_alert_user;
	char *suppressions; /* a file; NULL: none */
	char *http;	    /* address of the loopback listener; NULL: none */
	char *read_group;   /* whose members have that level; NULL: DEFAULT_GROUP, if it is there */
	char *detail_group;
	char *operate_group;
	bool others;	    /* who is in none of them may connect, too, and see what is theirs */
	unsigned log_level; /* 0: info */

	/* Of the command line only. */
	char *config; /* folder or file instead of the usual folders */
	bool check;
	char *selectors[MAX_SELECTORS]; /* owned */
	size_t n_selectors;
};

void seepd_options_done(struct seepd_options *o);

/* Every key of seep.conf, and every option that sets the same. */
extern const struct setting seepd_settings[];
extern const size_t n_seepd_settings;

/*
 * Sets what the arguments say, over what is there. 1: go on. 0: *ret_status is the program's exit
 * status; what is to be said about it has been said.
 */
int seepd_options_parse(int argc, char **argv, struct seepd_options *o, int *ret_status);

/* As syslog(3) counts. */
int seepd_options_log_level(const struct seepd_options *o);

#endif
