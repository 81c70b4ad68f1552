/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Leaks and what happens to them, as text. As render.h says of all: members may be missing, strings may
 * be hostile; 0 or -ENOMEM.
 */
#ifndef SEEP_CLI_RENDER_LEAKS_H
#define SEEP_CLI_RENDER_LEAKS_H

#include <jansson.h>
#include <stdint.h>
#include <stdio.h>

#include "cli/chart.h"
#include "cli/format.h"
#include "cli/render.h"

/* A table of the array; suspects are dimmed. */
int render_leaks(FILE *out, const json_t *leaks, const struct render_options *o);

/* How many digits of an id tell all leaks of the array apart: 8 to 16. */
size_t render_id_digits(const json_t *leaks);

/* What is blamed: "leak_handler (server.c:87)", or "the whole process". The caller frees. */
int render_leak_place(const json_t *leak, bool ascii, char **ret);

/* A type of Python objects with the code that they run: "_asyncio.Task of Hub.audit (hub.py:16), ended". */
int render_type_name(const json_t *object, bool ascii, char **ret);
/* A census as a table, and what was counted and what was not, below it. */
int render_census(FILE *out, const json_t *census, const struct render_options *o);
void render_census_sums(FILE *out, const json_t *census, const struct render_options *o);

/* A line of "created_at", or "runs": "Hub.audit (hub.py:16)". */
int render_line_name(const json_t *line, bool ascii, char **ret);

/* "+12.3 MiB/h"; "" where it is not known. */
struct number render_leak_rate(const json_t *leak, const struct render_options *o);

/* What belongs to one leak, but is not in it. */
struct leak_context {
	uint64_t now_ms;
	const json_t *history;	/* answer of /v1/history; NULL: none is kept */
	const json_t *coverage; /* of its target; NULL: not known */
};

/* All about one leak, on several screens if need be. */
int render_leak(FILE *out, const json_t *leak, const struct leak_context *context,
		const struct render_options *o);

/* The last part of that: what it is drawn from. */
int render_leak_charts(FILE *out, const json_t *leak, const json_t *history,
		       const struct render_options *o);

/*
 * Points of an answer of /v1/history as a chart of live bytes, or of resident ones, where @key is
 * "rss_bytes". Nothing is drawn without points: then *ret_n is 0.
 */
int render_history(FILE *out, const json_t *history, const char *key, unsigned rows,
		   const struct render_options *o, size_t *ret_n);

/* One line for an event. */
int render_event(FILE *out, const json_t *event, const struct render_options *o);

#endif
