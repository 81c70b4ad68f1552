/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The command's side of the fork, for src/alert only. */
#ifndef SEEP_ALERT_COMMAND_CHILD_H
#define SEEP_ALERT_COMMAND_CHILD_H

#include <stdbool.h>
#include <sys/resource.h>
#include <sys/types.h>

/* Everything that is needed, made before the fork: after it only system calls are allowed. */
struct command_child {
	char *const *argv;
	char *const *environment;
	int input; /* becomes standard input */
	bool has_user;
	uid_t uid;
	gid_t gid;
	bool has_files;
	struct rlimit files;
};

/* Exit statuses of what failed before the command ran, those of systemd.exec(5). */
#define COMMAND_EXIT_FAILED	   1
#define COMMAND_EXIT_EXEC	   203
#define COMMAND_EXIT_STDIN	   208
#define COMMAND_EXIT_GROUP	   216
#define COMMAND_EXIT_USER	   217
#define COMMAND_EXIT_NO_PRIVILEGES 227

/*
 * Called in a child fresh from fork(), with all signals blocked. Does not return: becomes the command,
 * or ends with one of the above.
 */
_Noreturn void command_child(const struct command_child *c);

#endif
