// SPDX-License-Identifier: GPL-2.0-or-later
/* What an alert shows of a leak, as the recognisers of src/hint see it. See sentences.h. */
#include "alert/sentences.h"

#include <string.h>

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

/* Paths begin with a module, "<local x of f (app.py:3)>", or the type of what no root was found for. */
static enum hint_holding holding_of(const struct alert_python *p)
{
	const char *path = p->n_held_by ? p->held_by[0].path : NULL;
	size_t n = strlen(p->type);

	if (!path)
		return HINT_HOLDING_UNKNOWN;
	if (path[0] != '<')
		return HINT_HELD_BY_ROOT;
	if (strncmp(path, "<local ", strlen("<local ")) == 0)
		return HINT_HELD_BY_FRAME;
	return strncmp(path + 1, p->type, n) == 0 && path[1 + n] == '>' ? HINT_HELD_BY_NOBODY :
									  HINT_HOLDING_UNKNOWN;
}

static void add_python(struct hint_facts *f, const struct alert_python *p)
{
	f->type = p->type;
	f->holding = holding_of(p);
	if (p->function)
		f->ending = p->done ? HINT_ENDED : HINT_NOT_ENDED;
	if (p->n_held_by) {
		f->path = p->held_by[0].path;
		f->container = p->held_by[0].container;
	}
}

const char *sentences_hint(const struct alert *a)
{
	const struct trend_evidence *e = &a->evidence;
	struct hint_facts facts = {
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

	if (a->python)
		add_python(&facts, a->python);
	return can_be_mended(a) && hint_find(&facts, &hint) ? hint.sentence : NULL;
}
