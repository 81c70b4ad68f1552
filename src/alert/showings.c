// SPDX-License-Identifier: GPL-2.0-or-later
/* Which processes of a service show a leak. See book_state.h. */
#include "alert/book_state.h"

#include <errno.h>

int state_rank(enum trend_state state)
{
	static const int ranks[] = {
		[TREND_QUIET] = 0,   [TREND_CLOSED] = 0,  [TREND_RESOLVED] = 1,
		[TREND_STOPPED] = 2, [TREND_SUSPECT] = 3, [TREND_EXHAUSTION] = 4,
		[TREND_LEAKING] = 5,
	};

	return ranks[state];
}

struct showing *showings_find(const struct entry *e, uint32_t target, uint64_t part)
{
	for (size_t i = 0; i < e->n_showings; i++)
		if (e->showings[i].target == target && e->showings[i].part == part)
			return &e->showings[i];
	return NULL;
}

bool showings_have(const struct entry *e, uint32_t target)
{
	for (size_t i = 0; i < e->n_showings; i++)
		if (e->showings[i].target == target)
			return true;
	return false;
}

void showings_drop(struct entry *e, uint32_t target)
{
	size_t kept = 0;

	for (size_t i = 0; i < e->n_showings; i++)
		if (e->showings[i].target != target)
			e->showings[kept++] = e->showings[i];
	e->n_showings = kept;
}

int showings_note(struct entry *e, const struct showing *s)
{
	struct showing *known = showings_find(e, s->target, s->part);

	if (state_rank(s->state) == 0) {
		if (known)
			*known = e->showings[--e->n_showings];
		return 0;
	}
	if (known) {
		*known = *s;
		return 0;
	}
	if (e->n_showings == e->room) {
		size_t room = e->room ? 2 * e->room : 1;
		struct showing *more = reallocarray(e->showings, room, sizeof(*more));

		if (!more)
			return -ENOMEM;
		e->showings = more;
		e->room = room;
	}
	e->showings[e->n_showings++] = *s;
	return 0;
}

enum trend_state showings_state(const struct entry *e, const struct alert *but)
{
	const struct showing *left_out = but ? showings_find(e, but->target, but->part) : NULL;
	enum trend_state gravest = TREND_QUIET;

	for (size_t i = 0; i < e->n_showings; i++)
		if (&e->showings[i] != left_out &&
		    state_rank(e->showings[i].state) > state_rank(gravest))
			gravest = e->showings[i].state;
	return gravest;
}
