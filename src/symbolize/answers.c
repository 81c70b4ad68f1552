// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * What the child answered, checked.
 *
 * The child may have been taken over by a file it read. An answer that is not the one that was
 * asked for, or whose sizes or numbers cannot be, costs the child its life.
 */
#include <string.h>
#include <sys/stat.h>

#include "../bpf/abi.h"
#include "elf/unwind_table.h"
#include "symbolize/state.h"

/* Times that a job may find its file closed by the child before that is a lie. */
#define STALE_MAX 3

/* A probe is at most this far into its function. */
#define PROBE_DISTANCE_MAX 64

#define ERRNO_MAX 4095

/* All take_… return 0, or a negative errno when the child is not to be believed. */

static bool is_text(const char *text, size_t size)
{
	return memchr(text, 0, size) != NULL;
}

static int check_about(const struct about_file *about)
{
	if (about->build_id_bytes > BUILD_ID_MAX || about->alt_id_bytes > BUILD_ID_MAX ||
	    !is_text(about->debug_link, sizeof(about->debug_link)) ||
	    !is_text(about->alt_link, sizeof(about->alt_link)))
		return -EBADMSG;
	return 0;
}

static int keep_build_id(struct file_state *state, const struct about_file *about)
{
	char text[2 * BUILD_ID_MAX + 1];

	/* A later child has nothing new to say; frames point to the first answer. */
	if (state->build_id || about->build_id_bytes == 0)
		return 0;
	debug_files_format_id(about->build_id, about->build_id_bytes, text);
	state->build_id = strdup(text);
	return state->build_id ? 0 : -ENOMEM;
}

/* Looks for the file that dwz moved shared parts to; without a link, the file is ready. */
static void search_alt(struct symbolizer *s, const struct about_file *about)
{
	const struct file *file = file_table_get(s->files, s->first->slot);
	char id[2 * BUILD_ID_MAX + 1], folder[PATH_MAX];

	debug_files_format_id(about->alt_id, about->alt_id_bytes, id);
	memcpy(folder, s->debug_folder, sizeof(folder));
	debug_search_init_alt(&s->search, file, folder, id, about->alt_link);
	exchange_search(s, EXCHANGE_ALT);
}

static int take_open(struct symbolizer *s, int error, const uint8_t *body, size_t size)
{
	const struct file *file = file_table_get(s->files, s->first->slot);
	struct file_state *state = s->states[s->first->slot];
	struct about_file about;
	int r;

	if (size != sizeof(about))
		return -EBADMSG;
	if (error < 0) {
		/* The file will not be another one later. */
		state->error = error;
		exchange_fail(s, s->first, error, false);
		exchange_end(s);
		return 0;
	}
	memcpy(&about, body, sizeof(about));
	r = check_about(&about);
	if (r == 0)
		r = keep_build_id(state, &about);
	if (r < 0)
		return r;
	if (about.flags & ABOUT_WANTS_DEBUG) {
		debug_search_init(&s->search, file, state->build_id ? state->build_id : "",
				  about.debug_link);
		exchange_search(s, EXCHANGE_DEBUG);
	} else {
		search_alt(s, &about);
	}
	return 0;
}

static int take_debug(struct symbolizer *s, int error, const uint8_t *body, size_t size)
{
	struct about_file about;

	if (size != sizeof(about))
		return -EBADMSG;
	if (error < 0) {
		exchange_search(s, EXCHANGE_DEBUG);
		return 0;
	}
	memcpy(&about, body, sizeof(about));
	if (check_about(&about) < 0)
		return -EBADMSG;
	search_alt(s, &about);
	return 0;
}

static int take_alt(struct symbolizer *s, int error, size_t size)
{
	if (size != 0)
		return -EBADMSG;
	if (error < 0) {
		exchange_search(s, EXCHANGE_ALT);
		return 0;
	}
	s->states[s->first->slot]->open_in = s->generation;
	exchange_end(s);
	return 0;
}

static int take_name(struct symbolizer *s, struct job *job, const struct message *header,
		     const uint8_t *body, size_t size)
{
	struct file_state *state = s->states[job->slot];
	const struct names_file about = { .module = state->module, .build_id = state->build_id };
	struct name_answer name;
	bool is_last;
	int r;

	if (header->error < 0 || size < sizeof(name))
		return -EBADMSG;
	memcpy(&name, body, sizeof(name));
	if (job->n_named >= job->n_chunk || name.index != job->n_named)
		return -EBADMSG;
	is_last = !(name.flags & NAME_INLINED) && job->n_named + 1 == job->n_chunk;
	if (is_last != !!(header->flags & MESSAGE_LAST))
		return -EBADMSG;
	r = names_builder_add(&job->building, &name, body + sizeof(name), size - sizeof(name));
	if (r < 0)
		return r;
	if (name.flags & NAME_INLINED)
		return 0;
	r = names_add(s->names, job->chunk[job->n_named], &about, &job->building);
	if (r < 0)
		return r;
	job->n_named++;
	if (is_last) {
		job->n_chunk = 0;
		exchange_end(s);
	}
	return 0;
}

static void finish(struct symbolizer *s, struct job *job, int error)
{
	job->error = error;
	job->finished = true;
	exchange_end(s);
}

static bool is_printable_ascii(const char *text)
{
	for (; *text; text++) {
		if (*text < ' ' || *text > '~')
			return false;
	}
	return true;
}

static bool is_possible_point(const struct hook_point *p, const struct job *job)
{
	return p->name < job->n_names && p->symbol_offset <= FRAME_OFFSET_MASK &&
	       p->probe_offset >= p->symbol_offset &&
	       p->probe_offset - p->symbol_offset <= PROBE_DISTANCE_MAX &&
	       (p->flags & ~(uint32_t)(HOOK_EMULATED | HOOK_CALLS_HOOKS)) == 0 &&
	       is_text(p->words, sizeof(p->words)) && is_printable_ascii(p->words);
}

static int take_hooks(struct symbolizer *s, struct job *job, const struct message *header,
		      const uint8_t *body, size_t size)
{
	_cleanup_free_ struct hook_point *points = NULL;

	if (header->error < 0) {
		finish(s, job, header->error);
		return 0;
	}
	if (header->count > HOOK_POINTS_MAX || size != header->count * sizeof(*points))
		return -EBADMSG;
	points = calloc(header->count ? header->count : 1, sizeof(*points));
	if (!points)
		return -ENOMEM;
	memcpy(points, body, size);
	for (uint32_t i = 0; i < header->count; i++) {
		if (!is_possible_point(&points[i], job))
			return -EBADMSG;
	}
	job->points = TAKE_PTR(points);
	job->n_points = header->count;
	finish(s, job, 0);
	return 0;
}

/* Copies the rows: what the child can still write to would be checked and then used as something else. */
static int read_rows(int fd, uint32_t n, struct unwind_row **ret)
{
	_cleanup_free_ struct unwind_row *rows = NULL;
	size_t size = n * sizeof(*rows), done = 0;

	if (n == 0 || n > UNWIND_MAX_ROWS)
		return -EBADMSG;
	rows = malloc(size);
	if (!rows)
		return -ENOMEM;
	while (done < size) {
		ssize_t r = pread(fd, (char *)rows + done, size - done, (off_t)done);

		if (r < 0 && errno == EINTR)
			continue;
		if (r < 0)
			return -errno;
		if (r == 0)
			return -EBADMSG;
		done += (size_t)r;
	}
	*ret = TAKE_PTR(rows);
	return 0;
}

static int take_unwind(struct symbolizer *s, struct job *job, const struct message *header,
		       size_t size)
{
	struct unwind_row *rows = NULL;
	int r;

	if (size != 0)
		return -EBADMSG;
	if (header->error < 0) {
		finish(s, job, header->error);
		return 0;
	}
	r = read_rows(s->rows_fd, header->count, &rows);
	if (r == 0)
		r = unwind_table_from_rows(rows, header->count, &job->table);
	if (r < 0)
		return r;
	finish(s, job, 0);
	return 0;
}

static int take_python(struct symbolizer *s, struct job *job, const struct message *header,
		       const uint8_t *body, size_t size)
{
	if (header->error < 0) {
		finish(s, job, header->error);
		return 0;
	}
	if (size != sizeof(job->python))
		return -EBADMSG;
	memcpy(&job->python, body, size);
	if (!python_file_is_sane(&job->python))
		return -EBADMSG;
	finish(s, job, 0);
	return 0;
}

static int take_work(struct symbolizer *s, const struct message *header, const uint8_t *body,
		     size_t size)
{
	struct job *job = s->first;

	if (job->type == MESSAGE_RESOLVE)
		return take_name(s, job, header, body, size);
	if (job->type == MESSAGE_HOOKS)
		return take_hooks(s, job, header, body, size);
	if (job->type == MESSAGE_PYTHON)
		return take_python(s, job, header, body, size);
	return take_unwind(s, job, header, size);
}

/* The child keeps few files open; the job starts over by opening its file again. */
static int take_stale(struct symbolizer *s)
{
	struct job *job = s->first;

	if (++job->stale > STALE_MAX)
		return -EBADMSG;
	s->states[job->slot]->open_in = 0;
	exchange_end(s);
	return 0;
}

static int take(struct symbolizer *s, const struct message *header, const uint8_t *body,
		size_t size)
{
	static const enum message_type expected[] = {
		[EXCHANGE_OPEN] = MESSAGE_OPEN,
		[EXCHANGE_DEBUG] = MESSAGE_DEBUG,
		[EXCHANGE_ALT] = MESSAGE_ALT,
	};
	enum message_type type =
		s->exchange == EXCHANGE_WORK ? s->first->type : expected[s->exchange];

	if (header->type != type || header->id != s->request_id || header->slot != s->first->slot ||
	    header->error > 0 || header->error < -ERRNO_MAX)
		return -EBADMSG;
	/* A new child has more memory than one that has used up its own. */
	/* A child that lacks something is of no more use. */
	if (header->error == -ENOMEM || header->error == -EMFILE || header->error == -ENFILE ||
	    header->error == -EAGAIN)
		return -ENOMEM;
	if (header->error == -ESTALE && s->exchange != EXCHANGE_OPEN)
		return take_stale(s);
	switch (s->exchange) {
	case EXCHANGE_OPEN:
		return take_open(s, header->error, body, size);
	case EXCHANGE_DEBUG:
		return take_debug(s, header->error, body, size);
	case EXCHANGE_ALT:
		return take_alt(s, header->error, size);
	default:
		return take_work(s, header, body, size);
	}
}

void exchange_on_message(const struct message *header, const uint8_t *body, size_t size,
			 void *userdata)
{
	struct symbolizer *s = userdata;
	int r;

	if (s->exchange == EXCHANGE_NONE) {
		exchange_lose(s, -EBADMSG);
		return;
	}
	if (s->exchange == EXCHANGE_HELLO) {
		if (header->type != MESSAGE_HELLO || size != 0)
			exchange_lose(s, -EBADMSG);
		else
			exchange_end(s);
		return;
	}
	r = take(s, header, body, size);
	if (r < 0)
		exchange_lose(s, r);
}
