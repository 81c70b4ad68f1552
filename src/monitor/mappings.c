// SPDX-License-Identifier: GPL-2.0-or-later
/* What a target has mapped: which files, where, told to the kernel side. */
#include <stdlib.h>

#include "base/log.h"
#include "monitor/state.h"

/* The slot of a mapping's file, opened if it is new. 0: the file cannot be known. */
static uint16_t slot_of_file(struct monitor *m, struct tracked *t, const struct mapping *map)
{
	pid_t pid = t->target->pid;
	uint64_t dev = (uint64_t)map->major << 20 | map->minor;
	int fd = -EBADF, root_fd = -EBADF, r;
	uint16_t slot;

	r = probe_file_slot(m->probe, dev, map->inode, &slot);
	if (r < 0) {
		log_debug_errno(r, "no slot for %s, its frames stay bare addresses", map->path);
		return 0;
	}
	if (file_table_get(m->files, slot))
		return slot;
	r = file_open_mapped(PROC_ROOT, pid, map->start, map->end, map->path, dev, map->inode, &fd,
			     &root_fd);
	/* For want of descriptors now: it is tried again. */
	if (files_is_passing(r)) {
		t->mappings_error = r;
		return 0;
	}
	if (r < 0)
		log_debug_errno(r, "failed to open %s of pid %d, it will have no names", map->path,
				(int)pid);
	r = file_table_add(m->files, slot, dev, map->inode, map->path, fd, root_fd, NULL);
	if (files_is_passing(r))
		t->mappings_error = r;
	return r < 0 ? 0 : slot;
}

static uint16_t slot_of_mapping(struct monitor *m, struct tracked *t, const struct mapping *map)
{
	return map->inode ? slot_of_file(m, t, map) : anonymous_slot(m, t->target, map);
}

static uint64_t hash_mappings(const struct probe_mapping *maps, size_t n)
{
	const uint8_t *bytes = (const uint8_t *)maps;
	uint64_t hash = 0xcbf29ce484222325ull; /* FNV-1a */

	for (size_t i = 0; i < n * sizeof(*maps); i++)
		hash = (hash ^ bytes[i]) * 0x100000001b3ull;
	return hash;
}

static int note_slot(struct tracked *t, uint16_t slot)
{
	uint16_t *grown;

	for (size_t i = 0; i < t->n_slots; i++)
		if (t->slots[i] == slot)
			return 0;
	grown = reallocarray(t->slots, t->n_slots + 1, sizeof(*grown));
	if (!grown)
		return -ENOMEM;
	t->slots = grown;
	t->slots[t->n_slots++] = slot;
	return 0;
}

static int publish(struct monitor *m, struct tracked *t, const struct mapping *maps, size_t n)
{
	_cleanup_free_ struct probe_mapping *out = calloc(n ? n : 1, sizeof(*out));
	size_t n_out = 0;
	uint64_t hash;
	int r;

	if (!out)
		return -ENOMEM;
	t->n_slots = 0;
	for (size_t i = 0; i < n; i++) {
		uint16_t slot = slot_of_mapping(m, t, &maps[i]);
		bool generated = slot && anonymous_is_generated(m, slot);

		/* Of many pieces of generated code the files must not suffer. */
		if (!slot || (generated && n > ABI_MAX_MAPPINGS))
			continue;
		r = generated ? 0 : note_slot(t, slot);
		if (r == 0 && !generated)
			r = files_learn(m, slot);
		if (r < 0)
			return r;
		out[n_out].start = maps[i].start;
		out[n_out].end = maps[i].end;
		/* In generated code an address stands for itself. */
		out[n_out].offset = generated ? maps[i].start : maps[i].offset;
		out[n_out].slot = slot;
		n_out++;
	}
	free(t->mappings);
	t->mappings = TAKE_PTR(out);
	t->n_mappings = n_out;
	hash = hash_mappings(t->mappings, n_out);
	if (hash == t->mappings_hash && probe_has_mappings(m->probe, t->target->key))
		return 0;
	r = probe_publish_mappings(m->probe, t->target->key, t->mappings, n_out);
	if (r == -ENOSPC) {
		/* The kernel side looks each address up instead, where it can. */
		log_debug("no room to publish the mappings of pid %d", (int)t->target->pid);
		return 0;
	}
	if (r == 0)
		t->mappings_hash = hash;
	return r;
}

/*
 * The kernel side may have met a mapping that was not published yet while it could not look it up (its
 * lock was taken). What is known now tells where the address was, unless it was unmapped since.
 */
uint64_t mappings_place_frame(const struct tracked *t, uint64_t frame)
{
	uint64_t address = frame & FRAME_OFFSET_MASK;
	/* A return address may be the first byte behind the mapping. */
	uint64_t inside = frame & FRAME_EXACT ? address : address - 1;

	if (frame >> FRAME_SLOT_SHIFT & FRAME_SLOT_MASK)
		return frame;
	for (size_t i = 0; i < t->n_mappings; i++) {
		const struct probe_mapping *map = &t->mappings[i];

		if (inside >= map->start && inside < map->end)
			return (frame & FRAME_EXACT) | (uint64_t)map->slot << FRAME_SLOT_SHIFT |
			       ((address - map->start + map->offset) & FRAME_OFFSET_MASK);
	}
	return frame;
}

/* Reads the target's mappings and tells the kernel side what changed. -ESRCH: it is gone. */
int mappings_refresh(struct monitor *m, struct tracked *t)
{
	struct target_entry before = { 0 }, after = { 0 };
	int r, failed_before = t->mappings_error;
	struct mapping *maps = NULL;
	size_t n = 0;

	t->mappings_stale = false;
	t->mappings_error = 0;
	(void)probe_get_target(m->probe, t->target->pid, &before);
	r = procfs_exec_mappings(PROC_ROOT, t->target->pid, &maps, &n);
	if (r == 0)
		r = publish(m, t, maps, n);
	mappings_free(maps, n);
	if (r == -ESRCH)
		return r;
	if (files_is_passing(r))
		t->mappings_error = r;
	if (t->mappings_error < 0 && failed_before == 0)
		log_warning_errno(t->mappings_error,
				  "failed to read what pid %d maps, trying again",
				  (int)t->target->pid);
	/* Libraries came or went while the list was read: it may be wrong from its beginning. */
	(void)probe_get_target(m->probe, t->target->pid, &after);
	if (after.link_map_changes != before.link_map_changes) {
		probe_drop_mappings(m->probe, t->target->key);
		attach_later(m, t);
	}
	return r;
}

int mappings_missing(const struct monitor *m, const struct tracked *t)
{
	int r = t->mappings_error;

	for (size_t i = 0; i < t->n_slots && r == 0; i++)
		r = files_error(m, t->slots[i]);
	return r;
}
