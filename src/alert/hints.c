// SPDX-License-Identifier: GPL-2.0-or-later
/* What an alert shows of a leak, as the recognisers of src/hint see it. See sentences.h. */
#include "alert/sentences.h"

#include "hint/hint.h"

/* Of a place that is known, and that a leak is claimed of. */
static bool can_be_mended(const struct alert *a)
{
	switch (a->state) {
	case TREND_SUSPECT:
	case TREND_LEAKING:
	case TREND_STOPPED:
	case TREND_CLOSED:
		return a->scope != ALERT_PROCESS && a->evidence.channel != TREND_BY_NONE &&
		       a->evidence.channel != TREND_BY_EXHAUSTION;
	case TREND_EXHAUSTION:
	case TREND_RESOLVED:
	case TREND_QUIET:
		break;
	}
	return false;
}

const char *sentences_hint(const struct alert *a)
{
	const struct trend_evidence *e = &a->evidence;
	const struct hint_facts facts = {
		.frames = a->frames,
		.n_frames = a->n_frames,
		.births = e->window.sum.births,
		.survivors = e->window.sum.blocks,
		.freed_old = e->freed_beyond,
		.is_steady =
			e->window_rate.best >= STEADY_LEAST && e->window_rate.best <= STEADY_MOST,
		.few_blocks = e->channel == TREND_BY_FEW_BLOCKS,
	};
	struct hint hint;

	return can_be_mended(a) && hint_find(&facts, &hint) ? hint.sentence : NULL;
}
