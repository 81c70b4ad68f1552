/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Metrics as text for Prometheus: its text format 0.0.4, or OpenMetrics 1.0 (which differs in the names
 * of counters' families, in units, and in its end).
 *
 *	exposition_family(e, "seep_service_allocated_bytes_total", METRIC_COUNTER, "bytes", "...");
 *	exposition_sample(e, 4096, METRIC_LABELS({ "service", "nginx.service" }));
 */
#ifndef SEEP_SERVE_EXPOSITION_H
#define SEEP_SERVE_EXPOSITION_H

#include <stdbool.h>
#include <stdint.h>

struct evbuffer;

enum metric_type {
	METRIC_GAUGE,
	METRIC_COUNTER, /* the name ends in _total */
	METRIC_INFO,	/* a gauge of 1 with labels; the name ends in _info */
};

struct exposition {
	struct evbuffer *out; /* borrowed */
	const char *name;     /* borrowed: of the family at hand */
	bool is_openmetrics;
	bool has_failed; /* memory ran out */
};

/* Whether a client's Accept header (NULL: none) asks for OpenMetrics. */
bool exposition_wants_openmetrics(const char *accept);
const char *exposition_content_type(bool is_openmetrics);

/* @unit: "bytes", "seconds", "ratio", with which the name then ends; NULL: none. @name is borrowed. */
void exposition_family(struct exposition *e, const char *name, enum metric_type type,
		       const char *unit, const char *help);

/* One whose value is NULL is left out. */
struct metric_label {
	const char *name; /* NULL: the end */
	const char *value;
};

#define METRIC_LABELS(...) ((const struct metric_label[]){ __VA_ARGS__, { NULL, NULL } })

/* @labels: METRIC_LABELS({ "service", name }); NULL: none. */
void exposition_sample(struct exposition *e, double value, const struct metric_label *labels);

void exposition_end(struct exposition *e);

#endif
