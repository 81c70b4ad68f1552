// SPDX-License-Identifier: GPL-2.0-or-later
/* Where probes go in a file. See doctor_places.h. */
#include "cli/doctor_places.h"

#include <dlfcn.h>
#include <fcntl.h>
#include <inttypes.h>
#include <string.h>
#include <sys/stat.h>

#include <event2/event.h>

#include "base/cleanup.h"
#include "base/utf8.h"
#include "cli/field.h"
#include "cli/render.h"
#include "cli/text.h"
#include "cli/text_table.h"
#include "elf/files.h"
#include "probe/hooks.h"
#include "symbolize/symbolizer.h"

#define SLOT	   1
#define TIMEOUT_NS 30000000000ull

static const struct text_column columns[] = {
	{ "SITE", false },	  { "OFFSET", true },	    { "HIT", false },
	{ "CALLS HOOKS", false }, { "INSTRUCTION", false },
};

struct reading {
	struct event_base *base;       /* owned */
	struct file_table *files;      /* owned */
	struct symbolizer *symbolizer; /* owned */
	char *path;		       /* owned; printable */
	json_t *places;		       /* borrowed */
	int error;
};

int doctor_c_library(char **ret)
{
	/* Allocators replace malloc and free; nobody replaces this one. */
	const void *function = dlsym(RTLD_DEFAULT, "abort");
	Dl_info info;

	if (!function || !dladdr(function, &info) || !info.dli_fname)
		return -ENOENT;
	*ret = realpath(info.dli_fname, NULL);
	return *ret ? 0 : -errno;
}

static int add_place(struct reading *r, const struct hook_point *p)
{
	const char *function = hook_names[p->name];
	uint64_t distance = p->probe_offset - p->symbol_offset;
	_cleanup_free_ char *site = NULL;
	json_t *place;

	if (asprintf(&site, "%s+0x%" PRIx64, function, distance) < 0) {
		site = NULL;
		return -ENOMEM;
	}
	place = json_pack("{s:s, s:s?, s:s, s:s, s:I, s:I, s:s, s:b, s:b}", "file", r->path,
			  "build_id", symbolizer_build_id(r->symbolizer, SLOT), "function",
			  function, "site", site, "offset", (json_int_t)p->symbol_offset,
			  "distance", (json_int_t)distance, "instruction", p->words, "emulated",
			  !!(p->flags & HOOK_EMULATED), "calls_hooks",
			  !!(p->flags & HOOK_CALLS_HOOKS));
	return place && json_array_append_new(r->places, place) == 0 ? 0 : -ENOMEM;
}

static void on_hooks(int error, const struct hook_point *points, size_t n, void *userdata)
{
	struct reading *r = userdata;

	r->error = error;
	for (uint32_t name = 0; name < n_hooks; name++) {
		for (size_t i = 0; i < n && r->error == 0; i++) {
			if (points[i].name == name)
				r->error = add_place(r, &points[i]);
		}
	}
}

static int open_regular(const char *path, struct stat *ret_stat)
{
	_cleanup_close_ int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);

	if (fd < 0)
		return -errno;
	if (fstat(fd, ret_stat) < 0)
		return -errno;
	if (!S_ISREG(ret_stat->st_mode))
		return -EINVAL;
	return TAKE_FD(fd);
}

static int reading_begin(struct reading *r, const char *path)
{
	struct stat st;
	int fd, error;

	fd = open_regular(path, &st);
	if (fd < 0)
		return fd;
	r->files = file_table_new();
	if (!r->files) {
		close_fd(fd);
		return -ENOMEM;
	}
	error = file_table_add(r->files, SLOT, st.st_dev, st.st_ino, path, fd, -EBADF, NULL);
	if (error == 0)
		error = utf8_sanitize(path, strlen(path), &r->path);
	if (error < 0)
		return error;
	r->base = event_base_new();
	return r->base ? symbolizer_new(r->base, r->files, NULL, &r->symbolizer) : -ENOMEM;
}

static void reading_done(struct reading *r)
{
	(void)symbolizer_free(r->symbolizer);
	(void)file_table_free(r->files);
	if (r->base)
		event_base_free(r->base);
	free(r->path);
}

int doctor_find_places(const char *path, json_t *places)
{
	_cleanup_(reading_done) struct reading r = { .places = places, .error = -ETIMEDOUT };
	int error;

	error = reading_begin(&r, path);
	if (error == 0)
		error = symbolizer_find_hooks(r.symbolizer, SLOT, hook_names, n_hooks, on_hooks,
					      &r);
	if (error == 0)
		error = symbolizer_drain(r.symbolizer, TIMEOUT_NS);
	return error < 0 ? error : r.error;
}

static void add_row(struct text_table *t, const json_t *place)
{
	char offset[2 + 16 + 1];
	int n;

	n = snprintf(offset, sizeof(offset), "0x%" PRIx64, field_count(place, "offset"));
	text_table_add(t, field_text(place, "site"));
	text_table_add(t, n > 0 ? offset : NULL);
	text_table_add(t, json_is_true(json_object_get(place, "emulated")) ? "emulated" :
									     "single-stepped");
	text_table_add(t, json_is_true(json_object_get(place, "calls_hooks")) ? "yes" : "no");
	text_table_add(t, field_text(place, "instruction"));
}

int doctor_print_places(const json_t *places, const struct cli_context *context)
{
	_cleanup_(text_table_freep) struct text_table *t = NULL;
	const json_t *first = json_array_get(places, 0), *place;
	struct render_options o;
	size_t i;

	if (!first)
		return 0;
	render_options_init(&o, context, stdout);
	t = text_table_new(columns, ARRAY_SIZE(columns), &o);
	if (!t)
		return -ENOMEM;
	json_array_foreach(places, i, place)
		add_row(t, place);
	if (o.legend) {
		(void)fputs("Probes in ", stdout);
		text_put_clean(stdout, field_text_or(first, "file", "?"), o.ascii);
		(void)fputs(":\n", stdout);
	}
	return text_table_print(t, stdout);
}
