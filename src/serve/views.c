// SPDX-License-Identifier: GPL-2.0-or-later
/* Targets and snapshots as JSON. See views.h; sites are in view_sites.c. */
#include "serve/views.h"

#include <errno.h>
#include <string.h>

#include "base/cleanup.h"
#include "monitor.h"
#include "base/clock.h"
#include "base/values.h"
#include "heap/heap.h"
#include "serve/verdicts.h"

bool view_scope_has(struct monitor *m, const struct view_scope *scope, uint32_t target)
{
	const struct target *t;

	if (scope->target && scope->target != target)
		return false;
	if (!scope->is_restricted)
		return true;
	t = monitor_target_by_key(m, target);
	return t && t->uid == scope->uid;
}

bool view_scope_has_snapshot(struct monitor *m, const struct view_scope *scope,
			     const struct monitor_snapshot *s)
{
	const struct snapshot_head *head = &s->head;
	const struct target *t;

	if (!scope->is_restricted)
		return true;
	if (head->pid == 0 || head->uid != scope->uid)
		return false;
	/* It may run as somebody else by now. */
	t = s->taken ? monitor_target_by_key(m, s->taken->target) : NULL;
	return !t || t->uid == scope->uid;
}

int view_coverage(const struct coverage *c, json_t **ret)
{
	json_auto_t *o = json_object(), *lost = json_object(), *truncated = json_object();
	json_auto_t *python = json_object();
	int r = 0;

	for (int i = 0; i < LOSS_REASONS; i++)
		r |= view_put(lost, loss_reason_name((enum loss_reason)i), view_u64(c->lost[i]));
	for (int i = STACK_COMPLETE + 1; i < STACK_STATUSES; i++)
		r |= view_put(truncated, stack_status_name((enum stack_status)i),
			      view_u64(c->truncated_stacks[i]));
	r |= view_put(o, "from_start", json_boolean(c->from_start));
	r |= view_put(o, "allocations_seen", view_u64(c->allocations_seen));
	r |= view_put(o, "frees_seen", view_u64(c->frees_seen));
	r |= view_put(o, "frees_of_unknown_blocks", view_u64(c->frees_of_unknown_blocks));
	r |= view_put(o, "failed_allocations", view_u64(c->failed_allocations));
	r |= view_put(o, "growth_bytes", c->has_growth ? view_u64(c->growth_bytes) : json_null());
	r |= view_put(o, "explained_bytes",
		      c->has_growth ? view_u64(c->explained_bytes) : json_null());
	r |= view_put(o, "lost", TAKE_PTR(lost));
	r |= view_put(o, "truncated_stacks", TAKE_PTR(truncated));
	r |= view_put(python, "whole", view_u64(c->python[PYTHON_WHOLE]));
	r |= view_put(python, "unmatched", view_u64(c->python[PYTHON_UNMATCHED]));
	r |= view_put(python, "no_thread_state", view_u64(c->python[PYTHON_NO_STATE]));
	r |= view_put(o, "python_stacks", TAKE_PTR(python));
	if (r < 0)
		return -ENOMEM;
	*ret = TAKE_PTR(o);
	return 0;
}

/* CPython is the one interpreter that is told apart; of what was not looked at, by its executable's name. */
static const char *language_of(const struct target *t)
{
	const char *name;

	if (t->runs_python)
		return "python";
	if (!t->exe)
		return NULL;
	name = strrchr(t->exe, '/');
	name = name ? name + 1 : t->exe;
	return strncmp(name, "python", strlen("python")) == 0 ? "python" : "native";
}

static json_t *real_or_null(bool is_known, double value)
{
	return is_known ? view_real(value) : json_null();
}

/* Of what is not governed any more (it exited) the last figures stand. */
static int put_overhead(json_t *o, const struct target *t)
{
	const struct overhead *cost = &t->overhead;
	bool is_known = t->mode_reason != NULL;
	json_auto_t *overhead = json_object();
	int r = 0;

	r |= view_put(overhead, "budget_ratio",
		      real_or_null(cost->budget_ratio > 0, cost->budget_ratio));
	r |= view_put(overhead, "estimated_ratio", real_or_null(is_known, cost->estimated_ratio));
	r |= view_put(overhead, "hits_per_second", real_or_null(is_known, cost->hits_per_second));
	r |= view_put(overhead, "ns_per_hit", real_or_null(is_known, cost->ns_per_hit));
	r |= view_put(o, "overhead", TAKE_PTR(overhead));
	return r;
}

static int put_mode(json_t *o, const struct target *t)
{
	bool is_known = t->mode_reason != NULL;
	int r = 0;

	r |= view_put(o, "mode", view_text(target_mode_name(t->mode)));
	r |= view_put(o, "mode_reason", view_text(t->mode_reason));
	r |= view_put(o, "sampling_interval_bytes", view_u64_or_null(t->sampling_interval));
	r |= view_put(o, "duty_ratio", real_or_null(is_known, t->duty_ratio));
	return r;
}

static int put_allocators(json_t *o, const struct target *t)
{
	json_auto_t *allocators = json_array();
	int r = 0;

	for (size_t i = 0; i < t->n_allocators; i++)
		r |= view_append(allocators, view_text(t->allocators[i]));
	r |= view_put(o, "allocators", TAKE_PTR(allocators));
	return r;
}

/* What the process is. */
static int put_identity(json_t *o, struct monitor *m, const struct target *t)
{
	const struct target *parent = t->parent ? monitor_target_by_key(m, t->parent) : NULL;
	int r = 0;

	r |= view_put(o, "id", view_text(t->id));
	r |= view_put(o, "pid", json_integer(t->pid));
	r |= view_put(o, "parent", view_text(parent ? parent->id : NULL));
	r |= view_put(o, "start_time", t->started.tv_sec ? view_time(&t->started) : json_null());
	r |= view_put(o, "uid", json_integer(t->uid));
	r |= view_put(o, "comm", view_text(t->comm));
	r |= view_put(o, "exe", view_text(t->exe));
	r |= view_put(o, "command", view_text(t->cmdline));
	r |= view_put(o, "unit", view_text(t->unit));
	r |= view_put(o, "cgroup", view_text(t->cgroup));
	r |= view_put(o, "container", view_text(t->container));
	r |= view_put(o, "language", view_text(language_of(t)));
	r |= view_put(o, "python_error", view_text(t->python_error));
	return r;
}

static json_t *target_trend(struct monitor *m, const struct target *t,
			    const struct verdicts *verdicts)
{
	const struct slope *slope = heap_target_slope(monitor_heap(m), t->key);
	struct slope_estimate growth = { .valid = false };

	if (slope)
		growth = slope_estimate(slope);
	return view_trend(verdicts_of_target(verdicts, t->key), t->state == TARGET_TRACED, &growth);
}

int view_target(struct monitor *m, const struct target *t, json_t **ret)
{
	_cleanup_(verdicts_freep) struct verdicts *verdicts = verdicts_new(monitor_alerts(m));

	return verdicts ? view_target_with(m, t, verdicts, ret) : -ENOMEM;
}

int view_target_with(struct monitor *m, const struct target *t, const struct verdicts *verdicts,
		     json_t **ret)
{
	json_auto_t *o = json_object(), *coverage = NULL, *memory = NULL, *reconciliation = NULL;
	struct totals sum = heap_sum(monitor_heap(m), t->key);
	int r = 0;

	r |= put_identity(o, m, t);
	r |= put_allocators(o, t);
	r |= put_mode(o, t);
	r |= view_put(o, "state", view_text(target_state_name(t->state)));
	r |= view_put(o, "error", view_text(t->error));
	r |= view_put(o, "attached_at", view_monotonic(t->attached_ns));
	r |= view_put(o, "rss_bytes", view_u64_or_null(t->rss_bytes));
	r |= view_put(o, "limit_bytes", view_u64_or_null(t->limit_bytes));
	r |= view_memory(&t->memory, &memory);
	r |= view_put(o, "memory", TAKE_PTR(memory));
	r |= view_reconciliation(t, &reconciliation);
	r |= view_put(o, "reconciliation", TAKE_PTR(reconciliation));
	r |= view_put(o, "live_bytes", view_u64(totals_live_bytes(&sum)));
	r |= view_put(o, "live_count", view_u64(totals_live_count(&sum)));
	r |= view_put(o, "error_bytes", view_u64(totals_live_error(&sum)));
	r |= view_put(o, "trend", target_trend(m, t, verdicts));
	r |= put_overhead(o, t);
	r |= view_coverage(&t->coverage, &coverage);
	r |= view_put(o, "coverage", TAKE_PTR(coverage));
	if (r < 0)
		return -ENOMEM;
	*ret = TAKE_PTR(o);
	return 0;
}

int view_snapshot(const struct monitor_snapshot *s, json_t **ret)
{
	const struct snapshot_head *head = &s->head;
	json_auto_t *o = json_object();
	int r = 0;

	r |= view_put(o, "name", view_text(head->name));
	r |= view_put(o, "taken_at", view_time(&head->wall));
	r |= view_put(o, "target", view_text(*head->target_id ? head->target_id : NULL));
	r |= view_put(o, "sites", view_u64(s->sites));
	r |= view_put(o, "live_bytes", view_u64(s->live_bytes));
	r |= view_put(o, "live_count", view_u64(s->live_count));
	r |= view_put(o, "since", head->since.tv_sec ? view_time(&head->since) : json_null());
	r |= view_put(o, "kept", json_boolean(s->is_kept));
	if (r < 0)
		return -ENOMEM;
	*ret = TAKE_PTR(o);
	return 0;
}
