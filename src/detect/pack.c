// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The detector over a restart of the daemon. See detector.h.
 *
 * Numbers are as this machine has them: they never leave it. Keys that are too small to be followed, and
 * of which nothing was said, come again by themselves.
 */
#include <errno.h>
#include <math.h>
#include <string.h>

#include "detect/state.h"
#include "trend/process.h"

#define VERSION 1u
#define LAST	UINT32_MAX /* in the place of a scope: no more keys */

enum key_flag {
	KEY_FOLLOWED = 1 << 0,
	KEY_LEFT_OUT = 1 << 1,
	KEY_TOLD = 1 << 2,
	KEY_SUSPECTED = 1 << 3,
	KEY_HAS_EVIDENCE = 1 << 4,
};

struct packed_detector {
	uint32_t version;
	uint32_t n_runs;
	uint64_t tick_ns;
	uint64_t origin_ns;
	uint64_t left_out;
	double live_factor;
	uint64_t site_bytes; /* sizes of the packed parts */
	uint64_t process_bytes;
};

struct packed_key {
	uint64_t id;
	uint64_t first_ns;
	uint32_t scope;
	uint32_t flags;
};

static uint32_t flags_of(const struct key *k)
{
	return (k->trend ? KEY_FOLLOWED : 0) | (k->was_left_out ? KEY_LEFT_OUT : 0) |
	       (k->was_told ? KEY_TOLD : 0) | (k->is_suspected ? KEY_SUSPECTED : 0) |
	       (k->evidence ? KEY_HAS_EVIDENCE : 0);
}

static void pack_key(const struct key *k, void *buffer, detector_put_fn put, void *userdata)
{
	const struct packed_key packed = {
		.id = k->id,
		.first_ns = k->first_ns,
		.scope = k->scope,
		.flags = flags_of(k),
	};

	if (!packed.flags)
		return;
	put(userdata, &packed, sizeof(packed));
	if (!k->trend)
		return;
	trend_site_pack(k->trend, buffer);
	put(userdata, buffer, trend_site_packed_size());
}

int detector_pack(const struct detector *d, detector_put_fn put, void *userdata)
{
	const struct packed_detector head = {
		.version = VERSION,
		.n_runs = (uint32_t)d->weights.n,
		.tick_ns = d->options.tick_ns,
		.origin_ns = d->options.origin_ns,
		.left_out = d->left_out,
		.live_factor = d->live_factor,
		.site_bytes = trend_site_packed_size(),
		.process_bytes = trend_process_packed_size(),
	};
	const struct packed_key last = { .scope = LAST };
	_cleanup_free_ void *buffer = malloc(trend_packed_size_max());
	const struct key *k;

	if (!buffer)
		return -ENOMEM;
	put(userdata, &head, sizeof(head));
	put(userdata, d->weights.runs, d->weights.n * sizeof(d->weights.runs[0]));
	for (size_t i = 0; i < DETECTOR_SCOPES; i++) {
		trend_process_pack(d->processes[i], buffer);
		put(userdata, buffer, trend_process_packed_size());
	}
	for (size_t i = 0; i < DETECTOR_SCOPES; i++)
		for (k = d->keys[i]; k; k = k->hh.next)
			pack_key(k, buffer, put, userdata);
	put(userdata, &last, sizeof(last));
	return 0;
}

/* --- back ----------------------------------------------------------------------------------------- */

static int unpack_head(struct detector *d, detector_get_fn get, void *userdata)
{
	struct packed_detector head;
	int r;

	r = get(userdata, &head, sizeof(head));
	if (r < 0)
		return r;
	if (head.version != VERSION || head.tick_ns != d->options.tick_ns ||
	    head.site_bytes != trend_site_packed_size() ||
	    head.process_bytes != trend_process_packed_size())
		return -EPROTO;
	if (head.n_runs > WEIGHT_RUNS || !(head.live_factor >= 0) || !isfinite(head.live_factor))
		return -EBADMSG;
	d->options.origin_ns = head.origin_ns;
	d->left_out = head.left_out;
	d->live_factor = head.live_factor;
	d->weights.n = head.n_runs;
	return get(userdata, d->weights.runs, head.n_runs * sizeof(d->weights.runs[0]));
}

static int unpack_processes(struct detector *d, void *buffer, detector_get_fn get, void *userdata)
{
	size_t size = trend_process_packed_size();
	int r = 0;

	for (size_t i = 0; i < DETECTOR_SCOPES && r == 0; i++) {
		struct trend_process *process = NULL;

		r = get(userdata, buffer, size);
		if (r == 0)
			r = trend_process_unpack(buffer, size, &process);
		if (r < 0)
			break;
		trend_process_free(d->processes[i]);
		d->processes[i] = process;
	}
	return r;
}

static int unpack_trend(struct detector *d, struct key *k, void *buffer, detector_get_fn get,
			void *userdata)
{
	size_t size = trend_site_packed_size();
	int r;

	r = get(userdata, buffer, size);
	if (r == 0)
		r = trend_site_unpack(buffer, size, &k->trend);
	if (r == 0)
		d->n_keys++;
	return r;
}

/* 1: a key; 0: there are no more. */
static int unpack_key(struct detector *d, void *buffer, detector_get_fn get, void *userdata)
{
	struct packed_key packed;
	struct key *k;
	int r;

	r = get(userdata, &packed, sizeof(packed));
	if (r < 0 || packed.scope == LAST)
		return r;
	if (packed.scope >= DETECTOR_SCOPES || key_find(d, packed.scope, packed.id))
		return -EBADMSG;
	k = key_add(d, (enum detector_scope)packed.scope, packed.id);
	if (!k)
		return -ENOMEM;
	k->first_ns = packed.first_ns;
	k->was_left_out = packed.flags & KEY_LEFT_OUT;
	k->was_told = packed.flags & KEY_TOLD;
	k->is_suspected = packed.flags & KEY_SUSPECTED;
	if (packed.flags & KEY_HAS_EVIDENCE) {
		k->evidence = calloc(1, sizeof(*k->evidence));
		if (!k->evidence)
			return -ENOMEM;
	}
	r = packed.flags & KEY_FOLLOWED ? unpack_trend(d, k, buffer, get, userdata) : 0;
	return r < 0 ? r : 1;
}

int detector_unpack(const struct detector_options *options, detector_get_fn get, void *userdata,
		    struct detector **ret)
{
	_cleanup_(detector_freep) struct detector *d = detector_new(options);
	_cleanup_free_ void *buffer = malloc(trend_packed_size_max());
	int r;

	if (!d || !buffer)
		return -ENOMEM;
	r = unpack_head(d, get, userdata);
	if (r == 0)
		r = unpack_processes(d, buffer, get, userdata);
	while (r == 0 && (r = unpack_key(d, buffer, get, userdata)) > 0)
		r = 0;
	if (r < 0)
		return r;
	*ret = TAKE_PTR(d);
	return 0;
}
