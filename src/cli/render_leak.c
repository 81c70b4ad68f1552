// SPDX-License-Identifier: GPL-2.0-or-later
/* One leak, as much as is known of it. See render_leaks.h. */
#include "cli/render_leaks.h"

#include <assert.h>
#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <string.h>

#include "base/cleanup.h"
#include "cli/field.h"
#include "cli/leak.h"
#include "cli/text.h"

/* Where what is said begins. */
#define LABEL_COLUMNS 12

static void put_label(FILE *out, const char *label, const struct render_options *o)
{
	render_style(out, o, RENDER_BOLD);
	(void)fputs(label, out);
	render_style(out, o, RENDER_PLAIN);
	(void)fprintf(out, "%*s", LABEL_COLUMNS - (int)strlen(label), "");
}

static void put_heading(FILE *out, const char *text, const struct render_options *o)
{
	(void)fputc('\n', out);
	render_style(out, o, RENDER_BOLD);
	(void)fputs(text, out);
	render_style(out, o, RENDER_PLAIN);
	(void)fputc('\n', out);
}

static void put_sentence(FILE *out, const char *text, size_t indent, const struct render_options *o)
{
	_cleanup_free_ char *clean = text_clean(text ? text : "?", o->ascii);

	if (clean)
		text_put_wrapped(out, clean, indent, o->columns);
	(void)fputc('\n', out);
}

static void put_line(FILE *out, const struct render_options *o, const char *label,
		     const char *format, ...) __attribute__((format(printf, 4, 5)));

/* What is said under a label, cleaned, and as wide as the terminal. */
static void put_line(FILE *out, const struct render_options *o, const char *label,
		     const char *format, ...)
{
	_cleanup_free_ char *text = NULL;
	va_list args;
	int n;

	va_start(args, format);
	n = vasprintf(&text, format, args);
	va_end(args);
	if (n < 0)
		text = NULL; /* vasprintf() leaves it undefined on failure */
	put_label(out, label, o);
	put_sentence(out, text, LABEL_COLUMNS, o);
}

struct moment {
	char text[128];
};

/* "2026-11-25 06:10 UTC, 11 h 3 min ago" */
static struct moment moment_of(uint64_t ms, uint64_t now_ms, const struct render_options *o)
{
	bool is_past = ms <= now_ms;
	double away = (double)(is_past ? now_ms - ms : ms - now_ms) / 1000;
	struct moment m;
	int n;

	if (!ms || o->raw_bytes)
		n = snprintf(m.text, sizeof(m.text), "%s", format_time(ms, o->raw_bytes).text);
	else
		n = snprintf(m.text, sizeof(m.text), "%s, %s%s%s", format_time(ms, false).text,
			     is_past ? "" : "in ", format_duration(away, false).text,
			     is_past ? " ago" : "");
	assert(n >= 0 && (size_t)n < sizeof(m.text));
	return m;
}

static void put_title(FILE *out, const json_t *leak, const struct render_options *o)
{
	const char *severity = field_text(leak, "severity");
	bool told = field_true(leak, "told");

	render_style(out, o, RENDER_BOLD);
	text_put_clean(out, field_text_or(leak, "id", "?"), o->ascii);
	(void)fputs("  ", out);
	text_put_clean(out, field_text_or(leak, "state", "?"), o->ascii);
	if (severity && told) {
		(void)fputs(", ", out);
		text_put_clean(out, severity, o->ascii);
	}
	render_style(out, o, RENDER_PLAIN);
	(void)fputs("   ", out);
	text_put_clean(out, field_text_or(leak, "service", "?"), o->ascii);
	(void)fputs("   ", out);
	text_put_clean(out, field_text_or(leak, "comm", "?"), o->ascii);
	(void)fprintf(out, " (pid %" PRIu64, field_count(leak, "pid"));
	if (field_text(leak, "target")) {
		(void)fputs(", target ", out);
		text_put_clean(out, field_text(leak, "target"), o->ascii);
	}
	(void)fputs(")\n", out);
}

static int put_lines(FILE *out, const json_t *leak, const struct render_options *o)
{
	const json_t *list = json_object_get(leak, "created_at"), *line;
	size_t i;

	json_array_foreach(list, i, line) {
		_cleanup_free_ char *name = NULL;
		int r = render_line_name(line, o->ascii, &name);

		if (r < 0)
			return r;
		put_line(
			out, o, i == 0 ? "Made in" : "", "%s: of %s sampled %s still there", name,
			format_count(field_count(line, "sampled"), o->raw_bytes).text,
			format_plural(field_count(line, "survivors"), "object", o->raw_bytes).text);
	}
	return 0;
}

static void put_holders(FILE *out, const json_t *leak, const struct render_options *o)
{
	const json_t *list = json_object_get(leak, "held_by"), *holder;
	size_t i;

	json_array_foreach(list, i, holder) {
		const char *container = field_text(holder, "container");

		put_line(out, o, i == 0 ? "Held by" : "", "%s%s%s%s: %" PRIu64 " of %" PRIu64,
			 field_text_or(holder, "path", "?"), container ? " (" : "",
			 container ? container : "", container ? ")" : "",
			 field_count(holder, "samples"), field_count(leak, "held_samples"));
	}
}

/* Python objects: what they are, where they are made, who holds them. */
static int put_type(FILE *out, const json_t *leak, const struct render_options *o)
{
	_cleanup_free_ char *name = NULL;
	int r = render_type_name(leak, o->ascii, &name);

	if (r < 0)
		return r;
	put_line(out, o, "What", "%s", name);
	r = put_lines(out, leak, o);
	if (r < 0)
		return r;
	put_holders(out, leak, o);
	return 0;
}

static int put_where(FILE *out, const json_t *leak, const struct render_options *o)
{
	const char *scope = field_text_or(leak, "scope", "stack");
	uint64_t stacks = field_count(leak, "n_stacks");

	if (field_text(leak, "type"))
		return put_type(out, leak, o);
	put_label(out, "Where", o);
	if (strcmp(scope, "process") == 0)
		(void)fputs("the whole process: too many places share the growth; the largest:\n",
			    out);
	else if (strcmp(scope, "frames") == 0 && stacks > 1)
		(void)fprintf(out, "%s stacks with the same innermost frames; the largest:\n",
			      format_count(stacks, o->raw_bytes).text);
	else
		(void)fputs("this call stack:\n", out);
	return render_blamed_stack(out, json_object_get(leak, "frames"), o);
}

static struct number bytes_of(const json_t *object, const char *key, const struct render_options *o)
{
	double bytes = field_number(object, key);

	if (!(fabs(bytes) < 0x1p62))
		return (struct number){ .text = "?" };
	return format_signed_bytes((int64_t)bytes, o->raw_bytes);
}

static void put_rate(FILE *out, const json_t *leak, const struct render_options *o)
{
	double low = field_number(leak, "bytes_per_hour_low");
	double high = field_number(leak, "bytes_per_hour_high");
	struct number rate = render_leak_rate(leak, o), lost = bytes_of(leak, "leaked_bytes", o);
	struct number blocks =
		format_plural(field_count(leak, "leaked_blocks"),
			      field_text(leak, "type") ? "object" : "block", o->raw_bytes);

	if (!*rate.text)
		put_line(out, o, "How fast", "not known");
	else if (isnan(low) || isnan(high))
		put_line(out, o, "How fast", "%s", rate.text);
	else
		put_line(out, o, "How fast", "%s, half of the time between %s and %s", rate.text,
			 format_rate(low, -1, o->raw_bytes, o->ascii).text,
			 format_rate(high, -1, o->raw_bytes, o->ascii).text);
	if (field_has_integer(leak, "live_bytes"))
		put_line(out, o, "Lost so far", "%s%s in %s, of %s that are live from here",
			 lost.text, render_error(leak, o).text, blocks.text,
			 bytes_of(leak, "live_bytes", o).text);
	else
		put_line(out, o, "Lost so far", "%s%s in %s", lost.text, render_error(leak, o).text,
			 blocks.text);
}

static void put_forecast(FILE *out, const json_t *leak, uint64_t now_ms,
			 const struct render_options *o)
{
	const json_t *limit = json_object_get(leak, "limit");
	double low = field_number(limit, "seconds_to_limit_low");
	double high = field_number(limit, "seconds_to_limit_high");
	uint64_t at = leak_time(limit, "reached_at");
	struct moment reached = moment_of(at, now_ms, o);
	/* The others are as of the evaluation; that may be an hour ago. */
	double age = field_number(limit, "seconds_to_limit") - ((double)at - (double)now_ms) / 1000;
	struct number left = bytes_of(limit, "headroom_bytes", o);

	if (isnan(age) || !at)
		put_line(out, o, "Until", "no limit is in sight");
	else if (field_number(limit, "headroom_bytes") <= 0)
		put_line(out, o, "Until", "the memory limit is reached, nothing is left");
	else if (isnan(low) || isnan(high))
		put_line(out, o, "Until", "the memory limit is reached %s; %s are left",
			 reached.text, left.text);
	else
		put_line(out, o, "Until",
			 "the memory limit is reached %s (between %s and %s); %s are left",
			 reached.text,
			 format_duration(fmax(fmin(low, high) - age, 0), o->raw_bytes).text,
			 format_duration(fmax(fmax(low, high) - age, 0), o->raw_bytes).text,
			 left.text);
}

static void put_times(FILE *out, const json_t *leak, uint64_t now_ms,
		      const struct render_options *o)
{
	uint64_t closed = leak_time(leak, "closed_at");

	put_line(out, o, "Since", "%s", moment_of(leak_time(leak, "since"), now_ms, o).text);
	put_forecast(out, leak, now_ms, o);
	if (closed)
		put_line(out, o, "Over", "%s", moment_of(closed, now_ms, o).text);
}

static void put_reasons(FILE *out, const json_t *leak, const struct render_options *o)
{
	const char *word = field_text(leak, "confidence_word");
	const json_t *sentences = json_object_get(leak, "evidence"), *sentence;
	const char *hint = field_text(leak, "hint");
	size_t i;

	put_line(out, o, "How sure", "%s%s%s%s",
		 format_share(field_number(leak, "confidence")).text, word ? ", " : "",
		 word ? word : "", json_array_size(sentences) ? ", because" : "");
	json_array_foreach(sentences, i, sentence) {
		/* The last of them, and no reason. */
		if (hint && strcmp(hint, json_string_value(sentence) ?: "") == 0)
			continue;
		(void)fprintf(out, "%*s- ", LABEL_COLUMNS, "");
		put_sentence(out, json_string_value(sentence), LABEL_COLUMNS + 2, o);
	}
	if (field_text(leak, "would_disprove"))
		put_line(out, o, "Wrong if", "%s", field_text(leak, "would_disprove"));
	if (hint)
		put_line(out, o, "Hint", "%s", hint);
}

static void put_answers(FILE *out, const json_t *leak, uint64_t now_ms,
			const struct render_options *o)
{
	uint64_t opened = leak_time(leak, "opened_at");
	const char *note = field_text(leak, "note");

	if (opened)
		put_line(out, o, "Told", "%s, %s", moment_of(opened, now_ms, o).text,
			 format_plural(field_count(leak, "times_told"), "time", o->raw_bytes).text);
	else
		put_line(out, o, "Told", "nobody");
	if (field_true(leak, "acknowledged"))
		put_line(out, o, "Known", "acknowledged%s%s", note ? ": " : "", note ? note : "");
	if (field_text(leak, "suppressed_by"))
		put_line(out, o, "Suppressed", "by %s", field_text(leak, "suppressed_by"));
	if (field_text(leak, "mark"))
		put_line(out, o, "Marked", "%s", field_text(leak, "mark"));
}

#define BARS_MAX 64

static void put_bars(FILE *out, const json_t *leak, const struct render_options *o)
{
	const json_t *list = json_object_get(leak, "bars"), *item;
	struct chart_bar bars[BARS_MAX];
	size_t n = 0, i;

	json_array_foreach(list, i, item) {
		if (n == BARS_MAX)
			break;
		bars[n++] = (struct chart_bar){
			.from_ms = leak_time(item, "from"),
			.births = field_number(item, "births"),
			.live = field_number(item, "blocks"),
			.bytes = field_number(item, "bytes"),
		};
	}
	if (n == 0)
		return;
	put_heading(
		out,
		field_text(leak, "type") ?
			"Objects by the time of their birth: solid ones live, grey ones were "
			"freed" :
			"Blocks by the time of their birth: solid ones live, grey ones were freed",
		o);
	chart_print_bars(out, bars, n, o);
}

#define CHART_ROWS 8

int render_history(FILE *out, const json_t *history, const char *key, unsigned rows,
		   const struct render_options *o, size_t *ret_n)
{
	const json_t *list = json_object_get(history, "points"), *item;
	_cleanup_free_ struct chart_point *points =
		calloc(json_array_size(list) + 1, sizeof(*points));
	struct chart chart = {
		.points = points,
		.from_ms = leak_time(history, "from"),
		.to_ms = leak_time(history, "to"),
		.rows = rows,
	};
	size_t i;

	*ret_n = 0;
	if (!points)
		return -ENOMEM;
	json_array_foreach(list, i, item) {
		double bytes = field_number(item, key);

		if (!isnan(bytes))
			points[chart.n++] = (struct chart_point){ leak_time(item, "time"), bytes };
	}
	*ret_n = chart.n;
	return chart_print(out, &chart, o);
}

int render_leak_charts(FILE *out, const json_t *leak, const json_t *history,
		       const struct render_options *o)
{
	size_t n;

	put_bars(out, leak, o);
	if (json_array_size(json_object_get(history, "points")) == 0)
		return 0;
	put_heading(out, "Live bytes", o);
	return render_history(out, history, "live_bytes", CHART_ROWS, o, &n);
}

int render_leak(FILE *out, const json_t *leak, const struct leak_context *context,
		const struct render_options *o)
{
	int r;

	put_title(out, leak, o);
	(void)fputc('\n', out);
	r = put_where(out, leak, o);
	if (r < 0)
		return r;
	put_rate(out, leak, o);
	put_times(out, leak, context->now_ms, o);
	put_reasons(out, leak, o);
	put_answers(out, leak, context->now_ms, o);
	r = render_leak_charts(out, leak, context->history, o);
	if (r < 0)
		return r;
	if (context->coverage && o->legend) {
		put_heading(out, "What was seen", o);
		render_coverage(out, context->coverage, o);
	}
	return 0;
}
