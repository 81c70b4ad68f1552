// SPDX-License-Identifier: GPL-2.0-or-later
/* The inspector's parent side: the queue, the child, the callbacks. See inspect.h. */
#include "python/inspect.h"

#include <errno.h>
#include <event2/event.h>
#include <string.h>

#include "base/clock.h"
#include "base/utf8.h"
#include "base/worker.h"
#include "python/answers.h"
#include "python/inspect_child.h"
#include "python/inspect_job.h"

#define DEFAULT_TIMEOUT_NS (20 * NS_PER_SECOND)
#define DEFAULT_IDLE_NS	   (10 * NS_PER_SECOND)
/* A busy child is replaced now and then: it is a copy of what this process was. */
#define WORKER_LIFE_NS	   (300 * NS_PER_SECOND)
#define WHY_MAX		   512

enum exchange {
	EXCHANGE_NONE,
	EXCHANGE_HELLO, /* the child is shutting itself in */
	EXCHANGE_WORK,
};

struct python_inspector {
	struct event_base *base; /* borrowed */
	const struct python_readers *readers;
	uint64_t request_timeout_ns;
	uint64_t idle_timeout_ns;

	struct job *first; /* owned; the head is being worked on */
	struct job *last;
	struct event *kick; /* owned; looks at the head of the queue */
	struct event *deadline;
	struct event *idle;

	struct worker *worker; /* NULL: none */
	struct worker_list stopped;
	uint64_t worker_started_ns;
	enum exchange exchange;
	uint32_t request_id;
	uint64_t cpu_before_ns; /* of the child, when the request was sent */
	struct python_inspector_stats stats;
};

static void kick(struct python_inspector *p)
{
	event_active(p->kick, EV_TIMEOUT, 0);
}

static void arm(struct event *timer, uint64_t ns)
{
	const struct timeval timeout = {
		.tv_sec = (time_t)(ns / NS_PER_SECOND),
		.tv_usec = (suseconds_t)(ns % NS_PER_SECOND / 1000),
	};

	(void)event_add(timer, &timeout);
}

/* --- answers ------------------------------------------------------------------------------------- */

static void stop_worker(struct python_inspector *p)
{
	p->worker = worker_stop(p->worker);
	p->exchange = EXCHANGE_NONE;
	if (p->deadline)
		(void)event_del(p->deadline);
}

/* What the child used up for the request, before it is stopped. */
static void account(struct python_inspector *p)
{
	uint64_t now_ns = p->worker ? worker_cpu_ns(p->worker) : 0;

	if (p->exchange != EXCHANGE_WORK || now_ns < p->cpu_before_ns)
		return;
	p->first->cpu_ns = now_ns - p->cpu_before_ns;
	p->stats.cpu_ns += p->first->cpu_ns;
}

static void end_exchange(struct python_inspector *p, int error)
{
	account(p);
	p->exchange = EXCHANGE_NONE;
	(void)event_del(p->deadline);
	p->first->error = error;
	p->first->is_over = true;
	kick(p);
}

/* The child is of no more use; what it was working on fails. */
static void lose(struct python_inspector *p, int error)
{
	bool was_busy = p->exchange != EXCHANGE_NONE;

	p->stats.killed++;
	account(p);
	stop_worker(p);
	if (!was_busy)
		return;
	p->first->error = error;
	p->first->is_over = true;
	kick(p);
}

static void on_lost(void *userdata)
{
	lose(userdata, -EPIPE);
}

static void on_deadline(evutil_socket_t fd, short what, void *userdata)
{
	struct python_inspector *p = userdata;

	(void)fd;
	(void)what;
	if (p->exchange != EXCHANGE_NONE)
		lose(p, -ETIMEDOUT);
}

/* The sentence of a failure; without memory there is none. */
static void take_why(struct job *job)
{
	size_t n = job->answer.n < WHY_MAX ? job->answer.n : WHY_MAX;

	if (n && utf8_sanitize((const char *)job->answer.bytes, n, &job->why) < 0)
		job->why = NULL;
}

static void on_message(const struct message *header, const uint8_t *body, size_t size,
		       void *userdata)
{
	struct python_inspector *p = userdata;
	struct job *job = p->first;
	int r;

	if (p->exchange == EXCHANGE_HELLO && header->type == PYTHON_HELLO && size == 0) {
		p->exchange = EXCHANGE_NONE;
		(void)event_del(p->deadline);
		kick(p);
		return;
	}
	if (p->exchange != EXCHANGE_WORK || header->type != job->type ||
	    header->id != p->request_id || header->error > 0 || header->error < -4095) {
		lose(p, -EBADMSG);
		return;
	}
	r = python_answer_add(&job->answer, body, size);
	if (r < 0) {
		lose(p, r);
		return;
	}
	if (!(header->flags & MESSAGE_LAST))
		return;
	if (header->error)
		take_why(job);
	end_exchange(p, header->error);
}

/* --- requests ------------------------------------------------------------------------------------ */

static void start_worker(struct python_inspector *p)
{
	const struct worker_callbacks callbacks = {
		.received = on_message,
		.lost = on_lost,
		.userdata = p,
	};
	uint64_t cpu_seconds = (WORKER_LIFE_NS + 2 * p->request_timeout_ns) / NS_PER_SECOND + 1;
	int r;

	r = worker_start(p->base, &p->stopped, inspect_child_main, p->readers, cpu_seconds,
			 &callbacks, &p->worker);
	if (r < 0) {
		p->first->error = r;
		p->first->is_over = true;
		kick(p);
		return;
	}
	p->stats.children++;
	p->worker_started_ns = clock_ns(CLOCK_MONOTONIC);
	p->exchange = EXCHANGE_HELLO;
	arm(p->deadline, p->request_timeout_ns);
}

static void send_request(struct python_inspector *p)
{
	struct job *job = p->first;
	size_t items = job->n_items * job->item_bytes;
	uint8_t body[sizeof(job->request) + PYTHON_WANTED_MAX * sizeof(struct python_wanted)];
	const struct message header = {
		.type = job->type,
		.id = ++p->request_id,
		.count = (uint32_t)job->n_items,
	};

	memcpy(body, &job->request, sizeof(job->request));
	if (items)
		memcpy(body + sizeof(job->request), job->items, items);
	p->exchange = EXCHANGE_WORK;
	p->cpu_before_ns = worker_cpu_ns(p->worker);
	arm(p->deadline, p->request_timeout_ns);
	if (worker_send(p->worker, &header, body, sizeof(job->request) + items, -EBADF) < 0)
		lose(p, -EPIPE);
}

_Static_assert(PYTHON_SAMPLES * sizeof(struct python_sample) <=
		       PYTHON_WANTED_MAX * sizeof(struct python_wanted),
	       "samples fit a request");

static void finish_first(struct python_inspector *p)
{
	_cleanup_(job_freep) struct job *job = p->first;

	p->first = job->next;
	if (!p->first)
		p->last = NULL;
	if (job->error < 0)
		p->stats.failed++;
	if (p->first)
		kick(p);
	else if (p->worker)
		arm(p->idle, p->idle_timeout_ns);
	job_call_back(job);
}

static void on_kick(evutil_socket_t fd, short what, void *userdata)
{
	struct python_inspector *p = userdata;

	(void)fd;
	(void)what;
	if (!p->first || p->exchange != EXCHANGE_NONE)
		return;
	(void)event_del(p->idle);
	if (p->first->is_over) {
		finish_first(p);
		return;
	}
	if (p->worker && clock_ns(CLOCK_MONOTONIC) - p->worker_started_ns > WORKER_LIFE_NS)
		stop_worker(p);
	if (p->worker)
		send_request(p);
	else
		start_worker(p);
}

static void on_idle(evutil_socket_t fd, short what, void *userdata)
{
	struct python_inspector *p = userdata;

	(void)fd;
	(void)what;
	if (!p->first)
		stop_worker(p);
}

/* NULL: no memory. */
static struct job *add_job(struct python_inspector *p, enum python_message type, pid_t pid,
			   const void *items, size_t n, size_t item_bytes)
{
	_cleanup_(job_freep) struct job *job = calloc(1, sizeof(*job));
	struct job *added;

	if (!job)
		return NULL;
	job->type = type;
	job->request.pid = pid;
	job->request.deadline_ns = p->request_timeout_ns / 2;
	job->n_items = n;
	job->item_bytes = item_bytes;
	if (n) {
		job->items = malloc(n * item_bytes);
		if (!job->items)
			return NULL;
		memcpy(job->items, items, n * item_bytes);
	}
	added = TAKE_PTR(job);
	if (p->last)
		p->last->next = added;
	else
		p->first = added;
	p->last = added;
	p->stats.requests++;
	kick(p);
	return added;
}

int python_inspect_census(struct python_inspector *p, pid_t pid,
			  const struct python_census_options *o, python_census_fn done,
			  void *userdata)
{
	struct job *job = add_job(p, PYTHON_ASK_CENSUS, pid, NULL, 0, 0);

	if (!job)
		return -ENOMEM;
	job->request.by_code = o->by_code;
	job->request.max = o->max_kinds;
	if (o->deadline_ns && o->deadline_ns < job->request.deadline_ns)
		job->request.deadline_ns = o->deadline_ns;
	job->done.census = done;
	job->userdata = userdata;
	return 0;
}

int python_inspect_holders(struct python_inspector *p, pid_t pid,
			   const struct python_sample *samples, size_t n, python_holders_fn done,
			   void *userdata)
{
	struct job *job;

	if (n > PYTHON_SAMPLES)
		return -E2BIG;
	job = add_job(p, PYTHON_ASK_HOLDERS, pid, samples, n, sizeof(*samples));
	if (!job)
		return -ENOMEM;
	job->done.holders = done;
	job->userdata = userdata;
	return 0;
}

int python_inspect_objects(struct python_inspector *p, pid_t pid,
			   const struct python_wanted *wanted, size_t n, size_t max,
			   python_objects_fn done, void *userdata)
{
	struct job *job;

	if (n > PYTHON_WANTED_MAX ||
	    (n && max > (PYTHON_ANSWER_MAX - 65536) / sizeof(struct python_object) / n))
		return -E2BIG;
	job = add_job(p, PYTHON_ASK_OBJECTS, pid, wanted, n, sizeof(*wanted));
	if (!job)
		return -ENOMEM;
	job->request.max = max;
	job->done.objects = done;
	job->userdata = userdata;
	return 0;
}

int python_inspect_constructors(struct python_inspector *p, pid_t pid, uint64_t type,
				python_constructors_fn done, void *userdata)
{
	struct job *job = add_job(p, PYTHON_ASK_CONSTRUCTORS, pid, NULL, 0, 0);

	if (!job)
		return -ENOMEM;
	job->request.type = type;
	job->done.constructors = done;
	job->userdata = userdata;
	return 0;
}

/* --- life ---------------------------------------------------------------------------------------- */

int python_inspector_new(struct event_base *base, const struct python_inspector_options *options,
			 struct python_inspector **ret)
{
	_cleanup_(python_inspector_freep) struct python_inspector *p = calloc(1, sizeof(*p));

	if (!p)
		return -ENOMEM;
	p->base = base;
	if (options) {
		p->readers = options->readers;
		p->request_timeout_ns = options->request_timeout_ns;
		p->idle_timeout_ns = options->idle_timeout_ns;
	}
	p->readers = p->readers ?: &python_readers;
	p->request_timeout_ns = p->request_timeout_ns ?: DEFAULT_TIMEOUT_NS;
	p->idle_timeout_ns = p->idle_timeout_ns ?: DEFAULT_IDLE_NS;
	p->kick = event_new(base, -1, 0, on_kick, p);
	p->deadline = evtimer_new(base, on_deadline, p);
	p->idle = evtimer_new(base, on_idle, p);
	if (!p->kick || !p->deadline || !p->idle)
		return -ENOMEM;
	*ret = TAKE_PTR(p);
	return 0;
}

struct python_inspector *python_inspector_free(struct python_inspector *p)
{
	struct event *const events[] = { p ? p->kick : NULL, p ? p->deadline : NULL,
					 p ? p->idle : NULL };

	if (!p)
		return NULL;
	stop_worker(p);
	worker_list_done(&p->stopped);
	for (size_t i = 0; i < ARRAY_SIZE(events); i++)
		if (events[i])
			event_free(events[i]);
	while (p->first) {
		struct job *job = p->first;

		p->first = job->next;
		(void)job_free(job);
	}
	free(p);
	return NULL;
}

void python_inspector_get_stats(const struct python_inspector *p,
				struct python_inspector_stats *ret)
{
	*ret = p->stats;
}
