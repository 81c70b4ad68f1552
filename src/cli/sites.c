// SPDX-License-Identifier: GPL-2.0-or-later
/* seepctl sites: where the live blocks were allocated. */
#include "cli/verbs.h"

#include <string.h>

#include "base/cleanup.h"
#include "cli/api.h"
#include "cli/field.h"
#include "cli/grouping.h"
#include "cli/options.h"
#include "cli/pick.h"
#include "cli/render.h"

struct sites_values {
	struct grouping grouping;
};

static const struct cli_option options[] = {
	GROUPING_OPTIONS(struct sites_values, grouping),
};

static const struct option_set sites_options = {
	.verb = "sites",
	.operands = "[SELECTOR|ID]",
	.about =
		"Shows the call stacks (or lines, functions, ...) that allocated the blocks which\n"
		"are not freed yet, of one target or of all, with what they add per hour.",
	.examples = "  seepctl sites nginx\n"
		    "  seepctl sites comm=uvicorn --by line --include '/srv/app/*'\n"
		    "  seepctl sites 4242 --by line --sort growth --limit 5\n"
		    "  seepctl sites --json --exclude 'libssl*' | jq '.sites[0]'",
	.options = options,
	.n_options = ARRAY_SIZE(options),
	.max_operands = 1,
};

static int fetch(const struct cli_context *context, const struct grouping *grouping,
		 const json_t *target, json_t **ret)
{
	_cleanup_(api_path_done) struct api_path path = { .stream = NULL };
	const char *text;

	if (api_path_init(&path, "/v1/sites", NULL) < 0)
		return cli_no_memory();
	api_path_add(&path, "target", field_text(target, "id"));
	grouping_add_query(grouping, &path);
	text = api_path_text(&path);
	if (!text)
		return cli_no_memory();
	return api_call(context, "GET", text, NULL, ret);
}

/* Of the one target, or of all of them: what was missed belongs to every report. */
static int fetch_coverage(const struct cli_context *context, json_t *list, json_t **ret,
			  bool *ret_any_target)
{
	_cleanup_(json_decrefp) json_t *answer = NULL;
	json_t *coverage = json_object_get(list, "coverage");
	int code;

	*ret_any_target = true;
	if (json_is_object(coverage)) {
		*ret = json_incref(coverage);
		return CLI_OK;
	}
	code = api_call(context, "GET", "/v1/targets", NULL, &answer);
	if (code != CLI_OK)
		return code;
	*ret_any_target = json_array_size(json_object_get(answer, "targets")) > 0;
	*ret = render_coverage_sum(json_object_get(answer, "targets"));
	return *ret ? CLI_OK : cli_no_memory();
}

static void suggest_next(const json_t *target, bool any_target, const struct grouping *grouping,
			 const struct render_options *o)
{
	const char *id = field_text(target, "id");

	if (!id && !any_target)
		render_next(stdout, o, "seepctl track SELECTOR, for no process is watched");
	else if (!id)
		render_next(stdout, o, "seepctl targets");
	else if (!grouping_is_stack(grouping))
		render_next(stdout, o, "seepctl sites %s --by stack", id);
	else
		render_next(stdout, o,
			    "seepctl snapshot before --target %s, and later: seepctl diff before",
			    id);
}

static int show(const struct cli_context *context, const struct grouping *grouping,
		const json_t *target, json_t *list)
{
	_cleanup_(json_decrefp) json_t *coverage = NULL;
	const struct render_listing listing = { .several_targets = !target };
	struct render_options o;
	bool any_target;
	int code;

	code = fetch_coverage(context, list, &coverage, &any_target);
	if (code != CLI_OK)
		return code;
	render_options_init(&o, context, stdout);
	o.traceback = grouping_is_traceback(grouping);
	if (target && o.legend) {
		render_target_heading(stdout, target, &o);
		(void)fputc('\n', stdout);
	}
	if (render_sites(stdout, list, &listing, &o) < 0)
		return cli_no_memory();
	if (!o.legend) {
		if (render_lost(coverage))
			cli_warning("not everything was seen: without --no-legend, the losses "
				    "are listed");
		return CLI_OK;
	}
	if (json_array_size(json_object_get(list, "sites")))
		(void)fputc('\n', stdout);
	render_sums(stdout, list, &listing, &o);
	render_coverage(stdout, coverage, &o);
	suggest_next(target, any_target, grouping, &o);
	return CLI_OK;
}

int cli_sites(int argc, char **argv, const struct cli_context *parent)
{
	_cleanup_(json_decrefp) json_t *target = NULL;
	_cleanup_(json_decrefp) json_t *list = NULL;
	struct sites_values values = { .grouping = GROUPING_DEFAULTS };
	struct cli_context context = *parent;
	struct operands operands;
	int code;

	if (!options_begin(&sites_options, argc, argv, &values, &context, &operands, &code))
		return code;
	if (operands.n) {
		code = pick_from_daemon(&context, operands.items[0], &target);
		if (code != CLI_OK)
			return code;
	}
	code = fetch(&context, &values.grouping, target, &list);
	if (code != CLI_OK)
		return code;
	if (context.json)
		return cli_print_json(list);
	return show(&context, &values.grouping, target, list);
}
