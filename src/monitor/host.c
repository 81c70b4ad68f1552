// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The host watch: every process and every cgroup, without probes, once a detector tick.
 *
 * Keeps some 350 bytes a process. Memory limits are read only for those that seem to grow, names
 * only when somebody asks. A cgroup is followed by the sum of its processes: where none of them
 * grows by enough and all together do, the one that grew most is suggested.
 */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include <event2/event.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/words.h"
#include "monitor/state.h"
#include "target/host.h"
#include "trend/host_growth.h"

#define PROCESSES_MAX	 65536
#define STEP_PROCESSES	 128 /* some 2 ms */
#define STEP_PAUSE_USEC	 5000
#define CGROUP_PASSES	 16   /* a process's cgroup is read again this often */
#define AUTO_TRACKED_MAX 4    /* a pass: the first moments of a trace are the dear ones */
#define GROUP_SHARE	 0.25 /* of a cgroup's growth, that the suggested process must have */

struct host_group {
	char *name; /* owned */
	size_t n_members;
	uint32_t oldest; /* age of its oldest process in ticks, this pass */
	double bytes;	 /* this pass */
	double headroom; /* as of the last judgement */
	struct host_growth growth;
	struct host_entry *grower; /* borrowed: who grew most, this pass */
	bool has_growing;	   /* some process of it grows by itself, this pass */
	UT_hash_handle by_name;
};

struct host_entry {
	pid_t pid;
	bool was_tracked; /* once, by whomever: what became of that is people's choice */
	bool is_told;
	uint64_t start_ticks;
	uint32_t pass; /* that saw it last */
	float bytes;
	float first_bytes;
	float headroom; /* as of the last judgement */
	struct host_growth growth;
	struct host_group *group; /* borrowed; NULL: unknown */
	UT_hash_handle by_pid;
};

struct host_watch {
	struct monitor *monitor; /* borrowed */
	struct event *timer;
	struct event *step;
	struct host_pass pass;
	struct host_entry *entries;
	struct host_group *groups;
	uint64_t started_ns;
	uint64_t boot_ns; /* CLOCK_BOOTTIME at the pass's begin */
	uint32_t tick;
	uint32_t passes;
	bool is_full_told;
};

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

/* --- what is suggested ---------------------------------------------------------------------------- */

/* The growth for which a process is suggested: its own, its cgroup's, or NULL for none. */
static const struct host_growth *growth_of(const struct host_watch *h, const struct host_entry *e)
{
	const struct host_group *g = e->group;
	double own = (double)(e->bytes - e->first_bytes);

	if (tracked_by_pid(h->monitor, e->pid))
		return NULL;
	if (host_growth_is_growing(&e->growth))
		return &e->growth;
	if (!g || g->grower != e || g->n_members < 2 || g->has_growing ||
	    !host_growth_is_growing(&g->growth) || own < GROUP_SHARE * (double)g->growth.amount)
		return NULL;
	return &g->growth;
}

static bool may_grow(const struct host_entry *e)
{
	return host_growth_is_growing(&e->growth) ||
	       (e->group && e->group->grower == e && host_growth_is_growing(&e->group->growth));
}

static double seconds_to_limit(const struct host_watch *h, const struct host_entry *e,
			       const struct host_growth *growth)
{
	double headroom = growth == &e->growth ? (double)e->headroom : e->group->headroom;
	double tick_seconds = (double)h->monitor->options.detector_tick_ns / 1e9;

	return headroom / (double)growth->per_tick * tick_seconds;
}

static void say_why(const struct host_watch *h, const struct host_entry *e,
		    const struct host_growth *growth, struct monitor_suggestion *s)
{
	double tick_seconds = (double)h->monitor->options.detector_tick_ns / 1e9;
	struct words amount = words_bytes((double)growth->amount);
	struct words time = words_duration((h->tick - growth->since) * tick_seconds);
	struct words left = words_duration(s->seconds_to_limit);
	const char *limit =
		s->target->memory.limit_of == MEMORY_LIMIT_CGROUP ? "its cgroup's" : "the host's";

	if (growth == &e->growth)
		(void)snprintf(s->why, sizeof(s->why),
			       "Its memory has grown by %s in %s and keeps growing; at that rate "
			       "%s limit is reached in %s.",
			       amount.text, time.text, limit, left.text);
	else
		(void)snprintf(s->why, sizeof(s->why),
			       "The memory of its cgroup has grown by %s in %s and keeps growing; "
			       "at that rate %s limit is reached in %s. Of %zu processes there "
			       "this one has grown most.",
			       amount.text, time.text, limit, left.text, e->group->n_members);
}

static int describe(const struct host_watch *h, const struct host_entry *e,
		    const struct host_growth *growth, struct monitor_suggestion *ret)
{
	_cleanup_(target_freep) struct target *t = calloc(1, sizeof(*t));
	uint64_t tick_ns = h->monitor->options.detector_tick_ns;
	int r;

	if (!t)
		return -ENOMEM;
	t->pid = e->pid;
	r = target_describe(t, PROC_ROOT);
	if (r == 0 && t->start_ticks != e->start_ticks)
		r = -ESRCH;
	if (r < 0)
		return r;
	target_refresh(t, PROC_ROOT, CGROUP_ROOT);
	if (t->rss_bytes == 0)
		return -ESRCH;
	*ret = (struct monitor_suggestion){
		.target = TAKE_PTR(t),
		.bytes_per_hour = (double)growth->per_tick * 3600e9 / (double)tick_ns,
		.seconds_to_limit = seconds_to_limit(h, e, growth),
		.since_ns = h->started_ns + growth->since * tick_ns,
	};
	say_why(h, e, growth, ret);
	return 0;
}

struct candidate {
	struct host_entry *entry;
	const struct host_growth *growth;
	double seconds_to_limit;
};

static int compare_candidates(const void *a, const void *b)
{
	const struct candidate *x = a, *y = b;

	if (x->seconds_to_limit != y->seconds_to_limit)
		return x->seconds_to_limit < y->seconds_to_limit ? -1 : 1;
	return (x->entry->pid > y->entry->pid) - (x->entry->pid < y->entry->pid);
}

/* Those that grow, the nearest to a limit first. */
static int list_candidates(const struct host_watch *h, struct candidate **ret, size_t *ret_n)
{
	_cleanup_free_ struct candidate *list = NULL;
	size_t n = 0, room = 0;

	for (struct host_entry *e = h->entries; e; e = e->by_pid.next) {
		const struct host_growth *growth = may_grow(e) ? growth_of(h, e) : NULL;

		if (!growth)
			continue;
		if (n == room) {
			struct candidate *larger;

			room = room ? 2 * room : 16;
			larger = reallocarray(list, room, sizeof(*list));
			if (!larger)
				return -ENOMEM;
			list = larger;
		}
		list[n++] = (struct candidate){ e, growth, seconds_to_limit(h, e, growth) };
	}
	if (n)
		qsort(list, n, sizeof(*list), compare_candidates);
	*ret = TAKE_PTR(list);
	*ret_n = n;
	return 0;
}

struct monitor_suggestion *monitor_suggestions_free(struct monitor_suggestion *list, size_t n)
{
	for (size_t i = 0; i < n; i++)
		target_free(list[i].target);
	free(list);
	return NULL;
}

int monitor_suggestions(struct monitor *m, const uid_t *only, struct monitor_suggestion **ret,
			size_t *ret_n)
{
	_cleanup_free_ struct candidate *candidates = NULL;
	struct monitor_suggestion *list;
	size_t n_candidates = 0, n = 0;
	int r;

	list = calloc(MONITOR_SUGGESTIONS, sizeof(*list));
	if (!list)
		return -ENOMEM;
	r = m->host ? list_candidates(m->host, &candidates, &n_candidates) : 0;
	for (size_t i = 0; r == 0 && i < n_candidates && n < MONITOR_SUGGESTIONS; i++) {
		r = describe(m->host, candidates[i].entry, candidates[i].growth, &list[n]);
		if (r == 0 && only && list[n].target->uid != *only)
			list[n].target = target_free(list[n].target);
		else if (r == 0)
			n++;
		/* Else it has exited since, or is about to. */
		if (r != -ENOMEM)
			r = 0;
	}
	if (r < 0) {
		monitor_suggestions_free(list, n);
		return r;
	}
	*ret = list;
	*ret_n = n;
	return 0;
}

/* --- tracking by itself --------------------------------------------------------------------------- */

/* 1: tracked now, or never to be; 0: later, perhaps. */
static int auto_track(struct host_watch *h, struct host_entry *e,
		      const struct monitor_suggestion *s)
{
	static const struct track_options governed = { .mode = TRACK_GOVERNED };
	struct selector *selector = NULL;
	char text[16];
	int r;

	(void)snprintf(text, sizeof(text), "%d", (int)e->pid);
	r = selector_parse(text, &selector, NULL);
	if (r == 0)
		r = monitor_track(h->monitor, selector, &governed, NULL, NULL);
	if (r == -ENOSPC)
		return 0;
	e->was_tracked = true;
	if (r < 0)
		log_warning_errno(r, "failed to track pid %d (%s), which grows, skipping it",
				  (int)e->pid, s->target->comm);
	else
		log_info("tracking pid %d (%s) by itself. %s", (int)e->pid, s->target->comm,
			 s->why);
	return 1;
}

static bool has_budget(struct monitor *m)
{
	return governor_total_ratio(&m->total, monotonic_ns()) < m->options.total_budget_ratio;
}

static void tell(struct host_watch *h, struct host_entry *e, const struct host_growth *growth,
		 size_t *left)
{
	struct monitor_suggestion s = { 0 };
	bool wants = h->monitor->options.auto_track && !e->was_tracked && *left > 0;

	if ((e->is_told && !wants) || describe(h, e, growth, &s) < 0)
		return;
	if (!e->is_told && !wants)
		log_info("pid %d (%s) may be worth tracking. %s", (int)e->pid, s.target->comm,
			 s.why);
	e->is_told = true;
	if (wants)
		*left -= (size_t)auto_track(h, e, &s);
	target_free(s.target);
}

static void end_pass(struct host_watch *h)
{
	_cleanup_free_ struct candidate *candidates = NULL;
	size_t n = 0, left = has_budget(h->monitor) ? AUTO_TRACKED_MAX : 0;

	forget_gone(h);
	judge_groups(h);
	note_tracked(h);
	if (list_candidates(h, &candidates, &n) < 0)
		return;
	for (size_t i = 0; i < n && i < MONITOR_SUGGESTIONS; i++)
		tell(h, candidates[i].entry, candidates[i].growth, &left);
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
