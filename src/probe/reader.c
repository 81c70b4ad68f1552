// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Reading the maps, and forgetting targets that are gone.
 */
#include <string.h>

#include <bpf/bpf.h>
#include <bpf/libbpf.h>

#include "probe/object.h"

#define BATCH 4096u

/* Buffers of one walk over a hash map. */
struct walk {
	int fd;
	uint32_t key_bytes;
	uint32_t value_bytes;
	void *keys;	   /* owned */
	void *values;	   /* owned */
	uint8_t token[64]; /* where the kernel goes on; opaque, at least a key's size */
	bool started;
	uint32_t n; /* entries of the batch just read */
};

static void walk_done(struct walk *w)
{
	free(w->keys);
	free(w->values);
}

static int walk_init(struct walk *w, struct bpf_map *map)
{
	memset(w, 0, sizeof(*w));
	w->fd = bpf_map__fd(map);
	w->key_bytes = bpf_map__key_size(map);
	w->value_bytes = bpf_map__value_size(map);
	if (w->key_bytes > sizeof(w->token))
		return -E2BIG;
	w->keys = malloc((size_t)BATCH * w->key_bytes);
	w->values = malloc((size_t)BATCH * w->value_bytes);
	return w->keys && w->values ? 0 : -ENOMEM;
}

/* The next batch: 1 if there is one, 0 at the end. */
static int walk_next(struct walk *w)
{
	uint8_t next[sizeof(w->token)];
	uint32_t n = BATCH;
	int r;

	if (w->fd < 0)
		return 0;
	r = bpf_map_lookup_batch(w->fd, w->started ? w->token : NULL, next, w->keys, w->values, &n,
				 NULL);
	if (r < 0 && r != -ENOENT)
		return r;
	/* -ENOENT is the end, with a last batch before it. */
	if (r == -ENOENT)
		w->fd = -EBADF;
	memcpy(w->token, next, sizeof(next));
	w->started = true;
	w->n = n;
	return n > 0 || r == 0;
}

int probe_read_sites(struct probe *p, probe_site_fn callback, void *userdata)
{
	_cleanup_(walk_done) struct walk w = { 0 };
	int r;

	r = walk_init(&w, p->skel->maps.sites);
	if (r < 0)
		return r;
	while ((r = walk_next(&w)) > 0) {
		const struct site_totals *totals = w.values;
		const uint64_t *keys = w.keys;

		for (uint32_t i = 0; i < w.n; i++) {
			r = callback(keys[i], &totals[i], userdata);
			if (r < 0)
				return r;
		}
	}
	return r;
}

int probe_read_blocks(struct probe *p, probe_block_fn callback, void *userdata)
{
	_cleanup_(walk_done) struct walk w = { 0 };
	int r;

	r = walk_init(&w, p->skel->maps.live);
	if (r < 0)
		return r;
	while ((r = walk_next(&w)) > 0) {
		const struct block_key *keys = w.keys;
		const struct block *blocks = w.values;

		for (uint32_t i = 0; i < w.n; i++) {
			r = callback(&keys[i], &blocks[i], userdata);
			if (r < 0)
				return r;
		}
	}
	return r;
}

int probe_walk_blocks_begin(struct probe *p)
{
	p->walk_token_set = false;
	return 0;
}

int probe_walk_blocks_step(struct probe *p, probe_block_fn callback, void *userdata)
{
	_cleanup_(walk_done) struct walk w = { 0 };
	int r;

	r = walk_init(&w, p->skel->maps.live);
	if (r < 0)
		return r;
	if (p->walk_token_set) {
		memcpy(w.token, &p->walk_token, sizeof(p->walk_token));
		w.started = true;
	}
	r = walk_next(&w);
	for (uint32_t i = 0; r > 0 && i < w.n; i++) {
		const struct block_key *keys = w.keys;
		const struct block *blocks = w.values;
		int error = callback(&keys[i], &blocks[i], userdata);

		if (error < 0)
			return error;
	}
	if (r <= 0 || w.fd < 0)
		return r < 0 ? r : 0;
	memcpy(&p->walk_token, w.token, sizeof(p->walk_token));
	p->walk_token_set = true;
	return 1;
}

int probe_read_stack(struct probe *p, uint64_t key, struct stack *ret)
{
	struct stack s = { 0 };
	int r;

	r = bpf_map_lookup_elem(bpf_map__fd(p->skel->maps.stacks), &key, &s);
	if (r < 0)
		return r;
	if (s.n > p->options.max_frames)
		return -EBADMSG;
	*ret = s;
	return 0;
}

int probe_read_counters(struct probe *p, uint32_t target, struct target_counters *ret)
{
	return bpf_map_lookup_elem(bpf_map__fd(p->skel->maps.counters), &target, ret);
}

static int drop_sites(struct probe *p, uint32_t target)
{
	_cleanup_(walk_done) struct walk w = { 0 };
	_cleanup_free_ uint64_t *gone = NULL;
	size_t n = 0, capacity = 0;
	int r;

	r = walk_init(&w, p->skel->maps.sites);
	if (r < 0)
		return r;
	while ((r = walk_next(&w)) > 0) {
		const struct site_totals *totals = w.values;
		const uint64_t *keys = w.keys;

		for (uint32_t i = 0; i < w.n; i++) {
			if (totals[i].target != target)
				continue;
			if (n == capacity) {
				size_t larger = capacity ? 2 * capacity : 256;
				uint64_t *grown = reallocarray(gone, larger, sizeof(*gone));

				if (!grown)
					return -ENOMEM;
				gone = grown;
				capacity = larger;
			}
			gone[n++] = keys[i];
		}
	}
	for (size_t i = 0; i < n; i++) {
		bpf_map_delete_elem(bpf_map__fd(p->skel->maps.sites), &gone[i]);
		bpf_map_delete_elem(bpf_map__fd(p->skel->maps.stacks), &gone[i]);
	}
	return r;
}

int probe_purge_start(struct probe *p, uint32_t target)
{
	struct target_counters counters;
	uint32_t *grown;
	int r;

	grown = reallocarray(p->dead, p->n_dead + 1, sizeof(*grown));
	if (!grown)
		return -ENOMEM;
	p->dead = grown;
	p->dead[p->n_dead++] = target;
	probe_drop_mappings(p, target);
	probe_drop_python(p, target);
	if (probe_read_counters(p, target, &counters) == 0)
		meters_give_back(p, counters.meter);
	r = drop_sites(p, target);
	bpf_map_delete_elem(bpf_map__fd(p->skel->maps.counters), &target);
	return r;
}

static bool is_dead(const struct probe *p, uint32_t target)
{
	for (size_t i = 0; i < p->n_dead; i++)
		if (p->dead[i] == target)
			return true;
	return false;
}

/* Targets that were covered from the pass's first step are done with. */
static int end_pass(struct probe *p)
{
	p->n_dead -= p->dead_in_pass;
	memmove(p->dead, p->dead + p->dead_in_pass, p->n_dead * sizeof(p->dead[0]));
	p->dead_in_pass = 0;
	p->pass_started = false;
	return p->n_dead > 0;
}

int probe_purge_step(struct probe *p)
{
	_cleanup_(walk_done) struct walk w = { 0 };
	const struct block_key *keys;
	int fd, r;

	if (!p->n_dead)
		return 0;
	r = walk_init(&w, p->skel->maps.live);
	if (r < 0)
		return r;
	fd = w.fd;
	if (p->pass_started) {
		memcpy(w.token, &p->pass_token, sizeof(p->pass_token));
		w.started = true;
	} else {
		p->dead_in_pass = p->n_dead;
		p->pass_started = true;
	}
	r = walk_next(&w);
	if (r < 0)
		return r;
	keys = w.keys;
	for (uint32_t i = 0; r > 0 && i < w.n; i++)
		if (is_dead(p, keys[i].target))
			bpf_map_delete_elem(fd, &keys[i]);
	if (w.fd < 0)
		return end_pass(p);
	memcpy(&p->pass_token, w.token, sizeof(p->pass_token));
	return 1;
}
