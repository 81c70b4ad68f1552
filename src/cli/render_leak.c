// SPDX-License-Identifier: GPL-2.0-or-later
/* One leak, as much as is known of it. See render_leaks.h. */
#include "cli/render_leaks.h"

#include <errno.h>
#include <inttypes.h>
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

/* "2026-11-25 06:10 UTC, 11 h 3 min ago" */
static void put_moment(FILE *out, uint64_t ms, uint64_t now_ms, const struct render_options *o)
{
	(void)fputs(format_time(ms, o->raw_bytes).text, out);
	if (!ms || o->raw_bytes)
		return;
	if (ms <= now_ms)
		(void)fprintf(out, ", %s ago",
			      format_duration((double)(now_ms - ms) / 1000, false).text);
	else
		(void)fprintf(out, ", in %s",
			      format_duration((double)(ms - now_ms) / 1000, false).text);
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

static int put_where(FILE *out, const json_t *leak, const struct render_options *o)
{
	const char *scope = field_text_or(leak, "scope", "stack");
	uint64_t stacks = field_count(leak, "n_stacks");

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
	struct number rate = render_leak_rate(leak, o);

	put_label(out, "How fast", o);
	(void)fputs(*rate.text ? rate.text : "not known", out);
	if (*rate.text && !isnan(low) && !isnan(high))
		(void)fprintf(out, ", half of the time between %s and %s",
			      format_rate(low, -1, o->raw_bytes, o->ascii).text,
			      format_rate(high, -1, o->raw_bytes, o->ascii).text);
	(void)fputc('\n', out);

	put_label(out, "Lost so far", o);
	(void)fprintf(
		out, "%s%s in %s", bytes_of(leak, "leaked_bytes", o).text,
		render_error(leak, o).text,
		format_plural(field_count(leak, "leaked_blocks"), "block", o->raw_bytes).text);
	if (field_has_integer(leak, "live_bytes"))
		(void)fprintf(out, ", of %s that are live from here",
			      bytes_of(leak, "live_bytes", o).text);
	(void)fputc('\n', out);
}

static void put_forecast(FILE *out, const json_t *leak, uint64_t now_ms,
			 const struct render_options *o)
{
	const json_t *limit = json_object_get(leak, "limit");
	double low = field_number(limit, "seconds_to_limit_low");
	double high = field_number(limit, "seconds_to_limit_high");
	uint64_t reached = leak_time(limit, "reached_at");

	put_label(out, "Until", o);
	if (isnan(field_number(limit, "seconds_to_limit")) || !reached) {
		(void)fputs("no limit is in sight\n", out);
		return;
	}
	(void)fputs("the memory limit is reached ", out);
	put_moment(out, reached, now_ms, o);
	if (!isnan(low) && !isnan(high)) {
		if (low > high) {
			double swap = low;

			low = high;
			high = swap;
		}
		(void)fprintf(out, " (between %s and %s)", format_duration(low, o->raw_bytes).text,
			      format_duration(high, o->raw_bytes).text);
	}
	(void)fprintf(out, "; %s are left\n", bytes_of(limit, "headroom_bytes", o).text);
}

static void put_times(FILE *out, const json_t *leak, uint64_t now_ms,
		      const struct render_options *o)
{
	uint64_t closed = leak_time(leak, "closed_at");

	put_label(out, "Since", o);
	put_moment(out, leak_time(leak, "since"), now_ms, o);
	(void)fputc('\n', out);
	put_forecast(out, leak, now_ms, o);
	if (!closed)
		return;
	put_label(out, "Over", o);
	put_moment(out, closed, now_ms, o);
	(void)fputc('\n', out);
}

static void put_sentence(FILE *out, const char *text, size_t indent, const struct render_options *o)
{
	_cleanup_free_ char *clean = text_clean(text ? text : "?", o->ascii);

	if (clean)
		text_put_wrapped(out, clean, indent, o->columns);
	(void)fputc('\n', out);
}

static void put_reasons(FILE *out, const json_t *leak, const struct render_options *o)
{
	const char *word = field_text(leak, "confidence_word");
	const json_t *sentences = json_object_get(leak, "evidence"), *sentence;
	size_t i;

	put_label(out, "How sure", o);
	(void)fputs(format_share(field_number(leak, "confidence")).text, out);
	if (word) {
		(void)fputs(", ", out);
		text_put_clean(out, word, o->ascii);
	}
	(void)fputs(json_array_size(sentences) ? ", because\n" : "\n", out);
	json_array_foreach(sentences, i, sentence) {
		(void)fprintf(out, "%*s- ", LABEL_COLUMNS, "");
		put_sentence(out, json_string_value(sentence), LABEL_COLUMNS + 2, o);
	}
	if (field_text(leak, "would_disprove")) {
		put_label(out, "Wrong if", o);
		put_sentence(out, field_text(leak, "would_disprove"), LABEL_COLUMNS, o);
	}
}

static void put_answers(FILE *out, const json_t *leak, uint64_t now_ms,
			const struct render_options *o)
{
	uint64_t opened = leak_time(leak, "opened_at");

	put_label(out, "Told", o);
	if (opened)
		put_moment(out, opened, now_ms, o);
	(void)fprintf(
		out, opened ? ", %s\n" : "nobody%s\n",
		opened ? format_plural(field_count(leak, "times_told"), "time", o->raw_bytes).text :
			 "");
	if (field_true(leak, "acknowledged")) {
		put_label(out, "Known", o);
		(void)fputs("acknowledged", out);
		if (field_text(leak, "note")) {
			(void)fputs(": ", out);
			text_put_clean(out, field_text(leak, "note"), o->ascii);
		}
		(void)fputc('\n', out);
	}
	if (field_text(leak, "suppressed_by")) {
		put_label(out, "Suppressed", o);
		(void)fputs("by ", out);
		text_put_clean(out, field_text(leak, "suppressed_by"), o->ascii);
		(void)fputc('\n', out);
	}
	if (field_text(leak, "mark")) {
		put_label(out, "Marked", o);
		text_put_clean(out, field_text(leak, "mark"), o->ascii);
		(void)fputc('\n', out);
	}
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
	put_heading(out, "Blocks by the time of their birth: solid ones live, grey ones were freed",
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
