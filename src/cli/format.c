// SPDX-License-Identifier: GPL-2.0-or-later
/* Numbers for people. See format.h. */
#include "cli/format.h"

#include <assert.h>
#include <inttypes.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <time.h>

#include "base/cleanup.h"

static const char *const units[] = { "B", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB" };

/* Beyond this many seconds a duration is a broken number. */
#define MAX_SECONDS 1e11

static struct number number(const char *format, ...) __attribute__((format(printf, 1, 2)));

static struct number number(const char *format, ...)
{
	struct number n;
	va_list args;
	int length;

	va_start(args, format);
	length = vsnprintf(n.text, sizeof(n.text), format, args);
	va_end(args);
	/* Every caller bounds what it prints. */
	assert(length >= 0 && (size_t)length < sizeof(n.text));
	return n;
}

static uint64_t magnitude(int64_t value)
{
	return value < 0 ? 0 - (uint64_t)value : (uint64_t)value;
}

static const char *sign_of(int64_t value)
{
	return value < 0 ? "-" : value > 0 ? "+" : "";
}

struct number format_bytes(uint64_t bytes, bool raw)
{
	uint64_t unit = 1, whole, tenths;
	size_t i = 0;

	if (raw)
		return number("%" PRIu64, bytes);
	while (i + 1 < ARRAY_SIZE(units) && bytes / unit >= 1024) {
		unit *= 1024;
		i++;
	}
	if (i == 0)
		return number("%" PRIu64 " B", bytes);
	whole = bytes / unit;
	tenths = (bytes % unit * 10 + unit / 2) / unit;
	if (tenths == 10) {
		whole++;
		tenths = 0;
	}
	if (whole == 1024 && i + 1 < ARRAY_SIZE(units)) {
		whole = 1;
		i++;
	}
	return number("%" PRIu64 ".%" PRIu64 " %s", whole, tenths, units[i]);
}

struct number format_signed_bytes(int64_t bytes, bool raw)
{
	return number("%s%s", bytes < 0 ? "-" : "", format_bytes(magnitude(bytes), raw).text);
}

struct number format_change_bytes(int64_t bytes, bool raw)
{
	return number("%s%s", sign_of(bytes), format_bytes(magnitude(bytes), raw).text);
}

struct number format_count(uint64_t count, bool raw)
{
	struct number digits = number("%" PRIu64, count), grouped;
	size_t n = 0, in, out = 0;

	if (raw)
		return digits;
	while (digits.text[n])
		n++;
	for (in = 0; in < n; in++) {
		if (in && (n - in) % 3 == 0)
			grouped.text[out++] = ',';
		grouped.text[out++] = digits.text[in];
	}
	grouped.text[out] = '\0';
	return grouped;
}

struct number format_signed_count(int64_t count, bool raw)
{
	return number("%s%s", count < 0 ? "-" : "", format_count(magnitude(count), raw).text);
}

struct number format_change_count(int64_t count, bool raw)
{
	return number("%s%s", sign_of(count), format_count(magnitude(count), raw).text);
}

struct number format_rate(double bytes_per_hour, double error, bool raw, bool ascii)
{
	const char *plus_minus = ascii ? "+/-" : "\u00b1";
	double unit = 1, size = fabs(bytes_per_hour);
	size_t i = 0;

	if (raw)
		return number("%.6g", bytes_per_hour);
	/* 1023.95 would be printed as 1024.0. */
	while (i + 1 < ARRAY_SIZE(units) && size / unit >= 1023.95) {
		unit *= 1024;
		i++;
	}
	if (!isfinite(size) || size / unit >= 1024)
		return number("%+.1e B/h", bytes_per_hour);
	if (!(error >= 0))
		return number("%+.1f %s/h", bytes_per_hour / unit, units[i]);
	if (error / unit >= 1e6 || !isfinite(error))
		return number("%+.1f %s/h %s%.0e", bytes_per_hour / unit, units[i], plus_minus,
			      error / unit);
	return number("%+.1f %s/h %s%.1f", bytes_per_hour / unit, units[i], plus_minus,
		      error / unit);
}

struct number format_duration(double seconds, bool raw)
{
	uint64_t s;

	if (!(seconds >= 0 && seconds < MAX_SECONDS))
		return number("?");
	if (raw)
		return number("%.3f", seconds);
	s = (uint64_t)seconds;
	if (s < 10)
		return number("%.1f s", seconds);
	if (s < 60)
		return number("%" PRIu64 " s", s);
	if (s < 3600)
		return number("%" PRIu64 " min %" PRIu64 " s", s / 60, s % 60);
	if (s < 86400)
		return number("%" PRIu64 " h %" PRIu64 " min", s / 3600, s / 60 % 60);
	return number("%" PRIu64 " d %" PRIu64 " h", s / 86400, s / 3600 % 24);
}

struct number format_plural(uint64_t count, const char *word, bool raw)
{
	return number("%s %.15s%s", format_count(count, raw).text, word, count == 1 ? "" : "s");
}

static bool wall_time(uint64_t ms, struct tm *ret)
{
	time_t seconds = (time_t)(ms / 1000);

	return ms > 0 && ms / 1000 < (uint64_t)MAX_SECONDS && gmtime_r(&seconds, ret);
}

struct number format_time(uint64_t ms, bool raw)
{
	struct number n;
	struct tm tm;
	size_t length;

	if (!wall_time(ms, &tm))
		return number("-");
	length = raw ? strftime(n.text, sizeof(n.text), "%Y-%m-%dT%H:%M:%SZ", &tm) :
		       strftime(n.text, sizeof(n.text), "%Y-%m-%d %H:%M UTC", &tm);
	return length ? n : number("-");
}

struct number format_clock(uint64_t ms, bool day)
{
	struct number n;
	struct tm tm;
	size_t length;

	if (!wall_time(ms, &tm))
		return number("-");
	length = day ? strftime(n.text, sizeof(n.text), "%m-%d %H:%M", &tm) :
		       strftime(n.text, sizeof(n.text), "%H:%M", &tm);
	return length ? n : number("-");
}

struct number format_share(double share)
{
	if (!(share >= 0 && share <= 1))
		return number("-");
	return number("%d %%", (int)(share < 1 ? fmin(100 * share + 0.5, 99) : 100));
}
