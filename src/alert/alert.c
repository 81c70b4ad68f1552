// SPDX-License-Identifier: GPL-2.0-or-later
/* The alert itself and its words. See alert.h; its JSON is in alert_json.c and alert_read.c. */
#include "alert/alert.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/wall.h"
#include "heap/group.h"
#include "symbolize/frame_json.h"

static const char *const scopes[] = {
	[ALERT_STACK] = "stack",
	[ALERT_FRAMES] = "frames",
	[ALERT_PROCESS] = "process",
	[ALERT_TYPE] = "type",
};

static const char *const marks[] = {
	[ALERT_UNMARKED] = "unmarked",
	[ALERT_TRUE] = "true",
	[ALERT_FALSE] = "false",
};

static const char *const states[] = {
	[TREND_QUIET] = "quiet",     [TREND_SUSPECT] = "suspect",
	[TREND_LEAKING] = "leaking", [TREND_EXHAUSTION] = "exhaustion",
	[TREND_STOPPED] = "stopped", [TREND_RESOLVED] = "resolved",
	[TREND_CLOSED] = "closed",
};

static const char *const severities[] = {
	[TREND_LOW] = "low",
	[TREND_MEDIUM] = "medium",
	[TREND_HIGH] = "high",
	[TREND_CRITICAL] = "critical",
};

struct alert *alert_new(void)
{
	return calloc(1, sizeof(struct alert));
}

struct alert *alert_free(struct alert *a)
{
	if (!a)
		return NULL;
	for (size_t i = 0; i < a->n_frames; i++)
		frame_release(&a->frames[i]);
	free(a->frames);
	free(a->stacks);
	alert_python_free(a->python);
	free(a->service);
	free(a->exe);
	free(a->unit);
	free(a->cgroup);
	free(a->container);
	free(a->note);
	free(a->suppressed_by);
	free(a);
	return NULL;
}

const char *alert_scope_name(enum alert_scope scope)
{
	return scopes[scope];
}

const char *alert_mark_name(enum alert_mark mark)
{
	return marks[mark];
}

const char *alert_state_name(enum trend_state state)
{
	return states[state];
}

const char *alert_severity_name(enum trend_severity severity)
{
	return severities[severity];
}

static int find_word(const char *const *words, size_t n, const char *text)
{
	for (size_t i = 0; text && i < n; i++)
		if (strcmp(words[i], text) == 0)
			return (int)i;
	return -EINVAL;
}

int alert_scope_parse(const char *text, enum alert_scope *ret)
{
	int i = find_word(scopes, ARRAY_SIZE(scopes), text);

	if (i < 0)
		return i;
	*ret = (enum alert_scope)i;
	return 0;
}

int alert_mark_parse(const char *text, enum alert_mark *ret)
{
	int i = find_word(marks, ARRAY_SIZE(marks), text);

	if (i < 0)
		return i;
	*ret = (enum alert_mark)i;
	return 0;
}

int alert_state_parse(const char *text, enum trend_state *ret)
{
	int i = find_word(states, ARRAY_SIZE(states), text);

	if (i < 0)
		return i;
	*ret = (enum trend_state)i;
	return 0;
}

int alert_severity_parse(const char *text, enum trend_severity *ret)
{
	int i = find_word(severities, ARRAY_SIZE(severities), text);

	if (i < 0)
		return i;
	*ret = (enum trend_severity)i;
	return 0;
}

double alert_seconds(const struct alert *a, double ticks)
{
	return ticks * a->life.tick_seconds;
}

uint64_t alert_wall_ms(const struct alert *a, double ticks)
{
	double ms = (double)a->life.began_ms + alert_seconds(a, ticks) * 1000;

	/* Also false for what is not a number. Beyond the year 9999 there is no such time. */
	if (a->life.began_ms == 0 || !(ms >= 0) || !(ms <= (double)WALL_MS_MAX))
		return 0;
	return (uint64_t)ms;
}

double alert_bytes_per_hour(const struct alert *a, double bytes_per_tick)
{
	return a->life.tick_seconds > 0 ? bytes_per_tick * 3600 / a->life.tick_seconds : 0;
}

bool alert_is_growing(const struct alert *a)
{
	return a->state == TREND_SUSPECT || a->state == TREND_LEAKING ||
	       a->state == TREND_EXHAUSTION;
}

const struct frame *alert_line(const struct alert *a)
{
	for (size_t i = 0; i < a->n_frames; i++)
		if (!frame_is_plumbing(&a->frames[i]))
			return &a->frames[i];
	return a->n_frames > 0 ? &a->frames[0] : NULL;
}

/* An alert of a leak asks for the first (trend/options.c); the second is where one in 20 is wrong. */
#define LIKELY	       0.8
#define ALMOST_CERTAIN 0.95

const char *alert_confidence_word(double confidence)
{
	if (!(confidence > 0))
		return NULL;
	if (confidence < LIKELY)
		return "possible";
	return confidence < ALMOST_CERTAIN ? "likely" : "almost certain";
}
