// SPDX-License-Identifier: GPL-2.0-or-later
/* Verdicts on kinds of Python objects, and which of them are one leak. See kind_watch.h. */
#include <errno.h>
#include <math.h>

#include "detect/kind_watch.h"
#include "detect/kind_watch_state.h"

/*
 * Kinds grow in step if one gains so many times what the other does, within this share, over the whole
 * growth and over its younger half. Who is in step already may be twice as far off.
 */
#define MULTIPLE_MAX   4
#define STEP_TOLERANCE 0.05
#define STEP_OBJECTS   2  /* by which both may be off, whatever the share */
#define LEAST_GAIN     16 /* objects; of fewer nothing can be told */

/*
 * Tasks and generators that have ended are kept for their result at most; more and more of them are hardly
 * ever wanted. So much more likely than of other kinds it is that such growth is a leak.
 */
#define ENDED_ODDS 16

/* The least standing() of what people were told. */
#define ALERTED 3

static double average_bytes(const struct watched_kind *kind)
{
	return kind->count ? (double)kind->bytes / (double)kind->count : 0;
}

/* Of an object with what comes with it. */
static double object_bytes(const struct watched_kind *kind)
{
	return average_bytes(kind) + kind->extra_bytes;
}

/* --- who grows with whom -------------------------------------------------------------------------- */

/* The census from which a kind has grown to what it is now. */
static uint32_t least_point(const struct kind_watch *k, const struct watched_kind *kind)
{
	uint32_t least = 0;

	for (uint32_t i = 0; i < k->n_points; i++)
		if (kind->counts[i] <= kind->counts[least])
			least = i;
	return least;
}

static double gain(const struct kind_watch *k, const struct watched_kind *kind, uint32_t from)
{
	return (double)kind->counts[k->n_points - 1] - (double)kind->counts[from];
}

static double gain_bytes(const struct kind_watch *k, const struct watched_kind *kind, uint32_t from)
{
	return (double)kind->sizes[k->n_points - 1] - (double)kind->sizes[from];
}

static bool is_multiple(double larger, double smaller, double tolerance)
{
	for (int m = 1; m <= MULTIPLE_MAX; m++)
		if (fabs(larger - m * smaller) <= tolerance * larger + STEP_OBJECTS)
			return true;
	return false;
}

static bool gain_alike(double a, double b, double tolerance)
{
	return a > 0 && b > 0 && is_multiple(fmax(a, b), fmin(a, b), tolerance);
}

static bool grow_in_step(const struct kind_watch *k, const struct watched_kind *a,
			 const struct watched_kind *b, uint32_t from)
{
	uint32_t middle = from + (k->n_points - 1 - from) / 2;
	bool were = a->was_blamed && a->was_blamed == b->was_blamed;
	double tolerance = were ? 2 * STEP_TOLERANCE : STEP_TOLERANCE;

	return a != b && !a->is_apart && !b->is_apart && gain(k, b, from) >= LEAST_GAIN &&
	       gain_alike(gain(k, a, from), gain(k, b, from), tolerance) &&
	       gain_alike(gain(k, a, middle), gain(k, b, middle), tolerance);
}

static bool tells_more(const struct watched_kind *a, const struct watched_kind *than)
{
	return a->rank != than->rank ? a->rank < than->rank : a->bytes > than->bytes;
}

static struct watched_kind *find_leader(const struct kind_watch *k, struct watched_kind *of,
					uint32_t from)
{
	struct watched_kind *kind, *next, *leader = of;

	HASH_ITER(hh, k->kinds, kind, next)
		if (!kind->blamed && grow_in_step(k, of, kind, from) && tells_more(kind, leader))
			leader = kind;
	return leader;
}

/* A name that people were told stays, and one that they could read is changed for a better one only. */
static struct watched_kind *name_of(const struct kind_watch *k, struct watched_kind *of,
				    uint32_t from)
{
	struct watched_kind *named = of->named ? kind_watch_find(k, of->named) : NULL;
	struct watched_kind *leader = find_leader(k, of, from);

	if (named && (of->was_told || (!named->is_apart && leader->rank >= named->rank)))
		return named;
	return leader;
}

/* What comes with each object of @judged, in bytes, and all of them have their blame now. */
static void gather(struct kind_watch *k, struct watched_kind *judged,
		   const struct watched_kind *leader, uint32_t from)
{
	double gained = fmax(gain(k, judged, from), 1);
	struct watched_kind *kind, *next;

	judged->extra_bytes = 0;
	HASH_ITER(hh, k->kinds, kind, next) {
		bool is_with =
			kind == leader || (!kind->blamed && grow_in_step(k, judged, kind, from));

		if (kind == judged || !is_with)
			continue;
		kind->blamed = leader->key;
		judged->extra_bytes += fmax(gain_bytes(k, kind, from), 0) / gained;
	}
	judged->blamed = leader->key;
	judged->is_judged = true;
}

/* Of those that are followed and have no blame yet: who gained the most. */
static struct watched_kind *largest_left(const struct kind_watch *k)
{
	struct watched_kind *kind, *next, *largest = NULL;
	double most = 0;

	HASH_ITER(hh, k->kinds, kind, next) {
		double bytes;

		if (!kind->trend || !kind->members.threshold || kind->blamed)
			continue;
		bytes = gain_bytes(k, kind, least_point(k, kind));
		if (!largest || bytes > most) {
			largest = kind;
			most = bytes;
		}
	}
	return largest;
}

/* One of each group is judged: whose name it has, once its objects are followed. */
static int form_groups(struct kind_watch *k)
{
	struct watched_kind *kind, *next;
	int r = 0;

	HASH_ITER(hh, k->kinds, kind, next) {
		kind->was_blamed = kind->blamed;
		kind->blamed = 0;
		kind->is_judged = false;
	}
	while (r == 0 && (kind = largest_left(k))) {
		uint32_t from = least_point(k, kind);
		struct watched_kind *leader = name_of(k, kind, from);
		bool is_ready = leader->trend && leader->members.threshold && !leader->blamed;

		if (!leader->trend)
			r = kind_watch_follow(k, leader);
		gather(k, is_ready ? leader : kind, leader, from);
		/* (One that stopped to keep step has its name still.) */
		kind->blamed = leader->key;
	}
	return r;
}

/* --- verdicts ------------------------------------------------------------------------------------- */

static int tick_kinds(struct kind_watch *k)
{
	struct watched_kind *kind, *next;

	HASH_ITER(hh, k->kinds, kind, next) {
		const struct trend_site_input in = {
			.allocations = (uint64_t)kind->members.born,
			.live_blocks = kind->count,
			.live_bytes = (double)kind->count * object_bytes(kind),
		};

		/* Without its objects it has no tick; the next one makes up for it. */
		if (kind->trend && kind->has_objects &&
		    trend_site_tick(kind->trend, k->process, &in) < 0)
			return -EINVAL;
	}
	return 0;
}

static double prior_odds(const struct kind_watch *k, const struct watched_kind *kind)
{
	return k->options.trend->prior_odds * (kind->has_ended ? ENDED_ODDS : 1);
}

static int judge(struct kind_watch *k, struct watched_kind *kind)
{
	struct trend_options options = *k->options.trend;
	struct trend_evidence evidence;
	uint64_t freed[LIFETIME_BINS];
	int r;

	trend_site_scan_begin(kind->trend, k->process);
	r = members_scan(&kind->members, kind->trend, k->process, object_bytes(kind));
	if (r < 0)
		return r;
	for (size_t i = 0; i < LIFETIME_BINS; i++)
		freed[i] = (uint64_t)kind->members.freed[i];
	options.prior_odds = prior_odds(k, kind);
	kind->event = trend_site_evaluate(kind->trend, k->process, &options, kind->profile, freed,
					  &evidence);
	if (!kind->evidence && evidence.state == TREND_QUIET)
		return 0;
	kind->evidence = kind->evidence ?: malloc(sizeof(*kind->evidence));
	if (!kind->evidence)
		return -ENOMEM;
	*kind->evidence = evidence;
	return 0;
}

static int judge_all(struct kind_watch *k)
{
	struct watched_kind *kind, *next;
	int r = 0;

	HASH_ITER(hh, k->kinds, kind, next) {
		/* Another evaluation would find the event of the last one again. */
		kind->event = TREND_NOTHING;
		if (kind->is_judged && r == 0)
			r = judge(k, kind);
	}
	return r;
}

/* --- findings ------------------------------------------------------------------------------------- */

static int standing(const struct watched_kind *kind)
{
	static const int of[] = {
		[TREND_LEAKING] = 4,  [TREND_EXHAUSTION] = 3, [TREND_STOPPED] = 2,
		[TREND_RESOLVED] = 2, [TREND_SUSPECT] = 1,    [TREND_QUIET] = 0,
		[TREND_CLOSED] = 0,
	};

	return kind->evidence ? of[kind->evidence->state] : 0;
}

static bool is_of_interest(const struct watched_kind *kind)
{
	return standing(kind) > 0 || kind->event != TREND_NOTHING;
}

/* The largest growth first, as many as there is room for. */
static void add_companion(struct kind_finding *f, uint64_t key, double per_object, double bytes,
			  double *sizes)
{
	size_t at = f->n_companions;

	if (at == KINDS_COMPANIONS_MAX && bytes <= sizes[at - 1])
		return;
	at -= at == KINDS_COMPANIONS_MAX;
	for (; at > 0 && sizes[at - 1] < bytes; at--) {
		sizes[at] = sizes[at - 1];
		f->companions[at] = f->companions[at - 1];
	}
	sizes[at] = bytes;
	f->companions[at] = (struct kind_companion){ key, per_object };
	f->n_companions += f->n_companions < KINDS_COMPANIONS_MAX;
}

static void add_companions(const struct kind_watch *k, const struct watched_kind *judged,
			   struct kind_finding *f)
{
	double sizes[KINDS_COMPANIONS_MAX];
	uint32_t from = least_point(k, judged);
	const struct watched_kind *leader = kind_watch_find(k, f->key);
	double gained = fmax(gain(k, leader ?: judged, from), 1);
	struct watched_kind *kind, *next;

	HASH_ITER(hh, k->kinds, kind, next)
		if (kind->blamed == f->key && kind != leader && gain(k, kind, from) > 0)
			add_companion(f, kind->key, gain(k, kind, from) / gained,
				      gain_bytes(k, kind, from), sizes);
}

/* What was suspected under a name is now told under a better one. */
static void take_back(struct kind_watch *k, const struct watched_kind *kind)
{
	struct kind_finding *f = &k->findings[k->n_findings++];

	*f = (struct kind_finding){
		.key = kind->named,
		.event = TREND_CLEARED,
		.evidence = *kind->evidence,
		.bytes_per_object = average_bytes(kind),
		.prior_odds = prior_odds(k, kind),
	};
	f->evidence.state = TREND_QUIET;
}

static int add_finding(struct kind_watch *k, struct watched_kind *judged)
{
	/* One more for what is taken back. */
	struct kind_finding *grown =
		reallocarray(k->findings, k->n_findings + 2, sizeof(*k->findings));
	struct kind_finding *f;

	if (!grown)
		return -ENOMEM;
	k->findings = grown;
	if (judged->named && judged->named != judged->blamed)
		take_back(k, judged);
	judged->named = judged->blamed;
	judged->was_told = judged->was_told || standing(judged) >= ALERTED;
	f = &k->findings[k->n_findings++];
	*f = (struct kind_finding){
		.key = judged->blamed,
		.event = judged->event,
		.evidence = *judged->evidence,
		.bytes_per_object = object_bytes(judged),
		.prior_odds = prior_odds(k, judged),
	};
	add_companions(k, judged, f);
	return 0;
}

/* A suspicion against what grows with something else, from before that was known. */
static int drop_suspicion(struct kind_watch *k, struct watched_kind *kind)
{
	struct kind_finding *grown =
		reallocarray(k->findings, k->n_findings + 1, sizeof(*k->findings));

	if (!grown)
		return -ENOMEM;
	k->findings = grown;
	if (kind->named && kind->named != kind->blamed)
		take_back(k, kind);
	kind->named = 0;
	free(kind->evidence);
	kind->evidence = NULL;
	return 0;
}

static int find_all(struct kind_watch *k)
{
	struct watched_kind *kind, *next;
	int r = 0;

	k->n_findings = 0;
	HASH_ITER(hh, k->kinds, kind, next) {
		if (r < 0 || !kind->evidence)
			continue;
		if (kind->is_judged && is_of_interest(kind))
			r = add_finding(k, kind);
		else if (!kind->is_judged && kind->named && !kind->was_told)
			r = drop_suspicion(k, kind);
	}
	return r;
}

int kind_watch_judge(struct kind_watch *k)
{
	int r = tick_kinds(k);

	if (r < 0 || !trend_process_evaluation_due(k->process, k->options.trend))
		return r;
	trend_process_evaluate(k->process);
	r = form_groups(k);
	if (r == 0)
		r = judge_all(k);
	if (r == 0)
		r = find_all(k);
	return r < 0 ? r : 1;
}

size_t kind_watch_findings(const struct kind_watch *k, const struct kind_finding **ret)
{
	*ret = k->findings;
	return k->n_findings;
}
