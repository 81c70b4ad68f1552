// SPDX-License-Identifier: GPL-2.0-or-later
/* LeakSanitizer's suppression files. See suppressions.h. */
#include "alert/suppressions.h"

#include <errno.h>
#include <string.h>

#include "base/utf8.h"

/* Both are as long. */
#define LEAK	      "leak:"
#define TYPE	      "type:"
#define PREFIX_LENGTH (sizeof(LEAK) - 1)

struct suppressions {
	char **lines; /* owned: "leak:PATTERN", "type:PATTERN" */
	size_t n;
	size_t room;
};

struct suppressions *suppressions_free(struct suppressions *s)
{
	if (!s)
		return NULL;
	for (size_t i = 0; i < s->n; i++)
		free(s->lines[i]);
	free(s->lines);
	free(s);
	return NULL;
}

/*
 * Greedy, with one way back: when what follows the latest '*' does not match here, it may match one
 * character later. Earlier ones need no second try.
 */
bool suppression_matches(const char *pattern, const char *text)
{
	bool from_start = *pattern == '^';
	const char *p = pattern + (from_start ? 1 : 0);
	const char *end = p + strlen(p);
	bool to_end = end > p && end[-1] == '$';
	const char *star = from_start ? NULL : p, *after = text;

	if (!text || !*text)
		return false;
	end -= to_end ? 1 : 0;
	for (const char *t = text;;) {
		if (p == end && (!to_end || !*t))
			return true;
		if (p < end && *p == '*') {
			star = ++p;
			after = t;
			continue;
		}
		if (p < end && *t && *p == *t) {
			p++;
			t++;
			continue;
		}
		if (!star || !*after)
			return false;
		p = star;
		t = ++after;
	}
}

static bool frame_matches(const char *pattern, const struct frame *f)
{
	return suppression_matches(pattern, f->function) || suppression_matches(pattern, f->file) ||
	       suppression_matches(pattern, f->module);
}

static bool begins_with(const char *line, const char *prefix)
{
	return memcmp(line, prefix, PREFIX_LENGTH) == 0;
}

const char *suppressions_find_type(const struct suppressions *s, const char *type)
{
	for (size_t i = 0; s && type && i < s->n; i++)
		if (begins_with(s->lines[i], TYPE) &&
		    suppression_matches(s->lines[i] + PREFIX_LENGTH, type))
			return s->lines[i];
	return NULL;
}

const char *suppressions_find(const struct suppressions *s, const struct frame *frames, size_t n)
{
	for (size_t i = 0; s && i < s->n; i++)
		for (size_t k = 0; k < n; k++)
			if (begins_with(s->lines[i], LEAK) &&
			    frame_matches(s->lines[i] + PREFIX_LENGTH, &frames[k]))
				return s->lines[i];
	return NULL;
}

static bool is_blank(char c)
{
	return c == ' ' || c == '\t' || c == '\r' || c == '\v' || c == '\f';
}

/* NULL, or what is wrong with a line that is neither empty nor a comment. */
static const char *why_refused(const char *line, size_t length)
{
	if (!utf8_is_printable(line, length))
		return "this is not text";
	if (length < PREFIX_LENGTH || (!begins_with(line, LEAK) && !begins_with(line, TYPE)))
		return "a line is leak:PATTERN or type:PATTERN, or begins with #";
	if (length == PREFIX_LENGTH)
		return "the pattern is empty and would match everything";
	if (length - PREFIX_LENGTH > SUPPRESSION_BYTES_MAX)
		return "the pattern is too long";
	return NULL;
}

static int add_line(struct suppressions *s, const char *line, size_t length)
{
	char *copy;

	if (s->n == s->room) {
		size_t room = s->room ? 2 * s->room : 16;
		char **lines = reallocarray(s->lines, room, sizeof(*lines));

		if (!lines)
			return -ENOMEM;
		s->lines = lines;
		s->room = room;
	}
	copy = strndup(line, length);
	if (!copy)
		return -ENOMEM;
	s->lines[s->n++] = copy;
	return 0;
}

int suppressions_parse(const char *text, size_t size, struct suppressions **ret, unsigned *ret_line,
		       const char **ret_why)
{
	_cleanup_(suppressions_freep) struct suppressions *s = calloc(1, sizeof(*s));
	const char *end = text + size;
	unsigned number = 0;
	int r;

	if (!s)
		return -ENOMEM;
	for (const char *line = text; line < end;) {
		const char *newline = memchr(line, '\n', (size_t)(end - line));
		const char *next = newline ? newline + 1 : end, *last = newline ? newline : end;
		const char *why;

		number++;
		while (line < last && is_blank(*line))
			line++;
		while (line < last && is_blank(last[-1]))
			last--;
		if (line < last && *line != '#') {
			why = why_refused(line, (size_t)(last - line));
			if (!why && s->n == SUPPRESSIONS_MAX)
				why = "there are too many patterns";
			if (why) {
				*ret_line = number;
				*ret_why = why;
				return -EINVAL;
			}
			r = add_line(s, line, (size_t)(last - line));
			if (r < 0)
				return r;
		}
		line = next;
	}
	*ret = TAKE_PTR(s);
	return 0;
}
