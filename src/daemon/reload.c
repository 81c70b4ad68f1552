// SPDX-License-Identifier: GPL-2.0-or-later
/* The configuration of a daemon that runs. See reload.h. */
#include "daemon/reload.h"

#include <errno.h>
#include <event2/event.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "daemon/reload_targets.h"
#include "daemon/sinks.h"
#include "daemon/suppressions.h"
#include "serve/server.h"

#define NS_PER_MS   1000000u
#define WAITING_MAX 64

struct reload {
	struct reload_options options;
	struct config first;	    /* owned: what the daemon was started with */
	struct config last;	    /* owned: what was loaded last, if that was later */
	struct problems refused;    /* owned: of the last try, if it was not taken */
	char *waiting[WAITING_MAX]; /* owned: "[Daemon] Tick=" that takes a restart */
	size_t n_waiting;
	struct event *hangup; /* owned */
	struct config_status status;
	bool has_last;
};

static const struct config *current(const struct reload *r)
{
	return r->has_last ? &r->last : &r->first;
}

static void set_status(struct reload *r, bool is_loaded)
{
	const struct config *c = current(r);

	r->status.state = is_loaded ? "loaded" : "kept";
	r->status.errors = r->refused.lines;
	r->status.n_errors = r->refused.n;
	r->status.files = c->files.paths;
	r->status.n_files = c->files.n;
	r->status.waiting = r->waiting;
	r->status.n_waiting = r->n_waiting;
	if (is_loaded)
		r->status.loaded_ms = clock_ns(CLOCK_REALTIME) / NS_PER_MS;
}

static void forget_waiting(struct reload *r)
{
	for (size_t i = 0; i < r->n_waiting; i++)
		free(r->waiting[i]);
	r->n_waiting = 0;
}

/* What differs from what the daemon was started with, and cannot be changed while it runs. */
static void note_waiting(struct reload *r, const struct seepd_options *wanted)
{
	forget_waiting(r);
	for (size_t i = 0; i < n_seepd_settings && r->n_waiting < WAITING_MAX; i++) {
		const struct setting *s = &seepd_settings[i];
		char *name;

		if (s->is_live || setting_is_equal(s, &r->first.options, wanted))
			continue;
		log_warning("%s= in [%s] has changed, which takes a restart of seepd", s->key,
			    s->section);
		if (asprintf(&name, "[%s] %s=", s->section, s->key) >= 0)
			r->waiting[r->n_waiting++] = name;
	}
}

static bool is_same_text(const char *a, const char *b)
{
	return a && b ? strcmp(a, b) == 0 : a == b;
}

/* The two that can fail come first, so that nothing is changed by half. */
static int apply_files(struct reload *r, const struct seepd_options *now,
		       const struct seepd_options *wanted)
{
	int error = 0;

	/* The file may have changed under its name. */
	if (wanted->suppressions || now->suppressions)
		error = suppressions_load(monitor_alerts(r->options.monitor), wanted->suppressions);
	if (error < 0)
		return error;
	if (is_same_text(now->on_alert, wanted->on_alert) &&
	    is_same_text(now->on_alert_user, wanted->on_alert_user))
		return 0;
	error = sinks_set_command(r->options.sinks, wanted->on_alert, wanted->on_alert_user);
	if (error < 0)
		(void)log_error_errno(error, "cannot run '%s' for alerts", wanted->on_alert);
	return error;
}

static void apply_budgets(struct reload *r, const struct seepd_options *now,
			  const struct seepd_options *wanted)
{
	const struct monitor_options *a = &now->monitor, *b = &wanted->monitor;
	const struct monitor_budgets budgets = {
		.budget_ratio = b->budget_ratio,
		.total_budget_ratio = b->total_budget_ratio,
		.sampling_interval = b->sampling_interval,
	};

	if (a->budget_ratio != b->budget_ratio || a->total_budget_ratio != b->total_budget_ratio ||
	    a->sampling_interval != b->sampling_interval)
		monitor_set_budgets(r->options.monitor, &budgets);
}

/* Takes over what @new has. */
static void take(struct reload *r, struct config *new)
{
	if (r->has_last)
		config_done(&r->last);
	r->last = *new;
	r->has_last = true;
	*new = (struct config){ .files = { .n = 0 } };
}

/* False: it was not taken, and r->refused says why. */
static bool load(struct reload *r)
{
	_cleanup_(config_done) struct config new = { .files = { .n = 0 } };
	int status;

	problems_done(&r->refused);
	if (config_read(r->options.argc, r->options.argv, &new, &status) == 0) {
		problems_add(&r->refused, "seepd", 0,
			     "its arguments are not valid any more, or memory ran out");
		return false;
	}
	if (problems_count(&new.problems) > 0) {
		r->refused = new.problems;
		new.problems = (struct problems){ .n = 0 };
		return false;
	}
	if (apply_files(r, &current(r)->options, &new.options) < 0) {
		problems_add(&r->refused, "seepd", 0, "its log says what could not be changed");
		return false;
	}
	apply_budgets(r, &current(r)->options, &new.options);
	monitor_set_thresholds(r->options.monitor, &new.options.monitor.thresholds);
	log_set_level(seepd_options_log_level(&new.options));
	reload_targets(r->options.monitor, &new.rules);
	note_waiting(r, &new.options);
	take(r, &new);
	return true;
}

static void on_hangup(evutil_socket_t signal, short what, void *userdata)
{
	struct reload *r = userdata;
	bool is_loaded;

	(void)signal;
	(void)what;
	if (r->options.on_begin)
		r->options.on_begin(r->options.userdata);
	is_loaded = load(r);
	for (size_t i = 0; i < r->refused.n; i++)
		log_error("%s", r->refused.lines[i]);
	set_status(r, is_loaded);
	if (is_loaded)
		log_info("reloaded the configuration: %zu files, %zu targets", r->last.files.n,
			 r->last.rules.n);
	else
		log_error("the configuration is wrong and was not taken; that of before stays in "
			  "force");
	if (r->options.on_end)
		r->options.on_end(is_loaded, r->options.userdata);
}

int reload_new(const struct reload_options *options, struct config *first, struct reload **ret)
{
	_cleanup_(reload_freep) struct reload *r = calloc(1, sizeof(*r));

	if (!r)
		return -ENOMEM;
	r->options = *options;
	r->first = *first;
	*first = (struct config){ .files = { .n = 0 } };
	r->hangup = event_new(options->base, SIGHUP, EV_SIGNAL | EV_PERSIST, on_hangup, r);
	if (!r->hangup || event_add(r->hangup, NULL) < 0)
		return -ENOMEM;
	reload_targets(options->monitor, &r->first.rules);
	set_status(r, true);
	*ret = TAKE_PTR(r);
	return 0;
}

struct reload *reload_free(struct reload *r)
{
	if (!r)
		return NULL;
	if (r->hangup)
		event_free(r->hangup);
	forget_waiting(r);
	problems_done(&r->refused);
	config_done(&r->first);
	if (r->has_last)
		config_done(&r->last);
	free(r);
	return NULL;
}

const struct config_status *reload_status(const struct reload *r)
{
	return &r->status;
}
