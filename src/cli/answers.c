// SPDX-License-Identifier: GPL-2.0-or-later
/* seepctl ack, suppress and mark: what people say to a leak. */
#include "cli/verbs.h"

#include <string.h>

#include "base/cleanup.h"
#include "cli/api.h"
#include "cli/field.h"
#include "cli/leak.h"
#include "cli/options.h"
#include "cli/render_leaks.h"

struct answer_values {
	const char *note;
	bool undo;
};

static const struct cli_option ack_table[] = {
	{ "note", 'm', OPTION_TEXT, offsetof(struct answer_values, note), "TEXT", NULL, 0, 0,
	  "what is done about it; up to 1000 bytes" },
	{ "undo", 0, OPTION_FLAG, offsetof(struct answer_values, undo), NULL, NULL, 0, 0,
	  "take it back" },
};

static const struct option_set ack_options = {
	.verb = "ack",
	.operands = "ID",
	.about = "Says that a leak is known: it stays listed under --all, and check is content.",
	.examples = "  seepctl ack 9f2c41d0 --note 'fixed in 1.8, out on Monday'\n"
		    "  seepctl ack 9f2c41d0 --undo",
	.options = ack_table,
	.n_options = ARRAY_SIZE(ack_table),
	.min_operands = 1,
	.max_operands = 1,
};

static const struct cli_option suppress_table[] = {
	{ "undo", 0, OPTION_FLAG, offsetof(struct answer_values, undo), NULL, NULL, 0, 0,
	  "take it back" },
};

static const struct option_set suppress_options = {
	.verb = "suppress",
	.operands = "ID",
	.about =
		"Tells nobody of this leak any more, in this run of the service and in later ones.",
	.examples = "  seepctl suppress 9f2c41d0\n"
		    "  seepctl suppress 9f2c41d0 --undo",
	.options = suppress_table,
	.n_options = ARRAY_SIZE(suppress_table),
	.min_operands = 1,
	.max_operands = 1,
};

static const struct option_set mark_options = {
	.verb = "mark",
	.operands = "ID true|false|unmarked",
	.about = "Says whether it was a leak. How sure seep is of later ones learns from that.",
	.examples = "  seepctl mark 9f2c41d0 true\n"
		    "  seepctl mark 9f2c41d0 false",
	.min_operands = 2,
	.max_operands = 2,
};

/* Finds the leak that @text means, and sends @body to the route @what of it. */
static int answer(const struct cli_context *context, const char *text, const char *what,
		  const json_t *body, json_t **ret)
{
	_cleanup_(json_decrefp) json_t *leak = NULL;
	_cleanup_free_ char *path = NULL;
	int code;

	if (!body)
		return cli_no_memory();
	code = leak_find(context, text, &leak);
	if (code != CLI_OK)
		return code;
	if (asprintf(&path, "/v1/leaks/%.16s/%s", field_text_or(leak, "id", "?"), what) < 0) {
		path = NULL; /* asprintf() leaves it undefined on failure */
		return cli_no_memory();
	}
	return api_call(context, "POST", path, body, ret);
}

/* @said: what is said to people, with the leak's id before it. */
static int finish(const struct cli_context *context, const json_t *leak, const char *said)
{
	if (context->json)
		return cli_print_json(leak);
	if (!context->quiet)
		cli_info("%s in %s %s", field_text_or(leak, "id", "?"),
			 field_text_or(leak, "service", "?"), said);
	return CLI_OK;
}

int cli_ack(int argc, char **argv, const struct cli_context *parent)
{
	_cleanup_(json_decrefp) json_t *body = NULL;
	_cleanup_(json_decrefp) json_t *leak = NULL;
	struct answer_values values = { .undo = false };
	struct cli_context context = *parent;
	struct operands operands;
	int code;

	if (!options_begin(&ack_options, argc, argv, &values, &context, &operands, &code))
		return code;
	if (values.undo && values.note)
		return options_complain(&ack_options, "--note and --undo exclude each other");
	body = json_pack("{s:b}", "on", !values.undo);
	if (body && values.note && json_object_set_new(body, "note", json_string(values.note)) < 0)
		return options_complain(&ack_options, "the note is not UTF-8");
	code = answer(&context, operands.items[0], "ack", body, &leak);
	if (code != CLI_OK)
		return code;
	return finish(&context, leak,
		      values.undo ? "is not acknowledged any more" : "is acknowledged");
}

int cli_suppress(int argc, char **argv, const struct cli_context *parent)
{
	_cleanup_(json_decrefp) json_t *body = NULL;
	_cleanup_(json_decrefp) json_t *leak = NULL;
	struct answer_values values = { .undo = false };
	struct cli_context context = *parent;
	struct operands operands;
	int code;

	if (!options_begin(&suppress_options, argc, argv, &values, &context, &operands, &code))
		return code;
	body = json_pack("{s:b}", "on", !values.undo);
	code = answer(&context, operands.items[0], "suppress", body, &leak);
	if (code != CLI_OK)
		return code;
	return finish(&context, leak, values.undo ? "is not suppressed any more" : "is suppressed");
}

int cli_mark(int argc, char **argv, const struct cli_context *parent)
{
	_cleanup_(json_decrefp) json_t *body = NULL;
	_cleanup_(json_decrefp) json_t *leak = NULL;
	struct cli_context context = *parent;
	struct operands operands;
	const char *mark;
	int code;

	if (!options_begin(&mark_options, argc, argv, NULL, &context, &operands, &code))
		return code;
	mark = operands.items[1];
	if (strcmp(mark, "true") != 0 && strcmp(mark, "false") != 0 &&
	    strcmp(mark, "unmarked") != 0)
		return options_complain(&mark_options,
					"a mark is true, false or unmarked, not '%s'", mark);
	body = json_pack("{s:s}", "mark", mark);
	code = answer(&context, operands.items[0], "mark", body, &leak);
	if (code != CLI_OK)
		return code;
	return finish(&context, leak,
		      strcmp(mark, "true") == 0	 ? "is marked as a leak" :
		      strcmp(mark, "false") == 0 ? "is marked as no leak" :
						   "is not marked any more");
}
