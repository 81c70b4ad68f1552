// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Ids of stacks, which need the names of their frames. Names are found by the sandboxed child, so they
 * come a little later than they are asked for.
 */
#include "detect/detector.h"
#include "heap/naming.h"
#include "monitor/detect.h"
#include "monitor/state.h"

/*
 * Requests at a time. Most stacks of a process are made of the same frames, so when these are answered
 * few are left to ask for; for 10 007 stacks at once the requests took 75 MB.
 */
#define ASKED_MAX 256

static void on_names(void *userdata)
{
	struct monitor *m = userdata;

	/* Who wants them asks again. */
	m->names_asked--;
}

/* 1: all names are known; 0: they have been asked for. */
static int find_names(struct monitor *m, const uint64_t *frames, uint16_t n, struct naming **ret)
{
	_cleanup_(naming_freep) struct naming *naming = naming_new(1);
	_cleanup_free_ uint64_t *unknown = NULL;
	const struct named_site empty = { 0 };
	size_t n_unknown = 0;
	int r;

	if (!naming)
		return -ENOMEM;
	naming_add(naming, &empty, frames, n);
	r = naming_unknown(naming, m->symbolizer, &unknown, &n_unknown);
	if (r < 0)
		return r;
	if (n_unknown) {
		r = symbolizer_resolve(m->symbolizer, unknown, n_unknown, on_names, m);
		if (r < 0)
			return r;
		m->names_asked++;
		return 0;
	}
	r = naming_fill(naming, m->symbolizer);
	if (r < 0)
		return r;
	*ret = TAKE_PTR(naming);
	return 1;
}

bool names_identify(struct monitor *m, struct site *s)
{
	_cleanup_(naming_freep) struct naming *whole = NULL, *innermost = NULL;
	uint16_t n;

	if (s->leak_id)
		return true;
	if (!s->frames || m->names_asked >= ASKED_MAX)
		return false;
	n = s->n_frames > s->own_frame ? s->n_frames - s->own_frame : 0;
	n = n < DETECTOR_FRAMES_SHARED ? n : DETECTOR_FRAMES_SHARED;
	if (find_names(m, s->frames, s->n_frames, &whole) <= 0 ||
	    find_names(m, s->frames + s->own_frame, n, &innermost) <= 0)
		return false;
	s->site_id = group_site_id(whole->sites[0].frames, whole->sites[0].n_frames);
	s->frames_leak_id = group_leak_id(innermost->sites[0].frames, innermost->sites[0].n_frames);
	s->frames_site_id = group_site_id(innermost->sites[0].frames, innermost->sites[0].n_frames);
	s->leak_id = group_leak_id(whole->sites[0].frames, whole->sites[0].n_frames);
	return true;
}
