// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Probes that come and go: windows of a target's allocation and free functions.
 *
 * Setting and removing probes takes the kernel tens of milliseconds; a child does it, and its answers
 * come through the event loop. The free functions' probes are there before the allocation functions',
 * and stay longer.
 */
#include <event2/event.h>

#include "base/log.h"
#include "monitor/state.h"
#include "monitor/survivors.h"

/* A target has two windows, numbered by its key. */
static uint64_t window_of(const struct tracked *t, bool allocs)
{
	return (uint64_t)t->target->key << 1 | allocs;
}

bool windows_resume(struct monitor *m, const struct tracked *t)
{
	bool frees = probe_take_window(m->probe, window_of(t, false));

	/* If there is only one of them, it is closed when the target has been taken over. */
	return probe_take_window(m->probe, window_of(t, true)) && frees;
}

static bool is_in_window(const struct probe_point *point, bool allocs)
{
	if (point->kind == HOOK_LINK_MAP)
		return false;
	return (point->kind != HOOK_FREE) == allocs;
}

/* Asks for the probes of one kind on one file. */
static int open_file(struct monitor *m, struct tracked *t, struct window_state *s, uint16_t slot,
		     bool allocs)
{
	const struct file_state *file_state = m->states[slot];
	const struct file *file = file_table_get(m->files, slot);
	_cleanup_free_ struct probe_point *points = NULL;
	size_t n = 0, asked = 0;
	int r;

	if (!file || !file_state || !file_state->is_allocator)
		return 0;
	points = calloc(file_state->n_points, sizeof(*points));
	if (!points)
		return -ENOMEM;
	for (size_t i = 0; i < file_state->n_points; i++)
		if (is_in_window(&file_state->points[i], allocs))
			points[n++] = file_state->points[i];
	if (!n)
		return 0;
	r = probe_window_open(m->probe, window_of(t, allocs), t->target->key, t->target->pid,
			      file->fd, points, n, &asked);
	s->awaited += asked;
	return r;
}

static int open_window(struct monitor *m, struct tracked *t, struct window_state *s, bool allocs)
{
	int r = 0;

	for (size_t i = 0; i < t->n_links && r == 0; i++)
		r = open_file(m, t, s, t->link_slots[i], allocs);
	return r;
}

/* If it cannot be asked for now, the window stays. */
static int close_window(struct monitor *m, struct tracked *t, struct window_state *s, bool allocs)
{
	bool *has = allocs ? &s->has_allocs : &s->has_frees;
	int r = probe_window_close(m->probe, window_of(t, allocs));

	if (r == -EAGAIN)
		return r;
	*has = false;
	if (r == 0)
		s->awaited++;
	return r;
}

/* If some cannot be asked for now, those that were are to be closed. */
static int open_as_far(struct monitor *m, struct tracked *t, struct window_state *s, bool allocs)
{
	int r = open_window(m, t, s, allocs);

	*(allocs ? &s->has_allocs : &s->has_frees) = true;
	return r == -EAGAIN ? -EBUSY : r;
}

/*
 * Those of allocators go with the window of allocation functions; the dynamic linker's are needed to tell
 * what is mapped, and cost nothing.
 */
static void give_links(struct monitor *m, struct tracked *t)
{
	for (size_t i = 0; i < t->n_links; i++) {
		const struct file_state *s = m->states[t->link_slots[i]];

		if (!s || !s->is_allocator)
			continue;
		probe_window_take(m->probe, window_of(t, true), t->links[i]);
		t->links[i] = NULL;
	}
}

int windows_change(struct monitor *m, struct tracked *t, struct window_state *s, bool frees,
		   bool allocs)
{
	int r = 0;

	s->error = 0;
	if (s->has_links && frees && allocs)
		return 1;
	if (frees && !s->has_frees)
		r = open_as_far(m, t, s, false);
	if (r == 0 && allocs && !s->has_allocs)
		r = open_as_far(m, t, s, true);
	if (s->has_links) {
		give_links(m, t);
		s->has_links = false;
		s->has_allocs = true;
		t->from_start = false;
	}
	if (r == 0 && !allocs && s->has_allocs)
		r = close_window(m, t, s, true);
	if (r == 0 && !frees && s->has_frees)
		r = close_window(m, t, s, false);
	s->error = r;
	return s->awaited == 0;
}

void windows_close(struct monitor *m, struct tracked *t, struct window_state *s)
{
	int r = 0;

	if (s->has_allocs || s->has_frees) {
		r = probe_window_close(m->probe, window_of(t, true));
		if (r == 0)
			r = probe_window_close(m->probe, window_of(t, false));
	}
	/* (If the process that has them is gone, so are they.) */
	if (r < 0 && r != -EPIPE)
		log_warning_errno(r,
				  "failed to remove the probes of pid %d, they stay until it ends",
				  (int)t->target->pid);
	*s = (struct window_state){ 0 };
}

void windows_forget(struct window_state *s)
{
	*s = (struct window_state){ .has_links = s->has_links };
}

int windows_answer(struct window_state *s, int error)
{
	if (error < 0)
		s->error = error;
	if (s->awaited > 0)
		s->awaited--;
	return s->awaited == 0;
}

static void on_answer(uint64_t window, enum probe_window_event event, int error, void *userdata)
{
	struct monitor *m = userdata;
	struct tracked *t = tracked_find(m, (uint32_t)(window >> 1));

	if (window & SURVIVORS_WINDOW)
		survivors_answer(m, window, event == PROBE_WINDOW_CLOSED, error);
	else if (t)
		govern_answer(t, error);
}

/* --- the process that sets them ------------------------------------------------------------------------- */

#define REVIVE_SECONDS 1

static void revive_later(struct monitor *m)
{
	static const struct timeval pause = { .tv_sec = REVIVE_SECONDS };

	if (event_add(m->revive_timer, &pause) < 0)
		log_error("failed to set a timer: windows are not opened any more");
}

static void on_readable(evutil_socket_t fd, short what, void *userdata)
{
	struct monitor *m = userdata;
	struct tracked *t, *next;
	int r;

	(void)fd;
	(void)what;
	r = probe_read_windows(m->probe);
	if (r == 0)
		return;
	log_warning("the process that sets probes for windows has died, and is started again");
	(void)event_del(m->windows_event);
	HASH_ITER(by_key, m->tracked, t, next) {
		govern_lose_windows(t);
	}
	survivors_lose_windows(m);
	revive_later(m);
}

static int watch_answers(struct monitor *m)
{
	if (m->windows_event)
		event_free(m->windows_event);
	m->windows_event = event_new(m->base, probe_windows_fd(m->probe), EV_READ | EV_PERSIST,
				     on_readable, m);
	return m->windows_event && event_add(m->windows_event, NULL) == 0 ? 0 : -ENOMEM;
}

static void on_revive_timer(evutil_socket_t fd, short what, void *userdata)
{
	struct monitor *m = userdata;
	int r;

	(void)fd;
	(void)what;
	r = probe_revive_windows(m->probe);
	if (r == -EAGAIN) {
		revive_later(m);
		return;
	}
	if (r == 0)
		r = watch_answers(m);
	if (r < 0)
		log_error(
			"the process that sets probes for windows has died too often and is not "
			"started any more: what cannot be traced all the time is not traced until "
			"seepd is restarted");
	else
		log_info("the process that sets probes for windows runs again");
}

int windows_listen(struct monitor *m)
{
	probe_listen_to_windows(m->probe, on_answer, m);
	m->revive_timer = evtimer_new(m->base, on_revive_timer, m);
	return m->revive_timer ? watch_answers(m) : -ENOMEM;
}
