// SPDX-License-Identifier: GPL-2.0-or-later
/* Leaking Python objects as members of an alert's JSON object, and back. See python.h. */
#include <errno.h>
#include <math.h>
#include <string.h>

#include "alert/alert.h"
#include "alert/python.h"
#include "base/values.h"

static json_t *line_or_null(uint32_t line)
{
	return line ? json_integer(line) : json_null();
}

static json_t *runs_json(const struct alert_python *p)
{
	json_auto_t *o = json_object();
	int r = 0;

	if (!p || !p->function)
		return json_null();
	r |= view_put(o, "function", view_text(p->function));
	r |= view_put(o, "file", view_text(p->file));
	r |= view_put(o, "line", line_or_null(p->line));
	r |= view_put(o, "done", json_boolean(p->done));
	return r < 0 ? NULL : TAKE_PTR(o);
}

static json_t *companions_json(const struct alert_python *p)
{
	json_auto_t *list = json_array();
	int r = 0;

	for (size_t i = 0; p && i < p->n_with; i++) {
		json_auto_t *o = json_object();

		r |= view_put(o, "type", view_text(p->with[i].type));
		r |= view_put(o, "per_object", view_real(p->with[i].per_object));
		r |= view_append(list, TAKE_PTR(o));
	}
	return r < 0 ? NULL : TAKE_PTR(list);
}

json_t *alert_python_lines(const struct alert_python *p)
{
	json_auto_t *list = json_array();
	int r = 0;

	for (size_t i = 0; p && i < p->n_created_at; i++) {
		const struct alert_line *l = &p->created_at[i];
		json_auto_t *o = json_object();

		r |= view_put(o, "function", view_text(l->function));
		r |= view_put(o, "file", view_text(l->file));
		r |= view_put(o, "line", line_or_null(l->line));
		r |= view_put(o, "survivors", view_u64(l->survivors));
		r |= view_put(o, "sampled", view_u64(l->sampled));
		r |= view_put(o, "share", view_real(l->share));
		r |= view_append(list, TAKE_PTR(o));
	}
	return r < 0 ? NULL : TAKE_PTR(list);
}

static json_t *holders_json(const struct alert_python *p)
{
	json_auto_t *list = json_array();
	int r = 0;

	for (size_t i = 0; p && i < p->n_held_by; i++) {
		json_auto_t *o = json_object();

		r |= view_put(o, "path", view_text(p->held_by[i].path));
		r |= view_put(o, "container", view_text(p->held_by[i].container));
		r |= view_put(o, "samples", view_u64(p->held_by[i].samples));
		r |= view_append(list, TAKE_PTR(o));
	}
	return r < 0 ? NULL : TAKE_PTR(list);
}

static json_t *real_or_null(double v)
{
	return v > 0 ? view_real(v) : json_null();
}

int alert_python_put(json_t *o, const struct alert_python *p)
{
	int r = 0;

	r |= view_put(o, "type", view_text(p ? p->type : NULL));
	r |= view_put(o, "runs", runs_json(p));
	r |= view_put(o, "bytes_per_object", real_or_null(p ? p->bytes_per_object : 0));
	r |= view_put(o, "with", companions_json(p));
	r |= view_put(o, "created_at", alert_python_lines(p));
	r |= view_put(o, "constructions_seen", real_or_null(p ? p->constructions_seen : 0));
	r |= view_put(o, "held_by", holders_json(p));
	r |= view_put(o, "held_samples", view_u64(p ? p->held_samples : 0));
	return r < 0 ? -ENOMEM : 0;
}

/* --- and back ------------------------------------------------------------------------------------ */

/* Borrowed; NULL for null and for what is not there. */
static int read_text(const json_t *o, const char *key, const char **ret)
{
	const json_t *value = json_object_get(o, key);

	*ret = NULL;
	if (!value || json_is_null(value))
		return 0;
	if (!json_is_string(value) || json_string_length(value) > ALERT_TEXT_MAX ||
	    strlen(json_string_value(value)) != json_string_length(value))
		return -EINVAL;
	*ret = json_string_value(value);
	return 0;
}

static int read_number(const json_t *o, const char *key, double most, double *ret)
{
	const json_t *value = json_object_get(o, key);

	*ret = 0;
	if (!value || json_is_null(value))
		return 0;
	*ret = json_number_value(value);
	return json_is_number(value) && *ret >= 0 && *ret <= most ? 0 : -EINVAL;
}

static int read_line(const json_t *o, uint32_t *ret)
{
	double line;
	int r = read_number(o, "line", INT32_MAX, &line);

	*ret = (uint32_t)line;
	return r;
}

static int read_runs(const json_t *o, struct alert_python *p)
{
	const json_t *runs = json_object_get(o, "runs");
	const char *function, *file;
	uint32_t line;

	if (!runs || json_is_null(runs))
		return 0;
	if (read_text(runs, "function", &function) < 0 || read_text(runs, "file", &file) < 0 ||
	    read_line(runs, &line) < 0 || !function)
		return -EINVAL;
	return alert_python_set_code(p, function, file, line,
				     json_is_true(json_object_get(runs, "done")));
}

static int read_companions(const json_t *o, struct alert_python *p)
{
	const json_t *list = json_object_get(o, "with"), *item;
	size_t i;

	json_array_foreach(list, i, item) {
		const char *type;
		double per_object;
		int r;

		if (read_text(item, "type", &type) < 0 || !type ||
		    read_number(item, "per_object", 1e9, &per_object) < 0)
			return -EINVAL;
		r = alert_python_add_companion(p, type, per_object);
		if (r < 0)
			return r;
	}
	return 0;
}

static int read_lines(const json_t *o, struct alert_python *p)
{
	const json_t *list = json_object_get(o, "created_at"), *item;
	size_t i;

	json_array_foreach(list, i, item) {
		struct alert_line line = { .line = 0 };
		const char *function, *file;
		double survivors, sampled;
		int r;

		if (read_text(item, "function", &function) < 0 ||
		    read_text(item, "file", &file) < 0 || read_line(item, &line.line) < 0 ||
		    read_number(item, "survivors", 1e15, &survivors) < 0 ||
		    read_number(item, "sampled", 1e15, &sampled) < 0 ||
		    read_number(item, "share", 1, &line.share) < 0)
			return -EINVAL;
		line.function = (char *)function;
		line.file = (char *)file;
		line.survivors = (uint64_t)survivors;
		line.sampled = (uint64_t)sampled;
		r = alert_python_add_line(p, &line);
		if (r < 0)
			return r;
	}
	return 0;
}

static int read_holders(const json_t *o, struct alert_python *p)
{
	const json_t *list = json_object_get(o, "held_by"), *item;
	double samples;
	size_t i;

	if (read_number(o, "held_samples", UINT16_MAX, &samples) < 0)
		return -EINVAL;
	p->held_samples = (unsigned int)samples;
	json_array_foreach(list, i, item) {
		const char *path, *container;
		int r;

		if (read_text(item, "path", &path) < 0 || !path ||
		    read_text(item, "container", &container) < 0 ||
		    read_number(item, "samples", UINT16_MAX, &samples) < 0)
			return -EINVAL;
		r = alert_python_add_holder(p, path, container, (unsigned int)samples);
		if (r < 0)
			return r;
	}
	return 0;
}

int alert_python_read(const json_t *o, struct alert_python **ret)
{
	_cleanup_(alert_python_freep) struct alert_python *p = NULL;
	const char *type;
	int r;

	*ret = NULL;
	/* Alerts of earlier versions have no such member. */
	if (read_text(o, "type", &type) < 0)
		return -EINVAL;
	if (!type || !*type)
		return 0;
	p = alert_python_new(type);
	if (!p)
		return -ENOMEM;
	r = read_runs(o, p);
	r = r < 0 ? r : read_companions(o, p);
	r = r < 0 ? r : read_lines(o, p);
	r = r < 0 ? r : read_holders(o, p);
	r = r < 0 ? r : read_number(o, "bytes_per_object", 1e15, &p->bytes_per_object);
	r = r < 0 ? r : read_number(o, "constructions_seen", 1, &p->constructions_seen);
	if (r < 0)
		return r;
	*ret = TAKE_PTR(p);
	return 0;
}
