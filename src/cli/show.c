// SPDX-License-Identifier: GPL-2.0-or-later
/* seepctl show: one leak, and why it is thought to be one. */
#include "cli/verbs.h"

#include "base/cleanup.h"
#include "base/clock.h"
#include "cli/api.h"
#include "cli/field.h"
#include "cli/leak.h"
#include "cli/options.h"
#include "cli/render_leaks.h"

#define NS_PER_MS      1000000u
#define MINUTE_MS      60000ull
/* What is shown of the time before it began to grow: one part in so many. */
#define BEFORE	       8
/* Twice as many as a wide chart has columns of dots. */
#define HISTORY_POINTS "480"

struct show_values {
	bool ascii;
};

static const struct cli_option options[] = {
	{ "ascii", 0, OPTION_FLAG, offsetof(struct show_values, ascii), NULL, NULL, 0, 0,
	  "charts of ASCII characters" },
};

static const struct option_set show_options = {
	.verb = "show",
	.operands = "ID",
	.about = "Shows a leak: where, how fast, since when and until when, how sure that is and "
		 "why,\n"
		 "and what would prove it wrong. ID: of seepctl leaks, or the beginning of one.",
	.examples = "  seepctl show 9f2c41d0\n"
		    "  seepctl show 9f2c41d0 --json | jq -r '.evidence[]'",
	.options = options,
	.n_options = ARRAY_SIZE(options),
	.min_operands = 1,
	.max_operands = 1,
};

static uint64_t now_ms(void)
{
	return clock_ns(CLOCK_REALTIME) / NS_PER_MS;
}

/* A GET whose failure only means that a part is left out. CLI_OK, *ret NULL: the daemon has none. */
static int fetch_if_any(const struct cli_context *context, struct api_path *path, json_t **ret)
{
	_cleanup_(http_response_freep) struct http_response *response = NULL;
	const char *text = api_path_text(path);
	int code;

	if (!text)
		return cli_no_memory();
	code = api_exchange(context, "GET", text, NULL, &response);
	if (code == CLI_OK && response->status < 300 && json_is_object(response->json))
		*ret = json_incref(response->json);
	return code;
}

/* From a while before it began up to now. */
static int fetch_history(const struct cli_context *context, const json_t *leak, json_t **ret)
{
	_cleanup_(api_path_done) struct api_path path = { .stream = NULL };
	uint64_t now = now_ms(), since = leak_time(leak, "since"), before;
	struct number from;

	if (!since || since > now)
		since = now;
	before = (now - since) / BEFORE;
	if (before < MINUTE_MS)
		before = MINUTE_MS;
	from = format_time(since > before ? since - before : 1, true);
	if (api_path_init(&path, "/v1/history", NULL) < 0)
		return cli_no_memory();
	api_path_add(&path, "leak", field_text_or(leak, "id", ""));
	api_path_add(&path, "from", from.text);
	api_path_add(&path, "points", HISTORY_POINTS);
	return fetch_if_any(context, &path, ret);
}

static int fetch_coverage(const struct cli_context *context, const json_t *leak, json_t **ret)
{
	_cleanup_(api_path_done) struct api_path path = { .stream = NULL };
	_cleanup_(json_decrefp) json_t *target = NULL;
	int code;

	if (!field_text(leak, "target"))
		return CLI_OK;
	if (api_path_init(&path, "/v1/targets/", field_text(leak, "target")) < 0)
		return cli_no_memory();
	code = fetch_if_any(context, &path, &target);
	*ret = json_incref(json_object_get(target, "coverage"));
	return code;
}

static void suggest(const json_t *leak, const struct render_options *o)
{
	const char *id = field_text_or(leak, "id", "ID");

	if (field_text(leak, "closed_at"))
		render_next(stdout, o, "seepctl mark %.16s true, or false if it was no leak", id);
	else if (leak_is_open(leak))
		render_next(stdout, o, "seepctl ack %.16s --note WHAT-IS-DONE", id);
	else if (field_text(leak, "target"))
		render_next(stdout, o, "seepctl sites %s --sort growth",
			    field_text(leak, "target"));
	else
		render_next(stdout, o, "seepctl leaks");
}

static int show(const struct cli_context *context, const json_t *leak, bool ascii)
{
	_cleanup_(json_decrefp) json_t *history = NULL;
	_cleanup_(json_decrefp) json_t *coverage = NULL;
	struct leak_context about = { .now_ms = now_ms() };
	struct render_options o;
	int code;

	code = fetch_history(context, leak, &history);
	if (code == CLI_OK)
		code = fetch_coverage(context, leak, &coverage);
	if (code != CLI_OK)
		return code;
	about.history = history;
	about.coverage = coverage;
	render_options_init(&o, context, stdout);
	o.ascii = o.ascii || ascii;
	if (render_leak(stdout, leak, &about, &o) < 0)
		return cli_no_memory();
	suggest(leak, &o);
	return CLI_OK;
}

int cli_show(int argc, char **argv, const struct cli_context *parent)
{
	_cleanup_(json_decrefp) json_t *leak = NULL;
	struct show_values values = { .ascii = false };
	struct cli_context context = *parent;
	struct operands operands;
	int code;

	if (!options_begin(&show_options, argc, argv, &values, &context, &operands, &code))
		return code;
	code = leak_find(&context, operands.items[0], &leak);
	if (code != CLI_OK)
		return code;
	return context.json ? cli_print_json(leak) : show(&context, leak, values.ascii);
}
