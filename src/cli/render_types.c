// SPDX-License-Identifier: GPL-2.0-or-later
/* Types of Python objects: what they are called, and a census of them as a table. */
#include <errno.h>
#include <inttypes.h>
#include <string.h>

#include "base/cleanup.h"
#include "cli/field.h"
#include "cli/render_leaks.h"
#include "cli/text.h"
#include "cli/text_table.h"

/* "/srv/app/hub.py", 16 -> "hub.py:16" */
static int put_file(char **ret, const char *file, uint64_t line)
{
	const char *name = text_base_name(file);
	int n = line ? asprintf(ret, "%s:%" PRIu64, name, line) : asprintf(ret, "%s", name);

	if (n < 0)
		*ret = NULL; /* asprintf() leaves it undefined on failure */
	return n < 0 ? -ENOMEM : 0;
}

int render_line_name(const json_t *line, bool ascii, char **ret)
{
	const char *function = field_text_or(line, "function", "?"),
		   *file = field_text(line, "file");
	_cleanup_free_ char *where = NULL, *name = NULL;
	int n;

	if (file && put_file(&where, file, field_count(line, "line")) < 0)
		return -ENOMEM;
	n = where ? asprintf(&name, "%s (%s)", function, where) : asprintf(&name, "%s", function);
	if (n < 0) {
		name = NULL; /* asprintf() leaves it undefined on failure */
		return -ENOMEM;
	}
	*ret = text_clean(name, ascii);
	return *ret ? 0 : -ENOMEM;
}

int render_type_name(const json_t *object, bool ascii, char **ret)
{
	const char *type = field_text_or(object, "type", "?");
	const json_t *runs = json_object_get(object, "runs");
	_cleanup_free_ char *code = NULL, *name = NULL;
	int n, r;

	if (!json_is_object(runs)) {
		*ret = text_clean(type, ascii);
		return *ret ? 0 : -ENOMEM;
	}
	r = render_line_name(runs, ascii, &code);
	if (r < 0)
		return r;
	n = asprintf(&name, "%s of %s%s", type, code, field_true(runs, "done") ? ", ended" : "");
	if (n < 0) {
		name = NULL; /* asprintf() leaves it undefined on failure */
		return -ENOMEM;
	}
	*ret = text_clean(name, ascii);
	return *ret ? 0 : -ENOMEM;
}

static const struct text_column columns[] = {
	{ "OBJECTS", true }, { "BYTES", true },	   { "AVERAGE", true },
	{ "GROWTH", true },  { "VERDICT", false }, { "TYPE", false },
};

/* Nothing where there is nothing to say. */
static const char *verdict_of(const json_t *trend)
{
	const char *verdict = field_text_or(trend, "verdict", "unknown");

	return strcmp(verdict, "quiet") == 0 || strcmp(verdict, "unknown") == 0 ? NULL : verdict;
}

static int add_type(struct text_table *t, const json_t *type, const struct render_options *o)
{
	const json_t *trend = json_object_get(type, "trend");
	double rate = field_number(trend, "bytes_per_hour");
	_cleanup_free_ char *name = NULL;
	int r = render_type_name(type, o->ascii, &name);

	if (r < 0)
		return r;
	if (verdict_of(trend))
		text_table_style(t, RENDER_WARN);
	text_table_add(t, format_count(field_count(type, "count"), o->raw_bytes).text);
	text_table_add(t, format_bytes(field_count(type, "bytes"), o->raw_bytes).text);
	text_table_add(t, format_bytes(field_count(type, "average_bytes"), o->raw_bytes).text);
	text_table_add(t, isnan(rate) ? NULL : format_rate(rate, -1, o->raw_bytes, o->ascii).text);
	text_table_add(t, verdict_of(trend));
	text_table_add(t, name);
	return 0;
}

int render_census(FILE *out, const json_t *census, const struct render_options *o)
{
	_cleanup_(text_table_freep) struct text_table *t =
		text_table_new(columns, ARRAY_SIZE(columns), o);
	const json_t *list = json_object_get(census, "types"), *type;
	size_t i;
	int r;

	if (!t)
		return -ENOMEM;
	json_array_foreach(list, i, type) {
		r = add_type(t, type, o);
		if (r < 0)
			return r;
	}
	return text_table_print(t, out);
}

void render_census_sums(FILE *out, const json_t *census, const struct render_options *o)
{
	size_t shown = json_array_size(json_object_get(census, "types"));
	uint64_t total = field_count(census, "total"),
		 skipped = field_count(census, "skipped_bytes");
	double error = field_number(census, "error_ratio");

	(void)fprintf(out, "%s in %s",
		      format_bytes(field_count(census, "bytes"), o->raw_bytes).text,
		      format_plural(field_count(census, "objects"), "object", o->raw_bytes).text);
	if (error > 0)
		(void)fprintf(out, ", off by at most %s: the heap changed while it was read",
			      format_share(error).text);
	(void)fputc('\n', out);
	if (field_count(census, "raw_bytes"))
		(void)fprintf(out, "%s more in blocks that belong to no object that is known\n",
			      format_bytes(field_count(census, "raw_bytes"), o->raw_bytes).text);
	if (skipped)
		(void)fprintf(out, "%s were not in memory and were left out\n",
			      format_bytes(skipped, o->raw_bytes).text);
	if (total > shown)
		(void)fprintf(out, "%s more: --limit %" PRIu64 " shows %s\n",
			      format_plural(total - shown, "type", o->raw_bytes).text,
			      total < 1000 ? total : 1000, total <= 1000 ? "all" : "more");
}
