// SPDX-License-Identifier: GPL-2.0-or-later
/* Text in columns. See text_table.h. */
#include "cli/text_table.h"

#include <errno.h>
#include <string.h>

#include "cli/render.h"
#include "cli/text.h"

/* Below this width the last column is left whole: cutting it more would leave nothing to read. */
#define LEAST_LAST_COLUMN 12

struct text_table {
	const struct text_column *columns;
	size_t n_columns;
	const struct render_options *options;
	char **cells; /* owned, and each of them; cleaned */
	size_t n;
	size_t capacity;
	enum render_style *styles; /* owned; of the first n_styles rows, the others are plain */
	size_t n_styles;
	bool failed;
};

struct text_table *text_table_new(const struct text_column *columns, size_t n_columns,
				  const struct render_options *options)
{
	struct text_table *t = calloc(1, sizeof(*t));

	if (!t)
		return NULL;
	t->columns = columns;
	t->n_columns = n_columns;
	t->options = options;
	return t;
}

struct text_table *text_table_free(struct text_table *t)
{
	size_t i;

	if (!t)
		return NULL;
	for (i = 0; i < t->n; i++)
		free(t->cells[i]);
	free(t->cells);
	free(t->styles);
	free(t);
	return NULL;
}

void text_table_add(struct text_table *t, const char *text)
{
	if (t->failed)
		return;
	if (t->n == t->capacity) {
		size_t capacity = t->capacity ? t->capacity * 2 : 64;
		char **cells = reallocarray(t->cells, capacity, sizeof(*cells));

		if (!cells) {
			t->failed = true;
			return;
		}
		t->cells = cells;
		t->capacity = capacity;
	}
	t->cells[t->n] = text_clean(text && *text ? text : "-", t->options->ascii);
	if (t->cells[t->n])
		t->n++;
	else
		t->failed = true;
}

void text_table_style(struct text_table *t, enum render_style style)
{
	size_t row = t->n / t->n_columns;
	enum render_style *styles = reallocarray(t->styles, row + 1, sizeof(*styles));

	if (!styles) {
		t->failed = true;
		return;
	}
	while (t->n_styles < row)
		styles[t->n_styles++] = RENDER_PLAIN;
	styles[row] = style;
	t->n_styles = row + 1;
	t->styles = styles;
}

static size_t column_width(const struct text_table *t, size_t column)
{
	size_t widest = t->options->legend ? text_width(t->columns[column].heading) : 0, i;

	for (i = column; i < t->n; i += t->n_columns) {
		size_t width = text_width(t->cells[i]);

		if (width > widest)
			widest = width;
	}
	return widest;
}

static void print_row(const struct text_table *t, FILE *out, const size_t *widths, size_t room,
		      const char *const *cells)
{
	size_t i;

	for (i = 0; i < t->n_columns; i++) {
		const char *cell = cells ? cells[i] : t->columns[i].heading;
		size_t width = text_width(cell);
		int padding = width < widths[i] ? (int)(widths[i] - width) : 0;

		if (i)
			(void)fputs("  ", out);
		if (t->columns[i].right)
			(void)fprintf(out, "%*s", padding, "");
		if (i + 1 == t->n_columns)
			text_put_cut(out, cell, room, t->options->ascii);
		else
			(void)fputs(cell, out);
		if (!t->columns[i].right && i + 1 < t->n_columns)
			(void)fprintf(out, "%*s", padding, "");
	}
}

/* What the terminal leaves for the last column; 0: no limit. */
static size_t last_column_room(const struct text_table *t, const size_t *widths)
{
	size_t used = 0, i;

	if (!t->options->columns)
		return 0;
	for (i = 0; i + 1 < t->n_columns; i++)
		used += widths[i] + 2;
	if (used + LEAST_LAST_COLUMN > t->options->columns)
		return 0;
	return t->options->columns - used;
}

int text_table_print(struct text_table *t, FILE *out)
{
	_cleanup_free_ size_t *widths = NULL;
	size_t room, i;

	if (t->failed)
		return -ENOMEM;
	if (t->n < t->n_columns)
		return 0;
	widths = calloc(t->n_columns, sizeof(*widths));
	if (!widths)
		return -ENOMEM;
	for (i = 0; i < t->n_columns; i++)
		widths[i] = column_width(t, i);
	room = last_column_room(t, widths);

	if (t->options->legend) {
		render_style(out, t->options, RENDER_BOLD);
		print_row(t, out, widths, room, NULL);
		render_style(out, t->options, RENDER_PLAIN);
		(void)fputc('\n', out);
	}
	for (i = 0; i + t->n_columns <= t->n; i += t->n_columns) {
		size_t row = i / t->n_columns;
		bool styled = row < t->n_styles && t->styles[row] != RENDER_PLAIN;

		if (styled)
			render_style(out, t->options, t->styles[row]);
		print_row(t, out, widths, room, (const char *const *)t->cells + i);
		if (styled)
			render_style(out, t->options, RENDER_PLAIN);
		(void)fputc('\n', out);
	}
	return 0;
}
