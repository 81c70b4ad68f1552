// SPDX-License-Identifier: GPL-2.0-or-later
/* Survivor sampling, step by step. See survivors.h. */
#include "monitor/survivors.h"

#include <errno.h>
#include <event2/event.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "monitor/python.h"
#include "monitor/state.h"

#define BURST_POLL_NS 20000000ull
#define OPENING_NS    (10 * NS_PER_SECOND) /* then it is given up */
#define OBJECTS_MAX   (1u << 18)	   /* of the type; of more, a sample */
#define SEEN_MIN      0.8 /* share of constructions; below it the next candidate is tried */
#define WAIT_PER_TICK 3	  /* the first wait: a third of the detector's tick, 20 s by default */
#define WAIT_MIN_NS   1000000000ull

static void arm(struct survivors *s, uint64_t ns)
{
	const struct timeval timeout = {
		.tv_sec = (time_t)(ns / NS_PER_SECOND),
		.tv_usec = (suseconds_t)(ns % NS_PER_SECOND / 1000),
	};

	if (event_add(s->timer, &timeout) < 0)
		log_warning("failed to set a timer: where Python objects are made stays unknown");
}

/* Idle again. */
static void reset(struct survivors *s)
{
	(void)event_del(s->timer);
	if (s->is_open) {
		survivors_drop_burst(s, tracked_find(s->monitor, s->target));
		(void)probe_window_close(s->monitor->probe, s->window);
	}
	free(s->function);
	s->function = NULL;
	python_objects_done(&s->before);
	survivors_burst_done(&s->now);
	survivors_burst_done(&s->best);
	s->is_open = false;
	s->step = SURVIVORS_IDLE;
}

/* Last thing before returning: the callback may begin anew. */
static void end(struct survivors *s, int error, struct alert_python *origin)
{
	reset(s);
	s->done(s->monitor, s->target, s->kind, error, origin);
}

static void fail(struct survivors *s, int error, const char *what)
{
	if (error != -ESRCH && error != -ENOENT)
		log_debug_errno(error, "failed to find where Python objects are made: %s", what);
	end(s, error, NULL);
}

/* NULL: it is gone, and so is the work. */
static struct tracked *target_of(struct survivors *s)
{
	struct tracked *t = tracked_find(s->monitor, s->target);

	if (t && t->target->state == TARGET_TRACED)
		return t;
	end(s, -ESRCH, NULL);
	return NULL;
}

static int copy_objects(const struct python_objects *o, struct python_objects *to)
{
	struct python_object *list = calloc(o->n + 1, sizeof(*list));

	if (!list)
		return -ENOMEM;
	if (o->n)
		memcpy(list, o->list, o->n * sizeof(*list));
	python_objects_done(to);
	*to = *o;
	to->list = list;
	return 0;
}

static void on_objects(int error, const char *why, const struct python_objects *o, size_t n,
		       uint64_t cpu_ns, void *userdata);

static void ask_objects(struct survivors *s, enum survivors_step step)
{
	struct tracked *t = target_of(s);
	const struct python_wanted whole = { .type_address = s->type_address };
	int r;

	if (!t)
		return;
	s->step = step;
	r = python_inspect_objects(s->monitor->inspector, t->target->pid,
				   step == SURVIVORS_LOOKING ? &s->later : &whole, 1, OBJECTS_MAX,
				   on_objects, s);
	if (r < 0)
		fail(s, r, "its objects cannot be listed");
}

/* --- the burst ------------------------------------------------------------------------------------- */

static void next_candidate(struct survivors *s);

static void open_burst(struct survivors *s)
{
	struct tracked *t = target_of(s);
	int r;

	if (!t)
		return;
	s->step = SURVIVORS_OPENING;
	r = survivors_open_window(s, t, &s->constructors.list[s->at]);
	if (r == -ENOENT) {
		next_candidate(s);
		return;
	}
	if (r < 0) {
		fail(s, r, "probes cannot be set");
		return;
	}
	s->opened_ns = monotonic_ns();
	arm(s, OPENING_NS);
}

static void begin_burst(struct survivors *s)
{
	s->step = SURVIVORS_BURST;
	s->opened_ns = monotonic_ns();
	arm(s, BURST_POLL_NS);
}

static void close_burst(struct survivors *s)
{
	int r;

	s->step = SURVIVORS_CLOSING;
	s->burst_ns = monotonic_ns() - s->opened_ns;
	r = probe_window_close(s->monitor->probe, s->window);
	if (r == -EAGAIN) {
		s->step = SURVIVORS_BURST;
		arm(s, BURST_POLL_NS);
		return;
	}
	if (r < 0)
		fail(s, r, "the process that sets probes is gone");
}

static void poll_burst(struct survivors *s)
{
	struct burst b;
	int r = probe_burst_read(s->monitor->probe, &b);

	if (r < 0) {
		fail(s, r, "the burst cannot be read");
		return;
	}
	if (survivors_is_over(&b, monotonic_ns() - s->opened_ns))
		close_burst(s);
	else
		arm(s, BURST_POLL_NS);
}

/* The probes are gone. */
static void end_burst(struct survivors *s)
{
	int r;

	(void)event_del(s->timer);
	survivors_burst_done(&s->now);
	r = survivors_take_burst(s, tracked_find(s->monitor, s->target));
	s->is_open = false;
	if (r < 0) {
		fail(s, r, "what was seen cannot be read");
		return;
	}
	if (s->now.n)
		ask_objects(s, SURVIVORS_AFTER);
	else
		next_candidate(s);
}

void survivors_answer(struct monitor *m, uint64_t window, bool is_closed, int error)
{
	struct survivors *s = m->survivors;

	if (!s || window != s->window)
		return;
	if (is_closed) {
		if (s->step == SURVIVORS_CLOSING)
			end_burst(s);
		return;
	}
	if (s->awaited > 0)
		s->awaited--;
	if (s->step != SURVIVORS_OPENING)
		return;
	if (error < 0)
		fail(s, error, "a probe cannot be set");
	else if (!s->awaited)
		begin_burst(s);
}

void survivors_lose_windows(struct monitor *m)
{
	struct survivors *s = m->survivors;

	if (s && s->is_open) {
		survivors_drop_burst(s, tracked_find(m, s->target));
		s->is_open = false; /* there is no window to close any more */
		fail(s, -EPIPE, "the process that sets probes has died");
	}
}

/* --- what was seen of all ------------------------------------------------------------------------- */

static void wait_for_survivors(struct survivors *s)
{
	if (!s->best.n) {
		fail(s, -ENODATA, "no constructor that is called was found");
		return;
	}
	survivors_ask_names(s);
	s->wait_ns = s->monitor->options.detector_tick_ns / WAIT_PER_TICK;
	if (s->wait_ns < WAIT_MIN_NS)
		s->wait_ns = WAIT_MIN_NS;
	s->looks = 0;
	s->step = SURVIVORS_WAITING;
	arm(s, s->wait_ns);
}

static void next_candidate(struct survivors *s)
{
	if (++s->at < s->constructors.n)
		ask_objects(s, SURVIVORS_BEFORE);
	else
		wait_for_survivors(s);
}

static double seen_of_all(const struct survivors *s, uint64_t now_ns)
{
	const struct survivors_burst *b = &s->now;
	uint64_t between = now_ns - s->before_ns;
	double seen = survival_seen_by_numbers(b->records, b->n);

	if (seen > 0 || !between)
		return seen;
	return survival_seen_by_objects(b->records, b->n, &s->before, &b->after,
					(double)s->burst_ns / (double)between);
}

static void take_after(struct survivors *s, const struct python_objects *o)
{
	struct survivors_burst *b = &s->now;

	if (copy_objects(o, &b->after) < 0) {
		fail(s, -ENOMEM, "its objects cannot be kept");
		return;
	}
	survival_end(b->records, b->n, &b->after);
	b->seen = seen_of_all(s, monotonic_ns());
	b->opened_ns = s->opened_ns;
	if (!s->best.n || b->seen > s->best.seen) {
		survivors_burst_done(&s->best);
		s->best = *b;
		*b = (struct survivors_burst){ .n = 0 };
	}
	if (s->best.seen >= SEEN_MIN)
		wait_for_survivors(s);
	else
		next_candidate(s);
}

/*
 * What is made beside a leak and goes again lives too short for a census: that it dies is known from here
 * only. Of a kind that is told by its code the others of its type were sampled as well: nothing, then.
 */
static void note_deaths(struct survivors *s)
{
	const struct survivors_burst *b = &s->best;
	int r;

	if (s->function || !b->gone)
		return;
	r = monitor_python_note_deaths(s->monitor, s->target, s->kind, b->gone,
				       (double)(monotonic_ns() - b->opened_ns) /
					       (double)NS_PER_SECOND);
	if (r < 0)
		log_debug_errno(r, "nobody wants to know what died, ignoring");
}

static void look(struct survivors *s, const struct python_objects *o)
{
	struct alert_python *origin = NULL;
	int r = survivors_find_lines(s, o, s->looks + 1 >= s->looks_max, &origin);

	if (r < 0) {
		fail(s, r, "it cannot be told");
		return;
	}
	if (r > 0) {
		note_deaths(s);
		end(s, 0, origin);
		return;
	}
	s->looks++;
	s->wait_ns *= 2;
	s->step = SURVIVORS_WAITING;
	arm(s, s->wait_ns);
}

static void on_objects(int error, const char *why, const struct python_objects *o, size_t n,
		       uint64_t cpu_ns, void *userdata)
{
	struct survivors *s = userdata;

	(void)cpu_ns;
	if (s->step == SURVIVORS_IDLE || !target_of(s))
		return;
	if (error < 0 || n != 1) {
		fail(s, error < 0 ? error : -EBADMSG, why ? why : "its objects cannot be listed");
		return;
	}
	switch (s->step) {
	case SURVIVORS_BEFORE:
		s->before_ns = monotonic_ns();
		if (copy_objects(o, &s->before) < 0)
			fail(s, -ENOMEM, "its objects cannot be kept");
		else
			open_burst(s);
		break;
	case SURVIVORS_AFTER:
		take_after(s, o);
		break;
	case SURVIVORS_LOOKING:
		look(s, o);
		break;
	default:
		break;
	}
}

/* --- from the start -------------------------------------------------------------------------------- */

static void on_constructors(int error, const char *why, const struct python_constructors *c,
			    void *userdata)
{
	struct survivors *s = userdata;

	if (s->step != SURVIVORS_ASKING)
		return;
	if (error < 0) {
		fail(s, error, why ? why : "its type cannot be read");
		return;
	}
	s->constructors = *c;
	s->at = 0;
	if (c->n)
		ask_objects(s, SURVIVORS_BEFORE);
	else
		fail(s, -ENODATA, "its type has no constructor");
}

static void on_timer(evutil_socket_t fd, short what, void *userdata)
{
	struct survivors *s = userdata;

	(void)fd;
	(void)what;
	if (!target_of(s))
		return;
	switch (s->step) {
	case SURVIVORS_BURST:
		poll_burst(s);
		break;
	case SURVIVORS_OPENING:
		fail(s, -ETIMEDOUT, "probes are not set");
		break;
	case SURVIVORS_WAITING:
		ask_objects(s, SURVIVORS_LOOKING);
		break;
	default:
		break;
	}
}

int survivors_begin(struct monitor *m, const struct tracked *t, const struct survivors_wanted *w)
{
	struct survivors *s = m->survivors;
	int r;

	if (!s || s->step != SURVIVORS_IDLE)
		return -EBUSY;
	if (t->target->state != TARGET_TRACED || t->python != PYTHON_READY)
		return -ENODATA;
	s->function = w->function ? strdup(w->function) : NULL;
	if (w->function && !s->function)
		return -ENOMEM;
	s->target = t->target->key;
	s->kind = w->kind;
	s->type_address = w->type_address;
	s->later = w->later;
	s->done = w->done;
	s->looks_max = w->looks;
	s->step = SURVIVORS_ASKING;
	r = python_inspect_constructors(m->inspector, t->target->pid, w->type_address,
					on_constructors, s);
	if (r < 0)
		reset(s);
	return r;
}

int survivors_start(struct monitor *m)
{
	struct survivors *s = calloc(1, sizeof(*s));

	if (!s)
		return -ENOMEM;
	m->survivors = s;
	s->monitor = m;
	s->window = SURVIVORS_WINDOW;
	s->timer = evtimer_new(m->base, on_timer, s);
	return s->timer ? 0 : -ENOMEM;
}

void survivors_stop(struct monitor *m)
{
	struct survivors *s = m->survivors;

	if (!s)
		return;
	if (s->timer) {
		reset(s);
		event_free(s->timer);
	}
	survivors_drop_ask(s);
	free(s);
	m->survivors = NULL;
}
