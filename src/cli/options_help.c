// SPDX-License-Identifier: GPL-2.0-or-later
/* --help, and complaints that point to it, made from the option tables. See options.h. */
#include "cli/options.h"

#include <errno.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"

/* Where the explanations start. */
#define HELP_COLUMN 28

static void print_choices(FILE *out, const char *const *choices, int *width)
{
	size_t i;

	for (i = 0; choices[i]; i++)
		*width += fprintf(out, "%s%s", i ? "|" : "", choices[i]);
}

static void print_option(FILE *out, const struct cli_option *o)
{
	int width = 0;

	if (o->letter)
		width += fprintf(out, "  -%c, --%s", o->letter, o->name);
	else
		width += fprintf(out, "      --%s", o->name);
	if (o->value) {
		width += fprintf(out, " %s", o->value);
	} else if (o->kind == OPTION_CHOICE) {
		width += fprintf(out, " ");
		print_choices(out, o->choices, &width);
	}
	if (width >= HELP_COLUMN - 1) {
		fprintf(out, "\n");
		width = 0;
	}
	fprintf(out, "%*s%s\n", HELP_COLUMN - width, "", o->help);
}

void options_print_table(FILE *out, const struct cli_option *options, size_t n)
{
	size_t i;

	for (i = 0; i < n; i++)
		print_option(out, &options[i]);
}

void options_print_common(FILE *out)
{
	const struct cli_option *common;
	size_t n;

	common = options_common(&n);
	fprintf(out, "Common options:\n");
	options_print_table(out, common, n);
}

void options_print_help(FILE *out, const struct option_set *set)
{
	fprintf(out, "Usage: seepctl%s%s [OPTION...]%s%s\n", set->verb ? " " : "",
		set->verb ? set->verb : "", set->operands ? " " : "",
		set->operands ? set->operands : "");
	if (set->about)
		fprintf(out, "\n%s\n", set->about);
	if (set->n_options) {
		fprintf(out, "\nOptions:\n");
		options_print_table(out, set->options, set->n_options);
	}
	fprintf(out, "\n");
	options_print_common(out);
	if (set->examples)
		fprintf(out, "\nExamples:\n%s\n", set->examples);
}

static void point_to_help(const struct option_set *set)
{
	cli_info("Try 'seepctl %s%s--help'", set->verb ? set->verb : "", set->verb ? " " : "");
}

int options_complain(const struct option_set *set, const char *format, ...)
{
	_cleanup_free_ char *why = NULL;
	va_list args;
	int n;

	va_start(args, format);
	n = vasprintf(&why, format, args);
	va_end(args);
	if (n < 0) {
		why = NULL; /* vasprintf() leaves it undefined on failure */
		(void)cli_no_memory();
		return CLI_USAGE;
	}
	cli_error("%s%s%s", set->verb ? set->verb : "", set->verb ? ": " : "", why);
	point_to_help(set);
	return CLI_USAGE;
}

bool options_begin(const struct option_set *set, int argc, char **argv, void *values,
		   struct cli_context *context, struct operands *ret, int *ret_exit)
{
	char why[OPTIONS_WHY_BYTES];
	int r;

	r = options_parse(set, argc, argv, values, context, ret, why);
	if (r == 0)
		return true;
	if (r > 0) {
		options_print_help(stdout, set);
		*ret_exit = CLI_OK;
	} else {
		*ret_exit = options_complain(set, "%s", why);
	}
	return false;
}
