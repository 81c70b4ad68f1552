/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Where clients connect, and who they may be: from options and handed sockets to the server. */
#ifndef SEEP_DAEMON_LISTENERS_H
#define SEEP_DAEMON_LISTENERS_H

#include "daemon/options.h"

struct event_base;
struct fd_store;
struct monitor;
struct server;

/*
 * Sockets named "api" (or "seepd.socket") and "http" (or "seepd-http.socket") are taken from @store; what
 * is not among them is bound. What fails is logged, and a negative errno.
 */
int listeners_start(struct event_base *base, struct monitor *m, const struct seepd_options *o,
		    struct fd_store *store, struct server **ret);

#endif
