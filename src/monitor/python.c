// SPDX-License-Identifier: GPL-2.0-or-later
/* Rounds of censuses. See python.h. */
#include "monitor/python.h"

#include <errno.h>
#include <string.h>
#include <time.h>

#include "base/clock.h"
#include "base/log.h"
#include "detect/detector.h"
#include "history/history.h"
#include "monitor/detect.h"
#include "monitor/state.h"
#include "monitor/survivors.h"

#define KINDS_TAKEN 4096
#define RETRY_TICKS 30 /* after a census that failed */
#define DEADLINE_NS (10 * NS_PER_SECOND)
/* The least pause between two rounds of a target, whatever the tick. */
#define PAUSE_NS    100000000ull

void python_forget(struct python_watch *w)
{
	struct python_watch **at = &w->monitor->python_watches;

	while (*at && *at != w)
		at = &(*at)->next;
	if (*at)
		*at = w->next;
	python_end_telling(w);
	python_notes_done(w);
	python_census_done(&w->census);
	kind_watch_free(w->kinds);
	free(w->keys);
	free(w->why);
	free(w);
}

static struct python_watch *add_watch(struct monitor *m, struct tracked *t)
{
	struct python_watch *w = calloc(1, sizeof(*w));

	if (!w)
		return NULL;
	w->monitor = m;
	w->tracked = t;
	w->next = m->python_watches;
	m->python_watches = w;
	t->objects = w;
	return w;
}

/* --- the detector of a life ------------------------------------------------------------------------ */

static bool recall(void *userdata, const struct detector_ids *ids, struct trend_profile *ret)
{
	struct python_watch *w = userdata;
	struct history *h = w->monitor->history;
	bool is_other_build;

	return h && w->tracked &&
	       history_find_profile(h, target_service(w->tracked->target), ids->leak_id,
				    ids->site_id, ret, &is_other_build) == 0;
}

static void save(void *userdata, const struct detector_ids *ids,
		 const struct trend_profile *profile)
{
	struct python_watch *w = userdata;
	int r;

	r = history_save_profile(w->monitor->history, target_service(w->tracked->target),
				 ids->leak_id, ids->site_id, profile, wall_ms());
	if (r < 0)
		log_debug_errno(r, "failed to keep what target %s has shown",
				w->tracked->target->id);
}

static struct kind_options kind_options(struct python_watch *w, uint64_t now_ns)
{
	return (struct kind_options){
		.trend = &w->monitor->trend,
		.tick_ns = w->monitor->options.detector_tick_ns,
		/* One tick is over at the first census. */
		.origin_ns = now_ns - w->monitor->options.detector_tick_ns,
		.env = { .recall = recall, .userdata = w },
		.max_kinds = KINDS_TAKEN,
	};
}

static int begin_kinds(struct python_watch *w, uint64_t now_ns)
{
	const struct kind_options options = kind_options(w, now_ns);

	w->kinds = kind_watch_new(&options);
	return w->kinds ? 0 : -ENOMEM;
}

bool python_has_trends(const struct tracked *t)
{
	return t->objects && t->objects->kinds;
}

int python_pack(const struct tracked *t, detector_put_fn put, void *userdata)
{
	return kind_watch_pack(t->objects->kinds, put, userdata);
}

int python_unpack(struct monitor *m, struct tracked *t, detector_get_fn get, void *userdata)
{
	struct python_watch nobody = { .monitor = m };
	struct python_watch *w = t ? t->objects ?: add_watch(m, t) : &nobody;
	struct kind_watch *kinds = NULL;
	struct kind_options options;
	int r;

	if (!w)
		return -ENOMEM;
	options = kind_options(w, monotonic_ns());
	r = kind_watch_unpack(&options, get, userdata, &kinds);
	if (r < 0)
		return r;
	kind_watch_free(w->kinds);
	w->kinds = kinds;
	if (!t)
		kind_watch_free(kinds);
	return 0;
}

/* --- rounds --------------------------------------------------------------------------------------- */

static uint64_t pause_of(const struct python_watch *w, unsigned int ticks)
{
	const struct monitor_options *o = &w->monitor->options;
	uint64_t pause = ticks * o->detector_tick_ns;
	uint64_t earned = (uint64_t)((double)w->cost_ns / o->census_budget_ratio);

	pause = pause > PAUSE_NS ? pause : PAUSE_NS;
	return pause > earned ? pause : earned;
}

void python_end_round(struct python_watch *w)
{
	w->is_busy = false;
	w->due_ns = w->began_ns + pause_of(w, w->error ? RETRY_TICKS : 1);
}

static void fail_round(struct python_watch *w, int error, const char *why)
{
	const struct target *t = w->tracked->target;

	/* The reason of a failure that lasts is told once. */
	if (error != w->error && error != -ENOENT && error != -ESRCH)
		log_debug_errno(error, "target %s has no census of its Python objects%s%s", t->id,
				why ? ": " : "", why ? why : "");
	w->error = error;
	free(w->why);
	w->why = why ? strdup(why) : NULL;
	w->looked_at = error == -ENOENT ? w->tracked->mappings_hash : 0;
	python_end_round(w);
}

static void judge(struct python_watch *w)
{
	int r = kind_watch_judge(w->kinds);

	if (r > 0)
		r = python_begin_telling(w);
	else
		python_end_round(w);
	if (r < 0)
		log_warning_errno(r,
				  "failed to judge the Python objects of target %s, trying again "
				  "later",
				  w->tracked->target->id);
}

/* What none of the objects were found of. */
static int note_none(struct python_watch *w, const struct kind_wanted *wanted)
{
	const struct python_objects none = { .threshold = wanted->threshold ?: UINT64_MAX };

	return kind_watch_objects(w->kinds, wanted->key, &none);
}

static void on_objects(int error, const char *why, const struct python_objects *o, size_t n,
		       uint64_t cpu_ns, void *userdata)
{
	struct python_watch *w = userdata;
	struct kind_wanted wanted[KINDS_FOLLOWED_MAX];
	size_t n_wanted, at = 0;
	int r = 0;

	if (!w->tracked) {
		python_forget(w);
		return;
	}
	w->cost_ns += cpu_ns;
	if (error < 0) {
		fail_round(w, error, why);
		return;
	}
	/* The same as when they were asked for: nothing has moved in between. */
	n_wanted = kind_watch_wanted(w->kinds, wanted);
	for (size_t i = 0; i < n_wanted && r == 0; i++) {
		if (!python_find_kind(w, wanted[i].key))
			r = note_none(w, &wanted[i]);
		else if (at < n)
			r = kind_watch_objects(w->kinds, wanted[i].key, &o[at++]);
	}
	if (r < 0)
		fail_round(w, r, NULL);
	else
		judge(w);
}

static int ask_for_objects(struct python_watch *w)
{
	struct kind_wanted wanted[KINDS_FOLLOWED_MAX];
	struct python_wanted ask[KINDS_FOLLOWED_MAX];
	size_t n = kind_watch_wanted(w->kinds, wanted), n_ask = 0;

	for (size_t i = 0; i < n; i++) {
		const struct python_kind *k = python_find_kind(w, wanted[i].key);

		if (k)
			ask[n_ask++] = (struct python_wanted){
				.type_address = k->type_address,
				.of_code = true,
				.code_address = k->code_address,
				.done = k->done,
				.threshold = wanted[i].threshold,
			};
	}
	return python_inspect_objects(w->monitor->inspector, w->tracked->target->pid, ask, n_ask,
				      KINDS_MEMBERS_MAX, on_objects, w);
}

static int take_census(struct python_watch *w, struct python_census *c)
{
	uint64_t now_ns = monotonic_ns();
	uint64_t *keys = calloc(c->n ? c->n : 1, sizeof(*keys));
	int r = w->kinds ? 0 : begin_kinds(w, now_ns);

	if (!keys || r < 0) {
		free(keys);
		return -ENOMEM;
	}
	for (size_t i = 0; i < c->n; i++)
		keys[i] = python_kind_key(&c->kinds[i]);
	python_census_done(&w->census);
	free(w->keys);
	w->census = *c;
	w->keys = keys;
	*c = (struct python_census){ .n = 0 };
	w->taken_ns = now_ns;
	w->error = 0;
	return python_count(w, now_ns);
}

static void on_census(int error, const char *why, struct python_census *c, void *userdata)
{
	struct python_watch *w = userdata;
	int r;

	if (!w->tracked) {
		python_forget(w);
		return;
	}
	w->cost_ns = c ? c->cpu_ns : 0;
	r = error < 0 ? error : take_census(w, c);
	if (r > 0)
		r = ask_for_objects(w);
	else if (r == 0)
		python_end_round(w);
	if (r < 0)
		fail_round(w, r, why);
}

static void begin_round(struct python_watch *w, uint64_t now_ns)
{
	const struct python_census_options options = {
		.by_code = true,
		.max_kinds = KINDS_TAKEN,
		.deadline_ns = DEADLINE_NS,
	};
	struct target *t = w->tracked->target;
	int r;

	/* Of what is traced the figures are read with the maps. */
	if (t->state == TARGET_FAILED)
		target_refresh(t, PROC_ROOT, CGROUP_ROOT);
	w->is_busy = true;
	w->began_ns = now_ns;
	w->cost_ns = 0;
	r = python_inspect_census(w->monitor->inspector, t->pid, &options, on_census, w);
	if (r < 0)
		fail_round(w, r, NULL);
}

/* --- whom it is worth to look at ------------------------------------------------------------------- */

/*
 * Extension modules have it in their names ("_asyncio.cpython-311-x86_64-linux-gnu.so"), where neither the
 * program nor a library does.
 */
static bool is_pythonic(const char *path)
{
	return path && strstr(path, "python");
}

static bool may_be_python(const struct monitor *m, const struct tracked *t)
{
	if (t->target->runs_python || is_pythonic(t->target->exe))
		return true;
	for (size_t i = 0; i < t->n_slots; i++) {
		const struct file *f = file_table_get(m->files, t->slots[i]);

		if (f && is_pythonic(f->path))
			return true;
	}
	return false;
}

static void tick_target(struct monitor *m, struct tracked *t, uint64_t now_ns)
{
	struct python_watch *w = t->objects;
	bool is_alive = t->target->state == TARGET_TRACED || t->target->state == TARGET_FAILED;

	if (!is_alive || (w && (w->is_busy || now_ns < w->due_ns)))
		return;
	if (w && w->looked_at && w->looked_at == t->mappings_hash)
		return;
	if (!w && !may_be_python(m, t))
		return;
	w = w ?: add_watch(m, t);
	if (w)
		begin_round(w, now_ns);
}

void python_tick(struct monitor *m)
{
	uint64_t now_ns = monotonic_ns();
	struct tracked *t, *next;

	HASH_ITER(by_key, m->tracked, t, next) {
		tick_target(m, t, now_ns);
	}
}

bool python_end(struct monitor *m, struct tracked *t, enum trend_end how)
{
	struct python_watch *w = TAKE_PTR(t->objects);
	bool had_census;

	if (!w)
		return false;
	had_census = w->taken_ns != 0;
	if (w->kinds && m->history)
		kind_watch_end(w->kinds, how, save, w);
	w->tracked = NULL;
	if (!w->is_busy)
		python_forget(w);
	return had_census;
}

int python_start(struct monitor *m)
{
	int r = python_inspector_new(m->base, NULL, &m->inspector);

	return r < 0 ? r : survivors_start(m);
}

void python_stop(struct monitor *m)
{
	survivors_stop(m);
	m->inspector = python_inspector_free(m->inspector);
	python_drop_asks(m);
	/* Those whose answer will not come. */
	while (m->python_watches)
		python_forget(m->python_watches);
}
