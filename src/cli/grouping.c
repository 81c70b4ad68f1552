// SPDX-License-Identifier: GPL-2.0-or-later
/* Options for listings of sites. See grouping.h. */
#include "cli/grouping.h"

#include <assert.h>
#include <inttypes.h>
#include <string.h>

const char *const grouping_by_words[] = { "stack", "traceback", "line", "function",
					  "file",  "module",	NULL };
const char *const grouping_sort_words[] = { "growth", "live", "count", "allocated", NULL };

void grouping_add_query(const struct grouping *g, struct api_path *path)
{
	char limit[24];
	size_t i;
	int n;

	n = snprintf(limit, sizeof(limit), "%" PRIu64, g->limit);
	assert(n > 0 && (size_t)n < sizeof(limit));
	api_path_add(path, "by", g->by);
	api_path_add(path, "sort", g->sort);
	api_path_add(path, "limit", limit);
	for (i = 0; i < g->include.n; i++)
		api_path_add(path, "include", g->include.items[i]);
	for (i = 0; i < g->exclude.n; i++)
		api_path_add(path, "exclude", g->exclude.items[i]);
	if (g->all_frames)
		api_path_add(path, "all_frames", "true");
	if (g->no_default_excludes)
		api_path_add(path, "default_excludes", "false");
}

bool grouping_is_traceback(const struct grouping *g)
{
	return strcmp(g->by, "traceback") == 0;
}

bool grouping_is_stack(const struct grouping *g)
{
	return strcmp(g->by, "stack") == 0 || grouping_is_traceback(g);
}
