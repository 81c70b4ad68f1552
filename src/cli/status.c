// SPDX-License-Identifier: GPL-2.0-or-later
/* seepctl status: the daemon and its targets on one screen. */
#include "cli/verbs.h"

#include <string.h>

#include "base/cleanup.h"
#include "cli/api.h"
#include "cli/field.h"
#include "cli/format.h"
#include "cli/leak.h"
#include "cli/options.h"
#include "cli/render.h"
#include "cli/text.h"

static const struct option_set status_options = {
	.verb = "status",
	.about =
		"Shows the daemon, how full its tables are, the processes that it watches, and how "
		"many\n"
		"leaks are open.",
	.examples = "  seepctl status\n"
		    "  seepctl status --json | jq .info.version",
};

static void put_labelled(const char *label, const char *text, const struct render_options *o)
{
	if (!text)
		return;
	(void)fputs(label, stdout);
	text_put_clean(stdout, text, o->ascii);
}

/* "live blocks 23 of 1,048,576" */
static void put_use(const char *what, const json_t *info, const char *used, const char *limit,
		    const struct render_options *o)
{
	const json_t *usage = json_object_get(info, "usage");
	const json_t *limits = json_object_get(info, "limits");

	if (!field_has_integer(usage, used))
		return;
	(void)printf("%s %s", what, format_count(field_count(usage, used), o->raw_bytes).text);
	if (field_has_integer(limits, limit))
		(void)printf(" of %s", format_count(field_count(limits, limit), o->raw_bytes).text);
}

static void put_warning(const char *before, const char *text, const struct render_options *o)
{
	render_style(stdout, o, RENDER_WARN);
	(void)fputs(before, stdout);
	text_put_clean(stdout, text, o->ascii);
	render_style(stdout, o, RENDER_PLAIN);
	(void)fputc('\n', stdout);
}

/* What people have written, and the daemon does not do. */
static void put_config(const json_t *config, const struct render_options *o)
{
	const json_t *text;
	size_t i;

	json_array_foreach(json_object_get(config, "errors"), i, text)
		put_warning("configuration not taken: ", json_string_value(text) ?: "", o);
	json_array_foreach(json_object_get(config, "takes_restart"), i, text)
		put_warning("takes a restart of seepd: ", json_string_value(text) ?: "", o);
}

static void put_daemon(const struct cli_context *context, const json_t *info,
		       const struct render_options *o)
{
	double uptime = field_number(info, "uptime_seconds");

	render_style(stdout, o, RENDER_BOLD);
	(void)fputs("seepd", stdout);
	put_labelled(" ", field_text(info, "version"), o);
	render_style(stdout, o, RENDER_PLAIN);
	put_labelled(" on ", context->socket_path, o);
	if (!isnan(uptime))
		(void)printf(", up %s", format_duration(uptime, o->raw_bytes).text);
	put_labelled(", kernel ", field_text(info, "kernel"), o);
	(void)fputc('\n', stdout);
	if (json_is_false(json_object_get(info, "is_healthy"))) {
		render_style(stdout, o, RENDER_WARN);
		(void)fputs("not healthy: the last reading is overdue", stdout);
		render_style(stdout, o, RENDER_PLAIN);
		(void)fputc('\n', stdout);
	}
	put_config(json_object_get(info, "config"), o);
	put_use("live blocks", info, "live_blocks", "blocks", o);
	put_use(", sites", info, "sites", "sites", o);
	if (json_object_get(info, "usage"))
		(void)fputc('\n', stdout);
}

static void put_states(const json_t *targets)
{
	static const char *const states[] = { "attaching", "traced", "failed", "exited" };
	bool first = true;
	size_t s, i;

	(void)printf("targets %zu", json_array_size(targets));
	for (s = 0; s < ARRAY_SIZE(states); s++) {
		const json_t *target;
		size_t n = 0;

		json_array_foreach(targets, i, target)
			n += strcmp(field_text_or(target, "state", ""), states[s]) == 0;
		if (!n)
			continue;
		(void)printf("%s%zu %s", first ? " (" : ", ", n, states[s]);
		first = false;
	}
	(void)fputs(first ? "\n" : ")\n", stdout);
}

static void put_leaks(const json_t *leaks, const struct render_options *o)
{
	uint64_t open = field_count(leaks, "open");
	const json_t *leak;
	size_t suspects = 0, i;

	json_array_foreach(json_object_get(leaks, "leaks"), i, leak)
		suspects += leak_is_suspect(leak);
	if (open)
		render_style(stdout, o, RENDER_WARN);
	(void)printf("leaks %s open", format_count(open, o->raw_bytes).text);
	if (open)
		render_style(stdout, o, RENDER_PLAIN);
	if (suspects)
		(void)printf(", %s", format_plural(suspects, "suspect", o->raw_bytes).text);
	(void)fputc('\n', stdout);
}

static int show(const struct cli_context *context, const json_t *info, const json_t *targets,
		const json_t *leaks)
{
	struct render_options o;

	render_options_init(&o, context, stdout);
	put_daemon(context, info, &o);
	put_states(targets);
	put_leaks(leaks, &o);
	if (json_array_size(targets)) {
		(void)fputc('\n', stdout);
		if (render_targets(stdout, targets, &o) < 0)
			return cli_no_memory();
	}
	render_next(stdout, &o,
		    field_count(leaks, "open") ? "seepctl leaks" :
		    json_array_size(targets)   ? "seepctl sites SELECTOR" :
						 "seepctl track SELECTOR");
	return CLI_OK;
}

int cli_status(int argc, char **argv, const struct cli_context *parent)
{
	_cleanup_(json_decrefp) json_t *info = NULL;
	_cleanup_(json_decrefp) json_t *answer = NULL;
	_cleanup_(json_decrefp) json_t *leaks = NULL;
	_cleanup_(json_decrefp) json_t *all = NULL;
	struct cli_context context = *parent;
	struct operands operands;
	int code;

	if (!options_begin(&status_options, argc, argv, NULL, &context, &operands, &code))
		return code;
	code = api_call(&context, "GET", "/v1/info", NULL, &info);
	if (code != CLI_OK)
		return code;
	code = api_call(&context, "GET", "/v1/targets", NULL, &answer);
	if (code != CLI_OK)
		return code;
	code = leak_list(&context, NULL, &leaks);
	if (code != CLI_OK)
		return code;
	if (!context.json)
		return show(&context, info, json_object_get(answer, "targets"), leaks);
	all = json_pack("{s:O,s:O?,s:O?}", "info", info, "targets",
			json_object_get(answer, "targets"), "leaks",
			json_object_get(leaks, "leaks"));
	return all ? cli_print_json(all) : cli_no_memory();
}
