/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Text on its way to a terminal: cleaned, measured, cut.
 *
 * Names come from watched processes and pass through the daemon; neither is trusted here. A width
 * is a number of code points: wide and combining characters may shift a column, nothing worse.
 */
#ifndef SEEP_CLI_TEXT_H
#define SEEP_CLI_TEXT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

/*
 * A copy of @s as utf8_sanitize() makes it; with @ascii '?' also stands for each character beyond
 * ASCII. NULL: no memory. The caller frees.
 */
char *text_clean(const char *s, bool ascii);

/* Writes text_clean(@s). NULL writes nothing. */
void text_put_clean(FILE *out, const char *s, bool ascii);

size_t text_width(const char *clean);

/*
 * Writes @clean, and if it is wider than @columns (0: no limit) only its beginning and a mark that
 * it was cut.
 */
void text_put_cut(FILE *out, const char *clean, size_t columns, bool ascii);

/*
 * Writes @clean, which begins at column @indent, with line breaks between words so that no line is wider
 * than @columns (0: no limit). Further lines are indented as well.
 */
void text_put_wrapped(FILE *out, const char *clean, size_t indent, size_t columns);

/* Last part of a path; the whole text if it ends in a slash. */
const char *text_base_name(const char *path);

#endif
