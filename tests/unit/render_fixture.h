/* SPDX-License-Identifier: GPL-2.0-or-later */
/* JSON with single quotes to text, and the exact text that is expected. */
#ifndef SEEP_TESTS_RENDER_FIXTURE_H
#define SEEP_TESTS_RENDER_FIXTURE_H

#include <stdio.h>
#include <string.h>

#include "base/cleanup.h"
#include "cli/render.h"

static inline json_t *parse(const char *text)
{
	_cleanup_free_ char *copy = strdup(text);
	json_error_t error;
	json_t *value;
	char *at;

	for (at = copy; *at; at++)
		if (*at == '\'')
			*at = '"';
	value = json_loads(copy, JSON_DECODE_ANY, &error);
	if (!value)
		fail_msg("%s at %d in %s", error.text, error.position, copy);
	return value;
}

typedef int (*print_fn)(FILE *out, const json_t *value, const struct render_options *o);

static inline char *print(print_fn f, const json_t *value, const struct render_options *o)
{
	char *text = NULL;
	size_t size = 0;
	FILE *out = open_memstream(&text, &size);

	assert_non_null(out);
	assert_int_equal(f(out, value, o), 0);
	assert_int_equal(fclose(out), 0);
	return text;
}

static inline void expect(print_fn f, const char *json, const struct render_options *o,
			  const char *expected)
{
	json_auto_t *value = parse(json);
	_cleanup_free_ char *text = print(f, value, o);

	assert_string_equal(text, expected);
}

#endif
