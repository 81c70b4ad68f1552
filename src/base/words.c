// SPDX-License-Identifier: GPL-2.0-or-later
/* Numbers within sentences. See words.h. */
#include "base/words.h"

#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "base/cleanup.h"
#include "base/wall.h"

#define MINUTE 60.0
#define HOUR   3600.0
#define DAY    86400.0

__attribute__((format(printf, 1, 2))) static struct words write_words(const char *format, ...)
{
	struct words w = { "" };
	va_list args;
	int n;

	va_start(args, format);
	n = vsnprintf(w.text, sizeof(w.text), format, args);
	va_end(args);
	if (n < 0)
		w.text[0] = '\0';
	return w;
}

struct words words_bytes(double bytes)
{
	static const char *const units[] = { "KiB", "MiB", "GiB", "TiB", "PiB" };
	unsigned unit = 0;

	if (!(bytes >= 0))
		bytes = 0;
	/* What would be rounded to the next unit is told in it. */
	if (bytes < 1023.5)
		return write_words(llround(bytes) == 1 ? "%.0f byte" : "%.0f bytes", bytes);
	bytes /= 1024;
	for (; bytes >= 1023.95 && unit + 1 < ARRAY_SIZE(units); unit++)
		bytes /= 1024;
	return write_words("%.1f %s", bytes, units[unit]);
}

struct words words_rate(double per_hour)
{
	struct words w;

	/* Small rates by the day: "0 bytes per hour" would be a leak of nothing. */
	if (per_hour >= 1024) {
		w = words_bytes(per_hour);
		return write_words("%.30s per hour", w.text);
	}
	w = words_bytes(per_hour * 24);
	return write_words("%.30s per day", w.text);
}

struct words words_rates(double low_per_hour, double high_per_hour, double per_hour)
{
	double hours = per_hour >= 1024 ? 1 : 24;
	struct words low = words_bytes(low_per_hour * hours);
	struct words high = words_bytes(high_per_hour * hours);

	return write_words("%.20s to %.20s", low.text, high.text);
}

struct words words_count(double count)
{
	struct words plain, grouped = { "" };
	size_t n, at = 0;

	/* fmax() also turns what is not a number into the least. */
	plain = write_words("%.0f", fmin(1e15, fmax(0, count)));
	n = strlen(plain.text);
	for (size_t i = 0; i < n; i++) {
		if (i > 0 && (n - i) % 3 == 0)
			grouped.text[at++] = ',';
		grouped.text[at++] = plain.text[i];
	}
	return grouped;
}

struct words words_blocks(double count)
{
	struct words w = words_count(count);

	return write_words("%.30s %s", w.text, strcmp(w.text, "1") == 0 ? "block" : "blocks");
}

/* One decimal, unless it is a zero. */
static struct words in_unit(double amount, const char *unit)
{
	double tenths = round(amount * 10);

	if (amount >= 10 || fmod(tenths, 10) == 0)
		return write_words("%.0f %s", amount, unit);
	return write_words("%.1f %s", amount, unit);
}

struct words words_duration(double seconds)
{
	if (!isfinite(seconds))
		return write_words("ever");
	if (seconds < 0.095)
		return write_words("%.0f ms", fmax(0, seconds * 1000));
	/* Two of a unit are told in it; up to then the smaller one is finer. */
	if (seconds < 2 * MINUTE)
		return in_unit(seconds, "s");
	if (seconds < 2 * HOUR)
		return in_unit(seconds / MINUTE, "min");
	if (seconds < 2 * DAY)
		return in_unit(seconds / HOUR, "h");
	return in_unit(seconds / DAY, "d");
}

struct words words_share(double share)
{
	double percent = share * 100;

	if (!(percent > 0))
		return write_words("0 %%");
	if (percent < 0.01)
		return write_words("less than 0.01 %%");
	return write_words(percent < 1 ? "%.2f %%" : percent < 10 ? "%.1f %%" : "%.0f %%", percent);
}

struct words words_ratio(double ratio)
{
	return write_words("%.2f", ratio);
}

struct words words_time(uint64_t ms)
{
	char text[WALL_TEXT_MAX];

	if (ms == 0 || wall_format(ms, text) < 0)
		return write_words("%s", "");
	return write_words("%.10s %.5s UTC", text, text + 11);
}
