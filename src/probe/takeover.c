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

#define STAMP	     "seep-stamp"
#define MAP_PREFIX   "seep-map-"
#define CHILD_PREFIX "seep-child-"
#define STAMP_BYTES  1024

enum tracepoint {
	TRACEPOINT_FORK,
	TRACEPOINT_EXEC,
	TRACEPOINT_EXIT,
	TRACEPOINTS
};

static const char *const tracepoint_names[] = {
	[TRACEPOINT_FORK] = "seep-link-fork",
	[TRACEPOINT_EXEC] = "seep-link-exec",
	[TRACEPOINT_EXIT] = "seep-link-exit",
};

/* A link that the child of an earlier life has. */
struct found_link {
	uint64_t number;
	pid_t pid;
	uint16_t slot;
	int fd; /* owned; -EBADF: taken */
};

struct takeover {
	struct fd_store *store; /* borrowed */
	bool is_on;
	bool is_stored; /* maps, tracepoints and stamp */
	const char *why_afresh;
	char layout[STAMP_BYTES]; /* this life's stamp: what must be equal, */
	uint64_t programs;	  /* and a hash of the programs */
	uint64_t old_programs;
	uint64_t seed;		      /* of Python code's hashes: the first life's */
	int tracepoints[TRACEPOINTS]; /* owned: of an earlier life */
	/* How often the child was started that the store has a socket of. */
	uint32_t stored_starts[2];
	uint32_t held_starts;	  /* of the child that has all links */
	struct found_link *found; /* owned */
	size_t n_found;
	uint64_t *windows; /* owned: numbers, once per link; 0: taken */
	size_t n_windows;
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

/* --- children and their links --------------------------------------------------------------------- */

static int note_link(const struct link_answer *answer, int fd, void *userdata)
{
	struct takeover *t = userdata;
	struct found_link *grown;

	grown = reallocarray(t->found, t->n_found + 1, sizeof(*grown));
	if (!grown) {
		close_fd(fd);
		return -ENOMEM;
	}
	t->found = grown;
	grown[t->n_found++] = (struct found_link){
		.number = answer->number,
		.pid = answer->is_sealed ? answer->pid : -1,
		.slot = (uint16_t)answer->slot,
		.fd = fd,
	};
	return 0;
}

static int note_window(const struct link_answer *answer, int fd, void *userdata)
{
	struct takeover *t = userdata;
	uint64_t *grown;

	close_fd(fd);
	grown = reallocarray(t->windows, t->n_windows + 1, sizeof(*grown));
	if (!grown)
		return -ENOMEM;
	t->windows = grown;
	grown[t->n_windows++] = answer->number;
	return 0;
}

static const char *const child_names[] = { "seep-probes", "seep-windows" };

static int start_broker(struct takeover *t, size_t i, broker_found_fn found, struct broker **ret)
{
	char name[64];
	int fd, r;

	(void)snprintf(name, sizeof(name), CHILD_PREFIX "%s", child_names[i]);
	fd = takeover_is_on(t) ? fd_store_take(t->store, name) : -ENOENT;
	r = fd >= 0 ? broker_take_over(child_names[i], fd, found, t, ret) : fd;
	if (r == 0)
		return 0;
	if (fd >= 0) {
		log_debug_errno(r, "%s of an earlier life cannot be taken over", child_names[i]);
		(void)fd_store_drop(t->store, name);
	}
	return broker_new(child_names[i], ret);
}

int takeover_start_brokers(struct probe *p)
{
	int r = start_broker(p->takeover, 0, note_link, &p->broker);

	if (r == 0 && p->takeover)
		p->takeover->held_starts = broker_starts(p->broker);
	return r < 0 ? r : start_broker(p->takeover, 1, note_window, &p->windows);
}

/* A child that has died is started again at once: the next life can take links from no other. */
static int revive_broker(struct probe *p)
{
	int r = broker_is_alive(p->broker) ? 0 : broker_revive(p->broker, false);

	/* Not yet; or too often, and then there is nothing to be done about it. */
	if (r == -EAGAIN || r == -EPIPE)
		return 0;
	/* It may also have been started by who needed it. */
	if (r == 0 && broker_starts(p->broker) != p->takeover->held_starts) {
		r = links_hand_over_again(p);
		p->takeover->held_starts = broker_starts(p->broker);
	}
	return r;
}

static int store_broker(struct takeover *t, size_t i, const struct broker *b)
{
	uint32_t starts = broker_starts(b);
	char name[64];
	int r;

	/* 0: it was taken over, and has been there all the time. */
	if (starts == t->stored_starts[i])
		return 0;
	(void)snprintf(name, sizeof(name), CHILD_PREFIX "%s", child_names[i]);
	if (t->stored_starts[i] > 0 || takeover_is_on(t))
		(void)fd_store_drop(t->store, name);
	r = fd_store_put(t->store, name, broker_socket(b));
	if (r == 0)
		t->stored_starts[i] = starts;
	return r;
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
	r = revive_broker(p);
	if (r == 0)
		r = store_broker(t, 0, p->broker);
	if (r == 0)
		r = store_broker(t, 1, p->windows);
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

static struct probe_links *new_links(struct probe *p, const struct found_link *first)
{
	struct takeover *t = p->takeover;
	struct probe_links *l;

	l = calloc(1, sizeof(*l) + t->n_found * sizeof(l->fds[0]));
	if (!l)
		return NULL;
	l->probe = p;
	l->number = first->number;
	l->pid = first->pid;
	l->slot = first->slot;
	links_enlist(l);
	for (size_t i = 0; i < t->n_found; i++)
		if (t->found[i].number == l->number && t->found[i].fd >= 0)
			l->fds[l->n++] = TAKE_FD(t->found[i].fd);
	return l;
}

struct probe_links *probe_take_links(struct probe *p, pid_t pid, uint16_t *ret_slot)
{
	struct takeover *t = p->takeover;

	for (size_t i = 0; t && i < t->n_found; i++) {
		const struct found_link *f = &t->found[i];

		if (f->fd < 0 || f->pid != pid || f->slot == 0)
			continue;
		*ret_slot = f->slot;
		return new_links(p, f);
	}
	return NULL;
}

bool probe_take_window(struct probe *p, uint64_t window)
{
	struct takeover *t = p->takeover;
	bool found = false;

	for (size_t i = 0; t && i < t->n_windows; i++) {
		if (t->windows[i] != window)
			continue;
		t->windows[i] = 0;
		found = true;
	}
	return found;
}

static int drop_links(struct probe *p)
{
	struct takeover *t = p->takeover;
	_cleanup_free_ struct probe_links **links = NULL;
	size_t n = 0;

	links = calloc(t->n_found + 1, sizeof(struct probe_links *));
	if (!links)
		return -ENOMEM;
	for (size_t i = 0; i < t->n_found; i++) {
		if (t->found[i].number > p->last_number)
			p->last_number = t->found[i].number;
		if (t->found[i].fd >= 0)
			links[n++] = new_links(p, &t->found[i]);
	}
	probe_links_free_all(p, links, n);
	free(t->found);
	t->found = NULL;
	t->n_found = 0;
	return 0;
}

static int drop_windows(struct probe *p)
{
	struct takeover *t = p->takeover;
	int r = 0;

	for (size_t i = 0; i < t->n_windows && r == 0; i++) {
		uint64_t window = t->windows[i];

		if (!window)
			continue;
		(void)probe_take_window(p, window);
		r = broker_close(p->windows, &window, 1);
	}
	free(t->windows);
	t->windows = NULL;
	t->n_windows = 0;
	return r;
}

/* Ids that have no counters: those of targets that were being forgotten. */
struct strangers {
	struct probe *probe;
	uint32_t last_known;
};

static int note_stranger(struct strangers *s, uint32_t target)
{
	struct target_counters counters;
	struct probe *p = s->probe;

	if (target == s->last_known)
		return 0;
	for (size_t i = 0; i < p->n_dead; i++)
		if (p->dead[i] == target)
			return 0;
	if (probe_read_counters(p, target, &counters) == 0) {
		s->last_known = target;
		return 0;
	}
	return probe_purge_start(p, target);
}

static int look_at_block(const struct block_key *key, const struct block *block, void *userdata)
{
	(void)block;
	return note_stranger(userdata, key->target);
}

static int look_at_site(uint64_t stack, const struct site_totals *totals, void *userdata)
{
	(void)stack;
	return note_stranger(userdata, totals->target);
}

int probe_drop_untaken(struct probe *p)
{
	struct strangers strangers = { .probe = p };
	int r;

	if (!takeover_is_on(p->takeover))
		return 0;
	r = drop_windows(p);
	if (r == 0)
		r = drop_links(p);
	if (r == 0)
		r = probe_read_sites(p, look_at_site, &strangers);
	if (r == 0)
		r = probe_read_blocks(p, look_at_block, &strangers);
	return r;
}

void probe_leave(struct probe *p)
{
	p->is_left = true;
}
