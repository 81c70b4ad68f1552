/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Wall clock times as text: RFC 3339, UTC, milliseconds: "2026-03-01T12:00:00.250Z".
 *
 * Times are milliseconds since 1970, from 1970 up to the end of the year 9999.
 */
#ifndef SEEP_BASE_WALL_H
#define SEEP_BASE_WALL_H

#include <stdint.h>

#define WALL_MS_MAX   253402300799999ull
#define WALL_TEXT_MAX 32 /* bytes, with the NUL */

/* -ERANGE: after WALL_MS_MAX; @ret is untouched. */
int wall_format(uint64_t ms, char ret[WALL_TEXT_MAX]);

/* Only what wall_format() writes; -EINVAL. */
int wall_parse(const char *text, uint64_t *ret_ms);

#endif
