// SPDX-License-Identifier: GPL-2.0-or-later
/* Frames and stacks as text. See render.h. */
#include "cli/render.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>

#include "base/cleanup.h"
#include "cli/field.h"
#include "cli/text.h"
#include "heap/group.h"
#include "symbolize/frame.h"
#include "target/target.h"

#define INDENT	       "    "
#define BLAME	       "==> "
#define INDENT_COLUMNS 4

/* Why a stack ends before the thread's start, in words. The names are those of the API. */
static const char *const cut_reasons[] = {
	[STACK_COMPLETE] = "",
	[STACK_DEPTH] = "it has more frames than are kept",
	[STACK_NO_MAPPING] = "an address outside of all known mappings",
	[STACK_NO_TABLE] = "no unwind table",
	[STACK_NO_CFI] = "code without call frame information",
	[STACK_INVALID_RULE] = "an unwind rule that is not supported",
	[STACK_READ_FAULT] = "stack memory could not be read",
	[STACK_BAD_CFA] = "the frame address makes no sense",
	[STACK_JIT] = "generated code, no file behind it",
};

_Static_assert(ARRAY_SIZE(cut_reasons) == STACK_STATUSES, "a reason is missing");

const char *render_cut_reason(const char *status)
{
	int i;

	for (i = 0; i < STACK_STATUSES; i++)
		if (strcmp(stack_status_name((enum stack_status)i), status) == 0)
			return cut_reasons[i];
	return status;
}

static bool is_plumbing(const json_t *frame)
{
	struct frame f = {
		.function = field_text(frame, "function"),
		.file = field_text(frame, "file"),
		.module = field_text(frame, "module"),
	};

	return f.function && frame_is_plumbing(&f);
}

static void put_place(FILE *out, const json_t *frame, bool full_path)
{
	const char *file = field_text(frame, "file");
	uint64_t line = field_count(frame, "line");

	(void)fprintf(out, " (%s", full_path ? file : text_base_name(file));
	if (line)
		(void)fprintf(out, ":%" PRIu64, line);
	(void)fputc(')', out);
}

static void put_name(FILE *out, const json_t *frame, bool full_path)
{
	const char *function = field_text(frame, "function");
	const char *module = field_text(frame, "module");
	const char *kind = field_text_or(frame, "kind", "native");
	/* A frame that stands for several sites has neither function nor address. */
	bool has_address = !function && field_has_integer(frame, "offset");

	if (function)
		(void)fputs(function, out);
	else if (has_address && module)
		(void)fprintf(out, "%s+0x%" PRIx64, full_path ? module : text_base_name(module),
			      (uint64_t)field_integer(frame, "offset"));
	else if (has_address)
		(void)fprintf(out, "0x%" PRIx64, (uint64_t)field_integer(frame, "offset"));
	if (field_text(frame, "file"))
		put_place(out, frame, full_path);
	else if (module && !has_address)
		(void)fprintf(out, "%s%s", function ? " in " : "",
			      full_path ? module : text_base_name(module));
	if (!function && !module && !field_text(frame, "file"))
		(void)fputs(has_address ? " (unknown)" : "(unknown)", out);
	if (function && field_true(frame, "approximate"))
		(void)fputs(" (approximate)", out);
	if (strcmp(kind, "native") != 0)
		(void)fprintf(out, " [%s]", kind);
}

/* "File "/srv/app.py", line 42, in handle"; where there is no file, the module and the offset. */
static void put_traceback_name(FILE *out, const json_t *frame)
{
	const char *function = field_text(frame, "function"), *file = field_text(frame, "file");
	const char *module = field_text(frame, "module");
	uint64_t line = field_count(frame, "line");

	(void)fprintf(out, "%s \"%s\"", file ? "File" : "Module",
		      file   ? file :
		      module ? module :
			       "<unknown>");
	if (file && line)
		(void)fprintf(out, ", line %" PRIu64, line);
	else if (!function && field_has_integer(frame, "offset"))
		(void)fprintf(out, ", offset 0x%" PRIx64, (uint64_t)field_integer(frame, "offset"));
	if (function)
		(void)fprintf(out, ", in %s", function);
}

/* How a frame is written. */
enum form {
	FORM_SHORT,
	FORM_FULL_PATH,
	FORM_TRACEBACK,
};

static int make_name(const json_t *frame, enum form form, bool ascii, char **ret)
{
	_cleanup_free_ char *text = NULL;
	size_t size = 0;
	FILE *stream;
	bool failed;

	stream = open_memstream(&text, &size);
	if (!stream)
		return -ENOMEM;
	if (form == FORM_TRACEBACK)
		put_traceback_name(stream, frame);
	else
		put_name(stream, frame, form == FORM_FULL_PATH);
	failed = ferror(stream) != 0;
	if (fclose(stream) != 0 || failed)
		return -ENOMEM;
	*ret = text_clean(text, ascii);
	return *ret ? 0 : -ENOMEM;
}

int render_frame_name(const json_t *frame, bool full_path, bool ascii, char **ret)
{
	return make_name(frame, full_path ? FORM_FULL_PATH : FORM_SHORT, ascii, ret);
}

/* "stack cut here: no unwind table (libfoo.so)" */
static void put_cut(FILE *out, const json_t *frames, const char *status,
		    const struct render_options *o)
{
	const json_t *last = json_array_get(frames, json_array_size(frames) - 1);
	const char *module = field_text(last, "module");

	render_style(out, o, RENDER_WARN);
	(void)fputs(INDENT "stack cut here: ", out);
	text_put_clean(out, render_cut_reason(status), o->ascii);
	if (module) {
		(void)fputs(" (", out);
		text_put_clean(out, text_base_name(module), o->ascii);
		(void)fputc(')', out);
	}
	render_style(out, o, RENDER_PLAIN);
	(void)fputc('\n', out);
}

const json_t *render_blamed_frame(const json_t *frames)
{
	const json_t *frame;
	size_t i;

	json_array_foreach(frames, i, frame)
		if (!is_plumbing(frame))
			return frame;
	return json_array_get(frames, 0);
}

/* @mark: before the blamed frame. */
static int put_frames(FILE *out, const json_t *frames, const char *mark,
		      const struct render_options *o)
{
	size_t room = o->columns > INDENT_COLUMNS + 3 ? o->columns - INDENT_COLUMNS - 3 : 0, i;
	bool blamed = false; /* the innermost frame that is not plumbing has been printed */
	const json_t *frame;
	int r;

	json_array_foreach(frames, i, frame) {
		_cleanup_free_ char *name = NULL;
		bool plumbing = is_plumbing(frame);

		r = render_frame_name(frame, false, o->ascii, &name);
		if (r < 0)
			return r;
		(void)fprintf(out, "%sat ", !plumbing && !blamed ? mark : INDENT);
		if (plumbing)
			render_style(out, o, RENDER_DIM);
		else if (!blamed)
			render_style(out, o, RENDER_BOLD);
		text_put_cut(out, name, room, o->ascii);
		if (plumbing || !blamed)
			render_style(out, o, RENDER_PLAIN);
		(void)fputc('\n', out);
		blamed = blamed || !plumbing;
	}
	return 0;
}

int render_blamed_stack(FILE *out, const json_t *frames, const struct render_options *o)
{
	return put_frames(out, frames, BLAME, o);
}

static int put_traceback(FILE *out, const json_t *frames, const char *status,
			 const struct render_options *o)
{
	const json_t *blamed = render_blamed_frame(frames);
	size_t n = json_array_size(frames);
	int r;

	if (n == 0)
		return 0;
	(void)fputs(INDENT "Traceback (most recent call last):\n", out);
	if (status && strcmp(status, stack_status_name(STACK_COMPLETE)) != 0)
		put_cut(out, frames, status, o);
	while (n-- > 0) {
		const json_t *frame = json_array_get(frames, n);
		_cleanup_free_ char *name = NULL;

		r = make_name(frame, FORM_TRACEBACK, o->ascii, &name);
		if (r < 0)
			return r;
		(void)fputs(INDENT "  ", out);
		if (frame == blamed || is_plumbing(frame))
			render_style(out, o, frame == blamed ? RENDER_BOLD : RENDER_DIM);
		text_put_clean(out, name, o->ascii);
		if (frame == blamed || is_plumbing(frame))
			render_style(out, o, RENDER_PLAIN);
		(void)fputc('\n', out);
	}
	return 0;
}

int render_stack(FILE *out, const json_t *frames, const char *status,
		 const struct render_options *o)
{
	int r;

	if (o->traceback)
		return put_traceback(out, frames, status, o);
	r = put_frames(out, frames, INDENT, o);
	if (r < 0)
		return r;
	if (status && strcmp(status, stack_status_name(STACK_COMPLETE)) != 0)
		put_cut(out, frames, status, o);
	return 0;
}
