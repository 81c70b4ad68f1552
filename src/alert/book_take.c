// SPDX-License-Identifier: GPL-2.0-or-later
/* What evaluations find, and what becomes an event. See book.h. */
#include "alert/book.h"

#include <errno.h>
#include <string.h>

#include "alert/book_state.h"

/* Another process is shown only if it leaks this much faster: processes of a kind leak alike. */
#define TAKES_OVER 1.25
/* Told again when a new life or another process is this much faster (trend/states.c has the same). */
#define GREW	   2

/* What happened to an entry, for the choice of its event. */
struct change {
	enum trend_state to;
	enum trend_event event; /* of the process that is shown; TREND_NOTHING of others */
	bool grew;
};

static double rate_of(const struct alert *a)
{
	return alert_bytes_per_hour(a, a->evidence.bytes_per_tick);
}

static bool has_grown(const struct alert *old, const struct alert *found, enum trend_event event)
{
	if (event == TREND_GREW)
		return true;
	return (event == TREND_OPENED || event == TREND_CONTINUED) &&
	       (found->severity > old->severity ||
		(rate_of(old) > 0 && rate_of(found) >= GREW * rate_of(old)));
}

static void tell_alert(struct alert_book *b, struct entry *e, enum trend_state from,
		       const struct change *c, uint64_t now_ms)
{
	bool is_new_claim =
		c->event == TREND_OPENED &&
		(!state_is_alert(from) || (from == TREND_EXHAUSTION && c->to == TREND_LEAKING));

	if (!e->a->is_told || is_new_claim)
		book_tell(b, ALERT_OPENED, e, now_ms);
	else if (c->grew)
		book_tell(b, ALERT_GREW, e, now_ms);
	else if (!state_is_alert(from))
		book_emit(b, ALERT_RESUMED, e);
}

/* The event of leaving a state for one that is no alert. */
static void tell_end(struct alert_book *b, struct entry *e, enum trend_state from,
		     enum trend_state to)
{
	static const enum alert_event of_alert[] = {
		[TREND_STOPPED] = ALERT_STOPPED,
		[TREND_RESOLVED] = ALERT_RESOLVED,
		[TREND_CLOSED] = ALERT_CLOSED,
		[TREND_QUIET] = ALERT_CLEARED,
	};

	if (to == TREND_SUSPECT)
		book_emit(b, ALERT_SUSPECTED, e);
	else if (from == TREND_SUSPECT)
		book_emit(b, ALERT_CLEARED, e);
	else if (e->a->is_told && (state_is_alert(from) || from == TREND_STOPPED))
		book_emit(b, of_alert[to], e);
}

/* Brings an entry into a state, tells of it, and forgets what is over and was never told. */
static void change_state(struct alert_book *b, struct entry *e, const struct change *c,
			 uint64_t now_ms)
{
	struct alert *a = e->a;
	enum trend_state from = a->state;

	a->state = c->to;
	if (from != c->to)
		a->changed_ms = now_ms;
	if (state_is_open(c->to))
		a->closed_ms = 0;
	else if (a->closed_ms == 0)
		a->closed_ms = now_ms;
	if (state_is_alert(c->to))
		tell_alert(b, e, from, c, now_ms);
	else if (from != c->to)
		tell_end(b, e, from, c->to);
	if (e->n_showings == 0 && !alert_is_kept(a))
		book_drop(b, e);
	else if (from != c->to && a->suppressed_by && b->silent)
		b->silent(a, b->silent_userdata);
}

/*
 * The state over all processes. What people were told does not fall back to a suspicion: it stands
 * until it has stopped, was freed, or its processes end.
 */
static enum trend_state state_of(const struct entry *e)
{
	enum trend_state gravest = showings_state(e, NULL), old = e->a->state;

	if (!e->a->is_told || !state_is_alert(old))
		return gravest;
	if (gravest == TREND_SUSPECT)
		return old;
	return gravest == TREND_QUIET ? TREND_STOPPED : gravest;
}

static void swap_text(char **a, char **b)
{
	char *t = *a;

	*a = *b;
	*b = t;
}

/* An evaluation that finds nothing new says nothing of what was found: the last finding stands. */
static void keep_finding(const struct alert *old, struct alert *found)
{
	struct trend_evidence now = found->evidence;

	if (now.channel != TREND_BY_NONE || old->evidence.channel == TREND_BY_NONE)
		return;
	found->evidence = old->evidence;
	found->evidence.state = now.state;
	found->evidence.event = now.event;
	found->evidence.live_bytes = now.live_bytes;
	found->evidence.headroom_bytes = now.headroom_bytes;
	found->evidence.lost_share = now.lost_share;
	if (now.until > 0) {
		found->evidence.leaked_bytes = now.leaked_bytes;
		found->evidence.leaked_blocks = now.leaked_blocks;
	}
	found->life = old->life;
	found->prior_odds = old->prior_odds;
	found->severity = old->severity;
	if (found->n_bars == 0) {
		memcpy(found->bars, old->bars, sizeof(found->bars));
		found->n_bars = old->n_bars;
	}
}

static bool is_same_text(const char *a, const char *b)
{
	return a && b ? strcmp(a, b) == 0 : !a && !b;
}

static bool has_same_frames(const struct alert *a, const struct alert *b)
{
	if (a->n_frames != b->n_frames)
		return false;
	for (size_t i = 0; i < a->n_frames; i++)
		if (!is_same_text(a->frames[i].function, b->frames[i].function) ||
		    !is_same_text(a->frames[i].file, b->frames[i].file) ||
		    !is_same_text(a->frames[i].module, b->frames[i].module))
			return false;
	return true;
}

/* Names come late, and not again for a process that is gone. */
static void keep_frames(struct alert *old, struct alert *found)
{
	if (found->n_frames > 0)
		return;
	free(found->frames);
	found->frames = TAKE_PTR(old->frames);
	found->n_frames = old->n_frames;
	old->n_frames = 0;
}

/* Holders and lines are looked for now and then, and are not asked for again for a process that is gone. */
static void keep_python(struct entry *e, struct alert *old, struct alert *found)
{
	/* Lines come late; patterns may know them. */
	if (found->python && (!old->python || old->python->n_created_at == 0))
		e->is_matched = false;
	if (!found->python)
		found->python = TAKE_PTR(old->python);
	else if (old->python)
		alert_python_keep(old->python, found->python);
}

/* The entry shows @found from now on, with what it was and what people said kept. */
static void show(struct entry *e, struct alert *found, uint64_t now_ms)
{
	struct alert *old = e->a;

	keep_finding(old, found);
	keep_frames(old, found);
	keep_python(e, old, found);
	if (old->n_frames > 0 ? !has_same_frames(old, found) : found->n_frames > 0)
		e->is_matched = false;
	found->state = old->state;
	found->is_told = old->is_told;
	found->opened_ms = old->opened_ms;
	found->closed_ms = old->closed_ms;
	found->times_told = old->times_told;
	found->changed_ms = found->severity != old->severity ? now_ms : old->changed_ms;
	found->is_acknowledged = old->is_acknowledged;
	found->mark = old->mark;
	swap_text(&found->note, &old->note);
	swap_text(&found->suppressed_by, &old->suppressed_by);
	e->a = found;
	alert_free(old);
}

/* Of several processes (and places of one name) what it shows already, unless another is clearly worse. */
static bool is_to_be_shown(const struct entry *e, const struct alert *found)
{
	const struct showing *shown = showings_find(e, e->a->target, e->a->part);
	int rank = state_rank(found->state);

	/* The entry is in the gravest state, and does not show a process that is not. */
	if (rank < state_rank(showings_state(e, found)))
		return false;
	if (!shown || (shown->target == found->target && shown->part == found->part))
		return true;
	if (rank != state_rank(shown->state))
		return rank > state_rank(shown->state);
	return rate_of(found) > TAKES_OVER * shown->bytes_per_hour;
}

static bool is_over(enum trend_state state)
{
	return state == TREND_QUIET || state == TREND_RESOLVED || state == TREND_CLOSED;
}

static struct showing showing_of(const struct alert *found)
{
	return (struct showing){
		.target = found->target,
		.part = found->part,
		.state = found->state,
		.bytes_per_hour = rate_of(found),
		.stacks = found->stacks,
		.n_stacks = found->n_stacks,
	};
}

static int add_found(struct alert_book *b, struct alert *found, uint64_t now_ms, struct entry **ret)
{
	struct showing s = showing_of(found);
	struct entry *e;
	int r;

	r = book_add(b, found, &e);
	if (r < 0)
		return r;
	e->a->state = TREND_QUIET;
	e->a->changed_ms = now_ms;
	r = showings_note(e, &s);
	if (r == 0)
		r = book_match(b, e);
	if (r < 0) {
		book_drop(b, e);
		return r;
	}
	*ret = e;
	return 0;
}

static int take_new(struct alert_book *b, struct alert *found, enum trend_event event,
		    uint64_t now_ms)
{
	struct change c = { .to = found->state, .event = event };
	struct entry *e;
	int r;

	if (is_over(found->state)) {
		alert_free(found);
		return 0;
	}
	r = add_found(b, found, now_ms, &e);
	if (r < 0) {
		b->lost++;
		return r;
	}
	change_state(b, e, &c, now_ms);
	return 0;
}

/* The process that is shown is gone; what it has shown stays to be read. */
static void forget_target(struct entry *e, uint32_t target)
{
	struct alert *a = e->a;

	showings_drop(e, target);
	if (a->target != target)
		return;
	a->target = 0;
	a->target_id[0] = '\0';
	free(a->stacks);
	a->stacks = NULL;
	a->n_stacks = 0;
}

static void end_target(struct alert_book *b, struct entry *e, uint32_t target, uint64_t now_ms)
{
	struct change c = { .to = TREND_CLOSED, .event = TREND_NOTHING };

	forget_target(e, target);
	if (e->n_showings > 0)
		c.to = state_of(e);
	else if (e->a->state == TREND_RESOLVED)
		c.to = TREND_RESOLVED;
	change_state(b, e, &c, now_ms);
}

static int take_known(struct alert_book *b, struct entry *e, struct alert *found,
		      enum trend_event event, uint64_t now_ms)
{
	_cleanup_(alert_freep) struct alert *owned = found;
	struct change c = { .event = TREND_NOTHING };
	uint32_t target = found->target;
	bool is_end = found->state == TREND_CLOSED;
	struct showing s = showing_of(found);
	int r;

	/* Quiet after an alert is not the end of it: its bytes are still lost. */
	if (s.state == TREND_QUIET && e->a->is_told && state_is_alert(e->a->state))
		s.state = TREND_STOPPED;
	if (!is_end && showings_note(e, &s) < 0) {
		b->lost++;
		return -ENOMEM;
	}
	if (is_to_be_shown(e, found)) {
		c.event = event;
		c.grew = has_grown(e->a, found, event);
		show(e, TAKE_PTR(owned), now_ms);
	}
	/* Without memory the old answer of the patterns stands. */
	r = book_match(b, e);
	if (is_end) {
		end_target(b, e, target, now_ms);
		return r;
	}
	c.to = state_of(e);
	change_state(b, e, &c, now_ms);
	return r;
}

int alert_book_take(struct alert_book *b, struct alert *found, enum trend_event event,
		    uint64_t now_ms)
{
	struct entry *e = book_find(b, found->id);

	return e ? take_known(b, e, found, event, now_ms) : take_new(b, found, event, now_ms);
}

void alert_book_target_ended(struct alert_book *b, uint32_t target, uint64_t now_ms)
{
	struct entry *e, *next;

	HASH_ITER(hh, b->entries, e, next) {
		if (showings_have(e, target))
			end_target(b, e, target, now_ms);
	}
}

void alert_book_close_unseen(struct alert_book *b, alert_spares_fn spares, void *userdata,
			     uint64_t now_ms)
{
	struct entry *e, *next;

	HASH_ITER(hh, b->entries, e, next) {
		if (e->n_showings == 0 && !is_over(e->a->state) &&
		    !(spares && spares(e->a->service, userdata)))
			end_target(b, e, 0, now_ms);
	}
}
