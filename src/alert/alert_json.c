// SPDX-License-Identifier: GPL-2.0-or-later
/* An alert as the JSON object of the API. See alert.h; the way back is in alert_read.c. */
#include "alert/alert.h"

#include <errno.h>
#include <math.h>

#include "alert/evidence_json.h"
#include "alert/sentences.h"
#include "base/values.h"
#include "base/wall.h"
#include "symbolize/frame_json.h"

static json_t *time_json(uint64_t ms)
{
	char text[WALL_TEXT_MAX];

	if (ms == 0 || wall_format(ms, text) < 0)
		return json_null();
	return json_string(text);
}

/* Estimates of sizes and counts: to the next whole number. */
static json_t *rounded(double number)
{
	if (!isfinite(number))
		return json_null();
	if (number >= 0x1p63)
		return json_integer(INT64_MAX);
	if (number <= -0x1p63)
		return json_integer(INT64_MIN);
	return json_integer((json_int_t)llround(number));
}

static json_t *text_or_null(const char *text)
{
	return view_text(text && *text ? text : NULL);
}

static int put_state(json_t *o, const struct alert *a)
{
	int r = 0;

	r |= view_put(o, "id", view_hex(a->id));
	r |= view_put(o, "service", view_text(a->service));
	r |= view_put(o, "scope", json_string(alert_scope_name(a->scope)));
	r |= view_put(o, "state", json_string(alert_state_name(a->state)));
	r |= view_put(o, "severity", json_string(alert_severity_name(a->severity)));
	r |= view_put(o, "told", json_boolean(a->is_told));
	r |= view_put(o, "opened_at", time_json(a->opened_ms));
	r |= view_put(o, "changed_at", time_json(a->changed_ms));
	r |= view_put(o, "closed_at", time_json(a->closed_ms));
	r |= view_put(o, "times_told", view_u64(a->times_told));
	return r;
}

static int put_process(json_t *o, const struct alert *a)
{
	int r = 0;

	r |= view_put(o, "target", text_or_null(a->target ? a->target_id : NULL));
	r |= view_put(o, "pid", json_integer(a->pid));
	r |= view_put(o, "uid", json_integer(a->uid));
	r |= view_put(o, "comm", view_text(a->comm));
	r |= view_put(o, "exe", view_text(a->exe));
	r |= view_put(o, "unit", view_text(a->unit));
	r |= view_put(o, "cgroup", view_text(a->cgroup));
	r |= view_put(o, "container", view_text(a->container));
	return r;
}

static int put_frames(json_t *o, const struct alert *a)
{
	json_auto_t *frames = json_array();
	int r = 0;

	for (size_t i = 0; i < a->n_frames && i < ALERT_FRAMES_MAX; i++)
		r |= view_append(frames, frame_to_json(&a->frames[i]));
	r |= view_put(o, "frames", TAKE_PTR(frames));
	r |= view_put(o, "n_stacks", view_u64(a->n_stacks));
	return r;
}

static int put_growth(json_t *o, const struct alert *a)
{
	const struct trend_evidence *e = &a->evidence;
	int r = 0;

	r |= view_put(o, "live_bytes", rounded(e->live_bytes));
	r |= view_put(o, "leaked_bytes", rounded(e->leaked_bytes));
	r |= view_put(o, "leaked_blocks", rounded(e->leaked_blocks));
	r |= view_put(o, "error_bytes", rounded(a->sampling_error_bytes));
	r |= view_put(o, "bytes_per_hour", rounded(alert_bytes_per_hour(a, e->bytes_per_tick)));
	r |= view_put(o, "bytes_per_hour_low",
		      rounded(alert_bytes_per_hour(a, e->bytes_per_tick_low)));
	r |= view_put(o, "bytes_per_hour_high",
		      rounded(alert_bytes_per_hour(a, e->bytes_per_tick_high)));
	r |= view_put(o, "since", e->until ? time_json(alert_wall_ms(a, e->since)) : json_null());
	return r;
}

/* Null unless it grows and there is a limit that it nears. */
static json_t *seconds_or_null(const struct alert *a, double ticks)
{
	if (!alert_is_growing(a) || a->evidence.channel == TREND_BY_NONE)
		return json_null();
	return view_real(alert_seconds(a, ticks));
}

static int put_limit(json_t *o, const struct alert *a)
{
	const struct trend_evidence *e = &a->evidence;
	json_auto_t *limit = json_object(), *seconds = seconds_or_null(a, e->ticks_to_limit);
	bool is_reached = seconds && !json_is_null(seconds);
	int r = 0;

	r |= view_put(limit, "headroom_bytes", rounded(e->headroom_bytes));
	r |= view_put(limit, "seconds_to_limit", TAKE_PTR(seconds));
	r |= view_put(limit, "seconds_to_limit_low", seconds_or_null(a, e->ticks_to_limit_low));
	r |= view_put(limit, "seconds_to_limit_high", seconds_or_null(a, e->ticks_to_limit_high));
	r |= view_put(limit, "reached_at",
		      is_reached ? time_json(alert_wall_ms(a, e->now + e->ticks_to_limit)) :
				   json_null());
	r |= view_put(o, "limit", TAKE_PTR(limit));
	return r;
}

static int put_reasons(json_t *o, const struct alert *a)
{
	const struct trend_evidence *e = &a->evidence;
	_cleanup_free_ char *disproof = NULL;
	json_auto_t *sentences = NULL;
	int r = 0;

	if (sentences_evidence(a, &sentences) < 0 || sentences_disproof(a, &disproof) < 0)
		return -ENOMEM;
	r |= view_put(o, "confidence", view_real(e->confidence));
	r |= view_put(o, "confidence_word", view_text(alert_confidence_word(e->confidence)));
	r |= view_put(o, "channel", view_text(evidence_channel_name(e->channel)));
	r |= view_put(o, "hold", view_text(evidence_hold_name(e->hold)));
	r |= view_put(o, "evidence", TAKE_PTR(sentences));
	r |= view_put(o, "hint", view_text(sentences_hint(a)));
	r |= view_put(o, "would_disprove", view_text(disproof));
	return r;
}

static int put_bars(json_t *o, const struct alert *a)
{
	json_auto_t *bars = json_array();
	int r = 0;

	for (size_t i = 0; i < a->n_bars && i < ALERT_BARS; i++) {
		json_auto_t *bar = json_object();

		r |= view_put(bar, "from", time_json(a->bars[i].from_ms));
		r |= view_put(bar, "births", rounded(a->bars[i].births));
		r |= view_put(bar, "blocks", rounded(a->bars[i].blocks));
		r |= view_put(bar, "bytes", rounded(a->bars[i].bytes));
		r |= view_append(bars, TAKE_PTR(bar));
	}
	r |= view_put(o, "bars", TAKE_PTR(bars));
	return r;
}

static int put_memory(json_t *o, const struct alert *a)
{
	bool is_known = a->growth_bytes != 0 || a->explained_bytes != 0;
	int r = 0;

	r |= view_put(o, "growth_bytes", is_known ? rounded(a->growth_bytes) : json_null());
	r |= view_put(o, "explained_bytes", is_known ? rounded(a->explained_bytes) : json_null());
	return r;
}

static int put_answers(json_t *o, const struct alert *a)
{
	int r = 0;

	r |= view_put(o, "acknowledged", json_boolean(a->is_acknowledged));
	r |= view_put(o, "note", view_text(a->note));
	r |= view_put(o, "suppressed_by", view_text(a->suppressed_by));
	r |= view_put(o, "mark",
		      a->mark == ALERT_UNMARKED ? json_null() :
						  json_string(alert_mark_name(a->mark)));
	return r;
}

static json_t *numbers_json(const struct alert *a)
{
	json_auto_t *o = evidence_to_json(&a->evidence);
	int r = 0;

	r |= view_put(o, "prior_odds", view_real(a->prior_odds));
	r |= view_put(o, "began_at", time_json(a->life.began_ms));
	r |= view_put(o, "tick_seconds", view_real(a->life.tick_seconds));
	return r < 0 ? NULL : TAKE_PTR(o);
}

int alert_to_json(const struct alert *a, json_t **ret)
{
	json_auto_t *o = json_object();
	int r = 0;

	r |= put_state(o, a);
	r |= put_process(o, a);
	r |= put_frames(o, a);
	r |= alert_python_put(o, a->python);
	r |= put_growth(o, a);
	r |= put_limit(o, a);
	r |= put_reasons(o, a);
	r |= put_memory(o, a);
	r |= put_bars(o, a);
	r |= put_answers(o, a);
	r |= view_put(o, "numbers", numbers_json(a));
	if (r < 0)
		return -ENOMEM;
	*ret = TAKE_PTR(o);
	return 0;
}
