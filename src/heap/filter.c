// SPDX-License-Identifier: GPL-2.0-or-later
/* Which sites are shown. See filter.h, and group.h for what the patterns mean. */
#include "heap/filter.h"

#include <fnmatch.h>

#include "heap/group.h"
#include "heap/ids.h"

static bool matches_text(const char *pattern, const char *text)
{
	return text && fnmatch(pattern, text, 0) == 0;
}

static bool matches_frame(const char *const *patterns, size_t n, const struct frame *f)
{
	for (size_t i = 0; i < n; i++)
		if (matches_text(patterns[i], f->function) || matches_text(patterns[i], f->file) ||
		    matches_text(patterns[i], path_base_name(f->file)) ||
		    matches_text(patterns[i], f->module) ||
		    matches_text(patterns[i], path_base_name(f->module)))
			return true;
	return false;
}

static bool matches_any_frame(const struct group_options *options, const struct named_site *site)
{
	for (size_t i = 0; i < site->n_frames; i++)
		if (matches_frame(options->include, options->n_include, site->frames[i]))
			return true;
	return false;
}

bool filter_keeps(const struct group_options *options, const struct named_site *site, size_t blamed)
{
	if (options->n_include > 0 && !matches_any_frame(options, site))
		return false;
	return site->n_frames == 0 ||
	       !matches_frame(options->exclude, options->n_exclude, site->frames[blamed]);
}
