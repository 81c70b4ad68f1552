// SPDX-License-Identifier: GPL-2.0-or-later
/* Which sites are shown. See filter.h, and group.h for what the patterns mean. */
#include "heap/filter.h"

#include <fnmatch.h>
#include <string.h>

#include "base/parse.h"
#include "heap/group.h"
#include "heap/ids.h"

/* Longer patterns with a line match nothing: no file is called that. */
#define PATTERN_BYTES 4096

/*
 * Files that Python gives to code without one. The import system's memory is that of all modules'
 * code: it comes first in every table, and nobody can mend it.
 */
static const char *const default_excludes[] = { "<frozen importlib._bootstrap>",
						"<frozen importlib._bootstrap_external>",
						"<unknown>" };

static bool matches_text(const char *pattern, const char *text)
{
	return text && fnmatch(pattern, text, 0) == 0;
}

/* "app.py:42" */
static bool matches_line(const char *pattern, const struct frame *f)
{
	const char *colon = strrchr(pattern, ':');
	char file[PATTERN_BYTES];
	uint64_t line;
	size_t n;

	if (!colon || !f->line || parse_u64(colon + 1, &line) < 0 || line != f->line)
		return false;
	n = (size_t)(colon - pattern);
	if (n >= sizeof(file))
		return false;
	memcpy(file, pattern, n);
	file[n] = '\0';
	return matches_text(file, f->file) || matches_text(file, path_base_name(f->file));
}

static bool matches_pattern(const char *pattern, const struct frame *f)
{
	return matches_text(pattern, f->function) || matches_text(pattern, f->file) ||
	       matches_text(pattern, path_base_name(f->file)) || matches_text(pattern, f->module) ||
	       matches_text(pattern, path_base_name(f->module)) || matches_line(pattern, f);
}

static bool matches_frame(const char *const *patterns, size_t n, const struct frame *f)
{
	for (size_t i = 0; i < n; i++)
		if (matches_pattern(patterns[i], f))
			return true;
	return false;
}

static bool matches(const char *const *patterns, size_t n, const struct named_site *site,
		    size_t blamed, bool all_frames)
{
	if (site->n_frames == 0)
		return false;
	for (size_t i = 0; all_frames && i < site->n_frames; i++)
		if (matches_frame(patterns, n, site->frames[i]))
			return true;
	return matches_frame(patterns, n, site->frames[blamed]);
}

static bool is_default_exclude(const struct frame *f)
{
	for (size_t i = 0; f->file && i < ARRAY_SIZE(default_excludes); i++)
		if (strcmp(f->file, default_excludes[i]) == 0)
			return true;
	return false;
}

bool filter_keeps(const struct group_options *o, const struct named_site *site, size_t blamed)
{
	if (o->n_include > 0 && !matches(o->include, o->n_include, site, blamed, o->all_frames))
		return false;
	if (matches(o->exclude, o->n_exclude, site, blamed, o->all_frames))
		return false;
	return !o->default_excludes || site->n_frames == 0 ||
	       !is_default_exclude(site->frames[blamed]);
}
