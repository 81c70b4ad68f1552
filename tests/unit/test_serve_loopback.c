// SPDX-License-Identifier: GPL-2.0-or-later
/* The loopback listener: addresses, what browsers are told, and what it answers to whom. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <arpa/inet.h>
#include <netinet/in.h>

#include "serve/loopback.h"
#include "serve_fixture.h"
#include "totals.h"

/* A server that also listens on a port that the kernel has chosen. */
static int set_up_loopback(void **state)
{
	struct sockaddr_in any = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(0x7f000001) };
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), r;

	assert_int_equal(bind(fd, (struct sockaddr *)&any, sizeof(any)), 0);
	assert_int_equal(listen(fd, 16), 0);
	r = set_up_with(state, (struct server_options){
				       .mode = 0666, .gid = SERVER_NO_GROUP, .http_fd = fd });
	/* The server's from now on. */
	((struct fixture *)*state)->descriptors--;
	return r;
}

/* Of the one TCP listener that this process has. */
static int loopback_connect(void)
{
	struct sockaddr_in a = { 0 };
	socklen_t bytes = sizeof(a), n = sizeof(int);
	int listening = 0, fd = 3;

	for (; fd < 256; fd++) {
		bytes = sizeof(a);
		if (getsockname(fd, (struct sockaddr *)&a, &bytes) == 0 &&
		    a.sin_family == AF_INET &&
		    getsockopt(fd, SOL_SOCKET, SO_ACCEPTCONN, &listening, &n) == 0 && listening)
			break;
	}
	assert_true(fd < 256);
	fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	assert_int_equal(connect(fd, (struct sockaddr *)&a, sizeof(a)), 0);
	assert_int_equal(fcntl(fd, F_SETFL, O_NONBLOCK), 0);
	return fd;
}

static struct answer ask_loopback(struct fixture *f, const char *line, const char *headers)
{
	char request[512];
	int fd = loopback_connect();
	struct answer a;

	snprintf(request, sizeof(request), "%s HTTP/1.1\r\n%s\r\n", line, headers);
	client_send(f, fd, request, strlen(request));
	a = client_read(f, fd, false);
	close(fd);
	turn(f);
	return a;
}

static void test_addresses(void **state)
{
	static const struct {
		const char *text;
		int r;
	} rows[] = {
		{ "127.0.0.1:9837", 0 },
		{ "127.255.0.3:1", 0 },
		{ "localhost:9837", 0 },
		{ "[::1]:65535", 0 },
		{ "0.0.0.0:9837", -EACCES },
		{ "192.0.2.1:9837", -EACCES },
		{ "[::]:9837", -EACCES },
		{ "[::ffff:127.0.0.1]:9837", -EACCES },
		{ "127.0.0.1", -EINVAL },
		{ "127.0.0.1:", -EINVAL },
		{ "127.0.0.1:0", -EINVAL },
		{ "127.0.0.1:65536", -EINVAL },
		{ "127.0.0.1:80x", -EINVAL },
		{ "127.1:80", -EINVAL },
		{ "::1:80", -EINVAL },
		{ "[::1]80", -EINVAL },
		{ "[::1", -EINVAL },
		{ ":80", -EINVAL },
		{ "", -EINVAL },
		{ "host.example:80", -EINVAL },
	};
	struct sockaddr_storage a;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
		if (loopback_parse(rows[i].text, &a) != rows[i].r)
			fail_msg("'%s' is not %d", rows[i].text, rows[i].r);
	assert_int_equal(loopback_parse("[::1]:513", &a), 0);
	assert_int_equal(a.ss_family, AF_INET6);
	assert_int_equal(ntohs(((struct sockaddr_in6 *)&a)->sin6_port), 513);
}

static void test_hosts_and_origins(void **state)
{
	static const struct {
		const char *host;
		bool is_own;
	} hosts[] = {
		{ "localhost", true },
		{ "LocalHost:9837", true },
		{ "127.0.0.1", true },
		{ "127.0.0.1:80", true },
		{ "[::1]:9837", true },
		{ "[::1]", true },
		{ "127.evil.example", false },
		{ "127.0.0.1.evil.example", false },
		{ "localhost.evil.example", false },
		{ "evil.example:9837", false },
		{ "localhost:80:80", false },
		{ "localhost:x", false },
		{ "192.0.2.1", false },
		{ "0.0.0.0", false },
		{ "", false },
		{ "[::1", false },
		{ "127.0.0.1@evil.example", false },
		{ "localhost/", false },
	};
	char origin[128];

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(hosts); i++) {
		if (loopback_is_host(hosts[i].host) != hosts[i].is_own)
			fail_msg("host '%s'", hosts[i].host);
		snprintf(origin, sizeof(origin), "http://%s", hosts[i].host);
		if (loopback_is_origin(origin) != hosts[i].is_own)
			fail_msg("origin '%s'", origin);
	}
	assert_false(loopback_is_host(NULL));
	assert_true(loopback_is_origin(NULL));
	assert_false(loopback_is_origin("null"));
	assert_false(loopback_is_origin("file://"));
	assert_true(loopback_is_origin("https://localhost:3000"));
}

static void test_sockets_from_elsewhere(void **state)
{
	struct sockaddr_in any = { .sin_family = AF_INET };
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), other;

	(void)state;
	assert_int_equal(loopback_check(fd), -EINVAL);
	assert_int_equal(bind(fd, (struct sockaddr *)&any, sizeof(any)), 0);
	assert_int_equal(listen(fd, 1), 0);
	/* Anybody could reach it. */
	assert_int_equal(loopback_check(fd), -EACCES);
	close(fd);
	fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
	assert_int_equal(loopback_check(fd), -ENOTSOCK);
	close(fd);
	assert_int_equal(loopback_listen("192.0.2.1:80", 1, &other), -EACCES);
}

/* Only what is for everybody on this machine, whatever the method. */
static void test_what_it_answers(void **state)
{
	static const struct {
		const char *line;
		int status;
	} rows[] = {
		{ "GET /healthz", 200 },
		{ "GET /readyz", 200 },
		{ "GET /metrics", 200 },
		{ "GET /v1/sd", 200 },
		{ "GET /v1/info", 403 },
		{ "GET /v1/targets", 403 },
		{ "GET /v1/targets/4243-1", 403 },
		{ "GET /v1/sites", 403 },
		{ "GET /v1/leaks", 403 },
		{ "GET /v1/events", 403 },
		{ "DELETE /v1/targets/4243-1", 403 },
		{ "POST /v1/targets", 403 },
		{ "POST /v1/snapshots", 403 },
		{ "POST /v1/leaks/1/ack", 403 },
		{ "POST /metrics", 405 },
		{ "GET /nothing", 404 },
	};
	struct fixture *f = *state;

	fake_target(f->monitor, 1, 4243, 0);
	/* A process of an uid that no process has: loopback clients own nothing. */
	fake_target(f->monitor, 2, 4253, (uid_t)-1);
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct answer a =
			ask_loopback(f, rows[i].line, "Host: localhost\r\nContent-Length: 0\r\n");

		if (a.status != rows[i].status)
			fail_msg("%s: %d", rows[i].line, a.status);
		answer_done(&a);
	}
	assert_string_equal(f->monitor->untracked, "");
	assert_string_equal(f->monitor->tracked, "");
}

static void test_web_pages_are_refused(void **state)
{
	static const struct {
		const char *headers;
		int status;
	} rows[] = {
		{ "Host: 127.0.0.1:9837\r\n", 200 },
		{ "Host: localhost\r\nOrigin: http://localhost:9837\r\n", 200 },
		{ "Host: evil.example\r\n", 403 },
		{ "Host: 127.evil.example\r\n", 403 },
		{ "Host: localhost\r\nOrigin: http://evil.example\r\n", 403 },
		{ "Host: localhost\r\nOrigin: null\r\n", 403 },
		{ "", 403 },
	};
	struct fixture *f = *state;

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct answer a = ask_loopback(f, "GET /metrics", rows[i].headers);

		if (a.status != rows[i].status)
			fail_msg("%s: %d", rows[i].headers, a.status);
		if (a.status == 403)
			assert_string_equal(answer_code(&a), "foreign_host");
		assert_null(strstr(a.head, "Access-Control"));
		answer_done(&a);
	}
}

/* Function names are for who may see detail; the unix socket of this user has it. */
static void test_no_code_is_told(void **state)
{
	struct fixture *f = *state;
	struct answer a;

	fake_target(f->monitor, 1, 4243, 0);
	fake_leak(f->monitor, 0x1234, f->monitor->targets[0], "secret_function", TREND_LEAKING,
		  TREND_OPENED);
	a = ask_loopback(f, "GET /metrics", "Host: localhost\r\n");
	assert_int_equal(a.status, 200);
	assert_non_null(strstr(a.body, "\nseep_leak_info{service=\"/usr/bin/server\","
				       "leak_id=\"0000000000001234\",state=\"leaking\","
				       "severity=\"high\"} 1\n"));
	assert_null(strstr(a.body, "secret_function"));
	answer_done(&a);
	a = get(f, "/metrics");
	assert_non_null(strstr(a.body, "function=\"secret_function\",module=\"/usr/bin/server\""));
	answer_done(&a);
}

static void test_discovery(void **state)
{
	struct fixture *f = *state;
	const json_t *first;
	struct answer a;

	a = ask_loopback(f, "GET /v1/sd", "Host: 127.0.0.1:9837\r\n");
	assert_int_equal(json_array_size(a.json), 0);
	answer_done(&a);
	fake_target(f->monitor, 1, 4243, 0);
	fake_target(f->monitor, 2, 4253, 0);
	a = ask_loopback(f, "GET /v1/sd", "Host: 127.0.0.1:9837\r\n");
	/* Two processes of one service. */
	assert_int_equal(json_array_size(a.json), 1);
	first = json_array_get(a.json, 0);
	assert_string_equal(json_string_value(json_array_get(json_object_get(first, "targets"), 0)),
			    "127.0.0.1:9837");
	assert_string_equal(json_string_value(json_object_get(json_object_get(first, "labels"),
							      "service_name")),
			    "/usr/bin/server");
	answer_done(&a);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_addresses),
		cmocka_unit_test(test_hosts_and_origins),
		cmocka_unit_test(test_sockets_from_elsewhere),
		cmocka_unit_test_setup_teardown(test_what_it_answers, set_up_loopback, tear_down),
		cmocka_unit_test_setup_teardown(test_web_pages_are_refused, set_up_loopback,
						tear_down),
		cmocka_unit_test_setup_teardown(test_no_code_is_told, set_up_loopback, tear_down),
		cmocka_unit_test_setup_teardown(test_discovery, set_up_loopback, tear_down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
