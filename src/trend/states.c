// SPDX-License-Identifier: GPL-2.0-or-later
/* The verdict with hysteresis. See states.h. */
#include "trend/states.h"

#define IN_A_ROW      2
#define RATE_GROWTH   2
#define TELL_AGAIN    10080 /* ticks: seven days of minutes */
#define SILENT_GAPS   2
#define SILENT_SLICES 4
#define RESOLVED      0.5 /* of what was blamed */

static void count(uint8_t *in_a_row, bool is)
{
	if (!is)
		*in_a_row = 0;
	else if (*in_a_row < UINT8_MAX)
		(*in_a_row)++;
}

static void note_told(struct verdict *v, const struct verdict_input *in)
{
	v->told_at = in->now;
	v->told_rate = in->rate;
	v->told_severity = in->severity;
}

static void note_found(struct verdict *v, const struct verdict_input *in)
{
	if (in->channel == TREND_BY_NONE)
		return;
	v->channel = in->channel;
	v->width = in->width;
	v->positive_at = in->now;
	v->since = in->since;
	v->until = in->until;
	v->blamed_bytes = in->found_bytes;
}

static enum trend_event open_alert(struct verdict *v, const struct verdict_input *in,
				   enum trend_state state)
{
	bool known = v->was_alerted || in->earlier_alert;
	enum trend_event event = TREND_OPENED;

	if (v->state == TREND_STOPPED)
		event = TREND_RESUMED;
	else if (!v->was_alerted && known)
		event = TREND_CONTINUED;
	v->state = state;
	v->was_alerted = true;
	v->worse_in_a_row = 0;
	if (event != TREND_RESUMED)
		note_told(v, in);
	return event;
}

/* Does the alert's own scale say that no more of it comes? */
static bool has_stopped(struct verdict *v, const struct verdict_input *in)
{
	uint32_t quiet = in->now - v->positive_at;

	count(&v->worse_in_a_row, in->measured && in->worse && !in->leaking);
	if (in->leaking)
		return false;
	if (v->worse_in_a_row >= IN_A_ROW)
		return true;
	if (in->measured && in->silence > SILENT_GAPS * in->gap &&
	    in->silence > SILENT_SLICES * (double)v->width)
		return true;
	/* Without slices: half as long without growth as the growth had lasted. */
	return v->width == 0 && quiet > (v->positive_at - v->since) / 2;
}

static enum trend_event leave_alert(struct verdict *v, const struct verdict_input *in)
{
	if (v->blamed_bytes > 0 && in->blamed_bytes < RESOLVED * v->blamed_bytes) {
		v->state = TREND_RESOLVED;
		return TREND_HAS_RESOLVED;
	}
	if (has_stopped(v, in)) {
		v->state = TREND_STOPPED;
		return TREND_HAS_STOPPED;
	}
	return TREND_NOTHING;
}

static enum trend_event tell_again(struct verdict *v, const struct verdict_input *in)
{
	if (in->channel == TREND_BY_NONE ||
	    (in->rate < RATE_GROWTH * v->told_rate && in->severity <= v->told_severity &&
	     in->now - v->told_at < TELL_AGAIN))
		return TREND_NOTHING;
	note_told(v, in);
	return TREND_GREW;
}

static enum trend_event in_alert(struct verdict *v, const struct verdict_input *in)
{
	enum trend_event event;

	/* Exhaustion that turns out to be a leak is a new alert. */
	if (v->state == TREND_EXHAUSTION && v->leaking_in_a_row >= IN_A_ROW && !in->held)
		return open_alert(v, in, TREND_LEAKING);
	event = leave_alert(v, in);
	return event == TREND_NOTHING ? tell_again(v, in) : event;
}

enum trend_event verdict_update(struct verdict *v, const struct verdict_input *in)
{
	count(&v->leaking_in_a_row, in->leaking);
	count(&v->suspect_in_a_row, in->suspect || in->leaking);
	count(&v->exhaustion_in_a_row, in->exhaustion);
	count(&v->negative_in_a_row, in->channel == TREND_BY_NONE);

	if (trend_state_is_alert(v->state)) {
		enum trend_event event = in_alert(v, in);

		note_found(v, in);
		return event;
	}
	if (v->leaking_in_a_row >= IN_A_ROW && !in->held) {
		note_found(v, in);
		return open_alert(v, in, TREND_LEAKING);
	}
	if (v->exhaustion_in_a_row >= IN_A_ROW) {
		note_found(v, in);
		return open_alert(v, in, TREND_EXHAUSTION);
	}
	if (v->state == TREND_SUSPECT && v->negative_in_a_row >= IN_A_ROW &&
	    in->now - v->positive_at >= v->width) {
		v->state = TREND_QUIET;
		return TREND_CLEARED;
	}
	if (v->suspect_in_a_row >= IN_A_ROW && v->state != TREND_SUSPECT &&
	    v->state != TREND_STOPPED) {
		note_found(v, in);
		v->state = TREND_SUSPECT;
		return TREND_SUSPECTED;
	}
	if (v->state == TREND_SUSPECT)
		note_found(v, in);
	return TREND_NOTHING;
}
