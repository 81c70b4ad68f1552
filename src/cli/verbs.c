// SPDX-License-Identifier: GPL-2.0-or-later
/* The table of verbs and what is made from it. See verbs.h. */
#include "cli/verbs.h"

#include <string.h>

#include "base/cleanup.h"
#include "base/similar.h"

static const struct cli_verb verbs[] = {
	{ "run", cli_run, "run a command and report what it leaked", "Without a daemon" },
	{ "trace", cli_trace, "watch a running process for a while and report",
	  "Without a daemon" },
	{ "doctor", cli_doctor, "check what this machine allows, and say what to do",
	  "Without a daemon" },
	{ "status", cli_status, "the daemon and its targets on one screen", "Looking" },
	{ "targets", cli_targets, "the processes that are watched", "Looking" },
	{ "leaks", cli_leaks, "what leaks, how fast, and how sure that is", "Looking" },
	{ "show", cli_show, "one leak, and why it is thought to be one", "Looking" },
	{ "sites", cli_sites, "where live blocks were allocated", "Looking" },
	{ "census", cli_census, "what lives on the heap of a Python process", "Looking" },
	{ "diff", cli_diff, "what changed since a snapshot", "Looking" },
	{ "history", cli_history, "how memory moved", "Looking" },
	{ "events", cli_events, "what has happened to leaks, and what happens", "Looking" },
	{ "check", cli_check, "one line and an exit code, for Nagios", "Looking" },
	{ "metrics", cli_metrics, "figures in Prometheus' format", "Looking" },
	{ "track", cli_track, "watch a process", "Acting" },
	{ "untrack", cli_untrack, "stop to watch it", "Acting" },
	{ "snapshot", cli_snapshot, "keep the present totals under a name", "Acting" },
	{ "ack", cli_ack, "say that a leak is known", "Acting" },
	{ "suppress", cli_suppress, "tell nobody of a leak any more", "Acting" },
	{ "mark", cli_mark, "say whether it was one", "Acting" },
	{ "help", cli_help, "explain a verb", "About" },
	{ "version", cli_version, "version and abilities", "About" },
};

static const struct cli_option own_options[] = {
	{ "version", 'V', OPTION_FLAG, offsetof(struct cli_values, version), NULL, NULL, 0, 0,
	  "the version of seepctl" },
};

const struct option_set cli_options = {
	.options = own_options,
	.n_options = ARRAY_SIZE(own_options),
	.max_operands = SIZE_MAX,
	.stop_at_operand = true,
};

const struct cli_verb *cli_verbs(size_t *ret_n)
{
	*ret_n = ARRAY_SIZE(verbs);
	return verbs;
}

const struct cli_verb *cli_verb_find(const char *name)
{
	size_t i;

	for (i = 0; i < ARRAY_SIZE(verbs); i++)
		if (strcmp(verbs[i].name, name) == 0)
			return &verbs[i];
	return NULL;
}

const struct cli_verb *cli_verb_suggest(const char *name)
{
	const struct cli_verb *best = NULL;
	size_t length = strlen(name), i;
	unsigned nearest = SIMILAR_NOT;

	for (i = 0; i < ARRAY_SIZE(verbs); i++) {
		unsigned d = similar_distance(name, verbs[i].name);

		if (d < nearest) {
			nearest = d;
			best = &verbs[i];
		}
	}
	for (i = 0; !best && i < ARRAY_SIZE(verbs); i++)
		if (length >= 2 && strncmp(verbs[i].name, name, length) == 0)
			best = &verbs[i];
	return best;
}

int cli_complain_about_verb(const char *name)
{
	const struct cli_verb *near = cli_verb_suggest(name);

	if (near)
		cli_error("there is no verb '%s'; did you mean '%s'?", name, near->name);
	else
		cli_error("there is no verb '%s'", name);
	cli_info("Try 'seepctl --help'");
	return CLI_USAGE;
}

static void print_verbs(FILE *out)
{
	size_t i;

	for (i = 0; i < ARRAY_SIZE(verbs); i++) {
		if (i == 0 || strcmp(verbs[i].group, verbs[i - 1].group) != 0)
			fprintf(out, "\n%s:\n", verbs[i].group);
		fprintf(out, "  %-10s %s\n", verbs[i].name, verbs[i].summary);
	}
}

void cli_print_help(FILE *out)
{
	fprintf(out,
		"Usage: seepctl [OPTION...] VERB [ARGUMENT...]\n\n"
		"Finds memory leaks in running processes, without restarting or changing them.\n");
	print_verbs(out);
	fprintf(out, "\n");
	options_print_common(out);
	options_print_table(out, cli_options.options, cli_options.n_options);
	fprintf(out, "\nExit codes: 0 fine, 1 error, 2 usage, 3 no daemon, 4 not permitted, 5 no "
		     "such target (or leak).\n"
		     "'seepctl VERB --help' explains a verb.\n");
}

void cli_print_short_help(FILE *out)
{
	fprintf(out, "seepctl finds memory leaks in running processes. Some first steps:\n\n"
		     "  seepctl run -- ./server           run a program, report what it leaked\n"
		     "  seepctl trace nginx --for 60s     watch a running one for a minute\n"
		     "  seepctl track nginx.service       let the daemon watch it from now on\n"
		     "  seepctl leaks                     and tell what leaks in it\n\n"
		     "'seepctl --help' lists all verbs.\n");
}
