// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The life of the loaded programs, targets in the kernel, and notes from it.
 */
#include "probe/probe.h"

#include <string.h>

#include <bpf/bpf.h>
#include <bpf/libbpf.h>

#include "probe/object.h"

const char *probe_links_name(enum probe_links_kind kind)
{
	static const char *const names[] = {
		[PROBE_LINKS_SESSION] = "session",
		[PROBE_LINKS_MULTI] = "multi",
		[PROBE_LINKS_PERF] = "perf",
	};

	return names[kind];
}

const struct probe_features *probe_get_features(const struct probe *p)
{
	return &p->features;
}

static int on_ring_record(void *userdata, void *data, size_t size)
{
	struct probe *p = userdata;
	struct note note = { 0 };

	if (size < NOTE_HEAD_BYTES || !p->on_note)
		return 0;
	memcpy(&note, data, size < sizeof(note) ? size : sizeof(note));
	p->on_note(&note, p->on_note_userdata);
	return 0;
}

int probe_new(const struct probe_options *options, struct probe **ret, const char **ret_why)
{
	_cleanup_(probe_freep) struct probe *p = NULL;
	const char *why = NULL;
	int r;

	if (!ret_why)
		ret_why = &why;
	*ret_why = NULL;
	p = calloc(1, sizeof(*p));
	if (!p)
		return -ENOMEM;
	p->options = *options;
	p->n_mapping_sets = options->max_targets + 16;
	p->mapping_set_used = calloc(p->n_mapping_sets, 1);
	if (!p->mapping_set_used)
		return -ENOMEM;
	if (options->store) {
		p->takeover = takeover_new(options->store);
		if (!p->takeover)
			return -ENOMEM;
	}
	/* The children are to map nothing of the object; those of an earlier life have to wait for it. */
	r = takeover_may_be(p->takeover) ? 0 : takeover_start_brokers(p);
	if (r < 0)
		return r;
	r = object_load(options, p->takeover, &p->features, &p->skel, ret_why);
	if (r == 0 && !p->broker)
		r = takeover_start_brokers(p);
	if (r == 0)
		r = takeover_read_maps(p);
	if (r < 0)
		return r;
	r = takeover_attach_tracepoints(p);
	if (r < 0) {
		*ret_why = "the kernel's process tracepoints (sched_process_fork, _exec, _exit) "
			   "cannot be used";
		return r;
	}
	p->ring = ring_buffer__new(bpf_map__fd(p->skel->maps.notes), on_ring_record, p, NULL);
	if (!p->ring)
		return -errno;
	*ret = TAKE_PTR(p);
	return 0;
}

struct probe *probe_free(struct probe *p)
{
	if (!p)
		return NULL;
	calibration_free(p->calibration);
	ring_buffer__free(p->ring);
	seep_bpf__destroy(p->skel);
	if (p->is_left) {
		broker_leave(p->windows);
		broker_leave(p->broker);
	} else {
		broker_free(p->windows);
		broker_free(p->broker);
	}
	takeover_free(p->takeover);
	free(p->mapping_set_used);
	free(p->dead);
	free(p);
	return NULL;
}

int probe_new_target(struct probe *p, uint32_t *ret_id)
{
	struct target_counters none = { 0 };
	uint32_t id;
	int r;

	r = meters_take(p, &none.meter);
	if (r < 0)
		return r;
	/* The kernel side takes numbers from the same counter. */
	id = __atomic_fetch_add(&p->skel->data->next_target_id, 1, __ATOMIC_RELAXED);
	r = bpf_map_update_elem(bpf_map__fd(p->skel->maps.counters), &id, &none, BPF_ANY);
	if (r < 0) {
		meters_give_back(p, none.meter);
		return r == -E2BIG ? -ENOSPC : r;
	}
	*ret_id = id;
	return 0;
}

int probe_arm(struct probe *p, pid_t tgid, uint32_t id, uint32_t flags, uint32_t parent)
{
	struct target_entry entry = { .id = id, .flags = flags, .parent = parent };
	uint32_t key = (uint32_t)tgid;
	struct target_counters counters;
	int r;

	r = probe_read_counters(p, id, &counters);
	if (r < 0)
		return r;
	entry.meter = counters.meter;
	r = bpf_map_update_elem(bpf_map__fd(p->skel->maps.targets), &key, &entry, BPF_NOEXIST);
	if (r == 0)
		r = meters_set_owner(p, entry.meter, tgid, id);
	/* If it has executed another image in between, the meter is not its any more. */
	if (r == 0 && (probe_get_target(p, tgid, &entry) < 0 || entry.id != id))
		r = meters_set_owner(p, counters.meter, 0, 0);
	return r == -E2BIG ? -ENOSPC : r;
}

int probe_disarm(struct probe *p, pid_t tgid, uint32_t id)
{
	struct target_entry entry;
	uint32_t key = (uint32_t)tgid;
	int r;

	r = probe_get_target(p, tgid, &entry);
	if (r < 0)
		return r;
	if (entry.id != id)
		return -ENOENT;
	r = meters_set_owner(p, entry.meter, 0, 0);
	if (r < 0)
		return r;
	return bpf_map_delete_elem(bpf_map__fd(p->skel->maps.targets), &key);
}

int probe_get_target(struct probe *p, pid_t tgid, struct target_entry *ret)
{
	uint32_t key = (uint32_t)tgid;

	return bpf_map_lookup_elem(bpf_map__fd(p->skel->maps.targets), &key, ret);
}

int probe_each_target(struct probe *p,
		      int (*callback)(pid_t tgid, const struct target_entry *, void *),
		      void *userdata)
{
	int fd = bpf_map__fd(p->skel->maps.targets), r;
	uint32_t key, *previous = NULL, next;
	struct target_entry entry;

	while (bpf_map_get_next_key(fd, previous, &next) == 0) {
		key = next;
		previous = &key;
		if (bpf_map_lookup_elem(fd, &key, &entry) < 0 ||
		    calibration_has(p->calibration, (pid_t)key, entry.id))
			continue;
		r = callback((pid_t)key, &entry, userdata);
		if (r != 0)
			return r;
	}
	return 0;
}

int probe_each_id(struct probe *p, int (*callback)(uint32_t id, void *), void *userdata)
{
	int fd = bpf_map__fd(p->skel->maps.counters), r;
	uint32_t id, *previous = NULL, next;

	while (bpf_map_get_next_key(fd, previous, &next) == 0) {
		id = next;
		previous = &id;
		if (calibration_has(p->calibration, 0, id))
			continue;
		r = callback(id, userdata);
		if (r < 0)
			return r;
	}
	return 0;
}

int probe_listen(struct probe *p, probe_note_fn callback, void *userdata)
{
	p->on_note = callback;
	p->on_note_userdata = userdata;
	return 0;
}

int probe_notes_fd(const struct probe *p)
{
	return ring_buffer__epoll_fd(p->ring);
}

int probe_read_notes(struct probe *p)
{
	return ring_buffer__consume(p->ring);
}
