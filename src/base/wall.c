// SPDX-License-Identifier: GPL-2.0-or-later
/* Wall clock times as text. See wall.h. */
#include "base/wall.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "base/parse.h"

int wall_format(uint64_t ms, char ret[WALL_TEXT_MAX])
{
	time_t seconds = (time_t)(ms / 1000);
	char text[WALL_TEXT_MAX];
	struct tm tm;
	size_t n;
	int m;

	if (ms > WALL_MS_MAX || !gmtime_r(&seconds, &tm))
		return -ERANGE;
	n = strftime(text, sizeof(text), "%Y-%m-%dT%H:%M:%S", &tm);
	if (n == 0)
		return -ERANGE;
	m = snprintf(text + n, sizeof(text) - n, ".%03uZ", (unsigned)(ms % 1000));
	if (m < 0 || (size_t)m >= sizeof(text) - n)
		return -ERANGE;
	memcpy(ret, text, sizeof(text));
	return 0;
}

/* The digits of one part, moving behind them and the one character that must follow. */
static int parse_part(const char **p, char end, int *ret)
{
	uint64_t value;

	if (parse_digits(p, 10, &value) < 0 || value > 9999 || **p != end)
		return -EINVAL;
	(*p)++;
	*ret = (int)value;
	return 0;
}

int wall_parse(const char *text, uint64_t *ret_ms)
{
	struct tm tm = { 0 };
	char again[WALL_TEXT_MAX];
	const char *p = text;
	int ms, r = 0;
	time_t seconds;
	uint64_t value;

	r = parse_part(&p, '-', &tm.tm_year);
	r = r < 0 ? r : parse_part(&p, '-', &tm.tm_mon);
	r = r < 0 ? r : parse_part(&p, 'T', &tm.tm_mday);
	r = r < 0 ? r : parse_part(&p, ':', &tm.tm_hour);
	r = r < 0 ? r : parse_part(&p, ':', &tm.tm_min);
	r = r < 0 ? r : parse_part(&p, '.', &tm.tm_sec);
	r = r < 0 ? r : parse_part(&p, 'Z', &ms);
	if (r < 0)
		return r;
	tm.tm_year -= 1900;
	tm.tm_mon -= 1;
	seconds = timegm(&tm);
	if (seconds < 0 || ms > 999)
		return -EINVAL;
	value = (uint64_t)seconds * 1000 + (uint64_t)ms;
	/* Days that no month has, and digits that are too few, come out differently. */
	if (wall_format(value, again) < 0 || strcmp(again, text) != 0)
		return -EINVAL;
	*ret_ms = value;
	return 0;
}
