// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * A monitor in the foreground. See session.h.
 */
#include "cli/session.h"

#include <string.h>
#include <time.h>

#include <event2/event.h>

#include "base/cleanup.h"
#include "base/limits.h"
#include "base/log.h"
#include "cli/render.h"
#include "cli/report.h"
#include "serve/views.h"

#define SECOND_NS     1000000000ull
#define NAMES_SECONDS 60 /* for finding names; after that the report goes out without them */
#define TEXT_LIMIT    20

static uint64_t now_ns(void)
{
	struct timespec now;

	(void)clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * SECOND_NS + (uint64_t)now.tv_nsec;
}

static int complain_about_monitor(int r, const char *why)
{
	if (why)
		cli_error("%s", why);
	else
		cli_error("cannot start: %s", strerror(-r));
	if (r != -ENOMEM)
		cli_error("'seepctl doctor' tells what this machine can do");
	return r == -EPERM ? CLI_DENIED : CLI_ERROR;
}

int session_open(struct session *s, const struct session_options *options,
		 const struct cli_context *context, bool keep_exited)
{
	struct monitor_options monitor_options = {
		.tick_ns = SECOND_NS,
		.max_blocks = (uint32_t)options->max_blocks,
		.max_frames = (uint32_t)options->max_frames,
		.ring_bytes = (uint32_t)options->ring_bytes,
		.max_targets = 4096,
		.keep_exited = keep_exited,
		.force_links = options->links,
	};
	const char *why = NULL;
	int r;

	*s = (struct session){ .options = options, .context = context, .started_ns = now_ns() };
	if (options->ring_bytes & (options->ring_bytes - 1)) {
		cli_error("--ring-size must be a power of two");
		return CLI_USAGE;
	}
	log_open("seepctl");
	log_set_level(options->verbose ? LOG_DEBUG : LOG_NOTICE);
	r = limits_raise_descriptors(&s->descriptors);
	if (r < 0)
		log_debug_errno(r, "failed to raise the limit of open files, ignoring");
	s->base = event_base_new();
	if (!s->base)
		return cli_no_memory();
	r = monitor_new(s->base, &monitor_options, &s->monitor, &why);
	return r < 0 ? complain_about_monitor(r, why) : CLI_OK;
}

void session_close(struct session *s)
{
	s->monitor = monitor_free(s->monitor);
	if (s->base)
		event_base_free(s->base);
	s->base = NULL;
}

void session_wait(struct session *s, const bool *done)
{
	while (!*done)
		if (event_base_loop(s->base, EVLOOP_ONCE) != 0)
			return;
}

static void on_deadline(evutil_socket_t fd, short what, void *userdata)
{
	(void)fd;
	(void)what;
	*(bool *)userdata = true;
}

static struct event *start_deadline(struct session *s, uint64_t timeout_ns, bool *late)
{
	struct timeval after = {
		.tv_sec = (time_t)(timeout_ns / SECOND_NS),
		.tv_usec = (suseconds_t)(timeout_ns % SECOND_NS / 1000),
	};
	struct event *timer = event_new(s->base, -1, 0, on_deadline, late);

	if (timer && event_add(timer, &after) == 0)
		return timer;
	if (timer)
		event_free(timer);
	return NULL;
}

void session_settle(struct session *s, uint64_t timeout_ns)
{
	bool late = false;
	struct event *timer = start_deadline(s, timeout_ns, &late);

	while (timer && !late && monitor_is_busy(s->monitor))
		if (event_base_loop(s->base, EVLOOP_ONCE) != 0)
			break;
	if (timer)
		event_free(timer);
}

static void on_names(void *userdata)
{
	*(bool *)userdata = true;
}

/* The flag is the session's: the answer may still come after the deadline. */
static void find_names(struct session *s)
{
	bool late = false;
	struct event *timer;

	s->names_found = false;
	if (view_resolve(s->monitor, 0, on_names, &s->names_found) < 0)
		return;
	timer = start_deadline(s, NAMES_SECONDS * SECOND_NS, &late);
	while (timer && !s->names_found && !late)
		if (event_base_loop(s->base, EVLOOP_ONCE) != 0)
			break;
	if (timer)
		event_free(timer);
	if (!s->names_found)
		cli_warning("not all names were found within %d seconds", NAMES_SECONDS);
}

/* {"target":...,"sites":[...],...}: a target and what it has live. */
static int add_target(struct session *s, const struct target *target,
		      const struct group_options *options, json_t *report)
{
	_cleanup_(json_decrefp) json_t *list = NULL;
	json_t *view = NULL;
	int r;

	r = view_target(s->monitor, target, &view);
	if (r < 0)
		return r;
	if (json_object_set_new(report, "target", view) < 0)
		return -ENOMEM;
	r = view_sites(s->monitor, target->key, options, &list);
	if (r < 0)
		return r;
	if (json_object_set(report, "sites", json_object_get(list, "sites")) < 0 ||
	    json_object_set(report, "total", json_object_get(list, "total")) < 0 ||
	    json_object_set(report, "sum", json_object_get(list, "sum")) < 0 ||
	    json_object_set(report, "hidden", json_object_get(list, "hidden")) < 0)
		return -ENOMEM;
	return 0;
}

static int add_children(struct session *s, const struct target *root,
			const struct group_options *options, json_t *report)
{
	json_t *children = json_array();
	struct target *const *targets;
	size_t n;
	int r;

	if (!children || json_object_set_new(report, "children", children) < 0)
		return -ENOMEM;
	n = monitor_targets(s->monitor, &targets);
	for (size_t i = 0; i < n; i++) {
		json_t *child;

		if (targets[i] == root)
			continue;
		child = json_object();
		if (!child || json_array_append_new(children, child) < 0)
			return -ENOMEM;
		r = add_target(s, targets[i], options, child);
		if (r < 0)
			return r;
	}
	return 0;
}

static int make_report(struct session *s, const struct target *root, json_t **ret)
{
	const struct grouping *g = &s->options->grouping;
	struct group_options options = {
		.limit = g->limit || s->context->json ? g->limit : TEXT_LIMIT,
		.include = g->include.items,
		.n_include = g->include.n,
		.exclude = g->exclude.items,
		.n_exclude = g->exclude.n,
		.all_frames = g->all_frames,
		.default_excludes = !g->no_default_excludes,
	};
	_cleanup_(json_decrefp) json_t *report = json_object();
	int r;

	if (!report)
		return -ENOMEM;
	r = group_by_parse(g->by, &options.by);
	if (r == 0)
		r = group_sort_parse(g->sort, &options.sort);
	if (r == 0)
		r = add_target(s, root, &options, report);
	if (r == 0)
		r = add_children(s, root, &options, report);
	if (r < 0)
		return r;
	if (json_object_set_new(report, "by", json_string(g->by)) < 0 ||
	    json_object_set_new(report, "duration_seconds",
				json_real((double)(now_ns() - s->started_ns) / SECOND_NS)) < 0)
		return -ENOMEM;
	*ret = TAKE_PTR(report);
	return 0;
}

const struct target *session_find(const struct session *s, pid_t pid)
{
	const struct target *last = NULL;
	struct target *const *targets;
	size_t n = monitor_targets(s->monitor, &targets);

	for (size_t i = 0; i < n; i++)
		if (targets[i]->pid == pid)
			last = targets[i];
	return last;
}

int session_report(struct session *s, const struct target *root)
{
	_cleanup_(json_decrefp) json_t *report = NULL;
	struct render_options render;
	int r;

	r = monitor_tick(s->monitor);
	if (r == 0)
		r = monitor_scan_ages(s->monitor);
	if (r < 0)
		cli_warning("reading the maps failed (%s): figures are those of the last second",
			    strerror(-r));
	find_names(s);
	r = make_report(s, root, &report);
	if (r < 0)
		return cli_no_memory();
	render_options_init(&render, s->context, stdout);
	render.traceback = grouping_is_traceback(&s->options->grouping);
	r = report_write(s->options->output, report, s->context->json, &render);
	if (r < 0) {
		cli_error("writing the report%s%s failed: %s", s->options->output ? " to " : "",
			  s->options->output ? s->options->output : "", strerror(-r));
		return CLI_ERROR;
	}
	return CLI_OK;
}
