// SPDX-License-Identifier: GPL-2.0-or-later
/* The table of problems. See problem.h. */
#include "serve/problem.h"

#include <assert.h>

#include "base/cleanup.h"
#include "base/values.h"

static const struct {
	int status;
	const char *code;
} problems[PROBLEMS] = {
	[PROBLEM_BAD_REQUEST] = { 400, "bad_request" },
	[PROBLEM_BAD_JSON] = { 400, "bad_json" },
	[PROBLEM_BAD_PARAMETER] = { 400, "bad_parameter" },
	[PROBLEM_BAD_SELECTOR] = { 400, "bad_selector" },
	[PROBLEM_BAD_SNAPSHOT_NAME] = { 400, "bad_snapshot_name" },
	[PROBLEM_LIMIT_OUT_OF_RANGE] = { 400, "limit_out_of_range" },
	[PROBLEM_OUT_OF_RANGE] = { 400, "out_of_range" },
	[PROBLEM_MISSING_FIELD] = { 400, "missing_field" },
	[PROBLEM_UNEXPECTED_BODY] = { 400, "unexpected_body" },
	[PROBLEM_UNKNOWN_FIELD] = { 400, "unknown_field" },
	[PROBLEM_UNKNOWN_PARAMETER] = { 400, "unknown_parameter" },
	[PROBLEM_WRONG_TYPE] = { 400, "wrong_type" },
	[PROBLEM_FOREIGN_HOST] = { 403, "foreign_host" },
	[PROBLEM_NOT_PERMITTED] = { 403, "not_permitted" },
	[PROBLEM_REFUSED_TARGET] = { 403, "refused_target" },
	[PROBLEM_NO_SUCH_LEAK] = { 404, "no_such_leak" },
	[PROBLEM_NO_SUCH_PATH] = { 404, "no_such_path" },
	[PROBLEM_NO_SUCH_PROCESS] = { 404, "no_such_process" },
	[PROBLEM_NO_SUCH_SERIES] = { 404, "no_such_series" },
	[PROBLEM_NO_SUCH_SNAPSHOT] = { 404, "no_such_snapshot" },
	[PROBLEM_NO_SUCH_TARGET] = { 404, "no_such_target" },
	[PROBLEM_METHOD_NOT_ALLOWED] = { 405, "method_not_allowed" },
	[PROBLEM_ALREADY_TRACKED] = { 409, "already_tracked" },
	[PROBLEM_NO_CENSUS] = { 409, "no_census" },
	[PROBLEM_NO_ORIGINS] = { 409, "no_origins" },
	[PROBLEM_NOT_PYTHON] = { 409, "not_python" },
	[PROBLEM_SNAPSHOT_EXISTS] = { 409, "snapshot_exists" },
	[PROBLEM_TOO_MANY_SNAPSHOTS] = { 409, "too_many_snapshots" },
	[PROBLEM_TOO_MANY_TARGETS] = { 409, "too_many_targets" },
	[PROBLEM_LENGTH_REQUIRED] = { 411, "length_required" },
	[PROBLEM_BODY_TOO_LARGE] = { 413, "body_too_large" },
	[PROBLEM_UNSUPPORTED_MEDIA_TYPE] = { 415, "unsupported_media_type" },
	[PROBLEM_HEAD_TOO_LARGE] = { 431, "head_too_large" },
	[PROBLEM_INTERNAL] = { 500, "internal" },
	[PROBLEM_BUSY] = { 503, "busy" },
	[PROBLEM_NO_HISTORY] = { 503, "no_history" },
	[PROBLEM_TOO_MANY_CONNECTIONS] = { 503, "too_many_connections" },
	[PROBLEM_TOO_MANY_FOLLOWERS] = { 503, "too_many_followers" },
	[PROBLEM_TIMED_OUT] = { 504, "timed_out" },
};

int problem_status(enum problem p)
{
	assert(p < PROBLEMS);
	return problems[p].status;
}

const char *problem_code(enum problem p)
{
	assert(p < PROBLEMS);
	return problems[p].code;
}

const char *problem_title(enum problem p)
{
	switch (problem_status(p)) {
	case 400:
		return "Bad Request";
	case 403:
		return "Forbidden";
	case 404:
		return "Not Found";
	case 405:
		return "Method Not Allowed";
	case 409:
		return "Conflict";
	case 411:
		return "Length Required";
	case 413:
		return "Content Too Large";
	case 415:
		return "Unsupported Media Type";
	case 431:
		return "Request Header Fields Too Large";
	case 503:
		return "Service Unavailable";
	case 504:
		return "Gateway Timeout";
	default:
		return "Internal Server Error";
	}
}

json_t *problem_json(enum problem p, const char *detail)
{
	json_auto_t *o = json_object();
	int r = 0;

	/* "about:blank": the code says it all, and the title is that of the status. */
	r |= view_put(o, "type", json_string("about:blank"));
	r |= view_put(o, "title", json_string(problem_title(p)));
	r |= view_put(o, "status", json_integer(problem_status(p)));
	r |= view_put(o, "code", json_string(problem_code(p)));
	r |= view_put(o, "detail", view_text(detail));
	return r < 0 ? NULL : TAKE_PTR(o);
}
