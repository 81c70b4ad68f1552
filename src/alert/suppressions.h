/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * LeakSanitizer's suppression files: lines "leak:PATTERN", and comments with '#' in front. Blanks
 * around a line do not count. Lines "type:PATTERN" are seep's own, for the types of Python objects.
 *
 * A pattern matches a part of a text, with '*' for anything, '^' in front for the text's start and
 * '$' at its end for the text's end. Pure.
 */
#ifndef SEEP_ALERT_SUPPRESSIONS_H
#define SEEP_ALERT_SUPPRESSIONS_H

#include <stdbool.h>
#include <stddef.h>

#include "base/cleanup.h"
#include "symbolize/frame.h"

#define SUPPRESSIONS_MAX      4096 /* patterns of a file */
#define SUPPRESSION_BYTES_MAX 1024 /* of a pattern */

struct suppressions;

/* -EINVAL: *ret_line (from 1) is wrong, *ret_why says how, a static text. -ENOMEM. */
int suppressions_parse(const char *text, size_t size, struct suppressions **ret, unsigned *ret_line,
		       const char **ret_why);
struct suppressions *suppressions_free(struct suppressions *s);
DEFINE_CLEANUP(struct suppressions *, suppressions_free)

/*
 * The first line of the file that matches the function, source file or module of any frame, as
 * "leak:PATTERN"; NULL: none does. Borrowed. @s may be NULL.
 */
const char *suppressions_find(const struct suppressions *s, const struct frame *frames, size_t n);
/* The same of a type of Python objects, as "type:PATTERN". */
const char *suppressions_find_type(const struct suppressions *s, const char *type);

/* An empty text (or NULL) matches no pattern. */
bool suppression_matches(const char *pattern, const char *text);

#endif
