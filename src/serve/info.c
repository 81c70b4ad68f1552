// SPDX-License-Identifier: GPL-2.0-or-later
/* GET /v1/info, /healthz and /readyz: the daemon itself. */
#include "serve/handlers.h"

#include <string.h>
#include <sys/utsname.h>
#include <unistd.h>

#include "monitor.h"
#include "base/clock.h"
#include "serve/connections.h"
#include "serve/exchange.h"
#include "serve/server.h"
#include "base/values.h"
#include "base/wall.h"
#include "symbolize/symbolizer.h"

#ifndef SEEP_VERSION
#define SEEP_VERSION "unknown"
#endif

static json_t *features_json(const struct monitor_info *info)
{
	json_auto_t *o = json_object();
	int r = 0;

	r |= view_put(o, "preempt_disable", json_boolean(info->preempt_disable));
	r |= view_put(o, "find_vma", json_boolean(info->find_vma));
	r |= view_put(o, "map_prealloc", json_boolean(info->map_prealloc));
	return r < 0 ? NULL : TAKE_PTR(o);
}

static json_t *limits_json(const struct monitor_info *info)
{
	json_auto_t *o = json_object();
	int r = 0;

	r |= view_put(o, "blocks", view_u64(info->max_blocks));
	r |= view_put(o, "sites", view_u64(info->max_sites));
	r |= view_put(o, "threads", view_u64(info->max_threads));
	r |= view_put(o, "frames", view_u64(info->max_frames));
	r |= view_put(o, "targets", view_u64(info->max_targets));
	r |= view_put(o, "connections", view_u64(CONNECTIONS_MAX));
	return r < 0 ? NULL : TAKE_PTR(o);
}

static json_t *usage_json(struct monitor *m, const struct monitor_info *info,
			  const struct server_status *status)
{
	json_auto_t *o = json_object();
	struct target *const *targets;
	int r = 0;

	r |= view_put(o, "live_blocks", view_u64(info->live_blocks));
	r |= view_put(o, "sites", view_u64(info->sites));
	r |= view_put(o, "targets", view_u64(monitor_targets(m, &targets)));
	r |= view_put(o, "connections", view_u64(status->connections));
	r |= view_put(o, "refused_connections", view_u64(status->refused_connections));
	r |= view_put(o, "ended_connections", view_u64(status->ended_connections));
	return r < 0 ? NULL : TAKE_PTR(o);
}

static json_t *symbolizer_json(struct monitor *m)
{
	json_auto_t *o = json_object();
	struct symbolizer_stats stats;
	int r = 0;

	symbolizer_get_stats(monitor_symbolizer(m), &stats);
	r |= view_put(o, "requests", view_u64(stats.requests));
	r |= view_put(o, "failed", view_u64(stats.failed));
	r |= view_put(o, "children", view_u64(stats.children));
	r |= view_put(o, "killed", view_u64(stats.killed));
	return r < 0 ? NULL : TAKE_PTR(o);
}

static json_t *budget_json(const struct monitor_info *info)
{
	json_auto_t *o = json_object();
	int r = 0;

	r |= view_put(o, "target_ratio", view_real(info->budget_ratio));
	r |= view_put(o, "total_ratio", view_real(info->total_budget_ratio));
	r |= view_put(o, "estimated_ratio", view_real(info->total_cost_ratio));
	r |= view_put(o, "sampling_interval_bytes", view_u64(info->sampling_interval));
	return r < 0 ? NULL : TAKE_PTR(o);
}

static json_t *detector_json(const struct monitor_info *info)
{
	json_auto_t *o = json_object();
	int r = 0;

	r |= view_put(o, "tick_seconds", view_seconds(info->detector_tick_ns));
	r |= view_put(o, "last_evaluation_seconds", view_seconds(info->last_evaluation_ns));
	r |= view_put(o, "last_walk_seconds", view_seconds(info->last_walk_ns));
	r |= view_put(o, "judged", view_u64(info->judged));
	r |= view_put(o, "left_out", view_u64(info->left_out));
	return r < 0 ? NULL : TAKE_PTR(o);
}

static json_t *history_json(const struct monitor_info *info)
{
	json_auto_t *o = json_object();
	int r = 0;

	r |= view_put(o, "is_kept", json_boolean(info->has_history));
	r |= view_put(o, "bytes", view_u64(info->history_bytes));
	r |= view_put(o, "lost_records", view_u64(info->history_lost));
	r |= view_put(o, "error",
		      view_text(info->history_error ? strerror(-info->history_error) : NULL));
	return r < 0 ? NULL : TAKE_PTR(o);
}

static json_t *texts_json(char *const *texts, size_t n)
{
	json_auto_t *list = json_array();
	int r = 0;

	for (size_t i = 0; i < n; i++)
		r |= view_append(list, view_text(texts[i]));
	return r < 0 ? NULL : TAKE_PTR(list);
}

/* Files and what is wrong in them are for who may see paths. */
static json_t *config_json(const struct exchange *x, const struct config_status *c)
{
	bool is_shown = x->peer.level >= ACCESS_DETAIL;
	json_auto_t *o = json_object();
	char when[WALL_TEXT_MAX];
	int r = 0;

	if (!c)
		return json_null();
	r |= wall_format(c->loaded_ms, when);
	r |= view_put(o, "state", view_text(c->state));
	r |= view_put(o, "loaded_at", r < 0 ? json_null() : view_text(when));
	r |= view_put(o, "files", texts_json(c->files, is_shown ? c->n_files : 0));
	r |= view_put(o, "errors", texts_json(c->errors, is_shown ? c->n_errors : 0));
	r |= view_put(o, "takes_restart", texts_json(c->waiting, is_shown ? c->n_waiting : 0));
	return r < 0 ? NULL : TAKE_PTR(o);
}

/* What probes cost on this machine. */
static json_t *prices_json(struct monitor *m)
{
	const struct monitor_prices p = monitor_get_prices(m);
	json_auto_t *o = json_object();
	int r = 0;

	r |= view_put(o, "are_measured", json_boolean(p.measured_ns != 0));
	r |= view_put(o, "measured_at",
		      p.measured_ns ? view_monotonic(p.measured_ns) : json_null());
	r |= view_put(o, "allocation_ns", view_real(p.allocation_ns));
	r |= view_put(o, "return_ns", view_real(p.return_ns));
	r |= view_put(o, "block_ns", view_real(p.block_ns));
	r |= view_put(o, "free_ns", view_real(p.free_ns));
	r |= view_put(o, "single_step_ns", view_real(p.single_step_ns));
	r |= view_put(o, "window_ns", view_real(p.window_ns));
	r |= view_put(o, "exact_pair_ns", view_real(monitor_pair_ns(m)));
	return r < 0 ? NULL : TAKE_PTR(o);
}

static int put_host(json_t *o)
{
	struct utsname host = { 0 };
	int r = 0;

	(void)uname(&host); /* cannot fail with a valid pointer */
	r |= view_put(o, "kernel", view_text(host.release));
	r |= view_put(o, "architecture", view_text(host.machine));
	return r;
}

int info_get(struct exchange *x)
{
	json_auto_t *o = json_object();
	struct server_status status;
	struct monitor_info info;
	uint64_t now = clock_ns(CLOCK_MONOTONIC);
	int r = 0;

	server_get_status(x->server, &status);
	monitor_get_info(x->monitor, &info);
	r |= view_put(o, "name", json_string("seepd"));
	r |= view_put(o, "version", json_string(SEEP_VERSION));
	r |= view_put(o, "api", json_string("v1"));
	r |= view_put(o, "pid", json_integer(getpid()));
	r |= view_put(o, "started_at", view_monotonic(status.started_ns));
	r |= view_put(o, "uptime_seconds", view_seconds(now - status.started_ns));
	r |= put_host(o);
	r |= view_put(o, "links", view_text(info.links));
	r |= view_put(o, "features", features_json(&info));
	r |= view_put(o, "tick_seconds", view_seconds(info.tick_ns));
	r |= view_put(o, "last_tick_seconds", view_seconds(info.last_tick_ns));
	r |= view_put(o, "ticks", view_u64(info.ticks));
	r |= view_put(o, "is_healthy", json_boolean(status.is_healthy));
	r |= view_put(o, "limits", limits_json(&info));
	r |= view_put(o, "usage", usage_json(x->monitor, &info, &status));
	r |= view_put(o, "budget", budget_json(&info));
	r |= view_put(o, "prices", prices_json(x->monitor));
	r |= view_put(o, "detector", detector_json(&info));
	r |= view_put(o, "history", history_json(&info));
	r |= view_put(o, "symbolizer", symbolizer_json(x->monitor));
	r |= view_put(o, "config", config_json(x, status.config));
	return exchange_reply(x, 200, r < 0 ? NULL : TAKE_PTR(o));
}

int health_get(struct exchange *x)
{
	struct server_status status;

	server_get_status(x->server, &status);
	if (!status.is_healthy)
		return exchange_reply_text(x, 503, "the last reading is older than three ticks\n");
	return exchange_reply_text(x, 200, "ok\n");
}

/* Ready is who can answer for every target: none of them is still being attached. */
int readiness_get(struct exchange *x)
{
	struct target *const *targets;
	size_t n = monitor_targets(x->monitor, &targets);

	for (size_t i = 0; i < n; i++)
		if (targets[i]->state == TARGET_ATTACHING)
			return exchange_reply_text(x, 503, "targets are being attached\n");
	return health_get(x);
}
