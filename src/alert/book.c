// SPDX-License-Identifier: GPL-2.0-or-later
/* The entries of the book and who is called. See book.h; what evaluations find is in book_take.c. */
#include "alert/book.h"

#include <errno.h>
#include <math.h>
#include <string.h>

#include "alert/book_state.h"

static const char *const events[] = {
	[ALERT_SUSPECTED] = "suspected",
	[ALERT_CLEARED] = "cleared",
	[ALERT_OPENED] = "opened",
	[ALERT_GREW] = "grew",
	[ALERT_STOPPED] = "stopped",
	[ALERT_RESUMED] = "resumed",
	[ALERT_RESOLVED] = "resolved",
	[ALERT_CLOSED] = "closed",
	[ALERT_ACKNOWLEDGED] = "acknowledged",
	[ALERT_SUPPRESSED] = "suppressed",
	[ALERT_MARKED] = "marked",
};

const char *alert_event_name(enum alert_event event)
{
	return events[event];
}

struct alert_book *alert_book_new(void)
{
	return calloc(1, sizeof(struct alert_book));
}

static void free_entry(struct entry *e)
{
	alert_free(e->a);
	showings_done(e);
	free(e);
}

void book_drop(struct alert_book *b, struct entry *e)
{
	uint64_t id = e->id;

	HASH_DEL(b->entries, e);
	b->n--;
	free_entry(e);
	if (b->forgotten)
		b->forgotten(id, b->forgotten_userdata);
}

struct alert_book *alert_book_free(struct alert_book *b)
{
	struct entry *e, *next;

	if (!b)
		return NULL;
	HASH_ITER(hh, b->entries, e, next) {
		HASH_DEL(b->entries, e);
		free_entry(e);
	}
	suppressions_free(b->suppressions);
	free(b);
	return NULL;
}

void alert_book_listen(struct alert_book *b, alert_listener_fn callback, void *userdata)
{
	b->listener = callback;
	b->userdata = userdata;
}

void alert_book_listen_forgotten(struct alert_book *b, alert_forgotten_fn callback, void *userdata)
{
	b->forgotten = callback;
	b->forgotten_userdata = userdata;
}

void alert_book_listen_silent(struct alert_book *b, alert_silent_fn callback, void *userdata)
{
	b->silent = callback;
	b->silent_userdata = userdata;
}

struct entry *book_find(const struct alert_book *b, uint64_t id)
{
	struct entry *e;

	HASH_FIND(hh, b->entries, &id, sizeof(id), e);
	return e;
}

const struct alert *alert_book_find(const struct alert_book *b, uint64_t id)
{
	const struct entry *e = book_find(b, id);

	return e ? e->a : NULL;
}

size_t alert_book_showings(const struct alert_book *b, uint64_t id, const struct showing **ret)
{
	const struct entry *e = book_find(b, id);

	*ret = e ? e->showings : NULL;
	return e ? e->n_showings : 0;
}

uint64_t alert_book_lost(const struct alert_book *b)
{
	return b->lost;
}

static bool is_answer(enum alert_event event)
{
	return event == ALERT_ACKNOWLEDGED || event == ALERT_SUPPRESSED || event == ALERT_MARKED;
}

void book_emit(struct alert_book *b, enum alert_event event, const struct entry *e)
{
	if (b->listener && (!e->a->suppressed_by || is_answer(event)))
		b->listener(event, e->a, b->userdata);
}

void book_tell(struct alert_book *b, enum alert_event event, struct entry *e, uint64_t now_ms)
{
	struct alert *a = e->a;

	if (a->suppressed_by)
		return;
	a->is_told = true;
	a->times_told++;
	if (a->opened_ms == 0)
		a->opened_ms = now_ms;
	book_emit(b, event, e);
}

static bool is_answered(const struct alert *a)
{
	return a->is_acknowledged || a->note || a->mark != ALERT_UNMARKED ||
	       (a->suppressed_by && strcmp(a->suppressed_by, ALERT_BY_ID) == 0);
}

bool alert_is_kept(const struct alert *a)
{
	return a->is_told || a->closed_ms == 0 || is_answered(a);
}

/* Does it make room sooner? Closed ones, those that nobody answered to first, then the oldest. */
static bool goes_sooner(const struct alert *a, const struct alert *than)
{
	if (is_answered(a) != is_answered(than))
		return !is_answered(a);
	return a->changed_ms < than->changed_ms;
}

/* Room for what people will be told is also made by suspects, or many of these could hide it. */
static int make_room(struct alert_book *b, const struct alert *for_this)
{
	struct entry *e, *next, *closed = NULL, *suspect = NULL;

	if (b->n < ALERT_BOOK_MAX)
		return 0;
	HASH_ITER(hh, b->entries, e, next) {
		struct entry **best = e->a->closed_ms ? &closed : &suspect;

		if (!e->a->closed_ms && (e->a->is_told || e->a->state != TREND_SUSPECT))
			continue;
		if (!*best || goes_sooner(e->a, (*best)->a))
			*best = e;
	}
	if (!closed && suspect && state_is_alert(for_this->state)) {
		suspect->a->state = TREND_QUIET;
		suspect->a->closed_ms = suspect->a->changed_ms;
		book_emit(b, ALERT_CLEARED, suspect);
		closed = suspect;
	}
	if (!closed)
		return -ENOSPC;
	book_drop(b, closed);
	return 0;
}

int book_add(struct alert_book *b, struct alert *a, struct entry **ret)
{
	_cleanup_(alert_freep) struct alert *owned = a;
	struct entry *e;
	int r;

	r = make_room(b, a);
	if (r < 0)
		return r;
	e = calloc(1, sizeof(*e));
	if (!e)
		return -ENOMEM;
	e->id = a->id;
	HASH_ADD(hh, b->entries, id, sizeof(e->id), e);
	if (e->failed) {
		free(e);
		return -ENOMEM;
	}
	e->a = TAKE_PTR(owned);
	b->n++;
	*ret = e;
	return 0;
}

int alert_book_restore(struct alert_book *b, struct alert *a)
{
	_cleanup_(alert_freep) struct alert *owned = a;
	struct entry *e;
	int r;

	if (book_find(b, a->id))
		return -EEXIST;
	r = book_add(b, TAKE_PTR(owned), &e);
	if (r < 0)
		b->lost++;
	return r;
}

static int show_again(struct alert *a, const struct showing *s, const char *target_id)
{
	uint64_t *stacks = calloc(s->n_stacks + 1, sizeof(*stacks));

	if (!stacks)
		return -ENOMEM;
	for (size_t i = 0; i < s->n_stacks; i++)
		stacks[i] = s->stacks[i];
	free(a->stacks);
	a->stacks = stacks;
	a->n_stacks = s->n_stacks;
	a->target = s->target;
	a->part = s->part;
	(void)snprintf(a->target_id, sizeof(a->target_id), "%s", target_id);
	return 0;
}

int alert_book_resume(struct alert_book *b, uint64_t id, const struct showing *s,
		      const char *target_id)
{
	struct entry *e = book_find(b, id);
	int r;

	if (!e || e->a->closed_ms)
		return -ENOENT;
	r = showings_note(e, s);
	return r == 0 && target_id ? show_again(e->a, s, target_id) : r;
}

/* Seconds; without a forecast it is further than all others. */
static double to_limit(const struct alert *a)
{
	double ticks = a->evidence.ticks_to_limit;

	return ticks > 0 ? alert_seconds(a, ticks) : INFINITY;
}

/* What a person should look at first comes first. */
static int compare(const void *x, const void *y)
{
	const struct alert *a = *(const struct alert *const *)x;
	const struct alert *b = *(const struct alert *const *)y;
	bool is_open = a->closed_ms == 0;

	if (is_open != (b->closed_ms == 0))
		return is_open ? -1 : 1;
	if (is_open && a->severity != b->severity)
		return a->severity > b->severity ? -1 : 1;
	if (is_open && (to_limit(a) < to_limit(b) || to_limit(b) < to_limit(a)))
		return to_limit(a) < to_limit(b) ? -1 : 1;
	if (a->changed_ms != b->changed_ms)
		return a->changed_ms > b->changed_ms ? -1 : 1;
	return a->id < b->id ? -1 : a->id > b->id;
}

int alert_book_list(const struct alert_book *b, const struct alert ***ret, size_t *ret_n)
{
	const struct alert **list = malloc((b->n ? b->n : 1) * sizeof(*list));
	struct entry *e, *next;
	size_t n = 0;

	if (!list)
		return -ENOMEM;
	HASH_ITER(hh, b->entries, e, next) {
		list[n++] = e->a;
	}
	qsort(list, n, sizeof(*list), compare);
	*ret = list;
	*ret_n = n;
	return 0;
}

size_t alert_book_count_open(const struct alert_book *b)
{
	struct entry *e, *next;
	size_t n = 0;

	HASH_ITER(hh, b->entries, e, next) {
		n += e->a->is_told && state_is_alert(e->a->state) && !e->a->is_acknowledged &&
		     !e->a->suppressed_by;
	}
	return n;
}
