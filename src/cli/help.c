// SPDX-License-Identifier: GPL-2.0-or-later
/* seepctl help and version. */
#include "cli/verbs.h"

#include <sys/utsname.h>

#include "base/cleanup.h"
#include "cli/api.h"
#include "cli/grouping.h"
#include "cli/options.h"

#ifndef SEEP_VERSION
#define SEEP_VERSION "unknown"
#endif

static const struct option_set help_options = {
	.verb = "help",
	.operands = "[VERB]",
	.about = "Explains seepctl, or one of its verbs.",
	.max_operands = 1,
};

int cli_help(int argc, char **argv, const struct cli_context *parent)
{
	struct cli_context context = *parent;
	const struct cli_verb *verb;
	struct operands operands;
	char name[32], option[] = "--help";
	char *arguments[] = { name, option, NULL };
	int code;

	if (!options_begin(&help_options, argc, argv, NULL, &context, &operands, &code))
		return code;
	if (operands.n == 0) {
		cli_print_help(stdout);
		return CLI_OK;
	}
	verb = cli_verb_find(operands.items[0]);
	if (!verb)
		return cli_complain_about_verb(operands.items[0]);
	if ((size_t)snprintf(name, sizeof(name), "%s", verb->name) >= sizeof(name))
		return CLI_ERROR;
	return verb->run(2, arguments, parent);
}

static const struct option_set version_options = {
	.verb = "version",
	.about = "Shows the version of seepctl; with --json also what it is able to do.",
};

static json_t *words_of(const char *const *words)
{
	json_t *array = json_array();
	size_t i;

	for (i = 0; words[i]; i++)
		if (json_array_append_new(array, json_string(words[i])) < 0) {
			json_decref(array);
			return NULL;
		}
	return array;
}

static json_t *verb_names(void)
{
	const struct cli_verb *verbs;
	json_t *array = json_array();
	size_t n, i;

	verbs = cli_verbs(&n);
	for (i = 0; i < n; i++)
		if (json_array_append_new(array, json_string(verbs[i].name)) < 0) {
			json_decref(array);
			return NULL;
		}
	return array;
}

int cli_version(int argc, char **argv, const struct cli_context *parent)
{
	_cleanup_(json_decrefp) json_t *version = NULL;
	struct cli_context context = *parent;
	struct utsname system;
	struct operands operands;
	int code;

	if (!options_begin(&version_options, argc, argv, NULL, &context, &operands, &code))
		return code;
	if (!context.json) {
		(void)printf("seepctl %s\n", SEEP_VERSION);
		return CLI_OK;
	}
	version = json_pack("{s:s,s:s,s:s,s:s?,s:{s:o,s:o,s:o}}", "name", "seepctl", "version",
			    SEEP_VERSION, "api", "v1", "architecture",
			    uname(&system) == 0 ? system.machine : NULL, "features", "verbs",
			    verb_names(), "by", words_of(grouping_by_words), "sort",
			    words_of(grouping_sort_words));
	return version ? cli_print_json(version) : cli_no_memory();
}
