/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A book, what its listener heard, and findings for it. After cmocka.h. */
#ifndef TESTS_UNIT_ALERT_HEARD_H
#define TESTS_UNIT_ALERT_HEARD_H

#include <stdio.h>

#include "alert/book.h"
#include "unit/alert_fixture.h"

/* What the listener was told: a letter for each event. */
struct heard {
	char letters[64];
	uint64_t last_id;
	bool last_kept;
};

static inline void hear(enum alert_event event, const struct alert *a, void *userdata)
{
	static const char letters[] = "scOGTRVXasm";
	struct heard *heard = userdata;
	size_t n = strlen(heard->letters);

	assert_true(n + 1 < sizeof(heard->letters));
	heard->letters[n] = letters[event];
	heard->last_id = a->id;
	heard->last_kept = alert_is_kept(a);
}

/* Expects these letters since the last time. */
static inline void expect(struct heard *heard, const char *letters)
{
	assert_string_equal(heard->letters, letters);
	*heard = (struct heard){ .last_kept = heard->last_kept };
}

static inline int take(struct alert_book *b, uint32_t target, enum trend_state state,
		       enum trend_event event, double mib_per_hour, uint64_t now)
{
	struct alert *a = fixture_alert(7, target);

	a->state = state;
	a->evidence.state = state;
	a->evidence.bytes_per_tick = mib_per_hour * MiB / 60;
	return alert_book_take(b, a, event, now);
}

static inline struct alert_book *book_with(struct heard *heard)
{
	struct alert_book *b = alert_book_new();

	assert_non_null(b);
	*heard = (struct heard){ 0 };
	alert_book_listen(b, hear, heard);
	return b;
}

#endif
