// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * One read of the maps: sites into the heap, counters into the targets' coverage.
 */
#include <string.h>
#include <time.h>

#include <event2/event.h>

#include "base/log.h"
#include "monitor/handover.h"
#include "monitor/state.h"

_Static_assert(TOTALS_VARIANCE_UNIT == 1 << SAMPLING_VARIANCE_SHIFT, "the same unit");

#define AGES_BLOCKS_MAX 10000 /* a walk over so many takes a few milliseconds */

uint64_t monotonic_ns(void)
{
	struct timespec now;

	(void)clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000000000ull + (uint64_t)now.tv_nsec;
}

struct reading {
	struct monitor *monitor;
	uint64_t now_ns;
	uint64_t n_sites;
	uint64_t n_blocks;
};

static int take_stack(struct monitor *m, const struct tracked *t, struct site *s)
{
	struct stack stack;
	int r;

	r = probe_read_stack(m->probe, s->stack, &stack);
	if (r == -ENOENT)
		return 0;
	if (r < 0)
		return r;
	for (uint16_t i = 0; i < stack.n; i++)
		stack.frames[i] = mappings_place_frame(t, stack.frames[i]);
	s->own_frame = 0;
	for (uint16_t i = 0; i < stack.n; i++) {
		if (!files_only_pass_on(m, stack.frames[i])) {
			s->own_frame = i;
			break;
		}
	}
	return heap_set_frames(s, (const uint64_t *)stack.frames, stack.n, stack.status);
}

/* Estimates, where blocks were sampled. */
static uint64_t estimated_count(const struct site_sums *s)
{
	return s->count +
	       ((s->extra_count + (1u << (SAMPLING_COUNT_SHIFT - 1))) >> SAMPLING_COUNT_SHIFT);
}

static int take_site(uint64_t stack, const struct site_totals *in, void *userdata)
{
	struct reading *reading = userdata;
	struct monitor *m = reading->monitor;
	struct totals totals = {
		.allocated_bytes = in->allocated.bytes + in->allocated.extra_bytes,
		.allocated_count = estimated_count(&in->allocated),
		.freed_bytes = in->freed.bytes + in->freed.extra_bytes,
		.freed_count = estimated_count(&in->freed),
		.allocated_variance = in->allocated.variance,
		.freed_variance = in->freed.variance,
	};
	struct tracked *t;
	struct site *s;
	int r;

	/* Of a target whose note is still on its way; the next tick has it. */
	t = tracked_find(m, in->target);
	if (!t)
		return 0;
	r = heap_update(m->heap, in->target, stack, &totals, reading->now_ns, &s);
	if (r < 0)
		return r;
	s->seen.allocated = in->allocated.count;
	s->seen.freed = in->freed.count;
	memcpy(s->seen.freed_by_age, in->freed_by_age, sizeof(s->seen.freed_by_age));
	if (!s->frames)
		r = take_stack(m, t, s);
	reading->n_sites++;
	reading->n_blocks +=
		in->allocated.count > in->freed.count ? in->allocated.count - in->freed.count : 0;
	return r < 0 ? r : 0;
}

static void count_truncated(struct monitor *m, struct target *target)
{
	_cleanup_free_ struct site **sites = NULL;
	size_t n = 0;

	memset(target->coverage.truncated_stacks, 0, sizeof(target->coverage.truncated_stacks));
	if (heap_list(m->heap, target->key, &sites, &n) < 0)
		return;
	for (size_t i = 0; i < n; i++)
		if (sites[i]->frames && sites[i]->stack_status < STACK_STATUSES)
			target->coverage.truncated_stacks[sites[i]->stack_status] +=
				sites[i]->totals.allocated_count;
	target->coverage.truncated_stacks[STACK_COMPLETE] = 0;
}

/*
 * A target that began at a fork or exec is armed before anybody knows whether it maps an allocator
 * at all. Until one is found, or a call is seen, nothing is claimed of it.
 */
static void take_mode(struct tracked *t)
{
	struct coverage *c = &t->target->coverage;
	bool is_probed = t->target->n_allocators || c->allocations_seen || c->frees_seen ||
			 c->failed_allocations;

	/* (Of what exited the last one stands.) */
	govern_report(t);
	if (!is_probed)
		t->target->mode = TARGET_WATCH;
	else if (!t->govern && t->target->mode == TARGET_WATCH)
		t->target->mode = TARGET_EXACT;
	c->from_start = is_probed && t->from_start;
}

static void take_coverage(struct monitor *m, struct tracked *t)
{
	struct target *target = t->target;
	struct totals sum = heap_sum(m->heap, target->key);
	struct coverage *c = &target->coverage;
	struct target_counters counters;

	c->allocations_seen = sum.allocated_count;
	if (probe_read_counters(m->probe, target->key, &counters) == 0) {
		memcpy(c->lost, counters.lost, sizeof(c->lost));
		c->frees_of_unknown_blocks = counters.frees_of_unknown_blocks;
		c->failed_allocations = counters.failed_allocations;
		memcpy(c->python, counters.python, sizeof(c->python));
	}
	c->frees_seen = sum.freed_count + c->frees_of_unknown_blocks;
	count_truncated(m, target);
	take_mode(t);
}

/* People may have set a lower one than the system has. */
static void limit_by_options(struct tracked *t)
{
	uint64_t asked = t->options.limit_bytes, *limit = &t->target->limit_bytes;

	if (asked && (!*limit || asked < *limit))
		*limit = asked;
}

static void take_targets(struct monitor *m, uint64_t now_ns)
{
	struct tracked *t, *next;

	HASH_ITER(by_key, m->tracked, t, next) {
		if (t->target->state != TARGET_TRACED && t->target->state != TARGET_EXITED)
			continue;
		/* After its last read an exited target's counters are gone: keep what was read. */
		if (t->purged)
			continue;
		take_coverage(m, t);
		(void)heap_target_tick(m->heap, t->target->key, now_ns);
		if (t->target->state != TARGET_TRACED)
			continue;
		if (t->python == PYTHON_STARTING)
			python_frames_attach(m, t);
		target_refresh(t->target, PROC_ROOT, CGROUP_ROOT);
		limit_by_options(t);
		reconcile_take(m, t, now_ns);
	}
}

/* The kernel's entries of targets that exited have been read for the last time. */
static void purge_exited(struct monitor *m)
{
	struct tracked *t, *next;
	bool scanned = false;

	HASH_ITER(by_key, m->tracked, t, next) {
		if (t->target->state != TARGET_EXITED || t->purged)
			continue;
		/* The report will want to know; a storm of children with many blocks will not. */
		if (m->options.keep_exited && !scanned &&
		    (!t->target->parent || m->n_blocks < AGES_BLOCKS_MAX) && ages_scan(m) < 0)
			log_debug("failed to look at the ages of blocks, ignoring");
		scanned = true;
		t->purged = true;
		(void)probe_disarm(m->probe, t->target->pid, t->target->key);
		if (probe_purge_start(m->probe, t->target->key) < 0)
			log_debug("failed to forget target %s, ignoring", t->target->id);
		m->purging = true;
	}
}

int tick_read(struct monitor *m)
{
	struct reading reading = { .monitor = m, .now_ns = monotonic_ns() };
	int r;

	r = probe_read_notes(m->probe);
	if (r < 0)
		log_debug_errno(r, "failed to read notes, ignoring");
	m->final_read_wanted = false;
	r = probe_read_sites(m->probe, take_site, &reading);
	if (r < 0)
		return r;
	m->n_sites = reading.n_sites;
	m->n_blocks = reading.n_blocks;
	take_targets(m, reading.now_ns);
	purge_exited(m);
	m->last_tick_ns = monotonic_ns() - reading.now_ns;
	return tick_schedule_work(m);
}

int tick_schedule_work(struct monitor *m)
{
	static const struct timeval soon = { .tv_usec = 1000 }, later = { .tv_usec = 2000 };
	const struct timeval *when =
		m->purging || m->final_read_wanted || m->walking ? &soon : &later;

	if (!m->purging && !m->final_read_wanted && !m->refresh_wanted && !m->walking &&
	    !m->flush_wanted && !(m->handover && m->handover->is_wanted))
		return 0;
	return event_add(m->work_event, when) < 0 ? -ENOMEM : 0;
}
