/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The report that ends a foreground session (seepctl run, seepctl trace):
 *
 *	{"target":{…},"sites":[…] or {"sites":[…],"sum":…},"children":[{"target":…,"sites":…},…],
 *	 "duration_seconds":N}
 *
 * Members may be missing. Children with live blocks get a section of their own, the others a line
 * each.
 */
#ifndef SEEP_CLI_REPORT_H
#define SEEP_CLI_REPORT_H

#include <jansson.h>
#include <stdbool.h>
#include <stdio.h>

struct render_options;

/* -ENOMEM, or -EIO when @out could not be written. */
int report_print(FILE *out, const json_t *report, const struct render_options *options);

/*
 * Writes the report to standard output (@path NULL) or to a file, as text or as JSON (one line,
 * or indented where options->indent_json says so). A file appears whole or not at all; what is no
 * regular file (a pipe, /dev/null) is written as it is. @options are for standard output; a file
 * gets neither colours nor a limit on columns.
 */
int report_write(const char *path, const json_t *report, bool json,
		 const struct render_options *options);

#endif
