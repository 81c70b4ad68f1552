// SPDX-License-Identifier: GPL-2.0-or-later
/* Births and what lives of them, as bars. See chart.h. */
#include "cli/chart.h"

#include <math.h>
#include <stdbool.h>

#include "base/cleanup.h"
#include "cli/format.h"
#include "cli/render.h"
#include "cli/text.h"

#define WIDTH_DEFAULT 72
#define WIDTH_MAX     100
/* Of a bar, in columns; and what time and figures beside it may take. */
#define BAR_MIN	      10
#define BAR_MAX	      50
#define BESIDES	      44
/* The largest number that lives takes at least this share of a bar. */
#define LEAST_SHARE   4
#define DAY_MS	      86400000u

/* Not finite or negative: none. */
static double sane(double number)
{
	return isfinite(number) && number > 0 ? number : 0;
}

/* How many blocks a full bar stands for. */
static double full_bar(const struct chart_bar *bars, size_t n)
{
	double births = 0, live = 0;

	for (size_t i = 0; i < n; i++) {
		births = fmax(births, fmax(sane(bars[i].births), sane(bars[i].live)));
		live = fmax(live, sane(bars[i].live));
	}
	return live > 0 ? fmin(births, LEAST_SHARE * live) : births;
}

static void repeat(FILE *out, const char *text, unsigned n)
{
	while (n-- > 0)
		(void)fputs(text, out);
}

/* What there is at all takes a column at least. */
static unsigned columns_of(double blocks, double full, unsigned width)
{
	if (!(blocks > 0 && full > 0))
		return 0;
	return (unsigned)fmin(fmax(round(blocks / full * width), 1), width);
}

static void put_bar(FILE *out, const struct chart_bar *bar, double full, unsigned width,
		    const struct render_options *o)
{
	double live = sane(bar->live), births = fmax(sane(bar->births), live);
	bool is_cut = births > full;
	unsigned solid = columns_of(live, full, width), all = columns_of(births, full, width);

	if (births > live && all == solid && all < width)
		all++;
	/* The mark takes the place of the last column. */
	if (is_cut)
		all = width - 1;
	if (solid > all)
		solid = all;
	repeat(out, o->ascii ? "#" : "\u2588", solid);
	render_style(out, o, RENDER_DIM);
	repeat(out, o->ascii ? "." : "\u2591", all - solid);
	if (is_cut)
		(void)fputs(o->ascii ? ">" : "\u25b8", out);
	render_style(out, o, RENDER_PLAIN);
	(void)fprintf(out, "%*s", (int)(width - all - is_cut), "");
}

/* A count that no process reaches is a broken one. */
static uint64_t whole(double number)
{
	return number < 0x1p63 ? (uint64_t)llround(sane(number)) : INT64_MAX;
}

void chart_print_bars(FILE *out, const struct chart_bar *bars, size_t n,
		      const struct render_options *o)
{
	unsigned columns = o->columns && o->columns < WIDTH_MAX ? o->columns : WIDTH_DEFAULT;
	unsigned width = columns > BESIDES + BAR_MIN ? columns - BESIDES : BAR_MIN;
	bool has_day = n > 0 && bars[n - 1].from_ms - bars[0].from_ms > DAY_MS / 2;
	double full = full_bar(bars, n);

	if (width > BAR_MAX)
		width = BAR_MAX;
	for (size_t i = 0; i < n; i++) {
		struct number live = format_count(whole(bars[i].live), o->raw_bytes);
		struct number births = format_count(
			whole(fmax(sane(bars[i].births), sane(bars[i].live))), o->raw_bytes);

		(void)fprintf(out, "  %s ", format_clock(bars[i].from_ms, has_day).text);
		put_bar(out, &bars[i], full, width, o);
		(void)fprintf(out, " %s of %s live, %s\n", live.text, births.text,
			      format_bytes(whole(bars[i].bytes), o->raw_bytes).text);
	}
}
