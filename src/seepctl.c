// SPDX-License-Identifier: GPL-2.0-or-later
/* The client: common options, then a verb of cli/verbs.c. */
#include <errno.h>
#include <locale.h>
#include <stdio.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/log.h"
#include "cli/options.h"
#include "cli/verbs.h"

static int dispatch(const struct operands *operands, const struct cli_values *values,
		    const struct cli_context *context)
{
	char name[] = "version";
	char *version[] = { name, NULL };
	const struct cli_verb *verb;

	if (values->version)
		return cli_version(1, version, context);
	if (operands->n == 0) {
		cli_print_short_help(stderr);
		return CLI_USAGE;
	}
	verb = cli_verb_find(operands->items[0]);
	if (!verb)
		return cli_complain_about_verb(operands->items[0]);
	return verb->run((int)operands->n, operands->items, context);
}

int main(int argc, char **argv)
{
	struct cli_values values = { .version = false };
	struct cli_context context;
	struct operands operands;
	char why[OPTIONS_WHY_BYTES];
	int code, r;

	/* Only to learn whether the terminal takes UTF-8: numbers stay as they are. */
	(void)setlocale(LC_CTYPE, "");
	log_open("seepctl");
	cli_context_init(&context);
	r = options_parse(&cli_options, argc, argv, &values, &context, &operands, why);
	if (r < 0) {
		code = options_complain(&cli_options, "%s", why);
	} else if (r > 0) {
		cli_print_help(stdout);
		code = CLI_OK;
	} else {
		code = dispatch(&operands, &values, &context);
	}
	if (fflush(stdout) != 0 || ferror(stdout)) {
		log_error("failed to write to standard output: %s", strerror(errno));
		return code ? code : CLI_ERROR;
	}
	return code;
}
