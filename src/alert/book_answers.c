// SPDX-License-Identifier: GPL-2.0-or-later
/* What people say of an entry, and what their suppression files say. See book.h. */
#include "alert/book.h"

#include <errno.h>
#include <string.h>

#include "alert/book_state.h"
#include "base/utf8.h"

int alert_book_acknowledge(struct alert_book *b, uint64_t id, const char *note, bool on,
			   uint64_t now_ms)
{
	_cleanup_free_ char *copy = NULL;
	struct entry *e = book_find(b, id);
	int r;

	(void)now_ms;
	if (!e)
		return -ENOENT;
	if (note && strlen(note) > ALERT_TEXT_MAX)
		return -E2BIG;
	if (on && note) {
		r = utf8_sanitize(note, strlen(note), &copy);
		if (r < 0)
			return r;
	}
	/* Acknowledged again without a note: the old one still says why. */
	if (!on || copy) {
		free(e->a->note);
		e->a->note = TAKE_PTR(copy);
	}
	e->a->is_acknowledged = on;
	book_emit(b, ALERT_ACKNOWLEDGED, e);
	return 0;
}

int alert_book_suppress(struct alert_book *b, uint64_t id, bool on, uint64_t now_ms)
{
	struct entry *e = book_find(b, id);
	char *by_id = NULL;

	if (!e)
		return -ENOENT;
	if (on) {
		by_id = strdup(ALERT_BY_ID);
		if (!by_id)
			return -ENOMEM;
	}
	free(e->a->suppressed_by);
	e->a->suppressed_by = by_id;
	book_emit(b, ALERT_SUPPRESSED, e);
	if (!on && !e->a->is_told && state_is_alert(e->a->state))
		book_tell(b, ALERT_OPENED, e, now_ms);
	return 0;
}

int alert_book_mark(struct alert_book *b, uint64_t id, enum alert_mark mark, uint64_t now_ms)
{
	struct entry *e = book_find(b, id);

	(void)now_ms;
	if (!e)
		return -ENOENT;
	e->a->mark = mark;
	book_emit(b, ALERT_MARKED, e);
	return 0;
}

void alert_book_count_marks(const struct alert_book *b, struct confidence_marks *ret)
{
	struct entry *e, *next;

	*ret = (struct confidence_marks){ 0 };
	HASH_ITER(hh, b->entries, e, next) {
		const struct alert *a = e->a;

		/* Without a finding there is nothing that the mark could confirm. */
		if (a->mark == ALERT_UNMARKED || !(a->evidence.confidence > 0))
			continue;
		ret->n_true += a->mark == ALERT_TRUE;
		ret->n_false += a->mark == ALERT_FALSE;
		ret->expected += confidence_of_corpus(a->evidence.confidence, a->prior_odds);
	}
}

static bool is_by_id(const struct alert *a)
{
	return a->suppressed_by && strcmp(a->suppressed_by, ALERT_BY_ID) == 0;
}

static bool is_same(const char *a, const char *b)
{
	return a && b ? strcmp(a, b) == 0 : !a && !b;
}

/* Of Python objects, lines that make them and the code that they run are as good as frames. */
static const char *find_python(const struct suppressions *s, const struct alert_python *p)
{
	struct frame code = { .function = p ? p->function : NULL, .file = p ? p->file : NULL };
	const char *by = p ? suppressions_find_type(s, p->type) : NULL;

	for (size_t i = 0; p && !by && i < p->n_created_at; i++) {
		struct frame line = { .function = p->created_at[i].function,
				      .file = p->created_at[i].file };

		by = suppressions_find(s, &line, 1);
	}
	return by ?: suppressions_find(s, &code, 1);
}

int book_match(struct alert_book *b, struct entry *e)
{
	struct alert *a = e->a;
	const char *by;
	char *copy = NULL;

	if (e->is_matched || is_by_id(a))
		return 0;
	by = suppressions_find(b->suppressions, a->frames, a->n_frames) ?:
		     find_python(b->suppressions, a->python);
	if (by && !is_same(by, a->suppressed_by)) {
		copy = strdup(by);
		if (!copy)
			return -ENOMEM;
	}
	e->is_matched = true;
	if (is_same(by, a->suppressed_by))
		return 0;
	free(a->suppressed_by);
	a->suppressed_by = copy;
	/* A new entry has no state yet, and nobody knows of it. */
	if (a->state != TREND_QUIET)
		book_emit(b, ALERT_SUPPRESSED, e);
	return 0;
}

int alert_book_describe(struct alert_book *b, uint64_t id, struct alert_python *p)
{
	_cleanup_(alert_python_freep) struct alert_python *known = p;
	struct entry *e = book_find(b, id);
	struct alert *a = e ? e->a : NULL;
	int r;

	if (!a)
		return -ENOENT;
	if (a->python)
		alert_python_keep(a->python, known);
	alert_python_free(a->python);
	a->python = TAKE_PTR(known);
	e->is_matched = false;
	r = book_match(b, e);
	if (b->silent)
		b->silent(a, b->silent_userdata);
	return r;
}

int alert_book_set_suppressions(struct alert_book *b, const char *text, size_t size,
				unsigned *ret_line, const char **ret_why)
{
	struct suppressions *s;
	struct entry *e, *next;
	int r;

	r = suppressions_parse(text, size, &s, ret_line, ret_why);
	if (r < 0)
		return r;
	suppressions_free(b->suppressions);
	b->suppressions = s;
	HASH_ITER(hh, b->entries, e, next) {
		e->is_matched = false;
		/* If memory is short it is tried again with the next evaluation. */
		(void)book_match(b, e);
	}
	return 0;
}
