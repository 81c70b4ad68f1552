// SPDX-License-Identifier: GPL-2.0-or-later OR BSD-2-Clause
/*
 * The classic design, to compare with: how bcc's and libbpf-tools' memleak trace malloc and free.
 *
 * The size waits under the thread between entry and return; the return takes the stack with
 * bpf_get_stackid(), keeps the block under its address and adds it to its stack's totals; free takes
 * it out again. Maps, their keys and sizes, the packed totals, which add bytes and blocks in one
 * step, and the order of the helpers' calls are those of the tools. Written for this comparison:
 * their options, other allocator functions and printing are not here.
 */
#include "vmlinux.h"
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_tracing.h>

/* From include/uapi/linux/bpf.h: the values are ABI. */
#define MAP_TYPE_STACK_TRACE 7
#define USER_STACK	     (1ull << 8)

#define MAX_BLOCKS 1000000
#define MAX_STACKS 10240
#define MAX_FRAMES 127 /* kernel.perf_event_max_stack */

struct block {
	__u64 size;
	__u64 timestamp_ns;
	__s32 stack_id;
};

/* 40 bits of bytes below 24 bits of blocks: one atomic addition changes both. */
#define TOTALS(bytes, blocks) (((__u64)(bytes) & ((1ull << 40) - 1)) | (__u64)(blocks) << 40)

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__type(key, __u64); /* pid_tgid */
	__type(value, __u64);
	__uint(max_entries, MAX_STACKS);
} sizes SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__type(key, __u64); /* address */
	__type(value, struct block);
	__uint(max_entries, MAX_BLOCKS);
} allocs SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__type(key, __u64); /* stack id */
	__type(value, __u64);
	__uint(max_entries, MAX_STACKS);
} combined_allocs SEC(".maps");

struct {
	__uint(type, MAP_TYPE_STACK_TRACE);
	__uint(key_size, sizeof(__u32));
	__uint(value_size, MAX_FRAMES * sizeof(__u64));
	__uint(max_entries, MAX_STACKS);
} stack_traces SEC(".maps");

char LICENSE[] SEC("license") = "Dual BSD/GPL";

/* Adds to a stack's totals, which begin with the first block of that stack. */
static __always_inline void add_block(__u64 stack_id, __u64 size)
{
	__u64 *totals = bpf_map_lookup_elem(&combined_allocs, &stack_id), none = 0;

	if (!totals) {
		bpf_map_update_elem(&combined_allocs, &stack_id, &none, BPF_NOEXIST);
		totals = bpf_map_lookup_elem(&combined_allocs, &stack_id);
		if (!totals)
			return;
	}
	__sync_fetch_and_add(totals, TOTALS(size, 1));
}

static __always_inline void take_block(__u64 stack_id, __u64 size)
{
	__u64 *totals = bpf_map_lookup_elem(&combined_allocs, &stack_id);

	if (totals)
		__sync_fetch_and_sub(totals, TOTALS(size, 1));
}

SEC("uprobe")
int classic_malloc_enter(struct pt_regs *ctx)
{
	__u64 thread = bpf_get_current_pid_tgid(), size = PT_REGS_PARM1(ctx);

	bpf_map_update_elem(&sizes, &thread, &size, BPF_ANY);
	return 0;
}

SEC("uretprobe")
int classic_malloc_exit(struct pt_regs *ctx)
{
	__u64 thread = bpf_get_current_pid_tgid(), address = PT_REGS_RC(ctx);
	__u64 *size = bpf_map_lookup_elem(&sizes, &thread);
	struct block block = {};

	if (!size)
		return 0;
	block.size = *size;
	bpf_map_delete_elem(&sizes, &thread);
	if (!address)
		return 0;
	block.timestamp_ns = bpf_ktime_get_ns();
	block.stack_id = bpf_get_stackid(ctx, &stack_traces, USER_STACK);
	bpf_map_update_elem(&allocs, &address, &block, BPF_ANY);
	if (block.stack_id >= 0)
		add_block(block.stack_id, block.size);
	return 0;
}

SEC("uprobe")
int classic_free_enter(struct pt_regs *ctx)
{
	__u64 address = PT_REGS_PARM1(ctx);
	struct block *found = bpf_map_lookup_elem(&allocs, &address);
	struct block block;

	if (!found)
		return 0;
	block = *found;
	bpf_map_delete_elem(&allocs, &address);
	if (block.stack_id >= 0)
		take_block(block.stack_id, block.size);
	return 0;
}
