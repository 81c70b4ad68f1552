/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Lines of /proc/pid/cgroup: private to target/. */
#ifndef SEEP_TARGET_HIERARCHY_H
#define SEEP_TARGET_HIERARCHY_H

#include <limits.h>
#include <stdbool.h>
#include <stddef.h>

/* Of the file: paths are at most PATH_MAX long and there are a dozen hierarchies. */
#define CGROUP_MAX (64 * PATH_MAX)

/* A line: "4:memory:/path". */
struct hierarchy {
	const char *controllers; /* comma-separated; empty for the unified hierarchy */
	size_t controllers_n;
	char *path;
};

/* Splits off the first line of *text. False at the end; lines that are none are passed over. */
bool hierarchy_next(char **text, struct hierarchy *ret);
bool hierarchy_has(const struct hierarchy *h, const char *controller);

#endif
