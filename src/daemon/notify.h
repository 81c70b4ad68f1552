/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the daemon tells the service manager: sd_notify(3). Without one ($NOTIFY_SOCKET is not set)
 * nothing is told; that it could not be told is only worth a debug message.
 */
#ifndef SEEP_DAEMON_NOTIFY_H
#define SEEP_DAEMON_NOTIFY_H

#include <stdint.h>

#define NOTIFY_STATUS_MAX 256

struct notify {
	uint64_t watchdog_ns;		/* how long it may be silent; 0: as long as it likes */
	char status[NOTIFY_STATUS_MAX]; /* as last told */
};

/* Reads the environment, and leaves it as it is: only this process heeds $WATCHDOG_PID. */
void notify_init(struct notify *n);

/*
 * Answers are served from here on. The watchdog waits for ticks: where three of them (@tick_ns) take longer
 * than it would wait, it is asked to wait that long.
 */
void notify_ready(struct notify *n, uint64_t tick_ns);

/* The configuration is being read; notify_ready() tells that it was. */
void notify_reloading(struct notify *n);

void notify_stopping(struct notify *n);

/* A whole tick is over: feeds the watchdog. @status: one line for people; cut at NOTIFY_STATUS_MAX. */
void notify_tick(struct notify *n, const char *status);

#endif
