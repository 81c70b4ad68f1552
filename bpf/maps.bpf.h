/* SPDX-License-Identifier: GPL-2.0-or-later OR BSD-2-Clause */
/*
 * Every map and every setting of the BPF side.
 *
 * Sizes of 1 are set by user space before loading. All hash maps of blocks are plain: an LRU would
 * forget the oldest entries, which are what a leak detector looks for.
 */
#ifndef SEEP_MAPS_BPF_H
#define SEEP_MAPS_BPF_H

#include "abi.h"
#include "ages.h"
#include "sampling.h"

/* Settings, fixed at load. */
const volatile __u32 max_frames = 48;
const volatile bool use_find_vma = false; /* unknown mappings can be found in the kernel */

/* A unit of blocks' births in ticks of the detector, see ages.h. */
const volatile __u32 age_scale = 0;

const volatile __u32 log2_table[SAMPLING_TABLE_SIZE] = {};

/* Shared with user space, which also takes numbers from it (atomically). */
__u32 next_target_id = 1;

/* The next one for free_codes; only user space takes from it. */
__u32 next_code = 1;

/* Whether any target runs Python: entries in python_targets. */
__u32 python_in_use = 0;

/* So that nobody can make code that is taken for another's. */
const volatile __u64 code_seed = 0;

/* The vDSO, the same in all processes: set once by user space. */
__u32 vdso_slot = 0;
__u32 vdso_bytes = 0;

/* Targets by tgid: an entry here arms the probes for that process. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct target_entry);
} targets SEC(".maps");

/* Outstanding blocks. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 1);
	__type(key, struct block_key);
	__type(value, struct block);
} live SEC(".maps");

/* Totals per site; the key is the stack's hash, which includes the target. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 1);
	__type(key, __u64);
	__type(value, struct site_totals);
} sites SEC(".maps");

/* An empty entry, too large for a program's stack. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct site_totals);
} new_site SEC(".maps");

/* Frames per site. User space shrinks the value to STACK_BYTES(max_frames). */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 1);
	__type(key, __u64);
	__type(value, struct stack);
} stacks SEC(".maps");

/* What was not seen, per target id. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct target_counters);
} counters SEC(".maps");

/* Meter 0 is nobody's: of targets for which there was none, which are then taken exactly. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct target_control);
} controls SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct meter_owner);
} owners SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct target_meter);
} meters SEC(".maps");

/* Meters that no target has, cleared; user space fills it. */
struct {
	__uint(type, BPF_MAP_TYPE_QUEUE);
	__uint(max_entries, 1);
	__type(value, __u32);
} free_meters SEC(".maps");

/* All zero, never written: what a new target's counters start from. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct target_counters);
} new_counters SEC(".maps");

/*
 * Call state and scratch space of a thread, by pid_tgid. It belongs to one thread, and a thread
 * runs one probe at a time, so nothing here is ever shared: no per-CPU buffer that a preempting
 * thread could overwrite.
 */
#define NO_MAPPING_SET (~0u)
#define PYTHON_WORDS   18
#define CODE_CACHE     (1u << 15) /* words of python_codes */

struct thread {
	/* The outermost allocator call in progress. */
	__u64 sp; /* where its return address is; 0: no call */
	__u64 size;
	__u64 result;	   /* posix_memalign: where the block's address goes */
	__u64 old_address; /* realloc: the block given, 0: none */
	struct block old;  /* realloc: what was taken out of `live` */
	__u32 old_taken;
	__u32 kind; /* enum hook_kind */
	__u32 target;
	__u32 epoch;   /* of the target's control when the call began */
	__u32 extra;   /* struct block's */
	__u32 is_left; /* the call is followed, but its block was not chosen */
	/* The unwinder's state. */
	__u64 pc;
	__u64 cfa; /* the stack pointer in the frame of pc */
	__u64 rbp;
	__u64 hash;	   /* of the frames so far */
	__u64 range_start; /* the mapping of the last frame: the next one is mostly there, too */
	__u64 range_bytes;
	__u64 range_frame;
	__u32 mapping_set; /* index of the target's, NO_MAPPING_SET: none published */
	__u32 exact;	   /* pc is the address itself, not a return address */
	__u32 slot;
	__u32 generated; /* pc lies in executable memory without a file */
	__u64 offset;	 /* of pc in its file */
	__u64 frame;	 /* the one to be stored */
	/* Python, see python.bpf.h. */
	__u64 python_frame; /* the next one to be stored; 0: none (any more) */
	__u32 python_phase; /* enum python_phase */
	__u32 python_flags;
	__u64 python_words[PYTHON_WORDS]; /* what was read last */
	/* A call that makes a Python object, see burst.bpf.h: where its return address is; 0: none. */
	__u64 maker_sp;
	struct stack stack; /* last: the value is as long as max_frames asks for */
};

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 1);
	__type(key, __u64);
	__type(value, struct thread);
} threads SEC(".maps");

/* A zeroed struct thread to start from: too large for the BPF stack. Never written. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct thread);
} new_thread SEC(".maps");

/* Where a target's mappings are: target id -> index into mapping_sets. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, __u32);
} target_mappings SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct mapping_set);
} mapping_sets SEC(".maps");

/*
 * Mappings that were found in the kernel's list and not among the published ones, by page: that list is
 * locked while another thread changes it. The only map that may forget: it is a cache.
 */
struct found_page {
	__u64 page;
	__u32 target;
	__u32 link_map_changes; /* of the target when it was found */
};

struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 4096);
	__type(key, struct found_page);
	__type(value, __u64); /* frame = value + address */
} found_pages SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, FRAME_SLOTS);
	__type(key, struct file_key);
	__type(value, __u32);
} file_slots SEC(".maps");

/* Slots that no file has; user space fills it. */
struct {
	__uint(type, BPF_MAP_TYPE_QUEUE);
	__uint(max_entries, FRAME_SLOTS);
	__type(value, __u32);
} free_slots SEC(".maps");

/* Unwinding of each file, by slot. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, FRAME_SLOTS);
	__type(key, __u32);
	__type(value, struct file_entry);
} files SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct unwind_row);
} unwind_rows SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, __u32);
} unwind_buckets SEC(".maps");

/* What is known of the interpreters, by target id. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct python_target);
} python_targets SEC(".maps");

/*
 * Which code a code object is, and which one has certain contents. Both are caches: code that was forgotten
 * becomes another one with the same names.
 */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, CODE_CACHE);
	__type(key, __u32);
	__type(value, __u64);
} python_codes SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 1);
	__type(key, __u64);
	__type(value, __u32);
} python_contents SEC(".maps");

/* Codes that were never in use; user space fills it up. */
struct {
	__uint(type, BPF_MAP_TYPE_QUEUE);
	__uint(max_entries, 1);
	__type(value, __u32);
} free_codes SEC(".maps");

/* The burst that there may be, and what it has seen. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct burst);
} bursts SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, CONSTRUCTIONS_BYTES);
} constructions SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, 4096);
} notes SEC(".maps");

#endif
