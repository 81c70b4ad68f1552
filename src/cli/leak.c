// SPDX-License-Identifier: GPL-2.0-or-later
/* Finding leaks. See leak.h. */
#include "cli/leak.h"

#include <errno.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/parse.h"
#include "cli/api.h"
#include "cli/field.h"
#include "cli/pick.h"
#include "cli/render.h"
#include "target/selector.h"

#define LIST_MAX  "1000"
#define ID_DIGITS 16

bool leak_is_open(const json_t *leak)
{
	return field_true(leak, "told") && !field_text(leak, "closed_at") &&
	       !field_true(leak, "acknowledged") && !field_text(leak, "suppressed_by");
}

bool leak_is_suspect(const json_t *leak)
{
	return strcmp(field_text_or(leak, "state", ""), "suspect") == 0;
}

uint64_t leak_time(const json_t *object, const char *key)
{
	const char *text = field_text(object, key);
	uint64_t ms = 0;

	return text && parse_time(text, &ms) == 0 ? ms : 0;
}

static int fetch(const struct cli_context *context, const char *state, const char *id, json_t **ret)
{
	_cleanup_(api_path_done) struct api_path path = { .stream = NULL };
	const char *text;

	if (api_path_init(&path, "/v1/leaks", NULL) < 0)
		return cli_no_memory();
	api_path_add(&path, "limit", LIST_MAX);
	api_path_add(&path, "state", state);
	api_path_add(&path, "id", id);
	text = api_path_text(&path);
	if (!text)
		return cli_no_memory();
	return api_call(context, "GET", text, NULL, ret);
}

int leak_list(const struct cli_context *context, const char *state, json_t **ret)
{
	return fetch(context, state, NULL, ret);
}

static bool is_called(const json_t *leak, const char *text)
{
	const char *service = field_text(leak, "service"), *target = field_text(leak, "target");

	return (service && strcmp(service, text) == 0) || (target && strcmp(target, text) == 0);
}

int leak_select(json_t *leaks, const char *text, const char **ret_why)
{
	_cleanup_(selector_freep) struct selector *s = NULL;
	bool any_called = false;
	const json_t *leak;
	size_t i;
	int r;

	json_array_foreach(leaks, i, leak)
		any_called = any_called || is_called(leak, text);
	r = selector_parse(text, &s, ret_why);
	if (r == 0 && s->kind == SELECTOR_CMD) {
		*ret_why = "a leak does not know its command line; name its unit, executable or "
			   "pid.";
		r = -EINVAL;
	}
	if (r < 0 && !any_called)
		return r;
	for (i = json_array_size(leaks); i > 0; i--) {
		leak = json_array_get(leaks, i - 1);
		if (!is_called(leak, text) && (any_called || !pick_means(s, leak)))
			(void)json_array_remove(leaks, i - 1);
	}
	return 0;
}

int leak_select_or_explain(json_t *leaks, const char *text)
{
	const char *why = NULL;
	int r = text ? leak_select(leaks, text, &why) : 0;

	if (r == -EINVAL) {
		cli_error("'%s' names no process: %s", text, why ? why : "it is no selector");
		return CLI_USAGE;
	}
	return r < 0 ? cli_no_memory() : CLI_OK;
}

static int explain_several(const json_t *leaks, const char *text)
{
	const json_t *leak;
	size_t i;

	cli_error("'%s' begins the ids of %zu leaks; give more of it:", text,
		  json_array_size(leaks));
	json_array_foreach(leaks, i, leak)
		cli_info("%s  %s  %s", field_text_or(leak, "id", "?"),
			 field_text_or(leak, "state", "?"), field_text_or(leak, "service", "?"));
	return CLI_USAGE;
}

int leak_find(const struct cli_context *context, const char *text, json_t **ret)
{
	_cleanup_(json_decrefp) json_t *answer = NULL;
	const json_t *leaks;
	int code;

	if (!*text || strlen(text) > ID_DIGITS ||
	    strspn(text, "0123456789abcdef") != strlen(text)) {
		cli_error("'%s' is no id of a leak: 'seepctl leaks --all' lists them", text);
		return CLI_USAGE;
	}
	code = fetch(context, NULL, text, &answer);
	if (code != CLI_OK)
		return code;
	leaks = json_object_get(answer, "leaks");
	if (json_array_size(leaks) > 1)
		return explain_several(leaks, text);
	if (json_array_size(leaks) == 0) {
		cli_error("no leak has the id '%s': 'seepctl leaks --all' lists them", text);
		return CLI_NO_TARGET;
	}
	*ret = json_incref(json_array_get(leaks, 0));
	return CLI_OK;
}
