/* SPDX-License-Identifier: GPL-2.0-or-later OR BSD-2-Clause */
/*
 * The life of targets: fork, exec and exit, decided in the kernel so that a child is a target
 * before it runs its first instruction, and a new image never shares an id with the old one.
 */
#ifndef SEEP_LIFE_BPF_H
#define SEEP_LIFE_BPF_H

#include "account.bpf.h"

/* A meter of its own, set as its origin's is. 0: there is none left. */
static __always_inline __u32 take_meter(__u32 origin)
{
	struct target_control *from, *to;
	__u32 meter;

	if (bpf_map_pop_elem(&free_meters, &meter))
		return 0;
	from = bpf_map_lookup_elem(&controls, &origin);
	to = bpf_map_lookup_elem(&controls, &meter);
	if (from && to)
		*to = *from;
	return meter;
}

static __always_inline void set_owner(__u32 meter, __u32 tgid, __u32 target)
{
	struct meter_owner *owner = meter ? bpf_map_lookup_elem(&owners, &meter) : NULL;

	if (!owner)
		return;
	owner->target = target;
	owner->tgid = tgid;
}

/* What was taken for a target that then found no room. */
static __always_inline void drop_target(const struct target_entry *entry, __u32 blame)
{
	if (entry->meter && bpf_map_push_elem(&free_meters, &entry->meter, 0))
		lose(blame, LOSS_MAP_BUSY);
	bpf_map_delete_elem(&counters, &entry->id);
	lose(blame, LOSS_TARGETS_FULL);
}

/* Makes tgid a target under a new id, measured like @origin. 0: no room. */
static __always_inline __u32 add_target(__u32 tgid, __u32 flags, __u32 parent,
					const struct target_entry *origin)
{
	struct target_entry entry = { .flags = flags, .parent = parent };
	struct target_counters *counts;
	__u32 zero = 0;

	entry.id = fresh_number(&next_target_id);
	counts = bpf_map_lookup_elem(&new_counters, &zero);
	if (!counts || bpf_map_update_elem(&counters, &entry.id, counts, BPF_NOEXIST)) {
		lose(origin->id, LOSS_TARGETS_FULL);
		return 0;
	}
	entry.meter = take_meter(origin->meter);
	counts = bpf_map_lookup_elem(&counters, &entry.id);
	if (counts)
		counts->meter = entry.meter;
	if (bpf_map_update_elem(&targets, &tgid, &entry, BPF_ANY)) {
		drop_target(&entry, origin->id);
		return 0;
	}
	set_owner(entry.meter, tgid, entry.id);
	return entry.id;
}

/* A forked child runs the same interpreter at the same place. */
static __always_inline void inherit_python(__u32 child, __u32 parent)
{
	const struct python_target *python =
		python_in_use && child ? bpf_map_lookup_elem(&python_targets, &parent) : NULL;

	/* (Without room for it user space tries again.) */
	if (python)
		bpf_map_update_elem(&python_targets, &child, python, BPF_ANY);
}

static __always_inline void life_fork(struct task_struct *parent, struct task_struct *child)
{
	__u32 parent_tgid = BPF_CORE_READ(parent, tgid), tgid = BPF_CORE_READ(child, tgid);
	struct target_entry *entry, p;
	__u32 id;

	if (tgid == parent_tgid)
		return;
	entry = bpf_map_lookup_elem(&targets, &parent_tgid);
	if (!entry)
		return;
	p = *entry;
	if (BPF_CORE_READ(parent, mm) == BPF_CORE_READ(child, mm)) {
		/* vfork: until it execs, what the child allocates and frees is its parent's. */
		p.flags |= TARGET_SHARES_MEMORY;
		if (bpf_map_update_elem(&targets, &tgid, &p, BPF_ANY))
			lose(p.id, LOSS_TARGETS_FULL);
		return;
	}
	if (!(p.flags & TARGET_FOLLOW))
		return;
	id = add_target(tgid, p.flags & ~TARGET_SHARES_MEMORY, p.id, &p);
	inherit_python(id, p.id);
	if (id)
		note_life(NOTE_FORK, id, p.id, tgid, p.id);
}

static __always_inline void life_exec(struct task_struct *task, __u32 old_pid)
{
	__u32 tgid = BPF_CORE_READ(task, tgid);
	__u64 id = ((__u64)tgid << 32) | tgid, old_id = ((__u64)tgid << 32) | old_pid;
	struct target_entry *entry = bpf_map_lookup_elem(&targets, &tgid), old;
	__u32 fresh;

	if (!entry)
		return;
	old = *entry;
	bpf_map_delete_elem(&threads, &id);
	bpf_map_delete_elem(&threads, &old_id);
	/* The probes' cookies tell the old image's meter. */
	if (!(old.flags & TARGET_SHARES_MEMORY))
		set_owner(old.meter, 0, 0);
	if ((old.flags & TARGET_SHARES_MEMORY) && !(old.flags & TARGET_FOLLOW)) {
		bpf_map_delete_elem(&targets, &tgid);
		return;
	}
	if (old.flags & TARGET_SHARES_MEMORY) {
		fresh = add_target(tgid, old.flags & ~TARGET_SHARES_MEMORY, old.id, &old);
		if (fresh)
			note_life(NOTE_FORK, fresh, old.id, tgid, old.id);
	} else {
		fresh = add_target(tgid, old.flags, old.parent, &old);
		if (fresh)
			note_life(NOTE_EXEC, fresh, old.id, tgid, fresh);
	}
	if (!fresh)
		bpf_map_delete_elem(&targets, &tgid);
}

static __always_inline void life_exit(struct task_struct *task)
{
	__u32 tgid = BPF_CORE_READ(task, tgid), pid = BPF_CORE_READ(task, pid);
	__u64 id = ((__u64)tgid << 32) | pid;
	struct target_entry *entry = bpf_map_lookup_elem(&targets, &tgid), gone;

	/* Also of processes that are no longer targets: their threads' states go with them. */
	bpf_map_delete_elem(&threads, &id);
	if (!entry)
		return;
	if (BPF_CORE_READ(task, signal, live.counter) != 0)
		return;
	gone = *entry;
	bpf_map_delete_elem(&targets, &tgid);
	if (gone.flags & TARGET_SHARES_MEMORY)
		return;
	set_owner(gone.meter, 0, 0);
	note_life(NOTE_EXIT, gone.id, gone.parent, tgid, gone.id);
}

/*
 * Libraries come or go: what was published of the target's mappings may be wrong from now on, and an
 * address of the new library may lie where the old one was. Until user space has looked again, each
 * address is looked up in the kernel's own list.
 */
static __always_inline void life_link_map(void)
{
	__u32 tgid = bpf_get_current_pid_tgid() >> 32;
	struct target_entry *entry = bpf_map_lookup_elem(&targets, &tgid);

	if (!entry)
		return;
	__sync_fetch_and_add(&entry->link_map_changes, 1);
	bpf_map_delete_elem(&target_mappings, &entry->id);
	note_life(NOTE_MAPPINGS, entry->id, 0, tgid, entry->id);
}

#endif
