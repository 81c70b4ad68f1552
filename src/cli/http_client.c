// SPDX-License-Identifier: GPL-2.0-or-later
/* A small HTTP client for the daemon's socket. See http_client.h. */
#include "cli/http_client.h"

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/clock.h"
#include "base/parse.h"
#include "cli/http_connection.h"

/* How many header lines. Far above what the daemon sends. */
#define MAX_HEADERS 100

struct head {
	int status;
	bool chunked;
	bool has_length;
	uint64_t length;
};

struct body {
	char *data;
	size_t size;
	size_t capacity;
	uint64_t limit;
	int (*take_line)(const char *line, size_t n, void *userdata); /* NULL: collect */
	void *userdata;
};

static int parse_status(const char *line, int *ret)
{
	const char *code = line + 9;

	if (strncmp(line, "HTTP/1.", 7) != 0 || (line[7] != '0' && line[7] != '1') ||
	    line[8] != ' ')
		return -EPROTO;
	if (code[0] < '1' || code[0] > '5' || code[1] < '0' || code[1] > '9' || code[2] < '0' ||
	    code[2] > '9' || (code[3] != ' ' && code[3] != '\0'))
		return -EPROTO;
	*ret = (code[0] - '0') * 100 + (code[1] - '0') * 10 + (code[2] - '0');
	return 0;
}

static int parse_header(char *line, struct head *head)
{
	char *value = strchr(line, ':');
	uint64_t length;
	size_t n;

	if (!value || value == line)
		return -EPROTO;
	*value++ = '\0';
	value += strspn(value, " \t");
	n = strlen(value);
	while (n && (value[n - 1] == ' ' || value[n - 1] == '\t'))
		value[--n] = '\0';

	if (strcasecmp(line, "Content-Length") == 0) {
		if (parse_u64(value, &length) < 0)
			return -EPROTO;
		if (head->has_length && head->length != length)
			return -EPROTO;
		head->has_length = true;
		head->length = length;
	} else if (strcasecmp(line, "Transfer-Encoding") == 0) {
		if (head->chunked || strcasecmp(value, "chunked") != 0)
			return -EPROTO;
		head->chunked = true;
	}
	return 0;
}

/* Status and headers; interim answers (1xx) are read over. */
static int read_head(struct http_connection *c, struct head *ret)
{
	char line[HTTP_LINE_BYTES];
	struct head head;
	int lines = 0, r;

	do {
		head = (struct head){ 0 };
		r = http_read_line(c, line);
		if (r < 0)
			return r;
		r = parse_status(line, &head.status);
		if (r < 0)
			return r;
		for (;;) {
			if (lines++ > MAX_HEADERS)
				return -EPROTO;
			r = http_read_line(c, line);
			if (r < 0)
				return r;
			if (!*line)
				break;
			r = parse_header(line, &head);
			if (r < 0)
				return r;
		}
	} while (head.status < 200);
	/* Two answers to where the body ends: a way to smuggle, never an honest server. */
	if (head.chunked && head.has_length)
		return -EPROTO;
	*ret = head;
	return 0;
}

/* Room for @n more bytes and a NUL. */
static int grow(struct body *b, uint64_t n)
{
	size_t capacity = b->capacity ? b->capacity : 4096;
	char *data;

	if (n > b->limit || b->size > b->limit - n)
		return -EFBIG;
	while (capacity < b->size + n + 1)
		capacity *= 2;
	if (capacity == b->capacity)
		return 0;
	data = realloc(b->data, capacity);
	if (!data)
		return -ENOMEM;
	b->data = data;
	b->capacity = capacity;
	return 0;
}

/* Hands over the lines that are complete, and forgets them. */
static int take_lines(struct body *b)
{
	size_t done = 0;
	char *end;
	int r;

	while (b->take_line && (end = memchr(b->data + done, '\n', b->size - done))) {
		r = b->take_line(b->data + done, (size_t)(end - b->data) - done, b->userdata);
		if (r < 0)
			return r;
		done = (size_t)(end - b->data) + 1;
	}
	if (done) {
		memmove(b->data, b->data + done, b->size - done);
		b->size -= done;
	}
	return 0;
}

/*
 * Appends @n bytes, or with @to_end what comes until the stream ends. Memory grows with what has
 * arrived, not with what was announced.
 */
static int read_bytes(struct http_connection *c, struct body *b, uint64_t n, bool to_end)
{
	if (!to_end && (n > b->limit || b->size > b->limit - n))
		return -EFBIG;
	while (to_end || n) {
		size_t part;
		int r;

		if (c->start == c->end) {
			r = http_fill(c);
			if (r < 0)
				return r;
			if (r == 0)
				return to_end ? 0 : -ECONNRESET;
		}
		part = c->end - c->start;
		if (!to_end && part > n)
			part = (size_t)n;
		r = grow(b, part);
		if (r < 0)
			return r;
		memcpy(b->data + b->size, c->buffer + c->start, part);
		b->size += part;
		c->start += part;
		r = take_lines(b);
		if (r < 0)
			return r;
		if (!to_end)
			n -= part;
	}
	return 0;
}

static int parse_chunk_size(const char *line, uint64_t *ret)
{
	uint64_t size = 0;
	int digits = 0;

	for (; *line; line++, digits++) {
		unsigned digit;

		if (*line >= '0' && *line <= '9')
			digit = (unsigned)(*line - '0');
		else if ((*line | 0x20) >= 'a' && (*line | 0x20) <= 'f')
			digit = (unsigned)((*line | 0x20) - 'a' + 10);
		else
			break;
		if (digits == 15)
			return -EPROTO;
		size = size << 4 | digit;
	}
	line += strspn(line, " \t");
	if (digits == 0 || (*line && *line != ';'))
		return -EPROTO;
	*ret = size;
	return 0;
}

static int read_chunks(struct http_connection *c, struct body *b)
{
	char line[HTTP_LINE_BYTES];
	int trailers = 0, r;

	for (;;) {
		uint64_t size;

		r = http_read_line(c, line);
		if (r < 0)
			return r;
		r = parse_chunk_size(line, &size);
		if (r < 0)
			return r;
		if (size == 0)
			break;
		r = read_bytes(c, b, size, false);
		if (r < 0)
			return r;
		r = http_read_line(c, line);
		if (r < 0)
			return r;
		if (*line)
			return -EPROTO;
	}
	do {
		if (trailers++ > MAX_HEADERS)
			return -EPROTO;
		r = http_read_line(c, line);
		if (r < 0)
			return r;
	} while (*line);
	return 0;
}

static int read_body(struct http_connection *c, const struct head *head, struct body *b)
{
	int r;

	if (head->status == 204 || head->status == 304)
		r = 0;
	else if (head->chunked)
		r = read_chunks(c, b);
	else
		r = read_bytes(c, b, head->length, !head->has_length);
	if (r < 0)
		return r;
	r = grow(b, 0);
	if (r < 0)
		return r;
	b->data[b->size] = '\0';
	return 0;
}

static int send_request(struct http_connection *c, const struct http_request *request)
{
	_cleanup_free_ char *body = NULL;
	_cleanup_free_ char *text = NULL;
	const unsigned char *at;
	int n;

	for (at = (const unsigned char *)request->target; *at; at++)
		if (*at <= ' ' || *at >= 0x7f)
			return -EINVAL;
	if (request->body) {
		body = json_dumps(request->body, JSON_COMPACT | JSON_ENCODE_ANY);
		if (!body)
			return -ENOMEM;
		n = asprintf(&text,
			     "%s %s HTTP/1.1\r\nHost: localhost\r\nAccept: application/json\r\n"
			     "Connection: close\r\nContent-Type: application/json\r\n"
			     "Content-Length: %zu\r\n\r\n%s",
			     request->method, request->target, strlen(body), body);
	} else {
		n = asprintf(&text,
			     "%s %s HTTP/1.1\r\nHost: localhost\r\nAccept: application/json\r\n"
			     "Connection: close\r\n\r\n",
			     request->method, request->target);
	}
	if (n < 0) {
		text = NULL; /* asprintf() leaves it undefined on failure */
		return -ENOMEM;
	}
	return http_send(c, text, (size_t)n);
}

struct http_response *http_response_free(struct http_response *r)
{
	if (!r)
		return NULL;
	json_decref(r->json);
	free(r->body);
	free(r);
	return NULL;
}

static int exchange(struct http_connection *c, const struct http_request *request,
		    struct head *head, struct body *body)
{
	int r;

	r = http_connect(c, request->socket_path);
	if (r < 0)
		return r;
	r = send_request(c, request);
	if (r < 0)
		return r;
	r = read_head(c, head);
	if (r < 0)
		return r;
	if (head->status >= 300)
		body->take_line = NULL;
	return read_body(c, head, body);
}

int http_call(const struct http_request *request, struct http_response **ret)
{
	_cleanup_(http_response_freep) struct http_response *response = NULL;
	uint64_t timeout_ns = request->timeout_ns ? request->timeout_ns : HTTP_TIMEOUT_NS;
	struct http_connection c __attribute__((cleanup(http_connection_done)));
	struct body body = {
		.limit = request->max_body_bytes ? request->max_body_bytes : HTTP_MAX_BODY_BYTES,
		.take_line = request->take_line,
		.userdata = request->userdata,
	};
	struct head head;
	int r;

	c.fd = -EBADF;
	c.start = c.end = 0;
	c.deadline_ns = clock_ns(CLOCK_MONOTONIC) + timeout_ns;
	c.idle_ns = request->take_line ? timeout_ns : 0;
	response = calloc(1, sizeof(*response));
	if (!response)
		return -ENOMEM;
	r = exchange(&c, request, &head, &body);
	response->body = body.data;
	response->body_bytes = body.size;
	if (r < 0)
		return r;
	response->status = head.status;
	response->json = json_loadb(body.data, body.size, JSON_REJECT_DUPLICATES, NULL);
	*ret = TAKE_PTR(response);
	return 0;
}
