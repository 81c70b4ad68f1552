/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What is wrong with the configuration: all of it, in the order of files and lines.
 */
#ifndef SEEP_DAEMON_PROBLEMS_H
#define SEEP_DAEMON_PROBLEMS_H

#include <stddef.h>

#define PROBLEMS_MAX 100

struct problems {
	char *lines[PROBLEMS_MAX]; /* owned; "/etc/seep/seep.conf:7: what is wrong" */
	size_t n;
	size_t left_out; /* that there was no room for */
};

/* @line 0: the file as a whole. Without memory it counts as left out, so it is never taken for right. */
void problems_add(struct problems *p, const char *path, unsigned line, const char *format, ...)
	__attribute__((format(printf, 4, 5)));

size_t problems_count(const struct problems *p); /* with those left out */
void problems_done(struct problems *p);

#endif
