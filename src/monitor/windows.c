// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Probes that come and go: windows of a target's allocation and free functions.
 *
 * Setting and removing probes takes the kernel tens of milliseconds; a child does it, and its answers
 * come through the event loop. The free functions' probes are there before the allocation functions',
 * and stay longer.
 */
#include "base/log.h"
#include "monitor/state.h"

/* A target has two windows, numbered by its key. */
static uint64_t window_of(const struct tracked *t, bool allocs)
{
	return (uint64_t)t->target->key << 1 | allocs;
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

static int close_window(struct monitor *m, struct tracked *t, struct window_state *s, bool allocs)
{
	int r = probe_window_close(m->probe, window_of(t, allocs));

	if (r == 0)
		s->awaited++;
	return r;
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
	bool had_links = s->has_links;
	int r = 0;

	s->error = 0;
	if (had_links && frees && allocs)
		return 1;
	if (frees && !s->has_frees) {
		r = open_window(m, t, s, false);
		s->has_frees = true;
	}
	if (r == 0 && allocs && !s->has_allocs) {
		r = open_window(m, t, s, true);
		s->has_allocs = true;
	}
	if (had_links) {
		give_links(m, t);
		s->has_links = false;
		t->from_start = false;
	}
	if (r == 0 && !allocs && (s->has_allocs || had_links)) {
		r = close_window(m, t, s, true);
		s->has_allocs = false;
	}
	if (r == 0 && !frees && s->has_frees) {
		r = close_window(m, t, s, false);
		s->has_frees = false;
	}
	if (r < 0)
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
	if (r < 0)
		log_warning_errno(r,
				  "failed to remove the probes of pid %d, they stay until it ends",
				  (int)t->target->pid);
	*s = (struct window_state){ 0 };
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

	(void)event;
	if (t)
		govern_answer(t, error);
}

void windows_listen(struct monitor *m)
{
	probe_listen_to_windows(m->probe, on_answer, m);
}
