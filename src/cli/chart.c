// SPDX-License-Identifier: GPL-2.0-or-later
/* A line of bytes over time. See chart.h. */
#include "cli/chart.h"

#include <errno.h>
#include <math.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "cli/format.h"
#include "cli/render.h"
#include "cli/text.h"

/* A braille character has 2 columns of 4 dots. */
#define BRAILLE_COLUMNS 2
#define BRAILLE_ROWS	4
#define BRAILLE_FIRST	0x2800

#define WIDTH_DEFAULT 72 /* columns, where the terminal does not say */
#define WIDTH_MAX     120
#define WIDTH_MIN     20
/* Points so many times their mean distance apart have nothing in between. */
#define GAP_FACTOR    4
#define DAY_MS	      86400000u

/* Dots that are set, and what they stand for. */
struct canvas {
	unsigned columns, rows; /* characters */
	unsigned dot_columns;	/* per character */
	unsigned dot_rows;
	unsigned char *cells; /* owned; a bit for each dot of a character */
	double *values;	      /* owned; bytes by column of dots, NAN: none */
	double low, high;     /* bytes at the bottom and at the top */
};

static void canvas_done(struct canvas *c)
{
	free(c->cells);
	free(c->values);
}

static unsigned width_of(const struct canvas *c)
{
	return c->columns * c->dot_columns;
}

static unsigned height_of(const struct canvas *c)
{
	return c->rows * c->dot_rows;
}

/* The column of dots in which a moment lies. */
static unsigned column_of(const struct canvas *c, const struct chart *chart, uint64_t ms)
{
	double share = (double)(ms - chart->from_ms) / (double)(chart->to_ms - chart->from_ms);
	unsigned column = (unsigned)(share * width_of(c));

	return column < width_of(c) ? column : width_of(c) - 1;
}

static bool is_shown(const struct chart *chart, const struct chart_point *p)
{
	return isfinite(p->bytes) && p->time_ms >= chart->from_ms && p->time_ms <= chart->to_ms;
}

/* The line between two columns. */
static void join(struct canvas *c, unsigned from, unsigned to)
{
	double step = (c->values[to] - c->values[from]) / (to - from);

	for (unsigned i = from + 1; i < to; i++)
		c->values[i] = c->values[from] + step * (i - from);
}

/* The mean of the points in each column, and lines between them. */
static int fill_values(struct canvas *c, const struct chart *chart)
{
	_cleanup_free_ unsigned *counts = calloc(width_of(c), sizeof(*counts));
	unsigned last = 0, shown = 0;
	bool has_last = false;
	double most;

	if (!counts)
		return -ENOMEM;
	for (size_t i = 0; i < chart->n; i++) {
		const struct chart_point *p = &chart->points[i];
		unsigned column;

		if (!is_shown(chart, p))
			continue;
		column = column_of(c, chart, p->time_ms);
		c->values[column] += p->bytes;
		counts[column]++;
		shown++;
	}
	most = shown ? (double)GAP_FACTOR * width_of(c) / shown : 0;
	for (unsigned i = 0; i < width_of(c); i++) {
		c->values[i] = counts[i] ? c->values[i] / counts[i] : (double)NAN;
		if (!counts[i])
			continue;
		if (has_last && i - last <= fmax(most, 1))
			join(c, last, i);
		last = i;
		has_last = true;
	}
	return 0;
}

/* False: there is nothing to show. */
static bool find_scale(struct canvas *c)
{
	double low = INFINITY, high = -INFINITY;

	for (unsigned i = 0; i < width_of(c); i++) {
		if (isnan(c->values[i]))
			continue;
		low = fmin(low, c->values[i]);
		high = fmax(high, c->values[i]);
	}
	if (!(low <= high))
		return false;
	if (low < high / 2 || low == high)
		low = fmin(low, 0);
	c->low = low;
	c->high = high > low ? high : low + 1;
	return true;
}

/* Braille counts its dots down the left column, then the right one, but the last row comes last. */
static unsigned char dot_bit(const struct canvas *c, unsigned x, unsigned y)
{
	static const unsigned char bits[BRAILLE_ROWS][BRAILLE_COLUMNS] = {
		{ 0x01, 0x08 },
		{ 0x02, 0x10 },
		{ 0x04, 0x20 },
		{ 0x40, 0x80 },
	};

	return bits[y % c->dot_rows][x % c->dot_columns];
}

/* @y counts from the bottom. */
static void set_dot(struct canvas *c, unsigned x, unsigned y)
{
	unsigned from_top = height_of(c) - 1 - y;
	size_t cell = (size_t)(from_top / c->dot_rows) * c->columns + x / c->dot_columns;

	c->cells[cell] |= dot_bit(c, x, from_top);
}

static unsigned row_of(const struct canvas *c, double value)
{
	double share = (value - c->low) / (c->high - c->low);

	return (unsigned)lround(share * (height_of(c) - 1));
}

static void draw(struct canvas *c)
{
	for (unsigned x = 0; x < width_of(c); x++) {
		unsigned y, before;

		if (isnan(c->values[x]))
			continue;
		y = row_of(c, c->values[x]);
		set_dot(c, x, y);
		if (x == 0 || isnan(c->values[x - 1]))
			continue;
		/* A steep line has no holes. */
		before = row_of(c, c->values[x - 1]);
		for (; before + 1 < y; before++)
			set_dot(c, x, before + 1);
		for (; before > y + 1; before--)
			set_dot(c, x, before - 1);
	}
}

/* U+2800 and on, as UTF-8; ASCII has one dot for each character. */
static void put_cell(FILE *out, unsigned char dots, bool ascii)
{
	unsigned code = BRAILLE_FIRST + dots;

	if (ascii || !dots) {
		(void)fputc(dots ? '*' : ' ', out);
		return;
	}
	(void)fputc((int)(0xe0 | code >> 12), out);
	(void)fputc((int)(0x80 | (code >> 6 & 0x3f)), out);
	(void)fputc((int)(0x80 | (code & 0x3f)), out);
}

static void put_rows(FILE *out, const struct canvas *c, const struct number labels[2],
		     unsigned label_width, const struct render_options *o)
{
	for (unsigned row = 0; row < c->rows; row++) {
		bool has_label = row == 0 || row + 1 == c->rows;
		const char *label = row == 0 ? labels[0].text : labels[1].text;
		unsigned last = c->columns;

		while (last > 0 && !c->cells[(size_t)row * c->columns + last - 1])
			last--;
		(void)fprintf(out, "%*s %s", (int)label_width, has_label ? label : "",
			      o->ascii	? "|" :
			      has_label ? "\u2524" :
					  "\u2502");
		for (unsigned i = 0; i < last; i++)
			put_cell(out, c->cells[(size_t)row * c->columns + i], o->ascii);
		(void)fputc('\n', out);
	}
}

static void put_times(FILE *out, const struct canvas *c, const struct chart *chart,
		      unsigned label_width, const struct render_options *o)
{
	bool has_day = chart->to_ms - chart->from_ms > DAY_MS / 2;
	struct number from = format_clock(chart->from_ms, has_day);
	struct number to = format_clock(chart->to_ms, has_day);
	int room = (int)c->columns - (int)text_width(from.text);

	(void)fprintf(out, "%*s %s", (int)label_width, "", o->ascii ? "+" : "\u2514");
	for (unsigned i = 0; i < c->columns; i++)
		(void)fputs(o->ascii ? "-" : "\u2500", out);
	(void)fprintf(out, "\n%*s  %s%*s UTC\n", (int)label_width, "", from.text, room, to.text);
}

static int canvas_init(struct canvas *c, unsigned columns, unsigned rows, bool ascii)
{
	*c = (struct canvas){
		.columns = columns,
		.rows = rows,
		.dot_columns = ascii ? 1 : BRAILLE_COLUMNS,
		.dot_rows = ascii ? 1 : BRAILLE_ROWS,
	};
	c->cells = calloc((size_t)columns * rows, 1);
	c->values = calloc(width_of(c), sizeof(*c->values));
	return c->cells && c->values ? 0 : -ENOMEM;
}

int chart_print(FILE *out, const struct chart *chart, const struct render_options *o)
{
	_cleanup_(canvas_done) struct canvas c = { .columns = 0 };
	unsigned columns = o->columns ? o->columns : WIDTH_DEFAULT, label_width;
	struct number labels[2];
	int r;

	if (chart->to_ms <= chart->from_ms || chart->rows == 0)
		return 0;
	/* Sizes have up to 10 columns; blank, axis, and " UTC" below come on top. */
	label_width = o->raw_bytes ? 20 : 10;
	columns = columns < label_width + WIDTH_MIN + 6 ? WIDTH_MIN : columns - label_width - 6;
	r = canvas_init(&c, columns < WIDTH_MAX ? columns : WIDTH_MAX, chart->rows, o->ascii);
	if (r < 0)
		return r;
	r = fill_values(&c, chart);
	if (r < 0 || !find_scale(&c))
		return r;
	draw(&c);
	labels[0] = format_bytes((uint64_t)fmax(c.high, 0), o->raw_bytes);
	labels[1] = format_bytes((uint64_t)fmax(c.low, 0), o->raw_bytes);
	put_rows(out, &c, labels, label_width, o);
	put_times(out, &c, chart, label_width, o);
	return 0;
}
