/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Strict parsers for what people type. All refuse empty text, signs, blanks, trailing junk and
 * overflow; on failure they return -EINVAL or -ERANGE and leave the result untouched.
 */
#ifndef SEEP_BASE_PARSE_H
#define SEEP_BASE_PARSE_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

/* Decimal digits only. */
int parse_u64(const char *text, uint64_t *ret);

/* Decimal, within [min, max]; -ERANGE outside. */
int parse_u64_range(const char *text, uint64_t min, uint64_t max, uint64_t *ret);

/* A process id: 1 .. 4194304 (PID_MAX_LIMIT of the kernel). */
int parse_pid(const char *text, pid_t *ret);

/* Bytes: "512", "512B", "64K", "64KiB", "3M", "2GiB", "1T" (binary multiples; no fractions). */
int parse_size(const char *text, uint64_t *ret_bytes);

/* A share in percent as a ratio: "2", "0.5%"; above 0, at most 100. */
int parse_percent(const char *text, double *ret_ratio);

/*
 * A duration in nanoseconds: a number (decimals allowed) with ns, us, ms, s, m (or min), h or d,
 * several in sequence, the greatest unit first ("1h30m"). A bare number is refused, its unit would
 * be a guess ("0" is fine), and so is a fraction that is no whole number of nanoseconds.
 */
int parse_duration(const char *text, uint64_t *ret_ns);

/*
 * A time as of RFC 3339 in milliseconds since 1970, what is finer is cut off:
 * "2026-11-25T17:10:34Z", "2026-11-25t17:10:34.686+01:00". -ERANGE: not from 1970 to 9999, or no such day.
 */
int parse_time(const char *text, uint64_t *ret_ms);

/*
 * For text with several numbers: reads the digits of @base (10, or 16 without prefix) at *p and
 * moves *p past them. *p stays where it was on failure.
 */
int parse_digits(const char **p, unsigned base, uint64_t *ret);

/* Is @name one of @list, names with a blank between them? */
bool parse_is_listed(const char *list, const char *name);

#endif
