// SPDX-License-Identifier: GPL-2.0-or-later
/* From one life of the monitor to the next. See handover.h. */
#include "monitor/handover.h"

#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>

#include "base/fd_store.h"
#include "base/log.h"
#include "base/twin.h"
#include "monitor/state.h"
#include "symbolize/codes.h"

#define STATE_NAME  "seep-state"
#define TRENDS_NAME "seep-trends"
#define CODES_NAME  "seep-codes"

#define CODES_SHARE \
	20 /* of the time, one part: a program that starts meets new code all the time */

/* --- writing -------------------------------------------------------------------------------------- */

static int write_chunk(const char *data, size_t size, void *userdata)
{
	twin_write(userdata, data, size);
	return 0;
}

static int write_state(struct monitor *m)
{
	struct twin *to = m->handover->state;
	json_t *state = handover_write(m);
	int r;

	if (!state)
		return -ENOMEM;
	r = twin_begin(to);
	if (r == 0 && json_dump_callback(state, write_chunk, to, JSON_COMPACT) < 0)
		r = -ENOMEM;
	json_decref(state);
	return r < 0 ? r : twin_commit(to);
}

/* Only if there are more of them: they stay as they are. */
static int write_codes(struct monitor *m)
{
	size_t n = codes_count(symbolizer_codes(m->symbolizer));
	struct handover *h = m->handover;
	uint64_t began_ns = monotonic_ns();
	int r;

	if (n == h->n_codes ||
	    (!m->is_stopping && began_ns - h->codes_ns < CODES_SHARE * h->codes_took_ns))
		return 0;
	r = handover_write_codes(m, h->codes);
	if (r < 0)
		return r;
	h->n_codes = n;
	h->codes_ns = monotonic_ns();
	h->codes_took_ns = h->codes_ns - began_ns;
	return 0;
}

/* A failure is told once: the record before it stands. */
static void check(struct monitor *m, int r)
{
	if (r < 0 && !m->handover->has_failed)
		log_warning_errno(r, "failed to note what the next life of seepd has to know");
	m->handover->has_failed = r < 0;
}

/* True: no child writes trends any more. */
static bool await_writer(struct monitor *m, int flags)
{
	struct handover *h = m->handover;
	int status = 0;
	pid_t ended;

	if (h->writer == 0)
		return true;
	do
		ended = waitpid(h->writer, &status, flags);
	while (ended < 0 && errno == EINTR);
	if (ended == 0)
		return false;
	h->writer = 0;
	if (ended > 0 && WIFEXITED(status) && WEXITSTATUS(status) == 0)
		twin_was_committed(h->trends);
	else
		log_debug("the last record of trends is not whole, the one before stands");
	return true;
}

void handover_save(struct monitor *m)
{
	int r;

	if (!m->handover)
		return;
	m->handover->is_wanted = false;
	(void)await_writer(m, WNOHANG);
	r = write_state(m);
	if (r == 0)
		r = write_codes(m);
	/* A child that sets probes may have been started again. */
	if (r == 0)
		r = probe_store(m->probe);
	check(m, r);
}

/*
 * Of ten thousand sites it takes some hundred milliseconds, for which nobody shall have to wait: a child
 * writes, which has its memory as of now. If it takes longer than an evaluation lasts, one is left out.
 */
void handover_save_trends(struct monitor *m)
{
	pid_t parent = getpid(), pid;

	if (!m->handover || m->is_leaving || !await_writer(m, WNOHANG))
		return;
	pid = fork();
	if (pid == 0) {
		/* The next seepd is not to find it still writing. */
		if (prctl(PR_SET_PDEATHSIG, SIGKILL) < 0 || getppid() != parent)
			_exit(1);
		_exit(handover_write_trends(m, m->handover->trends) < 0);
	}
	check(m, pid < 0 ? -errno : 0);
	m->handover->writer = pid > 0 ? pid : 0;
}

void handover_touch(struct monitor *m)
{
	if (!m->handover || m->handover->is_wanted || m->is_leaving)
		return;
	m->handover->is_wanted = true;
	if (tick_schedule_work(m) < 0)
		log_debug("failed to schedule work, the next tick does it");
}

/* --- reading -------------------------------------------------------------------------------------- */

static size_t read_chunk(void *buffer, size_t size, void *userdata)
{
	return twin_read_some(userdata, buffer, size);
}

static int load_state(struct monitor *m, json_t **ret)
{
	struct twin *from = m->handover->state;
	json_error_t error;
	int r;

	r = twin_open(from);
	if (r < 0)
		return r;
	*ret = json_load_callback(read_chunk, from, 0, &error);
	twin_close(from);
	return *ret ? 0 : -EBADMSG;
}

/* --- the store ------------------------------------------------------------------------------------ */

static int make_twin(struct fd_store *store, const char *name, struct twin **ret)
{
	char part[64];
	int r;

	r = twin_new(name, ret);
	for (size_t i = 0; i < 2 && r == 0; i++) {
		(void)snprintf(part, sizeof(part), "%s-%zu", name, i);
		r = fd_store_put(store, part, twin_fd(*ret, i));
	}
	return r;
}

/* That of an earlier life, if both parts are there; else a new one. 1: the former. */
static int find_twin(struct fd_store *store, const char *name, struct twin **ret)
{
	int fds[2] = { -EBADF, -EBADF };
	char part[64];
	int r;

	for (size_t i = 0; i < 2; i++) {
		(void)snprintf(part, sizeof(part), "%s-%zu", name, i);
		fds[i] = fd_store_take(store, part);
	}
	if (fds[0] >= 0 && fds[1] >= 0) {
		r = twin_from(fds, ret);
		return r < 0 ? r : 1;
	}
	for (size_t i = 0; i < 2; i++) {
		(void)snprintf(part, sizeof(part), "%s-%zu", name, i);
		if (fds[i] >= 0)
			(void)fd_store_drop(store, part);
		close_fd(fds[i]);
	}
	return make_twin(store, name, ret);
}

static void tell_begin(const struct monitor *m)
{
	const char *why = probe_why_afresh(m->probe);

	if (probe_is_taken_over(m->probe))
		log_info("going on with what the last seepd has left");
	else if (why)
		log_warning(
			"what the last seepd has left cannot be used, tracing begins afresh and "
			"the old probes are removed: %s",
			why);
}

static void go_on(struct monitor *m)
{
	json_t *state = NULL;
	int r;

	r = handover_read_codes(m, m->handover->codes);
	if (r < 0 && r != -ENODATA)
		log_warning_errno(r, "what the last seepd knew of Python code cannot be read, such "
				     "frames have no names");
	m->handover->n_codes = codes_count(symbolizer_codes(m->symbolizer));
	r = load_state(m, &state);
	if (r == 0)
		r = handover_read(m, state);
	if (r < 0)
		log_warning_errno(r, "what the last seepd knew of its targets cannot be read, "
				     "tracing begins afresh");
	r = handover_read_trends(m, m->handover->trends);
	if (r < 0 && r != -ENODATA)
		log_warning_errno(r, "what the last seepd knew of trends cannot be read, they "
				     "begin afresh");
	r = handover_resume(m, state);
	json_decref(state);
	if (r < 0)
		log_warning_errno(r, "failed to go on with all targets of the last seepd");
	r = probe_drop_untaken(m->probe);
	if (r < 0)
		log_warning_errno(r, "failed to remove all that the last seepd has left");
	/* Who asks at once is answered as by the last one. */
	r = tick_read(m);
	if (r < 0)
		log_debug_errno(r, "failed to read the maps, the first tick does it");
	m->purging = true;
	(void)tick_schedule_work(m);
}

int handover_start(struct monitor *m)
{
	struct fd_store *store = m->options.store;
	int r;

	if (!store || !fd_store_keeps(store))
		return 0;
	tell_begin(m);
	m->handover = calloc(1, sizeof(*m->handover));
	if (!m->handover)
		return -ENOMEM;
	r = find_twin(store, STATE_NAME, &m->handover->state);
	if (r >= 0)
		r = find_twin(store, TRENDS_NAME, &m->handover->trends);
	if (r >= 0)
		r = find_twin(store, CODES_NAME, &m->handover->codes);
	if (r < 0) {
		log_warning_errno(r, "nothing of this can be handed over to the next seepd");
		handover_stop(m);
		return 0;
	}
	if (probe_is_taken_over(m->probe))
		go_on(m);
	handover_save(m);
	return 0;
}

void handover_leave(struct monitor *m)
{
	if (!m->handover)
		return;
	m->is_stopping = true;
	handover_save(m);
	/* Within a walk it is not whole: what was written after the last one stands. */
	(void)await_writer(m, 0);
	if (!m->walking)
		check(m, handover_write_trends(m, m->handover->trends));
	m->is_leaving = true;
	probe_leave(m->probe);
}

void handover_stop(struct monitor *m)
{
	if (!m->handover)
		return;
	(void)await_writer(m, 0);
	twin_free(m->handover->state);
	twin_free(m->handover->trends);
	twin_free(m->handover->codes);
	free(m->handover);
	m->handover = NULL;
}
