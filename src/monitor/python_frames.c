// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Python frames on the stacks of targets that run Python.
 *
 * The sandboxed child says where an interpreter's file has what, the process's memory says the rest; with
 * both the kernel side can walk Python frames. It tells of code that it meets for the first time; names
 * and lines are taken from what it copied, and from the process where that was not all.
 */
#include <stdlib.h>
#include <string.h>

#include <event2/event.h>

#include "base/log.h"
#include "monitor/handover.h"
#include "monitor/state.h"
#include "python/code.h"
#include "python/interpreter.h"

/* Longer line tables are refused: no function has so many lines. */
#define TABLE_BYTES_MAX 65536

/* An interpreter that starts has no thread yet. */
#define STARTING_TRIES 1000
#define STARTING_US    5000

static void on_python(int error, const struct python_file *file, void *userdata)
{
	struct file_state *s = userdata;

	if (error == 0) {
		s->interpreter = malloc(sizeof(*s->interpreter));
		if (s->interpreter)
			*s->interpreter = *file;
		else
			error = -ENOMEM;
	}
	if (error < 0 && error != -ENOENT)
		log_debug_errno(error, "failed to look for Python in file %u", s->slot);
	s->python = files_progress(s, error);
	attach_advance(s->monitor);
}

int python_frames_learn(struct monitor *m, struct file_state *s, const struct file *file)
{
	int r;

	if (!files_are_to_be_asked(s, s->python))
		return 0;
	if (file->fd < 0 || !python_is_interpreter_path(file->path)) {
		s->python = FILE_KNOWN;
		return 0;
	}
	r = symbolizer_read_python(m->symbolizer, s->slot, on_python, s);
	if (r == 0)
		s->python = FILE_ASKED;
	return r;
}

bool python_frames_is_interpreter(const struct monitor *m, uint16_t slot)
{
	return slot <= FILE_SLOT_MAX && m->states[slot] && m->states[slot]->interpreter;
}

static uint8_t boundary_of(const struct python_layout *l)
{
	if (l->frame_is_entry != PYTHON_NONE)
		return PYTHON_UP_TO_ENTRY;
	return l->frame_owner != PYTHON_NONE ? PYTHON_UP_TO_SHIM : PYTHON_EACH_FRAME;
}

static uint8_t instruction_of(const struct python_layout *l)
{
	switch (l->previous_instruction) {
	case PYTHON_LASTI_BYTES:
		return PYTHON_BYTES;
	case PYTHON_LASTI_UNITS:
		return PYTHON_UNITS;
	default:
		return PYTHON_POINTER;
	}
}

static struct python_target describe(const struct python_interpreter *i, uint16_t slot)
{
	const struct python_layout *l = &i->layout;
	struct python_target t = {
		.code_type = i->code_type,
		.running = i->running,
		.thread_slot = { i->thread_slot[0], i->thread_slot[1] },
		.slot = slot,
		.minor = l->minor,
		.thread_id = l->thread_id,
		.thread_frame = l->thread_frame,
		.thread_cframe_frame = l->thread_cframe_frame,
		.frame_code = l->frame_code,
		.frame_previous = l->frame_previous,
		.frame_instruction = l->frame_instruction,
		.frame_owner = l->frame_owner,
		.frame_is_entry = l->frame_is_entry,
		.frame_bytes = l->frame_bytes,
		.code_firstlineno = l->code_firstlineno,
		.code_version = l->code_version,
		.code_filename = l->code_filename,
		.code_name = l->code_qualname != PYTHON_NONE ? l->code_qualname : l->code_name,
		.code_linetable = l->code_linetable,
		.code_first_unit = l->code_first_unit,
		.str_ascii = l->str_ascii,
		.str_compact = l->str_compact,
		.boundary = boundary_of(l),
		.instruction = instruction_of(l),
	};

	for (size_t part = 0; part < ARRAY_SIZE(t.eval); part++) {
		if (i->eval[part][1] == 0)
			continue;
		t.eval[part][0] = (uint32_t)(i->eval[part][0] - i->file_bias);
		t.eval[part][1] = (uint32_t)(i->eval[part][1] - i->file_bias);
	}
	return t;
}

static const struct probe_mapping *find_mapping(const struct monitor *m, const struct tracked *t)
{
	for (size_t i = 0; i < t->n_mappings; i++)
		if (python_frames_is_interpreter(m, t->mappings[i].slot))
			return &t->mappings[i];
	return NULL;
}

static void refuse(struct tracked *t, const char *why)
{
	t->target->python_error = why;
	t->python = PYTHON_GIVEN_UP;
	log_warning("no Python frames of pid %d (%s): %s", (int)t->target->pid, t->target->comm,
		    why);
}

static void on_timer(evutil_socket_t fd, short what, void *userdata)
{
	struct monitor *m = userdata;
	struct tracked *t, *next;

	(void)fd;
	(void)what;
	HASH_ITER(by_key, m->tracked, t, next)
		if (t->python == PYTHON_STARTING && t->target->state != TARGET_EXITED)
			python_frames_attach(m, t);
}

/* Soon, while it is starting: its first stacks shall have their Python frames. Then once per tick. */
static void try_again(struct monitor *m, struct tracked *t, const char *why)
{
	static const struct timeval soon = { .tv_usec = STARTING_US };

	if (t->python_tries >= STARTING_TRIES) {
		if (why)
			refuse(t, why);
		return;
	}
	t->python_tries++;
	if (!m->python_timer)
		m->python_timer = evtimer_new(m->base, on_timer, m);
	if (!m->python_timer || evtimer_add(m->python_timer, &soon) < 0)
		log_debug("failed to wait for Python to start, the next tick tries again");
}

void python_frames_attach(struct monitor *m, struct tracked *t)
{
	const struct probe_mapping *map = find_mapping(m, t);
	struct python_interpreter i;
	struct python_target python;
	const char *why = NULL;
	int r;

	if (!map || t->python == PYTHON_READY || t->python == PYTHON_GIVEN_UP)
		return;
	t->target->runs_python = true;
	r = python_interpreter_read(t->target->pid, m->states[map->slot]->interpreter, map->start,
				    map->offset, &i, &why);
	if (r == -EOPNOTSUPP) {
		refuse(t, why);
		return;
	}
	if (r < 0 || !i.thread_slot[0]) {
		t->python = PYTHON_STARTING;
		try_again(m, t, why);
		return;
	}
	python = describe(&i, map->slot);
	r = probe_publish_python(m->probe, t->target->key, &python);
	if (r < 0) {
		log_errno(LOG_WARNING, r, "failed to follow Python frames of pid %d",
			  (int)t->target->pid);
		t->python = PYTHON_GIVEN_UP;
		return;
	}
	t->python = PYTHON_READY;
	log_debug("pid %d runs Python 3.%u.%u", (int)t->target->pid, i.layout.minor, i.micro);
}

/* What the kernel side could not copy: the same object still, and the table that it has. */
static int read_table(const struct note_code *n, const struct python_layout *l,
		      struct python_code *code)
{
	_cleanup_free_ uint8_t *table = NULL;
	struct python_memory memory;
	uint64_t address, bytes;
	int r;

	if (n->table_bytes > TABLE_BYTES_MAX)
		return -E2BIG;
	table = malloc(n->table_bytes);
	if (!table)
		return -ENOMEM;
	python_memory_of_process(&memory, (pid_t)n->tgid);
	r = python_read(&memory, n->table + l->bytes_data, table, n->table_bytes);
	if (r == 0)
		r = python_read_u64(&memory, n->table + PY_OB_SIZE, &bytes);
	if (r == 0)
		r = python_read_u64(&memory, n->code + l->code_linetable, &address);
	if (r < 0)
		return r;
	if (address != n->table || bytes != n->table_bytes ||
	    memcmp(table, n->table_data, sizeof(n->table_data)) != 0)
		return -ESTALE;
	code->table = TAKE_PTR(table);
	code->n = n->table_bytes;
	return 0;
}

static int take_table(const struct note_code *n, const struct python_layout *l,
		      struct python_code *code)
{
	size_t bytes = n->table_bytes < sizeof(n->table_data) ? (size_t)n->table_bytes :
								sizeof(n->table_data);
	int r;

	if (n->table_bytes > sizeof(n->table_data)) {
		r = read_table(n, l, code);
		if (r == 0 || r == -ENOMEM)
			return r;
		log_debug_errno(r, "lines of a Python function are known in part, ignoring");
	}
	code->table = malloc(bytes ? bytes : 1);
	if (!code->table)
		return -ENOMEM;
	memcpy(code->table, n->table_data, bytes);
	code->n = bytes;
	return 0;
}

static int take_text(const struct python_layout *l, const struct note_text *text,
		     const uint8_t *data, size_t room, char **ret)
{
	int r;

	if (text->bytes > room)
		return -EBADMSG;
	r = python_text(l, text->length, text->state, data, text->bytes, ret);
	/* No string: nothing is known of it. */
	return r == -EINVAL ? 0 : r;
}

static int take_code(struct monitor *m, const struct note_code *n)
{
	_cleanup_(python_code_freep) struct python_code *code = calloc(1, sizeof(*code));
	const struct python_layout *l = python_layout_find(3, n->minor);
	int r;

	if (!code || !l)
		return code ? -EBADMSG : -ENOMEM;
	code->kind = l->line_table;
	code->first_line = n->first_line <= INT32_MAX ? n->first_line : 0;
	r = take_text(l, &n->file, n->file_data, sizeof(n->file_data), &code->file);
	if (r == 0)
		r = take_text(l, &n->name, n->name_data, sizeof(n->name_data), &code->name);
	if (r == 0)
		r = take_table(n, l, code);
	return r < 0 ? r : symbolizer_add_code(m->symbolizer, n->other, TAKE_PTR(code));
}

void python_frames_take_note(struct monitor *m, const struct note *note)
{
	struct note_code n;
	int r;

	memcpy(&n, note, sizeof(n));
	r = take_code(m, &n);
	if (r < 0)
		log_debug_errno(r, "failed to take in Python code, its frames have no names");
	handover_touch(m);
	/* Where there is no room, no more shall come. */
	if (r != -ENOSPC && probe_give_code(m->probe) < 0)
		log_debug("failed to give a number to Python code, ignoring");
}
