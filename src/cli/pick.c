// SPDX-License-Identifier: GPL-2.0-or-later
/* Finding the target that a user means. See pick.h. */
#include "cli/pick.h"

#include <errno.h>
#include <fnmatch.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/cleanup.h"
#include "cli/api.h"
#include "cli/field.h"
#include "cli/render.h"
#include "target/selector.h"

static bool glob_matches(const char *pattern, const char *text)
{
	return text && fnmatch(pattern, text, 0) == 0;
}

/*
 * /usr/bin/python3 is a symbolic link, and the daemon knows the file behind it. Resolved on this
 * side, so a path inside a container is only compared as text.
 */
static bool exe_matches(const char *pattern, const char *exe)
{
	_cleanup_free_ char *real = NULL;

	if (glob_matches(pattern, exe))
		return true;
	real = exe && *pattern == '/' ? realpath(pattern, NULL) : NULL;
	return real && strcmp(real, exe) == 0;
}

bool pick_means(const struct selector *s, const json_t *target)
{
	const char *container = field_text(target, "container");

	switch (s->kind) {
	case SELECTOR_PID:
		return field_integer(target, "pid") == s->pid;
	case SELECTOR_EXE:
		return exe_matches(s->pattern, field_text(target, "exe"));
	case SELECTOR_COMM:
		return glob_matches(s->pattern, field_text(target, "comm"));
	case SELECTOR_CMD:
		return glob_matches(s->pattern, field_text(target, "command"));
	case SELECTOR_UNIT:
		return glob_matches(s->pattern, field_text(target, "unit"));
	case SELECTOR_CGROUP:
		return glob_matches(s->pattern, field_text(target, "cgroup"));
	case SELECTOR_CONTAINER:
		return container && strncasecmp(container, s->pattern, strlen(s->pattern)) == 0;
	}
	return false;
}

static bool has_exited(const json_t *target)
{
	return strcmp(field_text_or(target, "state", ""), "exited") == 0;
}

static json_t *find_id(json_t *targets, const char *id)
{
	json_t *target;
	size_t i;

	json_array_foreach(targets, i, target) {
		const char *have = field_text(target, "id");

		if (have && strcmp(have, id) == 0)
			return target;
	}
	return NULL;
}

/* All that match, or if some of them still run, only those. NULL: no memory. */
static json_t *find_all(json_t *targets, const struct selector *s)
{
	json_t *found = json_array(), *target;
	bool any_runs = false;
	size_t i;

	json_array_foreach(targets, i, target)
		any_runs = any_runs || (!has_exited(target) && pick_means(s, target));
	json_array_foreach(targets, i, target) {
		if ((any_runs && has_exited(target)) || !pick_means(s, target))
			continue;
		if (json_array_append(found, target) < 0) {
			json_decref(found);
			return NULL;
		}
	}
	return found;
}

int pick_target(json_t *targets, const char *text, json_t **ret, json_t **ret_candidates,
		const char **ret_why)
{
	_cleanup_(selector_freep) struct selector *s = NULL;
	_cleanup_(json_decrefp) json_t *found = NULL;
	json_t *target = find_id(targets, text);
	int r;

	if (target) {
		*ret = target;
		return 0;
	}
	r = selector_parse(text, &s, ret_why);
	if (r < 0)
		return r;
	found = find_all(targets, s);
	if (!found)
		return -ENOMEM;
	if (json_array_size(found) == 0)
		return -ESRCH;
	if (json_array_size(found) > 1) {
		*ret_candidates = TAKE_PTR(found);
		return -ENOTUNIQ;
	}
	*ret = json_array_get(found, 0);
	return 0;
}

static int explain_several(const struct cli_context *context, const char *text,
			   const json_t *candidates)
{
	struct render_options o;

	if (*text)
		cli_error("'%s' means %zu targets; name one of them by its id:", text,
			  json_array_size(candidates));
	else
		cli_error("there are %zu targets; name one of them:", json_array_size(candidates));
	render_options_init(&o, context, stderr);
	return render_targets(stderr, candidates, &o) < 0 ? cli_no_memory() : CLI_USAGE;
}

int pick_from_daemon(const struct cli_context *context, const char *text, json_t **ret)
{
	_cleanup_(json_decrefp) json_t *candidates = NULL;
	_cleanup_(json_decrefp) json_t *answer = NULL;
	json_t *target;
	const char *why = NULL;
	int r;

	r = api_call(context, "GET", "/v1/targets", NULL, &answer);
	if (r != CLI_OK)
		return r;
	r = pick_target(json_object_get(answer, "targets"), text, &target, &candidates, &why);
	switch (r) {
	case 0:
		*ret = json_incref(target);
		return CLI_OK;
	case -ESRCH:
		cli_error("no target is '%s'; 'seepctl targets' lists them, 'seepctl track %s' "
			  "adds one",
			  text, text);
		return CLI_NO_TARGET;
	case -ENOTUNIQ:
		return explain_several(context, text, candidates);
	case -EINVAL:
		cli_error("'%s' names no target: %s", text, why ? why : "it is no selector");
		return CLI_USAGE;
	default:
		return cli_no_memory();
	}
}

void pick_done(struct pick *p)
{
	json_decref(p->target);
	free(p->service);
}

/* As seepd names services. NULL: it has no name. */
static const char *service_of(const json_t *target)
{
	const char *unit = field_text(target, "unit");

	return unit ? unit : field_text(target, "exe");
}

/* The one service of all targets of the array; NULL: they are of several. */
static const char *common_service(const json_t *targets)
{
	const char *first = service_of(json_array_get(targets, 0));
	const json_t *target;
	size_t i;

	json_array_foreach(targets, i, target) {
		const char *service = service_of(target);

		if (!first || !service || strcmp(first, service) != 0)
			return NULL;
	}
	return first;
}

static bool is_service(const json_t *targets, const char *text)
{
	const json_t *target;
	size_t i;

	json_array_foreach(targets, i, target) {
		const char *service = service_of(target);

		if (service && strcmp(service, text) == 0)
			return true;
	}
	return false;
}

static int take_service(struct pick *p, const char *service)
{
	p->service = strdup(service);
	return p->service ? CLI_OK : cli_no_memory();
}

static int take_only(const struct cli_context *context, json_t *targets, struct pick *ret)
{
	if (json_array_size(targets) == 1) {
		ret->target = json_incref(json_array_get(targets, 0));
		return CLI_OK;
	}
	if (json_array_size(targets) == 0) {
		cli_error("no process is watched; name a service of earlier days, or watch one: "
			  "'seepctl track SELECTOR'");
		return CLI_NO_TARGET;
	}
	return explain_several(context, "", targets);
}

int pick_target_or_service(const struct cli_context *context, const char *text, struct pick *ret)
{
	_cleanup_(json_decrefp) json_t *candidates = NULL;
	_cleanup_(json_decrefp) json_t *answer = NULL;
	json_t *targets, *target = NULL;
	const char *why = NULL;
	int r;

	r = api_call(context, "GET", "/v1/targets", NULL, &answer);
	if (r != CLI_OK)
		return r;
	targets = json_object_get(answer, "targets");
	if (!text)
		return take_only(context, targets, ret);
	/* Whoever says the service's name means more than the processes that it has now. */
	if (is_service(targets, text))
		return take_service(ret, text);
	r = pick_target(targets, text, &target, &candidates, &why);
	if (r == -ENOMEM)
		return cli_no_memory();
	if (r == -ENOTUNIQ && !common_service(candidates))
		return explain_several(context, text, candidates);
	if (r == 0) {
		ret->target = json_incref(target);
		return CLI_OK;
	}
	return take_service(ret, r == -ENOTUNIQ ? common_service(candidates) : text);
}
