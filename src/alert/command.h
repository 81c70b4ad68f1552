/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The command of "on_alert": run for each event that people are told of, with the event's JSON object
 * (that of /v1/events) on its standard input.
 *
 * It runs as somebody who may do little: another user without groups, no way to new privileges, no
 * descriptors but standard input (a file in memory) and /dev/null, PATH and SEEP_EVENT, SEEP_LEAK_ID,
 * SEEP_SEVERITY as its environment, / as its folder, in a process group of its own that is killed
 * after a time limit, and when the command ends. Few run at once, some wait, more are dropped and
 * counted. Nothing here waits for a command.
 *
 * The rights that a root daemon needs for it: CAP_SETUID, CAP_SETGID, CAP_KILL.
 */
#ifndef SEEP_ALERT_COMMAND_H
#define SEEP_ALERT_COMMAND_H

#include <stddef.h>
#include <stdint.h>
#include <sys/resource.h>

#include "alert/book.h"
#include "base/cleanup.h"

struct event_base;

#define COMMANDS_RUNNING_MAX 4
#define COMMANDS_WAITING_MAX 64

struct command_options {
	const char *const *argv; /* ends with NULL; the first is an absolute path. Copied */
	const char *user;	 /* NULL: nobody */
	uint64_t timeout_ms;	 /* 0: 30 s */
	const struct rlimit
		*files; /* limit of open files that the command gets; NULL: ours. Copied */
};

struct command_stats {
	uint64_t started;
	uint64_t failed;  /* not started, ended with another status than 0, or killed */
	uint64_t dropped; /* too many were waiting */
	size_t running;
	size_t waiting;
};

struct alert_command;

/*
 * -EINVAL: no absolute path; -ENOENT: no such user; -EPERM: the user is root; -ENOMEM. Who is not
 * root runs the command as itself, whatever the user.
 */
int alert_command_new(struct event_base *base, const struct command_options *options,
		      struct alert_command **ret);
/* Kills what runs. */
struct alert_command *alert_command_free(struct alert_command *c);
DEFINE_CLEANUP(struct alert_command *, alert_command_free)

/*
 * Is a command run for it? Opened, grew, stopped, resumed, resolved and closed, of what people were
 * told and is not suppressed.
 */
bool alert_command_wants(enum alert_event event, const struct alert *a);

/* Runs it now or later, if it is wanted. -ENOBUFS: dropped; -ENOMEM. */
int alert_command_run(struct alert_command *c, enum alert_event event, const struct alert *a,
		      const char *json);

void alert_command_get_stats(const struct alert_command *c, struct command_stats *ret);

#endif
