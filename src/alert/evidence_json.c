// SPDX-License-Identifier: GPL-2.0-or-later
/* The evidence, exactly. See evidence_json.h. */
#include "alert/evidence_json.h"

#include <errno.h>
#include <math.h>
#include <stddef.h>
#include <string.h>

#include "alert/alert.h"
#include "base/cleanup.h"
#include "base/values.h"

static const char *const channels[] = {
	[TREND_BY_NONE] = "none",
	[TREND_BY_COHORTS] = "cohorts",
	[TREND_BY_KNOWN] = "known",
	[TREND_BY_FEW_BLOCKS] = "few_blocks",
	[TREND_BY_EXHAUSTION] = "exhaustion",
};

static const char *const holds[] = {
	[TREND_NOT_HELD] = "none",
	[TREND_HELD_BY_LOSSES] = "losses",
	[TREND_HELD_BY_CONFIDENCE] = "confidence",
	[TREND_HELD_ONCE] = "once",
};

static const char *const events[] = {
	[TREND_NOTHING] = "nothing",	   [TREND_SUSPECTED] = "suspected",
	[TREND_CLEARED] = "cleared",	   [TREND_OPENED] = "opened",
	[TREND_CONTINUED] = "continued",   [TREND_GREW] = "grew",
	[TREND_HAS_STOPPED] = "stopped",   [TREND_RESUMED] = "resumed",
	[TREND_HAS_RESOLVED] = "resolved",
};

enum number_kind {
	REAL,
	WHOLE
};

/* One table for both directions: a member that is missing here is lost by a restart. */
static const struct number {
	const char *key;
	size_t offset;
	enum number_kind kind;
} numbers[] = {
#define NUMBER(key, member, kind)                                  \
	{                                                          \
		key, offsetof(struct trend_evidence, member), kind \
	}
	NUMBER("confidence", confidence, REAL),
	NUMBER("e_value", e_value, REAL),
	NUMBER("now", now, WHOLE),
	NUMBER("since", since, WHOLE),
	NUMBER("until", until, WHOLE),
	NUMBER("leaked_bytes", leaked_bytes, REAL),
	NUMBER("leaked_blocks", leaked_blocks, REAL),
	NUMBER("window_from", window.from, WHOLE),
	NUMBER("window_width", window.width, WHOLE),
	NUMBER("window_bytes", window.sum.bytes, REAL),
	NUMBER("window_blocks", window.sum.blocks, REAL),
	NUMBER("window_births", window.sum.births, REAL),
	NUMBER("window_work", window.sum.work, REAL),
	NUMBER("presence_active", presence.active, WHOLE),
	NUMBER("presence_positive", presence.positive, WHOLE),
	NUMBER("presence_last", presence.last, WHOLE),
	NUMBER("presence_gap", presence.gap, WHOLE),
	NUMBER("presence_share", presence.share, REAL),
	NUMBER("window_rate_by_time", window_rate.time, REAL),
	NUMBER("window_rate_by_work", window_rate.work, REAL),
	NUMBER("window_rate_by_survival", window_rate.survival, REAL),
	NUMBER("window_rate", window_rate.best, REAL),
	NUMBER("life_rate_by_time", life_rate.time, REAL),
	NUMBER("life_rate_by_work", life_rate.work, REAL),
	NUMBER("life_rate_by_survival", life_rate.survival, REAL),
	NUMBER("life_rate", life_rate.best, REAL),
	NUMBER("survival", survival, REAL),
	NUMBER("longest_lifetime", longest_lifetime, REAL),
	NUMBER("maturity", maturity, REAL),
	NUMBER("freed_beyond", freed_beyond, REAL),
	NUMBER("bytes_per_tick", bytes_per_tick, REAL),
	NUMBER("bytes_per_tick_low", bytes_per_tick_low, REAL),
	NUMBER("bytes_per_tick_high", bytes_per_tick_high, REAL),
	NUMBER("live_bytes", live_bytes, REAL),
	NUMBER("proven_bytes", proven_bytes, REAL),
	NUMBER("headroom_bytes", headroom_bytes, REAL),
	NUMBER("ticks_to_limit", ticks_to_limit, REAL),
	NUMBER("ticks_to_limit_low", ticks_to_limit_low, REAL),
	NUMBER("ticks_to_limit_high", ticks_to_limit_high, REAL),
	NUMBER("grows_for", grows_for, REAL),
	NUMBER("ticks_to_limit_then", ticks_to_limit_then, REAL),
	NUMBER("waited", waited, REAL),
	NUMBER("required", required, REAL),
	NUMBER("carry", carry, REAL),
	NUMBER("known", known, REAL),
	NUMBER("lost_share", lost_share, REAL),
	NUMBER("lives", lives, WHOLE),
#undef NUMBER
};

_Static_assert(sizeof(unsigned) == sizeof(uint32_t), "whole members have one size");

const char *evidence_channel_name(enum trend_channel channel)
{
	return channel == TREND_BY_NONE ? NULL : channels[channel];
}

const char *evidence_hold_name(enum trend_hold hold)
{
	return hold == TREND_NOT_HELD ? NULL : holds[hold];
}

static json_t *number_json(const struct trend_evidence *e, const struct number *number)
{
	const char *at = (const char *)e + number->offset;
	uint32_t whole;
	double real;

	if (number->kind == WHOLE) {
		memcpy(&whole, at, sizeof(whole));
		return json_integer(whole);
	}
	memcpy(&real, at, sizeof(real));
	return view_real(real);
}

static json_t *slices_json(const struct window *w)
{
	json_auto_t *slices = json_array();
	int r = 0;

	for (unsigned i = 0; i < w->n && i < WINDOW_SLICES; i++) {
		const struct slice *s = &w->slices[i];
		json_auto_t *slice = json_array();

		r |= view_append(slice, view_real(s->bytes));
		r |= view_append(slice, view_real(s->blocks));
		r |= view_append(slice, view_real(s->births));
		r |= view_append(slice, view_real(s->work));
		r |= view_append(slices, TAKE_PTR(slice));
	}
	return r < 0 ? NULL : TAKE_PTR(slices);
}

json_t *evidence_to_json(const struct trend_evidence *e)
{
	json_auto_t *o = json_object();
	int r = 0;

	r |= view_put(o, "state", json_string(alert_state_name(e->state)));
	r |= view_put(o, "event", json_string(events[e->event]));
	r |= view_put(o, "channel", json_string(channels[e->channel]));
	r |= view_put(o, "severity", json_string(alert_severity_name(e->severity)));
	r |= view_put(o, "hold", json_string(holds[e->hold]));
	for (size_t i = 0; i < ARRAY_SIZE(numbers); i++)
		r |= view_put(o, numbers[i].key, number_json(e, &numbers[i]));
	r |= view_put(o, "slices", slices_json(&e->window));
	return r < 0 ? NULL : TAKE_PTR(o);
}

static int read_word(const json_t *json, const char *key, const char *const *words, size_t n)
{
	const char *text = json_string_value(json_object_get(json, key));

	for (size_t i = 0; text && i < n; i++)
		if (strcmp(words[i], text) == 0)
			return (int)i;
	return -EINVAL;
}

/* Infinity is the one number that JSON has not got; it was written as null. */
static int read_real(const json_t *value, double *ret)
{
	if (json_is_null(value))
		*ret = INFINITY;
	else if (json_is_number(value))
		*ret = json_number_value(value);
	else
		return -EINVAL;
	return 0;
}

static int read_number(const json_t *json, const struct number *number, struct trend_evidence *e)
{
	const json_t *value = json_object_get(json, number->key);
	char *at = (char *)e + number->offset;
	json_int_t whole;
	double real;

	if (number->kind == REAL) {
		if (read_real(value, &real) < 0)
			return -EINVAL;
		memcpy(at, &real, sizeof(real));
		return 0;
	}
	whole = json_integer_value(value);
	if (!json_is_integer(value) || whole < 0 || whole > UINT32_MAX)
		return -EINVAL;
	memcpy(at, &(uint32_t){ (uint32_t)whole }, sizeof(uint32_t));
	return 0;
}

static int read_slices(const json_t *json, struct window *w)
{
	const json_t *slices = json_object_get(json, "slices");
	size_t n = json_array_size(slices);
	int r = 0;

	if (!json_is_array(slices) || n > WINDOW_SLICES)
		return -EINVAL;
	for (size_t i = 0; i < n; i++) {
		const json_t *slice = json_array_get(slices, i);

		r |= read_real(json_array_get(slice, 0), &w->slices[i].bytes);
		r |= read_real(json_array_get(slice, 1), &w->slices[i].blocks);
		r |= read_real(json_array_get(slice, 2), &w->slices[i].births);
		r |= read_real(json_array_get(slice, 3), &w->slices[i].work);
	}
	w->n = (unsigned)n;
	return r;
}

int evidence_from_json(const json_t *json, struct trend_evidence *ret)
{
	struct trend_evidence e = { 0 };
	const char *state = json_string_value(json_object_get(json, "state"));
	const char *severity = json_string_value(json_object_get(json, "severity"));
	int event = read_word(json, "event", events, ARRAY_SIZE(events));
	int channel = read_word(json, "channel", channels, ARRAY_SIZE(channels));
	int hold = read_word(json, "hold", holds, ARRAY_SIZE(holds));
	int r = 0;

	if (event < 0 || channel < 0 || hold < 0)
		return -EINVAL;
	e.event = (enum trend_event)event;
	e.channel = (enum trend_channel)channel;
	e.hold = (enum trend_hold)hold;
	r |= alert_state_parse(state, &e.state);
	r |= alert_severity_parse(severity, &e.severity);
	for (size_t i = 0; i < ARRAY_SIZE(numbers); i++)
		r |= read_number(json, &numbers[i], &e);
	r |= read_slices(json, &e.window);
	/* Both are used as indexes and divisors where evidence is explained. */
	if (r < 0 || (e.window.n > 0 && (e.window.width == 0 || e.presence.last >= e.window.n)))
		return -EINVAL;
	*ret = e;
	return 0;
}
