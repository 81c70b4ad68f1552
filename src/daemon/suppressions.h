/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The file of leaks that nobody wants to hear of. */
#ifndef SEEP_DAEMON_SUPPRESSIONS_H
#define SEEP_DAEMON_SUPPRESSIONS_H

struct alert_book;
struct problems;

/*
 * What is wrong with it is logged, and nothing is changed then. -EFBIG: over 1 MiB. NULL: none, those of
 * a file before are gone.
 */
int suppressions_load(struct alert_book *b, const char *path);

/* Adds what is wrong with it to @problems. 0, also then; -ENOMEM. */
int suppressions_check(const char *path, struct problems *problems);

#endif
