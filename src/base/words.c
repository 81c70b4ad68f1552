// SPDX-License-Identifier: GPL-2.0-or-later
/* Amounts in sentences. See words.h. */
#include "base/words.h"

#include <math.h>
#include <stdio.h>

#include "base/cleanup.h"

struct words words_bytes(double bytes)
{
	static const char *const units[] = { "B", "KiB", "MiB", "GiB", "TiB", "PiB" };
	struct words w;
	size_t i = 0;

	for (bytes = fabs(bytes); bytes >= 1023.5 && i + 1 < ARRAY_SIZE(units); i++)
		bytes /= 1024;
	(void)snprintf(w.text, sizeof(w.text), i && bytes < 99.95 ? "%.1f %s" : "%.0f %s", bytes,
		       units[i]);
	return w;
}

struct words words_seconds(double seconds)
{
	struct words w;

	if (seconds < 120)
		(void)snprintf(w.text, sizeof(w.text), "%.0f s", fmax(seconds, 0));
	else if (seconds < 120 * 60)
		(void)snprintf(w.text, sizeof(w.text), "%.0f min", seconds / 60);
	else if (seconds < 48 * 3600)
		(void)snprintf(w.text, sizeof(w.text), "%.0f h", seconds / 3600);
	else
		(void)snprintf(w.text, sizeof(w.text), "%.0f days", seconds / 86400);
	return w;
}
