// SPDX-License-Identifier: GPL-2.0-or-later
/* JSON bodies. See body.h. */
#include "serve/body.h"

#include <errno.h>
#include <event2/buffer.h>
#include <event2/http.h>
#include <string.h>
#include <strings.h>

#include "base/cleanup.h"
#include "serve/exchange.h"

/* "application/json", parameters such as a charset aside. */
static bool is_json_type(const char *type)
{
	static const char json[] = "application/json";
	size_t n = type ? strcspn(type, "; \t") : 0;

	return n == strlen(json) && strncasecmp(type, json, n) == 0;
}

static bool parse(struct exchange *x, struct evbuffer *content)
{
	size_t n = evbuffer_get_length(content);
	json_error_t error;
	const char *text;

	text = n ? (const char *)evbuffer_pullup(content, -1) : "";
	if (!text) {
		(void)exchange_reply(x, 500, NULL);
		return false;
	}
	x->body = json_loadb(text, n, JSON_REJECT_DUPLICATES, &error);
	if (!x->body) {
		(void)exchange_refuse(x, PROBLEM_BAD_JSON,
				      "The body is no valid JSON: %s (line %d, column %d).",
				      error.text, error.line, error.column);
		return false;
	}
	if (!json_is_object(x->body)) {
		(void)exchange_refuse(x, PROBLEM_BAD_JSON,
				      "The body must be a JSON object, {\"name\": value, ...}.");
		return false;
	}
	return true;
}

static const struct body_field *find_field(const struct body_field *fields, const char *name)
{
	for (; fields->name; fields++)
		if (strcmp(fields->name, name) == 0)
			return fields;
	return NULL;
}

static bool has_type(const json_t *value, enum body_type type)
{
	switch (type) {
	case BODY_STRING:
		return json_is_string(value);
	case BODY_BOOLEAN:
		return json_is_boolean(value);
	case BODY_NUMBER:
		return json_is_number(value);
	}
	return false;
}

/* Fields that are there. */
static bool check_present(struct exchange *x, const struct body_field *fields)
{
	static const char *const words[] = {
		[BODY_STRING] = "a string",
		[BODY_BOOLEAN] = "true or false",
		[BODY_NUMBER] = "a number",
	};
	const char *name;
	json_t *value;

	json_object_foreach(x->body, name, value) {
		const struct body_field *f = find_field(fields, name);

		if (!f) {
			(void)exchange_refuse(x, PROBLEM_UNKNOWN_FIELD,
					      "There is no field \"%.64s\" in this request; "
					      "check its spelling or leave it out.",
					      name);
			return false;
		}
		if (!has_type(value, f->type)) {
			(void)exchange_refuse(x, PROBLEM_WRONG_TYPE, "The field \"%s\" must be %s.",
					      name, words[f->type]);
			return false;
		}
	}
	return true;
}

bool body_read(struct exchange *x, const struct body_field *fields)
{
	struct evbuffer *content = evhttp_request_get_input_buffer(x->request);

	/* Before the type: whoever sends too much should hear that first. */
	if (evbuffer_get_length(content) > BODY_BYTES_MAX) {
		(void)exchange_refuse(x, PROBLEM_BODY_TOO_LARGE,
				      "The body has %zu bytes; at most %u are taken.",
				      evbuffer_get_length(content), BODY_BYTES_MAX);
		return false;
	}
	if (!is_json_type(exchange_get_header(x, "Content-Type"))) {
		(void)exchange_refuse(x, PROBLEM_UNSUPPORTED_MEDIA_TYPE,
				      "Send the body as JSON, with the header "
				      "\"Content-Type: application/json\".");
		return false;
	}
	if (!parse(x, content) || !check_present(x, fields))
		return false;
	for (const struct body_field *f = fields; f->name; f++)
		if (f->is_required && !json_object_get(x->body, f->name)) {
			(void)exchange_refuse(x, PROBLEM_MISSING_FIELD,
					      "The field \"%s\" is missing.", f->name);
			return false;
		}
	return true;
}

const char *body_get_string(const struct exchange *x, const char *name)
{
	return json_string_value(json_object_get(x->body, name));
}

bool body_get_boolean(const struct exchange *x, const char *name)
{
	return json_is_true(json_object_get(x->body, name));
}

bool body_has(const struct exchange *x, const char *name)
{
	return json_object_get(x->body, name) != NULL;
}

double body_get_number(const struct exchange *x, const char *name)
{
	return json_number_value(json_object_get(x->body, name));
}
