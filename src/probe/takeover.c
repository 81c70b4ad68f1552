// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * What is taken over from an earlier life, by way of the service manager's store. See probe.h.
 *
 * Links are not in the store: a descriptor each of some thousands would be too many for the manager, who
 * also would have to close them one after the other, for tens of milliseconds each. The child that has
 * created them keeps them; in the store is this side's end of the socket to it.
 */
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>

#include <bpf/bpf.h>
#include <bpf/libbpf.h>

#include "abi_hash.h"
#include "base/fd_store.h"
#include "base/log.h"
#include "probe/object.h"
#include "probe/takeover.h"

#define STAMP	   "seep-stamp"
#define MAP_PREFIX "seep-map-"

static const char *const tracepoint_names[] = {
	[TRACEPOINT_FORK] = "seep-link-fork",
	[TRACEPOINT_EXEC] = "seep-link-exec",
	[TRACEPOINT_EXIT] = "seep-link-exit",
};

struct takeover *takeover_new(struct fd_store *store)
{
	struct takeover *t = calloc(1, sizeof(*t));

	if (!t)
		return NULL;
	t->store = store;
	for (size_t i = 0; i < TRACEPOINTS; i++)
		t->tracepoints[i] = -EBADF;
	return t;
}

struct takeover *takeover_free(struct takeover *t)
{
	if (!t)
		return NULL;
	for (size_t i = 0; i < TRACEPOINTS; i++)
		close_fd(t->tracepoints[i]);
	for (size_t i = 0; i < t->n_found; i++)
		close_fd(t->found[i].fd);
	free(t->found);
	free(t->windows);
	free(t);
	return NULL;
}

bool takeover_is_on(const struct takeover *t)
{
	return t && t->is_on;
}

bool takeover_may_be(const struct takeover *t)
{
	return t && fd_store_has(t->store, STAMP);
}

bool probe_is_taken_over(const struct probe *p)
{
	return takeover_is_on(p->takeover);
}

const char *probe_why_afresh(const struct probe *p)
{
	return p->takeover ? p->takeover->why_afresh : NULL;
}

/* --- the stamp ------------------------------------------------------------------------------------ */

static uint64_t hash_bytes(const void *data, size_t size)
{
	const uint8_t *bytes = data;
	uint64_t hash = 0xcbf29ce484222325ull; /* FNV-1a */

	for (size_t i = 0; i < size; i++)
		hash = (hash ^ bytes[i]) * 0x100000001b3ull;
	return hash;
}

/* All that fixes keys, values, sizes, or what the programs that go on take for given. */
static int write_layout(struct takeover *t, const struct probe_options *o,
			const struct probe_features *f)
{
	int n = snprintf(
		t->layout, sizeof(t->layout),
		"abi %s\nbroker %u %zu %zu\nlinks %s\nlegacy %d find_vma %d prealloc %d\n"
		"blocks %u sites %u threads %u targets %u frames %u ring %u\nage_tick %llu\n",
		ABI_HASH, BROKER_PROTOCOL, sizeof(struct link_request), sizeof(struct link_answer),
		probe_links_name(f->links), f->legacy, f->find_vma, f->map_prealloc, o->max_blocks,
		o->max_sites, o->max_threads, o->max_targets, o->max_frames, o->ring_bytes,
		(unsigned long long)o->age_tick_ns);

	return n < 0 || (size_t)n >= sizeof(t->layout) ? -ENAMETOOLONG : 0;
}

static int read_stamp(struct takeover *t, int fd)
{
	char text[STAMP_BYTES + 64] = "";
	size_t length = strlen(t->layout);
	unsigned long long programs, seed;
	ssize_t n = pread(fd, text, sizeof(text) - 1, 0);

	if (n < 0)
		return -errno;
	if (strncmp(text, t->layout, length) != 0 ||
	    sscanf(text + length, "programs %llx seed %llx\n", &programs, &seed) != 2)
		return -EPROTO;
	t->old_programs = programs;
	t->seed = seed;
	return 0;
}

static int store_stamp(struct takeover *t)
{
	_cleanup_close_ int fd = memfd_create(STAMP, MFD_CLOEXEC);

	if (fd < 0)
		return -errno;
	if (dprintf(fd, "%sprograms %llx seed %llx\n", t->layout, (unsigned long long)t->programs,
		    (unsigned long long)t->seed) < 0)
		return -EIO;
	return fd_store_put(t->store, STAMP, fd);
}

/* --- maps ----------------------------------------------------------------------------------------- */

/* Settings belong to the programs that were loaded with them. */
static bool is_setting(const struct bpf_map *map)
{
	const char *name = bpf_map__name(map), *end = strrchr(name, '.');

	return bpf_map__is_internal(map) && end && strcmp(end, ".rodata") == 0;
}

static int map_name(const struct bpf_map *map, char *text, size_t size)
{
	int n = snprintf(text, size, MAP_PREFIX "%s", bpf_map__name(map));

	return n < 0 || (size_t)n >= size ? -ENAMETOOLONG : 0;
}

static bool is_alike(int fd, const struct bpf_map *map)
{
	struct bpf_map_info info = { 0 };
	uint32_t size = sizeof(info);

	return bpf_obj_get_info_by_fd(fd, &info, &size) == 0 &&
	       info.type == (uint32_t)bpf_map__type(map) &&
	       info.key_size == bpf_map__key_size(map) &&
	       info.value_size == bpf_map__value_size(map) &&
	       info.max_entries == bpf_map__max_entries(map);
}

static int reuse_map(struct takeover *t, struct bpf_map *map)
{
	_cleanup_close_ int fd = -EBADF;
	char name[128];
	int r;

	r = map_name(map, name, sizeof(name));
	if (r < 0)
		return r;
	fd = fd_store_take(t->store, name);
	if (fd < 0)
		return fd;
	if (!is_alike(fd, map))
		return -EPROTO;
	return bpf_map__reuse_fd(map, fd);
}

static bool has_map(const struct takeover *t, const struct bpf_map *map)
{
	char name[128];

	return map_name(map, name, sizeof(name)) == 0 && fd_store_has(t->store, name);
}

/* All of them, before the first one is taken. */
static int check_store(const struct takeover *t, const struct seep_bpf *skel)
{
	const struct bpf_map *map;

	bpf_object__for_each_map(map, skel->obj) if (!is_setting(map) &&
						     !has_map(t, map)) return -ENOENT;
	for (size_t i = 0; i < TRACEPOINTS; i++)
		if (!fd_store_has(t->store, tracepoint_names[i]))
			return -ENOENT;
	return 0;
}

static void begin_afresh(struct takeover *t, const char *why)
{
	t->why_afresh = why;
	/* What was prepared to be taken over, this is. */
	fd_store_drop_all(t->store, "seep-");
}

int takeover_reuse_maps(struct takeover *t, struct seep_bpf *skel,
			const struct probe_options *options, const struct probe_features *features)
{
	_cleanup_close_ int stamp = fd_store_take(t->store, STAMP);
	struct bpf_map *map;
	int r;

	t->programs = hash_bytes(skel->skeleton->data, skel->skeleton->data_sz);
	t->seed = skel->rodata->code_seed;
	r = write_layout(t, options, features);
	if (r < 0)
		return r;
	if (stamp < 0) {
		if (fd_store_has_any(t->store, "seep-"))
			begin_afresh(t,
				     "the store has no stamp; is FileDescriptorStoreMax= too low?");
		return 0;
	}
	r = read_stamp(t, stamp);
	if (r < 0) {
		begin_afresh(t, "it was made for another layout or other limits");
		(void)fd_store_drop(t->store, STAMP);
		return 0;
	}
	r = check_store(t, skel);
	if (r < 0) {
		begin_afresh(t, "not all of it is there; is FileDescriptorStoreMax= too low?");
		(void)fd_store_drop(t->store, STAMP);
		return 0;
	}
	bpf_object__for_each_map(map, skel->obj)
	{
		r = is_setting(map) ? 0 : reuse_map(t, map);
		if (r < 0)
			return r;
	}
	for (size_t i = 0; i < TRACEPOINTS; i++)
		t->tracepoints[i] = fd_store_take(t->store, tracepoint_names[i]);
	/* Old programs go on, and so that both know the same code by the same number: */
	memcpy((void *)&skel->rodata->code_seed, &t->seed, sizeof(t->seed));
	t->is_on = true;
	return 0;
}

static int each_key(int fd, int (*callback)(struct probe *, int fd, const void *key),
		    struct probe *p)
{
	uint64_t key[8], next[8];
	bool started = false;
	int r;

	while (bpf_map_get_next_key(fd, started ? key : NULL, next) == 0) {
		memcpy(key, next, sizeof(key));
		started = true;
		r = callback(p, fd, key);
		if (r < 0)
			return r;
	}
	return 0;
}

static int note_mapping_set(struct probe *p, int fd, const void *key)
{
	uint32_t index;

	if (bpf_map_lookup_elem(fd, key, &index) == 0 && index < p->n_mapping_sets)
		p->mapping_set_used[index] = 1;
	return 0;
}

int takeover_read_maps(struct probe *p)
{
	int fd = bpf_map__fd(p->skel->maps.files);
	struct file_entry entry;

	if (!takeover_is_on(p->takeover))
		return 0;
	for (uint32_t slot = 0; slot < FRAME_SLOTS; slot++) {
		uint32_t rows, buckets;

		if (bpf_map_lookup_elem(fd, &slot, &entry) < 0 || entry.mode != UNWIND_TABLE)
			continue;
		rows = entry.row + entry.n_rows;
		buckets = entry.bucket + entry.n_buckets + 1;
		p->rows_used = rows > p->rows_used ? rows : p->rows_used;
		p->buckets_used = buckets > p->buckets_used ? buckets : p->buckets_used;
	}
	return each_key(bpf_map__fd(p->skel->maps.target_mappings), note_mapping_set, p);
}

/* --- tracepoints ---------------------------------------------------------------------------------- */

/*
 * Two of a kind would make two targets of one child. Those of an earlier life stay, unless they run other
 * programs; a fork, exec or exit between is then found out by comparison (monitor/life.c).
 */
int takeover_attach_tracepoints(struct probe *p)
{
	const struct {
		const struct bpf_program *prog;
		struct bpf_link **link;
	} tracepoints[] = {
		[TRACEPOINT_FORK] = { p->skel->progs.process_fork, &p->skel->links.process_fork },
		[TRACEPOINT_EXEC] = { p->skel->progs.process_exec, &p->skel->links.process_exec },
		[TRACEPOINT_EXIT] = { p->skel->progs.process_exit, &p->skel->links.process_exit },
	};
	struct takeover *t = p->takeover;

	if (takeover_is_on(t) && t->programs == t->old_programs)
		return 0;
	for (size_t i = 0; i < TRACEPOINTS; i++) {
		if (takeover_is_on(t)) {
			(void)fd_store_drop(t->store, tracepoint_names[i]);
			t->tracepoints[i] = close_fd(t->tracepoints[i]);
		}
		*tracepoints[i].link = bpf_program__attach(tracepoints[i].prog);
		if (!*tracepoints[i].link)
			return -errno;
	}
	return 0;
}

/* --- for the monitor ------------------------------------------------------------------------------ */

static int store_tracepoints(struct probe *p)
{
	struct bpf_link *const links[] = {
		[TRACEPOINT_FORK] = p->skel->links.process_fork,
		[TRACEPOINT_EXEC] = p->skel->links.process_exec,
		[TRACEPOINT_EXIT] = p->skel->links.process_exit,
	};
	int r = 0;

	for (size_t i = 0; i < TRACEPOINTS && r == 0; i++)
		if (links[i])
			r = fd_store_put(p->takeover->store, tracepoint_names[i],
					 bpf_link__fd(links[i]));
	return r;
}

static int store_maps(struct probe *p)
{
	const struct bpf_map *map;
	char name[128];
	int r;

	bpf_object__for_each_map(map, p->skel->obj)
	{
		if (is_setting(map))
			continue;
		r = map_name(map, name, sizeof(name));
		if (r == 0)
			r = fd_store_put(p->takeover->store, name, bpf_map__fd(map));
		if (r < 0)
			return r;
	}
	return 0;
}

/* The stamp comes last: what it stands for is there. */
int probe_store(struct probe *p)
{
	struct takeover *t = p->takeover;
	int r;

	if (!t)
		return -EOPNOTSUPP;
	r = takeover_store_brokers(p);
	if (r < 0 || t->is_stored)
		return r;
	if (!t->is_on)
		r = store_maps(p);
	if (r == 0)
		r = store_tracepoints(p);
	if (r == 0 && (!t->is_on || t->programs != t->old_programs)) {
		(void)fd_store_drop(t->store, STAMP);
		r = store_stamp(t);
	}
	t->is_stored = r == 0;
	return r;
}

void probe_leave(struct probe *p)
{
	p->is_left = true;
}
