/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Reading members of JSON objects that may lack them or give them another type: the answer is then
 * "absent", never a crash. @object itself may be NULL or not an object.
 */
#ifndef SEEP_CLI_FIELD_H
#define SEEP_CLI_FIELD_H

#include <jansson.h>
#include <math.h>
#include <stdbool.h>
#include <stdint.h>

static inline const char *field_text(const json_t *object, const char *key)
{
	return json_string_value(json_object_get(object, key));
}

static inline const char *field_text_or(const json_t *object, const char *key, const char *other)
{
	const char *text = field_text(object, key);

	return text ? text : other;
}

static inline bool field_has_integer(const json_t *object, const char *key)
{
	return json_is_integer(json_object_get(object, key));
}

/* 0 when absent. */
static inline int64_t field_integer(const json_t *object, const char *key)
{
	return json_integer_value(json_object_get(object, key));
}

/* 0 when absent or negative. */
static inline uint64_t field_count(const json_t *object, const char *key)
{
	int64_t value = field_integer(object, key);

	return value > 0 ? (uint64_t)value : 0;
}

/* NAN when absent. */
static inline double field_number(const json_t *object, const char *key)
{
	const json_t *value = json_object_get(object, key);

	return json_is_number(value) ? json_number_value(value) : NAN;
}

static inline bool field_true(const json_t *object, const char *key)
{
	return json_is_true(json_object_get(object, key));
}

#endif
