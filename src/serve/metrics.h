/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Parts of /metrics. */
#ifndef SEEP_SERVE_METRICS_H
#define SEEP_SERVE_METRICS_H

struct exchange;
struct exposition;

/* metrics_self.c: the daemon as a process, under the names that all exporters use. */
void metrics_put_self(struct exposition *e);

/*
 * metrics_leaks.c: what leaks, the gravest first: at most 20 of a service and 500 in all; what is left out
 * is counted. -ENOMEM.
 */
#define METRICS_LEAKS_PER_SERVICE 20
#define METRICS_LEAKS_MAX	  500

int metrics_put_leaks(const struct exchange *x, struct exposition *e);

#endif
