// SPDX-License-Identifier: GPL-2.0-or-later
/* seepctl census: what lives on the heap of a Python process. */
#include "cli/verbs.h"

#include <errno.h>
#include <inttypes.h>

#include "base/cleanup.h"
#include "base/parse.h"
#include "cli/api.h"
#include "cli/field.h"
#include "cli/options.h"
#include "cli/origins.h"
#include "cli/pick.h"
#include "cli/render.h"
#include "cli/render_leaks.h"

#define LIMIT_DEFAULT 20
#define LIMIT_MAX     1000

struct census_values {
	const char *by;
	const char *sort;
	uint64_t limit;
	const char *origins; /* a type; NULL: not wanted */
};

static const char *const by_words[] = { "code", "type", NULL };
static const char *const sort_words[] = { "bytes", "count", "growth", NULL };

static const struct cli_option options[] = {
	{ "by", 'b', OPTION_CHOICE, offsetof(struct census_values, by), NULL, by_words, 0, 0,
	  "tasks, coroutines and generators by the code that they\n"
	  "                            run, or only by type (default: code)" },
	{ "sort", 'S', OPTION_CHOICE, offsetof(struct census_values, sort), NULL, sort_words, 0, 0,
	  "largest first by this (default: bytes)" },
	{ "limit", 'n', OPTION_NUMBER, offsetof(struct census_values, limit), "N", NULL, 1,
	  LIMIT_MAX, "show this many, 1 to 1000 (default: 20)" },
	{ "origins", 'o', OPTION_TEXT, offsetof(struct census_values, origins), "TYPE", NULL, 0, 0,
	  "look for the lines of a target that make objects of this\n"
	  "                            type which stay; takes half a minute or more" },
};

static const struct option_set census_options = {
	.verb = "census",
	.operands = "SELECTOR|ID|PID",
	.about = "Counts the objects of a Python process by type, from outside and without a stop. "
		 "Of\n"
		 "a target it shows the latest of its regular censuses, and how each type moves; "
		 "of\n"
		 "another process, given by its pid, one that is taken now.",
	.examples = "  seepctl census api.service --sort growth\n"
		    "  seepctl census 4242 --by type --limit 5\n"
		    "  seepctl census 4242 --json | jq '.types[0]'",
	.options = options,
	.n_options = ARRAY_SIZE(options),
	.min_operands = 1,
	.max_operands = 1,
};

/* A process id is good enough: what is a target the daemon knows. */
static int fetch(const struct cli_context *context, const struct census_values *values,
		 const char *name, const char *value, json_t **ret)
{
	_cleanup_(api_path_done) struct api_path path = { .stream = NULL };
	char limit[24];
	const char *text;

	if (snprintf(limit, sizeof(limit), "%" PRIu64, values->limit) < 0 ||
	    api_path_init(&path, "/v1/census", NULL) < 0)
		return cli_no_memory();
	api_path_add(&path, name, value);
	api_path_add(&path, "by", values->by);
	api_path_add(&path, "sort", values->sort);
	api_path_add(&path, "limit", limit);
	text = api_path_text(&path);
	if (!text)
		return cli_no_memory();
	return api_call(context, "GET", text, NULL, ret);
}

static int show(const struct cli_context *context, const json_t *census, const json_t *target)
{
	const char *id = field_text(census, "target");
	struct render_options o;

	render_options_init(&o, context, stdout);
	if (target && o.legend) {
		render_target_heading(stdout, target, &o);
		(void)fputc('\n', stdout);
	}
	if (render_census(stdout, census, &o) < 0)
		return cli_no_memory();
	if (o.legend) {
		(void)fputc('\n', stdout);
		render_census_sums(stdout, census, &o);
	}
	if (id)
		render_next(stdout, &o, "seepctl leaks %s --all", id);
	else
		render_next(stdout, &o, "seepctl track %" PRIu64, field_count(census, "pid"));
	return CLI_OK;
}

int cli_census(int argc, char **argv, const struct cli_context *parent)
{
	_cleanup_(json_decrefp) json_t *target = NULL;
	_cleanup_(json_decrefp) json_t *census = NULL;
	struct census_values values = { .by = "code", .sort = "bytes", .limit = LIMIT_DEFAULT };
	struct cli_context context = *parent;
	struct operands operands;
	pid_t pid;
	int code;

	if (!options_begin(&census_options, argc, argv, &values, &context, &operands, &code))
		return code;
	if (values.origins)
		return cli_origins(&context, operands.items[0], values.origins);
	if (parse_pid(operands.items[0], &pid) == 0) {
		code = fetch(&context, &values, "pid", operands.items[0], &census);
	} else {
		code = pick_from_daemon(&context, operands.items[0], &target);
		if (code == CLI_OK)
			code = fetch(&context, &values, "target", field_text_or(target, "id", "?"),
				     &census);
	}
	if (code != CLI_OK)
		return code;
	return context.json ? cli_print_json(census) : show(&context, census, target);
}
