/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The configuration of a daemon that runs: what it is, and SIGHUP, which reads it anew.
 *
 * What can change while seepd runs does: budgets, targets of files, the command for alerts and its
 * user, suppressions, the log level. What cannot is named in the log. With anything wrong, nothing
 * changes at all.
 */
#ifndef SEEP_DAEMON_RELOAD_H
#define SEEP_DAEMON_RELOAD_H

#include "base/cleanup.h"
#include "daemon/config.h"

struct config_status;
struct event_base;
struct monitor;
struct reload;
struct sinks;

/* All borrowed, and to outlive the reload. */
struct reload_options {
	int argc; /* the command line wins over files each time */
	char **argv;
	struct event_base *base;
	struct monitor *monitor;
	struct sinks *sinks;
	/* Around each reload, for the service manager; may be NULL. */
	void (*on_begin)(void *userdata);
	void (*on_end)(bool is_loaded, void *userdata);
	void *userdata;
};

/*
 * Takes over what @first has, which is in force but for its targets; tracks those, and ends what an
 * earlier daemon tracked of files and this one has no file for. Waits for SIGHUP. -ENOMEM.
 */
int reload_new(const struct reload_options *options, struct config *first, struct reload **ret);
struct reload *reload_free(struct reload *r);
DEFINE_CLEANUP(struct reload *, reload_free)

/* For /v1/info; borrowed, and kept up to date. */
const struct config_status *reload_status(const struct reload *r);

#endif
