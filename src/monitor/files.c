// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * What is known of the ELF files that targets map: allocator functions and unwind tables.
 *
 * Each file is looked at by the sandboxed child, until it has an answer, which comes from the event loop.
 */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

#include "base/log.h"
#include "elf/unwind_table.h"
#include "monitor/state.h"
#include "probe/hooks.h"

static struct file_state *state_of(struct monitor *m, uint16_t slot)
{
	struct file_state *s;

	if (slot == 0 || slot > FILE_SLOT_MAX)
		return NULL;
	s = m->states[slot];
	if (s)
		return s;
	s = calloc(1, sizeof(*s));
	if (!s)
		return NULL;
	s->monitor = m;
	s->slot = slot;
	m->states[slot] = s;
	return s;
}

/*
 * The dynamic linker says when libraries come or go. glibc's has a little malloc of its own, which
 * serves only itself before libc is there; musl's is the C library.
 */
static bool is_dynamic_linker(const char *path)
{
	const char *base = strrchr(path, '/');

	return strncmp(base ? base + 1 : path, "ld-", 3) == 0;
}

static bool has_own_allocator(const char *path)
{
	return is_dynamic_linker(path) && !strstr(path, "/ld-musl");
}

static bool has_required(const struct hook_point *points, size_t n)
{
	for (size_t i = 0; i < n_hooks; i++) {
		bool found = !hooks[i].required;

		for (size_t j = 0; j < n && !found; j++)
			found = points[j].name == i;
		if (!found)
			return false;
	}
	return true;
}

bool files_is_passing(int error)
{
	return error == -EMFILE || error == -ENFILE || error == -ENOMEM || error == -EAGAIN;
}

/* What an answer leaves: known, whatever it says of the file, or to be asked for again. */
enum file_progress files_progress(struct file_state *s, int error)
{
	if (!files_is_passing(error))
		return FILE_KNOWN;
	s->error = error;
	s->failed_at_tick = s->monitor->ticks;
	return FILE_FAILED;
}

static int take_hooks(struct file_state *s, const struct hook_point *points, size_t n)
{
	const struct file *file = file_table_get(s->monitor->files, s->slot);

	if (!file || !n)
		return 0;
	s->defines_malloc = has_required(points, n);
	s->is_allocator = s->defines_malloc && !has_own_allocator(file->path);
	s->points = calloc(n, sizeof(*s->points));
	if (!s->points)
		return -ENOMEM;
	for (size_t i = 0; i < n; i++) {
		const struct hook *hook = points[i].name < n_hooks ? &hooks[points[i].name] : NULL;

		if (!hook || (hook->kind == HOOK_LINK_MAP ? !is_dynamic_linker(file->path) :
							    !s->is_allocator))
			continue;
		s->points[s->n_points++] = (struct probe_point){
			.offset = points[i].probe_offset,
			.kind = hook->kind,
			.emulated = points[i].flags & HOOK_EMULATED,
			.calls_hooks = points[i].flags & HOOK_CALLS_HOOKS,
		};
	}
	if (!s->n_points) {
		free(s->points);
		s->points = NULL;
	}
	return 0;
}

static void on_hooks(int error, const struct hook_point *points, size_t n, void *userdata)
{
	struct file_state *s = userdata;

	if (error == 0)
		error = take_hooks(s, points, n);
	if (error < 0)
		log_debug_errno(error, "failed to look for allocator functions in file %u",
				s->slot);
	s->hooks = files_progress(s, error);
	attach_advance(s->monitor);
}

static void on_table(int error, const struct unwind_table *table, void *userdata)
{
	struct file_state *s = userdata;
	const struct file *file = file_table_get(s->monitor->files, s->slot);
	const char *path = file ? file->path : "?";
	int r = error;

	if (r == 0)
		r = probe_publish_table(s->monitor->probe, s->slot, table);
	s->table = files_progress(s, r);
	if (r < 0) {
		log_debug_errno(r, "no unwind table for %s, stacks end there", path);
		/* Without room the file stays one without table, which is what stacks then say. */
		if (r != -ENOSPC && s->table != FILE_FAILED &&
		    probe_set_unwind_mode(s->monitor->probe, s->slot, UNWIND_IMPOSSIBLE) < 0)
			log_debug("failed to mark %s, ignoring", path);
	}
	attach_advance(s->monitor);
}

/* What has failed is asked for once per tick: nothing much may have changed before. */
bool files_are_to_be_asked(const struct file_state *s, enum file_progress progress)
{
	return progress == FILE_UNKNOWN ||
	       (progress == FILE_FAILED && s->failed_at_tick != s->monitor->ticks);
}

/* Asks the child about a file, until it has an answer. */
int files_learn(struct monitor *m, uint16_t slot)
{
	const struct file *file = file_table_get(m->files, slot);
	struct file_state *s = state_of(m, slot);
	int r;

	if (!s)
		return -ENOMEM;
	if (!file || file->fd < 0) {
		s->hooks = FILE_KNOWN;
		s->table = FILE_KNOWN;
		s->python = FILE_KNOWN;
		return 0;
	}
	r = python_frames_learn(m, s, file);
	if (r < 0)
		return r;
	if (files_are_to_be_asked(s, s->table)) {
		r = symbolizer_compile_unwind(m->symbolizer, slot, on_table, s);
		if (r < 0)
			return r;
		s->table = FILE_ASKED;
	}
	if (files_are_to_be_asked(s, s->hooks)) {
		r = symbolizer_find_hooks(m->symbolizer, slot, hook_names, n_hooks, on_hooks, s);
		if (r < 0)
			return r;
		s->hooks = FILE_ASKED;
	}
	return 0;
}

bool files_ready(const struct monitor *m, uint16_t slot)
{
	const struct file_state *s = slot <= FILE_SLOT_MAX ? m->states[slot] : NULL;

	return !s || (s->hooks >= FILE_KNOWN && s->table >= FILE_KNOWN && s->python >= FILE_KNOWN);
}

int files_error(const struct monitor *m, uint16_t slot)
{
	const struct file_state *s = slot <= FILE_SLOT_MAX ? m->states[slot] : NULL;

	if (!s || (s->hooks != FILE_FAILED && s->table != FILE_FAILED && s->python != FILE_FAILED))
		return 0;
	return s->error;
}

/* Takes over the descriptor. The file may be known already: then its slot is returned. */
int files_add_opened(struct monitor *m, const char *path, int fd, uint16_t *ret_slot)
{
	uint64_t dev, inode;
	uint16_t slot;
	struct stat st;
	int r;

	if (fstat(fd, &st) < 0) {
		r = -errno;
		close_fd(fd);
		return r;
	}
	dev = (uint64_t)major(st.st_dev) << 20 | minor(st.st_dev);
	inode = st.st_ino;
	r = probe_file_slot(m->probe, dev, inode, &slot);
	if (r < 0) {
		close_fd(fd);
		return r;
	}
	if (file_table_get(m->files, slot)) {
		close_fd(fd);
	} else {
		r = file_table_add(m->files, slot, dev, inode, path, fd, -EBADF, NULL);
		if (r < 0)
			return r;
	}
	*ret_slot = slot;
	return files_learn(m, slot);
}

/* The names of a note's path come from the last to the first, each with its final NUL. */
static int note_path(const struct note *note, char **ret)
{
	size_t end = note->path_bytes, at;
	_cleanup_free_ char *path = NULL;
	size_t n = 0;

	if (end > sizeof(note->path))
		return -EBADMSG;
	path = calloc(1, end + 2);
	if (!path)
		return -ENOMEM;
	while (end > 0) {
		if (note->path[end - 1] != '\0')
			return -EBADMSG;
		at = end - 1;
		while (at > 0 && note->path[at - 1] != '\0')
			at--;
		path[n++] = '/';
		memcpy(path + n, note->path + at, end - 1 - at);
		n += end - 1 - at;
		end = at;
	}
	path[n] = '\0';
	*ret = TAKE_PTR(path);
	return 0;
}

/*
 * A file that the unwinder met before user space knew of it. If the process is gone by now, the
 * path is all that is left; it is trusted only if device and inode agree.
 */
int files_take_note(struct monitor *m, const struct note *note)
{
	_cleanup_close_ int fd = -EBADF;
	_cleanup_free_ char *path = NULL;
	struct stat st;
	int r;

	if (note->other == 0 || note->other > FILE_SLOT_MAX)
		return -EBADMSG;
	if (file_table_get(m->files, (uint16_t)note->other))
		return 0;
	r = note_path(note, &path);
	if (r < 0)
		return r;
	fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
	/* It is found again with the mappings of its process. */
	if (fd < 0 && (errno == EMFILE || errno == ENFILE))
		return -errno;
	if (fd >= 0 && (fstat(fd, &st) < 0 || !S_ISREG(st.st_mode) ||
			((uint64_t)major(st.st_dev) << 20 | minor(st.st_dev)) != note->dev ||
			st.st_ino != note->inode))
		fd = close_fd(fd);
	r = file_table_add(m->files, (uint16_t)note->other, note->dev, note->inode, path,
			   TAKE_FD(fd), -EBADF, NULL);
	if (r < 0)
		return r;
	return files_learn(m, (uint16_t)note->other);
}

bool files_only_pass_on(const struct monitor *m, uint64_t frame)
{
	static const char *const libraries[] = {
		"libc.so",     "libc-2.",	 "ld-musl",	   "libstdc++.so",
		"libc++.so",   "libc++abi.so",	 "libglib-2.0.so", "libjemalloc.so",
		"libtcmalloc", "libmimalloc.so",
	};
	uint16_t slot = frame >> FRAME_SLOT_SHIFT & FRAME_SLOT_MASK;
	const struct file *file = slot ? file_table_get(m->files, slot) : NULL;
	const char *base = file ? strrchr(file->path, '/') : NULL;

	if (!file)
		return false;
	/* What the interpreter allocates is some Python line's, and that frame comes further out. */
	if (python_frames_is_interpreter(m, slot) || strstr(file->path, "/lib-dynload/"))
		return true;
	base = base ? base + 1 : file->path;
	/* Not a program with an allocator of its own: that is all there is. */
	if (m->states[slot] && m->states[slot]->defines_malloc && strstr(base, ".so"))
		return true;
	for (size_t i = 0; i < ARRAY_SIZE(libraries); i++)
		if (strncmp(base, libraries[i], strlen(libraries[i])) == 0)
			return true;
	return false;
}
