// SPDX-License-Identifier: GPL-2.0-or-later
/* One configuration file. See config_file.h. */
#include "daemon/config_file.h"

#include <errno.h>
#include <ini.h>
#include <stdbool.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/utf8.h"
#include "daemon/whole_file.h"

#define FILE_BYTES_MAX	  (1u << 20)
#define SECTION_BYTES_MAX 48
/* What inih needs of its buffer beside a line: its end, and one to tell that it is whole. */
#define LINE_ROOM	  3

struct parser {
	const struct config_file_reader *reader;
	struct problems *problems;
	const char *path;
	const char *text;
	size_t left;
	unsigned line;	 /* that inih has, from 1 on */
	bool is_awaited; /* it must be a value, and inih has not said so yet */
};

static bool is_blank(char c)
{
	return c == ' ' || c == '\t' || c == '\r';
}

/* The next line without the blanks around it. False: there is none. */
static bool next_line(struct parser *p, const char **ret, size_t *ret_n)
{
	const char *from = p->text, *end;
	size_t n;

	if (p->left == 0)
		return false;
	end = memchr(from, '\n', p->left);
	n = end ? (size_t)(end - from) : p->left;
	p->text += n + (end ? 1 : 0);
	p->left -= n + (end ? 1 : 0);
	p->line++;
	while (n > 0 && is_blank(*from)) {
		from++;
		n--;
	}
	while (n > 0 && is_blank(from[n - 1]))
		n--;
	*ret = from;
	*ret_n = n;
	return true;
}

/* "[Name]", and at most a comment behind it. */
static void take_section(struct parser *p, const char *line, size_t n)
{
	const char *end = memchr(line, ']', n);
	const char *rest = end ? end + 1 : NULL;
	char name[SECTION_BYTES_MAX + 1] = "";
	size_t bytes = end ? (size_t)(end - line) - 1 : 0;

	while (rest && rest < line + n && is_blank(*rest))
		rest++;
	if (!rest || (rest < line + n && *rest != '#' && *rest != ';') ||
	    bytes > SECTION_BYTES_MAX) {
		problems_add(p->problems, p->path, p->line,
			     "a section must stand alone on its line, as in [Daemon]");
	} else {
		memcpy(name, line + 1, bytes);
	}
	p->reader->section(p->reader->userdata, name, p->line);
}

/* Whether inih may have the line. */
static bool check_line(struct parser *p, const char *line, size_t n, size_t room)
{
	if (n >= room) {
		problems_add(p->problems, p->path, p->line,
			     "the line has %zu bytes, at most %zu are taken", n, room - 1);
		return false;
	}
	if (!utf8_is_printable(line, n)) {
		problems_add(p->problems, p->path, p->line, "the line is not printable UTF-8");
		return false;
	}
	return true;
}

/* A tab is no printable character, and as good as a blank. */
static void copy_line(char *to, const char *line, size_t n)
{
	for (size_t i = 0; i < n; i++)
		to[i] = line[i] == '\t' ? ' ' : line[i];
	to[n] = '\0';
}

static void check_awaited(struct parser *p)
{
	if (p->is_awaited)
		problems_add(p->problems, p->path, p->line,
			     "neither [Section] nor Key=value nor a comment");
	p->is_awaited = false;
}

/* As fgets(3), for inih. */
static char *read_line(char *to, int size, void *stream)
{
	struct parser *p = stream;
	size_t room = (size_t)size - LINE_ROOM, n;
	const char *line;

	check_awaited(p);
	if (!next_line(p, &line, &n))
		return NULL;
	*to = '\0';
	if (n == 0 || *line == '#' || *line == ';')
		return to;
	if (n < room) {
		copy_line(to, line, n);
		line = to;
	}
	if (!check_line(p, line, n, room)) {
		*to = '\0';
		return to;
	}
	if (*line == '[') {
		take_section(p, line, n);
		*to = '\0';
		return to;
	}
	p->is_awaited = true;
	return to;
}

static int on_value(void *userdata, const char *section, const char *key, const char *value)
{
	struct parser *p = userdata;

	(void)section;
	p->is_awaited = false;
	p->reader->value(p->reader->userdata, key, value, p->line);
	return 1;
}

int config_file_parse(const char *path, const char *text, size_t size,
		      const struct config_file_reader *reader, struct problems *problems)
{
	struct parser p = {
		.reader = reader,
		.problems = problems,
		.path = path,
		.text = text,
		.left = size,
	};

	/* Which lines were wrong is known already. */
	return ini_parse_stream(read_line, &p, on_value, &p) == -2 ? -ENOMEM : 0;
}

int config_file_read(const char *path, const struct config_file_reader *reader,
		     struct problems *problems)
{
	_cleanup_free_ char *text = NULL;
	size_t size;
	int r;

	r = whole_file_read(path, FILE_BYTES_MAX, &text, &size);
	if (r == -ENOMEM)
		return r;
	if (r < 0) {
		problems_add(problems, path, 0, "cannot be read: %s",
			     r == -EFBIG ? "it has more than 1 MiB" : strerror(-r));
		return 0;
	}
	return config_file_parse(path, text, size, reader, problems);
}
