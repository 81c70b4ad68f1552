// SPDX-License-Identifier: GPL-2.0-or-later
/* A reconciliation in words. See reconcile.h. */
#include <math.h>
#include <stdio.h>

#include "trend/reconcile.h"

struct words {
	char text[48];
};

static struct words bytes_of(double bytes)
{
	static const char *const units[] = { "B", "KiB", "MiB", "GiB", "TiB" };
	struct words w;
	unsigned i = 0;

	for (bytes = fabs(bytes); bytes >= 1023.95 && i < 4; i++)
		bytes /= 1024;
	(void)snprintf(w.text, sizeof(w.text), i && bytes < 99.95 ? "%.1f %s" : "%.0f %s", bytes,
		       units[i]);
	return w;
}

static struct words time_of(double seconds)
{
	struct words w;

	if (seconds < 120)
		(void)snprintf(w.text, sizeof(w.text), "%.0f s", seconds);
	else if (seconds < 120 * 60)
		(void)snprintf(w.text, sizeof(w.text), "%.0f min", seconds / 60);
	else if (seconds < 48 * 3600)
		(void)snprintf(w.text, sizeof(w.text), "%.0f h", seconds / 3600);
	else
		(void)snprintf(w.text, sizeof(w.text), "%.0f days", seconds / 86400);
	return w;
}

const char *reconcile_verdict_name(enum reconcile_verdict v)
{
	static const char *const names[] = { "unknown", "steady", "explained", "partly",
					     "retained" };

	return (unsigned)v < sizeof(names) / sizeof(names[0]) ? names[v] : "unknown";
}

static void put_verdict(const struct reconciliation *r, double tick_seconds, char *text,
			size_t size)
{
	const struct reconcile_share *f = &r->found;
	struct words grown = bytes_of(f->growth), over = time_of(f->ticks * tick_seconds);
	struct words explained = bytes_of(f->explained), kept = bytes_of(f->retained);

	if (r->verdict == RECONCILE_RETAINED)
		(void)snprintf(text, size,
			       "Memory grows (%s in %s) but live blocks do not: the allocator "
			       "retains %s that were freed (fragmentation, free lists), or it was "
			       "mapped without malloc. This is no leak of blocks.",
			       grown.text, over.text, kept.text);
	else if (r->verdict == RECONCILE_EXPLAINED)
		(void)snprintf(text, size,
			       "Memory grows (%s in %s), and live blocks explain %s of that.",
			       grown.text, over.text, explained.text);
	else
		(void)snprintf(text, size,
			       "Memory grows (%s in %s); live blocks explain %s of that, the "
			       "other %s are retained by the allocator or mapped without malloc.",
			       grown.text, over.text, explained.text, kept.text);
}

const char *reconcile_text(const struct reconciliation *r, double tick_seconds, char *text,
			   size_t size)
{
	struct words since = time_of(r->total.ticks * tick_seconds);

	switch (r->verdict) {
	case RECONCILE_STEADY:
		(void)snprintf(text, size, "Memory does not keep growing.");
		break;
	case RECONCILE_EXPLAINED:
	case RECONCILE_PARTLY:
	case RECONCILE_RETAINED:
		put_verdict(r, tick_seconds, text, size);
		break;
	default:
		if (r->has_total)
			(void)snprintf(
				text, size,
				"Too early to tell whether memory keeps growing: it has been "
				"followed for %s.",
				since.text);
		else
			(void)snprintf(text, size,
				       "Too early to tell whether memory keeps growing.");
	}
	return text;
}
