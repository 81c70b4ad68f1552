// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * How much of a target is traced: hands the governor what was counted, and does what it decides.
 */
#include <event2/event.h>

#include "base/log.h"
#include "monitor/govern_state.h"
#include "monitor/handover.h"

#define SECOND_NS 1000000000ull

#define TRY_AGAIN_NS 20000000ull /* when too much was waiting for probes to be removed */

#define TIMED_ENOUGH 8 /* blocks, to tell what one costs */

/* --- what the governor decides ------------------------------------------------------------------------ */

static uint32_t control_mode_of(const struct governor_plan *plan)
{
	switch (plan->mode) {
	case GOVERNOR_EXACT:
		return CONTROL_EXACT;
	case GOVERNOR_SAMPLED:
	case GOVERNOR_WINDOWED:
		return CONTROL_SAMPLED;
	default:
		return CONTROL_COUNT;
	}
}

static void set_control(struct govern *g)
{
	const struct governor_plan *plan = &g->governor.plan;
	struct target_control control = {
		.mode = control_mode_of(plan),
		.interval = (uint32_t)plan->interval_bytes,
		.alarm_hits = plan->alarm_hits < UINT32_MAX ? (uint32_t)plan->alarm_hits : 0,
		.epoch = g->epoch,
	};
	struct target_control inherited;
	int r;

	g->alarm_hits = plan->alarm_hits;
	/* A child's first blocks are taken as its parent's are: counting goes on beside it. */
	if (plan->mode != GOVERNOR_COUNT)
		g->inherits = false;
	if (g->inherits &&
	    probe_get_control(g->monitor->probe, g->tracked->target->key, &inherited) == 0) {
		control.mode = inherited.mode;
		control.interval = inherited.interval;
	}
	r = probe_set_control(g->monitor->probe, g->tracked->target->key, &control);
	if (r < 0)
		log_debug_errno(r, "failed to set how target %s is taken, ignoring",
				g->tracked->target->id);
}

static struct governor_counts take_counts(struct govern *g)
{
	struct governor_counts counts = { 0 };
	struct target_meter now;

	if (probe_read_meter(g->monitor->probe, g->tracked->target->key, &now) < 0)
		return counts;
	counts.allocations = now.allocations - g->counted.allocations;
	counts.bytes = now.bytes - g->counted.bytes;
	counts.frees = now.frees - g->counted.frees;
	counts.taken = now.taken - g->counted.taken;
	g->counted = now;
	return counts;
}

static void set_timer_to(struct govern *g, uint64_t next)
{
	uint64_t now = monotonic_ns(), after;
	struct timeval tv;

	if (next == UINT64_MAX) {
		(void)evtimer_del(g->timer);
		return;
	}
	after = next > now ? next - now : 0;
	tv.tv_sec = (time_t)(after / SECOND_NS);
	tv.tv_usec = (suseconds_t)(after % SECOND_NS / 1000 + 1);
	if (evtimer_add(g->timer, &tv) < 0)
		log_debug("failed to set a timer, the next tick looks after it");
}

static void set_timer(struct govern *g)
{
	set_timer_to(g, g->governor.plan.next_ns);
}

/* What was found out is the target's mode from now on. While it is counted first, it is attaching. */
static void take_plan(struct govern *g)
{
	const struct governor_plan *plan = &g->governor.plan;
	struct target *target = g->tracked->target;
	bool is_counting = plan->mode == GOVERNOR_COUNT && plan->probes != GOVERNOR_PROBES_NONE;

	if (is_counting && !g->is_measured)
		return;
	if (g->tracked->is_attached && target->state == TARGET_ATTACHING) {
		target->state = TARGET_TRACED;
		target->attached_ns = monotonic_ns();
		log_info("tracing pid %d (%s) as target %s: %s", (int)target->pid, target->comm,
			 target->id, governor_mode_name(plan->mode));
	} else if (govern_target_mode(plan->mode) != target->mode && plan->mode != GOVERNOR_COUNT) {
		log_info("target %s is %s now: %s", target->id, governor_mode_name(plan->mode),
			 governor_reason_name(plan->reason));
	}
	g->is_measured = true;
	govern_report(g->tracked);
	handover_touch(g->monitor);
}

/* --- making it so --------------------------------------------------------------------------------------- */

/* No probes are left: the governor begins anew, after a while. */
static void lose(struct govern *g)
{
	struct governor_counts counts = take_counts(g);

	g->is_losing = false;
	g->wanted = GOVERNOR_PROBES_NONE;
	g->tracked->from_start = false;
	governor_lost(&g->governor, monotonic_ns(), &counts);
	set_control(g);
	take_plan(g);
	set_timer(g);
}

/* Nothing is awaited: 1 if the probes are as wanted, 0 if answers or the timer will come. */
static int check_change(struct govern *g)
{
	int r;

	if (g->windows.error == -EAGAIN) {
		set_timer_to(g, monotonic_ns() + TRY_AGAIN_NS);
		g->is_changing = true;
		return 0;
	}
	if (g->windows.error == 0 && !g->is_losing)
		return 1;
	if (g->windows.error < 0)
		log_debug_errno(g->windows.error,
				"setting the probes of pid %d failed, it is tried again",
				(int)g->tracked->target->pid);
	/* Some of them may have been set. */
	if (!g->is_losing && g->windows.error != -EPIPE) {
		g->is_losing = true;
		r = windows_change(g->monitor, g->tracked, &g->windows, false, false);
		g->is_changing = r == 0;
		return r == 0 ? 0 : check_change(g);
	}
	lose(g);
	return 0;
}

/* Asks for the probes that the plan wants. As check_change(). */
static int change(struct govern *g)
{
	const struct governor_plan *plan = &g->governor.plan;
	bool allocs = plan->probes == GOVERNOR_PROBES_ALL && !g->is_losing;
	bool frees = plan->probes != GOVERNOR_PROBES_NONE && !g->is_losing;

	if (allocs && g->wanted != GOVERNOR_PROBES_ALL) {
		g->epoch++;
		(void)mappings_refresh(g->monitor, g->tracked);
	}
	g->wanted = plan->probes;
	set_control(g);
	/* Before they go: what was taken for steady is not any more. */
	if (plan->probes != GOVERNOR_PROBES_ALL)
		handover_save(g->monitor);
	g->is_changing = windows_change(g->monitor, g->tracked, &g->windows, frees, allocs) == 0;
	return g->is_changing ? 0 : check_change(g);
}

/* Makes the plan so, and tells the governor when it is. */
static void apply(struct govern *g)
{
	struct governor_counts counts;

	do {
		if (change(g) == 0)
			return;
		counts = take_counts(g);
	} while (governor_applied(&g->governor, monotonic_ns(), &counts));
	take_plan(g);
	set_timer(g);
}

static void measure(struct govern *g)
{
	struct governor_counts counts = take_counts(g);
	bool is_new = governor_measure(&g->governor, monotonic_ns(), &counts);

	/* A change under way is finished first: its last answer looks at the plan again. */
	if (g->is_changing)
		return;
	if (is_new)
		apply(g);
	else
		set_timer(g);
}

static void on_timer(evutil_socket_t fd, short what, void *userdata)
{
	struct govern *g = userdata;

	(void)fd;
	(void)what;
	/* Of a change, because it could not be asked for. */
	if (g->is_changing && g->windows.awaited == 0)
		apply(g);
	else
		measure(g);
}

void govern_alarm(struct tracked *t)
{
	if (t->govern && t->is_attached)
		measure(t->govern);
}

void govern_spend(struct tracked *t, uint64_t from_ns, double ns)
{
	if (t->govern)
		governor_spend(&t->govern->governor, from_ns, monotonic_ns(), ns);
}

void govern_answer(struct tracked *t, int error)
{
	struct govern *g = t->govern;
	struct governor_counts counts;

	if (!g || !windows_answer(&g->windows, error) || !g->is_changing)
		return;
	g->is_changing = false;
	if (check_change(g) == 0)
		return;
	if (g->governor.plan.probes != g->wanted) {
		apply(g);
		return;
	}
	set_control(g);
	counts = take_counts(g);
	if (governor_applied(&g->governor, monotonic_ns(), &counts)) {
		apply(g);
		return;
	}
	take_plan(g);
	set_timer(g);
}

/* Who has no links of its own, and has or wants probes now or later, is without. */
void govern_lose_windows(struct tracked *t)
{
	struct govern *g = t->govern;
	bool needs_none;

	if (!g || !t->is_attached || g->windows.has_links)
		return;
	needs_none = g->governor.plan.mode == GOVERNOR_NONE && !g->is_changing;
	windows_forget(&g->windows);
	g->is_changing = false;
	if (needs_none)
		return;
	log_info("target %s has lost its probes", t->target->id);
	lose(g);
}

/* --- for attach.c and tick.c --------------------------------------------------------------------------- */

/* Decides what to begin with; called when the target's files are known, before probes are set. */
int govern_begin(struct monitor *m, struct tracked *t)
{
	struct governor_limits limits = govern_limits(m, &t->options);
	struct governor_prices prices;
	struct govern *g;
	int r;

	if (t->govern)
		return 0;
	g = calloc(1, sizeof(*g));
	if (!g)
		return -ENOMEM;
	g->monitor = m;
	g->tracked = t;
	g->inherits = t->armed_by_kernel;
	prices = govern_prices(m, t);
	g->timer = evtimer_new(m->base, on_timer, g);
	if (!g->timer)
		r = -ENOMEM;
	else if (t->resume.is_wanted)
		r = govern_resume(g, &limits, &prices);
	else
		r = governor_init(&g->governor, &limits, &prices, &m->total, monotonic_ns());
	if (r < 0) {
		if (g->timer)
			event_free(g->timer);
		free(g);
		return r;
	}
	/* What was counted before belongs to no plan. */
	(void)probe_read_meter(m->probe, t->target->key, &g->counted);
	g->timed = g->counted;
	g->wanted = g->governor.plan.probes;
	t->govern = g;
	set_control(g);
	return 0;
}

void govern_retune(struct tracked *t)
{
	struct govern *g = t->govern;
	const struct governor_limits limits = govern_limits(t->monitor, &t->options);
	struct governor_counts counts;

	if (!g)
		return;
	counts = take_counts(g);
	/* A change under way looks at the plan again when it is done, and so does the attach. */
	if (governor_set_limits(&g->governor, &limits, monotonic_ns(), &counts) > 0 &&
	    t->is_attached && !g->is_changing)
		apply(g);
}

bool govern_wants_probes(const struct tracked *t)
{
	return t->govern && t->govern->governor.plan.probes == GOVERNOR_PROBES_ALL &&
	       !t->govern->windows.has_allocs;
}

bool govern_has_links(const struct tracked *t)
{
	return !t->govern || t->govern->windows.has_links;
}

void govern_attached(struct tracked *t)
{
	struct govern *g = t->govern;

	if (t->is_attached)
		return;
	t->is_attached = true;
	if (t->resume.is_wanted) {
		t->resume = (struct resume){ 0 };
		g->windows.has_links = govern_has_allocator_links(t);
		apply(g);
		return;
	}
	g->windows.has_links = g->wanted == GOVERNOR_PROBES_ALL;
	if (g->governor.plan.next_ns == UINT64_MAX) {
		apply(g);
		return;
	}
	/* The budget of all targets is used up: it waits. */
	take_plan(g);
	set_timer(g);
}

/* What the target's own blocks cost, from those that were timed since the last time. */
static void learn_block_price(struct govern *g)
{
	struct target_meter now;
	uint64_t n;

	if (probe_read_meter(g->monitor->probe, g->tracked->target->key, &now) < 0)
		return;
	n = now.timed - g->timed.timed;
	if (n < TIMED_ENOUGH)
		return;
	g->block_ns = (double)(now.timed_ns - g->timed.timed_ns) / (double)n;
	g->timed = now;
}

static bool differs(uint64_t a, uint64_t b)
{
	return a > b + b / 8 || b > a + a / 8;
}

void govern_price(struct tracked *t)
{
	struct govern *g = t->govern;
	struct governor_prices prices;

	if (!g)
		return;
	learn_block_price(g);
	prices = govern_prices(g->monitor, t);
	if (g->block_ns > 0)
		prices.block_ns = g->block_ns;
	governor_set_prices(&g->governor, &prices);
	if (differs(g->governor.plan.alarm_hits, g->alarm_hits))
		set_control(g);
}

/* Into the target's description. */
void govern_report(struct tracked *t)
{
	struct target *target = t->target;
	struct govern *g = t->govern;
	struct governor_report report;

	if (!g)
		return;
	report = governor_report(&g->governor, monotonic_ns());
	target->mode = govern_target_mode(g->governor.plan.mode);
	target->sampling_interval = (uint32_t)report.interval_bytes;
	target->duty_ratio = report.duty_ratio;
	target->mode_reason = governor_reason_name(report.reason);
	target->overhead = (struct overhead){
		.budget_ratio = g->governor.limits.is_forced ? 0 : g->governor.limits.budget_ratio,
		.estimated_ratio = report.cost_ratio,
		.hits_per_second = report.hits_per_second,
		.ns_per_hit = report.ns_per_hit,
	};
}

void govern_end(struct tracked *t)
{
	struct govern *g = t->govern;

	if (!g)
		return;
	windows_close(g->monitor, t, &g->windows);
	governor_done(&g->governor);
	event_free(g->timer);
	free(g);
	t->govern = NULL;
}
