// SPDX-License-Identifier: GPL-2.0-or-later
/* Strict parsers for what people type. See parse.h. */
#include "base/parse.h"

#include <errno.h>
#include <stdbool.h>
#include <stddef.h>
#include <string.h>
#include <time.h>

#include "base/cleanup.h"

#define PID_MAX 4194304

/* More digits than this after the point cannot be a whole number of nanoseconds in any unit. */
#define MAX_FRACTION_DIGITS 18

struct unit {
	const char *name;
	uint64_t factor;
};

static int digit_value(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	if (c >= 'A' && c <= 'F')
		return c - 'A' + 10;
	return 99;
}

int parse_digits(const char **p, unsigned base, uint64_t *ret)
{
	const char *c = *p;
	uint64_t value = 0;

	for (; digit_value(*c) < (int)base; c++)
		if (__builtin_mul_overflow(value, (uint64_t)base, &value) ||
		    __builtin_add_overflow(value, (uint64_t)digit_value(*c), &value))
			return -ERANGE;
	if (c == *p)
		return -EINVAL;

	*p = c;
	*ret = value;
	return 0;
}

int parse_u64(const char *text, uint64_t *ret)
{
	uint64_t value;
	int r;

	r = parse_digits(&text, 10, &value);
	if (r < 0)
		return r;
	if (*text)
		return -EINVAL;

	*ret = value;
	return 0;
}

int parse_u64_range(const char *text, uint64_t min, uint64_t max, uint64_t *ret)
{
	uint64_t value;
	int r;

	r = parse_u64(text, &value);
	if (r < 0)
		return r;
	if (value < min || value > max)
		return -ERANGE;

	*ret = value;
	return 0;
}

int parse_pid(const char *text, pid_t *ret)
{
	uint64_t value;
	int r;

	r = parse_u64_range(text, 1, PID_MAX, &value);
	if (r < 0)
		return r;

	*ret = (pid_t)value;
	return 0;
}

static const struct unit *find_unit(const struct unit *units, size_t n, const char *name,
				    size_t length)
{
	for (size_t i = 0; i < n; i++)
		if (strlen(units[i].name) == length && memcmp(units[i].name, name, length) == 0)
			return &units[i];
	return NULL;
}

int parse_size(const char *text, uint64_t *ret_bytes)
{
	static const struct unit units[] = {
		{ "", 1 },	     { "B", 1 },
		{ "K", 1ull << 10 }, { "KiB", 1ull << 10 },
		{ "M", 1ull << 20 }, { "MiB", 1ull << 20 },
		{ "G", 1ull << 30 }, { "GiB", 1ull << 30 },
		{ "T", 1ull << 40 }, { "TiB", 1ull << 40 },
	};
	const struct unit *unit;
	uint64_t value;
	int r;

	r = parse_digits(&text, 10, &value);
	if (r < 0)
		return r;
	unit = find_unit(units, ARRAY_SIZE(units), text, strlen(text));
	if (!unit)
		return -EINVAL;
	if (__builtin_mul_overflow(value, unit->factor, &value))
		return -ERANGE;

	*ret_bytes = value;
	return 0;
}

/* The digits after a point at *p: *ret_value / *ret_scale. 0 / 1 when there is no point. */
static int parse_fraction(const char **p, uint64_t *ret_value, uint64_t *ret_scale)
{
	const char *digits = *p + 1;
	uint64_t value = 0;
	uint64_t scale = 1;
	const char *end = digits;
	int r;

	if (**p == '.') {
		r = parse_digits(&end, 10, &value);
		if (r < 0)
			return r;
		if (end - digits > MAX_FRACTION_DIGITS)
			return -EINVAL;
		for (ptrdiff_t i = end - digits; i > 0; i--)
			scale *= 10;
		*p = end;
	}

	*ret_value = value;
	*ret_scale = scale;
	return 0;
}

/* One number with its unit at *p, in nanoseconds. */
static int parse_duration_part(const char **p, const struct unit **ret_unit, uint64_t *ret_ns)
{
	static const struct unit units[] = {
		{ "ns", 1 },
		{ "us", 1000 },
		{ "ms", 1000000 },
		{ "s", 1000000000 },
		{ "m", 60000000000 },
		{ "min", 60000000000 },
		{ "h", 3600000000000 },
		{ "d", 86400000000000 },
	};
	const char *c = *p;
	const struct unit *unit;
	uint64_t whole, fraction, scale, ns;
	unsigned __int128 part;
	size_t length;
	int r;

	r = parse_digits(&c, 10, &whole);
	if (r < 0)
		return r;
	r = parse_fraction(&c, &fraction, &scale);
	if (r < 0)
		return r;
	length = strspn(c, "abcdefghijklmnopqrstuvwxyz");
	unit = find_unit(units, ARRAY_SIZE(units), c, length);
	if (!unit)
		return -EINVAL;
	part = (unsigned __int128)fraction * unit->factor;
	if (part % scale != 0)
		return -EINVAL;
	if (__builtin_mul_overflow(whole, unit->factor, &ns) ||
	    __builtin_add_overflow(ns, (uint64_t)(part / scale), &ns))
		return -ERANGE;

	*p = c + length;
	*ret_unit = unit;
	*ret_ns = ns;
	return 0;
}

int parse_percent(const char *text, double *ret_ratio)
{
	uint64_t whole, fraction, scale;
	double percent;
	int r;

	r = parse_digits(&text, 10, &whole);
	if (r == 0)
		r = parse_fraction(&text, &fraction, &scale);
	if (r < 0)
		return r;
	if (*text == '%')
		text++;
	if (*text)
		return -EINVAL;
	percent = (double)whole + (double)fraction / (double)scale;
	if (!(percent > 0 && percent <= 100))
		return -ERANGE;
	*ret_ratio = percent / 100;
	return 0;
}

int parse_duration(const char *text, uint64_t *ret_ns)
{
	const struct unit *last = NULL;
	const struct unit *unit;
	uint64_t sum = 0;
	uint64_t ns;
	int r;

	if (strcmp(text, "0") == 0) {
		*ret_ns = 0;
		return 0;
	}
	do {
		r = parse_duration_part(&text, &unit, &ns);
		if (r < 0)
			return r;
		/* "1m30m" is a slip of the finger, not a sum. */
		if (last && unit->factor >= last->factor)
			return -EINVAL;
		if (__builtin_add_overflow(sum, ns, &sum))
			return -ERANGE;
		last = unit;
	} while (*text);

	*ret_ns = sum;
	return 0;
}

/* "%d" digits exactly, and then @end (NUL: anything). */
static int take_field(const char **p, unsigned digits, char end, int *ret)
{
	const char *at = *p;
	int value = 0;

	for (unsigned i = 0; i < digits; i++, at++) {
		if (*at < '0' || *at > '9')
			return -EINVAL;
		value = value * 10 + (*at - '0');
	}
	if (end && *at++ != end)
		return -EINVAL;
	*p = at;
	*ret = value;
	return 0;
}

/* The fraction of a second, if there is one. */
static int take_fraction(const char **p, unsigned *ret_ms)
{
	unsigned unit = 100;

	*ret_ms = 0;
	if (**p != '.')
		return 0;
	(*p)++;
	if (**p < '0' || **p > '9')
		return -EINVAL;
	for (; **p >= '0' && **p <= '9'; (*p)++, unit /= 10)
		*ret_ms += unit * (unsigned)(**p - '0');
	return 0;
}

/* "Z", "+01:30": seconds that local time is ahead. */
static int take_zone(const char **p, int *ret)
{
	int sign = **p == '-' ? -1 : 1, hours, minutes;

	*ret = 0;
	if (**p == 'Z' || **p == 'z') {
		(*p)++;
		return 0;
	}
	if (**p != '+' && **p != '-')
		return -EINVAL;
	(*p)++;
	if (take_field(p, 2, ':', &hours) < 0 || take_field(p, 2, 0, &minutes) < 0 || hours > 23 ||
	    minutes > 59)
		return -EINVAL;
	*ret = sign * (hours * 3600 + minutes * 60);
	return 0;
}

int parse_time(const char *text, uint64_t *ret_ms)
{
	struct tm tm = { 0 };
	struct tm back;
	int year, month, zone;
	unsigned ms;
	time_t t;

	if (take_field(&text, 4, '-', &year) < 0 || take_field(&text, 2, '-', &month) < 0 ||
	    take_field(&text, 2, 0, &tm.tm_mday) < 0 || !*text || !strchr("Tt ", *text))
		return -EINVAL;
	text++;
	if (take_field(&text, 2, ':', &tm.tm_hour) < 0 ||
	    take_field(&text, 2, ':', &tm.tm_min) < 0 || take_field(&text, 2, 0, &tm.tm_sec) < 0 ||
	    take_fraction(&text, &ms) < 0 || take_zone(&text, &zone) < 0 || *text)
		return -EINVAL;
	tm.tm_year = year - 1900;
	tm.tm_mon = month - 1;
	back = tm;
	t = timegm(&back);
	/* Out of its range, a field is carried to the next: then it is another day or hour. */
	if (year < 1970 || back.tm_mon != tm.tm_mon || back.tm_mday != tm.tm_mday ||
	    back.tm_hour != tm.tm_hour || back.tm_min != tm.tm_min || back.tm_sec != tm.tm_sec ||
	    t < zone)
		return -ERANGE;
	*ret_ms = (uint64_t)(t - zone) * 1000 + ms;
	return 0;
}

bool parse_is_listed(const char *list, const char *name)
{
	size_t length = strlen(name);

	while (*list) {
		size_t n = strcspn(list, " ");

		if (n == length && memcmp(list, name, n) == 0)
			return true;
		list += n + (list[n] == ' ');
	}
	return false;
}
