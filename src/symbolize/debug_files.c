// SPDX-License-Identifier: GPL-2.0-or-later
/* Where separate debug files may be. See debug_files.h. */
#include "symbolize/debug_files.h"

#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "elf/open_file.h"

#define DEBUG_ROOT "/usr/lib/debug"

/* The places, in the order in which they are looked at; each below the target's root and ours. */
enum place {
	PLACE_BUILD_ID,
	PLACE_NEXT_TO_FILE,
	PLACE_SUBFOLDER,
	PLACE_DEBUG_ROOT,
	PLACES,
};

void debug_files_format_id(const uint8_t *id, size_t bytes, char ret[2 * BUILD_ID_MAX + 1])
{
	static const char digits[] = "0123456789abcdef";
	size_t n = 0;

	for (size_t i = 0; i < bytes && i < BUILD_ID_MAX; i++) {
		ret[n++] = digits[id[i] >> 4];
		ret[n++] = digits[id[i] & 15];
	}
	ret[n] = 0;
}

/* Copies text; what does not fit is none, for such a path cannot be opened. */
static void set_text(char *to, size_t size, const char *from)
{
	size_t n = strnlen(from, size);

	if (n >= size)
		n = 0;
	memcpy(to, from, n);
	to[n] = 0;
}

static void set_folder(char folder[PATH_MAX], const char *path)
{
	const char *slash = strrchr(path, '/');

	set_text(folder, PATH_MAX, path);
	if (slash && folder[0])
		folder[slash - path] = 0;
	else
		folder[0] = 0;
}

void debug_search_init(struct debug_search *s, const struct file *file, const char *id,
		       const char *link)
{
	*s = (struct debug_search){ .file = file };
	set_text(s->id, sizeof(s->id), id);
	/* A name without directories, says the format: anything else would be a way out. */
	if (!strchr(link, '/') && strcmp(link, "..") != 0)
		set_text(s->link, sizeof(s->link), link);
	if (file->path[0] == '/')
		set_folder(s->folder, file->path);
}

void debug_search_init_alt(struct debug_search *s, const struct file *file, const char *folder,
			   const char *id, const char *link)
{
	debug_search_init(s, file, id, "");
	s->is_alt = true;
	set_text(s->link, sizeof(s->link), link);
	if (folder[0])
		set_text(s->folder, sizeof(s->folder), folder);
}

/*
 * Whether a place may be looked at below our own root for a file of another one. Only where debug
 * files of the host are: the names were chosen in the other root, and must not reach further.
 */
static bool is_place_of_host(const struct debug_search *s, enum place place)
{
	if (place == PLACE_BUILD_ID)
		return true;
	if (s->is_alt)
		return strncmp(s->link, DEBUG_ROOT "/", strlen(DEBUG_ROOT "/")) == 0 &&
		       !strstr(s->link, "/../");
	return place == PLACE_DEBUG_ROOT && !strstr(s->folder, "/..");
}

/* The path of a candidate; false if this place does not apply. */
static bool format_place(const struct debug_search *s, enum place place, char path[PATH_MAX])
{
	int n;

	if (place == PLACE_BUILD_ID) {
		if (strlen(s->id) < 4)
			return false;
		n = snprintf(path, PATH_MAX, DEBUG_ROOT "/.build-id/%.2s/%s.debug", s->id,
			     s->id + 2);
		return n > 0 && n < PATH_MAX;
	}
	if (!s->link[0])
		return false;
	if (s->is_alt) {
		if (place != PLACE_NEXT_TO_FILE)
			return false;
		n = s->link[0] == '/' ? snprintf(path, PATH_MAX, "%s", s->link) :
					snprintf(path, PATH_MAX, "%s/%s", s->folder, s->link);
		return n > 0 && n < PATH_MAX;
	}
	n = snprintf(path, PATH_MAX, "%s%s/%s%s", place == PLACE_DEBUG_ROOT ? DEBUG_ROOT : "",
		     s->folder, place == PLACE_SUBFOLDER ? ".debug/" : "", s->link);
	return n > 0 && n < PATH_MAX;
}

/*
 * Whether a candidate may be read on behalf of the file: everybody may read it, or both belong to
 * one user. A link must not make us read what its writer may not. A file whose link leads to itself
 * is no debug file of its own.
 */
static bool is_acceptable(const struct debug_search *s, const struct stat *candidate)
{
	struct stat st;

	if (fstat(s->file->fd, &st) < 0)
		return false;
	if (st.st_dev == candidate->st_dev && st.st_ino == candidate->st_ino)
		return false;
	return candidate->st_mode & S_IROTH || candidate->st_uid == st.st_uid;
}

int debug_search_next(struct debug_search *s, int *ret_fd, char *ret_folder)
{
	while (s->next < 2 * PLACES) {
		enum place place = s->next / 2;
		bool in_host = s->next % 2;
		_cleanup_close_ int fd = -EBADF;
		char path[PATH_MAX];
		struct stat st;

		s->next++;
		/* A target that lives in our own root has one place, not two. */
		if (in_host && (s->file->root_fd < 0 || !is_place_of_host(s, place)))
			continue;
		if (!format_place(s, place, path) ||
		    open_below_root(in_host ? -EBADF : s->file->root_fd, path, &st, &fd) < 0 ||
		    !is_acceptable(s, &st))
			continue;
		set_folder(ret_folder, path);
		*ret_fd = TAKE_FD(fd);
		return 0;
	}
	return -ENOENT;
}
