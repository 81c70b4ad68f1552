// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The host watch: every process and every cgroup, without probes, once a detector tick.
 *
 * Keeps some 350 bytes a process. Memory limits are read only for those that seem to grow. A cgroup is
 * followed by the sum of its processes: where none of them grows by enough and all together do, the
 * one that grew most is suggested (host_suggest.c).
 */
#include <math.h>
#include <string.h>

#include <event2/event.h>

#include "base/clock.h"
#include "base/log.h"
#include "monitor/host_state.h"

#define PROCESSES_MAX	65536
#define STEP_PROCESSES	128 /* some 2 ms */
#define STEP_PAUSE_USEC 5000
#define CGROUP_PASSES	16 /* a process's cgroup is read again this often */

/* --- entries and groups --------------------------------------------------------------------------- */

static void leave_group(struct host_watch *h, struct host_entry *e)
{
	struct host_group *g = e->group;

	e->group = NULL;
	if (!g || --g->n_members > 0)
		return;
	HASH_DELETE(by_name, h->groups, g);
	free(g->name);
	free(g);
}

/* A process whose cgroup is not known is followed all the same. */
static void join_group(struct host_watch *h, struct host_entry *e)
{
	_cleanup_free_ char *name = NULL;
	struct host_group *g;

	if (procfs_cgroup(PROC_ROOT, e->pid, &name) < 0)
		return;
	if (e->group && strcmp(e->group->name, name) == 0)
		return;
	leave_group(h, e);
	HASH_FIND(by_name, h->groups, name, strlen(name), g);
	if (!g) {
		g = calloc(1, sizeof(*g));
		if (!g)
			return;
		g->name = TAKE_PTR(name);
		HASH_ADD_KEYPTR(by_name, h->groups, g->name, strlen(g->name), g);
	}
	g->n_members++;
	e->group = g;
}

static void entry_remove(struct host_watch *h, struct host_entry *e)
{
	leave_group(h, e);
	HASH_DELETE(by_pid, h->entries, e);
	free(e);
}

static struct host_entry *entry_get(struct host_watch *h, const struct host_process *p)
{
	struct host_entry *e;

	HASH_FIND(by_pid, h->entries, &p->pid, sizeof(p->pid), e);
	if (e && e->start_ticks != p->start_ticks) {
		entry_remove(h, e);
		e = NULL;
	}
	if (e)
		return e;
	if (HASH_CNT(by_pid, h->entries) >= PROCESSES_MAX) {
		if (!h->is_full_told)
			log_warning("there are more than %d processes, the others are not looked "
				    "at for growth",
				    PROCESSES_MAX);
		h->is_full_told = true;
		return NULL;
	}
	e = calloc(1, sizeof(*e));
	if (!e)
		return NULL;
	e->pid = p->pid;
	e->start_ticks = p->start_ticks;
	e->first_bytes = (float)(p->anonymous_bytes + p->swap_bytes);
	HASH_ADD(by_pid, h->entries, pid, sizeof(e->pid), e);
	return e;
}

/* --- a pass --------------------------------------------------------------------------------------- */

static uint32_t age_of(const struct host_watch *h, const struct host_entry *e)
{
	uint64_t hz = (uint64_t)sysconf(_SC_CLK_TCK);
	uint64_t start_ns = e->start_ticks * (NS_PER_SECOND / hz);
	uint64_t ticks = start_ns < h->boot_ns ?
				 (h->boot_ns - start_ns) / h->monitor->options.detector_tick_ns :
				 0;

	return ticks < UINT32_MAX ? (uint32_t)ticks : UINT32_MAX;
}

/* Without a known limit no time to it is finite. */
static double headroom_of(pid_t pid)
{
	struct memory memory = { 0 };

	if (memory_bounds(PROC_ROOT, CGROUP_ROOT, pid, &memory) < 0 || !memory.is_bounded)
		return INFINITY;
	return (double)memory.headroom_bytes;
}

static void take_into_group(struct host_entry *e, uint32_t age)
{
	struct host_group *g = e->group;

	if (!g)
		return;
	g->bytes += (double)e->bytes;
	g->oldest = age > g->oldest ? age : g->oldest;
	g->has_growing |= host_growth_is_growing(&e->growth);
	if (!g->grower || e->bytes - e->first_bytes > g->grower->bytes - g->grower->first_bytes)
		g->grower = e;
}

static void take_process(const struct host_process *p, void *userdata)
{
	struct host_watch *h = userdata;
	struct host_entry *e;
	uint32_t age;

	/* Neither of these is ever traced; seep's children work for it. */
	if (p->pid == 1 || p->pid == getpid() || p->ppid == getpid())
		return;
	e = entry_get(h, p);
	if (!e)
		return;
	if (!e->group || (h->passes + (uint32_t)p->pid) % CGROUP_PASSES == 0)
		join_group(h, e);
	e->pass = h->passes;
	e->bytes = (float)(p->anonymous_bytes + p->swap_bytes);
	age = age_of(h, e);
	if (host_growth_add(&e->growth, h->tick, age, (double)e->bytes)) {
		e->headroom = (float)headroom_of(e->pid);
		host_growth_judge(&e->growth, (double)e->headroom);
	}
	take_into_group(e, age);
}

static void forget_gone(struct host_watch *h)
{
	struct host_entry *e, *next;

	HASH_ITER(by_pid, h->entries, e, next)
		if (e->pass != h->passes)
			entry_remove(h, e);
}

static void judge_groups(struct host_watch *h)
{
	for (struct host_group *g = h->groups; g; g = g->by_name.next) {
		if (!g->grower || !host_growth_add(&g->growth, h->tick, g->oldest, g->bytes))
			continue;
		g->headroom = headroom_of(g->grower->pid);
		host_growth_judge(&g->growth, g->headroom);
	}
}

static void note_tracked(struct host_watch *h)
{
	for (struct tracked *t = h->monitor->tracked; t; t = t->by_key.next) {
		struct host_entry *e;

		if (t->target->state == TARGET_EXITED)
			continue;
		HASH_FIND(by_pid, h->entries, &t->target->pid, sizeof(t->target->pid), e);
		if (e && e->start_ticks == t->target->start_ticks)
			e->was_tracked = true;
	}
}

static void end_pass(struct host_watch *h)
{
	forget_gone(h);
	judge_groups(h);
	note_tracked(h);
	host_suggest(h);
}

static void step(struct host_watch *h)
{
	static const struct timeval soon = { .tv_usec = STEP_PAUSE_USEC };

	if (!host_pass_step(&h->pass, STEP_PROCESSES, take_process, h))
		end_pass(h);
	else if (event_add(h->step, &soon) < 0)
		host_pass_done(&h->pass);
}

static void on_step(evutil_socket_t fd, short what, void *userdata)
{
	(void)fd;
	(void)what;
	step(userdata);
}

static void on_timer(evutil_socket_t fd, short what, void *userdata)
{
	struct host_watch *h = userdata;
	struct host_group *g;
	int r;

	(void)fd;
	(void)what;
	/* So many processes that a pass takes longer than a tick: ticks are left out. */
	if (host_pass_goes_on(&h->pass))
		return;
	r = host_pass_begin(&h->pass, PROC_ROOT);
	if (r < 0) {
		log_debug_errno(r, "failed to list the host's processes, trying again");
		return;
	}
	h->passes++;
	h->tick =
		(uint32_t)((monotonic_ns() - h->started_ns) / h->monitor->options.detector_tick_ns);
	h->boot_ns = clock_ns(CLOCK_BOOTTIME);
	for (g = h->groups; g; g = g->by_name.next) {
		g->bytes = 0;
		g->oldest = 0;
		g->grower = NULL;
		g->has_growing = false;
	}
	step(h);
}

int host_start(struct monitor *m)
{
	uint64_t tick_ns = m->options.detector_tick_ns;
	struct timeval period = {
		.tv_sec = (time_t)(tick_ns / NS_PER_SECOND),
		.tv_usec = (suseconds_t)(tick_ns % NS_PER_SECOND / 1000),
	};
	struct host_watch *h = calloc(1, sizeof(*h));

	if (!h)
		return -ENOMEM;
	m->host = h;
	h->monitor = m;
	h->started_ns = monotonic_ns();
	h->timer = event_new(m->base, -1, EV_PERSIST, on_timer, h);
	h->step = event_new(m->base, -1, 0, on_step, h);
	if (!h->timer || !h->step || event_add(h->timer, &period) < 0)
		return -ENOMEM;
	return 0;
}

void host_stop(struct monitor *m)
{
	struct host_watch *h = m->host;

	if (!h)
		return;
	if (h->timer)
		event_free(h->timer);
	if (h->step)
		event_free(h->step);
	while (h->entries)
		entry_remove(h, h->entries);
	host_pass_done(&h->pass);
	free(h);
	m->host = NULL;
}
