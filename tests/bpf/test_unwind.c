// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Stacks that others have tampered with: a return probe of another tool has put its trampoline where a
 * caller's return address was.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <linux/bpf.h>
#include <stdio.h>
#include <string.h>

#include <bpf/bpf.h>
#include <event2/event.h>

#include "base/log.h"
#include "child.h"
#include "heap/heap.h"
#include "monitor.h"
#include "probe/object.h"
#include "target/procfs.h"
#include "target/selector.h"

#define ALLOCATIONS 13

static void *volatile sink;

__attribute__((noinline)) static void inner(void)
{
	sink = malloc(4099);
	__asm__ volatile("");
}

__attribute__((noinline)) static void middle(void)
{
	inner();
	__asm__ volatile("");
}

__attribute__((noinline)) static void outer(void)
{
	for (int i = 0; i < ALLOCATIONS; i++)
		middle();
	__asm__ volatile("");
}

static unsigned long offset_of(const void *function)
{
	struct mapping *maps = NULL;
	unsigned long offset = 0;
	size_t n = 0;

	assert_int_equal(procfs_exec_mappings("/proc", getpid(), &maps, &n), 0);
	for (size_t i = 0; i < n; i++)
		if ((uintptr_t)function >= maps[i].start && (uintptr_t)function < maps[i].end)
			offset = (uintptr_t)function - maps[i].start + maps[i].offset;
	mappings_free(maps, n);
	assert_true(offset != 0);
	return offset;
}

/* Another tool's return probe: a program that does nothing. */
static int probe_return_of(const void *function, pid_t pid, int *ret_program)
{
	const struct bpf_insn code[] = {
		{ .code = BPF_ALU64 | BPF_MOV | BPF_K, .dst_reg = BPF_REG_0 },
		{ .code = BPF_JMP | BPF_EXIT },
	};
	int fd;

	*ret_program =
		bpf_prog_load(BPF_PROG_TYPE_KPROBE, "foreign", "GPL", code, ARRAY_SIZE(code), NULL);
	assert_true(*ret_program >= 0);
	fd = link_create_perf(*ret_program, "/proc/self/exe", offset_of(function), true, pid);
	assert_true(fd >= 0);
	return fd;
}

static struct site *find_site(struct monitor *m)
{
	struct site **sites = NULL, *found = NULL;
	size_t n = 0;

	assert_int_equal(heap_list(monitor_heap(m), 0, &sites, &n), 0);
	for (size_t i = 0; i < n; i++)
		if (sites[i]->totals.allocated_bytes == ALLOCATIONS * 4099)
			found = sites[i];
	free(sites);
	return found;
}

static struct target *track(struct event_base *base, struct monitor *m, pid_t pid)
{
	struct target **targets = NULL, *target;
	struct selector *selector = NULL;
	char text[16];
	size_t n = 0;

	assert_true(snprintf(text, sizeof(text), "%d", (int)pid) > 0);
	assert_int_equal(selector_parse(text, &selector, NULL), 0);
	assert_int_equal(monitor_track(m, selector, &(struct track_options){ .mode = TRACK_EXACT },
				       &targets, &n),
			 0);
	assert_int_equal(n, 1);
	target = targets[0];
	free(targets);
	while (target->state == TARGET_ATTACHING)
		assert_int_equal(event_base_loop(base, EVLOOP_ONCE), 0);
	assert_int_equal(target->state, TARGET_TRACED);
	return target;
}

static void run_and_look(bool tampered, uint64_t *ret_frames, uint16_t *ret_n)
{
	struct event_base *base = event_base_new();
	struct monitor *m = NULL;
	int link = -EBADF, program = -EBADF;
	struct child child;
	struct site *site;

	assert_non_null(base);
	assert_int_equal(monitor_new(base, NULL, &m, NULL), 0);
	child_start(&child, outer);
	track(base, m, child.pid);
	if (tampered)
		link = probe_return_of(middle, child.pid, &program);
	child_run(&child);
	assert_int_equal(monitor_tick(m), 0);
	site = find_site(m);
	assert_non_null(site);
	assert_int_equal(site->totals.allocated_count, ALLOCATIONS);
	assert_int_equal(site->stack_status, STACK_COMPLETE);
	*ret_n = site->n_frames;
	memcpy(ret_frames, site->frames, site->n_frames * sizeof(*ret_frames));
	close_fd(link);
	close_fd(program);
	child_end(&child);
	monitor_free(m);
	event_base_free(base);
}

static void foreign_return_probes_are_seen_through(void **state)
{
	uint64_t frames[2][ABI_MAX_FRAMES];
	uint16_t n[2] = { 0 };

	(void)state;
	/* From one place: it is on the stack, too. */
	for (int i = 0; i < 2; i++)
		run_and_look(i == 1, frames[i], &n[i]);
	assert_true(n[0] > 5);
	assert_int_equal(n[1], n[0]);
	/* Slots are given anew by each monitor; what was called from where is the same. */
	for (uint16_t i = 0; i < n[0]; i++)
		assert_int_equal(frames[1][i] & FRAME_OFFSET_MASK,
				 frames[0][i] & FRAME_OFFSET_MASK);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(foreign_return_probes_are_seen_through),
	};

	log_set_level(LOG_WARNING);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
