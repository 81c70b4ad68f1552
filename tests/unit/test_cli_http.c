// SPDX-License-Identifier: GPL-2.0-or-later
/* The HTTP client against honest, broken, slow and hostile servers. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <dirent.h>
#include <errno.h>
#include <limits.h>
#include <poll.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "cli/http_client.h"

enum server_flags {
	HOLD = 1 << 0,	   /* keep the connection open until the client ends it */
	BYTEWISE = 1 << 1, /* one send() per byte */
	ENDLESS = 1 << 2,  /* repeat the reply until the client ends the connection */
	DRIP = 1 << 3,	   /* ENDLESS, and a byte per millisecond only */
	DEAF = 1 << 4,	   /* answer without reading the request */
};

struct server {
	char dir[64];
	char path[96];
	int listener;
	pthread_t thread;
	const char *reply;
	size_t reply_bytes;
	int flags;
	char request[4096]; /* what the client sent */
	size_t request_bytes;
};

static bool send_reply(struct server *s, int fd)
{
	size_t step = s->flags & (BYTEWISE | DRIP) ? 1 : s->reply_bytes, i;

	for (i = 0; i < s->reply_bytes; i += step) {
		struct pollfd gone = { .fd = fd, .events = POLLIN | POLLRDHUP };

		if (send(fd, s->reply + i, step, MSG_NOSIGNAL) < 0)
			return false;
		if (s->flags & DRIP && poll(&gone, 1, 1) > 0)
			return false;
	}
	return true;
}

static bool request_is_complete(const struct server *s)
{
	const char *end = strstr(s->request, "\r\n\r\n");
	const char *length = strstr(s->request, "Content-Length: ");

	if (!end)
		return false;
	return !length || strlen(end + 4) >= strtoul(length + 16, NULL, 10);
}

static void *serve(void *argument)
{
	struct server *s = argument;
	int fd = accept(s->listener, NULL, NULL);
	char drain[4096];

	if (fd < 0)
		return NULL;
	while (!(s->flags & DEAF) && !request_is_complete(s)) {
		ssize_t n = recv(fd, s->request + s->request_bytes,
				 sizeof(s->request) - 1 - s->request_bytes, 0);

		if (n <= 0)
			break;
		s->request_bytes += (size_t)n;
	}
	if (s->reply_bytes)
		while (send_reply(s, fd) && s->flags & (ENDLESS | DRIP))
			;
	if (s->flags & HOLD)
		while (recv(fd, drain, sizeof(drain), 0) > 0)
			;
	close(fd);
	return NULL;
}

static void server_start(struct server *s, const char *reply, size_t n, int flags)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };

	memset(s, 0, sizeof(*s));
	s->reply = reply;
	s->reply_bytes = n;
	s->flags = flags;
	snprintf(s->dir, sizeof(s->dir), "/tmp/test_cli_http.XXXXXX");
	assert_non_null(mkdtemp(s->dir));
	snprintf(s->path, sizeof(s->path), "%s/sock", s->dir);
	snprintf(address.sun_path, sizeof(address.sun_path), "%s", s->path);
	s->listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	assert_true(s->listener >= 0);
	assert_return_code(bind(s->listener, (struct sockaddr *)&address, sizeof(address)), errno);
	assert_return_code(listen(s->listener, 5), errno);
	assert_int_equal(pthread_create(&s->thread, NULL, serve, s), 0);
}

static void server_stop(struct server *s)
{
	/* Wakes an accept() that no client has met. */
	shutdown(s->listener, SHUT_RDWR);
	pthread_join(s->thread, NULL);
	close(s->listener);
	unlink(s->path);
	rmdir(s->dir);
}

static int call(const char *path, uint64_t timeout_ms, uint64_t max_body,
		struct http_response **ret)
{
	struct http_request request = {
		.socket_path = path,
		.method = "GET",
		.target = "/v1/info",
		.timeout_ns = timeout_ms * 1000000,
		.max_body_bytes = max_body,
	};

	return http_call(&request, ret);
}

#define OK	"HTTP/1.1 200 OK\r\n"
#define CHUNKED OK "Transfer-Encoding: chunked\r\n\r\n"

static const struct {
	const char *reply;
	int flags;
	int result;
	int status;
	const char *body;
	bool is_json;
} cases[] = {
	/* Honest ones. */
	{ OK "Content-Length: 7\r\n\r\n{\"a\":1}", HOLD, 0, 200, "{\"a\":1}", true },
	{ OK "Content-Length: 7\r\n\r\n{\"a\":1}", HOLD | BYTEWISE, 0, 200, "{\"a\":1}", true },
	{ OK "Content-Length: 7\r\n\r\n{\"a\":1}", HOLD | DEAF, 0, 200, "{\"a\":1}", true },
	{ OK "Content-Length: 7\r\n\r\n{\"a\":1}surplus", 0, 0, 200, "{\"a\":1}", true },
	{ OK "content-length:\t7 \r\nContent-Length: 7\r\n\r\n{\"a\":1}", HOLD, 0, 200, "{\"a\":1}",
	  true },
	{ OK "\r\n{\"a\":1}", 0, 0, 200, "{\"a\":1}", true },
	{ "HTTP/1.0 200\n\n[2]", 0, 0, 200, "[2]", true },
	{ CHUNKED "3\r\n{\"a\r\n4;x=y\r\n\":1}\r\n0\r\n\r\n", HOLD, 0, 200, "{\"a\":1}", true },
	{ CHUNKED "3\r\n{\"a\r\n4;x=y\r\n\":1}\r\n0\r\n\r\n", HOLD | BYTEWISE, 0, 200, "{\"a\":1}",
	  true },
	{ CHUNKED "00A\r\n0123456789\r\n0\r\nTrailer: x\r\n\r\n", HOLD, 0, 200, "0123456789",
	  false },
	{ "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Hints\r\nLink: x\r\n\r\n" OK
	  "Content-Length: 2\r\n\r\n[]",
	  HOLD, 0, 200, "[]", true },
	{ "HTTP/1.1 204 No Content\r\n\r\n", HOLD, 0, 204, "", false },
	{ "HTTP/1.1 404 Not Found\r\nContent-Type: application/problem+json\r\n"
	  "Content-Length: 25\r\n\r\n{\"code\":\"no_such_target\"}",
	  HOLD, 0, 404, "{\"code\":\"no_such_target\"}", true },
	/* JSON that is none. */
	{ OK "Content-Length: 5\r\n\r\n{\"a\":", HOLD, 0, 200, "{\"a\":", false },
	{ OK "Content-Length: 13\r\n\r\n{\"a\":1,\"a\":2}", HOLD, 0, 200, "{\"a\":1,\"a\":2}",
	  false },
	{ OK "Content-Length: 4\r\n\r\n\"\xff\xfe\"", HOLD, 0, 200, "\"\xff\xfe\"", false },
	/* Short ones. */
	{ "", 0, -ECONNRESET, 0, NULL, false },
	{ "HTTP/1.1 200", 0, -ECONNRESET, 0, NULL, false },
	{ OK "Content-Length: 7\r\n", 0, -ECONNRESET, 0, NULL, false },
	{ OK "Content-Length: 7\r\n\r\n{\"a\"", 0, -ECONNRESET, 0, NULL, false },
	{ CHUNKED "5\r\nabc", 0, -ECONNRESET, 0, NULL, false },
	{ CHUNKED "3\r\nabc\r\n0\r\n", 0, -ECONNRESET, 0, NULL, false },
	/* Not HTTP. */
	{ "SSH-2.0-OpenSSH_9.2\r\n", HOLD, -EPROTO, 0, NULL, false },
	{ "HTTP/2.0 200 OK\r\n\r\n", HOLD, -EPROTO, 0, NULL, false },
	{ "HTTP/1.1 2000 OK\r\n\r\n", HOLD, -EPROTO, 0, NULL, false },
	{ "HTTP/1.1 20\r\n\r\n", HOLD, -EPROTO, 0, NULL, false },
	{ "HTTP/1.1\r\n\r\n", HOLD, -EPROTO, 0, NULL, false },
	{ "HTTP/1.1 999 OK\r\n\r\n", HOLD, -EPROTO, 0, NULL, false },
	{ OK "no colon\r\n\r\n", HOLD, -EPROTO, 0, NULL, false },
	{ OK ": no name\r\n\r\n", HOLD, -EPROTO, 0, NULL, false },
	/* Lengths that lie. */
	{ OK "Content-Length: -1\r\n\r\n", HOLD, -EPROTO, 0, NULL, false },
	{ OK "Content-Length: +7\r\n\r\n{\"a\":1}", HOLD, -EPROTO, 0, NULL, false },
	{ OK "Content-Length: 0x7\r\n\r\n{\"a\":1}", HOLD, -EPROTO, 0, NULL, false },
	{ OK "Content-Length: 7, 7\r\n\r\n{\"a\":1}", HOLD, -EPROTO, 0, NULL, false },
	{ OK "Content-Length: 7\r\nContent-Length: 8\r\n\r\n{\"a\":1}", HOLD, -EPROTO, 0, NULL,
	  false },
	{ OK "Content-Length: 99999999999999999999\r\n\r\n", HOLD, -EPROTO, 0, NULL, false },
	{ OK "Content-Length: 18446744073709551615\r\n\r\n", HOLD, -EFBIG, 0, NULL, false },
	{ OK "Content-Length: 1009\r\n\r\n", HOLD, -EFBIG, 0, NULL, false },
	{ CHUNKED "ffffffffffffff\r\n", HOLD, -EFBIG, 0, NULL, false },
	{ CHUNKED "3f1\r\n", HOLD, -EFBIG, 0, NULL, false },
	{ CHUNKED "1\r\na\r\n3f0\r\n", HOLD, -EFBIG, 0, NULL, false },
	{ CHUNKED "ffffffffffffffff\r\n", HOLD, -EPROTO, 0, NULL, false },
	{ CHUNKED "\r\n", HOLD, -EPROTO, 0, NULL, false },
	{ CHUNKED "-1\r\n", HOLD, -EPROTO, 0, NULL, false },
	{ CHUNKED "3 x\r\n", HOLD, -EPROTO, 0, NULL, false },
	{ CHUNKED "3\r\nabcd\r\n", HOLD, -EPROTO, 0, NULL, false },
	{ OK "Transfer-Encoding: gzip\r\n\r\n", HOLD, -EPROTO, 0, NULL, false },
	{ OK "Transfer-Encoding: chunked\r\nContent-Length: 7\r\n\r\n", HOLD, -EPROTO, 0, NULL,
	  false },
	/* Floods. */
	{ "a", ENDLESS, -EPROTO, 0, NULL, false },
	{ "HTTP/1.1 100 Continue\r\n\r\n", ENDLESS, -EPROTO, 0, NULL, false },
};

/* One less than the least body that the cases above want refused. */
#define MAX_BODY 1008

static void answers_are_judged(void **state)
{
	size_t i;

	(void)state;
	for (i = 0; i < ARRAY_SIZE(cases); i++) {
		_cleanup_(http_response_freep) struct http_response *response = NULL;
		struct server s;
		int r;

		server_start(&s, cases[i].reply, strlen(cases[i].reply), cases[i].flags);
		r = call(s.path, 60000, MAX_BODY, &response);
		server_stop(&s);
		if (r != cases[i].result)
			fail_msg("case %zu: %d instead of %d", i, r, cases[i].result);
		if (r < 0)
			continue;
		if (response->status != cases[i].status)
			fail_msg("case %zu: status %d", i, response->status);
		if (strcmp(response->body, cases[i].body) != 0)
			fail_msg("case %zu: body '%s'", i, response->body);
		assert_int_equal(response->body_bytes, strlen(cases[i].body));
		if ((response->json != NULL) != cases[i].is_json)
			fail_msg("case %zu: taken for JSON: %d", i, response->json != NULL);
	}
}

static void a_flood_of_headers_is_refused(void **state)
{
	char reply[8192] = OK;
	_cleanup_(http_response_freep) struct http_response *response = NULL;
	struct server s;
	size_t used = strlen(reply);
	int i;

	(void)state;
	for (i = 0; i < 211; i++)
		used += (size_t)snprintf(reply + used, sizeof(reply) - used, "X-%d: y\r\n", i);
	server_start(&s, reply, used, HOLD);
	assert_int_equal(call(s.path, 60000, MAX_BODY, &response), -EPROTO);
	server_stop(&s);
}

static void a_nul_in_the_head_is_refused(void **state)
{
	static const char reply[] = OK "X: a\0b\r\n\r\n";
	_cleanup_(http_response_freep) struct http_response *response = NULL;
	struct server s;

	(void)state;
	server_start(&s, reply, sizeof(reply) - 1, HOLD);
	assert_int_equal(call(s.path, 60000, MAX_BODY, &response), -EPROTO);
	server_stop(&s);
}

static void an_endless_body_is_cut_off(void **state)
{
	_cleanup_(http_response_freep) struct http_response *response = NULL;
	static const char reply[] = OK "\r\nab";
	struct server s;

	(void)state;
	server_start(&s, reply, sizeof(reply) - 1, ENDLESS);
	assert_int_equal(call(s.path, 60000, MAX_BODY, &response), -EFBIG);
	server_stop(&s);
}

static void silence_ends_at_the_deadline(void **state)
{
	_cleanup_(http_response_freep) struct http_response *response = NULL;
	struct server s;

	(void)state;
	server_start(&s, "", 0, HOLD);
	assert_int_equal(call(s.path, 31, MAX_BODY, &response), -ETIMEDOUT);
	server_stop(&s);
}

static void dripping_does_not_move_the_deadline(void **state)
{
	_cleanup_(http_response_freep) struct http_response *response = NULL;
	struct server s;

	(void)state;
	server_start(&s, OK, strlen(OK), DRIP);
	assert_int_equal(call(s.path, 17, MAX_BODY, &response), -ETIMEDOUT);
	server_stop(&s);
}

static void a_full_backlog_ends_at_the_deadline(void **state)
{
	_cleanup_(http_response_freep) struct http_response *response = NULL;
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	char dir[] = "/tmp/test_cli_http.XXXXXX";
	int listener, client;

	(void)state;
	assert_non_null(mkdtemp(dir));
	snprintf(address.sun_path, sizeof(address.sun_path), "%s/sock", dir);
	listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	client = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	assert_return_code(bind(listener, (struct sockaddr *)&address, sizeof(address)), errno);
	assert_return_code(listen(listener, 0), errno);
	assert_return_code(connect(client, (struct sockaddr *)&address, sizeof(address)), errno);
	assert_int_equal(call(address.sun_path, 31, MAX_BODY, &response), -ETIMEDOUT);
	close(client);
	close(listener);
	unlink(address.sun_path);
	rmdir(dir);
}

static void the_request_is_what_the_daemon_expects(void **state)
{
	_cleanup_(http_response_freep) struct http_response *response = NULL;
	static const char reply[] = "HTTP/1.1 201 Created\r\nContent-Length: 2\r\n\r\n{}";
	json_t *body = json_pack("{s:s}", "selector", "n\xc3\xa4me");
	struct http_request request = {
		.method = "POST",
		.target = "/v1/targets",
		.body = body,
	};
	struct server s;

	(void)state;
	assert_non_null(body);
	server_start(&s, reply, sizeof(reply) - 1, 0);
	request.socket_path = s.path;
	assert_int_equal(http_call(&request, &response), 0);
	server_stop(&s);
	json_decref(body);
	assert_int_equal(response->status, 201);
	assert_string_equal(s.request, "POST /v1/targets HTTP/1.1\r\nHost: localhost\r\n"
				       "Accept: application/json\r\nConnection: close\r\n"
				       "Content-Type: application/json\r\nContent-Length: 20\r\n"
				       "\r\n{\"selector\":\"n\xc3\xa4me\"}");
}

static void what_cannot_be_reached_is_named(void **state)
{
	struct http_response *response = NULL;
	struct http_request request = { .method = "GET", .target = "/v1/a b" };
	char longest[200];
	struct server s;

	(void)state;
	memset(longest, 'x', sizeof(longest) - 1);
	longest[sizeof(longest) - 1] = '\0';
	assert_int_equal(call("/nonexistent/sock", 1000, 0, &response), -ENOENT);
	assert_int_equal(call("", 1000, 0, &response), -ENOENT);
	assert_int_equal(call(longest, 1000, 0, &response), -ENAMETOOLONG);
	assert_int_equal(call("/", 1000, 0, &response), -ECONNREFUSED);

	server_start(&s, "", 0, 0);
	request.socket_path = s.path;
	assert_int_equal(http_call(&request, &response), -EINVAL);
	request.target = "/v1/a\r\nX: y";
	shutdown(s.listener, SHUT_RDWR);
	server_stop(&s);
	assert_null(response);
}

/* A small generator with a fixed seed: the same damage on every run. */
static uint32_t random_next(uint32_t *seed)
{
	*seed = *seed * 1664525u + 1013904223u;
	return *seed >> 8;
}

static void damaged_answers_do_no_harm(void **state)
{
	static const char good[] = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n"
				   "Content-Type: application/json\r\n\r\n"
				   "3\r\n{\"a\r\n4\r\n\":1}\r\n0\r\n\r\n";
	uint32_t seed = 7;
	size_t i, accepted = 0;

	(void)state;
	for (i = 0; i < 997; i++) {
		_cleanup_(http_response_freep) struct http_response *response = NULL;
		char reply[sizeof(good)];
		struct server s;
		size_t n = sizeof(good) - 1, k;

		memcpy(reply, good, sizeof(good));
		for (k = 0; k < 1 + i % 5; k++)
			reply[random_next(&seed) % n] = (char)random_next(&seed);
		if (i % 3 == 0)
			n = random_next(&seed) % n;
		server_start(&s, reply, n, 0);
		if (call(s.path, 60000, MAX_BODY, &response) == 0)
			accepted++;
		server_stop(&s);
	}
	/* Damage in the reason phrase or a header's value is harmless; most other damage is not. */
	assert_in_range(accepted, 1, 700);
}

static int count_descriptors(void)
{
	DIR *dir = opendir("/proc/self/fd");
	int n = 0;

	assert_non_null(dir);
	while (readdir(dir))
		n++;
	closedir(dir);
	return n;
}

/* What lines were handed over, each ended by '|'; fails at the line "stop". */
static int note_line(const char *line, size_t n, void *userdata)
{
	strncat(userdata, line, n);
	strcat(userdata, "|");
	return n == 4 && memcmp(line, "stop", 4) == 0 ? -ECANCELED : 0;
}

static void lines_are_handed_over(void **state)
{
	static const struct {
		const char *reply;
		int flags;
		int result;
		const char *lines;
	} rows[] = {
		{ CHUNKED "2\r\na\n\r\n5\r\n\nbc\nd\r\n2\r\ne\n\r\n0\r\n\r\n", HOLD, 0,
		  "a||bc|de|" },
		{ CHUNKED "4\r\na\nb\n\r\n0\r\n\r\n", HOLD | BYTEWISE, 0, "a|b|" },
		{ OK "\r\na\nrest", 0, 0, "a|" },
		{ CHUNKED "2\r\na\n\r\n", 0, -ECONNRESET, "a|" },
		{ CHUNKED "2\r\na\n\r\n", HOLD, -ETIMEDOUT, "a|" },
		{ CHUNKED "9\r\nstop\nmore\r\n", HOLD, -ECANCELED, "stop|" },
		{ CHUNKED "9\r\n12345678\n\r\n", HOLD, -EFBIG, "" },
		{ CHUNKED "1\r\nx\r\n1\r\ny\r\n7\r\n1234567\r\n", HOLD, -EFBIG, "" },
		{ "HTTP/1.1 503 Busy\r\nContent-Length: 4\r\n\r\n[7]\n", HOLD, 0, "" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		_cleanup_(http_response_freep) struct http_response *response = NULL;
		char lines[64] = "";
		struct http_request request = {
			.method = "GET",
			.target = "/v1/events",
			/* What comes before the end of the time has to come in time. */
			.timeout_ns = (rows[i].result == -ETIMEDOUT ? 2 : 60) * 1000000000ull,
			.max_body_bytes = rows[i].result == -EFBIG ? 8 : 0,
			.take_line = note_line,
			.userdata = lines,
		};
		struct server s;

		server_start(&s, rows[i].reply, strlen(rows[i].reply), rows[i].flags);
		request.socket_path = s.path;
		assert_int_equal(http_call(&request, &response), rows[i].result);
		assert_string_equal(lines, rows[i].lines);
		server_stop(&s);
	}
}

static int descriptors_before;

static int note_descriptors(void **state)
{
	(void)state;
	descriptors_before = count_descriptors();
	return 0;
}

static int check_descriptors(void **state)
{
	(void)state;
	return count_descriptors() == descriptors_before ? 0 : -1;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(answers_are_judged),
		cmocka_unit_test(a_flood_of_headers_is_refused),
		cmocka_unit_test(a_nul_in_the_head_is_refused),
		cmocka_unit_test(an_endless_body_is_cut_off),
		cmocka_unit_test(silence_ends_at_the_deadline),
		cmocka_unit_test(dripping_does_not_move_the_deadline),
		cmocka_unit_test(a_full_backlog_ends_at_the_deadline),
		cmocka_unit_test(the_request_is_what_the_daemon_expects),
		cmocka_unit_test(what_cannot_be_reached_is_named),
		cmocka_unit_test(damaged_answers_do_no_harm),
		cmocka_unit_test(lines_are_handed_over),
	};

	return cmocka_run_group_tests(tests, note_descriptors, check_descriptors);
}
