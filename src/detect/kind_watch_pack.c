// SPDX-License-Identifier: GPL-2.0-or-later
/* The detector on kinds over a restart of the daemon. See kind_watch.h; detect/pack.c does it for stacks. */
#include <errno.h>
#include <math.h>
#include <string.h>

#include "detect/kind_watch_state.h"

#define VERSION 2u

enum kind_flag {
	KIND_IS_TASK = 1 << 0,
	KIND_HAS_ENDED = 1 << 1,
	KIND_APART = 1 << 2,
	KIND_LEFT_OUT = 1 << 3,
	KIND_FOLLOWED = 1 << 4,
	KIND_TOLD = 1 << 5,
	KIND_HAS_EVIDENCE = 1 << 6,
};

/* Numbers as this machine has them. */
struct packed_kinds {
	uint32_t version;
	uint32_t n_kinds;
	uint64_t site_bytes; /* sizes of the packed parts */
	uint64_t process_bytes;
	uint64_t tick_ns;
	uint64_t origin_ns;
	uint64_t left_out;
	uint64_t censuses;
	uint64_t spacing_ns;
	uint64_t times_ns[KINDS_POINTS];
	uint32_t n_points;
	uint32_t now;
	uint32_t before;
	uint32_t padding;
	struct task_clock tasks;
};

struct packed_kind {
	uint64_t key;
	uint64_t count;
	uint64_t bytes;
	uint64_t blamed;
	uint64_t named;
	double extra_bytes;
	uint32_t flags;
	uint32_t rank;
	uint32_t counts[KINDS_POINTS];
	float sizes[KINDS_POINTS];
	uint32_t recent[KINDS_RECENT];
	uint32_t n_members; /* that follow, and the trend after them, if it is followed */
	uint64_t threshold;
	double born;
	double died;
	double freed[LIFETIME_BINS];
};

static uint32_t flags_of(const struct watched_kind *kind)
{
	return (kind->is_task ? KIND_IS_TASK : 0) | (kind->has_ended ? KIND_HAS_ENDED : 0) |
	       (kind->is_apart ? KIND_APART : 0) | (kind->was_left_out ? KIND_LEFT_OUT : 0) |
	       (kind->trend ? KIND_FOLLOWED : 0) | (kind->was_told ? KIND_TOLD : 0) |
	       (kind->evidence ? KIND_HAS_EVIDENCE : 0);
}

static void pack_kind(const struct watched_kind *kind, void *buffer, detector_put_fn put,
		      void *userdata)
{
	struct packed_kind packed = {
		.key = kind->key,
		.count = kind->count,
		.bytes = kind->bytes,
		.blamed = kind->blamed,
		.named = kind->named,
		.extra_bytes = kind->extra_bytes,
		.flags = flags_of(kind),
		.rank = kind->rank,
		.n_members = (uint32_t)kind->members.n,
		.threshold = kind->members.threshold,
		.born = kind->members.born,
		.died = kind->members.died,
	};

	memcpy(packed.counts, kind->counts, sizeof(packed.counts));
	memcpy(packed.sizes, kind->sizes, sizeof(packed.sizes));
	memcpy(packed.recent, kind->recent, sizeof(packed.recent));
	memcpy(packed.freed, kind->members.freed, sizeof(packed.freed));
	put(userdata, &packed, sizeof(packed));
	if (!kind->trend)
		return;
	if (kind->members.n)
		put(userdata, kind->members.list, kind->members.n * sizeof(*kind->members.list));
	trend_site_pack(kind->trend, buffer);
	put(userdata, buffer, trend_site_packed_size());
}

int kind_watch_pack(const struct kind_watch *k, detector_put_fn put, void *userdata)
{
	struct packed_kinds head = {
		.version = VERSION,
		.n_kinds = HASH_COUNT(k->kinds),
		.site_bytes = trend_site_packed_size(),
		.process_bytes = trend_process_packed_size(),
		.tick_ns = k->options.tick_ns,
		.origin_ns = k->options.origin_ns,
		.left_out = k->left_out,
		.censuses = k->censuses,
		.spacing_ns = k->spacing_ns,
		.n_points = k->n_points,
		.now = k->now,
		.before = k->before,
		.tasks = k->tasks,
	};
	_cleanup_free_ void *buffer = malloc(trend_packed_size_max());

	if (!buffer)
		return -ENOMEM;
	memcpy(head.times_ns, k->times_ns, sizeof(head.times_ns));
	put(userdata, &head, sizeof(head));
	trend_process_pack(k->process, buffer);
	put(userdata, buffer, trend_process_packed_size());
	for (const struct watched_kind *kind = k->kinds; kind; kind = kind->hh.next)
		pack_kind(kind, buffer, put, userdata);
	return 0;
}

/* --- back ----------------------------------------------------------------------------------------- */

static int unpack_head(struct kind_watch *k, void *buffer, detector_get_fn get, void *userdata,
		       uint32_t *ret_n)
{
	size_t size = trend_process_packed_size();
	struct trend_process *process = NULL;
	struct packed_kinds head;
	int r;

	r = get(userdata, &head, sizeof(head));
	if (r < 0)
		return r;
	if (head.version != VERSION || head.tick_ns != k->options.tick_ns ||
	    head.site_bytes != trend_site_packed_size() || head.process_bytes != size)
		return -EPROTO;
	if (head.n_points > KINDS_POINTS || head.tasks.n > ARRAY_SIZE(head.tasks.ticks) ||
	    head.n_kinds > k->options.max_kinds)
		return -EBADMSG;
	k->options.origin_ns = head.origin_ns;
	k->left_out = head.left_out;
	k->censuses = head.censuses;
	k->spacing_ns = head.spacing_ns;
	k->n_points = head.n_points;
	k->now = head.now;
	k->before = head.before;
	k->tasks = head.tasks;
	memcpy(k->times_ns, head.times_ns, sizeof(k->times_ns));
	*ret_n = head.n_kinds;
	r = get(userdata, buffer, size);
	if (r == 0)
		r = trend_process_unpack(buffer, size, &process);
	if (r < 0)
		return r;
	trend_process_free(k->process);
	k->process = process;
	return 0;
}

static int unpack_followed(struct kind_watch *k, struct watched_kind *kind,
			   const struct packed_kind *packed, void *buffer, detector_get_fn get,
			   void *userdata)
{
	size_t size = trend_site_packed_size();
	struct members *m = &kind->members;
	int r = 0;

	if (packed->n_members > KINDS_MEMBERS_MAX || k->n_followed >= KINDS_FOLLOWED_MAX)
		return -EBADMSG;
	m->list = calloc(packed->n_members + 1, sizeof(*m->list));
	if (!m->list)
		return -ENOMEM;
	m->n = packed->n_members;
	m->threshold = packed->threshold;
	m->born = packed->born;
	m->died = packed->died;
	memcpy(m->freed, packed->freed, sizeof(m->freed));
	if (m->n)
		r = get(userdata, m->list, m->n * sizeof(*m->list));
	if (r == 0)
		r = get(userdata, buffer, size);
	if (r == 0)
		r = trend_site_unpack(buffer, size, &kind->trend);
	if (r < 0)
		return r;
	k->n_followed++;
	return kind_watch_recall(k, kind);
}

static int unpack_kind(struct kind_watch *k, void *buffer, detector_get_fn get, void *userdata)
{
	struct watched_kind *kind;
	struct packed_kind packed;
	int r;

	r = get(userdata, &packed, sizeof(packed));
	if (r < 0)
		return r;
	if (!packed.key || kind_watch_find(k, packed.key) || !isfinite(packed.born) ||
	    !isfinite(packed.died) || !isfinite(packed.extra_bytes))
		return -EBADMSG;
	kind = kind_watch_add(k, packed.key);
	if (!kind)
		return -ENOMEM;
	kind->count = packed.count;
	kind->bytes = packed.bytes;
	kind->rank = (uint8_t)packed.rank;
	kind->blamed = packed.blamed;
	kind->named = packed.named;
	kind->extra_bytes = packed.extra_bytes;
	kind->is_task = packed.flags & KIND_IS_TASK;
	kind->has_ended = packed.flags & KIND_HAS_ENDED;
	kind->is_apart = packed.flags & KIND_APART;
	kind->was_left_out = packed.flags & KIND_LEFT_OUT;
	kind->was_told = packed.flags & KIND_TOLD;
	memcpy(kind->counts, packed.counts, sizeof(kind->counts));
	memcpy(kind->sizes, packed.sizes, sizeof(kind->sizes));
	memcpy(kind->recent, packed.recent, sizeof(kind->recent));
	if (packed.flags & KIND_HAS_EVIDENCE) {
		kind->evidence = calloc(1, sizeof(*kind->evidence));
		if (!kind->evidence)
			return -ENOMEM;
	}
	return packed.flags & KIND_FOLLOWED ?
		       unpack_followed(k, kind, &packed, buffer, get, userdata) :
		       0;
}

int kind_watch_unpack(const struct kind_options *options, detector_get_fn get, void *userdata,
		      struct kind_watch **ret)
{
	_cleanup_(kind_watch_freep) struct kind_watch *k = kind_watch_new(options);
	_cleanup_free_ void *buffer = malloc(trend_packed_size_max());
	uint32_t n = 0;
	int r;

	if (!k || !buffer)
		return -ENOMEM;
	r = unpack_head(k, buffer, get, userdata, &n);
	for (uint32_t i = 0; i < n && r == 0; i++)
		r = unpack_kind(k, buffer, get, userdata);
	if (r < 0)
		return r;
	*ret = TAKE_PTR(k);
	return 0;
}
