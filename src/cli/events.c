// SPDX-License-Identifier: GPL-2.0-or-later
/* seepctl events: what has happened to leaks, and what happens. */
#include "cli/verbs.h"

#include <errno.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "cli/api.h"
#include "cli/field.h"
#include "cli/options.h"
#include "cli/render_leaks.h"

/* The daemon shows that it lives each 15 s. */
#define SILENCE_NS (60 * NS_PER_SECOND)

struct events_values {
	bool follow;
	const char *since;
};

static const struct cli_option options[] = {
	{ "follow", 'f', OPTION_FLAG, offsetof(struct events_values, follow), NULL, NULL, 0, 0,
	  "go on with what happens from now on" },
	{ "since", 0, OPTION_TEXT, offsetof(struct events_values, since), "ID", NULL, 0, 0,
	  "what came after this event; 0: all that is kept" },
};

static const struct option_set events_options = {
	.verb = "events",
	.about = "Shows what has happened to leaks: suspected, opened, grew, stopped, resolved, "
		 "closed,\n"
		 "and what people said to them. With --json an object for each, one a line.",
	.examples = "  seepctl events\n"
		    "  seepctl events -f --since 0\n"
		    "  seepctl events -f --json | jq -c 'select(.event == \"opened\") | .leak.id'",
	.options = options,
	.n_options = ARRAY_SIZE(options),
};

/* Where lines go. */
struct printer {
	bool json;
	bool terminal;
	struct render_options options;
	char last[24]; /* id of the last event; "": none yet */
};

static int print_event(struct printer *p, const json_t *event)
{
	const size_t flags = JSON_COMPACT | JSON_REAL_PRECISION(15);
	int r = 0;

	if (!p->json)
		r = render_event(stdout, event, &p->options);
	else if (json_dumpf(event, stdout, flags | (p->terminal ? JSON_ENSURE_ASCII : 0)) < 0 ||
		 fputc('\n', stdout) == EOF)
		r = -EIO;
	if (r < 0)
		return r;
	/* Whoever reads from a pipe wants it now. */
	return fflush(stdout) == 0 ? 0 : -EIO;
}

static int take_line(const char *line, size_t n, void *userdata)
{
	_cleanup_(json_decrefp) json_t *event = NULL;
	struct printer *p = userdata;
	int length;

	if (n == 0) /* the daemon lives */
		return 0;
	event = json_loadb(line, n, JSON_REJECT_DUPLICATES, NULL);
	if (!json_is_object(event))
		return -EPROTO;
	length = snprintf(p->last, sizeof(p->last), "%s", field_text_or(event, "id", ""));
	if (length < 0 || (size_t)length >= sizeof(p->last))
		return -EPROTO;
	return print_event(p, event);
}

static int stream(const struct cli_context *context, const struct events_values *values,
		  struct printer *p)
{
	_cleanup_(api_path_done) struct api_path path = { .stream = NULL };
	const char *text;

	if (api_path_init(&path, "/v1/events", NULL) < 0)
		return cli_no_memory();
	api_path_add(&path, "follow", values->follow ? "1" : NULL);
	api_path_add(&path, "since", values->since);
	text = api_path_text(&path);
	if (!text)
		return cli_no_memory();
	return api_stream(context, text, SILENCE_NS, take_line, p);
}

int cli_events(int argc, char **argv, const struct cli_context *parent)
{
	struct events_values values = { .follow = false };
	struct cli_context context = *parent;
	struct printer p = { .json = false };
	struct operands operands;
	int code;

	if (!options_begin(&events_options, argc, argv, &values, &context, &operands, &code))
		return code;
	p.json = context.json;
	p.terminal = isatty(STDOUT_FILENO) == 1;
	render_options_init(&p.options, &context, stdout);
	code = stream(&context, &values, &p);
	/* Also its failure ends where one can go on. */
	if (values.follow && (code == CLI_OK || code == CLI_UNREACHABLE) && !ferror(stdout)) {
		if (code == CLI_OK)
			cli_error("seepd on %s has ended the stream", context.socket_path);
		if (*p.last)
			cli_info("'seepctl events -f --since %s' goes on from here", p.last);
		return CLI_UNREACHABLE;
	}
	return code;
}
