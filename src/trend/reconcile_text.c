// SPDX-License-Identifier: GPL-2.0-or-later
/* A reconciliation in words. See reconcile.h. */
#include <stdio.h>

#include "base/cleanup.h"
#include "base/words.h"
#include "trend/reconcile.h"

const char *reconcile_verdict_name(enum reconcile_verdict v)
{
	static const char *const names[] = { "unknown", "steady", "explained", "partly",
					     "retained" };

	return (unsigned)v < ARRAY_SIZE(names) ? names[v] : "unknown";
}

static void put_verdict(const struct reconciliation *r, double tick_seconds, char *text,
			size_t size)
{
	const struct reconcile_share *f = &r->found;
	struct words grown = words_bytes(f->growth), over = words_duration(f->ticks * tick_seconds);
	struct words explained = words_bytes(f->explained), kept = words_bytes(f->retained);

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
	struct words since = words_duration(r->total.ticks * tick_seconds);

	switch (r->verdict) {
	case RECONCILE_STEADY:
		(void)snprintf(text, size,
			       "Memory does not grow steadily, as far as %s of watch can show.",
			       since.text);
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
