// SPDX-License-Identifier: GPL-2.0-or-later
/* What the daemon tells the service manager. See notify.h. */
#include "daemon/notify.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <systemd/sd-daemon.h>
#include <time.h>

#include "base/clock.h"
#include "base/log.h"

#define TICKS_UNTIL_HUNG 3
#define NS_PER_USEC	 1000u

static void tell(const char *message)
{
	int r = sd_notify(0, message);

	if (r < 0)
		log_debug_errno(r, "failed to notify the service manager, ignoring");
}

void notify_init(struct notify *n)
{
	uint64_t usec = 0;

	*n = (struct notify){ .watchdog_ns = 0 };
	if (sd_watchdog_enabled(0, &usec) > 0)
		n->watchdog_ns = usec * NS_PER_USEC;
}

/* There is no need to shorten it again: it was not shorter when the service started. */
static void stretch_watchdog(struct notify *n, uint64_t tick_ns)
{
	char message[64];

	if (n->watchdog_ns == 0 || n->watchdog_ns >= TICKS_UNTIL_HUNG * tick_ns)
		return;
	n->watchdog_ns = TICKS_UNTIL_HUNG * tick_ns;
	(void)snprintf(message, sizeof(message), "WATCHDOG_USEC=%" PRIu64,
		       n->watchdog_ns / NS_PER_USEC);
	tell(message);
}

void notify_ready(struct notify *n, uint64_t tick_ns)
{
	stretch_watchdog(n, tick_ns);
	tell("READY=1");
}

void notify_reloading(struct notify *n)
{
	char message[64];

	(void)n;
	/* The time is for managers that wait for the end of a reload. */
	(void)snprintf(message, sizeof(message), "RELOADING=1\nMONOTONIC_USEC=%" PRIu64,
		       clock_ns(CLOCK_MONOTONIC) / NS_PER_USEC);
	tell(message);
}

void notify_stopping(struct notify *n)
{
	(void)n;
	tell("STOPPING=1\nSTATUS=Removing probes.");
}

void notify_tick(struct notify *n, const char *status)
{
	char message[NOTIFY_STATUS_MAX + 32];

	if (strncmp(n->status, status, sizeof(n->status) - 1) == 0) {
		tell("WATCHDOG=1");
		return;
	}
	(void)snprintf(n->status, sizeof(n->status), "%s", status);
	(void)snprintf(message, sizeof(message), "WATCHDOG=1\nSTATUS=%s", n->status);
	tell(message);
}
