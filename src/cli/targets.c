// SPDX-License-Identifier: GPL-2.0-or-later
/* seepctl targets, track, untrack: which processes the daemon watches. */
#include "cli/verbs.h"

#include <inttypes.h>
#include <string.h>

#include "base/cleanup.h"
#include "cli/api.h"
#include "cli/field.h"
#include "cli/options.h"
#include "cli/pick.h"
#include "cli/render.h"
#include "cli/taking.h"

struct targets_values {
	bool suggested;
};

static const struct cli_option targets_table[] = {
	{ "suggested", 0, OPTION_FLAG, offsetof(struct targets_values, suggested), NULL, NULL, 0, 0,
	  "processes that nobody traces and whose memory keeps growing" },
};

static const struct option_set targets_options = {
	.verb = "targets",
	.operands = "[TARGET]",
	.about = "Lists the processes that are watched. LOST counts what was not seen. With TARGET "
		 "(an\n"
		 "id or a selector) tells more of one: memory, its limit, and how much of the "
		 "growth\n"
		 "live blocks explain.",
	.examples = "  seepctl targets\n"
		    "  seepctl targets nginx\n"
		    "  seepctl targets --suggested\n"
		    "  seepctl targets --json | jq -r '.targets[].id'",
	.options = targets_table,
	.n_options = ARRAY_SIZE(targets_table),
	.max_operands = 1,
};

static int show_suggested(const struct cli_context *context)
{
	_cleanup_(json_decrefp) json_t *answer = NULL;
	struct render_options o;
	json_t *suggestions;
	int code;

	code = api_call(context, "GET", "/v1/targets?suggested=true", NULL, &answer);
	if (code != CLI_OK)
		return code;
	if (context->json)
		return cli_print_json(answer);
	render_options_init(&o, context, stdout);
	suggestions = json_object_get(answer, "suggested");
	if (render_suggestions(stdout, suggestions, &o) < 0)
		return cli_no_memory();
	if (json_array_size(suggestions) == 0) {
		if (o.legend)
			(void)fputs("No process that is not traced keeps growing.\n", stdout);
	} else {
		render_next(stdout, &o, "seepctl track %" PRIu64,
			    field_count(json_array_get(suggestions, 0), "pid"));
	}
	return CLI_OK;
}

static int show_target(const struct cli_context *context, const char *text)
{
	_cleanup_(json_decrefp) json_t *target = NULL;
	struct render_options o;
	int code;

	code = pick_from_daemon(context, text, &target);
	if (code != CLI_OK)
		return code;
	if (context->json)
		return cli_print_json(target);
	render_options_init(&o, context, stdout);
	render_target_heading(stdout, target, &o);
	render_memory(stdout, target, &o);
	if (o.legend)
		render_coverage(stdout, json_object_get(target, "coverage"), &o);
	render_next(stdout, &o, "seepctl sites %s", field_text_or(target, "id", "ID"));
	return CLI_OK;
}

static int show_targets(const struct cli_context *context)
{
	_cleanup_(json_decrefp) json_t *answer = NULL;
	struct render_options o;
	json_t *targets;
	int code;

	code = api_call(context, "GET", "/v1/targets", NULL, &answer);
	if (code != CLI_OK)
		return code;
	if (context->json)
		return cli_print_json(answer);

	render_options_init(&o, context, stdout);
	targets = json_object_get(answer, "targets");
	if (render_targets(stdout, targets, &o) < 0)
		return cli_no_memory();
	if (json_array_size(targets) == 0) {
		if (o.legend)
			(void)fputs("No process is watched.\n", stdout);
		render_next(stdout, &o, "seepctl track SELECTOR");
	} else {
		render_next(stdout, &o, "seepctl sites %s",
			    field_text_or(json_array_get(targets, 0), "id", "ID"));
	}
	return CLI_OK;
}

int cli_targets(int argc, char **argv, const struct cli_context *parent)
{
	struct targets_values values = { .suggested = false };
	struct cli_context context = *parent;
	struct operands operands;
	int code;

	if (!options_begin(&targets_options, argc, argv, &values, &context, &operands, &code))
		return code;
	if (values.suggested && operands.n)
		return options_complain(&targets_options, "--suggested takes no TARGET");
	if (values.suggested)
		return show_suggested(&context);
	if (operands.n)
		return show_target(&context, operands.items[0]);
	return show_targets(&context);
}

struct track_values {
	bool follow;
	struct taking taking;
	uint64_t limit;
};

static const struct cli_option track_table[] = {
	{ "follow", 'f', OPTION_FLAG, offsetof(struct track_values, follow), NULL, NULL, 0, 0,
	  "watch the children that they fork, too" },
	TAKING_BUDGET_OPTION(struct track_values, taking),
	TAKING_EXACT_OPTION(struct track_values, taking),
	TAKING_SAMPLE_OPTION(struct track_values, taking),
	{ "limit", 'l', OPTION_SIZE, offsetof(struct track_values, limit), "SIZE", NULL,
	  TRACK_LIMIT_MIN, 1ull << 50,
	  "judge its growth by this limit of memory, if it is below the true one" },
};

static const struct option_set track_options = {
	.verb = "track",
	.operands = "SELECTOR",
	.about = "Watches the processes that SELECTOR means, without stopping them; all selectors "
		 "but\n"
		 "a pid also take the processes that start later.\n"
		 "\n"
		 "  4242                 a pid\n"
		 "  /usr/sbin/nginx      an executable\n"
		 "  nginx.service        a unit\n"
		 "  nginx                a command name (comm)\n"
		 "  FIELD=VALUE          pid=, exe=, comm=, cmd=, unit=, cgroup=, container=;\n"
		 "                       VALUE may be a glob pattern: cmd='*worker*'",
	.examples = "  seepctl track nginx.service\n"
		    "  seepctl track --follow cmd='gunicorn*'",
	.options = track_table,
	.n_options = ARRAY_SIZE(track_table),
	.min_operands = 1,
	.max_operands = 1,
};

/* NULL: the selector is not UTF-8. */
static json_t *track_body(const char *selector, const struct track_values *values)
{
	const struct taking *t = &values->taking;
	json_t *body = json_pack("{s:s,s:b}", "selector", selector, "follow", values->follow);
	int r = 0;

	if (!body)
		return NULL;
	if (t->exact || t->interval)
		r |= json_object_set_new(body, "mode", json_string(t->exact ? "exact" : "sampled"));
	if (t->interval)
		r |= json_object_set_new(body, "sampling_interval_bytes",
					 json_integer((json_int_t)t->interval));
	if (t->budget_ratio > 0)
		r |= json_object_set_new(body, "budget_ratio", json_real(t->budget_ratio));
	if (values->limit)
		r |= json_object_set_new(body, "limit_bytes",
					 json_integer((json_int_t)values->limit));
	if (r == 0)
		return body;
	json_decref(body);
	return NULL;
}

/* Before it is paid. A daemon that cannot tell has its own errors for what comes next. */
static void print_price(const struct cli_context *context)
{
	_cleanup_(json_decrefp) json_t *info = NULL;
	double ns;

	if (api_call(context, "GET", "/v1/info", NULL, &info) != CLI_OK)
		return;
	ns = json_number_value(json_object_get(json_object_get(info, "prices"), "exact_pair_ns"));
	if (ns > 0)
		taking_print_price(ns);
}

int cli_track(int argc, char **argv, const struct cli_context *parent)
{
	_cleanup_(json_decrefp) json_t *answer = NULL;
	_cleanup_(json_decrefp) json_t *body = NULL;
	struct track_values values = { .follow = false };
	struct cli_context context = *parent;
	struct render_options o;
	struct operands operands;
	json_t *targets;
	int code;

	if (!options_begin(&track_options, argc, argv, &values, &context, &operands, &code))
		return code;
	if (!taking_check(&values.taking))
		return CLI_USAGE;
	body = track_body(operands.items[0], &values);
	if (!body)
		return options_complain(&track_options, "'%s' is not UTF-8", operands.items[0]);
	if (values.taking.exact && !context.quiet)
		print_price(&context);
	code = api_call(&context, "POST", "/v1/targets", body, &answer);
	if (code != CLI_OK)
		return code;
	if (context.json)
		return cli_print_json(answer);

	render_options_init(&o, &context, stdout);
	targets = json_object_get(answer, "targets");
	if (render_targets(stdout, targets, &o) < 0)
		return cli_no_memory();
	if (json_array_size(targets) == 0) {
		if (!context.quiet)
			cli_info("no new process matches '%s' now; those that start later are "
				 "watched",
				 operands.items[0]);
	} else {
		render_next(stdout, &o, "seepctl sites %s",
			    field_text_or(json_array_get(targets, 0), "id", "ID"));
	}
	return CLI_OK;
}

static const struct option_set untrack_options = {
	.verb = "untrack",
	.operands = "SELECTOR|ID",
	.about = "Ends the watch over what was tracked as SELECTOR, or over one target.",
	.examples = "  seepctl untrack nginx.service\n"
		    "  seepctl untrack 4242-7",
	.min_operands = 1,
	.max_operands = 1,
};

static int delete_target(const struct cli_context *context, const char *text,
			 struct http_response **ret)
{
	_cleanup_(api_path_done) struct api_path path = { .stream = NULL };
	const char *target;

	if (api_path_init(&path, "/v1/targets/", text) < 0)
		return cli_no_memory();
	target = api_path_text(&path);
	if (!target)
		return cli_no_memory();
	return api_exchange(context, "DELETE", target, NULL, ret);
}

int cli_untrack(int argc, char **argv, const struct cli_context *parent)
{
	_cleanup_(http_response_freep) struct http_response *response = NULL;
	_cleanup_(json_decrefp) json_t *target = NULL;
	_cleanup_(json_decrefp) json_t *nothing = NULL;
	struct cli_context context = *parent;
	const char *text;
	struct operands operands;
	int code;

	if (!options_begin(&untrack_options, argc, argv, NULL, &context, &operands, &code))
		return code;
	text = operands.items[0];
	code = delete_target(&context, text, &response);
	if (code != CLI_OK)
		return code;
	if (response->status == 404) {
		/* Neither an id nor a selector as it was tracked: perhaps what a target is called. */
		code = pick_from_daemon(&context, text, &target);
		if (code != CLI_OK)
			return code;
		text = field_text_or(target, "id", text);
		response = http_response_free(response);
		code = delete_target(&context, text, &response);
		if (code != CLI_OK)
			return code;
	}
	if (response->status >= 300)
		return api_explain(response);
	if (context.json) {
		/* The daemon answers without a body; whoever asked for JSON gets an object. */
		nothing = json_object();
		return nothing ? cli_print_json(nothing) : cli_no_memory();
	}
	if (!context.quiet)
		cli_info("'%s' is no longer watched", text);
	return CLI_OK;
}
