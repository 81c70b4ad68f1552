// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The book of alerts, its events, and the history that both are kept in.
 */
#include <stdlib.h>
#include <string.h>

#include "alert/book.h"
#include "alert/confidence_prior.h"
#include "alert/events.h"
#include "base/log.h"
#include "history/history.h"
#include "monitor/detect.h"
#include "monitor/handover.h"
#include "monitor/state.h"

#define UNSEEN_TICKS 1440 /* a day */

void keep_alert(struct monitor *m, const struct alert *a, uint64_t now_ms)
{
	_cleanup_free_ char *text = NULL;
	json_t *json = NULL;
	int r;

	if (!m->history)
		return;
	r = alert_to_json(a, &json);
	if (r == 0)
		text = json_dumps(json, JSON_COMPACT);
	json_decref(json);
	r = text ? history_save_alert(m->history, a->id, text, a->closed_ms == 0, now_ms) : -ENOMEM;
	if (r < 0)
		log_debug_errno(r, "failed to keep an alert");
}

static void keep_event(struct monitor *m, uint64_t after)
{
	uint64_t missed;
	const struct event_record *record = events_next(m->events, after, &missed);

	if (!record)
		return;
	(void)history_save_event(m->history, &(struct history_event){
						     .id = record->id,
						     .time_ms = record->time_ms,
						     .event = (int)record->event,
						     .leak = record->leak,
						     .uid = record->uid,
						     .json = record->json,
					     });
}

static void on_silent(const struct alert *a, void *userdata)
{
	keep_alert(userdata, a, wall_ms());
}

static void on_forgotten(uint64_t id, void *userdata)
{
	struct monitor *m = userdata;

	if (m->history && history_forget_alert(m->history, id) < 0)
		log_debug("failed to forget an alert in the history, ignoring");
}

/* What people say of alerts moves the confidence of later ones. */
static void weigh_marks(struct monitor *m)
{
	struct confidence_marks marks;

	alert_book_count_marks(m->alerts, &marks);
	m->trend.prior_odds = confidence_prior_odds(&marks);
}

void keep_flush(struct monitor *m)
{
	m->flush_wanted = false;
	(void)history_sync(m->history);
}

/*
 * What became of an alert, or was said of it, must be known to the next life, even if this one is killed.
 * Several events that come together are written together.
 */
static void flush_soon(struct monitor *m)
{
	if (!m->history || !m->work_event || m->is_stopping)
		return;
	m->flush_wanted = true;
	(void)tick_schedule_work(m);
}

static void on_event(enum alert_event event, const struct alert *a, void *userdata)
{
	struct monitor *m = userdata;
	uint64_t now_ms = wall_ms(), last = events_last_id(m->events);
	int r;

	r = events_add(m->events, event, a, now_ms);
	if (r < 0)
		log_warning_errno(r, "an event is lost");
	keep_alert(m, a, now_ms);
	if (m->history && r == 0)
		keep_event(m, last);
	/* Before anybody hears of it: the next life would tell it again. The rest may wait a little. */
	if (event == ALERT_OPENED) {
		if (m->history)
			keep_flush(m);
		handover_save(m);
	} else {
		flush_soon(m);
	}
	if (event == ALERT_MARKED)
		weigh_marks(m);
	if (m->on_alert)
		m->on_alert((int)event, a, m->on_alert_userdata);
}

static int restore_alert(uint64_t id, const char *text, void *userdata)
{
	struct monitor *m = userdata;
	struct alert *a = NULL;
	json_t *json = json_loads(text, 0, NULL);
	int r;

	r = json ? alert_from_json(json, &a) : -EINVAL;
	json_decref(json);
	if (r == 0)
		r = alert_book_restore(m->alerts, a);
	if (r < 0)
		log_warning_errno(r, "an alert of the history (%016llx) cannot be read, ignoring",
				  (unsigned long long)id);
	return r == -ENOMEM ? r : 0;
}

static int restore_event(const struct history_event *event, void *userdata)
{
	struct monitor *m = userdata;
	struct event_record record = {
		.id = event->id,
		.time_ms = event->time_ms,
		.event = (enum alert_event)event->event,
		.leak = event->leak,
		.uid = event->uid,
		.json = strdup(event->json),
	};

	return record.json ? events_restore(m->events, &record) : -ENOMEM;
}

static int open_history(struct monitor *m)
{
	const struct history_options options = {
		.path = m->options.history_path,
		.max_bytes = m->options.history_bytes,
		.tick_ns = m->options.tick_ns,
	};
	struct history_notice notice = { 0 };
	int r;

	r = history_open(&options, &m->history, &notice);
	if (r < 0) {
		log_warning_errno(r,
				  "no history is kept: %s cannot be opened; give another folder "
				  "with --state-dir",
				  options.path);
		return 0;
	}
	if (notice.moved_to)
		log_warning("the history was damaged (%s) and is now in %s; a new one begins",
			    notice.why ?: "unreadable", notice.moved_to);
	free(notice.moved_to);
	free(notice.why);
	if (notice.is_waiting)
		return 0;
	r = history_each_alert(m->history, restore_alert, m);
	if (r == 0)
		r = history_each_event(m->history, EVENTS_KEPT, restore_event, m);
	return r;
}

int tell_start(struct monitor *m)
{
	int r = 0;

	m->started_ns = monotonic_ns();
	m->alerts = alert_book_new();
	m->events = events_new();
	if (!m->alerts || !m->events)
		return -ENOMEM;
	if (m->options.history_path)
		r = open_history(m);
	if (r < 0)
		log_warning_errno(r, "the history could not be read as a whole");
	alert_book_listen(m->alerts, on_event, m);
	alert_book_listen_forgotten(m->alerts, on_forgotten, m);
	alert_book_listen_silent(m->alerts, on_silent, m);
	trend_options_init(&m->trend);
	weigh_marks(m);
	return 0;
}

static bool is_watched(const char *service, void *userdata)
{
	const struct monitor *m = userdata;

	for (const struct tracked *t = m->tracked; t; t = t->by_key.next)
		if (t->detector && strcmp(target_service(t->target), service) == 0)
			return true;
	return false;
}

void tell_close_unseen(struct monitor *m)
{
	double ticks =
		(double)(monotonic_ns() - m->started_ns) / (double)m->options.detector_tick_ns;
	bool is_last = ticks >= UNSEEN_TICKS + m->trend.leaking.longest_cold;

	if (m->unseen_are_closed || ticks < UNSEEN_TICKS)
		return;
	m->unseen_are_closed = is_last;
	alert_book_close_unseen(m->alerts, is_last ? NULL : is_watched, m, wall_ms());
}

void tell_stop(struct monitor *m)
{
	tell_forget_all(m);
	m->history = history_free(m->history);
	m->alerts = alert_book_free(m->alerts);
	m->events = events_free(m->events);
}
