/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Text from elsewhere: what may go to JSON and to a terminal.
 *
 * Names of processes and files are bytes; they are kept and compared as such and made presentable
 * only where they leave the program. Independent of the locale.
 */
#ifndef SEEP_BASE_UTF8_H
#define SEEP_BASE_UTF8_H

#include <stdbool.h>
#include <stddef.h>

/* RFC 3629: no overlong forms, no surrogates, nothing above U+10FFFF. Control characters pass. */
bool utf8_is_valid(const char *s, size_t n);

/*
 * Valid and free of what changes a terminal or the order of text: C0 and C1 controls, DEL, line and
 * paragraph separators, bidirectional embeddings and isolates.
 */
bool utf8_is_printable(const char *s, size_t n);

/*
 * A printable copy: each invalid byte and each character that utf8_is_printable() refuses becomes
 * one '?'. Never longer than the input. Caller frees. -ENOMEM.
 */
int utf8_sanitize(const char *s, size_t n, char **ret);

#endif
