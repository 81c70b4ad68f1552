// SPDX-License-Identifier: GPL-2.0-or-later
/* seepctl leaks: what leaks, the worst first. */
#include "cli/verbs.h"

#include "base/cleanup.h"
#include "cli/api.h"
#include "cli/field.h"
#include "cli/leak.h"
#include "cli/options.h"
#include "cli/render_leaks.h"

/* With --exit-code: a leak that people were told of is open. For scripts; no other verb uses it. */
#define EXIT_LEAKS 10

struct leaks_values {
	const char *state;
	bool all;
	bool exit_code;
};

static const char *const states[] = { "suspect",  "leaking", "exhaustion", "stopped",
				      "resolved", "closed",  "quiet",	   NULL };

static const struct cli_option options[] = {
	{ "state", 0, OPTION_CHOICE, offsetof(struct leaks_values, state), "STATE", states, 0, 0,
	  "only in this state: suspect, leaking, exhaustion, stopped,\n"
	  "                            resolved, closed or quiet" },
	{ "all", 'a', OPTION_FLAG, offsetof(struct leaks_values, all), NULL, NULL, 0, 0,
	  "suspects, too, and what is over, acknowledged or suppressed" },
	{ "exit-code", 0, OPTION_FLAG, offsetof(struct leaks_values, exit_code), NULL, NULL, 0, 0,
	  "end with 10 if there is an open leak" },
};

static const struct option_set leaks_options = {
	.verb = "leaks",
	.operands = "[SELECTOR]",
	.about =
		"Lists the leaks that people were told of and that are open: what leaks, how fast, "
		"and\n"
		"how long until the memory limit is reached. Suspects are behind --all; with "
		"--json all\n"
		"are there.",
	.examples = "  seepctl leaks\n"
		    "  seepctl leaks nginx.service --all\n"
		    "  seepctl leaks --json | jq -r '.leaks[] | select(.told) | .id'",
	.options = options,
	.n_options = ARRAY_SIZE(options),
	.max_operands = 1,
};

/* Keeps what is shown without --all, and counts what is not. */
static void hide(json_t *leaks, size_t *ret_suspects, size_t *ret_others)
{
	*ret_suspects = *ret_others = 0;
	for (size_t i = json_array_size(leaks); i > 0; i--) {
		const json_t *leak = json_array_get(leaks, i - 1);

		if (leak_is_open(leak))
			continue;
		if (leak_is_suspect(leak))
			++*ret_suspects;
		else
			++*ret_others;
		(void)json_array_remove(leaks, i - 1);
	}
}

static void put_hidden(size_t suspects, size_t others)
{
	if (suspects)
		(void)printf("%s %s watched", format_plural(suspects, "suspect", false).text,
			     suspects == 1 ? "is" : "are");
	if (others)
		(void)printf("%s%s %s over or answered", suspects ? ", " : "",
			     format_count(others, false).text, others == 1 ? "is" : "are");
	if (suspects || others)
		(void)fputs(": --all shows them\n", stdout);
}

static void suggest(const json_t *leaks, bool all, size_t hidden, const struct render_options *o)
{
	const char *id = field_text(json_array_get(leaks, 0), "id");

	if (id)
		render_next(stdout, o, "seepctl show %.*s", (int)render_id_digits(leaks), id);
	else if (!all && hidden)
		render_next(stdout, o, "seepctl leaks --all");
	else
		render_next(stdout, o, "seepctl sites --sort growth");
}

static int show(const struct cli_context *context, json_t *leaks, const struct leaks_values *values)
{
	size_t suspects = 0, others = 0;
	struct render_options o;

	render_options_init(&o, context, stdout);
	if (!values->all && !values->state)
		hide(leaks, &suspects, &others);
	if (render_leaks(stdout, leaks, &o) < 0)
		return cli_no_memory();
	if (o.legend) {
		if (json_array_size(leaks) == 0)
			(void)fputs(values->state ? "No leak is in this state.\n" :
				    values->all	  ? "No leak and no suspect is known.\n" :
						    "No leak is open.\n",
				    stdout);
		put_hidden(suspects, others);
	}
	suggest(leaks, values->all, suspects + others, &o);
	return CLI_OK;
}

static bool any_open(const json_t *leaks)
{
	const json_t *leak;
	size_t i;

	json_array_foreach(leaks, i, leak)
		if (leak_is_open(leak))
			return true;
	return false;
}

int cli_leaks(int argc, char **argv, const struct cli_context *parent)
{
	_cleanup_(json_decrefp) json_t *answer = NULL;
	struct leaks_values values = { .state = NULL };
	struct cli_context context = *parent;
	struct operands operands;
	json_t *leaks;
	bool is_open;
	int code;

	if (!options_begin(&leaks_options, argc, argv, &values, &context, &operands, &code))
		return code;
	code = leak_list(&context, values.state, &answer);
	if (code != CLI_OK)
		return code;
	leaks = json_object_get(answer, "leaks");
	if (field_count(answer, "total") > json_array_size(leaks))
		cli_warning("there are %s leaks; only the first %zu of them were looked at",
			    format_count(field_count(answer, "total"), false).text,
			    json_array_size(leaks));
	if (operands.n) {
		code = leak_select_or_explain(leaks, operands.items[0]);
		if (code != CLI_OK)
			return code;
		if (json_object_set_new(answer, "total",
					json_integer((json_int_t)json_array_size(leaks))) < 0)
			return cli_no_memory();
		/* Also what a mistyped name leads to. */
		if (!json_array_size(leaks) && !context.json)
			(void)printf("No leak and no suspect is known of '%s'; 'seepctl targets' "
				     "lists what is watched.\n",
				     operands.items[0]);
	}
	is_open = any_open(leaks);
	code = context.json ? cli_print_json(answer) : show(&context, leaks, &values);
	return code == CLI_OK && values.exit_code && is_open ? EXIT_LEAKS : code;
}
