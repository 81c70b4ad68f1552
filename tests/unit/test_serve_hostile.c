// SPDX-License-Identifier: GPL-2.0-or-later
/* Clients that send nonsense, or too much, or go away in between. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "serve/connections.h"
#include "serve_clients.h"

static uint32_t next_random(uint32_t *seed)
{
	*seed = *seed * 1664525u + 1013904223u;
	return *seed >> 8;
}

static void test_malformed(void **state)
{
	static const char *const models[] = {
		"GET /v1/sites?by=line&limit=7&include=a*b HTTP/1.1\r\nHost: seep\r\n\r\n",
		"POST /v1/targets HTTP/1.1\r\nContent-Type: application/json\r\n"
		"Content-Length: 20\r\n\r\n{\"selector\":\"pid=1\"}",
		"DELETE /v1/targets/4243-1 HTTP/1.1\r\nAccept: */*\r\n\r\n",
		"POST /v1/snapshots HTTP/1.0\r\nContent-Type: application/json\r\n"
		"Transfer-Encoding: chunked\r\n\r\n5\r\nabcde\r\n0\r\n\r\n",
	};
	struct fixture *f = *state;
	uint32_t seed = 4243;

	add_many_sites(f);
	for (int i = 0; i < 997; i++) {
		const char *model = models[i % ARRAY_SIZE(models)];
		size_t n = strlen(model), changes = 1 + next_random(&seed) % 7;
		char request[512];
		struct answer a;
		int fd;

		memcpy(request, model, n);
		for (size_t k = 0; k < changes; k++)
			request[next_random(&seed) % n] = (char)next_random(&seed);
		if (i % 5 == 0)
			n = next_random(&seed) % n;
		fd = client_connect(f);
		client_send(f, fd, request, n);
		assert_int_equal(shutdown(fd, SHUT_WR), 0);
		turn(f);
		fake_answer(f->monitor);
		if (i % 3) {
			a = client_read(f, fd, false);
			assert_true(a.status == 0 || (a.status >= 200 && a.status < 600));
			answer_done(&a);
		}
		close(fd);
		turn(f);
	}
	fake_answer(f->monitor);
	wait_for_connections(f, 0);
	assert_healthy(f);
}

static void test_framing(void **state)
{
	static const struct {
		const char *request;
		int status;
		const char *code;
	} rows[] = {
		{ "GET /healthz HTTP/1.1\r\nContent-Length: 7\r\n\r\nGET / H", 400,
		  "unexpected_body" },
		{ "DELETE /v1/targets/1-1 HTTP/1.1\r\nContent-Length: 2\r\n\r\n{}", 400,
		  "unexpected_body" },
		{ "POST /v1/targets HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 411,
		  "length_required" },
		{ "GET /healthz HTTP/1.1\r\nTransfer-Encoding: gzip\r\n\r\n", 411,
		  "length_required" },
		{ "POST /v1/targets HTTP/1.1\r\nContent-Length: 2\r\nContent-Length: 2\r\n\r\n{}",
		  400, "bad_request" },
		{ "POST /v1/targets HTTP/1.1\r\nContent-Length: 2\r\n\r\n{}", 415,
		  "unsupported_media_type" },
		{ "POST /v1/targets HTTP/1.1\r\nContent-Type: application/jsonx\r\n"
		  "Content-Length: 2\r\n\r\n{}",
		  415, "unsupported_media_type" },
		{ "POST /v1/targets HTTP/1.1\r\nContent-Type: Application/JSON; charset=utf-8\r\n"
		  "Content-Length: 2\r\n\r\n{}",
		  400, "missing_field" },
		{ "POST /v1/targets HTTP/1.1\r\nContent-Length: -2\r\n\r\n{}", 400, NULL },
		{ "FETCH /healthz HTTP/1.1\r\n\r\n", 501, NULL },
		{ "\r\n\r\nGET\r\n\r\n", 400, NULL },
	};
	struct fixture *f = *state;

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
		assert_status(ask(f, rows[i].request), rows[i].status, rows[i].code);
	wait_for_connections(f, 0);
}

/* A POST whose body is so many blanks. */
static struct answer post_blanks(struct fixture *f, size_t body)
{
	char *request = calloc(1, body + 256);
	int n = snprintf(request, 256,
			 "POST /v1/targets HTTP/1.1\r\nContent-Type: application/json\r\n"
			 "Content-Length: %zu\r\n\r\n",
			 body);
	struct answer a;

	memset(request + n, ' ', body);
	a = ask_bytes(f, request, (size_t)n + body);
	free(request);
	return a;
}

static void test_sizes(void **state)
{
	static const size_t heads[] = { 7001, 9001, 40009 };
	static const int statuses[] = { 200, 431, 400 };
	struct fixture *f = *state;

	assert_status(post_blanks(f, 65536), 400, "bad_json");
	assert_status(post_blanks(f, 65537), 413, "body_too_large");
	assert_status(post_blanks(f, 262144), 413, "body_too_large");
	/* Beyond this the library closes without reading on. */
	assert_status(post_blanks(f, 300007), 413, NULL);
	for (size_t i = 0; i < ARRAY_SIZE(heads); i++) {
		char *request = calloc(1, heads[i] + 64);
		int n = snprintf(request, 64, "GET /healthz HTTP/1.1\r\nX: ");

		memset(request + n, 'x', heads[i]);
		memcpy(request + n + heads[i], "\r\n\r\n", 4);
		assert_status(ask_bytes(f, request, (size_t)n + heads[i] + 4), statuses[i], NULL);
		free(request);
	}
	assert_healthy(f);
}

static void test_several_requests(void **state)
{
	static const char two[] = "GET /healthz HTTP/1.1\r\n\r\nGET /v1/nothing HTTP/1.1\r\n\r\n";
	struct fixture *f = *state;
	int fd = client_connect(f);

	for (int i = 0; i < 23; i++) {
		client_send(f, fd, two, strlen(two) / 2 - 1);
		client_send(f, fd, two + strlen(two) / 2 - 1, strlen(two) - strlen(two) / 2 + 1);
		/* Both answers may come at once: read the first with the second behind it. */
		assert_status(client_read(f, fd, false), 200, NULL);
		turn(f);
	}
	assert_int_equal(open_connections(f), 1);
	close(fd);
	wait_for_connections(f, 0);
}

/* A client that goes while its names are looked up; the symbolizer answers later, or never. */
static void test_gone_while_held(void **state)
{
	static const char request[] = "GET /v1/sites HTTP/1.1\r\n\r\n";
	struct fixture *f = *state;

	add_many_sites(f);
	for (int i = 0; i < 17; i++) {
		int fd = client_connect(f);

		client_send(f, fd, request, strlen(request));
		turn(f);
		assert_int_equal(f->monitor->symbolizer.n_pending, 1);
		close(fd);
		turn(f);
		assert_int_equal(fake_answer(f->monitor), 1);
		wait_for_connections(f, 0);
	}
	assert_healthy(f);
}

/* The target goes while names are looked up, and so does a snapshot. */
static void test_subject_gone_while_held(void **state)
{
	static const char sites[] = "GET /v1/sites?target=4243-1 HTTP/1.1\r\n\r\n";
	static const char diff[] = "GET /v1/diff?from=s HTTP/1.1\r\n\r\n";
	struct fixture *f = *state;
	int fd = client_connect(f), other = client_connect(f);

	add_many_sites(f);
	assert_int_equal(monitor_snapshot(f->monitor, "s", 0, NULL), 0);
	client_send(f, fd, sites, strlen(sites));
	client_send(f, other, diff, strlen(diff));
	turn(f);
	assert_int_equal(f->monitor->symbolizer.n_pending, 2);
	fake_remove_target(f->monitor, 1);
	assert_int_equal(monitor_drop_snapshot(f->monitor, "s"), 0);
	assert_int_equal(fake_answer(f->monitor), 2);
	assert_status(client_read(f, fd, false), 404, "no_such_target");
	assert_status(client_read(f, other, false), 404, "no_such_snapshot");
	close(fd);
	close(other);
}

/* The server goes first: what is held is let go, and the callback finds nothing to do. */
static void test_server_gone_while_held(void **state)
{
	static const char request[] = "GET /v1/sites HTTP/1.1\r\n\r\n";
	struct fixture *f = *state;
	int fds[13];

	add_many_sites(f);
	for (size_t i = 0; i < ARRAY_SIZE(fds); i++) {
		fds[i] = client_connect(f);
		client_send(f, fds[i], request, strlen(request));
		turn(f);
	}
	close(fds[0]);
	assert_int_equal(f->monitor->symbolizer.n_pending, ARRAY_SIZE(fds));
	f->server = server_free(f->server);
	assert_int_equal(fake_answer(f->monitor), ARRAY_SIZE(fds));
	for (size_t i = 1; i < ARRAY_SIZE(fds); i++) {
		assert_status(client_read(f, fds[i], false), 0, NULL);
		close(fds[i]);
	}
}

static void test_resolve_fails(void **state)
{
	struct fixture *f = *state;

	add_many_sites(f);
	f->monitor->symbolizer.resolve_error = -ENOMEM;
	assert_status(get(f, "/v1/sites"), 500, "internal");
	f->monitor->symbolizer.resolve_error = 0;
	assert_status(get_resolved(f, "/v1/sites"), 200, NULL);
}

static void test_held_too_long(void **state)
{
	struct fixture *f = *state;
	time_t end = time(NULL) + DEADLINE_SECONDS;

	add_many_sites(f);
	assert_status(get(f, "/v1/sites"), 504, "timed_out");
	assert_int_equal(f->monitor->symbolizer.n_pending, 1);
	/* Nobody can pile up more of them than are allowed, whatever the symbolizer does. */
	while (f->monitor->symbolizer.n_pending < 64) {
		assert_true(time(NULL) < end);
		assert_status(get(f, "/v1/sites"), 504, "timed_out");
	}
	assert_status(get(f, "/v1/sites"), 503, "busy");
	assert_int_equal(fake_answer(f->monitor), 64);
	assert_status(get_resolved(f, "/v1/sites"), 200, NULL);
}

static void test_large_answer(void **state)
{
	struct fixture *f = *state;
	struct answer a;

	add_many_sites(f);
	a = get_resolved(f, "/v1/sites?limit=1000");
	assert_int_equal(a.status, 200);
	assert_true(a.n > 1000000);
	assert_int_equal(json_array_size(json_object_get(a.json, "sites")), 463);
	answer_done(&a);
}

static void test_too_many_connections(void **state)
{
	struct fixture *f = *state;
	int fds[CONNECTIONS_MAX], extra;
	struct answer a;

	for (size_t i = 0; i < CONNECTIONS_MAX; i++)
		fds[i] = client_connect(f);
	extra = client_connect(f);
	turn(f);
	assert_int_equal(open_connections(f), CONNECTIONS_MAX);
	a = client_read(f, extra, false);
	assert_int_equal(a.status, 503);
	assert_string_equal(answer_code(&a), "too_many_connections");
	assert_non_null(strstr(a.head, "Connection: close"));
	answer_done(&a);
	close(extra);
	close(fds[0]);
	wait_for_connections(f, CONNECTIONS_MAX - 1);
	assert_healthy(f);
	for (size_t i = 1; i < CONNECTIONS_MAX; i++)
		close(fds[i]);
	wait_for_connections(f, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_malformed, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_framing, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_sizes, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_several_requests, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_gone_while_held, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_subject_gone_while_held, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_server_gone_while_held, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_resolve_fails, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_held_too_long, set_up_impatient, tear_down),
		cmocka_unit_test_setup_teardown(test_large_answer, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_too_many_connections, set_up, tear_down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
