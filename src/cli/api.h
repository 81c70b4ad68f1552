/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Calls to the daemon, with failures explained to people and turned into exit codes.
 */
#ifndef SEEP_CLI_API_H
#define SEEP_CLI_API_H

#include <jansson.h>
#include <stdio.h>

#include "base/cleanup.h"
#include "cli/context.h"
#include "cli/http_client.h"

/*
 * One exchange. CLI_OK and *ret: the daemon answered, whatever it said. Otherwise it could not be
 * reached, people have been told why, and the result is the exit code.
 */
int api_exchange(const struct cli_context *context, const char *method, const char *target,
		 const json_t *body, struct http_response **ret);

/*
 * GET of lines that come as they come: @take_line as in struct http_request. CLI_OK: the answer has
 * ended, and @take_line never failed; else people have been told.
 */
int api_stream(const struct cli_context *context, const char *target, uint64_t silence_ns,
	       int (*take_line)(const char *line, size_t n, void *userdata), void *userdata);

/* Tells people about an answer that is not 2xx; returns the exit code it means. */
int api_explain(const struct http_response *response);

/*
 * api_exchange() and api_explain(): CLI_OK means 2xx, and *ret (if wanted) is its JSON object, an
 * empty one if there was no body.
 */
int api_call(const struct cli_context *context, const char *method, const char *target,
	     const json_t *body, json_t **ret);

/* Writes @text with everything percent-encoded but RFC 3986's unreserved characters. */
void api_put_encoded(FILE *out, const char *text);

/* A path and query under construction. */
struct api_path {
	FILE *stream;
	char *text;
	size_t size;
	bool has_query;
};

/* -ENOMEM. @path is taken as it is, @last (if any) is encoded and appended. */
int api_path_init(struct api_path *p, const char *path, const char *last);
/* Appends "name=value" if @value is not NULL. */
void api_path_add(struct api_path *p, const char *name, const char *value);
/* Ends the construction: the text, owned by @p, or NULL when memory ran out on the way. */
const char *api_path_text(struct api_path *p);
void api_path_done(struct api_path *p);

#endif
