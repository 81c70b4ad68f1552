// SPDX-License-Identifier: GPL-2.0-or-later OR BSD-2-Clause
/*
 * Entry points: they unpack arguments and call the logic, nothing else.
 *
 * Probe programs may be preempted since kernel 6.0, and since 6.13 their BPF stack belongs to the
 * CPU, so each body runs between bpf_preempt_disable() and _enable() where the kernel has them. On 7.3,
 * a program that is preempted there is not run for the thread that comes: frees were missed without.
 */
#include "vmlinux.h"
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_core_read.h>
#include <bpf/bpf_tracing.h>

#define ENOENT	  2
#define EBUSY	  16
#define EEXIST	  17
#define EDEADLK	  35
#define ETIMEDOUT 110

#include "abi.h"
#include "compat.bpf.h"
#include "maps.bpf.h"
#include "account.bpf.h"
#include "life.bpf.h"
#include "mapping.bpf.h"
#include "unwind.bpf.h"
#include "track.bpf.h"
#include "burst.bpf.h"

char LICENSE[] SEC("license") = "Dual BSD/GPL";

#ifdef SEEP_LEGACY
/* Before 6.0 the kernel itself disables preemption around probe programs. */
static __always_inline void guard(void)
{
}

static __always_inline void unguard(void)
{
}
#else
extern void bpf_preempt_disable(void) __weak __ksym;
extern void bpf_preempt_enable(void) __weak __ksym;

static __always_inline void guard(void)
{
	if (bpf_preempt_disable)
		bpf_preempt_disable();
}

static __always_inline void unguard(void)
{
	if (bpf_preempt_enable)
		bpf_preempt_enable();
}
#endif

/*
 * With a session link one program has both sides of a call: the probed address is the one that it
 * stands at only at the entry. There 1 means that the return is not wanted, and not probed.
 */
SEC("uprobe")
int alloc_session(struct pt_regs *ctx)
{
	__u64 cookie = bpf_get_attach_cookie(ctx);
	bool wanted = false;

	guard();
	if (PT_REGS_IP(ctx) != bpf_get_func_ip(ctx))
		track_end(ctx);
	else
		wanted = track_begin(ctx, cookie & 0xff, cookie, cookie & COOKIE_CALLS_HOOKS);
	unguard();
	return wanted ? 0 : 1;
}

/* Without session links each return is probed anyway, so each call is followed. */
static __always_inline int begin(struct pt_regs *ctx, __u32 kind, __u64 cookie)
{
	guard();
	track_begin(ctx, kind, cookie, true);
	unguard();
	return 0;
}

/* With multi links the cookie tells the hook kind, so three links serve all functions. */
SEC("uprobe")
int alloc_enter(struct pt_regs *ctx)
{
	__u64 cookie = bpf_get_attach_cookie(ctx);

	return begin(ctx, cookie & 0xff, cookie);
}

/* With perf links there is one program per hook kind: cookies came later than they. */
SEC("uprobe")
int malloc_enter(struct pt_regs *ctx)
{
	return begin(ctx, HOOK_MALLOC, 0);
}

SEC("uprobe")
int calloc_enter(struct pt_regs *ctx)
{
	return begin(ctx, HOOK_CALLOC, 0);
}

SEC("uprobe")
int realloc_enter(struct pt_regs *ctx)
{
	return begin(ctx, HOOK_REALLOC, 0);
}

SEC("uprobe")
int reallocarray_enter(struct pt_regs *ctx)
{
	return begin(ctx, HOOK_REALLOCARRAY, 0);
}

SEC("uprobe")
int posix_memalign_enter(struct pt_regs *ctx)
{
	return begin(ctx, HOOK_POSIX_MEMALIGN, 0);
}

SEC("uprobe")
int aligned_enter(struct pt_regs *ctx)
{
	return begin(ctx, HOOK_ALIGNED, 0);
}

SEC("uprobe")
int alloc_exit(struct pt_regs *ctx)
{
	guard();
	track_end(ctx);
	unguard();
	return 0;
}

/* (Perf links have none: 0.) */
static __always_inline __u64 free_cookie(struct pt_regs *ctx)
{
#ifdef SEEP_LEGACY
	return 0;
#else
	return bpf_get_attach_cookie(ctx);
#endif
}

SEC("uprobe")
int free_enter(struct pt_regs *ctx)
{
	guard();
	track_free(ctx, free_cookie(ctx));
	unguard();
	return 0;
}

SEC("uprobe")
int link_map_enter(struct pt_regs *ctx)
{
	guard();
	life_link_map();
	unguard();
	return 0;
}

SEC("uprobe")
int object_enter(struct pt_regs *ctx)
{
	guard();
	burst_object(ctx);
	unguard();
	return 0;
}

SEC("uprobe")
int maker_session(struct pt_regs *ctx)
{
	bool wanted = false;

	guard();
	if (PT_REGS_IP(ctx) != bpf_get_func_ip(ctx))
		burst_end(ctx);
	else
		wanted = burst_begin(ctx);
	unguard();
	return wanted ? 0 : 1;
}

SEC("uprobe")
int maker_enter(struct pt_regs *ctx)
{
	guard();
	burst_begin(ctx);
	unguard();
	return 0;
}

SEC("uprobe")
int maker_exit(struct pt_regs *ctx)
{
	guard();
	burst_end(ctx);
	unguard();
	return 0;
}

SEC("raw_tp/sched_process_fork")
int process_fork(struct bpf_raw_tracepoint_args *ctx)
{
	life_fork((struct task_struct *)ctx->args[0], (struct task_struct *)ctx->args[1]);
	return 0;
}

SEC("raw_tp/sched_process_exec")
int process_exec(struct bpf_raw_tracepoint_args *ctx)
{
	life_exec((struct task_struct *)ctx->args[0], (__u32)ctx->args[1]);
	return 0;
}

SEC("raw_tp/sched_process_exit")
int process_exit(struct bpf_raw_tracepoint_args *ctx)
{
	life_exit((struct task_struct *)ctx->args[0]);
	return 0;
}

/* Self-tests: counts hits on a function of our own, and those of other processes. */
__u64 selftest_hits;
__u64 selftest_wrong_hits;
__u32 selftest_tgid;

SEC("uprobe")
int selftest(struct pt_regs *ctx)
{
	if (bpf_get_current_pid_tgid() >> 32 == selftest_tgid)
		__sync_fetch_and_add(&selftest_hits, 1);
	else
		__sync_fetch_and_add(&selftest_wrong_hits, 1);
	return 0;
}

/* The same of session links; every other entry wants no return. */
__u64 selftest_returns;

SEC("uprobe")
int selftest_session(struct pt_regs *ctx)
{
	if (PT_REGS_IP(ctx) != bpf_get_func_ip(ctx)) {
		__sync_fetch_and_add(&selftest_returns, 1);
		return 0;
	}
	if (bpf_get_current_pid_tgid() >> 32 != selftest_tgid) {
		__sync_fetch_and_add(&selftest_wrong_hits, 1);
		return 1;
	}
	return __sync_fetch_and_add(&selftest_hits, 1) & 1;
}
