/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * One HTTP/1.1 exchange with the daemon over its unix socket, blocking.
 *
 * The other side is not trusted: head and body are bounded, the whole exchange has a deadline, and
 * what does not follow the protocol is refused. A body that does not end is read line by line.
 */
#ifndef SEEP_CLI_HTTP_CLIENT_H
#define SEEP_CLI_HTTP_CLIENT_H

#include <jansson.h>
#include <stddef.h>
#include <stdint.h>

#include "base/cleanup.h"

#define HTTP_TIMEOUT_NS	    30000000000ull
#define HTTP_MAX_BODY_BYTES (64ull << 20)

struct http_request {
	const char *socket_path;
	const char *method;
	const char *target;	 /* path and query, percent-encoded */
	const json_t *body;	 /* NULL: none */
	uint64_t timeout_ns;	 /* 0: HTTP_TIMEOUT_NS; with take_line the longest silence */
	uint64_t max_body_bytes; /* 0: HTTP_MAX_BODY_BYTES; with take_line of one line */
	/*
	 * NULL: the body is collected. Else each line of a 2xx body is handed over as it comes, without
	 * its end; borrowed. A negative result ends the exchange and is that of http_call().
	 */
	int (*take_line)(const char *line, size_t n, void *userdata);
	void *userdata;
};

struct http_response {
	int status;   /* 200..599 */
	json_t *json; /* NULL: the body is not JSON, or there is none */
	char *body;   /* as received, and a NUL; never NULL */
	size_t body_bytes;
};

/*
 * -ENOENT, -ECONNREFUSED, -EACCES, ...: could not connect; -ENAMETOOLONG: the path does not fit a
 * socket address; -ETIMEDOUT; -ECONNRESET: the answer ended early; -EPROTO: it is not HTTP;
 * -EFBIG: it is too large; -EINVAL: @target is not percent-encoded.
 */
int http_call(const struct http_request *request, struct http_response **ret);

struct http_response *http_response_free(struct http_response *r);
DEFINE_CLEANUP(struct http_response *, http_response_free)

#endif
