// SPDX-License-Identifier: GPL-2.0-or-later
/* Metrics as text. See exposition.h. */
#include "serve/exposition.h"

#include <event2/buffer.h>
#include <math.h>
#include <string.h>

#define TOTAL "_total"
#define INFO  "_info"

bool exposition_wants_openmetrics(const char *accept)
{
	return accept && strstr(accept, "application/openmetrics-text");
}

const char *exposition_content_type(bool is_openmetrics)
{
	return is_openmetrics ? "application/openmetrics-text; version=1.0.0; charset=utf-8" :
				"text/plain; version=0.0.4; charset=utf-8";
}

static void put(struct exposition *e, const char *text, size_t n)
{
	e->has_failed |= evbuffer_add(e->out, text, n) < 0;
}

static void put_text(struct exposition *e, const char *text)
{
	put(e, text, strlen(text));
}

/* Of a quote, the older format knows no escape in help. */
static void put_escaped(struct exposition *e, const char *text, const char *special)
{
	while (*text) {
		size_t n = strcspn(text, special);

		put(e, text, n);
		text += n;
		if (!*text)
			return;
		put_text(e, *text == '\n' ? "\\n" : *text == '"' ? "\\\"" : "\\\\");
		text++;
	}
}

static size_t ends_with(const char *name, const char *suffix)
{
	size_t n = strlen(name), m = strlen(suffix);

	return n > m && strcmp(name + n - m, suffix) == 0 ? m : 0;
}

void exposition_family(struct exposition *e, const char *name, enum metric_type type,
		       const char *unit, const char *help)
{
	static const char *const old_words[] = { "gauge", "counter", "gauge" };
	static const char *const new_words[] = { "gauge", "counter", "info" };
	int n = (int)strlen(name);

	e->name = name;
	if (e->is_openmetrics)
		n -= (int)(ends_with(name, TOTAL) + ends_with(name, INFO));
	e->has_failed |= evbuffer_add_printf(e->out, "# TYPE %.*s %s\n", n, name,
					     (e->is_openmetrics ? new_words : old_words)[type]) < 0;
	if (e->is_openmetrics && unit)
		e->has_failed |= evbuffer_add_printf(e->out, "# UNIT %.*s %s\n", n, name, unit) < 0;
	e->has_failed |= evbuffer_add_printf(e->out, "# HELP %.*s ", n, name) < 0;
	put_escaped(e, help, e->is_openmetrics ? "\\\"\n" : "\\\n");
	put_text(e, "\n");
}

static void put_value(struct exposition *e, double value)
{
	if (isnan(value))
		put_text(e, " NaN\n");
	else if (isinf(value))
		put_text(e, value > 0 ? " +Inf\n" : " -Inf\n");
	else
		e->has_failed |= evbuffer_add_printf(e->out, " %.15g\n", value) < 0;
}

void exposition_sample(struct exposition *e, double value, const struct metric_label *labels)
{
	bool is_first = true;

	put_text(e, e->name);
	for (; labels && labels->name; labels++) {
		if (!labels->value)
			continue;
		put_text(e, is_first ? "{" : ",");
		is_first = false;
		put_text(e, labels->name);
		put_text(e, "=\"");
		put_escaped(e, labels->value, "\\\"\n");
		put_text(e, "\"");
	}
	if (!is_first)
		put_text(e, "}");
	put_value(e, value);
}

void exposition_end(struct exposition *e)
{
	if (e->is_openmetrics)
		put_text(e, "# EOF\n");
}
