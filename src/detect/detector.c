// SPDX-License-Identifier: GPL-2.0-or-later
/* The detector on one life of a process. See detector.h. */
#include "detect/detector.h"

#include <errno.h>
#include <math.h>

#include "detect/state.h"
#include "heap/ids.h"
#include "trend/process.h"

#define KEYS_MAX 12288

_Static_assert(AGE_BINS == LIFETIME_BINS, "ages are counted in the detector's bins");

struct detector *detector_new(const struct detector_options *options)
{
	_cleanup_(detector_freep) struct detector *d = calloc(1, sizeof(*d));

	if (!d)
		return NULL;
	d->options = *options;
	d->options.max_keys = options->max_keys ?: KEYS_MAX;
	for (size_t i = 0; i < DETECTOR_SCOPES; i++) {
		d->processes[i] = trend_process_new();
		if (!d->processes[i])
			return NULL;
	}
	return TAKE_PTR(d);
}

static void free_key(struct key *k)
{
	trend_site_free(k->trend);
	free(k->profile);
	free(k->freed);
	free(k->evidence);
	free(k);
}

struct detector *detector_free(struct detector *d)
{
	struct key *k, *next;

	if (!d)
		return NULL;
	blame_clear(d);
	for (size_t i = 0; i < DETECTOR_SCOPES; i++) {
		HASH_ITER(hh, d->keys[i], k, next) {
			HASH_DEL(d->keys[i], k);
			free_key(k);
		}
		trend_process_free(d->processes[i]);
	}
	free(d);
	return NULL;
}

struct key *key_find(const struct detector *d, enum detector_scope scope, uint64_t id)
{
	struct key *k;

	HASH_FIND(hh, d->keys[scope], &id, sizeof(id), k);
	return k;
}

struct key *key_add(struct detector *d, enum detector_scope scope, uint64_t id)
{
	struct key *k = calloc(1, sizeof(*k));

	if (!k)
		return NULL;
	k->id = id;
	k->scope = scope;
	HASH_ADD(hh, d->keys[scope], id, sizeof(k->id), k);
	if (!k->hh.tbl) {
		free(k);
		return NULL;
	}
	return k;
}

uint64_t key_of_frames(const struct site *s)
{
	uint64_t h = ID_START;

	if (!s->frames || !s->n_frames)
		return 0;
	for (uint16_t i = 0; i < DETECTOR_FRAMES_SHARED && s->own_frame + i < s->n_frames; i++)
		h = id_add_number(h, s->frames[s->own_frame + i]);
	return id_end(h) ?: 1;
}

static uint32_t tick_of(const struct detector *d, uint64_t ns)
{
	uint64_t ticks =
		ns > d->options.origin_ns ? (ns - d->options.origin_ns) / d->options.tick_ns : 0;

	return ticks < UINT32_MAX ? (uint32_t)ticks : UINT32_MAX;
}

/* --- ticks --------------------------------------------------------------------------------------- */

static void reset_sums(struct detector *d)
{
	struct key *k, *next;

	for (size_t i = 0; i < DETECTOR_SCOPES; i++) {
		HASH_ITER(hh, d->keys[i], k, next) {
			k->allocations = 0;
			k->live_blocks = 0;
			k->live_bytes = 0;
			k->n_sites = 0;
			k->largest = NULL;
		}
	}
}

static uint64_t seen_live(const struct site *s)
{
	return s->seen.allocated > s->seen.freed ? s->seen.allocated - s->seen.freed : 0;
}

/* Totals have no births: all of them count as the blocks of the last walk do. */
static double live_factor(const struct detector *d)
{
	return d->live_factor > 0 ? d->live_factor : weights_at(&d->weights, UINT32_MAX);
}

static struct key *get_key(struct detector *d, enum detector_scope scope, uint64_t id)
{
	return key_find(d, scope, id) ?: key_add(d, scope, id);
}

static void add_to_key(const struct detector *d, struct key *k, const struct site *s)
{
	k->allocations += s->seen.allocated;
	k->live_blocks += seen_live(s);
	k->live_bytes += (double)totals_live_bytes(&s->totals) * live_factor(d);
	k->n_sites++;
	if (k->first_ns == 0 || s->first_seen_ns < k->first_ns)
		k->first_ns = s->first_seen_ns;
	if (!k->largest || totals_live_bytes(&s->totals) > totals_live_bytes(&k->largest->totals))
		k->largest = s;
}

static int add_site(struct detector *d, const struct site *s)
{
	struct key *stack = get_key(d, DETECTOR_STACK, s->stack);
	struct key *process = get_key(d, DETECTOR_PROCESS, 0);
	uint64_t frames;

	if (!stack || !process)
		return -ENOMEM;
	/* Frames are read once, and stay. */
	frames = stack->shared ? 0 : key_of_frames(s);
	if (frames) {
		stack->shared = get_key(d, DETECTOR_FRAMES, frames);
		if (!stack->shared)
			return -ENOMEM;
	}
	add_to_key(d, stack, s);
	if (stack->shared)
		add_to_key(d, stack->shared, s);
	add_to_key(d, process, s);
	return 0;
}

static int sum_up(struct detector *d, struct site *const *sites, size_t n)
{
	int r = 0;

	reset_sums(d);
	for (size_t i = 0; i < n && r == 0; i++)
		r = add_site(d, sites[i]);
	return r;
}

/* A key that was small so far is followed from when its first site was seen. */
static int begin_to_follow(struct detector *d, struct key *k)
{
	if (d->n_keys >= d->options.max_keys) {
		d->left_out += !k->was_left_out;
		k->was_left_out = true;
		return 0;
	}
	k->trend = trend_site_new(tick_of(d, k->first_ns));
	if (!k->trend)
		return -ENOMEM;
	d->n_keys++;
	return 0;
}

/* Frames that only one stack has say nothing that the stack does not. */
static bool is_worth_following(const struct detector *d, const struct key *k)
{
	return k->live_bytes >= trend_process_least_bytes(d->processes[k->scope]) &&
	       (k->scope != DETECTOR_FRAMES || k->n_sites > 1);
}

static int tick_keys(struct detector *d, enum detector_scope scope)
{
	struct key *k, *next;
	int r;

	HASH_ITER(hh, d->keys[scope], k, next) {
		const struct trend_site_input in = {
			.allocations = k->allocations,
			.live_blocks = k->live_blocks,
			.live_bytes = k->live_bytes,
		};

		if (!k->trend && is_worth_following(d, k)) {
			r = begin_to_follow(d, k);
			if (r < 0)
				return r;
		}
		if (!k->trend)
			continue;
		r = trend_site_tick(k->trend, d->processes[scope], &in);
		if (r < 0)
			return r;
	}
	return 0;
}

int detector_tick(struct detector *d, uint64_t now_ns, const struct detector_process *in,
		  struct site *const *sites, size_t n)
{
	struct trend_process_input process = {
		.lost_frees = in->lost_frees,
		.usage_bytes = in->usage_bytes,
		.limit_bytes = in->limit_bytes,
	};
	uint32_t now = tick_of(d, now_ns);
	int r;

	if (d->is_scanning || now <= detector_now(d))
		return 0;
	if (in->bytes_factor > 0 && isfinite(in->bytes_factor))
		weights_add(&d->weights, detector_now(d), in->bytes_factor);
	r = sum_up(d, sites, n);
	if (r < 0)
		return r;
	for (size_t i = 0; i < n; i++) {
		process.allocations += sites[i]->seen.allocated;
		process.frees += sites[i]->seen.freed;
	}
	for (size_t scope = 0; scope < DETECTOR_SCOPES; scope++) {
		r = trend_process_tick(d->processes[scope], now, &process);
		if (r == 0)
			r = tick_keys(d, (enum detector_scope)scope);
		if (r < 0)
			return r;
	}
	return trend_process_evaluation_due(d->processes[DETECTOR_STACK], d->options.trend);
}

/* --- evaluations --------------------------------------------------------------------------------- */

void detector_scan_begin(struct detector *d)
{
	struct key *k, *next;

	d->is_scanning = true;
	d->walked_bytes = d->weighed_bytes = 0;
	for (size_t i = 0; i < DETECTOR_SCOPES; i++) {
		trend_process_evaluate(d->processes[i]);
		HASH_ITER(hh, d->keys[i], k, next)
			if (k->trend)
				trend_site_scan_begin(k->trend, d->processes[i]);
	}
}

bool detector_is_scanning(const struct detector *d)
{
	return d->is_scanning;
}

void detector_scan_abandon(struct detector *d)
{
	d->is_scanning = false;
}

static void scan_into(struct detector *d, const struct key *k, uint32_t birth, double bytes)
{
	if (k && k->trend)
		trend_site_scan_add(k->trend, d->processes[k->scope], birth, 1, bytes);
}

void detector_scan_block(struct detector *d, const struct site *s, uint64_t birth_ns, double bytes)
{
	uint32_t birth = tick_of(d, birth_ns);
	const struct key *stack;

	/* Younger than the tick that is judged. */
	if (!d->is_scanning || birth >= detector_now(d))
		return;
	d->walked_bytes += bytes;
	bytes *= weights_at(&d->weights, birth);
	d->weighed_bytes += bytes;
	/* None: its site was not there at the tick that is judged. */
	stack = key_find(d, DETECTOR_STACK, s->stack);
	scan_into(d, stack, birth, bytes);
	scan_into(d, stack ? stack->shared : NULL, birth, bytes);
	/* There is one of these. */
	scan_into(d, d->keys[DETECTOR_PROCESS], birth, bytes);
}

static void add_freed(struct key *k, const struct site *s)
{
	for (size_t i = 0; k && k->freed && i < LIFETIME_BINS; i++)
		k->freed[i] += s->seen.freed_by_age[i];
}

/* Of all keys but stacks. */
static int sum_up_freed(struct detector *d)
{
	struct key *k, *next;

	for (size_t i = DETECTOR_FRAMES; i < DETECTOR_SCOPES; i++) {
		HASH_ITER(hh, d->keys[i], k, next) {
			if (!k->trend)
				continue;
			free(k->freed);
			k->freed = calloc(LIFETIME_BINS, sizeof(*k->freed));
			if (!k->freed)
				return -ENOMEM;
		}
	}
	HASH_ITER(hh, d->keys[DETECTOR_STACK], k, next) {
		if (!k->largest)
			continue;
		add_freed(k->shared, k->largest);
		add_freed(d->keys[DETECTOR_PROCESS], k->largest);
	}
	return 0;
}

/* What is known of its earlier lives, once it is known by what name to ask. */
static int recall(struct detector *d, struct key *k)
{
	const struct detector_env *env = &d->options.env;
	struct trend_profile profile;

	if (k->was_recalled || !env->identify)
		return 0;
	if (!env->identify(env->userdata, k->scope,
			   k->scope == DETECTOR_PROCESS ? NULL : k->largest, &k->ids))
		return 0;
	k->was_recalled = true;
	if (!env->recall || !env->recall(env->userdata, &k->ids, &profile))
		return 0;
	k->profile = malloc(sizeof(*k->profile));
	if (!k->profile)
		return -ENOMEM;
	*k->profile = profile;
	return 0;
}

static int evaluate(struct detector *d, struct key *k)
{
	struct trend_evidence evidence;
	uint64_t freed[LIFETIME_BINS];
	int r;

	r = recall(d, k);
	if (r < 0)
		return r;
	for (size_t i = 0; i < LIFETIME_BINS; i++)
		freed[i] = k->freed   ? k->freed[i] :
			   k->largest ? k->largest->seen.freed_by_age[i] :
					0;
	k->event = trend_site_evaluate(k->trend, d->processes[k->scope], d->options.trend,
				       k->profile, freed, &evidence);
	if (!k->evidence && evidence.state == TREND_QUIET)
		return 0;
	if (!k->evidence)
		k->evidence = malloc(sizeof(*k->evidence));
	if (!k->evidence)
		return -ENOMEM;
	*k->evidence = evidence;
	return 0;
}

int detector_evaluate(struct detector *d, struct site *const *sites, size_t n)
{
	struct key *k, *next;
	int r;

	if (!d->is_scanning)
		return -EINVAL;
	d->is_scanning = false;
	if (d->walked_bytes > 0)
		d->live_factor = d->weighed_bytes / d->walked_bytes;
	blame_clear(d);
	r = sum_up_freed(d);
	if (r < 0)
		return r;
	for (size_t i = 0; i < DETECTOR_SCOPES; i++) {
		HASH_ITER(hh, d->keys[i], k, next) {
			if (!k->trend)
				continue;
			r = evaluate(d, k);
			if (r < 0)
				return r;
		}
	}
	return blame_settle(d, sites, n);
}

size_t detector_findings(const struct detector *d, const struct detector_finding **ret)
{
	*ret = d->findings;
	return d->n_findings;
}

void detector_end(struct detector *d, enum trend_end how,
		  void (*save)(void *userdata, const struct detector_ids *ids,
			       const struct trend_profile *profile),
		  void *userdata)
{
	const struct detector_env *env = &d->options.env;
	struct key *k, *next;

	for (size_t i = 0; i < DETECTOR_SCOPES; i++) {
		HASH_ITER(hh, d->keys[i], k, next) {
			struct trend_profile profile;

			if (!k->trend || !k->was_recalled || !detector_now(d))
				continue;
			/* Asked again: another process of the service may have ended meanwhile. */
			if (!env->recall || !env->recall(env->userdata, &k->ids, &profile))
				profile = (struct trend_profile){ 0 };
			trend_site_end(k->trend, d->processes[i], d->options.trend, how, &profile);
			save(userdata, &k->ids, &profile);
		}
	}
}

uint64_t detector_origin_ns(const struct detector *d)
{
	return d->options.origin_ns;
}

uint32_t detector_now(const struct detector *d)
{
	return trend_process_now(d->processes[DETECTOR_STACK]);
}

enum trend_state detector_state_of(const struct detector *d, uint64_t stack)
{
	const struct key *k = key_find(d, DETECTOR_STACK, stack);

	return k && k->trend ? trend_site_state(k->trend) : TREND_QUIET;
}

uint64_t detector_left_out(const struct detector *d)
{
	return d->left_out;
}

size_t detector_keys(const struct detector *d)
{
	return d->n_keys;
}
