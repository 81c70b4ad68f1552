// SPDX-License-Identifier: GPL-2.0-or-later
/* From findings on Python objects to alerts, with their holders. See python.h. */
#include <errno.h>
#include <string.h>

#include "alert/book.h"
#include "base/clock.h"
#include "base/log.h"
#include "history/history.h"
#include "monitor/detect.h"
#include "monitor/python.h"
#include "monitor/state.h"
#include "monitor/survivors.h"

/* A search takes a quarter of a second: few of them in a round, and seldom again. */
#define SEARCHES_MAX	   2
#define SEARCH_AGAIN_TICKS 720
/* At what is left of objects whose making was seen: the last one after 20 minutes. */
#define LOOKS_MAX	   6
/* Samples that a holder has, for it to be the one of the kind. */
#define MOST_SAMPLES	   0.5

static int copy_text(char **to, const char *text)
{
	*to = text ? strdup(text) : NULL;
	return text && !*to ? -ENOMEM : 0;
}

/* --- what is kept of kinds ------------------------------------------------------------------------- */

static void free_note(struct kind_note *n)
{
	free(n->type);
	free(n->function);
	free(n->file);
	alert_python_free(n->origin);
	*n = (struct kind_note){ .key = 0 };
}

void python_notes_done(struct python_watch *w)
{
	for (size_t i = 0; i < w->n_notes; i++)
		free_note(&w->notes[i]);
	w->n_notes = 0;
}

struct kind_note *python_find_note(struct python_watch *w, uint64_t key)
{
	for (size_t i = 0; i < w->n_notes; i++)
		if (w->notes[i].key == key)
			return &w->notes[i];
	return NULL;
}

/* NULL: no census has it and none had, or there is no room or no memory. */
static struct kind_note *get_note(struct python_watch *w, uint64_t key)
{
	const struct python_kind *k = python_find_kind(w, key);
	struct kind_note *n = python_find_note(w, key);

	if (!n && k && w->n_notes < PYTHON_NOTES_MAX) {
		n = &w->notes[w->n_notes];
		n->key = key;
		if (copy_text(&n->type, k->type) < 0 || copy_text(&n->function, k->function) < 0 ||
		    copy_text(&n->file, k->file) < 0) {
			free_note(n);
			return NULL;
		}
		n->done = k->done;
		w->n_notes++;
	}
	/* Where it is now; a class may be defined anew. */
	if (n && k) {
		n->line = (uint32_t)k->line;
		n->type_address = k->type_address;
	}
	return n;
}

/* --- alerts -------------------------------------------------------------------------------------- */

static int add_holders(struct alert_python *p, const struct kind_note *n)
{
	int r = 0;

	p->held_samples = n->holders.samples;
	for (size_t i = 0; i < n->holders.n && r == 0; i++) {
		const struct python_holder *h = &n->holders.list[i];

		r = alert_python_add_holder(p, h->path, h->container, h->samples);
	}
	return r;
}

static int add_origin(struct alert_python *p, const struct kind_note *n)
{
	int r = 0;

	if (!n->origin)
		return 0;
	p->constructions_seen = n->origin->constructions_seen;
	for (size_t i = 0; i < n->origin->n_created_at && r == 0; i++)
		r = alert_python_add_line(p, &n->origin->created_at[i]);
	return r;
}

static int describe(struct python_watch *w, const struct kind_finding *f, const struct kind_note *n,
		    struct alert_python **ret)
{
	_cleanup_(alert_python_freep) struct alert_python *p = alert_python_new(n->type);
	int r;

	if (!p)
		return -ENOMEM;
	p->bytes_per_object = f->bytes_per_object;
	r = alert_python_set_code(p, n->function, n->file, n->line, n->done);
	for (size_t i = 0; i < f->n_companions && r == 0; i++) {
		const struct kind_note *c = get_note(w, f->companions[i].key);

		if (c)
			r = alert_python_add_companion(p, c->type, f->companions[i].per_object);
	}
	r = r < 0 ? r : add_holders(p, n);
	r = r < 0 ? r : add_origin(p, n);
	if (r < 0)
		return r;
	*ret = TAKE_PTR(p);
	return 0;
}

static int tell(struct python_watch *w, const struct kind_finding *f)
{
	_cleanup_(alert_freep) struct alert *a = NULL;
	struct kind_note *n = get_note(w, f->key);
	struct monitor *m = w->monitor;
	int r;

	if (!n)
		return -ENOENT;
	a = alert_new();
	if (!a)
		return -ENOMEM;
	a->scope = ALERT_TYPE;
	a->id = python_alert_id(w->tracked, f->key);
	a->part = f->key;
	a->evidence = f->evidence;
	a->state = f->evidence.state;
	a->severity = f->evidence.severity;
	a->prior_odds = f->prior_odds;
	tell_describe_life(a, m, kind_watch_origin_ns(w->kinds));
	r = tell_describe_target(a, w->tracked);
	if (r == 0)
		r = describe(w, f, n, &a->python);
	return r < 0 ? r : tell_take(m, TAKE_PTR(a), f->event);
}

/* --- holders -------------------------------------------------------------------------------------- */

static bool is_growing(enum trend_state state)
{
	return state == TREND_SUSPECT || state == TREND_LEAKING || state == TREND_EXHAUSTION;
}

static bool needs_search(const struct python_watch *w, const struct kind_note *n, uint64_t now_ns)
{
	uint64_t again = SEARCH_AGAIN_TICKS * w->monitor->options.detector_tick_ns;

	return n && n->type_address && (!n->is_searched || now_ns - n->searched_ns > again);
}

/* Of the finding, its kind first and then what comes with it: whose holders are to be looked for. 0: none. */
static struct kind_note *next_search(struct python_watch *w, const struct kind_finding *f)
{
	uint64_t now_ns = monotonic_ns();
	struct kind_note *n = get_note(w, f->key);

	if (!is_growing(f->evidence.state) || w->telling.searches >= SEARCHES_MAX)
		return NULL;
	if (needs_search(w, n, now_ns))
		return n;
	for (size_t i = 0; i < f->n_companions; i++) {
		uint64_t address;

		n = get_note(w, f->companions[i].key);
		if (n && !n->is_searched && needs_search(w, n, now_ns) &&
		    kind_watch_oldest(w->kinds, n->key, &address, 1))
			return n;
	}
	return NULL;
}

/* Whether objects of this type are in the finding. */
static bool has_type(struct python_watch *w, const struct kind_finding *f, const char *type)
{
	const struct kind_note *n = python_find_note(w, f->key);

	if (n && strcmp(n->type, type) == 0)
		return true;
	for (size_t i = 0; i < f->n_companions; i++) {
		n = python_find_note(w, f->companions[i].key);
		if (n && strcmp(n->type, type) == 0)
			return true;
	}
	return false;
}

/* Of "app._tasks{*}" and "app.cache[5]" what is before the last brackets; else all of it. */
static size_t container_length(const char *path)
{
	static const char opens[] = "[{(", closes[] = "]})";
	size_t n = strlen(path), at = n;
	const char *close = n ? strchr(closes, path[n - 1]) : NULL;
	int depth = 0;

	while (close && at-- > 0) {
		depth += path[at] == *close;
		depth -= path[at] == opens[close - closes];
		if (depth == 0)
			return at;
	}
	return n;
}

/* Whether @path leads on from @root: "app._tasks{*}.coro" from "app._tasks{*}". Indices do not count. */
static bool leads_on(const char *root, const char *path)
{
	static const char ends[] = "])";
	/* What has the same container around it (the keys of a dict) is no other leak. */
	const char *end = root + container_length(root);

	while (root < end && *path) {
		if (*root != *path)
			return false;
		if (*root == '[' || *root == '(') {
			root += strcspn(root, ends);
			path += strcspn(path, ends);
			continue;
		}
		root++;
		path++;
	}
	return root >= end && (!*path || strchr("[{(.", *path));
}

/*
 * What comes with the objects of a finding is held by them, or by other such things. If something else
 * holds it, it is a leak of its own that happens to be as fast.
 */
static void part(struct python_watch *w, const struct kind_finding *f, const struct kind_note *n)
{
	const struct python_holder *h = &n->holders.list[0];
	const struct kind_note *blamed = python_find_note(w, f->key);

	if (n->key == f->key || !n->holders.n || !blamed || !blamed->holders.n ||
	    h->root >= PYTHON_ROOT_UNKNOWN || !h->container[0] ||
	    h->samples < MOST_SAMPLES * n->holders.samples ||
	    leads_on(blamed->holders.list[0].path, h->path) || has_type(w, f, h->container))
		return;
	kind_watch_set_apart(w->kinds, n->key);
}

static void step(struct python_watch *w);

static void on_holders(int error, const char *why, const struct python_holders *h, void *userdata)
{
	struct python_watch *w = userdata;
	struct kind_note *n = python_find_note(w, w->telling.searching);

	if (!w->tracked) {
		python_forget(w);
		return;
	}
	if (error < 0)
		log_debug_errno(error, "failed to look for who holds objects of target %s%s%s",
				w->tracked->target->id, why ? ": " : "", why ? why : "");
	w->cost_ns += h ? h->cpu_ns : 0;
	if (n && h) {
		n->holders = *h;
		part(w, &w->telling.list[w->telling.at], n);
	}
	step(w);
}

/* Of the oldest objects that are known to have been born while they were followed. */
static int search(struct python_watch *w, struct kind_note *n)
{
	uint64_t addresses[PYTHON_SAMPLES];
	struct python_sample samples[PYTHON_SAMPLES];
	size_t count = kind_watch_oldest(w->kinds, n->key, addresses, PYTHON_SAMPLES);

	n->is_searched = true;
	n->searched_ns = monotonic_ns();
	if (!count)
		return -ENOENT;
	for (size_t i = 0; i < count; i++)
		samples[i] = (struct python_sample){ addresses[i], n->type_address };
	w->telling.searches++;
	w->telling.searching = n->key;
	return python_inspect_holders(w->monitor->inspector, w->tracked->target->pid, samples,
				      count, on_holders, w);
}

/* --- lines --------------------------------------------------------------------------------------- */

/* Whether it is time to look for the lines that make objects of a finding. */
static void want_sample(struct python_watch *w, const struct kind_finding *f)
{
	uint64_t again = SEARCH_AGAIN_TICKS * w->monitor->options.detector_tick_ns;
	struct kind_note *n = python_find_note(w, f->key);

	if (n && is_growing(f->evidence.state) &&
	    (!n->sampled_ns || monotonic_ns() - n->sampled_ns > again))
		n->wants_sample = true;
}

static void on_origin(struct monitor *m, uint32_t target, uint64_t kind, int error,
		      struct alert_python *origin)
{
	int r = error < 0 ? error : monitor_python_set_origin(m, target, kind, origin);

	if (r < 0)
		log_debug_errno(r, "where Python objects that grow are made stays unknown");
}

/* What is found is told whenever it is there; one kind at a time is looked into. */
static void sample(struct python_watch *w, struct kind_note *n)
{
	const struct python_kind *k = python_find_kind(w, n->key);
	struct survivors_wanted wanted;
	int r;

	if (!k)
		return;
	wanted = (struct survivors_wanted){
		.kind = n->key,
		.type_address = k->type_address,
		.later = { .type_address = k->type_address,
			   .of_code = true,
			   .code_address = k->code_address,
			   .done = k->done },
		.function = k->function,
		.looks = LOOKS_MAX,
		.done = on_origin,
	};
	r = survivors_begin(w->monitor, w->tracked, &wanted);
	if (r == -EBUSY)
		return;
	n->wants_sample = false;
	n->sampled_ns = monotonic_ns();
	if (r < 0)
		log_debug_errno(r, "target %s: where its Python objects are made stays unknown",
				w->tracked->target->id);
}

static void sample_wanted(struct python_watch *w)
{
	for (size_t i = 0; i < w->n_notes; i++)
		if (w->notes[i].wants_sample)
			sample(w, &w->notes[i]);
}

/* On until an answer is awaited, or all is told. */
static void step(struct python_watch *w)
{
	for (; w->telling.at < w->telling.n; w->telling.at++) {
		const struct kind_finding *f = &w->telling.list[w->telling.at];
		struct kind_note *n;
		int r;

		while ((n = next_search(w, f)))
			if (search(w, n) == 0)
				return;
		r = tell(w, f);
		want_sample(w, f);
		if (r < 0)
			log_warning_errno(r, "failed to tell of a finding in target %s, ignoring",
					  w->tracked->target->id);
	}
	sample_wanted(w);
	python_end_telling(w);
	python_end_round(w);
}

int python_begin_telling(struct python_watch *w)
{
	const struct kind_finding *list;
	size_t n = kind_watch_findings(w->kinds, &list);

	python_end_telling(w);
	if (n) {
		w->telling.list = calloc(n, sizeof(*list));
		if (!w->telling.list) {
			python_end_round(w);
			return -ENOMEM;
		}
		memcpy(w->telling.list, list, n * sizeof(*list));
		w->telling.n = n;
	}
	step(w);
	return 0;
}

void python_end_telling(struct python_watch *w)
{
	free(w->telling.list);
	w->telling = (struct kinds_to_tell){ .n = 0 };
}

/* --- from elsewhere ------------------------------------------------------------------------------- */

int monitor_python_set_origin(struct monitor *m, uint32_t target, uint64_t key,
			      struct alert_python *origin)
{
	_cleanup_(alert_python_freep) struct alert_python *owned = origin, *shown = NULL;
	struct tracked *t = tracked_find(m, target);
	struct kind_note *n = t && t->objects ? python_find_note(t->objects, key) : NULL;
	uint64_t id;
	int r;

	if (!n)
		return -ENOENT;
	alert_python_free(n->origin);
	n->origin = TAKE_PTR(owned);
	id = python_alert_id(t, key);
	if (!alert_book_find(m->alerts, id))
		return 0;
	shown = alert_python_new(n->type);
	if (!shown)
		return -ENOMEM;
	r = alert_python_set_code(shown, n->function, n->file, n->line, n->done);
	r = r < 0 ? r : add_origin(shown, n);
	return r < 0 ? r : alert_book_describe(m->alerts, id, TAKE_PTR(shown));
}

int monitor_python_note_deaths(struct monitor *m, uint32_t target, uint64_t key, uint64_t count,
			       double seconds)
{
	const struct tracked *t = tracked_find(m, target);
	double tick = (double)m->options.detector_tick_ns / NS_PER_SECOND;

	if (!t || !t->objects || !t->objects->kinds)
		return -ENOENT;
	return kind_watch_died(t->objects->kinds, key, (double)count, seconds / tick);
}

int python_add_points(struct monitor *m, const struct tracked *t, uint64_t now_ms)
{
	const struct python_watch *w = t->objects;
	int r = 0;

	for (size_t i = 0; w && w->kinds && i < w->n_notes && r == 0; i++) {
		const struct kind_note *n = &w->notes[i];
		const struct python_kind *k = python_find_kind(w, n->key);
		const struct trend_evidence *e = kind_watch_evidence(w->kinds, n->key);
		const struct history_key key = {
			.service = target_service(t->target),
			.site = python_alert_id(t, n->key),
			.pid = t->target->pid,
		};
		const struct history_point point = {
			.time_ms = now_ms,
			.live_bytes = e ? e->live_bytes : 0,
			.live_count = k ? (double)k->count : 0,
		};

		if (e && k)
			r = history_add_point(m->history, &key, &point);
	}
	return r;
}
