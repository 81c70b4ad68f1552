// SPDX-License-Identifier: GPL-2.0-or-later
/* /v1/targets: who is watched. */
#include "serve/handlers.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "monitor.h"
#include "serve/body.h"
#include "serve/exchange.h"
#include "serve/verdicts.h"
#include "base/values.h"
#include "target/procfs.h"
#include "target/selector.h"

#define SELECTORS_SHOWN 64

/* {"targets":[...]} of those that the peer may see. */
static int put_targets(struct exchange *x, json_t *o, struct target *const *targets, size_t n)
{
	_cleanup_(verdicts_freep) struct verdicts *verdicts =
		verdicts_new(monitor_alerts(x->monitor));
	json_auto_t *list = json_array();
	size_t shown = 0;
	int r = verdicts ? 0 : -ENOMEM;

	for (size_t i = 0; i < n && verdicts; i++) {
		json_t *t = NULL;

		if (!access_has_target(x, targets[i]))
			continue;
		r |= view_target_with(x->monitor, targets[i], verdicts, &t);
		r |= access_trim(x, targets[i]->uid, t);
		r |= view_append(list, t);
		shown++;
	}
	r |= view_put(o, "targets", TAKE_PTR(list));
	r |= view_put(o, "total", view_u64(shown));
	return r;
}

/* What is tracked, also when no process matches: only who may untrack it needs to know. */
static int put_selectors(struct exchange *x, json_t *o)
{
	struct monitor_selector selectors[SELECTORS_SHOWN];
	json_auto_t *list = json_array();
	size_t n = monitor_selectors(x->monitor, selectors, SELECTORS_SHOWN);
	int r = 0;

	for (size_t i = 0; x->peer.level >= ACCESS_OPERATE && i < n && i < SELECTORS_SHOWN; i++) {
		json_t *s = json_object();

		r |= view_put(s, "selector", view_text(selectors[i].text));
		r |= view_put(s, "follow", json_boolean(selectors[i].follow));
		r |= view_put(s, "is_configured", json_boolean(selectors[i].is_configured));
		r |= view_put(s, "targets", view_u64(selectors[i].n_targets));
		r |= view_append(list, s);
	}
	return r | view_put(o, "selectors", TAKE_PTR(list));
}

int targets_get(struct exchange *x)
{
	json_auto_t *o = json_object();
	struct target *const *targets;
	size_t n = monitor_targets(x->monitor, &targets);
	bool is_suggested;
	int r;

	r = suggested_wanted(x, &is_suggested);
	if (r != 1)
		return r;
	if (is_suggested)
		return suggested_get(x);
	r = put_targets(x, o, targets, n);
	r |= put_selectors(x, o);
	return exchange_reply(x, 200, r < 0 ? NULL : TAKE_PTR(o));
}

int target_get(struct exchange *x)
{
	const struct target *t = access_find_target(x, x->segment);
	json_t *o = NULL;

	if (!t)
		return EXCHANGE_ANSWERED;
	if (view_target(x->monitor, t, &o) == 0 && access_trim(x, t->uid, o) == 0)
		return exchange_reply(x, 200, o);
	json_decref(o);
	return exchange_reply(x, 200, NULL);
}

/* Whether the peer may watch what @s means: all, or one process of its own. */
static bool may_track(struct exchange *x, const struct selector *s)
{
	uid_t uid;

	if (x->peer.level >= ACCESS_OPERATE)
		return true;
	if (s->kind != SELECTOR_PID) {
		(void)access_refuse(x, "track by anything but a process id");
		return false;
	}
	if (!access_find_owner(x, s->pid, &uid))
		return false;
	if (uid != x->peer.uid) {
		(void)access_refuse(x, "track processes of other users");
		return false;
	}
	return true;
}

static int refuse_tracking(struct exchange *x, int r, const char *text)
{
	switch (r) {
	case -ESRCH:
		return exchange_refuse(x, PROBLEM_NO_SUCH_PROCESS,
				       "No process matches \"%.600s\"; see ps(1).", text);
	case -EPERM:
		return exchange_refuse(
			x, PROBLEM_REFUSED_TARGET,
			"seepd itself and process 1 are never traced; choose another "
			"process.");
	case -EEXIST:
		return exchange_refuse(x, PROBLEM_ALREADY_TRACKED,
				       "\"%.600s\" is tracked already; GET /v1/targets shows it.",
				       text);
	case -ENOSPC:
		return exchange_refuse(x, PROBLEM_TOO_MANY_TARGETS,
				       "As many targets are watched as the daemon allows; untrack "
				       "some, or choose a narrower selector.");
	default:
		return exchange_refuse(x, PROBLEM_INTERNAL, "Tracking \"%.600s\" failed: %s.", text,
				       strerror(-r));
	}
}

/* One new target can be pointed at. */
static int set_location(struct exchange *x, const struct target *t)
{
	char path[64];
	int n = snprintf(path, sizeof(path), "/v1/targets/%s", t->id);

	if (n < 0 || (size_t)n >= sizeof(path))
		return -ENAMETOOLONG;
	return exchange_set_header(x, "Location", path);
}

static int reply_tracked(struct exchange *x, const char *text, struct target *const *targets,
			 size_t n)
{
	json_auto_t *o = json_object();
	int r = 0;

	if (n == 1)
		r |= set_location(x, targets[0]);
	r |= view_put(o, "selector", view_text(text));
	r |= put_targets(x, o, targets, n);
	return exchange_reply(x, 201, r < 0 ? NULL : TAKE_PTR(o));
}

/* A number that only one mode has a use for. False: answered. */
static bool check_number(struct exchange *x, const char *name, bool is_wanted, double min,
			 double max)
{
	double value = body_get_number(x, name);

	if (!body_has(x, name))
		return true;
	if (is_wanted && value >= min && value <= max)
		return true;
	if (is_wanted)
		(void)exchange_refuse(x, PROBLEM_OUT_OF_RANGE,
				      "The field \"%s\" must be from %g to %g.", name, min, max);
	else
		(void)exchange_refuse(x, PROBLEM_OUT_OF_RANGE,
				      "The field \"%s\" goes with another mode.", name);
	return false;
}

/* How much of the processes is traced. False: answered. */
static bool read_track_options(struct exchange *x, struct track_options *ret)
{
	static const char *const modes[] = {
		[TRACK_GOVERNED] = "governed",
		[TRACK_EXACT] = "exact",
		[TRACK_SAMPLED] = "sampled",
	};
	const char *mode = body_get_string(x, "mode");
	size_t i = mode ? 0 : TRACK_GOVERNED;

	while (mode && i < ARRAY_SIZE(modes) && strcmp(mode, modes[i]) != 0)
		i++;
	if (i == ARRAY_SIZE(modes)) {
		(void)exchange_refuse(x, PROBLEM_OUT_OF_RANGE,
				      "The field \"mode\" must be \"governed\", \"exact\" or "
				      "\"sampled\".");
		return false;
	}
	if (!check_number(x, "sampling_interval_bytes", i == TRACK_SAMPLED, SAMPLING_INTERVAL_MIN,
			  SAMPLING_INTERVAL_MAX) ||
	    !check_number(x, "budget_ratio", i == TRACK_GOVERNED, 0.0001, TRACK_BUDGET_MAX) ||
	    !check_number(x, "limit_bytes", true, TRACK_LIMIT_MIN, (double)(1ull << 50)))
		return false;
	*ret = (struct track_options){
		.follow = body_get_boolean(x, "follow"),
		.mode = (enum track_mode)i,
		.sampling_interval = (uint32_t)body_get_number(x, "sampling_interval_bytes"),
		.budget_ratio = body_get_number(x, "budget_ratio"),
		.limit_bytes = (uint64_t)body_get_number(x, "limit_bytes"),
	};
	return true;
}

int targets_post(struct exchange *x)
{
	static const struct body_field fields[] = {
		{ .name = "selector", .is_required = true },
		{ .name = "follow", .type = BODY_BOOLEAN },
		{ .name = "mode" },
		{ .name = "sampling_interval_bytes", .type = BODY_NUMBER },
		{ .name = "budget_ratio", .type = BODY_NUMBER },
		{ .name = "limit_bytes", .type = BODY_NUMBER },
		{ 0 },
	};
	_cleanup_(selector_freep) struct selector *selector = NULL;
	_cleanup_free_ struct target **targets = NULL;
	const char *text, *why = "it is not understood.";
	struct track_options how;
	size_t n = 0;
	int r;

	if (!body_read(x, fields) || !read_track_options(x, &how))
		return EXCHANGE_ANSWERED;
	text = body_get_string(x, "selector");
	r = selector_parse(text, &selector, &why);
	if (r == -EINVAL)
		return exchange_refuse(x, PROBLEM_BAD_SELECTOR, "\"%.300s\" is no selector: %s",
				       text, why);
	if (r < 0)
		return r;
	exchange_set_deed(x, "tracks %s", text);
	if (!may_track(x, selector))
		return EXCHANGE_ANSWERED;
	r = monitor_track(x->monitor, TAKE_PTR(selector), &how, &targets, &n);
	if (r < 0)
		return refuse_tracking(x, r, text);
	/* The pid may have changed hands since may_track() looked. */
	for (size_t i = 0; i < n; i++)
		if (!access_has_target(x, targets[i])) {
			(void)monitor_untrack(x->monitor, text);
			return access_refuse(x, "track processes of other users");
		}
	exchange_set_deed(x, "tracks %s, processes now: %zu", text, n);
	return reply_tracked(x, text, targets, n);
}

/* Whether the peer may end what @text started. False: answered. */
static bool may_untrack(struct exchange *x, const char *text)
{
	_cleanup_(selector_freep) struct selector *selector = NULL;
	struct target *const *targets;
	size_t n;

	if (x->peer.level >= ACCESS_OPERATE)
		return true;
	/* A selector of one process of the peer is as good as the target's id. */
	if (selector_parse(text, &selector, NULL) < 0 || selector->kind != SELECTOR_PID)
		return access_find_target(x, text) != NULL;
	n = monitor_targets(x->monitor, &targets);
	for (size_t i = 0; i < n; i++)
		if (targets[i]->pid == selector->pid && access_has_target(x, targets[i]))
			return true;
	(void)access_refuse(x, "untrack processes of other users");
	return false;
}

int target_delete(struct exchange *x)
{
	int r;

	exchange_set_deed(x, "untracks %s", x->segment);
	if (!may_untrack(x, x->segment))
		return EXCHANGE_ANSWERED;
	r = monitor_untrack(x->monitor, x->segment);
	if (r == -ENOENT)
		return exchange_refuse(x, PROBLEM_NO_SUCH_TARGET,
				       "Nothing is tracked as \"%.600s\"; give the id of a target, "
				       "or a selector as it was tracked.",
				       x->segment);
	if (r < 0)
		return r;
	return exchange_reply_nothing(x);
}
