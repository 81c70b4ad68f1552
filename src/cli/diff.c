// SPDX-License-Identifier: GPL-2.0-or-later
/* seepctl diff: what was allocated and freed between two snapshots. */
#include "cli/verbs.h"

#include "base/cleanup.h"
#include "cli/api.h"
#include "cli/field.h"
#include "cli/grouping.h"
#include "cli/options.h"
#include "cli/render.h"
#include "cli/text.h"

struct diff_values {
	struct grouping grouping;
};

static const struct cli_option options[] = {
	GROUPING_OPTIONS(struct diff_values, grouping),
};

static const struct option_set diff_options = {
	.verb = "diff",
	.operands = "FROM [TO]",
	.about = "Shows what was allocated and freed between two snapshots, or between a snapshot\n"
		 "and now.",
	.examples = "  seepctl snapshot before\n"
		    "  seepctl diff before\n"
		    "  seepctl diff before after --by line --exclude 'app.py:120'",
	.options = options,
	.n_options = ARRAY_SIZE(options),
	.min_operands = 1,
	.max_operands = 2,
};

static int fetch(const struct cli_context *context, const struct grouping *grouping,
		 const char *from, const char *to, json_t **ret)
{
	_cleanup_(api_path_done) struct api_path path = { .stream = NULL };
	const char *text;

	if (api_path_init(&path, "/v1/diff", NULL) < 0)
		return cli_no_memory();
	api_path_add(&path, "from", from);
	api_path_add(&path, "to", to);
	grouping_add_query(grouping, &path);
	text = api_path_text(&path);
	if (!text)
		return cli_no_memory();
	return api_call(context, "GET", text, NULL, ret);
}

/* What a difference to a snapshot of an earlier life of seepd cannot tell. */
static void print_limits(const json_t *list, const struct render_options *o)
{
	const char *since = field_text(list, "counted_since");

	if (!json_is_true(json_object_get(list, "live_only")))
		return;
	(void)fputs("Only live blocks are compared: what came and went in between is not known.\n",
		    stdout);
	if (!since)
		return;
	(void)fputs("Blocks allocated before ", stdout);
	text_put_clean(stdout, since, o->ascii);
	(void)fputs(" are not followed any more and count as freed:\n"
		    "what is shown is the least that live bytes have grown by.\n",
		    stdout);
}

int cli_diff(int argc, char **argv, const struct cli_context *parent)
{
	_cleanup_(json_decrefp) json_t *list = NULL;
	struct diff_values values = { .grouping = GROUPING_DEFAULTS };
	struct cli_context context = *parent;
	const struct render_listing listing = { .is_difference = true, .several_targets = true };
	struct render_options o;
	struct operands operands;
	int code;

	if (!options_begin(&diff_options, argc, argv, &values, &context, &operands, &code))
		return code;
	code = fetch(&context, &values.grouping, operands.items[0],
		     operands.n > 1 ? operands.items[1] : NULL, &list);
	if (code != CLI_OK)
		return code;
	if (context.json)
		return cli_print_json(list);

	render_options_init(&o, &context, stdout);
	o.traceback = grouping_is_traceback(&values.grouping);
	if (render_sites(stdout, list, &listing, &o) < 0)
		return cli_no_memory();
	if (!o.legend)
		return CLI_OK;
	if (json_array_size(json_object_get(list, "sites")))
		(void)fputc('\n', stdout);
	render_sums(stdout, list, &listing, &o);
	print_limits(list, &o);
	render_next(stdout, &o, "seepctl sites --sort growth");
	return CLI_OK;
}
