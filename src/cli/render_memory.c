// SPDX-License-Identifier: GPL-2.0-or-later
/* Memory, what explains its growth, and what may be worth tracking, as text. See render.h. */
#include "cli/render.h"

#include <errno.h>
#include <math.h>
#include <string.h>

#include "base/cleanup.h"
#include "cli/field.h"
#include "cli/format.h"
#include "cli/text.h"
#include "cli/text_table.h"

static const struct text_column columns[] = {
	{ "PID", true },      { "NAME", false }, { "RSS", true }, { "GROWTH", true },
	{ "TO LIMIT", true }, { "SINCE", true }, { "OF", false },
};

void render_growth(FILE *out, const json_t *coverage, const struct render_options *o)
{
	uint64_t growth = field_count(coverage, "growth_bytes");
	uint64_t explained = field_count(coverage, "explained_bytes");

	if (growth == 0)
		return;
	(void)fprintf(out,
		      "Growth of memory since the watch began: %s; live blocks explain %s of it "
		      "(%.0f %%).\n",
		      format_bytes(growth, o->raw_bytes).text,
		      format_bytes(explained, o->raw_bytes).text,
		      100 * (double)explained / (double)growth);
}

/* Only what somebody must know who looks at live blocks: that they are not what grows. */
void render_retained(FILE *out, const json_t *target, const struct render_options *o)
{
	const json_t *r = json_object_get(target, "reconciliation");
	const char *verdict = field_text(r, "verdict"), *text = field_text(r, "text");

	if (!verdict || !text ||
	    (strcmp(verdict, "retained") != 0 && strcmp(verdict, "partly") != 0))
		return;
	render_style(out, o, RENDER_WARN);
	text_put_clean(out, text, o->ascii);
	render_style(out, o, RENDER_PLAIN);
	(void)fputc('\n', out);
}

static void put_share(FILE *out, const char *label, const json_t *share,
		      const struct render_options *o)
{
	if (!json_is_object(share))
		return;
	(void)fprintf(out, "%s, %s: %s, explained by live blocks %s, retained %s\n", label,
		      format_duration(field_number(share, "seconds"), o->raw_bytes).text,
		      format_change_bytes(field_integer(share, "growth_bytes"), o->raw_bytes).text,
		      format_bytes(field_count(share, "explained_bytes"), o->raw_bytes).text,
		      format_bytes(field_count(share, "retained_bytes"), o->raw_bytes).text);
}

void render_memory(FILE *out, const json_t *target, const struct render_options *o)
{
	const json_t *memory = json_object_get(target, "memory");
	const json_t *r = json_object_get(target, "reconciliation");
	const char *of = field_text(memory, "limit_of");

	if (json_is_object(memory))
		(void)fprintf(
			out, "memory: %s anonymous, %s swapped out\n",
			format_bytes(field_count(memory, "anonymous_bytes"), o->raw_bytes).text,
			format_bytes(field_count(memory, "swap_bytes"), o->raw_bytes).text);
	if (of && field_has_integer(memory, "headroom_bytes")) {
		(void)fprintf(
			out, "limit: %s (%s), %s used, %s left\n",
			format_bytes(field_count(memory, "limit_bytes"), o->raw_bytes).text,
			strcmp(of, "cgroup") == 0 ? "its cgroup's" : "the host's",
			format_bytes(field_count(memory, "usage_bytes"), o->raw_bytes).text,
			format_bytes(field_count(memory, "headroom_bytes"), o->raw_bytes).text);
	}
	/* Below all of the machine's: somebody has given it. */
	if (of && field_has_integer(target, "limit_bytes") &&
	    field_count(target, "limit_bytes") < field_count(memory, "limit_bytes"))
		(void)fprintf(out, "judged by a limit that was given: %s\n",
			      format_bytes(field_count(target, "limit_bytes"), o->raw_bytes).text);
	if (!json_is_object(r))
		return;
	put_share(out, "growth since the watch began", r, o);
	put_share(out, "growth of the last day", json_object_get(r, "day"), o);
	if (field_text(r, "text")) {
		text_put_clean(out, field_text(r, "text"), o->ascii);
		(void)fputc('\n', out);
	}
}

/* --- suggestions ---------------------------------------------------------------------------------- */

static void add_suggestion(struct text_table *t, const json_t *s, const struct render_options *o)
{
	double rate = field_number(s, "bytes_per_hour"), left = field_number(s, "seconds_to_limit");
	bool raw = o->raw_bytes;

	text_table_add(t, format_count(field_count(s, "pid"), true).text);
	text_table_add(t, field_text(s, "comm"));
	text_table_add(t, format_bytes(field_count(s, "rss_bytes"), raw).text);
	text_table_add(t, isfinite(rate) ? format_rate(rate, -1, raw, o->ascii).text : NULL);
	text_table_add(t, isfinite(left) ? format_duration(left, raw).text : NULL);
	text_table_add(t, field_text(s, "since"));
	text_table_add(t, render_home(s));
}

int render_suggestions(FILE *out, const json_t *suggestions, const struct render_options *o)
{
	_cleanup_(text_table_freep) struct text_table *t = NULL;
	const json_t *s;
	size_t i;
	int r;

	t = text_table_new(columns, ARRAY_SIZE(columns), o);
	if (!t)
		return -ENOMEM;
	json_array_foreach(suggestions, i, s)
		add_suggestion(t, s, o);
	r = text_table_print(t, out);
	if (r < 0 || !o->legend)
		return r;
	json_array_foreach(suggestions, i, s) {
		if (!field_text(s, "why"))
			continue;
		(void)fprintf(out, "%s: ", format_count(field_count(s, "pid"), true).text);
		text_put_clean(out, field_text(s, "why"), o->ascii);
		(void)fputc('\n', out);
	}
	return 0;
}
