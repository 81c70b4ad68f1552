// SPDX-License-Identifier: GPL-2.0-or-later
/* The values that JSON objects are made of. See values.h. */
#include "base/values.h"

#include <errno.h>
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/utf8.h"
#include "base/clock.h"

int view_put(json_t *o, const char *key, json_t *value)
{
	return json_object_set_new_nocheck(o, key, value) < 0 ? -ENOMEM : 0;
}

int view_append(json_t *array, json_t *value)
{
	return json_array_append_new(array, value) < 0 ? -ENOMEM : 0;
}

json_t *view_text(const char *text)
{
	_cleanup_free_ char *printable = NULL;

	if (!text)
		return json_null();
	if (utf8_is_printable(text, strlen(text)))
		return json_string_nocheck(text);
	if (utf8_sanitize(text, strlen(text), &printable) < 0)
		return NULL;
	return json_string_nocheck(printable);
}

json_t *view_u64(uint64_t number)
{
	return json_integer(number > INT64_MAX ? INT64_MAX : (json_int_t)number);
}

json_t *view_u64_or_null(uint64_t number)
{
	return number ? view_u64(number) : json_null();
}

json_t *view_real(double number)
{
	return isfinite(number) ? json_real(number) : json_null();
}

json_t *view_seconds(uint64_t ns)
{
	return json_real((double)ns / (double)NS_PER_SECOND);
}

json_t *view_hex(uint64_t id)
{
	char text[17];
	int n = snprintf(text, sizeof(text), "%016" PRIx64, id);

	return n == 16 ? json_string_nocheck(text) : NULL;
}

json_t *view_time(const struct timespec *wall)
{
	char day[32], text[48];
	struct tm tm;
	int n;

	if (!gmtime_r(&wall->tv_sec, &tm) || !strftime(day, sizeof(day), "%Y-%m-%dT%H:%M:%S", &tm))
		return json_null();
	n = snprintf(text, sizeof(text), "%s.%06ldZ", day, wall->tv_nsec / 1000);
	if (n < 0 || (size_t)n >= sizeof(text))
		return json_null();
	return json_string_nocheck(text);
}

json_t *view_monotonic(uint64_t ns)
{
	uint64_t now = clock_ns(CLOCK_MONOTONIC);
	uint64_t wall = clock_ns(CLOCK_REALTIME);
	uint64_t age = now > ns ? now - ns : 0;
	struct timespec t;

	if (!ns)
		return json_null();
	t = timespec_from_ns(wall > age ? wall - age : 0);
	return view_time(&t);
}
