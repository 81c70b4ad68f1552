/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What can be wrong with a request: the stable codes of the API, as application/problem+json
 * (RFC 9457).
 */
#ifndef SEEP_SERVE_PROBLEM_H
#define SEEP_SERVE_PROBLEM_H

#include <jansson.h>

enum problem {
	PROBLEM_BAD_REQUEST,
	PROBLEM_BAD_JSON,
	PROBLEM_BAD_PARAMETER,
	PROBLEM_BAD_SELECTOR,
	PROBLEM_BAD_SNAPSHOT_NAME,
	PROBLEM_LIMIT_OUT_OF_RANGE,
	PROBLEM_MISSING_FIELD,
	PROBLEM_UNEXPECTED_BODY,
	PROBLEM_UNKNOWN_FIELD,
	PROBLEM_UNKNOWN_PARAMETER,
	PROBLEM_WRONG_TYPE,
	PROBLEM_NOT_PERMITTED,
	PROBLEM_REFUSED_TARGET,
	PROBLEM_NO_SUCH_PATH,
	PROBLEM_NO_SUCH_PROCESS,
	PROBLEM_NO_SUCH_SNAPSHOT,
	PROBLEM_NO_SUCH_TARGET,
	PROBLEM_METHOD_NOT_ALLOWED,
	PROBLEM_ALREADY_TRACKED,
	PROBLEM_SNAPSHOT_EXISTS,
	PROBLEM_TOO_MANY_SNAPSHOTS,
	PROBLEM_TOO_MANY_TARGETS,
	PROBLEM_LENGTH_REQUIRED,
	PROBLEM_BODY_TOO_LARGE,
	PROBLEM_UNSUPPORTED_MEDIA_TYPE,
	PROBLEM_HEAD_TOO_LARGE,
	PROBLEM_INTERNAL,
	PROBLEM_BUSY,
	PROBLEM_TOO_MANY_CONNECTIONS,
	PROBLEM_TIMED_OUT,
	PROBLEMS
};

int problem_status(enum problem p);	   /* of HTTP */
const char *problem_title(enum problem p); /* the phrase of that status */
const char *problem_code(enum problem p);

/* {type, title, status, code, detail}. NULL: no memory. */
json_t *problem_json(enum problem p, const char *detail);

#endif
