/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * JSON bodies of requests: read, checked against a list of fields.
 */
#ifndef SEEP_SERVE_BODY_H
#define SEEP_SERVE_BODY_H

#include <jansson.h>
#include <stdbool.h>

struct exchange;

#define BODY_BYTES_MAX 65536u

enum body_type {
	BODY_STRING,
	BODY_BOOLEAN,
	BODY_NUMBER,
};

struct body_field {
	const char *name;
	enum body_type type;
	bool is_required;
};

/*
 * Reads the body into x->body: one object with these fields and no others (the list ends with a
 * NULL name). False: the request was refused and is answered.
 */
bool body_read(struct exchange *x, const struct body_field *fields);

const char *body_get_string(const struct exchange *x, const char *name); /* NULL: left out */
bool body_get_boolean(const struct exchange *x, const char *name);	 /* false: left out */

bool body_has(const struct exchange *x, const char *name);
double body_get_number(const struct exchange *x, const char *name); /* 0: left out */

#endif
