/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What a user names targets by, after coredumpctl(1): a number is a pid, a word with a slash an
 * executable's path, a word that ends in .service, .scope or .slice a unit, any other word a comm;
 * FIELD=value says which: pid= exe= comm= cmd= unit= cgroup= container=.
 *
 * exe, comm, cmd, unit and cgroup take glob(7) patterns whose * also matches slashes:
 *	exe	 the path of the executable, or its last component if the pattern has no slash. A path
 *		 without wildcards also means the file that it leads to in the process's own root, so
 *		 /usr/bin/python3 finds processes of python3.11.
 *	comm	 the name that the kernel keeps, 15 bytes; a longer literal is cut to that
 *	cmd	 the whole command line, so cmd=*worker* is the usual form
 *	unit	 any unit that the process is in, nested ones and slices too; .service is added to a
 *		 literal without suffix
 *	cgroup	 the path of the process's own cgroup
 *	container  a prefix of the id, at least 6 hexadecimal digits
 */
#ifndef SEEP_TARGET_SELECTOR_H
#define SEEP_TARGET_SELECTOR_H

#include <stdbool.h>
#include <sys/types.h>

#include "base/cleanup.h"

enum selector_kind {
	SELECTOR_PID,
	SELECTOR_EXE,
	SELECTOR_COMM,
	SELECTOR_CMD,
	SELECTOR_UNIT,
	SELECTOR_CGROUP,
	SELECTOR_CONTAINER,
};

struct selector {
	enum selector_kind kind;
	pid_t pid;     /* SELECTOR_PID */
	char *pattern; /* all others; owned */
	bool is_glob;  /* pattern has wildcards */
	char *text;    /* as the user wrote it; owned */
};

/*
 * -EINVAL for text that is none (empty, unknown field, bad pid, relative path, over 512 bytes,
 * bytes that are not printable UTF-8); then *ret_why, if wanted, is a static sentence for people.
 */
int selector_parse(const char *text, struct selector **ret, const char **ret_why);

struct selector *selector_free(struct selector *s);
DEFINE_CLEANUP(struct selector *, selector_free)

/*
 * 1 if the process is meant, 0 if not (or gone, a zombie, a kernel thread), negative errno when
 * /proc could not be read: -EACCES or -EPERM when the caller may not see this process.
 */
int selector_matches(const struct selector *s, const char *proc, pid_t pid);

/*
 * Pids now alive that are meant, ascending; zombies, kernel threads and processes that could not be
 * read are left out. An empty list is success. Caller frees.
 */
int selector_find(const struct selector *s, const char *proc, pid_t **ret, size_t *ret_n);

/* Whether the selector can match processes that do not exist yet (all but pid). */
bool selector_is_lasting(const struct selector *s);

#endif
