// SPDX-License-Identifier: GPL-2.0-or-later
/* Calls to the daemon. See api.h. */
#include "cli/api.h"

#include <errno.h>
#include <grp.h>
#include <string.h>
#include <sys/stat.h>

#include "base/cleanup.h"

/* The group in which an installation puts the people who may use the daemon. */
#define DEFAULT_GROUP "seep"

/* Codes of problem+json that mean another exit code than their status does. */
static const struct {
	const char *code;
	enum cli_exit exit;
} problem_exits[] = {
	{ "no_such_target", CLI_NO_TARGET }, { "no_such_process", CLI_NO_TARGET },
	{ "bad_selector", CLI_USAGE },	     { "bad_parameter", CLI_USAGE },
	{ "limit_out_of_range", CLI_USAGE }, { "bad_snapshot_name", CLI_USAGE },
	{ "no_such_leak", CLI_NO_TARGET },   { "no_such_series", CLI_NO_TARGET },
};

static int explain_denied(const char *path)
{
	char buffer[1024];
	struct group entry, *group = NULL;
	struct stat st;
	const char *name = DEFAULT_GROUP;

	if (stat(path, &st) == 0 && st.st_gid != 0 &&
	    getgrgid_r(st.st_gid, &entry, buffer, sizeof(buffer), &group) == 0 && group)
		name = group->gr_name;
	cli_error("not permitted to use %s: root and members of the group '%s' may "
		  "(usermod -a -G %s USER, then log in again)",
		  path, name, name);
	return CLI_DENIED;
}

static int explain_unreachable(const char *path, int r)
{
	cli_error("seepd does not answer on %s: %s", path, strerror(-r));
	if (r == -ETIMEDOUT)
		cli_info("It may be stopped or overloaded: 'systemctl status seepd' tells");
	else
		cli_info("Start it with 'systemctl start seepd', name another socket with "
			 "--socket, or work without it: 'seepctl run -- COMMAND'");
	return CLI_UNREACHABLE;
}

static int explain_failure(const char *path, int r)
{
	switch (r) {
	case -EACCES:
	case -EPERM:
		return explain_denied(path);
	case -ENOENT:
	case -ENOTDIR:
	case -ECONNREFUSED:
	case -ETIMEDOUT:
	case -EPROTOTYPE:
		return explain_unreachable(path, r);
	case -ECONNRESET:
		cli_error("seepd on %s ended the connection before its answer was complete", path);
		return CLI_UNREACHABLE;
	case -EPROTO:
		cli_error("what answers on %s does not speak HTTP: is it seepd?", path);
		return CLI_ERROR;
	case -EFBIG:
		cli_error("the answer of seepd on %s is over %llu MiB: ask for less with --limit",
			  path, HTTP_MAX_BODY_BYTES >> 20);
		return CLI_ERROR;
	case -ENAMETOOLONG:
		cli_error("the socket path %s is longer than a socket address can hold", path);
		return CLI_USAGE;
	default:
		cli_error("failed to ask seepd on %s: %s", path, strerror(-r));
		return CLI_ERROR;
	}
}

int api_exchange(const struct cli_context *context, const char *method, const char *target,
		 const json_t *body, struct http_response **ret)
{
	struct http_request request = {
		.socket_path = context->socket_path,
		.method = method,
		.target = target,
		.body = body,
	};
	int r;

	r = http_call(&request, ret);
	return r < 0 ? explain_failure(context->socket_path, r) : CLI_OK;
}

int api_stream(const struct cli_context *context, const char *target, uint64_t silence_ns,
	       int (*take_line)(const char *line, size_t n, void *userdata), void *userdata)
{
	_cleanup_(http_response_freep) struct http_response *response = NULL;
	struct http_request request = {
		.socket_path = context->socket_path,
		.method = "GET",
		.target = target,
		.timeout_ns = silence_ns,
		.take_line = take_line,
		.userdata = userdata,
	};
	int r;

	r = http_call(&request, &response);
	if (r < 0)
		return explain_failure(context->socket_path, r);
	return response->status >= 300 ? api_explain(response) : CLI_OK;
}

/* The daemon names the route that tells more; here that is a verb. */
static void put_detail(const char *detail)
{
	static const struct {
		const char *route;
		const char *verb;
	} verbs[] = {
		{ "GET /v1/targets ", "'seepctl targets' " },
		{ "GET /v1/leaks ", "'seepctl leaks --all' " },
		{ "GET /v1/snapshots ", "'seepctl snapshot --list' " },
	};

	for (size_t i = 0; i < ARRAY_SIZE(verbs); i++) {
		const char *at = strstr(detail, verbs[i].route);

		if (at) {
			cli_error("%.*s%s%s", (int)(at - detail), detail, verbs[i].verb,
				  at + strlen(verbs[i].route));
			return;
		}
	}
	cli_error("%s", detail);
}

int api_explain(const struct http_response *response)
{
	const char *code = json_string_value(json_object_get(response->json, "code"));
	const char *detail = json_string_value(json_object_get(response->json, "detail"));
	const char *title = json_string_value(json_object_get(response->json, "title"));
	size_t i;

	if (!detail)
		detail = title;
	if (detail)
		put_detail(detail);
	else
		cli_error("seepd answered with HTTP status %d", response->status);
	for (i = 0; code && i < ARRAY_SIZE(problem_exits); i++)
		if (strcmp(problem_exits[i].code, code) == 0)
			return problem_exits[i].exit;
	return response->status == 401 || response->status == 403 ? CLI_DENIED : CLI_ERROR;
}

int api_call(const struct cli_context *context, const char *method, const char *target,
	     const json_t *body, json_t **ret)
{
	_cleanup_(http_response_freep) struct http_response *response = NULL;
	int code;

	code = api_exchange(context, method, target, body, &response);
	if (code != CLI_OK)
		return code;
	if (response->status >= 300)
		return api_explain(response);
	if (!ret)
		return CLI_OK;
	if (response->body_bytes == 0) {
		*ret = json_object();
		return *ret ? CLI_OK : cli_no_memory();
	}
	if (!json_is_object(response->json)) {
		cli_error("what answers on %s does not speak seep's JSON: is it seepd?",
			  context->socket_path);
		return CLI_ERROR;
	}
	*ret = json_incref(response->json);
	return CLI_OK;
}

void api_put_encoded(FILE *out, const char *text)
{
	static const char plain[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
				    "0123456789-._~";

	for (; *text; text++) {
		if (strchr(plain, *text))
			(void)fputc(*text, out);
		else
			(void)fprintf(out, "%%%02X", (unsigned char)*text);
	}
}

int api_path_init(struct api_path *p, const char *path, const char *last)
{
	*p = (struct api_path){ .stream = NULL };
	p->stream = open_memstream(&p->text, &p->size);
	if (!p->stream)
		return -ENOMEM;
	(void)fputs(path, p->stream);
	if (last)
		api_put_encoded(p->stream, last);
	return 0;
}

void api_path_add(struct api_path *p, const char *name, const char *value)
{
	if (!value)
		return;
	(void)fprintf(p->stream, "%c%s=", p->has_query ? '&' : '?', name);
	api_put_encoded(p->stream, value);
	p->has_query = true;
}

const char *api_path_text(struct api_path *p)
{
	bool failed = ferror(p->stream) != 0;

	if (fclose(p->stream) != 0)
		failed = true;
	p->stream = NULL;
	return failed ? NULL : p->text;
}

void api_path_done(struct api_path *p)
{
	if (p->stream)
		(void)fclose(p->stream);
	free(p->text);
	*p = (struct api_path){ .stream = NULL };
}
