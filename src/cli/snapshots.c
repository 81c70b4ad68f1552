// SPDX-License-Identifier: GPL-2.0-or-later
/* seepctl snapshot: taking, listing and dropping snapshots. */
#include "cli/verbs.h"

#include "base/cleanup.h"
#include "cli/api.h"
#include "cli/field.h"
#include "cli/format.h"
#include "cli/options.h"
#include "cli/pick.h"
#include "cli/render.h"
#include "cli/text.h"
#include "cli/text_table.h"

struct snapshot_values {
	const char *target;
	const char *drop;
	bool list;
};

static const struct cli_option options[] = {
	{ "target", 't', OPTION_TEXT, offsetof(struct snapshot_values, target), "SELECTOR|ID", NULL,
	  0, 0, "only of this target (default: of all)" },
	{ "list", 'l', OPTION_FLAG, offsetof(struct snapshot_values, list), NULL, NULL, 0, 0,
	  "list the snapshots that are kept" },
	{ "drop", 0, OPTION_TEXT, offsetof(struct snapshot_values, drop), "NAME", NULL, 0, 0,
	  "forget a snapshot" },
};

static const struct option_set snapshot_options = {
	.verb = "snapshot",
	.operands = "[NAME]",
	.about = "Keeps the present totals of all sites under a name (default: the time, UTC), to "
		 "be\n"
		 "compared later with seepctl diff, also after a restart of seepd.",
	.examples = "  seepctl snapshot before --target nginx\n"
		    "  seepctl snapshot --list\n"
		    "  seepctl snapshot --drop before",
	.options = options,
	.n_options = ARRAY_SIZE(options),
	.max_operands = 1,
};

static int list_snapshots(const struct cli_context *context)
{
	static const struct text_column columns[] = {
		{ "NAME", false },
		{ "TAKEN AT", false },
		{ "SITES", true },
		{ "TARGET", false },
	};
	_cleanup_(text_table_freep) struct text_table *t = NULL;
	_cleanup_(json_decrefp) json_t *answer = NULL;
	const json_t *snapshot;
	struct render_options o;
	size_t i;
	int code;

	code = api_call(context, "GET", "/v1/snapshots", NULL, &answer);
	if (code != CLI_OK)
		return code;
	if (context->json)
		return cli_print_json(answer);
	render_options_init(&o, context, stdout);
	t = text_table_new(columns, ARRAY_SIZE(columns), &o);
	if (!t)
		return cli_no_memory();
	json_array_foreach(json_object_get(answer, "snapshots"), i, snapshot) {
		text_table_add(t, field_text(snapshot, "name"));
		text_table_add(t, field_text(snapshot, "taken_at"));
		text_table_add(t, format_count(field_count(snapshot, "sites"), o.raw_bytes).text);
		text_table_add(t, field_text_or(snapshot, "target", "all"));
	}
	if (text_table_print(t, stdout) < 0)
		return cli_no_memory();
	if (i == 0)
		render_next(stdout, &o, "seepctl snapshot NAME");
	return CLI_OK;
}

static int drop_snapshot(const struct cli_context *context, const char *name)
{
	_cleanup_(api_path_done) struct api_path path = { .stream = NULL };
	_cleanup_(json_decrefp) json_t *answer = NULL;
	const char *text;
	int code;

	if (api_path_init(&path, "/v1/snapshots/", name) < 0)
		return cli_no_memory();
	text = api_path_text(&path);
	if (!text)
		return cli_no_memory();
	code = api_call(context, "DELETE", text, NULL, &answer);
	if (code != CLI_OK)
		return code;
	if (context->json)
		return cli_print_json(answer);
	if (!context->quiet)
		cli_info("snapshot '%s' dropped", name);
	return CLI_OK;
}

/* @name NULL: the daemon makes one from the time. */
static int take_snapshot(const struct cli_context *context, const char *name, const char *selector)
{
	_cleanup_(json_decrefp) json_t *target = NULL;
	_cleanup_(json_decrefp) json_t *answer = NULL;
	_cleanup_(json_decrefp) json_t *body = NULL;
	struct render_options o;
	int code;

	if (selector) {
		code = pick_from_daemon(context, selector, &target);
		if (code != CLI_OK)
			return code;
	}
	body = json_object();
	if (!body)
		return cli_no_memory();
	if (name && json_object_set_new(body, "name", json_string(name)) < 0) {
		cli_error("'%s' is not UTF-8 and names no snapshot", name);
		return CLI_USAGE;
	}
	if (target && json_object_set(body, "target", json_object_get(target, "id")) < 0)
		return cli_no_memory();
	code = api_call(context, "POST", "/v1/snapshots", body, &answer);
	if (code != CLI_OK)
		return code;
	if (context->json)
		return cli_print_json(answer);
	render_options_init(&o, context, stdout);
	name = field_text_or(answer, "name", name ? name : "?");
	text_put_clean(stdout, name, o.ascii);
	(void)fputc('\n', stdout);
	if (json_is_false(json_object_get(answer, "kept")))
		cli_warning("the snapshot is not kept in the history: it is gone when seepd ends");
	render_next(stdout, &o, "seepctl diff %s", name);
	return CLI_OK;
}

int cli_snapshot(int argc, char **argv, const struct cli_context *parent)
{
	struct snapshot_values values = { .list = false };
	struct cli_context context = *parent;
	struct operands operands;
	int code;

	if (!options_begin(&snapshot_options, argc, argv, &values, &context, &operands, &code))
		return code;
	if ((values.list != 0) + (values.drop != NULL) + (operands.n != 0) > 1)
		return options_complain(&snapshot_options,
					"NAME, --list and --drop exclude each other");
	if (values.target && (values.list || values.drop))
		return options_complain(&snapshot_options,
					"--target only goes with taking a snapshot");
	if (values.list)
		return list_snapshots(&context);
	if (values.drop)
		return drop_snapshot(&context, values.drop);
	return take_snapshot(&context, operands.n ? operands.items[0] : NULL, values.target);
}
