/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The options by which sites are summed up, sorted and left out: the same for sites and diff, and
 * for every other verb that lists sites.
 */
#ifndef SEEP_CLI_GROUPING_H
#define SEEP_CLI_GROUPING_H

#include "cli/api.h"
#include "cli/options.h"

#define GROUPING_LIMIT_DEFAULT 20
#define GROUPING_LIMIT_MAX     1000

struct grouping {
	const char *by;	  /* word of group_by_parse() */
	const char *sort; /* word of group_sort_parse() */
	uint64_t limit;
	struct option_list include;
	struct option_list exclude;
	bool all_frames;	  /* the filters judge every frame of a stack */
	bool no_default_excludes; /* of group_options.default_excludes */
};

#define GROUPING_DEFAULTS                                                      \
	{                                                                      \
		.by = "stack", .sort = "live", .limit = GROUPING_LIMIT_DEFAULT \
	}

/* End with NULL. */
extern const char *const grouping_by_words[];
extern const char *const grouping_sort_words[];

/* Rows of a table of struct cli_option; @type has a struct grouping called @member. */
#define GROUPING_OPTIONS(type, member)                                                             \
	{ "by",                                                                                    \
	  'b',                                                                                     \
	  OPTION_CHOICE,                                                                           \
	  offsetof(type, member.by),                                                               \
	  NULL,                                                                                    \
	  grouping_by_words,                                                                       \
	  0,                                                                                       \
	  0,                                                                                       \
	  "sum up by this (default: stack)" },                                                     \
		{ "sort",                                                                          \
		  'S',                                                                             \
		  OPTION_CHOICE,                                                                   \
		  offsetof(type, member.sort),                                                     \
		  NULL,                                                                            \
		  grouping_sort_words,                                                             \
		  0,                                                                               \
		  0,                                                                               \
		  "largest first by this (default: live)" },                                       \
		{ "limit",                                                                         \
		  'n',                                                                             \
		  OPTION_NUMBER,                                                                   \
		  offsetof(type, member.limit),                                                    \
		  "N",                                                                             \
		  NULL,                                                                            \
		  1,                                                                               \
		  GROUPING_LIMIT_MAX,                                                              \
		  "show this many, 1 to 1000 (default: 20)" },                                     \
		{ "include",                                                                       \
		  'i',                                                                             \
		  OPTION_LIST,                                                                     \
		  offsetof(type, member.include),                                                  \
		  "GLOB",                                                                          \
		  NULL,                                                                            \
		  0,                                                                               \
		  0,                                                                               \
		  "only lines whose function, file, FILE:LINE or module matches" },                \
		{ "exclude",                                                                       \
		  'x',                                                                             \
		  OPTION_LIST,                                                                     \
		  offsetof(type, member.exclude),                                                  \
		  "GLOB",                                                                          \
		  NULL,                                                                            \
		  0,                                                                               \
		  0,                                                                               \
		  "no lines whose function, file, FILE:LINE or module matches" },                  \
		{ "all-frames",                                                                    \
		  0,                                                                               \
		  OPTION_FLAG,                                                                     \
		  offsetof(type, member.all_frames),                                               \
		  NULL,                                                                            \
		  NULL,                                                                            \
		  0,                                                                               \
		  0,                                                                               \
		  "filter by all frames of a stack, not only by its line" },                       \
	{                                                                                          \
		"no-default-excludes", 0, OPTION_FLAG, offsetof(type, member.no_default_excludes), \
			NULL, NULL, 0, 0, "show what Python's import system holds, too"            \
	}

bool grouping_is_stack(const struct grouping *g);     /* entries have whole stacks, */
bool grouping_is_traceback(const struct grouping *g); /* and these are to be read as Python's */

/* Adds the parameters of /v1/sites and /v1/diff. */
void grouping_add_query(const struct grouping *g, struct api_path *path);

#endif
