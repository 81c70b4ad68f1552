// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Where the blame goes. All stacks with the same innermost frames are one leak: blamed is the stack, if
 * one explains most of the growth, else what they share. The process is blamed if none of its parts
 * can be.
 */
#include <errno.h>
#include <math.h>

#include "detect/state.h"

#define EXPLAINS  0.8 /* of the rate of what it is a part of */
#define FEW	  3
#define FEW_SHARE 0.5

/* How far a key is on its way to an alert, for choosing among several. */
static int standing(enum trend_state state)
{
	switch (state) {
	case TREND_LEAKING:
		return 4;
	case TREND_EXHAUSTION:
		return 3;
	case TREND_STOPPED:
	case TREND_RESOLVED:
		return 2;
	case TREND_SUSPECT:
		return 1;
	case TREND_QUIET:
	case TREND_CLOSED:
		break;
	}
	return 0;
}

static int key_standing(const struct key *k)
{
	return k && k->evidence ? standing(k->evidence->state) : 0;
}

static double rate_of(const struct key *k)
{
	return k && k->evidence ? k->evidence->bytes_per_tick : 0;
}

/* The stacks that share their innermost frames. */
struct family {
	uint64_t id;
	const struct key *frames;   /* NULL: not followed */
	const struct key *best;	    /* the stack that stands highest */
	enum trend_event event;	    /* the most telling of all */
	const struct key **members; /* best first; owned */
	size_t n;
	size_t room;
	UT_hash_handle hh;
};

static int compare_members(const void *a, const void *b)
{
	const struct key *x = *(const struct key *const *)a, *y = *(const struct key *const *)b;

	if (key_standing(x) != key_standing(y))
		return key_standing(y) - key_standing(x);
	if (rate_of(x) != rate_of(y))
		return rate_of(x) < rate_of(y) ? 1 : -1;
	if (x->live_bytes != y->live_bytes)
		return x->live_bytes < y->live_bytes ? 1 : -1;
	return x->id < y->id ? -1 : x->id > y->id;
}

static bool is_of_interest(const struct key *k)
{
	return key_standing(k) > 0 || (k && k->event != TREND_NOTHING);
}

static int add_member(struct family *f, const struct key *k)
{
	if (f->n == f->room) {
		size_t room = f->room ? 2 * f->room : 4;
		const struct key **grown = reallocarray(f->members, room, sizeof(struct key *));

		if (!grown)
			return -ENOMEM;
		f->members = grown;
		f->room = room;
	}
	f->members[f->n++] = k;
	return 0;
}

static struct family *family_of(const struct detector *d, struct family **families, uint64_t id)
{
	struct family *f;

	HASH_FIND(hh, *families, &id, sizeof(id), f);
	if (f)
		return f;
	f = calloc(1, sizeof(*f));
	if (!f)
		return NULL;
	f->id = id;
	f->frames = key_find(d, DETECTOR_FRAMES, id);
	if (f->frames && !f->frames->trend)
		f->frames = NULL;
	HASH_ADD(hh, *families, id, sizeof(f->id), f);
	if (!f->hh.tbl) {
		free(f);
		return NULL;
	}
	return f;
}

static void free_families(struct family *families)
{
	struct family *f, *next;

	HASH_ITER(hh, families, f, next) {
		HASH_DEL(families, f);
		free(f->members);
		free(f);
	}
}

/* Of several events of one leak people hear the most telling one. */
static enum trend_event more_telling(enum trend_event a, enum trend_event b)
{
	static const int telling[] = {
		[TREND_NOTHING] = 0,   [TREND_CLEARED] = 1,	 [TREND_SUSPECTED] = 2,
		[TREND_CONTINUED] = 3, [TREND_HAS_RESOLVED] = 4, [TREND_HAS_STOPPED] = 5,
		[TREND_RESUMED] = 6,   [TREND_GREW] = 7,	 [TREND_OPENED] = 8,
	};

	return telling[a] >= telling[b] ? a : b;
}

static int find_families(const struct detector *d, struct site *const *sites, size_t n,
			 struct family **ret)
{
	for (size_t i = 0; i < n; i++) {
		const struct key *k = key_find(d, DETECTOR_STACK, sites[i]->stack);
		const struct key *frames = k ? k->shared : NULL;
		struct family *f;

		if (!is_of_interest(k) && !(frames && frames->trend && is_of_interest(frames)))
			continue;
		/* A stack that is not known is a family of its own. */
		f = family_of(d, ret, frames ? frames->id : sites[i]->stack);
		if (!f || (k && add_member(f, k) < 0))
			return -ENOMEM;
	}
	return 0;
}

static void judge_family(struct family *f)
{
	if (f->n)
		qsort(f->members, f->n, sizeof(f->members[0]), compare_members);
	f->best = f->n ? f->members[0] : NULL;
	f->event = f->frames ? f->frames->event : TREND_NOTHING;
	for (size_t i = 0; i < f->n; i++)
		f->event = more_telling(f->event, f->members[i]->event);
}

/* The stack, if it stands as high as what it shares and explains most of that, else what is shared. */
static const struct key *blamed_of(const struct family *f)
{
	if (!f->frames || key_standing(f->best) > key_standing(f->frames))
		return f->best;
	if (!f->best || !f->best->evidence)
		return f->frames;
	if (key_standing(f->best) == key_standing(f->frames) &&
	    rate_of(f->best) >= EXPLAINS * rate_of(f->frames))
		return f->best;
	return f->frames;
}

static int add_finding(struct detector *d, const struct detector_finding *finding, uint64_t *stacks)
{
	struct detector_finding *grown;
	uint64_t **grown_stacks;

	grown = reallocarray(d->findings, d->n_findings + 1, sizeof(*grown));
	if (!grown)
		return -ENOMEM;
	d->findings = grown;
	grown_stacks = reallocarray(d->stacks, d->n_findings + 1, sizeof(*grown_stacks));
	if (!grown_stacks)
		return -ENOMEM;
	d->stacks = grown_stacks;
	d->findings[d->n_findings] = *finding;
	d->stacks[d->n_findings++] = stacks;
	return 0;
}

static int tell_family(struct detector *d, const struct family *f)
{
	const struct key *blamed = blamed_of(f);
	struct detector_finding finding = { .part = f->id, .event = f->event };
	uint64_t *stacks;
	int r;

	if (!blamed || !blamed->evidence)
		return 0;
	stacks = calloc(f->n ? f->n : 1, sizeof(*stacks));
	if (!stacks)
		return -ENOMEM;
	/* What is shared is blamed for all stacks that share it, also those too small to judge. */
	for (size_t i = 0; i < f->n; i++)
		if (blamed->scope == DETECTOR_FRAMES || is_of_interest(f->members[i]))
			stacks[finding.n_stacks++] = f->members[i]->id;
	finding.scope = blamed->scope;
	finding.evidence = blamed->evidence;
	finding.stacks = stacks;
	finding.largest = blamed->scope == DETECTOR_STACK ? blamed->id :
			  blamed->largest		  ? blamed->largest->stack :
							    0;
	r = add_finding(d, &finding, stacks);
	if (r < 0)
		free(stacks);
	return r;
}

/* The suspicion against the process, now that a part of it explains the growth. */
static int take_back(struct detector *d, struct key *k)
{
	const struct detector_finding finding = {
		.scope = DETECTOR_PROCESS,
		.event = TREND_CLEARED,
		.evidence = k->evidence,
	};

	if (!k->is_suspected)
		return 0;
	k->is_suspected = false;
	k->evidence->state = TREND_QUIET;
	return add_finding(d, &finding, NULL);
}

/* Of what the process is blamed for: what the few largest keys of a kind hold. */
static double held_by_few(const struct detector *d, enum detector_scope scope,
			  const struct trend_evidence *e)
{
	double largest[FEW] = { 0 }, sum = 0;

	for (const struct key *k = d->keys[scope]; k; k = k->hh.next) {
		double bytes = k->trend ? trend_site_survivors(k->trend, d->processes[scope],
							       e->since, e->until) :
					  0;

		for (size_t i = 0; i < FEW; i++) {
			double smaller = fmin(bytes, largest[i]);

			largest[i] = fmax(bytes, largest[i]);
			bytes = smaller;
		}
	}
	for (size_t i = 0; i < FEW; i++)
		sum += largest[i];
	return sum;
}

/*
 * The process is blamed for what is spread over many keys only. Where few hold most of it, each of them
 * is judged by itself: a leak and a cache that warms up do not make the process a leak as well.
 */
static bool is_spread(const struct detector *d, const struct key *process)
{
	const struct trend_evidence *e = process->evidence;
	double few = fmax(held_by_few(d, DETECTOR_STACK, e), held_by_few(d, DETECTOR_FRAMES, e));

	return few < FEW_SHARE * e->leaked_bytes;
}

/*
 * What is leaking or suspect already in a part of the process is not told of the process again; what was
 * told of the process before is told to its end.
 */
static int tell_process(struct detector *d, const struct family *families)
{
	struct key *k = key_find(d, DETECTOR_PROCESS, 0);
	struct detector_finding finding = { .scope = DETECTOR_PROCESS };
	double explained = 0;

	if (!k || !k->evidence || !is_of_interest(k))
		return 0;
	for (const struct family *f = families; f; f = f->hh.next) {
		const struct key *blamed = blamed_of(f);

		if (!k->was_told && key_standing(blamed) >= standing(TREND_EXHAUSTION))
			return take_back(d, k);
		explained += rate_of(blamed);
	}
	if (!k->was_told && (explained >= EXPLAINS * rate_of(k) || !is_spread(d, k)))
		return take_back(d, k);
	k->was_told = k->was_told || key_standing(k) >= standing(TREND_EXHAUSTION);
	k->is_suspected = key_standing(k) > 0;
	finding.evidence = k->evidence;
	finding.event = k->event;
	finding.largest = k->largest ? k->largest->stack : 0;
	return add_finding(d, &finding, NULL);
}

void blame_clear(struct detector *d)
{
	for (size_t i = 0; i < d->n_findings; i++)
		free(d->stacks[i]);
	free(d->stacks);
	free(d->findings);
	d->stacks = NULL;
	d->findings = NULL;
	d->n_findings = 0;
}

int blame_settle(struct detector *d, struct site *const *sites, size_t n)
{
	struct family *families = NULL;
	int r;

	r = find_families(d, sites, n, &families);
	for (struct family *f = families; f; f = f->hh.next)
		judge_family(f);
	for (struct family *f = families; f && r == 0; f = f->hh.next)
		r = tell_family(d, f);
	if (r == 0)
		r = tell_process(d, families);
	free_families(families);
	return r;
}
