/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Text in columns: as wide as their widest cell, two blanks apart. Only the last column is cut to
 * the terminal's width, so no number ever loses a digit.
 */
#ifndef SEEP_CLI_TEXT_TABLE_H
#define SEEP_CLI_TEXT_TABLE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

#include "base/cleanup.h"
#include "cli/render.h"

struct text_table;

struct text_column {
	const char *heading;
	bool right; /* numbers */
};

/* Borrows @columns and @options. NULL: no memory. */
struct text_table *text_table_new(const struct text_column *columns, size_t n_columns,
				  const struct render_options *options);
struct text_table *text_table_free(struct text_table *t);
DEFINE_CLEANUP(struct text_table *, text_table_free)

/*
 * Fills the next cell, row by row. NULL and "" become "-". A failed allocation is kept for
 * text_table_print().
 */
void text_table_add(struct text_table *t, const char *text);

/* How the row of the next cell looks. */
void text_table_style(struct text_table *t, enum render_style style);

/* 0 or -ENOMEM. Nothing is printed if the table has no rows. */
int text_table_print(struct text_table *t, FILE *out);

#endif
