// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * From findings to alerts: each waits for the names of its frames, then goes into the book.
 */
#include <string.h>
#include <time.h>

#include "alert/book.h"
#include "base/clock.h"
#include "base/log.h"
#include "detect/detector.h"
#include "heap/ids.h"
#include "heap/naming.h"
#include "monitor/detect.h"
#include "monitor/state.h"

/* A finding whose frames have no names yet. */
struct telling {
	struct monitor *monitor; /* borrowed */
	struct alert *alert;	 /* owned */
	uint64_t *frames;	 /* owned: what is blamed, as stored */
	uint16_t n_frames;
	uint16_t own_frame;
	enum trend_event event;
	struct telling *next;
};

uint64_t wall_ms(void)
{
	return clock_ns(CLOCK_REALTIME) / 1000000;
}

static uint64_t wall_ms_of(uint64_t monotonic)
{
	uint64_t ago = (monotonic_ns() - monotonic) / 1000000, now = wall_ms();

	return now > ago ? now - ago : 0;
}

static void telling_free(struct telling *t)
{
	alert_free(t->alert);
	free(t->frames);
	free(t);
}

static void forget_telling(struct telling *gone)
{
	struct telling **at = &gone->monitor->tellings;

	while (*at && *at != gone)
		at = &(*at)->next;
	if (*at)
		*at = gone->next;
	telling_free(gone);
}

/* --- building an alert ---------------------------------------------------------------------------- */

static int copy_text(char **to, const char *text)
{
	if (!text)
		return 0;
	*to = strdup(text);
	return *to ? 0 : -ENOMEM;
}

int tell_describe_target(struct alert *a, const struct tracked *t)
{
	const struct target *target = t->target;

	a->target = target->key;
	memcpy(a->target_id, target->id, sizeof(a->target_id));
	a->pid = target->pid;
	a->uid = target->uid;
	memcpy(a->comm, target->comm, sizeof(a->comm));
	return copy_text(&a->service, target_service(t->target)) < 0 ||
			       copy_text(&a->exe, target->exe) < 0 ||
			       copy_text(&a->unit, target->unit) < 0 ||
			       copy_text(&a->cgroup, target->cgroup) < 0 ||
			       copy_text(&a->container, target->container) < 0 ?
		       -ENOMEM :
		       0;
}

void tell_describe_life(struct alert *a, const struct monitor *m, uint64_t origin_ns)
{
	const struct window *w = &a->evidence.window;

	a->life.began_ms = wall_ms_of(origin_ns);
	a->life.tick_seconds = (double)m->options.detector_tick_ns / NS_PER_SECOND;
	a->n_bars = w->n < ALERT_BARS ? w->n : ALERT_BARS;
	for (size_t i = 0; i < a->n_bars; i++) {
		double ticks = w->from + (double)i * w->width;

		a->bars[i] = (struct alert_survivors){
			.from_ms =
				a->life.began_ms + (uint64_t)(ticks * a->life.tick_seconds * 1000),
			.births = w->slices[i].births,
			.blocks = w->slices[i].blocks,
			.bytes = w->slices[i].bytes,
		};
	}
}

static int copy_stacks(struct alert *a, const struct monitor *m, const struct detector_finding *f)
{
	struct totals sum = { 0 };

	a->stacks = calloc(f->n_stacks ? f->n_stacks : 1, sizeof(*a->stacks));
	if (!a->stacks)
		return -ENOMEM;
	for (size_t i = 0; i < f->n_stacks; i++) {
		const struct site *s = heap_find(m->heap, f->stacks[i]);

		a->stacks[a->n_stacks++] = f->stacks[i];
		if (s)
			totals_add(&sum, &s->totals);
	}
	a->sampling_error_bytes = (double)totals_live_error(&sum);
	return 0;
}

static int build_alert(const struct monitor *m, const struct tracked *t,
		       const struct detector_finding *f, struct alert **ret)
{
	_cleanup_(alert_freep) struct alert *a = alert_new();
	int r;

	if (!a)
		return -ENOMEM;
	a->scope = f->scope == DETECTOR_STACK  ? ALERT_STACK :
		   f->scope == DETECTOR_FRAMES ? ALERT_FRAMES :
						 ALERT_PROCESS;
	a->part = f->part;
	a->evidence = *f->evidence;
	a->state = f->evidence->state;
	a->severity = f->evidence->severity;
	a->prior_odds = m->trend.prior_odds;
	if (t->target->coverage.has_growth) {
		a->growth_bytes = (double)t->target->coverage.growth_bytes;
		a->explained_bytes = (double)t->target->coverage.explained_bytes;
	}
	tell_describe_life(a, m, detector_origin_ns(t->detector));
	r = tell_describe_target(a, t);
	if (r == 0)
		r = copy_stacks(a, m, f);
	if (r < 0)
		return r;
	*ret = TAKE_PTR(a);
	return 0;
}

/* --- names --------------------------------------------------------------------------------------- */

static int copy_frames(struct alert *a, const struct named_site *named)
{
	if (a->scope == ALERT_PROCESS)
		return 0;
	a->frames = calloc(named->n_frames + 1, sizeof(*a->frames));
	if (!a->frames)
		return -ENOMEM;
	for (size_t i = 0; i < named->n_frames; i++) {
		const struct frame *from = named->frames[i];
		struct frame *to = &a->frames[a->n_frames++];
		char *texts[4] = { 0 };

		*to = *from;
		to->function = to->file = to->module = to->build_id = NULL;
		if (copy_text(&texts[0], from->function) < 0 ||
		    copy_text(&texts[1], from->file) < 0 ||
		    copy_text(&texts[2], from->module) < 0 ||
		    copy_text(&texts[3], from->build_id) < 0) {
			for (size_t k = 0; k < ARRAY_SIZE(texts); k++)
				free(texts[k]);
			return -ENOMEM;
		}
		to->function = texts[0];
		to->file = texts[1];
		to->module = texts[2];
		to->build_id = texts[3];
	}
	return 0;
}

static int name_frames(struct monitor *m, const uint64_t *frames, uint16_t n, struct naming **ret)
{
	_cleanup_(naming_freep) struct naming *naming = naming_new(1);
	const struct named_site empty = { 0 };
	int r;

	if (!naming)
		return -ENOMEM;
	naming_add(naming, &empty, frames, n);
	r = naming_fill(naming, m->symbolizer);
	if (r < 0)
		return r;
	*ret = TAKE_PTR(naming);
	return 0;
}

/* Of the service and the innermost frames by name, so that it is the same after a rebuild. */
static int set_id(struct monitor *m, struct telling *t)
{
	_cleanup_(naming_freep) struct naming *naming = NULL;
	uint64_t h = id_add_text(ID_START, t->alert->service);
	uint16_t n = t->n_frames - t->own_frame;
	int r;

	if (t->alert->scope == ALERT_PROCESS) {
		t->alert->id = id_end(id_add_text(h, "process"));
		return 0;
	}
	r = name_frames(m, t->frames + t->own_frame,
			n < DETECTOR_FRAMES_SHARED ? n : DETECTOR_FRAMES_SHARED, &naming);
	if (r < 0)
		return r;
	h = id_add_number(h, group_site_id(naming->sites[0].frames, naming->sites[0].n_frames));
	t->alert->id = id_end(h);
	return 0;
}

/* What is shown: the whole stack, or what several share. */
static int set_frames(struct monitor *m, struct telling *t)
{
	_cleanup_(naming_freep) struct naming *naming = NULL;
	uint16_t first = t->alert->scope == ALERT_FRAMES ? t->own_frame : 0;
	uint16_t n = t->n_frames - first;
	int r;

	if (t->alert->scope == ALERT_FRAMES && n > DETECTOR_FRAMES_SHARED)
		n = DETECTOR_FRAMES_SHARED;
	r = name_frames(m, t->frames + first, n, &naming);
	return r < 0 ? r : copy_frames(t->alert, &naming->sites[0]);
}

/* Not every change is an event: the history gets the entry as it is now. */
int tell_take(struct monitor *m, struct alert *a, enum trend_event event)
{
	uint64_t now_ms = wall_ms(), id = a->id;
	const struct alert *entry;
	int r;

	r = alert_book_take(m->alerts, a, event, now_ms);
	if (r < 0)
		return r;
	entry = alert_book_find(m->alerts, id);
	if (entry && alert_is_kept(entry))
		keep_alert(m, entry, now_ms);
	return 0;
}

/* Its end was told before, which this finding knows nothing of. */
static bool has_ended(const struct monitor *m, uint32_t target)
{
	const struct tracked *t = tracked_find(m, target);

	return !t || !t->detector;
}

static void on_names(void *userdata)
{
	struct telling *t = userdata;
	struct monitor *m = t->monitor;
	uint32_t target = t->alert->target;
	int r;

	r = set_id(m, t);
	if (r == 0)
		r = set_frames(m, t);
	if (r == 0)
		r = tell_take(m, TAKE_PTR(t->alert), t->event);
	if (r == 0 && has_ended(m, target))
		alert_book_target_ended(m->alerts, target, wall_ms());
	if (r < 0)
		log_warning_errno(r, "failed to take a finding, it is told with the next one");
	forget_telling(t);
}

int tell_finding(struct monitor *m, struct tracked *t, const struct detector_finding *f)
{
	const struct site *s = f->largest ? heap_find(m->heap, f->largest) : NULL;
	struct telling *telling = calloc(1, sizeof(*telling));
	int r;

	if (!telling)
		return -ENOMEM;
	telling->monitor = m;
	telling->event = f->event;
	telling->next = m->tellings;
	m->tellings = telling;
	r = build_alert(m, t, f, &telling->alert);
	if (r == 0 && s && s->frames && s->n_frames) {
		telling->frames = malloc(s->n_frames * sizeof(*telling->frames));
		r = telling->frames ? 0 : -ENOMEM;
	}
	if (r == 0 && telling->frames) {
		memcpy(telling->frames, s->frames, s->n_frames * sizeof(*telling->frames));
		telling->n_frames = s->n_frames;
		telling->own_frame = s->own_frame;
	}
	if (r == 0)
		r = symbolizer_resolve(m->symbolizer, telling->frames, telling->n_frames, on_names,
				       telling);
	if (r < 0)
		forget_telling(telling);
	return r;
}

void tell_ended(struct monitor *m, struct tracked *t)
{
	if (m->alerts && !m->is_stopping)
		alert_book_target_ended(m->alerts, t->target->key, wall_ms());
}

void tell_forget_all(struct monitor *m)
{
	while (m->tellings)
		forget_telling(m->tellings);
}
