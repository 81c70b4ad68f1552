// SPDX-License-Identifier: GPL-2.0-or-later
/* seepctl history: how memory moved, as a chart. */
#include "cli/verbs.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/parse.h"
#include "cli/api.h"
#include "cli/field.h"
#include "cli/leak.h"
#include "cli/options.h"
#include "cli/pick.h"
#include "cli/render_leaks.h"
#include "cli/text.h"

#define NS_PER_MS  1000000u
#define CHART_ROWS 10

struct history_values {
	const char *site;
	const char *from;
	const char *to;
	uint64_t points;
	bool ascii;
};

static const struct cli_option options[] = {
	{ "site", 0, OPTION_TEXT, offsetof(struct history_values, site), "ID", NULL, 0, 0,
	  "only of this call stack: the leak_id of seepctl sites --json" },
	{ "from", 0, OPTION_TEXT, offsetof(struct history_values, from), "TIME", NULL, 0, 0,
	  "2026-11-25T17:10:34Z, or so long ago: 90m, 6h, 7d\n"
	  "                            (default: a day before the end)" },
	{ "to", 0, OPTION_TEXT, offsetof(struct history_values, to), "TIME", NULL, 0, 0,
	  "the same (default: now)" },
	{ "points", 0, OPTION_NUMBER, offsetof(struct history_values, points), "N", NULL, 1, 5000,
	  "this many at most (default: 240)" },
	{ "ascii", 0, OPTION_FLAG, offsetof(struct history_values, ascii), NULL, NULL, 0, 0,
	  "charts of ASCII characters" },
};

static const struct option_set history_options = {
	.verb = "history",
	.operands = "[SELECTOR]",
	.about =
		"Shows how the live bytes and the resident memory of a process moved. SELECTOR: a\n"
		"target, or a service (unit, or path of the program) with all of its processes "
		"and\n"
		"those of earlier days. It can be left out where only one process is watched.",
	.examples = "  seepctl history nginx.service\n"
		    "  seepctl history 4242 --from 6h\n"
		    "  seepctl history 4242-1 --json | jq '.points[-1].live_bytes'",
	.options = options,
	.n_options = ARRAY_SIZE(options),
	.max_operands = 1,
};

/* A time of RFC 3339, or a duration back from now, as the API wants it. */
static int read_time(const char *name, const char *text, struct number *ret)
{
	uint64_t ms, ago, now = clock_ns(CLOCK_REALTIME) / NS_PER_MS;

	if (parse_time(text, &ms) < 0) {
		if (parse_duration(text, &ago) < 0 || ago / NS_PER_MS >= now)
			return options_complain(&history_options,
						"--%s wants a time such as 2026-11-25T17:10:34Z, "
						"or how long ago it was: 6h; not '%s'",
						name, text);
		ms = now - ago / NS_PER_MS;
	}
	*ret = format_time(ms, true);
	return CLI_OK;
}

static int fetch(const struct cli_context *context, const struct history_values *values,
		 const struct pick *subject, json_t **ret)
{
	_cleanup_(api_path_done) struct api_path path = { .stream = NULL };
	struct number from, to;
	char points[24];
	const char *text;
	int code;

	if (api_path_init(&path, "/v1/history", NULL) < 0)
		return cli_no_memory();
	api_path_add(&path, "target", field_text(subject->target, "id"));
	api_path_add(&path, "service", subject->service);
	api_path_add(&path, "site", values->site);
	if (values->from) {
		code = read_time("from", values->from, &from);
		if (code != CLI_OK)
			return code;
		api_path_add(&path, "from", from.text);
	}
	if (values->to) {
		code = read_time("to", values->to, &to);
		if (code != CLI_OK)
			return code;
		api_path_add(&path, "to", to.text);
	}
	if (values->points) {
		(void)snprintf(points, sizeof(points), "%" PRIu64, values->points);
		api_path_add(&path, "points", points);
	}
	text = api_path_text(&path);
	return text ? api_call(context, "GET", text, NULL, ret) : cli_no_memory();
}

static void put_heading(const char *text, const struct render_options *o)
{
	render_style(stdout, o, RENDER_BOLD);
	(void)fputs(text, stdout);
	render_style(stdout, o, RENDER_PLAIN);
	(void)fputc('\n', stdout);
}

static int show(const struct cli_context *context, const json_t *history,
		const struct history_values *values)
{
	struct render_options o;
	size_t n;
	int r;

	render_options_init(&o, context, stdout);
	o.ascii = o.ascii || values->ascii;
	if (o.legend) {
		text_put_clean(stdout, field_text_or(history, "service", "?"), o.ascii);
		if (field_has_integer(history, "pid"))
			(void)printf(" (pid %" PRIu64 ")", field_count(history, "pid"));
		(void)fputs("\n\n", stdout);
	}
	put_heading("Live bytes", &o);
	r = render_history(stdout, history, "live_bytes", CHART_ROWS, &o, &n);
	if (r < 0)
		return cli_no_memory();
	if (n == 0) {
		(void)fputs("Nothing is kept of this time.\n", stdout);
		return CLI_OK;
	}
	if (values->site)
		return CLI_OK;
	(void)fputc('\n', stdout);
	put_heading("Resident memory", &o);
	r = render_history(stdout, history, "rss_bytes", CHART_ROWS, &o, &n);
	if (r < 0)
		return cli_no_memory();
	if (n == 0)
		(void)fputs("not known\n", stdout);
	render_next(stdout, &o, "seepctl leaks --all");
	return CLI_OK;
}

int cli_history(int argc, char **argv, const struct cli_context *parent)
{
	_cleanup_(json_decrefp) json_t *history = NULL;
	_cleanup_(pick_done) struct pick subject = { .target = NULL };
	struct history_values values = { .site = NULL };
	struct cli_context context = *parent;
	struct operands operands;
	int code;

	if (!options_begin(&history_options, argc, argv, &values, &context, &operands, &code))
		return code;
	code = pick_target_or_service(&context, operands.n ? operands.items[0] : NULL, &subject);
	if (code != CLI_OK)
		return code;
	code = fetch(&context, &values, &subject, &history);
	if (code != CLI_OK)
		return code;
	return context.json ? cli_print_json(history) : show(&context, history, &values);
}
