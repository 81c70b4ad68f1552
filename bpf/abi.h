/* SPDX-License-Identifier: GPL-2.0-or-later OR BSD-2-Clause */
/*
 * The contract between the BPF programs and user space: keys, values, notes, limits.
 *
 * The only file that both compilers see. Fixed-width types, explicit padding, every size asserted.
 */
#ifndef SEEP_ABI_H
#define SEEP_ABI_H

#ifndef __VMLINUX_H__
#include <linux/types.h>
#endif

/* Frames a stack can hold at most; how many are stored is a setting (maps.bpf.h: max_frames). */
#define ABI_MAX_FRAMES 127

/*
 * A stored frame. Offsets are offsets in the file (mapping's file offset + distance from its
 * start), so they are the same in every process and stay valid when the file is unmapped.
 */
#define FRAME_EXACT	  (1ull << 63) /* the address itself; otherwise a return address */
#define FRAME_SLOT_SHIFT  48
#define FRAME_SLOT_MASK	  0x7fffull /* after the shift; 0: the rest is an absolute address */
#define FRAME_OFFSET_MASK ((1ull << FRAME_SLOT_SHIFT) - 1)
#define FRAME_SLOTS	  4096 /* files that can have a slot, slot 0 included */

/*
 * A Python frame: this slot, and in the offset which code it runs and the code unit in it (saturated).
 * Code 0 is one of which nothing could be learnt.
 */
#define FRAME_SLOT_PYTHON 0x7fffull
#define FRAME_CODE_SHIFT  20
#define FRAME_UNIT_MASK	  ((1ull << FRAME_CODE_SHIFT) - 1)
#define CODE_MAX	  ((1u << CODE_BITS) - 1)

/* Which arguments of an allocator function mean what. The low byte of a multi link's cookie. */
enum hook_kind {
	HOOK_MALLOC = 1,     /* (size): malloc, valloc, pvalloc */
	HOOK_CALLOC,	     /* (count, size) */
	HOOK_REALLOC,	     /* (block, size) */
	HOOK_REALLOCARRAY,   /* (block, count, size) */
	HOOK_POSIX_MEMALIGN, /* (result, alignment, size) */
	HOOK_ALIGNED,	     /* (alignment, size): aligned_alloc, memalign */
	HOOK_FREE,	     /* (block, ...): free, cfree, free_sized, free_aligned_sized */
	HOOK_LINK_MAP,	     /* (): the dynamic linker has mapped or unmapped libraries */
	HOOK_OBJECT,	     /* (object, ...): every new Python object of a type passes it */
	HOOK_MAKER,	     /* (type, ...): returns a new Python object of the type */
};

/*
 * In a cookie: the function may call another hooked one, which shall not count then; and the meter of
 * the target, if the link is that target's alone.
 */
#define COOKIE_CALLS_HOOKS (1u << 8)
#define COOKIE_METER_SHIFT 32

/* Why something was not seen. One counter each per target; names in target/target.c. */
enum loss_reason {
	LOSS_LIVE_FULL,	    /* no room for the block: it was not taken */
	LOSS_SITES_FULL,    /* no room for a new site: the block was not taken */
	LOSS_STACKS_FULL,   /* no room for a new stack: the block was not taken */
	LOSS_THREADS_FULL,  /* no room for the thread's call state: the call was not seen */
	LOSS_MAP_BUSY,	    /* a map update met another one on the same CPU (-EBUSY) */
	LOSS_MISSED_FREE,   /* a new block at the address of a live one: the old one was retired */
	LOSS_MISSED_RETURN, /* an allocator call whose return was never seen */
	LOSS_RESULT_UNREADABLE, /* posix_memalign's result could not be read */
	LOSS_STACK_UNREADABLE,	/* memory of the stack could not be read: frames are missing */
	LOSS_RESTORE_FAILED,	/* a failed realloc's block could not be put back */
	LOSS_NOTE,		/* a note to user space did not fit the ring buffer */
	LOSS_FILES_FULL,	/* no slot for another mapped file: its frames are bare addresses */
	LOSS_TARGETS_FULL,	/* no room for a forked child: it is not watched */
	LOSS_PYTHON_CODE,	/* Python code could not be told apart: its frames have no names */
	LOSS_REASONS
};

/* How a stack ended. Everything but STACK_COMPLETE is a truncated stack. */
enum stack_status {
	STACK_COMPLETE,	    /* reached the thread's start */
	STACK_DEPTH,	    /* more frames than the limit */
	STACK_NO_MAPPING,   /* an address outside of all known mappings */
	STACK_NO_TABLE,	    /* a file without an unwind table (yet) */
	STACK_NO_CFI,	    /* code without call frame information */
	STACK_INVALID_RULE, /* a rule that is not supported */
	STACK_READ_FAULT,   /* stack memory could not be read */
	STACK_BAD_CFA,	    /* the frame address did not grow, or is misaligned */
	STACK_JIT,	    /* generated code, no file behind it */
	STACK_STATUSES
};

/* live: one entry per outstanding block. */
struct block_key {
	__u64 address;
	__u32 target;
	__u32 padding;
};

/* 24 bytes, so that an element of the hash map fits the 96-byte slab class. */
struct block {
	__u64 stack; /* key of its site and of its stack */
	__u64 size;  /* as asked for, bytes */
	__u32 birth; /* CLOCK_MONOTONIC >> BLOCK_BIRTH_SHIFT; wraps after 2.2 years of uptime */
	__u32 extra; /* weight - size: 0 when every block is taken */
};

#define BLOCK_BIRTH_SHIFT 24 /* 16.8 ms */

/*
 * sites: totals of one allocation call stack in one target. Live = allocated - freed.
 *
 * Bytes and counts are of the blocks that were taken; what they stand for beyond themselves is 0 for
 * those taken without a choice (exact mode, large blocks). See bpf/sampling.h.
 */
#define SAMPLING_COUNT_SHIFT	16
#define SAMPLING_VARIANCE_SHIFT 10

struct site_sums {
	__u64 bytes;
	__u64 count;
	__u64 extra_bytes;
	__u64 extra_count; /* in units of 2^-SAMPLING_COUNT_SHIFT */
	__u64 variance;	   /* of the estimated bytes, in units of 2^SAMPLING_VARIANCE_SHIFT */
};

/* Ages at free, in bins (ages.h). Of blocks that were taken; counts wrap. */
#define AGE_BINS 61

struct site_totals {
	struct site_sums allocated;
	struct site_sums freed;
	__u32 target;
	__u32 freed_by_age[AGE_BINS];
};

/* stacks: frames of a site, innermost first. The value holds max_frames of them. */
struct stack {
	__u16 n;
	__u8 status; /* enum stack_status */
	__u8 padding[5];
	__u64 frames[ABI_MAX_FRAMES];
};

#define STACK_BYTES(max_frames) (8 + 8 * (__u64)(max_frames))

/* targets: keyed by tgid. The id is never used again, so blocks of an exec'd image stay apart. */
struct target_entry {
	__u32 id;
	__u32 flags;
	__u32 parent;		/* id of the target that forked this one, 0: none */
	__u32 noted;		/* when its mappings were last asked for, in units of 134 ms */
	__u32 link_map_changes; /* what was read of its mappings before one of them is out of date */
	__u32 meter;		/* index of its struct target_control and struct target_meter */
};

#define TARGET_FOLLOW	     (1u << 0) /* forked children become targets */
#define TARGET_SHARES_MEMORY (1u << 1) /* vfork child: works on its parent's heap, under its id */

/* controls: how a target's calls are taken, by meter; user space decides, a child inherits. */
enum control_mode {
	CONTROL_EXACT = 0, /* every block */
	CONTROL_SAMPLED,   /* by bytes: struct target_control's interval */
	CONTROL_COUNT,	   /* none: calls are only counted */
};

#define SAMPLING_INTERVAL_MIN 1024u
#define SAMPLING_INTERVAL_MAX (1u << 30)

struct target_control {
	__u32 mode;	  /* enum control_mode */
	__u32 interval;	  /* mean distance of two samples, bytes */
	__u32 alarm_hits; /* NOTE_ALARM after so many hits on one CPU; 0: never */
	__u32 epoch;	  /* another one: calls that began before have lost their return probes */
	__u64 seed;	  /* of the choice, for tests; 0: a random one */
};

/* owners: whose a meter is, by meter; what targets says, for probes whose cookie tells the meter. */
struct meter_owner {
	__u32 tgid; /* 0: nobody's, or not armed (any more) */
	__u32 target;
};

/* meters: what a target's probes have done, by meter, on each CPU. */
struct target_meter {
	__u64 allocations; /* calls that met a probe, taken or not, those within others included */
	__u64 bytes;	   /* that they asked for */
	__u64 frees;
	__u64 taken;	/* blocks */
	__u64 timed;	/* of these, how many were timed */
	__u64 timed_ns; /* from the return probe to the end of its program */
	__u64 noted;	/* hits at the last alarm */
	/* The choice of samples. */
	__s64 credit; /* bytes to the next sample */
	__u64 random;
	__u32 interval; /* that credit was drawn for */
	__u32 padding;
};

#define METER_TIMED_EACH 16 /* one of so many blocks is timed; a power of two */

/* Blocks that met the interpreter in a target that runs Python, by how their stack came out. */
enum python_outcome {
	PYTHON_WHOLE, /* every frame of the eval loop found its Python frames, and none was left */
	PYTHON_UNMATCHED, /* some did not: Python frames were appended, or are missing */
	PYTHON_NO_STATE,  /* the thread's state was not found: no Python frames */
	PYTHON_OUTCOMES
};

/* counters: per target id. */
struct target_counters {
	__u64 lost[LOSS_REASONS];
	__u64 frees_of_unknown_blocks; /* not counted while sampling */
	__u64 failed_allocations;
	__u64 python[PYTHON_OUTCOMES];
	__u32 meter;
	__u32 padding;
};

/* mapping_sets: executable mappings of one target, ascending. */
#define ABI_MAX_MAPPINGS 256

struct mapped_range {
	__u64 start;
	__u64 end;
	__u64 frame; /* stored frame of an address = frame + address, see probe/mappings.c */
};

struct mapping_set {
	__u32 n;
	__u32 padding;
	struct mapped_range ranges[ABI_MAX_MAPPINGS];
};

/* file_slots: which slot a file has. */
struct file_key {
	__u64 dev; /* s_dev: major << 20 | minor */
	__u64 inode;
};

/* files: by slot. A zero mode means that nothing is known of the file yet. */
enum unwind_mode {
	UNWIND_NONE = 0,
	UNWIND_TABLE,
	UNWIND_FRAME_POINTER, /* generated code that keeps frame pointers */
	UNWIND_OPAQUE,	      /* generated code that may keep no frame pointers */
	UNWIND_IMPOSSIBLE,    /* looked at: neither table nor frame pointers */
};

/* 512 bytes of text: with 256 the index is twice as large and a look-up one halving shorter. */
#define UNWIND_BUCKET_SHIFT 9

struct file_entry {
	__u32 mode; /* enum unwind_mode; written last */
	__u32 row;  /* first row in unwind_rows */
	__u32 n_rows;
	__u32 bucket; /* first entry in unwind_buckets; n_buckets + 1 of them, relative to row */
	__u32 n_buckets;
	__u32 start; /* file offset of the first bucket */
};

/* unwind_rows. A row holds from its pc up to the next row's. */
enum unwind_rule {
	RULE_INVALID = 0,   /* not expressible here */
	RULE_RSP,	    /* CFA = rsp + 8 * cfa_off8 */
	RULE_RBP,	    /* CFA = rbp + 8 * cfa_off8 */
	RULE_PLT,	    /* CFA = rsp + 8 + ((pc & 15) >= cfa_off8 ? 8 : 0) */
	RULE_RBP_DEREF,	    /* CFA = *(rbp + 8 * (s16)cfa_off8) */
	RULE_SIGNAL,	    /* signal frame: registers are in the ucontext at rsp */
	RULE_FRAME_POINTER, /* no information, but the code keeps frame pointers */
	RULE_END,	    /* no caller: return address undefined */
	RULE_NO_CFI,	    /* a hole between functions */
};

/* Where the caller's rbp is: at CFA + 8 * rbp_off8, or one of these. */
#define RBP_SAME   0   /* still in rbp */
#define RBP_AT_RBP 126 /* where rbp points to (realigned stacks) */
#define RBP_LOST   127

/*
 * Rule and the high bits of the CFA's offset share a byte: frames up to 8 MiB. RULE_RBP_DEREF's
 * offset may be negative and has only the low bits.
 */
#define UNWIND_RULE(row)     ((row)->rule & 0x0f)
#define UNWIND_CFA_OFF8(row) ((row)->cfa_off8 | (__u32)((row)->rule >> 4) << 16)
#define UNWIND_CFA_OFF8_MAX  0xfffffu

struct unwind_row {
	__u32 pc; /* offset in the file */
	__u16 cfa_off8;
	__u8 rule;     /* enum unwind_rule and high bits, see UNWIND_RULE */
	__s8 rbp_off8; /* see RBP_SAME */
};

/*
 * python_targets: what is read of a target that runs Python, by target id. Offsets in bytes;
 * PYTHON_ABSENT: not in this version. See src/python/layout.h.
 */
#define PYTHON_ABSENT 0xffff

/* Which Python frames belong to one native frame of the eval loop. */
enum python_boundary {
	PYTHON_EACH_FRAME,  /* up to 3.10: one */
	PYTHON_UP_TO_ENTRY, /* 3.11: up to the one with is_entry */
	PYTHON_UP_TO_SHIM,  /* 3.12: up to one that is none, which the loop keeps on the C stack */
};

enum python_instruction {
	PYTHON_BYTES,	/* s32 f_lasti in bytes */
	PYTHON_UNITS,	/* s32 in code units */
	PYTHON_POINTER, /* to the code unit */
};

struct python_target {
	__u64 code_type;
	__u64 running;	      /* of the word with the running thread's state; 0: there is none */
	__u32 thread_slot[2]; /* where a thread keeps its state, see python/interpreter.h */
	__u32 slot;	      /* of the interpreter's file */
	__u32 eval[2][2];     /* offsets in that file: start, end; 0: unknown */
	__u32 minor;	      /* 3.MINOR */
	__u16 thread_id;
	__u16 thread_frame;
	__u16 thread_cframe_frame; /* or PYTHON_ABSENT */
	__u16 frame_code;
	__u16 frame_previous;
	__u16 frame_instruction;
	__u16 frame_owner;    /* or PYTHON_ABSENT */
	__u16 frame_is_entry; /* or PYTHON_ABSENT */
	__u16 frame_bytes;
	__u16 code_firstlineno;
	__u16 code_version; /* or PYTHON_ABSENT */
	__u16 code_filename;
	__u16 code_name; /* the qualified one where there is one */
	__u16 code_linetable;
	__u16 code_first_unit;
	__u16 str_ascii;
	__u16 str_compact;
	__u8 boundary;	  /* enum python_boundary */
	__u8 instruction; /* enum python_instruction */
};

/*
 * python_codes: which code a code object is. A word is read and written at once: the number of the code below,
 * above it what of the hash of target, address and contents does not say which word it is.
 */
#define CODE_BITS 28

/* notes: what user space must hear at once. Rare; never one per allocation. */
enum note_type {
	NOTE_FORK = 1, /* a child became target `target`, forked from `other` */
	NOTE_EXEC,     /* target `other` is gone, the new image is `target` */
	NOTE_EXIT,     /* target `target` is gone */
	NOTE_FILE,     /* a file without slot was met in a stack and got slot `other` */
	NOTE_MAPPINGS, /* what is published of the mappings of `target` is out of date */
	NOTE_ALARM,    /* `target` has made `other` hits on one CPU since the last alarm there */
	NOTE_CODE,     /* `target` runs Python code that was not met before, now code `other` */
};

#define NOTE_PATH_BYTES 512
#define NOTE_PATH_NAME	128 /* longest component that is kept whole */

#define NOTE_HEAD_BYTES 40 /* all that notes other than NOTE_FILE carry */

struct note {
	__u32 type;
	__u32 target;
	__u32 other;
	__u32 tgid;
	__u64 time_ns;
	char comm[16]; /* of the process that the note is about */
	/* NOTE_FILE only. Names of the path from the last to the first, each with its final NUL. */
	__u64 dev;
	__u64 inode;
	__u32 path_bytes;
	__u32 padding;
	char path[NOTE_PATH_BYTES + NOTE_PATH_NAME];
};

/* A str of the target: as much of its data as there is room for. */
#define NOTE_CODE_FILE	192
#define NOTE_CODE_NAME	128
#define NOTE_CODE_TABLE 256

struct note_text {
	__u64 length; /* characters */
	__u32 state;  /* PyASCIIObject.state: their size */
	__u32 bytes;  /* copied */
};

/* NOTE_CODE, in the place of a struct note. What could not be read is 0. */
struct note_code {
	__u32 type;
	__u32 target;
	__u32 other;
	__u32 tgid;
	__u64 time_ns;
	char comm[16];
	__u64 code;	   /* address of the code object */
	__u64 table;	   /* and of its line table, a bytes object of */
	__u64 table_bytes; /* so many */
	__u32 first_line;
	__u32 minor; /* 3.MINOR */
	struct note_text file;
	struct note_text name;
	__u8 file_data[NOTE_CODE_FILE];
	__u8 name_data[NOTE_CODE_NAME];
	__u8 table_data[NOTE_CODE_TABLE];
};

/* bursts: one at a time. Constructions of one Python type in one process, until a bound is reached. */
struct burst {
	__u32 tgid; /* 0: there is none */
	__u32 target;
	__u32 by_result; /* makers are not given the type: their results are looked at */
	__u32 padding;
	__u64 type;	 /* address of the type */
	__u64 max_hits;	 /* over it the programs do nothing any more, */
	__u64 max_taken; /* and over this */
	/* Filled in by the programs: */
	__u64 hits;  /* calls of what is probed, of whatever type */
	__u64 taken; /* constructions in the ring buffer */
	__u64 lost;  /* constructions of the type for which there was no room */
};

/* constructions: one each, in order. Python frames only, as in stacks, innermost first. */
#define CONSTRUCTION_FRAMES 16

struct construction {
	__u64 object; /* address */
	__u64 time_ns;
	__u32 tid;
	__u32 n;
	__u64 frames[CONSTRUCTION_FRAMES];
};

#define CONSTRUCTIONS_BYTES (1u << 20) /* of the ring buffer: room for CONSTRUCTIONS_MAX */
#define CONSTRUCTIONS_MAX   6000u

_Static_assert(sizeof(struct burst) == 64, "abi");
_Static_assert(sizeof(struct construction) == 24 + 8 * CONSTRUCTION_FRAMES, "abi");
_Static_assert(CONSTRUCTIONS_MAX *(sizeof(struct construction) + 8) <= CONSTRUCTIONS_BYTES, "abi");
_Static_assert(sizeof(struct block_key) == 16, "abi");
_Static_assert(sizeof(struct block) == 24, "abi");
_Static_assert(sizeof(struct site_totals) == 328, "abi");
_Static_assert(sizeof(struct stack) == STACK_BYTES(ABI_MAX_FRAMES), "abi");
_Static_assert(sizeof(struct target_entry) == 24, "abi");
_Static_assert(sizeof(struct target_control) == 24, "abi");
_Static_assert(sizeof(struct target_meter) == 80, "abi");
_Static_assert(sizeof(struct mapped_range) == 24, "abi");
_Static_assert(sizeof(struct mapping_set) == 8 + 24 * ABI_MAX_MAPPINGS, "abi");
_Static_assert(sizeof(struct file_key) == 16, "abi");
_Static_assert(sizeof(struct file_entry) == 24, "abi");
_Static_assert(sizeof(struct unwind_row) == 8, "abi");
_Static_assert(sizeof(struct python_target) == 88, "abi");
_Static_assert(sizeof(struct note_code) == 680, "abi");
_Static_assert(sizeof(struct note_code) <= sizeof(struct note), "abi");
_Static_assert(sizeof(struct note) == 64 + NOTE_PATH_BYTES + NOTE_PATH_NAME, "abi");

#endif
