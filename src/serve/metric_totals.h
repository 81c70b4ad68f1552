/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Targets summed up by service, for metrics, with counters that never go back while a service is there:
 * what a process had counted when it ended stays in its service's sum.
 *
 * A round begins at each scrape, takes every target, and ends; then the services are read. A process that
 * comes and goes between two rounds is not counted, nor is what another did after the last one it was in.
 */
#ifndef SEEP_SERVE_METRIC_TOTALS_H
#define SEEP_SERVE_METRIC_TOTALS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "../bpf/abi.h" /* LOSS_REASONS */
#include "base/cleanup.h"

enum metric_counter {
	METRIC_ALLOCATED_BYTES,
	METRIC_ALLOCATED_BLOCKS,
	METRIC_FREED_BYTES,
	METRIC_FREED_BLOCKS,
	METRIC_LOST, /* and the other reasons after it */
	METRIC_COUNTERS = METRIC_LOST + LOSS_REASONS
};

enum metric_gauge {
	METRIC_LIVE_BYTES,
	METRIC_LIVE_BLOCKS,
	METRIC_RESIDENT_BYTES,
	METRIC_OVERHEAD_RATIO,
	METRIC_PROCESSES,
	METRIC_GAUGES
};

struct metric_sample {
	uint32_t key; /* of the target */
	const char *service;
	double counters[METRIC_COUNTERS];
	double gauges[METRIC_GAUGES];
};

struct metric_service {
	char *name;			 /* owned */
	double carried[METRIC_COUNTERS]; /* of processes that are gone */
	double counters[METRIC_COUNTERS];
	double gauges[METRIC_GAUGES]; /* all 0 without a process */
	uint64_t seen_ns;
};

struct metric_totals;

struct metric_totals *metric_totals_new(void); /* NULL: no memory */
struct metric_totals *metric_totals_free(struct metric_totals *t);
DEFINE_CLEANUP(struct metric_totals *, metric_totals_free)

void metric_totals_begin(struct metric_totals *t);
int metric_totals_take(struct metric_totals *t, const struct metric_sample *s, uint64_t now_ns);
/* A service that has had no process for five minutes is forgotten. */
void metric_totals_end(struct metric_totals *t, uint64_t now_ns);

/* In the order they came. Borrowed until the next round. */
size_t metric_totals_services(const struct metric_totals *t, const struct metric_service **ret);

#endif
