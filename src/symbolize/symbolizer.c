// SPDX-License-Identifier: GPL-2.0-or-later
/* The symbolizer's parent side: the queue, what is known already, and the callbacks. */
#include "symbolize/symbolizer.h"

#include <event2/event.h>
#include <string.h>
#include <time.h>

#include "../bpf/abi.h"
#include "base/utf8.h"
#include "elf/unwind_table.h"
#include "symbolize/state.h"

#define DEFAULT_TIMEOUT_NS 10000000000ull

uint64_t symbolizer_now_ns(void)
{
	struct timespec t;

	(void)clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000000000ull + (uint64_t)t.tv_nsec;
}

static struct timeval to_timeval(uint64_t ns)
{
	return (struct timeval){
		.tv_sec = (time_t)(ns / 1000000000ull),
		.tv_usec = (suseconds_t)(ns % 1000000000ull / 1000),
	};
}

static struct job *job_free(struct job *job)
{
	if (!job)
		return NULL;
	names_builder_reset(&job->building);
	(void)unwind_table_free(job->table);
	free(job->points);
	free(job->frames);
	free(job);
	return NULL;
}
DEFINE_CLEANUP(struct job *, job_free)

static struct file_state *file_state_free(struct file_state *state)
{
	if (!state)
		return NULL;
	free(state->module);
	free(state->build_id);
	free(state);
	return NULL;
}
DEFINE_CLEANUP(struct file_state *, file_state_free)

struct file_state *symbolizer_file_state(struct symbolizer *s, const struct file *file)
{
	_cleanup_(file_state_freep) struct file_state *state = NULL;

	if (s->states[file->slot])
		return s->states[file->slot];
	state = calloc(1, sizeof(*state));
	if (!state || utf8_sanitize(file->path, strlen(file->path), &state->module) < 0)
		return NULL;
	if (file->fd < 0)
		state->error = -EBADF;
	return s->states[file->slot] = TAKE_PTR(state);
}

void symbolizer_kick(struct symbolizer *s)
{
	event_active(s->kick, EV_TIMEOUT, 0);
}

/* Tells the user of a finished job. Last thing before returning: the callback may free us. */
static void call_back(struct job *job)
{
	switch (job->type) {
	case MESSAGE_RESOLVE:
		job->resolved(job->userdata);
		break;
	case MESSAGE_HOOKS:
		job->found(job->error, job->points, job->n_points, job->userdata);
		break;
	case MESSAGE_UNWIND:
		job->compiled(job->error, job->table, job->userdata);
		break;
	case MESSAGE_PYTHON:
		job->read(job->error, job->error < 0 ? NULL : &job->python, job->userdata);
		break;
	default:
		break;
	}
}

static void finish_first(struct symbolizer *s)
{
	_cleanup_(job_freep) struct job *job = s->first;

	s->first = job->next;
	if (!s->first)
		s->last = NULL;
	if (job->error < 0)
		s->stats.failed++;
	if (s->first) {
		symbolizer_kick(s);
	} else if (s->worker) {
		struct timeval idle = to_timeval(s->idle_timeout_ns);

		(void)event_add(s->idle, &idle);
	}
	call_back(job);
}

static void on_kick(evutil_socket_t fd, short what, void *userdata)
{
	struct symbolizer *s = userdata;

	(void)fd;
	(void)what;
	if (!s->first || s->exchange != EXCHANGE_NONE)
		return;
	(void)event_del(s->idle);
	if (!s->first->finished)
		exchange_next(s, s->first);
	if (s->first->finished)
		finish_first(s);
}

static void on_idle(evutil_socket_t fd, short what, void *userdata)
{
	struct symbolizer *s = userdata;

	(void)fd;
	(void)what;
	if (!s->first)
		exchange_stop(s);
}

int symbolizer_new(struct event_base *base, struct file_table *files,
		   const struct symbolizer_options *options, struct symbolizer **ret)
{
	_cleanup_(symbolizer_freep) struct symbolizer *s = calloc(1, sizeof(*s));

	if (!s)
		return -ENOMEM;
	s->base = base;
	s->files = files;
	s->rows_fd = -EBADF;
	s->request_timeout_ns = options ? options->request_timeout_ns : 0;
	s->idle_timeout_ns = options ? options->idle_timeout_ns : 0;
	if (s->request_timeout_ns == 0)
		s->request_timeout_ns = DEFAULT_TIMEOUT_NS;
	if (s->idle_timeout_ns == 0)
		s->idle_timeout_ns = DEFAULT_TIMEOUT_NS;
	s->names = names_new();
	s->codes = codes_new();
	s->kick = event_new(base, -1, 0, on_kick, s);
	s->deadline = evtimer_new(base, exchange_on_deadline, s);
	s->idle = evtimer_new(base, on_idle, s);
	if (!s->names || !s->codes || !s->kick || !s->deadline || !s->idle)
		return -ENOMEM;

	*ret = TAKE_PTR(s);
	return 0;
}

static void free_event(struct event *event)
{
	if (event)
		event_free(event);
}

struct symbolizer *symbolizer_free(struct symbolizer *s)
{
	if (!s)
		return NULL;
	exchange_stop(s);
	worker_list_done(&s->stopped);
	free_event(s->idle);
	free_event(s->deadline);
	free_event(s->kick);
	while (s->first) {
		struct job *job = s->first;

		s->first = job->next;
		(void)job_free(job);
	}
	(void)names_free(s->names);
	(void)codes_free(s->codes);
	for (size_t i = 0; i < ARRAY_SIZE(s->states); i++)
		(void)file_state_free(s->states[i]);
	free(s);
	return NULL;
}

/* Python frames get their names when their code is known: then they are made here. */
static const struct frame_list *look_up_python(struct symbolizer *s, uint64_t frame)
{
	struct frame described;

	if (!names_is_final(s->names, frame) && codes_describe(s->codes, frame, &described))
		(void)names_add_frame(s->names, frame, &described, false);
	else if (!names_find(s->names, frame))
		(void)names_add_frame(s->names, frame,
				      &(struct frame){ .kind = FRAME_PYTHON, .approximate = true },
				      true);
	return names_find(s->names, frame);
}

const struct frame_list *symbolizer_lookup(struct symbolizer *s, uint64_t frame)
{
	static const struct names_file none = { 0 };
	const struct frame_list *list;

	if (codes_is_python(frame))
		return look_up_python(s, frame);
	list = names_find(s->names, frame);
	if (list || (frame >> FRAME_SLOT_SHIFT & FRAME_SLOT_MASK) != 0)
		return list;
	if (names_add_unknown(s->names, frame, &none, false) < 0)
		return NULL;
	return names_find(s->names, frame);
}

/* Takes over @job. */
static void enqueue(struct symbolizer *s, struct job *job)
{
	s->stats.requests++;
	if (s->last)
		s->last->next = job;
	else
		s->first = job;
	s->last = job;
	symbolizer_kick(s);
}

/* By file, so that each is opened once; the top bit is no part of the file. */
static int compare_frames(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
	uint64_t file_x = x & ~FRAME_EXACT, file_y = y & ~FRAME_EXACT;

	if (file_x != file_y)
		return file_x < file_y ? -1 : 1;
	return x < y ? -1 : x > y;
}

/* Sorts, and drops repeated ones. */
static void sort_frames(struct job *job)
{
	size_t kept = 0;

	qsort(job->frames, job->n_frames, sizeof(*job->frames), compare_frames);
	for (size_t i = 0; i < job->n_frames; i++) {
		if (kept == 0 || job->frames[kept - 1] != job->frames[i])
			job->frames[kept++] = job->frames[i];
	}
	job->n_frames = kept;
}

int symbolizer_resolve(struct symbolizer *s, const uint64_t *frames, size_t n,
		       symbolizer_done_fn done, void *userdata)
{
	_cleanup_(job_freep) struct job *job = calloc(1, sizeof(*job));

	if (!job)
		return -ENOMEM;
	job->type = MESSAGE_RESOLVE;
	job->resolved = done;
	job->userdata = userdata;
	job->frames = calloc(n ? n : 1, sizeof(*job->frames));
	if (!job->frames)
		return -ENOMEM;
	for (size_t i = 0; i < n; i++) {
		if (!names_is_final(s->names, frames[i]))
			job->frames[job->n_frames++] = frames[i];
	}
	sort_frames(job);
	enqueue(s, TAKE_PTR(job));
	return 0;
}

/* About a whole file. */
static int new_job(struct symbolizer *s, enum message_type type, uint16_t slot, void *userdata,
		   struct job **ret)
{
	struct job *job;

	if (!file_table_get(s->files, slot))
		return -ENOENT;
	job = calloc(1, sizeof(*job));
	if (!job)
		return -ENOMEM;
	job->type = type;
	job->slot = slot;
	job->userdata = userdata;
	*ret = job;
	return 0;
}

int symbolizer_find_hooks(struct symbolizer *s, uint16_t slot, const char *const *names,
			  size_t n_names, symbolizer_hooks_fn done, void *userdata)
{
	struct job *job;
	int r;

	if (n_names > HOOK_NAMES_MAX)
		return -E2BIG;
	r = new_job(s, MESSAGE_HOOKS, slot, userdata, &job);
	if (r < 0)
		return r;
	job->names = names;
	job->n_names = n_names;
	job->found = done;
	enqueue(s, job);
	return 0;
}

int symbolizer_compile_unwind(struct symbolizer *s, uint16_t slot, symbolizer_unwind_fn done,
			      void *userdata)
{
	struct job *job;
	int r;

	r = new_job(s, MESSAGE_UNWIND, slot, userdata, &job);
	if (r < 0)
		return r;
	job->compiled = done;
	enqueue(s, job);
	return 0;
}

int symbolizer_read_python(struct symbolizer *s, uint16_t slot, symbolizer_python_fn done,
			   void *userdata)
{
	struct job *job;
	int r;

	r = new_job(s, MESSAGE_PYTHON, slot, userdata, &job);
	if (r < 0)
		return r;
	job->read = done;
	enqueue(s, job);
	return 0;
}

int symbolizer_add_code(struct symbolizer *s, uint32_t id, struct python_code *code)
{
	return codes_add(s->codes, id, code);
}

const struct codes *symbolizer_codes(const struct symbolizer *s)
{
	return s->codes;
}

const char *symbolizer_build_id(struct symbolizer *s, uint16_t slot)
{
	if (slot > FILE_SLOT_MAX || !s->states[slot])
		return NULL;
	return s->states[slot]->build_id;
}

static void on_drain_timeout(evutil_socket_t fd, short what, void *userdata)
{
	bool *is_over = userdata;

	(void)fd;
	(void)what;
	*is_over = true;
}

int symbolizer_drain(struct symbolizer *s, uint64_t timeout_ns)
{
	struct timeval timeout = to_timeval(timeout_ns);
	struct event *timer;
	bool is_over = false;
	int r = 0;

	timer = evtimer_new(s->base, on_drain_timeout, &is_over);
	if (!timer)
		return -ENOMEM;
	if (evtimer_add(timer, &timeout) < 0)
		r = -ENOMEM;
	while (r == 0 && s->first) {
		if (is_over)
			r = -ETIMEDOUT;
		else if (event_base_loop(s->base, EVLOOP_ONCE) < 0)
			r = -EBUSY;
		else if (event_base_got_break(s->base) || event_base_got_exit(s->base))
			r = -EINTR;
	}
	event_free(timer);
	return s->first ? r : 0;
}

void symbolizer_get_stats(const struct symbolizer *s, struct symbolizer_stats *ret)
{
	*ret = s->stats;
}
