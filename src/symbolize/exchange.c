// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Talks to the child about the job at the head of the queue.
 *
 * The child may have been taken over by a file it read, so every answer is checked for being the
 * one that was asked for, for its sizes and for its numbers. A child that fails this is killed, like
 * one that takes too long, and the file is blamed.
 */
#include <event2/event.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>

#include "../bpf/abi.h"
#include "elf/unwind_table.h"
#include "symbolize/child.h"
#include "symbolize/state.h"

/* A busy child is replaced now and then: libdw's memory only grows. */
#define WORKER_LIFE_NS 120000000000ull

void exchange_end(struct symbolizer *s)
{
	s->exchange = EXCHANGE_NONE;
	s->rows_fd = close_fd(s->rows_fd);
	(void)event_del(s->deadline);
	symbolizer_kick(s);
}

static void begin_exchange(struct symbolizer *s, enum exchange exchange)
{
	struct timeval timeout = {
		.tv_sec = (time_t)(s->request_timeout_ns / 1000000000ull),
		.tv_usec = (suseconds_t)(s->request_timeout_ns % 1000000000ull / 1000),
	};

	s->exchange = exchange;
	(void)event_add(s->deadline, &timeout);
}

void exchange_stop(struct symbolizer *s)
{
	s->worker = worker_stop(s->worker);
	s->exchange = EXCHANGE_NONE;
	s->rows_fd = close_fd(s->rows_fd);
	if (s->deadline)
		(void)event_del(s->deadline);
}

void exchange_lose(struct symbolizer *s, int error)
{
	enum exchange was = s->exchange;
	struct job *job = s->first;

	s->stats.killed++;
	exchange_stop(s);
	if (was == EXCHANGE_NONE)
		return;
	if (was != EXCHANGE_HELLO && s->states[job->slot]) {
		struct file_state *state = s->states[job->slot];

		/* It takes more memory than a child may have. */
		if (++state->kills >= KILLS_MAX)
			state->error = error == -ENOMEM ? -EFBIG : error;
		exchange_fail(s, job, error, state->error == 0);
	} else {
		exchange_fail(s, job, error, true);
	}
	symbolizer_kick(s);
}

void exchange_on_deadline(evutil_socket_t fd, short what, void *userdata)
{
	struct symbolizer *s = userdata;

	(void)fd;
	(void)what;
	if (s->exchange != EXCHANGE_NONE)
		exchange_lose(s, -ETIMEDOUT);
}

static void on_lost(void *userdata)
{
	exchange_lose(userdata, -EPIPE);
}

/* Sends a request about the job's file; a child that does not take it is lost. */
static void send_request(struct symbolizer *s, enum exchange exchange, enum message_type type,
			 uint32_t count, const void *body, size_t size, int fd)
{
	const struct message header = {
		.type = type,
		.id = ++s->request_id,
		.slot = s->first->slot,
		.count = count,
	};

	begin_exchange(s, exchange);
	if (worker_send(s->worker, &header, body, size, fd) < 0)
		exchange_lose(s, -EPIPE);
}

void exchange_fail(struct symbolizer *s, struct job *job, int error, bool provisional)
{
	const struct file *file = file_table_get(s->files, job->slot);
	struct file_state *state = file ? symbolizer_file_state(s, file) : NULL;
	struct names_file about = {
		.module = state ? state->module : NULL,
		.build_id = state ? state->build_id : NULL,
	};

	/* To who asks about a file: another request may try again. */
	job->error = provisional && (error == -ENOMEM || error == -EPIPE || error == -ETIMEDOUT) ?
			     -EAGAIN :
			     error;
	if (job->type != MESSAGE_RESOLVE) {
		job->finished = true;
		return;
	}
	/* Without memory for it a frame stays unknown, which is what it is. */
	for (uint32_t i = job->n_named; i < job->n_chunk; i++)
		(void)names_add_unknown(s->names, job->chunk[i], &about, provisional);
	names_builder_reset(&job->building);
	job->n_chunk = 0;
}

/* Takes the next frames of one file that are not known yet. */
static void next_chunk(struct symbolizer *s, struct job *job)
{
	job->n_chunk = job->n_named = 0;
	while (job->next_frame < job->n_frames && job->n_chunk < RESOLVE_MAX) {
		uint64_t frame = job->frames[job->next_frame];
		uint16_t slot = (uint16_t)(frame >> FRAME_SLOT_SHIFT & FRAME_SLOT_MASK);

		if (job->n_chunk > 0 && slot != job->slot)
			break;
		job->next_frame++;
		/* Of Python frames the kernel side tells (symbolizer_add_code()), no file does. */
		if (slot == 0 || codes_is_python(frame) || names_is_final(s->names, frame))
			continue;
		job->slot = slot;
		job->chunk[job->n_chunk++] = frame;
	}
	job->stale = 0;
	job->finished = job->n_chunk == 0;
}

static void start_worker(struct symbolizer *s)
{
	const struct worker_callbacks callbacks = {
		.received = exchange_on_message,
		.lost = on_lost,
		.userdata = s,
	};
	uint64_t cpu_seconds = (WORKER_LIFE_NS + 2 * s->request_timeout_ns) / 1000000000ull + 1;
	int r;

	r = worker_start(s->base, &s->stopped, child_main, NULL, cpu_seconds, &callbacks,
			 &s->worker);
	if (r < 0) {
		exchange_fail(s, s->first, r, true);
		symbolizer_kick(s);
		return;
	}
	s->stats.children++;
	s->generation++;
	s->worker_started_ns = symbolizer_now_ns();
	begin_exchange(s, EXCHANGE_HELLO);
}

static void resolve(struct symbolizer *s, struct job *job)
{
	uint64_t addresses[RESOLVE_MAX];

	names_builder_reset(&job->building);
	job->n_named = 0;
	for (uint32_t i = 0; i < job->n_chunk; i++) {
		addresses[i] = job->chunk[i] & FRAME_OFFSET_MASK;
		if (job->chunk[i] & FRAME_EXACT)
			addresses[i] |= ADDRESS_EXACT;
	}
	send_request(s, EXCHANGE_WORK, MESSAGE_RESOLVE, job->n_chunk, addresses,
		     job->n_chunk * sizeof(addresses[0]), -EBADF);
}

static void find_hooks(struct symbolizer *s, struct job *job)
{
	char text[MESSAGE_BYTES_MAX - sizeof(struct message)];
	size_t size = 0;

	for (size_t i = 0; i < job->n_names; i++) {
		size_t n = strlen(job->names[i]) + 1;

		if (n > sizeof(text) - size) {
			exchange_fail(s, job, -E2BIG, false);
			return;
		}
		memcpy(text + size, job->names[i], n);
		size += n;
	}
	send_request(s, EXCHANGE_WORK, MESSAGE_HOOKS, (uint32_t)job->n_names, text, size, -EBADF);
}

static void read_python(struct symbolizer *s)
{
	send_request(s, EXCHANGE_WORK, MESSAGE_PYTHON, 0, NULL, 0, -EBADF);
}

static void compile_unwind(struct symbolizer *s, struct job *job)
{
	s->rows_fd = memfd_create("seep-unwind-rows", MFD_CLOEXEC);
	if (s->rows_fd < 0)
		exchange_fail(s, job, -errno, true);
	else
		send_request(s, EXCHANGE_WORK, MESSAGE_UNWIND, 0, NULL, 0, s->rows_fd);
}

void exchange_search(struct symbolizer *s, enum exchange exchange)
{
	_cleanup_close_ int fd = -EBADF;
	struct file_state *state = s->states[s->first->slot];

	if (debug_search_next(&s->search, &fd, s->debug_folder) < 0) {
		/* Neither there nor needed: the file is open as far as it can be. */
		state->open_in = s->generation;
		exchange_end(s);
		return;
	}
	send_request(s, exchange, exchange == EXCHANGE_ALT ? MESSAGE_ALT : MESSAGE_DEBUG, 0, NULL,
		     0, fd);
}

/* The file's state, made ready for the child; NULL: the job has been failed. */
static struct file_state *usable_state(struct symbolizer *s, struct job *job,
				       const struct file **ret_file)
{
	const struct file *file = file_table_get(s->files, job->slot);
	struct file_state *state = file ? symbolizer_file_state(s, file) : NULL;

	if (!state) {
		/* The file may be added later. */
		exchange_fail(s, job, file ? -ENOMEM : -ENOENT, true);
		return NULL;
	}
	if (state->error < 0) {
		exchange_fail(s, job, state->error, false);
		return NULL;
	}
	*ret_file = file;
	return state;
}

void exchange_next(struct symbolizer *s, struct job *job)
{
	const struct file *file = NULL;
	struct file_state *state;

	if (job->type == MESSAGE_RESOLVE && job->n_chunk == 0)
		next_chunk(s, job);
	if (job->finished)
		return;
	state = usable_state(s, job, &file);
	if (!state) {
		symbolizer_kick(s);
		return;
	}
	if (s->worker && symbolizer_now_ns() - s->worker_started_ns > WORKER_LIFE_NS)
		exchange_stop(s);
	if (!s->worker) {
		start_worker(s);
	} else if (state->open_in != s->generation) {
		s->debug_folder[0] = 0;
		send_request(s, EXCHANGE_OPEN, MESSAGE_OPEN, 0, NULL, 0, file->fd);
	} else if (job->type == MESSAGE_RESOLVE) {
		resolve(s, job);
	} else if (job->type == MESSAGE_HOOKS) {
		find_hooks(s, job);
	} else if (job->type == MESSAGE_PYTHON) {
		read_python(s);
	} else {
		compile_unwind(s, job);
	}
}
