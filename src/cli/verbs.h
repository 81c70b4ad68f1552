/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The verbs of seepctl: one table, from which dispatch, help and suggestions are made.
 */
#ifndef SEEP_CLI_VERBS_H
#define SEEP_CLI_VERBS_H

#include <stddef.h>
#include <stdio.h>

#include "cli/context.h"
#include "cli/options.h"

/* @argv[0] is the verb. @context: what stood before the verb. Returns an enum cli_exit. */
typedef int (*cli_verb_fn)(int argc, char **argv, const struct cli_context *context);

struct cli_verb {
	const char *name;
	cli_verb_fn run;
	const char *summary;
	const char *group; /* heading in --help; verbs of a group stand together */
};

/* What may stand before the verb, besides the common options. */
struct cli_values {
	bool version;
};

extern const struct option_set cli_options;

const struct cli_verb *cli_verbs(size_t *ret_n);

/* NULL: there is none. */
const struct cli_verb *cli_verb_find(const char *name);

/* The verb that @name was probably meant to be; NULL: none is near. */
const struct cli_verb *cli_verb_suggest(const char *name);

/* Says that there is no such verb, and which was perhaps meant. Returns CLI_USAGE. */
int cli_complain_about_verb(const char *name);

void cli_print_help(FILE *out);

/* What to do without arguments: a few examples. */
void cli_print_short_help(FILE *out);

int cli_run(int argc, char **argv, const struct cli_context *context);
int cli_trace(int argc, char **argv, const struct cli_context *context);
int cli_doctor(int argc, char **argv, const struct cli_context *context);
int cli_status(int argc, char **argv, const struct cli_context *context);
int cli_targets(int argc, char **argv, const struct cli_context *context);
int cli_track(int argc, char **argv, const struct cli_context *context);
int cli_untrack(int argc, char **argv, const struct cli_context *context);
int cli_sites(int argc, char **argv, const struct cli_context *context);
int cli_snapshot(int argc, char **argv, const struct cli_context *context);
int cli_census(int argc, char **argv, const struct cli_context *context);
int cli_diff(int argc, char **argv, const struct cli_context *context);
int cli_leaks(int argc, char **argv, const struct cli_context *context);
int cli_show(int argc, char **argv, const struct cli_context *context);
int cli_history(int argc, char **argv, const struct cli_context *context);
int cli_events(int argc, char **argv, const struct cli_context *context);
int cli_check(int argc, char **argv, const struct cli_context *context);
int cli_metrics(int argc, char **argv, const struct cli_context *context);
int cli_ack(int argc, char **argv, const struct cli_context *context);
int cli_suppress(int argc, char **argv, const struct cli_context *context);
int cli_mark(int argc, char **argv, const struct cli_context *context);
int cli_help(int argc, char **argv, const struct cli_context *context);
int cli_version(int argc, char **argv, const struct cli_context *context);

#endif
