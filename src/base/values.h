/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The values that JSON objects are made of. Each function returns a new reference, or NULL when
 * memory runs out, which view_put() turns into the one error of a whole object.
 */
#ifndef SEEP_BASE_VALUES_H
#define SEEP_BASE_VALUES_H

#include <jansson.h>
#include <stdint.h>
#include <time.h>

/* Takes over @value. 0, or -ENOMEM (@o and @value may be NULL: then too). */
int view_put(json_t *o, const char *key, json_t *value);
int view_append(json_t *array, json_t *value);

json_t *view_text(const char *text);	   /* made printable; null for NULL */
json_t *view_u64(uint64_t number);	   /* what JSON readers cannot hold becomes 2^63 - 1 */
json_t *view_u64_or_null(uint64_t number); /* null for 0 */
json_t *view_real(double number);	   /* null for what is not finite */
json_t *view_seconds(uint64_t ns);
json_t *view_hex(uint64_t id); /* 16 digits, as a string */

/* RFC 3339, UTC, microseconds. */
json_t *view_time(const struct timespec *wall);
json_t *view_monotonic(uint64_t ns); /* as a wall clock time; null for 0 */

#endif
