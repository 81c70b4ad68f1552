// SPDX-License-Identifier: GPL-2.0-or-later
/* Messages to people. See log.h. */
#include "base/log.h"

#include <errno.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static struct {
	const char *name;
	int level;
	bool journal;
} log_state = { .name = "seep", .level = LOG_INFO };

void log_open(const char *name)
{
	log_state.name = name;
	log_state.journal = getenv("JOURNAL_STREAM") != NULL;
}

void log_set_level(int level)
{
	log_state.level = level;
}

__attribute__((format(printf, 3, 0))) static void write_line(int level, const char *suffix,
							     const char *format, va_list args)
{
	char line[2048];
	int n;

	n = vsnprintf(line, sizeof(line), format, args);
	if (n < 0)
		return;
	/* The journal knows who speaks. */
	if (log_state.journal)
		fprintf(stderr, "<%d>", level);
	else
		fprintf(stderr, "%s: ", log_state.name);
	fprintf(stderr, "%s%s%s%s\n", line, (size_t)n >= sizeof(line) ? "[...]" : "",
		suffix ? ": " : "", suffix ? suffix : "");
}

void log_message(int level, const char *format, ...)
{
	va_list args;

	if (level > log_state.level)
		return;
	va_start(args, format);
	write_line(level, NULL, format, args);
	va_end(args);
}

int log_errno(int level, int r, const char *format, ...)
{
	va_list args;

	if (level > log_state.level)
		return r;
	va_start(args, format);
	write_line(level, strerror(r < 0 ? -r : r), format, args);
	va_end(args);
	return r;
}
