/* SPDX-License-Identifier: GPL-2.0-or-later OR BSD-2-Clause */
/*
 * From an address to a file and an offset in it.
 *
 * First the mappings that user space has published for the target. What they do not cover (a
 * process that has just started, a library that was just loaded) is looked up in the kernel's own
 * list, so that even the first allocation of a short-lived process has its whole stack.
 */
#ifndef SEEP_MAPPING_BPF_H
#define SEEP_MAPPING_BPF_H

#include "account.bpf.h"

#define VM_EXEC		4ul
#define PAGE_SHIFT	12
#define PATH_COMPONENTS 24

/* An executable mapping of the current process. */
struct found_mapping {
	__u64 start;
	__u64 offset;
	struct file *file; /* NULL: none, or not executable */
};

static long take_mapping(struct task_struct *task, struct vm_area_struct *vma, void *data)
{
	struct found_mapping *found = data;

	if (!(BPF_CORE_READ(vma, vm_flags) & VM_EXEC))
		return 0;
	found->start = BPF_CORE_READ(vma, vm_start);
	found->offset = BPF_CORE_READ(vma, vm_pgoff) << PAGE_SHIFT;
	found->file = BPF_CORE_READ(vma, vm_file);
	return 0;
}

#if HAS_CALLBACKS

#define FIND_TRIES 64 /* a few microseconds */

struct mapping_search {
	struct found_mapping *found;
	__u64 address;
	long result;
};

static long try_to_find(__u32 index, void *data)
{
	struct mapping_search *search = data;

	search->result = bpf_find_vma(bpf_get_current_task_btf(), search->address, take_mapping,
				      search->found, 0);
	return search->result != -EBUSY;
}

/* -EBUSY: another thread is changing the mappings, mostly for less time than this takes. */
static __always_inline int find_mapping(__u64 address, struct found_mapping *found)
{
	struct mapping_search search = { .found = found, .address = address, .result = -EBUSY };

	bpf_loop(FIND_TRIES, try_to_find, &search, 0);
	return search.result;
}

#else

#define TREE_DEPTH 32 /* of a red-black tree of 65530 mappings, the default limit */

/*
 * Walks the tree of mappings without its lock. Before a mapping's memory is given back the sequence
 * number moves on: if it has, what was found means nothing.
 */
static __always_inline int find_mapping(__u64 address, struct found_mapping *found)
{
	struct task_struct *task = (void *)bpf_get_current_task();
	struct mm_struct *mm = BPF_CORE_READ(task, mm);
	__u64 sequence = BPF_CORE_READ(mm, vmacache_seqnum);
	struct rb_node *node = BPF_CORE_READ(mm, mm_rb.rb_node);

	for (int i = 0; i < TREE_DEPTH && node; i++) {
		struct vm_area_struct *vma =
			(void *)node - bpf_core_field_offset(struct vm_area_struct, vm_rb);

		if (address >= BPF_CORE_READ(vma, vm_end)) {
			node = BPF_CORE_READ(node, rb_right);
		} else if (address < BPF_CORE_READ(vma, vm_start)) {
			node = BPF_CORE_READ(node, rb_left);
		} else {
			take_mapping(task, vma, found);
			return BPF_CORE_READ(mm, vmacache_seqnum) == sequence ? 0 : -EBUSY;
		}
	}
	return -ENOENT;
}

#endif

/* A path on its way into a note: the names from the last to the first, across mount points. */
struct path_walk {
	struct dentry *dentry;
	struct mount *mount;
	struct note *note;
	__u64 at;
};

static long copy_name(__u32 index, void *data)
{
	struct path_walk *w = data;
	struct dentry *dentry = w->dentry, *parent = BPF_CORE_READ(dentry, d_parent);
	struct mount *mount = w->mount;
	__u64 at = w->at;
	long bytes;

	if (dentry == BPF_CORE_READ(mount, mnt.mnt_root) || dentry == parent) {
		struct mount *up = BPF_CORE_READ(mount, mnt_parent);

		if (up == mount)
			return 1;
		w->dentry = BPF_CORE_READ(mount, mnt_mountpoint);
		w->mount = up;
		return 0;
	}
	barrier_var(at); /* as in find_published() */
	if (at >= NOTE_PATH_BYTES)
		return 1;
	bytes = bpf_probe_read_kernel_str(&w->note->path[at], NOTE_PATH_NAME,
					  BPF_CORE_READ(dentry, d_name.name));
	if (bytes <= 0)
		return 1;
	w->at = at + bytes;
	w->dentry = parent;
	return 0;
}

static __always_inline void copy_path(struct file *file, struct note *n)
{
	struct path_walk w = { .note = n };
	struct vfsmount *mnt = BPF_CORE_READ(file, f_path.mnt);

	w.dentry = BPF_CORE_READ(file, f_path.dentry);
	w.mount = (void *)mnt - bpf_core_field_offset(struct mount, mnt);
#if HAS_CALLBACKS
	bpf_loop(PATH_COMPONENTS, copy_name, &w, 0);
#else
	for (int i = 0; i < PATH_COMPONENTS; i++)
		if (copy_name(i, &w))
			break;
#endif
	n->path_bytes = w.at;
}

/* A slot that was never in use. */
static __always_inline void give_back(__u32 slot, __u32 target)
{
	if (bpf_map_push_elem(&free_slots, &slot, 0))
		lose(target, LOSS_MAP_BUSY);
}

/* A file that was not met before: gives it a slot and tells user space which file it is. */
static __always_inline __u32 add_file(struct file *file, const struct file_key *key, __u32 target)
{
	__u32 slot, *known;
	struct note *n;
	int r;

	r = bpf_map_pop_elem(&free_slots, &slot);
	if (r) {
		lose(target, r == -ENOENT ? LOSS_FILES_FULL : LOSS_MAP_BUSY);
		return 0;
	}
	if (bpf_map_update_elem(&file_slots, key, &slot, BPF_NOEXIST)) {
		give_back(slot, target);
		known = bpf_map_lookup_elem(&file_slots, key);
		return known ? *known : 0;
	}
	n = bpf_ringbuf_reserve(&notes, sizeof(*n), 0);
	if (!n) {
		/* Without a name the slot is useless: the next stack shall try again. */
		bpf_map_delete_elem(&file_slots, key);
		lose(target, LOSS_NOTE);
		return 0;
	}
	n->type = NOTE_FILE;
	n->target = target;
	n->other = slot;
	n->tgid = bpf_get_current_pid_tgid() >> 32;
	n->time_ns = bpf_ktime_get_ns();
	bpf_get_current_comm(n->comm, sizeof(n->comm));
	n->dev = key->dev;
	n->inode = key->inode;
	n->padding = 0;
	copy_path(file, n);
	bpf_ringbuf_submit(n, 0);
	return slot;
}

/* Has user space look at the mappings again, a few times a second at most. */
static __always_inline void ask_for_mappings(void)
{
	__u32 tgid = bpf_get_current_pid_tgid() >> 32, now = bpf_ktime_get_ns() >> 27;
	struct target_entry *entry = bpf_map_lookup_elem(&targets, &tgid);

	if (!entry || entry->noted == now)
		return;
	entry->noted = now;
	note_life(NOTE_MAPPINGS, entry->id, 0, tgid, entry->id);
}

/* The vDSO has no file; where it lies is a matter of the architecture. */
static __always_inline __u64 find_in_vdso(__u64 address)
{
	struct task_struct *task = (void *)bpf_get_current_task();
	__u64 start = (__u64)BPF_CORE_READ(task, mm, context.vdso);

	if (!vdso_slot || address - start >= vdso_bytes)
		return 0;
	return ((__u64)vdso_slot << FRAME_SLOT_SHIFT) | (address - start);
}

static __always_inline __u64 frame_in(__u64 range_frame, __u64 address)
{
	return (range_frame & ~FRAME_OFFSET_MASK) | ((range_frame + address) & FRAME_OFFSET_MASK);
}

/* Where the file of a mapping has its slot; 0: there is none. */
static __always_inline __u32 slot_of_file(struct file *file, __u32 target)
{
	struct file_key key = {};
	__u32 *known;

	key.dev = BPF_CORE_READ(file, f_inode, i_sb, s_dev);
	key.inode = BPF_CORE_READ(file, f_inode, i_ino);
	known = bpf_map_lookup_elem(&file_slots, &key);
	return known ? *known : add_file(file, &key, target);
}

/* The key under which a page's mapping is remembered until libraries come or go. */
static __always_inline bool page_of(__u64 address, struct found_page *page)
{
	__u32 tgid = bpf_get_current_pid_tgid() >> 32;
	struct target_entry *entry = bpf_map_lookup_elem(&targets, &tgid);

	if (!entry)
		return false;
	page->page = address >> PAGE_SHIFT;
	page->target = entry->id;
	page->link_map_changes = entry->link_map_changes;
	return true;
}

static __always_inline void remember_page(__u64 address, __u64 range_frame)
{
	struct found_page page = {};
	__u64 *known;

	if (!page_of(address, &page))
		return;
	known = bpf_map_lookup_elem(&found_pages, &page);
	/* (What cannot be remembered is only looked up again.) */
	if (!known || *known != range_frame)
		bpf_map_update_elem(&found_pages, &page, &range_frame, BPF_ANY);
}

static __always_inline __u64 recall_page(__u64 address)
{
	struct found_page page = {};
	__u64 *known = page_of(address, &page) ? bpf_map_lookup_elem(&found_pages, &page) : NULL;

	return known ? frame_in(*known, address) : 0;
}

static __noinline __u64 find_in_kernel(struct thread *t, __u64 address)
{
	struct found_mapping found = {};
	__u64 frame = 0, range_frame;
	__u32 slot;
	int r;

	r = find_mapping(address, &found);
	if (r == 0 && found.file) {
		slot = slot_of_file(found.file, t->target);
		if (!slot)
			return 0;
		range_frame = ((__u64)slot << FRAME_SLOT_SHIFT) |
			      ((found.offset - found.start) & FRAME_OFFSET_MASK);
		remember_page(address, range_frame);
		return frame_in(range_frame, address);
	}
	if (r == -EBUSY)
		frame = recall_page(address);
	else if (r == 0)
		frame = find_in_vdso(address);
	if (frame)
		return frame;
	t->generated = found.start != 0;
	ask_for_mappings();
	return 0;
}

static __always_inline __u64 find_published(struct thread *t, __u64 address)
{
	const struct mapping_set *set = bpf_map_lookup_elem(&mapping_sets, &t->mapping_set);
	__u32 low = 0, high = set ? set->n : 0;

	/* 2^8 ranges: nine halvings end every search. */
	for (int i = 0; i < 9; i++) {
		const struct mapped_range *r;
		__u32 middle = (low + high) / 2;

		/* Older verifiers (6.12's) want the check on the very register that is the index. */
		barrier_var(middle);
		if (!set || low >= high || middle >= ABI_MAX_MAPPINGS)
			break;
		r = &set->ranges[middle];
		if (address < r->start) {
			high = middle;
		} else if (address >= r->end) {
			low = middle + 1;
		} else {
			t->range_start = r->start;
			t->range_bytes = r->end - r->start;
			t->range_frame = r->frame;
			return frame_in(r->frame, address);
		}
	}
	return 0;
}

/*
 * The stored frame of an address, without the FRAME_EXACT mark; slot 0 (the address itself) when
 * no file is known behind it. Sets the thread's slot and offset.
 */
static __always_inline __u64 locate(struct thread *t, __u64 address)
{
	__u64 frame = 0;

	t->generated = 0;
	if (address - t->range_start < t->range_bytes)
		frame = frame_in(t->range_frame, address);
	else
		frame = find_published(t, address);
	if (!frame && use_find_vma)
		frame = find_in_kernel(t, address);
	if (!frame)
		frame = address & FRAME_OFFSET_MASK;
	t->slot = (frame >> FRAME_SLOT_SHIFT) & FRAME_SLOT_MASK;
	t->offset = frame & FRAME_OFFSET_MASK;
	return frame;
}

#endif
