// SPDX-License-Identifier: GPL-2.0-or-later
/* Targets as text. See render.h. */
#include "cli/render.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>

#include "base/cleanup.h"
#include "cli/field.h"
#include "cli/format.h"
#include "cli/text.h"
#include "cli/text_table.h"

static const struct text_column columns[] = {
	{ "TARGET", false }, { "NAME", false }, { "STATE", false },
	{ "MODE", false },   { "LIVE", true },	{ "BLOCKS", true },
	{ "RSS", true },     { "LOST", true },	{ "OF", false },
};

const char *render_home(const json_t *target)
{
	const char *home = field_text(target, "unit");

	if (!home)
		home = field_text(target, "container");
	return home ? home : field_text(target, "exe");
}

static void add_bytes(struct text_table *t, const json_t *target, const char *key,
		      const struct render_options *o)
{
	if (field_has_integer(target, key))
		text_table_add(t, format_bytes(field_count(target, key), o->raw_bytes).text);
	else
		text_table_add(t, NULL);
}

static void add_target(struct text_table *t, const json_t *target, const struct render_options *o)
{
	json_t *coverage = json_object_get(target, "coverage");

	text_table_add(t, field_text(target, "id"));
	text_table_add(t, field_text(target, "comm"));
	text_table_add(t, field_text(target, "state"));
	text_table_add(t, field_text(target, "mode"));
	add_bytes(t, target, "live_bytes", o);
	text_table_add(t, format_count(field_count(target, "live_count"), o->raw_bytes).text);
	add_bytes(t, target, "rss_bytes", o);
	text_table_add(t, format_count(render_lost(coverage), o->raw_bytes).text);
	text_table_add(t, render_home(target));
}

static void put_error(FILE *out, const json_t *target, const struct render_options *o)
{
	const char *error = field_text(target, "error");

	if (!error)
		return;
	render_style(out, o, RENDER_WARN);
	text_put_clean(out, field_text_or(target, "id", "?"), o->ascii);
	(void)fputs(": ", out);
	text_put_clean(out, error, o->ascii);
	render_style(out, o, RENDER_PLAIN);
	(void)fputc('\n', out);
}

int render_targets(FILE *out, const json_t *targets, const struct render_options *o)
{
	_cleanup_(text_table_freep) struct text_table *t = NULL;
	const json_t *target;
	size_t i;
	int r;

	t = text_table_new(columns, ARRAY_SIZE(columns), o);
	if (!t)
		return -ENOMEM;
	json_array_foreach(targets, i, target)
		add_target(t, target, o);
	r = text_table_print(t, out);
	if (r < 0)
		return r;
	if (o->legend)
		json_array_foreach(targets, i, target)
			put_error(out, target, o);
	return 0;
}

void render_target_name(FILE *out, const json_t *target, const struct render_options *o)
{
	text_put_clean(out, field_text_or(target, "comm", "?"), o->ascii);
	(void)fprintf(out, " (pid %" PRIu64 ", target ", field_count(target, "pid"));
	text_put_clean(out, field_text_or(target, "id", "?"), o->ascii);
	(void)fputc(')', out);
}

static void put_labelled(FILE *out, const char *label, const char *text,
			 const struct render_options *o)
{
	if (!text)
		return;
	(void)fprintf(out, "%s", label);
	text_put_clean(out, text, o->ascii);
}

void render_target_heading(FILE *out, const json_t *target, const struct render_options *o)
{
	uint64_t rss = field_count(target, "rss_bytes"), limit = field_count(target, "limit_bytes");

	render_style(out, o, RENDER_BOLD);
	render_target_name(out, target, o);
	render_style(out, o, RENDER_PLAIN);
	put_labelled(out, "  ", field_text(target, "state"), o);
	put_labelled(out, ", ", field_text(target, "mode"), o);
	put_labelled(out, "  ", render_home(target), o);
	(void)fprintf(out, "\nlive %s%s in %s",
		      format_signed_bytes(field_integer(target, "live_bytes"), o->raw_bytes).text,
		      render_error(target, o).text,
		      format_plural(field_count(target, "live_count"), "block", o->raw_bytes).text);
	if (rss)
		(void)fprintf(out, ", resident %s", format_bytes(rss, o->raw_bytes).text);
	if (limit)
		(void)fprintf(out, " of %s", format_bytes(limit, o->raw_bytes).text);
	(void)fputc('\n', out);
	render_cost(out, target, o);
	render_retained(out, target, o);
	put_error(out, target, o);
}
