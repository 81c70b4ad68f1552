// SPDX-License-Identifier: GPL-2.0-or-later
/* Sites as text: blocks of text by stack, a table by anything else. See render.h. */
#include "cli/render.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>

#include "base/cleanup.h"
#include "cli/field.h"
#include "cli/format.h"
#include "cli/text.h"
#include "cli/text_table.h"

static const char *listing_by(const json_t *list, const struct render_listing *listing)
{
	return listing->by ? listing->by : field_text_or(list, "by", "stack");
}

static const json_t *list_sites(const json_t *list)
{
	return json_is_array(list) ? list : json_object_get(list, "sites");
}

/* Growth as the trend has it; "" when there is none yet. */
static struct number growth_of(const json_t *site, const struct render_options *o)
{
	const json_t *trend = json_object_get(site, "trend");
	double rate = field_number(trend, "bytes_per_hour");
	double error = field_number(trend, "bytes_per_hour_error");

	if (isnan(rate))
		return (struct number){ .text = "" };
	return format_rate(rate, isnan(error) ? -1 : error, o->raw_bytes, o->ascii);
}

/* What the detector says, where that is more than nothing. */
static void put_verdict(FILE *out, const json_t *site, const struct render_options *o)
{
	const json_t *trend = json_object_get(site, "trend");
	const char *verdict = field_text_or(trend, "verdict", "unknown");
	double confidence = field_number(trend, "confidence");

	if (strcmp(verdict, "unknown") == 0 || strcmp(verdict, "quiet") == 0)
		return;
	(void)fputs("   ", out);
	text_put_clean(out, verdict, o->ascii);
	if (!isnan(confidence))
		(void)fprintf(out, " (%s)", format_share(confidence).text);
}

static void put_live(FILE *out, const json_t *site, const struct render_options *o)
{
	struct number growth = growth_of(site, o);
	double oldest = field_number(site, "oldest_seconds");
	bool raw = o->raw_bytes;

	(void)fprintf(out, "live %s%s in %s (avg %s)",
		      format_signed_bytes(field_integer(site, "live_bytes"), raw).text,
		      render_error(site, o).text,
		      format_plural(field_count(site, "live_count"), "block", raw).text,
		      format_bytes(field_count(site, "average_bytes"), raw).text);
	if (*growth.text)
		(void)fprintf(out, "   %s", growth.text);
	put_verdict(out, site, o);
	(void)fprintf(out, "   allocated %s in %s",
		      format_bytes(field_count(site, "allocated_bytes"), raw).text,
		      format_count(field_count(site, "allocated_count"), raw).text);
	if (!isnan(oldest))
		(void)fprintf(out, "   oldest %s", format_duration(oldest, raw).text);
}

static void put_change(FILE *out, const json_t *site, const struct render_options *o)
{
	bool raw = o->raw_bytes;

	(void)fprintf(out, "%s%s in %s blocks   allocated %s in %s   freed %s in %s",
		      format_change_bytes(field_integer(site, "live_bytes"), raw).text,
		      render_error(site, o).text,
		      format_change_count(field_integer(site, "live_count"), raw).text,
		      format_bytes(field_count(site, "allocated_bytes"), raw).text,
		      format_count(field_count(site, "allocated_count"), raw).text,
		      format_bytes(field_count(site, "freed_bytes"), raw).text,
		      format_count(field_count(site, "freed_count"), raw).text);
}

static int put_site(FILE *out, const json_t *site, size_t number,
		    const struct render_listing *listing, const struct render_options *o)
{
	const char *target = field_text(site, "target");

	render_style(out, o, RENDER_BOLD);
	(void)fprintf(out, "#%zu  ", number);
	if (listing->is_difference)
		put_change(out, site, o);
	else
		put_live(out, site, o);
	render_style(out, o, RENDER_PLAIN);
	if (listing->several_targets && target) {
		(void)fputs("   target ", out);
		text_put_clean(out, target, o->ascii);
	}
	(void)fputc('\n', out);
	return render_stack(out, json_object_get(site, "frames"), field_text(site, "stack_status"),
			    o);
}

/* What a row of the table is about: the one frame that the site was summed up under. */
static int add_place(struct text_table *t, const json_t *site, const char *by)
{
	const json_t *frame = json_array_get(json_object_get(site, "frames"), 0);
	const char *module = field_text(frame, "module"), *file = field_text(frame, "file");
	const char *function = field_text(frame, "function");
	_cleanup_free_ char *name = NULL;
	int r;

	if (strcmp(by, "module") == 0) {
		text_table_add(t, module);
	} else if (strcmp(by, "file") == 0) {
		text_table_add(t, file ? file : module);
	} else if (strcmp(by, "function") == 0 && function) {
		if (asprintf(&name, "%s in %s", function, module ? module : "?") < 0) {
			name = NULL; /* asprintf() leaves it undefined on failure */
			return -ENOMEM;
		}
		text_table_add(t, name);
	} else {
		r = render_frame_name(frame, true, false, &name);
		if (r < 0)
			return r;
		text_table_add(t, name);
	}
	return 0;
}

static void add_live(struct text_table *t, const json_t *site, const struct render_options *o)
{
	bool raw = o->raw_bytes;

	text_table_add(t, format_signed_bytes(field_integer(site, "live_bytes"), raw).text);
	text_table_add(t, format_count(field_count(site, "live_count"), raw).text);
	text_table_add(t, format_bytes(field_count(site, "average_bytes"), raw).text);
	text_table_add(t, growth_of(site, o).text);
	text_table_add(t, format_bytes(field_count(site, "allocated_bytes"), raw).text);
	text_table_add(t, format_count(field_count(site, "allocated_count"), raw).text);
}

static void add_change(struct text_table *t, const json_t *site, const struct render_options *o)
{
	bool raw = o->raw_bytes;

	text_table_add(t, format_change_bytes(field_integer(site, "live_bytes"), raw).text);
	text_table_add(t, format_change_count(field_integer(site, "live_count"), raw).text);
	text_table_add(t, format_bytes(field_count(site, "allocated_bytes"), raw).text);
	text_table_add(t, format_count(field_count(site, "allocated_count"), raw).text);
	text_table_add(t, format_bytes(field_count(site, "freed_bytes"), raw).text);
	text_table_add(t, format_count(field_count(site, "freed_count"), raw).text);
}

static int put_table(FILE *out, const json_t *sites, const char *by,
		     const struct render_listing *listing, const struct render_options *o)
{
	const struct text_column live_columns[] = {
		{ "LIVE", true },      { "BLOCKS", true }, { "AVERAGE", true }, { "GROWTH", true },
		{ "ALLOCATED", true }, { "CALLS", true },  { "WHERE", false },
	};
	const struct text_column change_columns[] = {
		{ "CHANGE", true }, { "BLOCKS", true }, { "ALLOCATED", true }, { "CALLS", true },
		{ "FREED", true },  { "FREES", true },	{ "WHERE", false },
	};
	_cleanup_(text_table_freep) struct text_table *t = NULL;
	const json_t *site;
	size_t i;
	int r;

	t = listing->is_difference ? text_table_new(change_columns, ARRAY_SIZE(change_columns), o) :
				     text_table_new(live_columns, ARRAY_SIZE(live_columns), o);
	if (!t)
		return -ENOMEM;
	json_array_foreach(sites, i, site) {
		if (listing->is_difference)
			add_change(t, site, o);
		else
			add_live(t, site, o);
		r = add_place(t, site, by);
		if (r < 0)
			return r;
	}
	return text_table_print(t, out);
}

int render_sites(FILE *out, const json_t *list, const struct render_listing *listing,
		 const struct render_options *o)
{
	const json_t *sites = list_sites(list), *site;
	const char *by = listing_by(list, listing);
	size_t i;
	int r;

	if (strcmp(by, "stack") != 0)
		return put_table(out, sites, by, listing, o);
	json_array_foreach(sites, i, site) {
		if (i)
			(void)fputc('\n', out);
		r = put_site(out, site, i + 1, listing, o);
		if (r < 0)
			return r;
	}
	return 0;
}

static int64_t add_up(const json_t *sites, const char *key)
{
	const json_t *site;
	int64_t sum = 0;
	size_t i;

	json_array_foreach(sites, i, site)
		if (__builtin_add_overflow(sum, field_integer(site, key), &sum))
			return INT64_MAX;
	return sum;
}

static void put_totals(FILE *out, const json_t *list, const json_t *sites,
		       const struct render_listing *listing, const struct render_options *o)
{
	const json_t *sum = json_object_get(list, "sum");
	bool raw = o->raw_bytes, have = json_is_object(sum);
	int64_t bytes = have ? field_integer(sum, "live_bytes") : add_up(sites, "live_bytes");
	int64_t count = have ? field_integer(sum, "live_count") : add_up(sites, "live_count");
	int64_t allocated =
		have ? field_integer(sum, "allocated_bytes") : add_up(sites, "allocated_bytes");
	int64_t calls =
		have ? field_integer(sum, "allocated_count") : add_up(sites, "allocated_count");

	if (listing->is_difference)
		(void)fprintf(out, "Change: %s%s in %s blocks",
			      format_change_bytes(bytes, raw).text, render_error(sum, o).text,
			      format_change_count(count, raw).text);
	else
		(void)fprintf(out, "Live: %s%s in %s", format_signed_bytes(bytes, raw).text,
			      render_error(sum, o).text,
			      format_plural(count > 0 ? (uint64_t)count : 0, "block", raw).text);
	(void)fprintf(out, "; allocated %s in %s\n", format_signed_bytes(allocated, raw).text,
		      format_plural(calls > 0 ? (uint64_t)calls : 0, "call", raw).text);
}

void render_sums(FILE *out, const json_t *list, const struct render_listing *listing,
		 const struct render_options *o)
{
	const json_t *sites = list_sites(list), *hidden = json_object_get(list, "hidden");
	size_t shown = json_array_size(sites);
	uint64_t total = field_count(list, "total");
	int64_t hidden_bytes = field_integer(hidden, "live_bytes");
	const char *by = listing_by(list, listing);

	if (total < shown)
		total = shown;
	if (total == 0)
		(void)fprintf(out, "%s\n",
			      listing->is_difference ? "Nothing has changed." :
						       "No allocation was seen yet.");
	else
		put_totals(out, list, sites, listing, o);
	if (total > shown) {
		(void)fprintf(out, "%s more ", format_count(total - shown, o->raw_bytes).text);
		text_put_clean(out, by, o->ascii);
		(void)fprintf(out, "%s: --limit %" PRIu64 " shows %s\n",
			      total - shown == 1 ? "" : "s", total < 1000 ? total : 1000,
			      total <= 1000 ? "all" : "more");
	}
	if (field_count(hidden, "sites"))
		(void)fprintf(
			out, "Hidden by filters: %s with %s in %s blocks\n",
			format_plural(field_count(hidden, "sites"), "site", o->raw_bytes).text,
			listing->is_difference ?
				format_change_bytes(hidden_bytes, o->raw_bytes).text :
				format_signed_bytes(hidden_bytes, o->raw_bytes).text,
			format_signed_count(field_integer(hidden, "live_count"), o->raw_bytes)
				.text);
}
