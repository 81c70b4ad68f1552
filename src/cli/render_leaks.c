// SPDX-License-Identifier: GPL-2.0-or-later
/* Leaks as a table, events as lines. See render_leaks.h; one leak is in render_leak.c. */
#include "cli/render_leaks.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>

#include "base/cleanup.h"
#include "cli/field.h"
#include "cli/leak.h"
#include "cli/text.h"
#include "cli/text_table.h"

#define DIGITS_MIN 8
#define DIGITS_MAX 16

static const struct text_column columns[] = {
	{ "LEAK", false }, { "STATE", false },	 { "SEVERITY", false },
	{ "RATE", true },  { "LEAKED", true },	 { "LIMIT IN", true },
	{ "SURE", true },  { "SERVICE", false }, { "WHERE", false },
};

static size_t common_digits(const char *a, const char *b)
{
	size_t n = 0;

	while (a[n] && a[n] == b[n])
		n++;
	return n;
}

static int compare_ids(const void *a, const void *b)
{
	return strcmp(*(const char *const *)a, *(const char *const *)b);
}

size_t render_id_digits(const json_t *leaks)
{
	size_t n = json_array_size(leaks), digits = DIGITS_MIN, i;
	_cleanup_free_ const char **ids = calloc(n + 1, sizeof(*ids));
	const json_t *leak;

	if (!ids)
		return DIGITS_MAX;
	json_array_foreach(leaks, i, leak)
		ids[i] = field_text_or(leak, "id", "");
	qsort(ids, n, sizeof(*ids), compare_ids);
	for (i = 1; i < n; i++) {
		size_t common = common_digits(ids[i - 1], ids[i]);

		if (common >= digits && ids[i][common])
			digits = common + 1;
	}
	return digits < DIGITS_MAX ? digits : DIGITS_MAX;
}

/* "app.Session made in open (hub.py:16)", or what such objects run, as far as is known. */
static int render_leak_type(const json_t *leak, bool ascii, char **ret)
{
	const json_t *line = json_array_get(json_object_get(leak, "created_at"), 0);
	_cleanup_free_ char *where = NULL, *name = NULL;
	int r;

	if (!line)
		return render_type_name(leak, ascii, ret);
	r = render_line_name(line, ascii, &where);
	if (r < 0)
		return r;
	if (asprintf(&name, "%s made in %s", field_text(leak, "type"), where) < 0) {
		name = NULL; /* asprintf() leaves it undefined on failure */
		return -ENOMEM;
	}
	*ret = text_clean(name, ascii);
	return *ret ? 0 : -ENOMEM;
}

int render_leak_place(const json_t *leak, bool ascii, char **ret)
{
	const json_t *frame = render_blamed_frame(json_object_get(leak, "frames"));
	const char *scope = field_text_or(leak, "scope", "stack");
	uint64_t stacks = field_count(leak, "n_stacks");
	_cleanup_free_ char *name = NULL;
	int r;

	if (field_text(leak, "type"))
		return render_leak_type(leak, ascii, ret);
	if (strcmp(scope, "process") == 0 || !frame) {
		*ret = strdup(frame || strcmp(scope, "process") == 0 ? "the whole process" :
								       "(unknown)");
		return *ret ? 0 : -ENOMEM;
	}
	r = render_frame_name(frame, false, ascii, &name);
	if (r < 0)
		return r;
	if (stacks < 2) {
		*ret = TAKE_PTR(name);
		return 0;
	}
	if (asprintf(ret, "%s, %" PRIu64 " stacks", name, stacks) < 0) {
		*ret = NULL; /* asprintf() leaves it undefined on failure */
		return -ENOMEM;
	}
	return 0;
}

struct number render_leak_rate(const json_t *leak, const struct render_options *o)
{
	double rate = field_number(leak, "bytes_per_hour");

	if (isnan(rate))
		return (struct number){ .text = "" };
	return format_rate(rate, -1, o->raw_bytes, o->ascii);
}

static void add_duration(struct text_table *t, double seconds, const struct render_options *o)
{
	text_table_add(t, isnan(seconds) ? NULL : format_duration(seconds, o->raw_bytes).text);
}

/* What people have said of it stands where they would look for what to do. */
static const char *severity_of(const json_t *leak)
{
	if (field_text(leak, "suppressed_by"))
		return "suppressed";
	if (field_true(leak, "acknowledged"))
		return "acknowledged";
	return field_text(leak, "severity");
}

static enum render_style style_of(const json_t *leak)
{
	const char *severity = severity_of(leak);

	if (!leak_is_open(leak))
		return RENDER_DIM;
	return severity && (strcmp(severity, "critical") == 0 || strcmp(severity, "high") == 0) ?
		       RENDER_WARN :
		       RENDER_PLAIN;
}

static int add_leak(struct text_table *t, const json_t *leak, size_t digits,
		    const struct render_options *o)
{
	const json_t *limit = json_object_get(leak, "limit");
	_cleanup_free_ char *place = NULL;
	char id[DIGITS_MAX + 1];
	int r;

	r = render_leak_place(leak, o->ascii, &place);
	if (r < 0)
		return r;
	r = snprintf(id, sizeof(id), "%.*s", (int)digits, field_text_or(leak, "id", "?"));
	if (r < 0)
		return -ENOMEM;
	text_table_style(t, style_of(leak));
	text_table_add(t, id);
	text_table_add(t, field_text(leak, "state"));
	text_table_add(t, severity_of(leak));
	text_table_add(t, render_leak_rate(leak, o).text);
	text_table_add(t, format_bytes(field_count(leak, "leaked_bytes"), o->raw_bytes).text);
	add_duration(t, field_number(limit, "seconds_to_limit"), o);
	text_table_add(t, format_share(field_number(leak, "confidence")).text);
	text_table_add(t, text_base_name(field_text_or(leak, "service", "?")));
	text_table_add(t, place);
	return 0;
}

int render_leaks(FILE *out, const json_t *leaks, const struct render_options *o)
{
	_cleanup_(text_table_freep) struct text_table *t =
		text_table_new(columns, ARRAY_SIZE(columns), o);
	size_t digits = render_id_digits(leaks), i;
	const json_t *leak;
	int r;

	if (!t)
		return -ENOMEM;
	json_array_foreach(leaks, i, leak) {
		r = add_leak(t, leak, digits, o);
		if (r < 0)
			return r;
	}
	return text_table_print(t, out);
}

static void put_gap(FILE *out, const json_t *event, const struct render_options *o)
{
	render_style(out, o, RENDER_WARN);
	(void)fprintf(out, "%s missed: they came faster than they were read, or are too old",
		      format_plural(field_count(event, "missed"), "event", o->raw_bytes).text);
	render_style(out, o, RENDER_PLAIN);
	(void)fputc('\n', out);
}

int render_event(FILE *out, const json_t *event, const struct render_options *o)
{
	const json_t *leak = json_object_get(event, "leak");
	const char *name = field_text_or(event, "event", "?");
	_cleanup_free_ char *place = NULL, *clean = NULL;
	struct number rate;
	int r;

	if (strcmp(name, "gap") == 0) {
		put_gap(out, event, o);
		return 0;
	}
	r = render_leak_place(leak, o->ascii, &place);
	if (r < 0)
		return r;
	clean = text_clean(name, o->ascii);
	if (!clean)
		return -ENOMEM;
	rate = render_leak_rate(leak, o);
	(void)fprintf(out, "%s  ", format_time(leak_time(event, "time"), true).text);
	render_style(out, o, RENDER_BOLD);
	(void)fprintf(out, "%-12s", clean);
	render_style(out, o, RENDER_PLAIN);
	(void)fputc(' ', out);
	text_put_clean(out, field_text_or(leak, "id", "?"), o->ascii);
	(void)fputs("  ", out);
	text_put_clean(out, text_base_name(field_text_or(leak, "service", "?")), o->ascii);
	(void)fprintf(out, "  %s%s%s\n", place, *rate.text ? "  " : "", rate.text);
	return 0;
}
