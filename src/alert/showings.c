// SPDX-License-Identifier: GPL-2.0-or-later
/* Which processes of a service show a leak. See book_state.h. */
#include "alert/book_state.h"

#include <errno.h>
#include <string.h>

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

	for (size_t i = 0; i < e->n_showings; i++) {
		if (e->showings[i].target == target)
			free(e->showings[i].stacks);
		else
			e->showings[kept++] = e->showings[i];
	}
	e->n_showings = kept;
}

void showings_done(struct entry *e)
{
	for (size_t i = 0; i < e->n_showings; i++)
		free(e->showings[i].stacks);
	free(e->showings);
	e->showings = NULL;
	e->n_showings = e->room = 0;
}

static int make_room(struct entry *e)
{
	size_t room = e->room ? 2 * e->room : 1;
	struct showing *more;

	if (e->n_showings < e->room)
		return 0;
	more = reallocarray(e->showings, room, sizeof(*more));
	if (!more)
		return -ENOMEM;
	e->showings = more;
	e->room = room;
	return 0;
}

int showings_note(struct entry *e, const struct showing *s)
{
	struct showing *known = showings_find(e, s->target, s->part);
	uint64_t *stacks;

	if (state_rank(s->state) == 0) {
		if (!known)
			return 0;
		free(known->stacks);
		*known = e->showings[--e->n_showings];
		return 0;
	}
	if (!known && make_room(e) < 0)
		return -ENOMEM;
	stacks = calloc(s->n_stacks + 1, sizeof(*stacks));
	if (!stacks)
		return -ENOMEM;
	if (s->n_stacks)
		memcpy(stacks, s->stacks, s->n_stacks * sizeof(*stacks));
	if (known)
		free(known->stacks);
	else
		known = &e->showings[e->n_showings++];
	*known = *s;
	known->stacks = stacks;
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
