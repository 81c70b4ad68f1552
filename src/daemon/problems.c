// SPDX-License-Identifier: GPL-2.0-or-later
/* What is wrong with the configuration. See problems.h. */
#include "daemon/problems.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/cleanup.h"

void problems_add(struct problems *p, const char *path, unsigned line, const char *format, ...)
{
	_cleanup_free_ char *what = NULL;
	char *text = NULL;
	va_list args;
	int n;

	va_start(args, format);
	n = vasprintf(&what, format, args);
	va_end(args);
	if (n < 0)
		what = NULL;
	if (what && p->n < PROBLEMS_MAX)
		n = line ? asprintf(&text, "%s:%u: %s", path, line, what) :
			   asprintf(&text, "%s: %s", path, what);
	if (n < 0 || !text) {
		p->left_out++;
		return;
	}
	p->lines[p->n++] = text;
}

size_t problems_count(const struct problems *p)
{
	return p->n + p->left_out;
}

void problems_done(struct problems *p)
{
	for (size_t i = 0; i < p->n; i++)
		free(p->lines[i]);
	*p = (struct problems){ .n = 0 };
}
