// SPDX-License-Identifier: GPL-2.0-or-later
/* GET /metrics: figures for Prometheus and those who read its format. */
#include "serve/handlers.h"

#include <errno.h>
#include <event2/buffer.h>

#include "base/clock.h"
#include "monitor.h"
#include "serve/exchange.h"
#include "serve/exposition.h"
#include "serve/metric_totals.h"
#include "serve/metrics.h"
#include "serve/server.h"

#define MS_PER_SECOND 1000.0

static struct metric_sample sample_of(struct monitor *m, const struct target *t)
{
	const struct totals sum = heap_sum(monitor_heap(m), t->key);
	struct metric_sample s = {
		.key = t->key,
		.service = target_service(t),
		.counters = {
			[METRIC_ALLOCATED_BYTES] = (double)sum.allocated_bytes,
			[METRIC_ALLOCATED_BLOCKS] = (double)sum.allocated_count,
			[METRIC_FREED_BYTES] = (double)sum.freed_bytes,
			[METRIC_FREED_BLOCKS] = (double)sum.freed_count,
		},
		.gauges = {
			[METRIC_LIVE_BYTES] = (double)totals_live_bytes(&sum),
			[METRIC_LIVE_BLOCKS] = (double)totals_live_count(&sum),
			[METRIC_RESIDENT_BYTES] = (double)t->rss_bytes,
			[METRIC_OVERHEAD_RATIO] = t->overhead.estimated_ratio,
			[METRIC_PROCESSES] = 1,
		},
	};

	for (size_t i = 0; i < LOSS_REASONS; i++)
		s.counters[METRIC_LOST + i] = (double)t->coverage.lost[i];
	return s;
}

/* Who may see all processes counts on from one scrape to the next; others see what there is. */
static int take_targets(struct exchange *x, struct metric_totals *totals)
{
	uint64_t now_ns = clock_ns(CLOCK_MONOTONIC);
	struct target *const *targets;
	size_t n = monitor_targets(x->monitor, &targets);
	int r = 0;

	metric_totals_begin(totals);
	for (size_t i = 0; i < n && r == 0; i++) {
		struct metric_sample s;

		if (targets[i]->state == TARGET_EXITED || !access_has_target(x, targets[i]))
			continue;
		s = sample_of(x->monitor, targets[i]);
		r = metric_totals_take(totals, &s, now_ns);
	}
	metric_totals_end(totals, now_ns);
	return r;
}

static void put_services(struct exposition *e, const struct metric_totals *totals)
{
	static const struct {
		const char *name, *unit, *help;
		size_t at;
	} gauges[] = {
		{ "seep_service_processes", NULL, "Processes that are watched.", METRIC_PROCESSES },
		{ "seep_service_live_bytes", "bytes", "Allocated and not freed.",
		  METRIC_LIVE_BYTES },
		{ "seep_service_live_blocks", NULL, "Allocations that are not freed.",
		  METRIC_LIVE_BLOCKS },
		{ "seep_service_resident_bytes", "bytes", "Resident memory.",
		  METRIC_RESIDENT_BYTES },
		{ "seep_service_overhead_ratio", "ratio",
		  "What tracing has cost in the last minute, of one processor.",
		  METRIC_OVERHEAD_RATIO },
	};
	static const struct {
		const char *name, *unit, *help;
		size_t at;
	} counters[] = {
		{ "seep_service_allocated_bytes_total", "bytes", "Bytes that were allocated.",
		  METRIC_ALLOCATED_BYTES },
		{ "seep_service_allocated_blocks_total", NULL, "Allocations.",
		  METRIC_ALLOCATED_BLOCKS },
		{ "seep_service_freed_bytes_total", "bytes", "Bytes that were freed.",
		  METRIC_FREED_BYTES },
		{ "seep_service_freed_blocks_total", NULL, "Allocations that were freed.",
		  METRIC_FREED_BLOCKS },
	};
	const struct metric_service *list;
	size_t n = metric_totals_services(totals, &list);

	for (size_t g = 0; g < ARRAY_SIZE(gauges); g++) {
		exposition_family(e, gauges[g].name, METRIC_GAUGE, gauges[g].unit, gauges[g].help);
		for (size_t i = 0; i < n; i++)
			if (list[i].gauges[METRIC_PROCESSES] > 0)
				exposition_sample(e, list[i].gauges[gauges[g].at],
						  METRIC_LABELS({ "service", list[i].name }));
	}
	for (size_t c = 0; c < ARRAY_SIZE(counters); c++) {
		exposition_family(e, counters[c].name, METRIC_COUNTER, counters[c].unit,
				  counters[c].help);
		for (size_t i = 0; i < n; i++)
			exposition_sample(e, list[i].counters[counters[c].at],
					  METRIC_LABELS({ "service", list[i].name }));
	}
}

static void put_losses(struct exposition *e, const struct metric_totals *totals)
{
	const struct metric_service *list;
	size_t n = metric_totals_services(totals, &list);

	exposition_family(
		e, "seep_service_lost_total", METRIC_COUNTER, NULL,
		"What was not seen, by reason; reasons that never occurred are left out.");
	for (size_t i = 0; i < n; i++)
		for (size_t k = 0; k < LOSS_REASONS; k++)
			if (list[i].counters[METRIC_LOST + k] > 0)
				exposition_sample(
					e, list[i].counters[METRIC_LOST + k],
					METRIC_LABELS({ "service", list[i].name },
						      { "reason",
							loss_reason_name((enum loss_reason)k) }));
}

static void put_maps(struct exposition *e, const struct monitor_info *info)
{
	exposition_family(e, "seep_map_entries", METRIC_GAUGE, NULL,
			  "Entries in use of the kernel's maps.");
	exposition_sample(e, (double)info->live_blocks, METRIC_LABELS({ "map", "blocks" }));
	exposition_sample(e, (double)info->sites, METRIC_LABELS({ "map", "sites" }));
	exposition_family(e, "seep_map_capacity", METRIC_GAUGE, NULL, "Room in these maps.");
	exposition_sample(e, (double)info->max_blocks, METRIC_LABELS({ "map", "blocks" }));
	exposition_sample(e, (double)info->max_sites, METRIC_LABELS({ "map", "sites" }));
}

static void put_gauge(struct exposition *e, const char *name, const char *unit, const char *help,
		      double value)
{
	exposition_family(e, name, METRIC_GAUGE, unit, help);
	exposition_sample(e, value, NULL);
}

static void put_daemon(struct exposition *e, const struct monitor_info *info,
		       const struct server_status *status)
{
	exposition_family(e, "seep_build_info", METRIC_INFO, NULL, "The version of seepd.");
	exposition_sample(e, 1, METRIC_LABELS({ "version", SEEP_VERSION }));
	exposition_family(e, "seep_ticks_total", METRIC_COUNTER, NULL,
			  "Readings of the kernel's maps.");
	exposition_sample(e, (double)info->ticks, NULL);
	put_gauge(e, "seep_last_tick_duration_seconds", "seconds", "How long the last one took.",
		  (double)info->last_tick_ns / NS_PER_SECOND);
	put_gauge(e, "seep_budget_ratio", "ratio",
		  "What tracing may cost all processes, of one processor.",
		  info->total_budget_ratio);
	put_gauge(e, "seep_overhead_ratio", "ratio", "What it has cost them in the last minute.",
		  info->total_cost_ratio);
	put_gauge(e, "seep_history_size_bytes", "bytes", "Size of the history.",
		  (double)info->history_bytes);
	put_gauge(e, "seep_connections", NULL, "Clients, this one included.",
		  (double)status->connections);
	exposition_family(e, "seep_connections_refused_total", METRIC_COUNTER, NULL,
			  "Clients over the limit.");
	exposition_sample(e, (double)status->refused_connections, NULL);
	if (!status->config)
		return;
	put_gauge(e, "seep_config_last_reload_successful", NULL,
		  "0 when the configuration was wrong and was not taken.",
		  status->config->n_errors == 0);
	put_gauge(e, "seep_config_last_reload_success_timestamp_seconds", "seconds",
		  "When it was taken last.", (double)status->config->loaded_ms / MS_PER_SECOND);
}

static int put_all(struct exchange *x, struct exposition *e)
{
	_cleanup_(metric_totals_freep) struct metric_totals *own = NULL;
	struct metric_totals *totals = x->totals;
	struct server_status status;
	struct monitor_info info;
	int r;

	if (x->peer.level < x->needs) {
		own = metric_totals_new();
		totals = own;
	}
	r = totals ? take_targets(x, totals) : -ENOMEM;
	if (r < 0)
		return r;
	server_get_status(x->server, &status);
	monitor_get_info(x->monitor, &info);
	put_daemon(e, &info, &status);
	put_maps(e, &info);
	metrics_put_self(e);
	put_services(e, totals);
	put_losses(e, totals);
	r = metrics_put_leaks(x, e);
	exposition_end(e);
	return r < 0 ? r : e->has_failed ? -ENOMEM : 0;
}

int metrics_get(struct exchange *x)
{
	struct exposition e = {
		.out = evbuffer_new(),
		.is_openmetrics = exposition_wants_openmetrics(exchange_get_header(x, "Accept")),
	};
	int r;

	if (!e.out)
		return -ENOMEM;
	r = put_all(x, &e);
	if (r == 0)
		r = exchange_reply_content(x, 200, exposition_content_type(e.is_openmetrics),
					   e.out);
	evbuffer_free(e.out);
	return r;
}
