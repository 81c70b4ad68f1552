/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Charts for terminals, of braille dots and blocks, or of ASCII characters.
 *
 * Widths are columns of the terminal. Functions return 0 or -ENOMEM.
 */
#ifndef SEEP_CLI_CHART_H
#define SEEP_CLI_CHART_H

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

struct render_options;

struct chart_point {
	uint64_t time_ms;
	double bytes;
};

struct chart {
	const struct chart_point *points; /* in ascending time; what is no number is left out */
	size_t n;
	uint64_t from_ms, to_ms; /* what the width stands for */
	unsigned rows;
};

/*
 * Bytes over time as a line, with its scales: up from 0, or from the least value where that is more than
 * half of the largest, which the scale says. Neighbours are joined, but not over times without points.
 */
int chart_print(FILE *out, const struct chart *chart, const struct render_options *o);

struct chart_bar {
	uint64_t from_ms; /* births from here on */
	double births;
	double live; /* of these */
	double bytes;
};

/*
 * One line for each bar: what lives solid, what was freed grey. Where far more was freed than lives
 * the bars end in a mark, and what lives keeps its scale.
 */
void chart_print_bars(FILE *out, const struct chart_bar *bars, size_t n,
		      const struct render_options *o);

#endif
