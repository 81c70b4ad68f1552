// SPDX-License-Identifier: GPL-2.0-or-later
/* An alert from its JSON object. See alert.h and alert_json.c. */
#include "alert/alert.h"

#include <errno.h>
#include <math.h>
#include <string.h>

#include "alert/evidence_json.h"
#include "base/parse.h"
#include "base/wall.h"
#include "symbolize/frame_json.h"

/* Borrowed; NULL for null. Texts with a NUL inside or too long are refused. */
static int read_text(const json_t *json, const char *key, const char **ret)
{
	const json_t *value = json_object_get(json, key);

	if (json_is_null(value)) {
		*ret = NULL;
		return 0;
	}
	if (!json_is_string(value) || json_string_length(value) > ALERT_TEXT_MAX ||
	    strlen(json_string_value(value)) != json_string_length(value))
		return -EINVAL;
	*ret = json_string_value(value);
	return 0;
}

static int read_owned(const json_t *json, const char *key, char **ret)
{
	const char *text;

	if (read_text(json, key, &text) < 0)
		return -EINVAL;
	*ret = text ? strdup(text) : NULL;
	return text && !*ret ? -ENOMEM : 0;
}

static int read_time(const json_t *json, const char *key, uint64_t *ret)
{
	const char *text;

	if (read_text(json, key, &text) < 0)
		return -EINVAL;
	*ret = 0;
	return text ? wall_parse(text, ret) : 0;
}

static int read_u64(const json_t *json, const char *key, uint64_t most, uint64_t *ret)
{
	const json_t *value = json_object_get(json, key);
	json_int_t number = json_integer_value(value);

	if (!json_is_integer(value) || number < 0 || (uint64_t)number > most)
		return -EINVAL;
	*ret = (uint64_t)number;
	return 0;
}

/* An amount that was written rounded; null is 0. */
static int read_amount(const json_t *json, const char *key, double *ret)
{
	const json_t *value = json_object_get(json, key);

	if (!json_is_null(value) && !json_is_integer(value))
		return -EINVAL;
	*ret = (double)json_integer_value(value);
	return 0;
}

static int read_bool(const json_t *json, const char *key, bool *ret)
{
	const json_t *value = json_object_get(json, key);

	if (!json_is_boolean(value))
		return -EINVAL;
	*ret = json_is_true(value);
	return 0;
}

static int read_id(const json_t *json, uint64_t *ret)
{
	const char *text, *p;

	if (read_text(json, "id", &text) < 0 || !text || strlen(text) != 16)
		return -EINVAL;
	p = text;
	return parse_digits(&p, 16, ret) < 0 || *p ? -EINVAL : 0;
}

static int read_state(const json_t *json, struct alert *a)
{
	const char *scope, *state, *severity, *mark;
	int r = 0;

	if (read_text(json, "scope", &scope) < 0 || read_text(json, "state", &state) < 0 ||
	    read_text(json, "severity", &severity) < 0 || read_text(json, "mark", &mark) < 0)
		return -EINVAL;
	r |= read_id(json, &a->id);
	r |= alert_scope_parse(scope, &a->scope);
	r |= alert_state_parse(state, &a->state);
	r |= alert_severity_parse(severity, &a->severity);
	if (mark)
		r |= alert_mark_parse(mark, &a->mark);
	r |= read_bool(json, "told", &a->is_told);
	r |= read_bool(json, "acknowledged", &a->is_acknowledged);
	r |= read_time(json, "opened_at", &a->opened_ms);
	r |= read_time(json, "changed_at", &a->changed_ms);
	r |= read_time(json, "closed_at", &a->closed_ms);
	r |= read_u64(json, "times_told", INT64_MAX, &a->times_told);
	return r < 0 ? -EINVAL : 0;
}

static int read_process(const json_t *json, struct alert *a)
{
	const char *comm;
	uint64_t pid, uid;
	int r = 0;

	if (read_u64(json, "pid", INT32_MAX, &pid) < 0 ||
	    read_u64(json, "uid", UINT32_MAX, &uid) < 0 || read_text(json, "comm", &comm) < 0 ||
	    !comm || strlen(comm) >= sizeof(a->comm))
		return -EINVAL;
	a->pid = (pid_t)pid;
	a->uid = (uid_t)uid;
	memcpy(a->comm, comm, strlen(comm) + 1);
	r = read_owned(json, "service", &a->service);
	if (r == 0 && !a->service)
		return -EINVAL;
	r = r < 0 ? r : read_owned(json, "exe", &a->exe);
	r = r < 0 ? r : read_owned(json, "unit", &a->unit);
	r = r < 0 ? r : read_owned(json, "cgroup", &a->cgroup);
	r = r < 0 ? r : read_owned(json, "container", &a->container);
	r = r < 0 ? r : read_owned(json, "note", &a->note);
	r = r < 0 ? r : read_owned(json, "suppressed_by", &a->suppressed_by);
	return r;
}

static int read_frames(const json_t *json, struct alert *a)
{
	const json_t *frames = json_object_get(json, "frames");
	size_t n = json_array_size(frames);

	if (!json_is_array(frames) || n > ALERT_FRAMES_MAX)
		return -EINVAL;
	a->frames = n > 0 ? calloc(n, sizeof(*a->frames)) : NULL;
	if (n > 0 && !a->frames)
		return -ENOMEM;
	for (; a->n_frames < n; a->n_frames++) {
		int r = frame_from_json(json_array_get(frames, a->n_frames),
					&a->frames[a->n_frames]);

		if (r < 0)
			return r;
	}
	return 0;
}

static int read_bars(const json_t *json, struct alert *a)
{
	const json_t *bars = json_object_get(json, "bars");
	int r = 0;

	if (!json_is_array(bars) || json_array_size(bars) > ALERT_BARS)
		return -EINVAL;
	a->n_bars = json_array_size(bars);
	for (size_t i = 0; i < a->n_bars; i++) {
		const json_t *bar = json_array_get(bars, i);

		r |= read_time(bar, "from", &a->bars[i].from_ms);
		r |= read_amount(bar, "births", &a->bars[i].births);
		r |= read_amount(bar, "blocks", &a->bars[i].blocks);
		r |= read_amount(bar, "bytes", &a->bars[i].bytes);
	}
	return r < 0 ? -EINVAL : 0;
}

/* A finite number from 0 on. */
static int read_factor(const json_t *json, const char *key, double *ret)
{
	const json_t *value = json_object_get(json, key);

	*ret = json_number_value(value);
	return json_is_number(value) && *ret >= 0 && isfinite(*ret) ? 0 : -EINVAL;
}

static int read_numbers(const json_t *json, struct alert *a)
{
	const json_t *numbers = json_object_get(json, "numbers");
	int r = 0;

	r |= evidence_from_json(numbers, &a->evidence);
	r |= read_factor(numbers, "prior_odds", &a->prior_odds);
	r |= read_factor(numbers, "tick_seconds", &a->life.tick_seconds);
	r |= read_time(numbers, "began_at", &a->life.began_ms);
	r |= read_amount(json, "error_bytes", &a->sampling_error_bytes);
	r |= read_amount(json, "growth_bytes", &a->growth_bytes);
	r |= read_amount(json, "explained_bytes", &a->explained_bytes);
	return r < 0 ? -EINVAL : 0;
}

int alert_from_json(const json_t *json, struct alert **ret)
{
	_cleanup_(alert_freep) struct alert *a = alert_new();
	int r;

	if (!a)
		return -ENOMEM;
	r = read_state(json, a);
	r = r < 0 ? r : read_process(json, a);
	r = r < 0 ? r : read_frames(json, a);
	r = r < 0 ? r : alert_python_read(json, &a->python);
	r = r < 0 ? r : read_bars(json, a);
	r = r < 0 ? r : read_numbers(json, a);
	if (r < 0)
		return r;
	*ret = TAKE_PTR(a);
	return 0;
}
