// SPDX-License-Identifier: GPL-2.0-or-later
/* Kinds of Python objects: counts, and whose objects are followed. See kind_watch.h; verdicts are in
 * kind_watch_judge.c. */
#include "detect/kind_watch.h"

#include <errno.h>
#include <math.h>
#include <string.h>

#include "detect/kind_watch_state.h"

#define KINDS_MAX 4096

struct kind_watch *kind_watch_new(const struct kind_options *options)
{
	_cleanup_(kind_watch_freep) struct kind_watch *k = calloc(1, sizeof(*k));

	if (!k)
		return NULL;
	k->options = *options;
	k->options.max_kinds = options->max_kinds ?: KINDS_MAX;
	k->process = trend_process_new();
	return k->process ? TAKE_PTR(k) : NULL;
}

static void unfollow(struct kind_watch *k, struct watched_kind *kind)
{
	k->n_followed -= kind->trend != NULL;
	kind->trend = trend_site_free(kind->trend);
	members_done(&kind->members);
	free(kind->profile);
	free(kind->evidence);
	kind->profile = NULL;
	kind->evidence = NULL;
	kind->event = TREND_NOTHING;
	kind->named = 0;
	kind->extra_bytes = 0;
	kind->is_judged = false;
	kind->was_told = false;
}

static void remove_kind(struct kind_watch *k, struct watched_kind *kind)
{
	unfollow(k, kind);
	HASH_DEL(k->kinds, kind);
	free(kind);
}

struct kind_watch *kind_watch_free(struct kind_watch *k)
{
	struct watched_kind *kind, *next;

	if (!k)
		return NULL;
	HASH_ITER(hh, k->kinds, kind, next) {
		remove_kind(k, kind);
	}
	trend_process_free(k->process);
	free(k->findings);
	free(k);
	return NULL;
}

struct watched_kind *kind_watch_find(const struct kind_watch *k, uint64_t key)
{
	struct watched_kind *kind;

	HASH_FIND(hh, k->kinds, &key, sizeof(key), kind);
	return kind;
}

/* --- counts -------------------------------------------------------------------------------------- */

struct watched_kind *kind_watch_add(struct kind_watch *k, uint64_t key)
{
	struct watched_kind *kind = calloc(1, sizeof(*kind));

	if (!kind)
		return NULL;
	kind->key = key;
	HASH_ADD(hh, k->kinds, key, sizeof(kind->key), kind);
	if (!kind->hh.tbl) {
		free(kind);
		return NULL;
	}
	return kind;
}

static uint32_t short_count(uint64_t count)
{
	return count < UINT32_MAX ? (uint32_t)count : UINT32_MAX;
}

static void halve_points(struct kind_watch *k)
{
	struct watched_kind *kind, *next;

	for (size_t i = 1; i < KINDS_POINTS / 2; i++)
		k->times_ns[i] = k->times_ns[2 * i];
	HASH_ITER(hh, k->kinds, kind, next) {
		for (size_t i = 1; i < KINDS_POINTS / 2; i++) {
			kind->counts[i] = kind->counts[2 * i];
			kind->sizes[i] = kind->sizes[2 * i];
		}
	}
	k->n_points = KINDS_POINTS / 2;
	k->spacing_ns *= 2;
}

/* The last point is always this census; it stays when the next one is far enough from the one before. */
static void begin_point(struct kind_watch *k, uint64_t now_ns)
{
	if (k->n_points < 2) {
		k->spacing_ns = k->n_points ? now_ns - k->times_ns[0] : 0;
		k->n_points++;
	} else if (k->times_ns[k->n_points - 1] - k->times_ns[k->n_points - 2] >= k->spacing_ns) {
		if (k->n_points == KINDS_POINTS)
			halve_points(k);
		k->n_points++;
	}
	k->times_ns[k->n_points - 1] = now_ns;
}

static void count(const struct kind_watch *k, struct watched_kind *kind)
{
	if (!kind->is_counted)
		kind->count = kind->bytes = 0;
	kind->counts[k->n_points - 1] = short_count(kind->count);
	kind->sizes[k->n_points - 1] = (float)kind->bytes;
	memmove(kind->recent + 1, kind->recent, (KINDS_RECENT - 1) * sizeof(kind->recent[0]));
	kind->recent[0] = short_count(kind->count);
	kind->has_objects = false;
}

static bool was_ever_there(const struct kind_watch *k, const struct watched_kind *kind)
{
	for (size_t i = 0; i < k->n_points; i++)
		if (kind->counts[i])
			return true;
	return false;
}

/* Names of one key (a class that was defined anew) are one kind. */
static int add_counts(struct kind_watch *k, const struct kind_count *list, size_t n)
{
	struct watched_kind *kind, *next;

	HASH_ITER(hh, k->kinds, kind, next) {
		kind->is_counted = false;
	}
	for (size_t i = 0; i < n; i++) {
		kind = kind_watch_find(k, list[i].key);
		if (!kind && HASH_COUNT(k->kinds) >= k->options.max_kinds)
			continue;
		kind = kind ?: kind_watch_add(k, list[i].key);
		if (!kind)
			return -ENOMEM;
		if (!kind->is_counted)
			kind->count = kind->bytes = 0;
		kind->is_counted = true;
		kind->count += list[i].count;
		kind->bytes += list[i].bytes;
		kind->rank = list[i].rank;
		kind->is_task = list[i].is_task;
		kind->has_ended = list[i].has_ended;
	}
	HASH_ITER(hh, k->kinds, kind, next) {
		count(k, kind);
		if (!kind->is_counted && !kind->trend && !was_ever_there(k, kind))
			remove_kind(k, kind);
	}
	return 0;
}

/* --- who is followed ------------------------------------------------------------------------------ */

static bool matters(const struct kind_watch *k, const struct watched_kind *kind)
{
	return (double)kind->bytes >= trend_process_least_bytes(k->process) &&
	       k->censuses >= KINDS_RECENT && kind->count > kind->recent[KINDS_RECENT - 1];
}

/* One that is quiet and has not grown since it was followed; NULL: none. */
static struct watched_kind *find_idle(const struct kind_watch *k)
{
	struct watched_kind *kind, *next;

	HASH_ITER(hh, k->kinds, kind, next)
		if (kind->trend && !kind->evidence && kind->members.died >= kind->members.born)
			return kind;
	return NULL;
}

int kind_watch_recall(struct kind_watch *k, struct watched_kind *kind)
{
	const struct detector_ids ids = { kind->key, kind->key };
	struct trend_profile profile;

	if (!k->options.env.recall ||
	    !k->options.env.recall(k->options.env.userdata, &ids, &profile))
		return 0;
	kind->profile = malloc(sizeof(*kind->profile));
	if (!kind->profile)
		return -ENOMEM;
	*kind->profile = profile;
	return 0;
}

int kind_watch_follow(struct kind_watch *k, struct watched_kind *kind)
{
	struct watched_kind *idle = k->n_followed < KINDS_FOLLOWED_MAX ? NULL : find_idle(k);

	if (k->n_followed >= KINDS_FOLLOWED_MAX && !idle) {
		k->left_out += !kind->was_left_out;
		kind->was_left_out = true;
		return 0;
	}
	if (idle)
		unfollow(k, idle);
	kind->trend = trend_site_new(k->before);
	if (!kind->trend)
		return -ENOMEM;
	k->n_followed++;
	return kind_watch_recall(k, kind);
}

static int compare_sizes(const struct watched_kind *a, const struct watched_kind *b)
{
	return (a->bytes < b->bytes) - (a->bytes > b->bytes);
}

static int follow_those_that_matter(struct kind_watch *k)
{
	struct watched_kind *kind, *next;
	int r = 0;

	/* The largest first, where there is no room for all. */
	HASH_SORT(k->kinds, compare_sizes);
	HASH_ITER(hh, k->kinds, kind, next) {
		if (r < 0)
			break;
		if (!kind->trend && matters(k, kind))
			r = kind_watch_follow(k, kind);
	}
	return r;
}

static uint32_t tick_of(const struct kind_watch *k, uint64_t ns)
{
	uint64_t origin = k->options.origin_ns;
	uint64_t ticks = ns > origin ? (ns - origin) / k->options.tick_ns : 0;

	return ticks < UINT32_MAX ? (uint32_t)ticks : UINT32_MAX;
}

static int tick_process(struct kind_watch *k, uint32_t now, const struct kind_process *in)
{
	struct trend_process_input process = {
		.allocations = in->work,
		.usage_bytes = in->usage_bytes,
		.limit_bytes = in->limit_bytes,
	};
	struct watched_kind *kind, *next;

	/* A site's own births are taken out of the work again, so they are put in. */
	HASH_ITER(hh, k->kinds, kind, next) {
		process.allocations += (uint64_t)kind->members.born;
		process.frees += (uint64_t)kind->members.died;
	}
	return trend_process_tick(k->process, now, &process);
}

int kind_watch_count(struct kind_watch *k, uint64_t now_ns, const struct kind_process *in,
		     const struct kind_count *list, size_t n)
{
	uint32_t now = tick_of(k, now_ns);
	int r;

	if (now <= k->now || tick_process(k, now, in) < 0)
		return 0;
	k->before = k->now;
	k->now = now;
	k->censuses++;
	task_clock_add(&k->tasks, now, in->tasks_made);
	begin_point(k, now_ns);
	r = add_counts(k, list, n);
	if (r == 0)
		r = follow_those_that_matter(k);
	return r < 0 ? r : 1;
}

size_t kind_watch_wanted(const struct kind_watch *k, struct kind_wanted ret[KINDS_FOLLOWED_MAX])
{
	struct watched_kind *kind, *next;
	size_t n = 0;

	HASH_ITER(hh, k->kinds, kind, next)
		if (kind->trend && n < KINDS_FOLLOWED_MAX)
			ret[n++] = (struct kind_wanted){ kind->key, kind->members.threshold };
	return n;
}

int kind_watch_objects(struct kind_watch *k, uint64_t key, const struct python_objects *objects)
{
	struct watched_kind *kind = kind_watch_find(k, key);
	int r;

	if (!kind || !kind->trend)
		return -ENOENT;
	r = members_update(&kind->members, objects, k->before, k->now,
			   kind->is_task && k->tasks.n ? &k->tasks : NULL);
	kind->has_objects = r == 0;
	return r;
}

/* --- what is known of a kind ---------------------------------------------------------------------- */

size_t kind_watch_oldest(const struct kind_watch *k, uint64_t key, uint64_t *addresses, size_t max)
{
	const struct watched_kind *kind = kind_watch_find(k, key);

	return kind ? members_oldest(&kind->members, addresses, max) : 0;
}

struct slope_estimate kind_watch_growth(const struct kind_watch *k, uint64_t key)
{
	const struct watched_kind *kind = kind_watch_find(k, key);
	struct slope slope = { 0 };

	_Static_assert(SLOPE_POINTS >= KINDS_POINTS, "all points fit a slope");
	for (size_t i = 0; kind && i < k->n_points; i++) {
		slope.time_ns[slope.n] = k->times_ns[i];
		slope.value[slope.n++] = (double)kind->sizes[i];
	}
	return slope_estimate(&slope);
}

const struct trend_evidence *kind_watch_evidence(const struct kind_watch *k, uint64_t key)
{
	const struct watched_kind *kind = kind_watch_find(k, key);

	return kind ? kind->evidence : NULL;
}

uint64_t kind_watch_blamed(const struct kind_watch *k, uint64_t key)
{
	const struct watched_kind *kind = kind_watch_find(k, key);

	return kind && kind->blamed ? kind->blamed : key;
}

void kind_watch_set_apart(struct kind_watch *k, uint64_t key)
{
	struct watched_kind *kind = kind_watch_find(k, key);

	if (kind)
		kind->is_apart = true;
}

int kind_watch_died(struct kind_watch *k, uint64_t key, double count, double age_ticks)
{
	struct watched_kind *kind = kind_watch_find(k, key);

	if (!kind || !kind->trend)
		return -ENOENT;
	if (count > 0 && age_ticks >= 0)
		kind->members.freed[lifetime_bin(age_ticks)] += count;
	return 0;
}

uint64_t kind_watch_origin_ns(const struct kind_watch *k)
{
	return k->options.origin_ns;
}

size_t kind_watch_followed(const struct kind_watch *k)
{
	return k->n_followed;
}

uint64_t kind_watch_left_out(const struct kind_watch *k)
{
	return k->left_out;
}

void kind_watch_end(struct kind_watch *k, enum trend_end how,
		    void (*save)(void *userdata, const struct detector_ids *ids,
				 const struct trend_profile *profile),
		    void *userdata)
{
	const struct detector_env *env = &k->options.env;
	struct watched_kind *kind, *next;

	HASH_ITER(hh, k->kinds, kind, next) {
		const struct detector_ids ids = { kind->key, kind->key };
		struct trend_profile profile;

		if (!kind->trend)
			continue;
		/* Asked again: another process of the service may have ended meanwhile. */
		if (!env->recall || !env->recall(env->userdata, &ids, &profile))
			profile = (struct trend_profile){ 0 };
		trend_site_end(kind->trend, k->process, k->options.trend, how, &profile);
		save(userdata, &ids, &profile);
	}
}
