// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * What probes cost on this machine: measured at the first use, and again and again while anything is
 * traced.
 */
#include <event2/event.h>

#include "base/log.h"
#include "monitor/state.h"

/*
 * A hit was seen to cost ten times as much as usual for half a minute. What it costs more until that is
 * believed, two measurements later, is to be small beside a minute's budget.
 */
#define MEASURE_SECONDS 2

/* Until a target's own blocks were timed: so many frames at so much each (make bench). */
#define FRAMES_ASSUMED	 10
#define FRAME_NS_ASSUMED 100

static void set_prices(struct monitor *m, const struct probe_prices *p)
{
	m->prices = (struct monitor_prices){
		.allocation_ns = p->skip_ns,
		.return_ns = p->return_ns,
		.block_ns = p->block_ns + FRAMES_ASSUMED * FRAME_NS_ASSUMED,
		.free_ns = p->free_ns,
		.single_step_ns = p->step_ns,
		.window_ns = p->window_ns,
		.measured_ns = m->prices.measured_ns,
	};
}

static double trap_ns(const struct probe_prices *p)
{
	return p->skip_ns + p->free_ns;
}

/* A window is not measured again: it is taken to have become dearer as the hits have. */
static void follow(struct monitor *m, const struct probe_prices *measured)
{
	const struct probe_prices *first = &m->first_prices, *last = &m->last_prices;
	struct probe_prices *p = &m->believed_prices;

	p->skip_ns = governor_follow(p->skip_ns, first->skip_ns, last->skip_ns, measured->skip_ns);
	p->return_ns = governor_follow(p->return_ns, first->return_ns, last->return_ns,
				       measured->return_ns);
	p->block_ns =
		governor_follow(p->block_ns, first->block_ns, last->block_ns, measured->block_ns);
	p->free_ns = governor_follow(p->free_ns, first->free_ns, last->free_ns, measured->free_ns);
	p->step_ns = governor_follow(p->step_ns, first->step_ns, last->step_ns, measured->step_ns);
	if (trap_ns(first) > 0)
		p->window_ns = first->window_ns * trap_ns(p) / trap_ns(first);
	m->last_prices = *measured;
	m->prices.measured_ns = monotonic_ns();
	set_prices(m, p);
}

static void tell_all(struct monitor *m)
{
	struct tracked *t, *next;

	HASH_ITER(by_key, m->tracked, t, next) {
		govern_price(t);
	}
}

static void on_prices(evutil_socket_t fd, short what, void *userdata)
{
	struct monitor *m = userdata;
	struct probe_prices measured = { 0 };
	int r;

	(void)fd;
	(void)what;
	r = probe_read_prices(m->probe, &measured);
	if (r == -EAGAIN)
		return;
	if (r < 0) {
		log_warning("the process that measures what probes cost has died: the last prices "
			    "stay");
		(void)event_del(m->prices_event);
		return;
	}
	follow(m, &measured);
	tell_all(m);
}

static void on_prices_timer(evutil_socket_t fd, short what, void *userdata)
{
	struct monitor *m = userdata;

	(void)fd;
	(void)what;
	/* What targets' own blocks cost is learned without that process, too. */
	if (m->tracked && probe_ask_prices(m->probe) == -EPIPE)
		tell_all(m);
}

static int measure_again(struct monitor *m)
{
	static const struct timeval period = { .tv_sec = MEASURE_SECONDS };

	m->prices_event =
		event_new(m->base, probe_prices_fd(m->probe), EV_READ | EV_PERSIST, on_prices, m);
	m->prices_timer = event_new(m->base, -1, EV_PERSIST, on_prices_timer, m);
	if (!m->prices_event || !m->prices_timer || event_add(m->prices_event, NULL) < 0 ||
	    event_add(m->prices_timer, &period) < 0)
		return -ENOMEM;
	return 0;
}

struct monitor_prices monitor_get_prices(struct monitor *m)
{
	/* Of a virtual machine where a trap is dear; used only if measuring failed. */
	struct probe_prices p = {
		.skip_ns = 600,
		.return_ns = 500,
		.block_ns = 500,
		.free_ns = 600,
		.step_ns = 16000,
		.window_ns = 40e6,
	};
	int r;

	if (m->has_prices)
		return m->prices;
	m->has_prices = true;
	r = probe_calibrate(m->probe, &p);
	if (r == 0) {
		m->prices.measured_ns = monotonic_ns();
		r = measure_again(m);
	}
	if (r < 0)
		log_warning_errno(r,
				  "failed to measure what a probe costs here, using figures that "
				  "may be wrong");
	m->first_prices = m->last_prices = m->believed_prices = p;
	set_prices(m, &p);
	return m->prices;
}

double monitor_pair_ns(struct monitor *m)
{
	const struct monitor_prices p = monitor_get_prices(m);

	return p.allocation_ns + p.return_ns + p.block_ns + p.free_ns;
}
