/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The command line: one table per verb, from which both the parser and --help are made.
 *
 * A verb declares a struct of values, a table of struct cli_option that says where in it each
 * option goes, and a struct option_set; then:
 *
 *	struct cli_context context = *parent;
 *	struct sites_values values = { .limit = 20 };
 *	struct operands operands;
 *	int code;
 *
 *	if (!options_begin(&sites_options, argc, argv, &values, &context, &operands, &code))
 *		return code;
 *
 * The common options (struct cli_context) are understood with every set. Long options are never
 * abbreviated, since a later version could make an abbreviation ambiguous.
 */
#ifndef SEEP_CLI_OPTIONS_H
#define SEEP_CLI_OPTIONS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "cli/context.h"

enum option_kind {
	OPTION_FLAG,	 /* bool */
	OPTION_TEXT,	 /* const char *, not empty */
	OPTION_NUMBER,	 /* uint64_t within [min, max] */
	OPTION_SIZE,	 /* uint64_t bytes within [min, max], as parse_size() */
	OPTION_DURATION, /* uint64_t nanoseconds within [min, max], as parse_duration() */
	OPTION_PERCENT,	 /* double ratio, as parse_percent() */
	OPTION_CHOICE,	 /* const char *, one of choices */
	OPTION_LIST,	 /* struct option_list, may be given several times */
	OPTION_HELP,	 /* stores nothing */
};

/* Two such lists fit a query string of the daemon, which takes 64 parameters. */
#define OPTION_LIST_MAX 30

struct option_list {
	const char *items[OPTION_LIST_MAX]; /* borrowed from argv */
	size_t n;
};

struct cli_option {
	const char *name; /* without the dashes */
	char letter;	  /* 0: none */
	enum option_kind kind;
	size_t offset;		    /* of the value in the verb's struct */
	const char *value;	    /* name of the value in --help; NULL: the choices */
	const char *const *choices; /* OPTION_CHOICE: ends with NULL */
	uint64_t min, max;	    /* max 0: no upper limit */
	const char *help;
};

struct option_set {
	const char *verb;     /* NULL: seepctl itself */
	const char *operands; /* for the usage line: "FROM [TO]"; NULL: none */
	const char *about;    /* what it does: text of --help, lines up to 80 columns */
	const char *examples; /* lines of --help; NULL: none */
	const struct cli_option *options;
	size_t n_options;
	size_t min_operands;
	size_t max_operands;
	bool stop_at_operand; /* what follows the first operand is not looked at: run -- CMD */
};

/* What is neither option nor value, in order. Borrowed from argv; items[n] is NULL as in argv. */
struct operands {
	char **items;
	size_t n;
};

/* Room for a complaint of options_parse(). */
#define OPTIONS_WHY_BYTES 256

/*
 * Moves the operands of @argv together. 0; 1 when help was asked for; -EINVAL, and then @why is a
 * sentence for people.
 */
int options_parse(const struct option_set *set, int argc, char **argv, void *values,
		  struct cli_context *context, struct operands *ret, char why[OPTIONS_WHY_BYTES]);

/*
 * options_parse(), with help printed and complaints made. True: go on. False: end with *ret_exit.
 */
bool options_begin(const struct option_set *set, int argc, char **argv, void *values,
		   struct cli_context *context, struct operands *ret, int *ret_exit);

/* Says "@format" and how to get help; returns CLI_USAGE. For what a table cannot check. */
int options_complain(const struct option_set *set, const char *format, ...)
	__attribute__((format(printf, 2, 3)));

void options_print_help(FILE *out, const struct option_set *set);

/* Only the lines of a table. */
void options_print_table(FILE *out, const struct cli_option *options, size_t n);

/* Only the list of options that every verb has. */
void options_print_common(FILE *out);

/* The common options; their offsets are into struct cli_context. */
const struct cli_option *options_common(size_t *ret_n);

#endif
