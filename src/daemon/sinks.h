/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Where alerts go beyond the API: the journal, and a command.
 */
#ifndef SEEP_DAEMON_SINKS_H
#define SEEP_DAEMON_SINKS_H

#include "base/cleanup.h"

struct event_base;
struct monitor;
struct sinks;

/*
 * @on_alert: a command's path and its arguments, separated by blanks; NULL: none. @user: whom it runs
 * as; NULL: nobody. -EINVAL: no absolute path; -ENOENT: no such user; -EPERM: the user is root.
 */
int sinks_new(struct event_base *base, struct monitor *m, const char *on_alert, const char *user,
	      struct sinks **ret);
/* Another command, or none; what runs of the old one is killed. Errors as above: the old one stays. */
int sinks_set_command(struct sinks *s, const char *command, const char *user);
/* Before the monitor. */
struct sinks *sinks_free(struct sinks *s);
DEFINE_CLEANUP(struct sinks *, sinks_free)

#endif
