/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The file of leaks that nobody wants to hear of. */
#ifndef SEEP_DAEMON_SUPPRESSIONS_H
#define SEEP_DAEMON_SUPPRESSIONS_H

struct alert_book;

/* What is wrong with it is logged, and nothing is changed then. -EFBIG: over 1 MiB. */
int suppressions_load(struct alert_book *b, const char *path);

#endif
