// SPDX-License-Identifier: GPL-2.0-or-later
/* The report of a foreground session, to people or to a file. See report.h. */
#include "cli/report.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/cleanup.h"
#include "cli/field.h"
#include "cli/format.h"
#include "cli/render.h"
#include "cli/text.h"

static int put_section(FILE *out, const json_t *section, const struct render_options *o)
{
	static const struct render_listing listing = { .by = NULL };
	const json_t *target = json_object_get(section, "target");
	const json_t *sites = json_object_get(section, "sites");
	int r;

	if (o->legend) {
		render_target_heading(out, target, o);
		(void)fputc('\n', out);
	}
	r = render_sites(out, sites, &listing, o);
	if (r < 0 || !o->legend)
		return r;
	(void)fputc('\n', out);
	render_sums(out, sites, &listing, o);
	render_coverage(out, json_object_get(target, "coverage"), o);
	return 0;
}

/* A child that kept nothing: one line, with what was missed of it. */
static void put_clean_child(FILE *out, const json_t *target, const struct render_options *o)
{
	const json_t *coverage = json_object_get(target, "coverage");
	uint64_t lost = render_lost(coverage);

	(void)fputs("child ", out);
	render_target_name(out, target, o);
	(void)fprintf(
		out, ": nothing live after %s",
		format_plural(field_count(coverage, "allocations_seen"), "allocation", o->raw_bytes)
			.text);
	if (lost)
		(void)fprintf(out, ", %s lost", format_count(lost, o->raw_bytes).text);
	if (field_text(target, "error")) {
		(void)fputs(", ", out);
		text_put_clean(out, field_text(target, "error"), o->ascii);
	}
	(void)fputc('\n', out);
}

/* A child whose tracing failed says so in its line; only live blocks earn a section. */
static bool has_live_blocks(const json_t *section)
{
	const json_t *target = json_object_get(section, "target");
	const json_t *sites = json_object_get(section, "sites"), *site;
	size_t i;

	if (field_count(target, "live_count"))
		return true;
	if (json_is_object(sites))
		sites = json_object_get(sites, "sites");
	json_array_foreach(sites, i, site)
		if (field_count(site, "live_count"))
			return true;
	return false;
}

int report_print(FILE *out, const json_t *report, const struct render_options *options)
{
	const json_t *children = json_object_get(report, "children"), *child;
	double seconds = field_number(report, "duration_seconds");
	size_t i, clean = 0;
	int r;

	r = put_section(out, report, options);
	if (r < 0)
		return r;
	json_array_foreach(children, i, child) {
		if (!has_live_blocks(child)) {
			clean++;
			continue;
		}
		if (options->legend)
			(void)fputs("\nchild ", out);
		r = put_section(out, child, options);
		if (r < 0)
			return r;
	}
	if (options->legend && clean) {
		(void)fputc('\n', out);
		json_array_foreach(children, i, child)
			if (!has_live_blocks(child))
				put_clean_child(out, json_object_get(child, "target"), options);
	}
	if (options->legend && !isnan(seconds))
		(void)fprintf(out, "\nWatched for %s.\n",
			      format_duration(seconds, options->raw_bytes).text);
	return ferror(out) || fflush(out) != 0 ? -EIO : 0;
}

static int put_report(FILE *out, const json_t *report, bool json, const struct render_options *o)
{
	return json ? render_json(out, report, o->indent_json) : report_print(out, report, o);
}

static int finish_file(FILE **file, const char *temporary, const char *path)
{
	FILE *f = TAKE_PTR(*file);
	int r = 0;

	if (fflush(f) != 0 || fsync(fileno(f)) < 0)
		r = -errno;
	if (fclose(f) != 0 && r == 0)
		r = -errno;
	if (r == 0 && rename(temporary, path) < 0)
		r = -errno;
	return r;
}

/* A neighbour of @path, so that rename() can put it in place; made with the user's umask. */
static int open_temporary(const char *path, char **ret_name, FILE **ret)
{
	_cleanup_free_ char *name = NULL;
	_cleanup_close_ int fd = -EBADF;
	FILE *file;
	int r;

	if (asprintf(&name, "%s.%" PRIiMAX ".tmp", path, (intmax_t)getpid()) < 0) {
		name = NULL; /* asprintf() leaves it undefined on failure */
		return -ENOMEM;
	}
	fd = open(name, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0666);
	if (fd < 0)
		return -errno;
	file = fdopen(fd, "w");
	if (!file) {
		r = -errno;
		(void)unlink(name);
		return r;
	}
	(void)TAKE_FD(fd);
	*ret_name = TAKE_PTR(name);
	*ret = file;
	return 0;
}

static int write_file(const char *path, const json_t *report, bool json,
		      const struct render_options *o)
{
	_cleanup_free_ char *temporary = NULL;
	_cleanup_fclose_ FILE *file = NULL;
	int r;

	r = open_temporary(path, &temporary, &file);
	if (r < 0)
		return r;
	r = put_report(file, report, json, o);
	if (r == 0)
		r = finish_file(&file, temporary, path);
	if (r < 0)
		(void)unlink(temporary);
	return r;
}

/* Pipes, terminals and devices: to rename something over them would take them away. */
static int write_special(const char *path, const json_t *report, bool json,
			 const struct render_options *o)
{
	_cleanup_fclose_ FILE *file = fopen(path, "we");

	if (!file)
		return -errno;
	return put_report(file, report, json, o);
}

int report_write(const char *path, const json_t *report, bool json,
		 const struct render_options *options)
{
	struct render_options plain = *options;
	_cleanup_free_ char *real = NULL;
	struct stat st;

	if (!path)
		return put_report(stdout, report, json, options);
	plain.colour = false;
	plain.ascii = false;
	plain.indent_json = false;
	plain.columns = 0;
	if (stat(path, &st) < 0)
		return errno == ENOENT ? write_file(path, report, json, &plain) : -errno;
	if (!S_ISREG(st.st_mode))
		return write_special(path, report, json, &plain);
	/* What a symbolic link names is replaced, not the link. */
	real = realpath(path, NULL);
	if (!real)
		return -errno;
	return write_file(real, report, json, &plain);
}
