// SPDX-License-Identifier: GPL-2.0-or-later
/* The state that the next life needs. See handover.h. */
#include "monitor/handover.h"

#include "alert/book.h"
#include "base/values.h"
#include "monitor/handover_state.h"
#include "monitor/state.h"

static json_t *options_json(const struct track_options *options)
{
	json_t *o = json_object();
	int r = 0;

	r |= view_put(o, "follow", json_boolean(options->follow));
	r |= view_put(o, "mode", json_integer(options->mode));
	r |= view_put(o, "interval", json_integer(options->sampling_interval));
	r |= view_put(o, "budget", view_real(options->budget_ratio));
	r |= view_put(o, "limit", view_u64(options->limit_bytes));
	r |= view_put(o, "configured", json_boolean(options->is_configured));
	r |= view_put(o, "least_confidence", view_real(options->thresholds.least_confidence));
	r |= view_put(o, "least_blocks", json_integer(options->thresholds.least_blocks));
	r |= view_put(o, "longest_to_limit", view_u64(options->thresholds.longest_to_limit_ns));
	if (r < 0) {
		json_decref(o);
		return NULL;
	}
	return o;
}

static json_t *watch_json(const struct watch *w)
{
	json_t *o = json_object(), *left_out = json_array();
	int r = 0;

	for (size_t i = 0; i < w->n_left_out; i++) {
		json_t *name = json_array();

		r |= view_append(name, json_integer(w->left_out[i].pid));
		r |= view_append(name, view_u64(w->left_out[i].start_ticks));
		r |= view_append(left_out, name);
	}
	r |= view_put(o, "selector", view_text(w->selector->text));
	r |= view_put(o, "options", options_json(&w->options));
	r |= view_put(o, "left_out", left_out);
	if (r < 0) {
		json_decref(o);
		return NULL;
	}
	return o;
}

static int index_of(const struct monitor *m, const struct watch *watch)
{
	int i = 0;

	for (const struct watch *w = m->watches; w; w = w->next, i++)
		if (w == watch)
			return i;
	return -1;
}

/* For who is gone when it is read. */
static int put_names(json_t *o, const struct target *target)
{
	int r = 0;

	r |= view_put(o, "comm", view_text(target->comm));
	r |= view_put(o, "exe", view_text(target->exe));
	r |= view_put(o, "unit", view_text(target->unit));
	r |= view_put(o, "cgroup", view_text(target->cgroup));
	r |= view_put(o, "container", view_text(target->container));
	r |= view_put(o, "uid", json_integer(target->uid));
	return r;
}

static json_t *target_json(const struct monitor *m, const struct tracked *t)
{
	const struct target *target = t->target;
	struct resume resume = govern_how(t);
	json_t *o = json_object();
	int r = 0;

	r |= view_put(o, "key", json_integer(target->key));
	r |= view_put(o, "pid", json_integer(target->pid));
	r |= view_put(o, "start_ticks", view_u64(target->start_ticks));
	r |= view_put(o, "parent", json_integer(target->parent));
	r |= view_put(o, "watch", json_integer(index_of(m, t->watch)));
	r |= view_put(o, "options", options_json(&t->options));
	r |= view_put(o, "from_start", json_boolean(t->from_start));
	r |= view_put(o, "armed_by_kernel", json_boolean(t->armed_by_kernel));
	r |= view_put(o, "missed_frees", json_boolean(t->missed_frees));
	r |= view_put(o, "unseen_frees", view_u64(t->unseen_frees));
	r |= view_put(o, "usage_share", view_real(t->usage_share));
	r |= view_put(o, "attached_ns", view_u64(target->attached_ns));
	r |= view_put(o, "is_steady", json_boolean(resume.is_steady));
	r |= view_put(o, "in_windows", json_boolean(resume.in_windows));
	r |= view_put(o, "mode", json_integer(resume.mode));
	r |= view_put(o, "interval", view_u64(resume.interval_bytes));
	r |= put_names(o, target);
	if (r < 0) {
		json_decref(o);
		return NULL;
	}
	return o;
}

static json_t *targets_json(const struct monitor *m)
{
	json_t *list = json_array();
	int r = 0;

	for (const struct tracked *t = m->tracked; t; t = t->by_key.next)
		if (t->target->state != TARGET_EXITED)
			r |= view_append(list, target_json(m, t));
	if (r < 0) {
		json_decref(list);
		return NULL;
	}
	return list;
}

static json_t *watches_json(const struct monitor *m)
{
	json_t *list = json_array();
	int r = 0;

	for (const struct watch *w = m->watches; w; w = w->next)
		r |= view_append(list, watch_json(w));
	if (r < 0) {
		json_decref(list);
		return NULL;
	}
	return list;
}

/* Those of devices that no file is on are made anew. */
static json_t *files_json(const struct monitor *m)
{
	json_t *list = json_array();
	int r = 0;

	for (uint16_t slot = 1; slot <= FILE_SLOT_MAX; slot++) {
		const struct file *file = file_table_get(m->files, slot);
		json_t *entry;

		if (!file || file->dev > UINT32_MAX)
			continue;
		entry = json_array();
		r |= view_append(entry, json_integer(slot));
		r |= view_append(entry, view_u64(file->dev));
		r |= view_append(entry, view_u64(file->inode));
		r |= view_append(entry, view_text(file->path));
		r |= view_append(list, entry);
	}
	if (r < 0) {
		json_decref(list);
		return NULL;
	}
	return list;
}

static json_t *stacks_json(const struct showing *s)
{
	json_t *list = json_array();
	int r = 0;

	/* All 64 bits of a key; its sign means nothing. */
	for (size_t i = 0; i < s->n_stacks; i++)
		r |= view_append(list, json_integer((json_int_t)s->stacks[i]));
	if (r < 0) {
		json_decref(list);
		return NULL;
	}
	return list;
}

static json_t *showing_json(const struct alert *a, const struct showing *s)
{
	bool is_shown = a->target == s->target && a->part == s->part;
	json_t *o = json_object();
	int r = 0;

	r |= view_put(o, "alert", json_integer((json_int_t)a->id));
	r |= view_put(o, "target", json_integer(s->target));
	r |= view_put(o, "part", json_integer((json_int_t)s->part));
	r |= view_put(o, "state", json_integer(s->state));
	r |= view_put(o, "rate", view_real(s->bytes_per_hour));
	r |= view_put(o, "stacks", stacks_json(s));
	r |= view_put(o, "target_id", is_shown ? json_string(a->target_id) : json_null());
	if (r < 0) {
		json_decref(o);
		return NULL;
	}
	return o;
}

/* Which process shows what of an alert; the alerts themselves are in the history. */
static json_t *showings_json(const struct monitor *m)
{
	_cleanup_free_ const struct alert **alerts = NULL;
	json_t *list = json_array();
	size_t n = 0;
	int r;

	r = alert_book_list(m->alerts, &alerts, &n);
	for (size_t i = 0; i < n; i++) {
		const struct showing *showings;
		size_t n_showings = alert_book_showings(m->alerts, alerts[i]->id, &showings);

		for (size_t k = 0; k < n_showings; k++)
			r |= view_append(list, showing_json(alerts[i], &showings[k]));
	}
	if (r < 0) {
		json_decref(list);
		return NULL;
	}
	return list;
}

json_t *handover_write(const struct monitor *m)
{
	json_t *o = json_object();
	int r = 0;

	r |= view_put(o, "version", json_integer(HANDOVER_VERSION));
	r |= view_put(o, "watches", watches_json(m));
	r |= view_put(o, "targets", targets_json(m));
	r |= view_put(o, "files", files_json(m));
	r |= view_put(o, "showings", showings_json(m));
	if (r < 0) {
		json_decref(o);
		return NULL;
	}
	return o;
}
